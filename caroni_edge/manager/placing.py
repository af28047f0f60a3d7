"""Demand goes out, offers come in, jobs are placed: decided once at the end of each batch."""

import logging
from collections.abc import Iterator
from math import inf

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import OFFER, STEP, Offer, OfferEvent, StepEvent
from caroni_edge.manager.policy import OfferPolicy
from caroni_edge.manager.store.offers import OfferRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.protocol.codec import MESSAGE_LIMIT_BYTES
from caroni_edge.protocol.messages import JobFulfillmentRequest, JobOffer, OfferAccept, OfferReject, Placement
from caroni_edge.reactor import Moment
from caroni_edge.states import advance

log = logging.getLogger(__name__)

DEMAND_EVERY_S = 0.1
"""A demand that changes is said at most so often."""
DEMAND_AGAIN_S = 60.0
"""A demand that stands is said so often."""
COUNT_LIMIT = 1000
"""A demand greater than this is said as this: nobody could take more at once."""
SPREAD_FROM_AGENTS, SPREAD_PER_AGENT_S, SPREAD_MOST_S = 20, 0.001, 5.0
OTHERS_WAIT_S = 10.0
"""While an agent says what it holds, nobody's offer is accepted, for so long at most."""
ACCEPT_OVERHEAD_BYTES = 512


