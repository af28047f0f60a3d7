"""Gives unplaced steps to the agents that have offered places: jobs are made, once at the end of each batch."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import inf

import msgspec

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import require
from caroni_edge.manager.context import Context, live_room
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.jobs.handover import Handover
from caroni_edge.manager.lifecycle import OFFER, STEP, OfferEvent, OfferState, StepEvent
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.offers.policy import OfferPolicy
from caroni_edge.manager.store.jobs import NewJob
from caroni_edge.manager.store.offers import OfferRow
from caroni_edge.manager.store.steps import PlacedStep, StepRow
from caroni_edge.manager.store.unplaced import UnplacedStep
from caroni_edge.node.parts import Part
from caroni_edge.protocol.codec import TOGETHER_LIMIT_BYTES
from caroni_edge.protocol.labels import as_list
from caroni_edge.protocol.messages import JobOffer, OfferAccept, OfferReject, Placement
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

ACCEPT_OVERHEAD_BYTES = 512
PLACES_MAX = 10_000
"""So many places are believed of an agent at most."""
UNDECIDED_MAX = 1000
"""So many offers of an agent may wait at a time."""
OTHERS_FIRST_S = 120.0
"""So long an agent offers in vain for steps that have failed on it, while others are there that may take them."""
OTHERS_LOOKED_AT = 100
"""So many agents are looked at to see whether one of them may fetch the files of a step."""
LOOKED_FURTHER = 1000
"""So many steps are looked at behind those that an agent cannot take because of their files."""
VALID_MAX_S = 600.0
"""So long an offer is kept at most, whatever its agent says."""
STANDING_AT_ONCE = 100
"""So many offers that stand for a job type are looked at when there are new steps for it; who is left out is asked."""


class Placing(Part):
    """Collects the offers of a batch, and accepts, rejects or drops them at its end."""

    def __init__(
        self, context: Context, policy: OfferPolicy, holds: Holds, files: JobFiles, handover: Handover
    ) -> None:
        """Take steps from the store of `context` that `holds` leaves free, for the offers that `policy` chooses.

        Agents hear by `files` where they get the files of their jobs from, and by `handover` which jobs give inputs.
        """
        super().__init__(context.journal)
        self._context, self._policy, self._holds = context, policy, holds
        self._files, self._handover = files, handover
        self._store = context.store
        self._due = inf
        self._in_vain: MemoryDict[tuple[str, str], float] = MemoryDict(context.journal)

    def on_start(self, at: Moment) -> None:
        """Drop the offers that were left: the clock that they were valid by is gone."""
        self._store.offers.delete_all()

    def on_offer(self, agent: str, offer: JobOffer, at: Moment) -> None:
        """Keep an offer until the end of the batch; it takes the place of an earlier one for the same job type."""
        self._store.agents.set_offered(agent, offer.database, as_text(as_list(offer.labels)))
        if offer.stands and self._store.offers.is_answer_due(agent, offer.job_type):
            return  # its agent keeps the places of the one before for us, and waits for what becomes of it
        self._store.offers.delete_same(agent, offer.job_type)
        if self._store.offers.count_of(agent) >= UNDECIDED_MAX:
            self._context.outbox.put(agent, OfferReject(offer=offer.offer))
            return
        self._store.offers.add(
            offer.offer,
            agent=agent,
            job_type=offer.job_type,
            ready=offer.ready,
            waiting=offer.waiting,
            repeat=offer.repeat,
            valid_until=at.now + min(offer.valid_for, VALID_MAX_S),
            database=offer.database,
            stands=offer.stands,
        )

    def settle(self, at: Moment) -> None:
        """Decide on all offers, but for those of agents that have not said yet which jobs they have, or job types."""
        self._due = inf
        undecided = [*self._store.offers.received(), *self._standing()]
        if not undecided:
            return
        open_offers = []
        for offer in undecided:
            if at.now > offer.valid_until:
                self._apply(offer, OfferEvent.TIME_OVER)
            elif not offer.agent_reconciles and offer.is_known:
                open_offers.append(offer)
        offered = sorted({offer.job_type for offer in open_offers})
        demanded = {job_type for job_type in offered if self._store.unplaced.is_demanded(job_type)}
        holding = self._holds.holding(at.now)
        taken = self._policy.order([offer for offer in open_offers if offer.job_type in demanded])
        room = live_room(self._context)
        for offer in self._givers_first(taken):
            room -= self._fill(offer, room, holding, at)
        taken_ids = {offer.offer for offer in taken}
        for offer in open_offers:
            if offer.job_type not in demanded:
                self._in_vain.pop((offer.agent, offer.job_type), None)
            if offer.offer not in taken_ids:
                self._leave(offer)

    def _standing(self) -> Iterator[OfferRow]:
        """Yield the offers that have stood until there were steps for them, as there may be now."""
        for job_type in sorted(self._context.dirty_job_types):
            if self._store.unplaced.is_demanded(job_type):
                yield from self._store.offers.standing(job_type, STANDING_AT_ONCE)

    def _givers_first(self, offers: list[OfferRow]) -> list[OfferRow]:
        """Return offers so that jobs come, where it can be, after those that they may take their inputs from."""
        if len(offers) < 2 or not any(offer.waiting for offer in offers):
            return offers

        def first(offer: OfferRow) -> int:
            kinds = [waiting for waiting, places in ((False, offer.ready), (True, offer.waiting)) if places > 0]
            best = [
                each.step.id
                for waiting in kinds
                for each in self._store.unplaced.steps(offer.job_type, waiting=waiting, agent=offer.agent, limit=1)
            ]
            return min(best, default=0)

        return sorted(offers, key=first)

    def next_due(self) -> float:
        """Return when the steps that offers wait for are given away without the agent that may hold them."""
        return self._due

    def _fill(self, offer: OfferRow, room: int, holding: Mapping[str, float], at: Moment) -> int:
        """Accept an offer as far as there are steps for it and room (`max_live_steps`); return for how many jobs."""
        if not self._context.settings.trusts(offer.agent, offer.job_type):
            self._reject(offer)
            return 0
        left = self._store.agents.places_left(offer.agent, PLACES_MAX)
        room, whole = min(room, left.total), offer
        offer = offer._replace(waiting=min(offer.waiting, left.waiting))
        holders = [
            agent
            for agent in holding
            if self._context.settings.trusts(agent, offer.job_type)
            and self._store.agents.may_hold(agent, offer.job_type)
        ]
        steps = self._best(offer, room, holders) or self._again(offer, room, holders, at)
        if holders and not steps and self._best(offer, min(room, 1), ()):
            self._due = min(self._due, *(holding[agent] for agent in holders))
            return 0
        if not steps:
            self._leave(whole)
            return 0
        self._use(whole, steps)
        *others, last = _parts(self._place(steps, offer, at))
        for jobs, is_last in [*((each, False) for each in others), (last, True)]:
            accepted = OfferAccept(offer=offer.offer, jobs=jobs, last=is_last, database=offer.database)
            self._context.outbox.put(offer.agent, accepted)
        if not offer.stands:
            # As many other steps may be unplaced in a moment: agents must not take them for those that they have got.
            self._store.demands.renew(offer.job_type)
        self._context.dirty_job_types.add(offer.job_type)
        self._context.growing.update(step.parent for step, _ in steps if step.scatter_index is not None)
        return len(steps)

    def _again(self, offer: OfferRow, room: int, holders: Sequence[str], at: Moment) -> list[UnplacedStep]:
        """Return steps that have failed at the agent of an offer, if others that come first have not offered for long.

        Their presence says that they serve the job type, and that alone must not hold up a step.
        """
        kind = offer.agent, offer.job_type
        steps = self._best(offer, room, holders, others_first=False)
        if not steps:
            self._in_vain.pop(kind, None)
            return []
        if at.now < self._in_vain.setdefault(kind, at.now) + OTHERS_FIRST_S:
            return [each for each in steps if self._is_for_nobody_else(each.step, offer.agent)]
        del self._in_vain[kind]
        return steps

    def _is_for_nobody_else(self, step: StepRow, agent: str) -> bool:
        """Tell whether no other agent that is there may fetch the files of a step from where they lie."""
        if "://" not in step.inputs:
            return False
        others = self._store.agents.serving_type(step.job_type, OTHERS_LOOKED_AT)
        return not any(self._files.may_go(step, other) for other in others if other != agent)

    def forget(self, agent: str) -> None:
        """Forget an agent that will not come back."""
        for kind in [kind for kind in self._in_vain if kind[0] == agent]:
            del self._in_vain[kind]

    def _best(
        self, offer: OfferRow, room: int, holders: Sequence[str], *, others_first: bool = True
    ) -> list[UnplacedStep]:
        """Return the best steps for an offer that none of these agents may hold: those with their data first."""
        find = partial(
            self._store.unplaced.steps,
            offer.job_type,
            agent=offer.agent,
            holders=holders,
            others_first=others_first,
        )
        ready = self._that_may_go(partial(find, waiting=False), offer.agent, min(offer.ready, room))
        left = min(offer.waiting, room - len(ready))
        return ready + self._that_may_go(partial(find, waiting=True), offer.agent, left)

    def _that_may_go(self, find: Callable[..., list[UnplacedStep]], agent: str, limit: int) -> list[UnplacedStep]:
        """Return the first steps that an agent can take as far as their files go; others do not hold them up."""
        found = find(limit=limit)
        fitting = [each for each in found if self._files.may_go(each.step, agent)]
        if len(fitting) < len(found) == limit:
            further = find(limit=limit + LOOKED_FURTHER)[limit:]
            fitting += [each for each in further if self._files.may_go(each.step, agent)]
        return fitting[:limit]

    def _place(self, steps: list[UnplacedStep], offer: OfferRow, at: Moment) -> list[Placement]:
        """Make a job of each of these steps at the agent of an offer; return them as the agent is told of them."""
        placed: list[PlacedStep] = []
        jobs: list[NewJob] = []
        for step, workflow in steps:
            status = require(STEP, step.status, StepEvent.PLACED, workflow=workflow, step=step.path)
            job, attempt, ready = self._context.chance.new_id(), step.attempt + 1, not step.deps_left
            placed.append(PlacedStep(step.id, status, job, attempt))
            new = NewJob(
                job=job,
                step=step.id,
                attempt=attempt,
                agent=offer.agent,
                status="queued" if ready else "pending",
                data_sent=ready,
                repeat=offer.repeat,
                placed=at.date,
            )
            jobs.append(new)
            ids = {"workflow": workflow, "step": step.path, "job": job, "attempt": attempt, "peer": offer.agent}
            log.info("job placed", extra={"action": "job_placed", **ids})
        self._store.steps.place(placed)
        self._store.jobs.add(jobs)
        return [self._placement(step, workflow, new, offer) for (step, workflow), new in zip(steps, jobs, strict=True)]

    def _placement(self, step: StepRow, workflow: str, new: NewJob, offer: OfferRow) -> Placement:
        """Return a job that was made as its agent is told of it, and note what that agent will give it by itself."""
        given = self._handover.given(step, offer.agent, repeat=offer.repeat)
        if given.inputs_from:
            self._handover.note(new.job, given.inputs_from)
        return Placement(
            job=new.job,
            attempt=new.attempt,
            job_type=step.job_type,
            workflow=workflow,
            step=step.path,
            priority=step.priority,
            data_ready=new.data_sent,
            inputs=given.inputs,
            inputs_from=given.inputs_from,
            places=self._files.places(step, workflow, given.inputs, offer.agent),
        )

    def _use(self, offer: OfferRow, steps: list[UnplacedStep]) -> None:
        """Note that these steps take places of an offer; of one that stands the others go on standing."""
        ready = sum(not each.step.deps_left for each in steps)
        left = offer._replace(ready=offer.ready - ready, waiting=offer.waiting - (len(steps) - ready))
        if left.stands and (left.ready > 0 or left.waiting > 0):
            self._stand(left)
        else:
            self._apply(offer, OfferEvent.STEPS_FOUND)

    def _leave(self, offer: OfferRow) -> None:
        """There is no step for an offer now: reject it, unless it may stand."""
        if offer.stands:
            if offer.status is not OfferState.STANDING:
                self._stand(offer)
        else:
            self._reject(offer)
            # Who asked for it, with a database that was lost since?
            self._context.dirty_job_types.add(offer.job_type)

    def _stand(self, offer: OfferRow) -> None:
        status = require(OFFER, offer.status, OfferEvent.PLACES_LEFT, offer=offer.offer)
        self._store.offers.stand(offer.offer, status, offer.ready, offer.waiting)

    def _reject(self, offer: OfferRow) -> None:
        self._apply(offer, OfferEvent.NOTHING_TO_PLACE)
        self._context.outbox.put(offer.agent, OfferReject(offer=offer.offer))

    def _apply(self, offer: OfferRow, event: OfferEvent) -> None:
        status = require(OFFER, offer.status, event, offer=offer.offer)
        self._store.offers.delete(offer.offer)
        log.debug("offer %s", status, extra={"action": f"offer_{status}", "peer": offer.agent, "offer": offer.offer})


def _parts(placements: list[Placement]) -> Iterator[tuple[Placement, ...]]:
    """Yield placements in parts, one for each message; at least one part."""
    part: list[Placement] = []
    size = ACCEPT_OVERHEAD_BYTES
    for placement in placements:
        more = len(msgspec.json.encode(placement)) + 1
        if part and size + more > TOGETHER_LIMIT_BYTES:
            yield tuple(part)
            part, size = [], ACCEPT_OVERHEAD_BYTES
        part.append(placement)
        size += more
    yield tuple(part)