class Placing:
    """The demand of this manager, and the offers that answer it."""

    def __init__(self, context: Context, policy: OfferPolicy) -> None:
        """Decide with what is in `context`."""
        self._context, self._policy = context, policy
        self._store = context.store
        self._said_at: dict[str, float] = {}
        self._standing: set[str] = set()
        self.hold_until = inf

    def on_start(self) -> None:
        """Nobody knows how old the offers are, and what the broker has kept of the demand."""
        self._store.offers.delete_all()
        self._context.wanted.update(self._store.steps.job_types_wanted())

    def on_connected(self) -> None:
        """Say the demand for every job type we know, the empty ones too: the broker may have kept an old one."""
        self._said_at.clear()
        self._standing.clear()
        self._context.wanted.update(self._store.demands.all())

    def on_offer(self, agent: str, offer: JobOffer, at: Moment) -> None:
        """Keep an offer until the end of the batch."""
        self._store.agents.set_database(agent, offer.database)
        until = at.now + offer.valid_for
        self._store.offers.add((offer.offer, agent, offer.job_type, offer.ready, offer.waiting, offer.repeat, until))

    def settle(self, at: Moment) -> None:
        """Decide on the offers, then say the demand that is left."""
        if at.now >= self.hold_until:
            self.hold_until = inf
        if received := self._store.offers.received():
            self._decide(received, at)
        self._say_demand(at)

    def next_due(self) -> float:
        """Return when the demand must be said, or a held offer decided."""
        changed = min((self._said_at.get(t, -inf) + DEMAND_EVERY_S for t in self._context.wanted), default=inf)
        standing = min((self._said_at[t] + DEMAND_AGAIN_S for t in self._standing), default=inf)
        return min(changed, standing, self.hold_until)

    # Offers

    def _decide(self, received: list[OfferRow], at: Moment) -> None:
        held = self.hold_until < inf
        open_offers = []
        for offer in received:
            if at.now > offer.valid_until:
                self._apply(offer, OfferEvent.TIME_OVER)
            elif not held and not offer.agent_reconciles:
                open_offers.append(offer)
        taken = self._policy.order(open_offers)
        for offer in taken:
            self._fill(offer, at)
        for offer in set(open_offers) - set(taken):
            self._reject(offer)

    def _fill(self, offer: OfferRow, at: Moment) -> None:
        wanted = self._store.steps.wanted
        steps = [
            *wanted(offer.job_type, waiting=False, agent=offer.agent, limit=offer.ready),
            *wanted(offer.job_type, waiting=True, agent=offer.agent, limit=offer.waiting),
        ]
        if not steps:
            self._reject(offer)
            return
        self._apply(offer, OfferEvent.STEPS_FOUND)
        placements = [self._place(step, offer, at) for step in steps]
        *others, last = _chunks(placements)
        for jobs in others:
            self._context.outbox.put(offer.agent, OfferAccept(offer=offer.offer, jobs=jobs, last=False))
        self._context.outbox.put(offer.agent, OfferAccept(offer=offer.offer, jobs=last, last=True))
        self._context.wanted.add(offer.job_type)

    def _place(self, step: StepRow, offer: OfferRow, at: Moment) -> Placement:
        status = advance(STEP, step.status, StepEvent.PLACED)
        assert status is not None
        job, attempt, ready = self._context.chance.new_id(), step.attempt + 1, step.missing == 0
        self._store.steps.place([(status, job, attempt, step.id)])
        word = "queued" if ready else "pending"
        self._store.jobs.add([(job, step.id, attempt, offer.agent, word, ready, bool(offer.repeat), at.date)])
        row = self._store.workflows.by_seq(step.workflow)
        ids = {"workflow": row.id, "step": step.path, "job": job, "attempt": attempt, "peer": offer.agent}
        log.info("job placed", extra={"action": "job_placed", **ids})
        return Placement(
            job=job,
            attempt=attempt,
            job_type=step.job_type,
            workflow=row.id,
            step=step.path,
            priority=step.priority,
            data_ready=ready,
            inputs=msgspec.json.decode(step.inputs),
        )

    def _reject(self, offer: OfferRow) -> None:
        self._apply(offer, OfferEvent.NOTHING_WANTED)
        self._context.outbox.put(offer.agent, OfferReject(offer=offer.offer))

    def _apply(self, offer: OfferRow, event: OfferEvent) -> None:
        status = advance(OFFER, Offer.RECEIVED, event)
        self._store.offers.delete(offer.offer)
        log.debug("offer %s", status, extra={"action": f"offer_{status}", "peer": offer.agent, "offer": offer.offer})

    # Demand

    def _say_demand(self, at: Moment) -> None:
        wanted = self._context.wanted
        standing = {t for t in self._standing if at.now >= self._said_at[t] + DEMAND_AGAIN_S}
        for job_type in sorted(wanted | standing):
            said_at = self._said_at.get(job_type, -inf)
            if job_type in self._standing and job_type not in standing and at.now < said_at + DEMAND_EVERY_S:
                continue
            wanted.discard(job_type)
            self._say(job_type, at, again=job_type in standing or said_at == -inf)

    def _say(self, job_type: str, at: Moment, *, again: bool) -> None:
        count = self._store.steps.count_wanted
        ready = count(job_type, waiting=False, limit=COUNT_LIMIT)
        waiting = count(job_type, waiting=True, limit=COUNT_LIMIT)
        any_wanted = ready + waiting > 0
        priority = self._store.steps.top_priority(job_type) if any_wanted else 4
        content = msgspec.json.encode((ready, waiting, priority))
        serial, said = self._store.demands.get(job_type)
        if content == said and not again:
            return
        if content != said:
            serial += 1
            self._store.demands.say(job_type, serial, content)
        spread_s = self._spread(job_type) if any_wanted else 0.0
        request = JobFulfillmentRequest(serial=serial, ready=ready, waiting=waiting, priority=priority, spread=spread_s)
        self._context.notices.say(self._context.topics.request(job_type), request if any_wanted else None)
        self._said_at[job_type] = at.now
        if any_wanted:
            self._standing.add(job_type)
        else:
            self._standing.discard(job_type)

    def _spread(self, job_type: str) -> float:
        agents = self._store.agents.count_serving(job_type)
        return 0.0 if agents <= SPREAD_FROM_AGENTS else min(agents * SPREAD_PER_AGENT_S, SPREAD_MOST_S)


def _chunks(placements: list[Placement]) -> Iterator[tuple[Placement, ...]]:
    """Yield them in as many parts as messages can hold, at least one."""
    part: list[Placement] = []
    size = ACCEPT_OVERHEAD_BYTES
    for placement in placements:
        more = len(msgspec.json.encode(placement)) + 1
        if part and size + more > MESSAGE_LIMIT_BYTES:
            yield tuple(part)
            part, size = [], ACCEPT_OVERHEAD_BYTES
        part.append(placement)
        size += more
    yield tuple(part)
