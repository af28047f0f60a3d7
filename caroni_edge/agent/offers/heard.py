"""What this agent has heard of managers by their notices: which are there, and what each demands."""

from collections.abc import Mapping

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.store.demands import DemandRow
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.protocol.codec import decode_notice
from caroni_edge.protocol.labels import are_labels, as_list
from caroni_edge.protocol.messages import JobFulfillmentRequest, Presence
from caroni_edge.protocol.topics import Request


class Heard(Part):
    """Keeps what managers say of themselves and of their demand; any of it may be late or lost."""

    def __init__(self, context: Context) -> None:
        """Keep what is heard in the store of `context`."""
        super().__init__(context.journal)
        self._store, self._in_force = context.store, context.in_force
        self._topics, self._chance = context.topics, context.chance
        self._types_changed = False

    def on_start(self, at: Moment) -> None:
        """Forget all: the broker tells at the connection which managers are there, and what they demand."""
        self._store.demands.clear()
        self._store.managers.clear()

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """Forget the demand that was heard before: while the connection was gone, nobody could take it back."""
        self._store.demands.clear()

    def on_presence(self, manager: str, presence: Presence | None) -> None:
        """Keep whether a manager is there, which nobody knows when its presence was cleared."""
        if presence is None:
            self._store.managers.unknown(manager)
        else:
            self._store.managers.seen(manager, online=presence.online)

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> bool:
        """Keep what a manager demands of a job type, in the place of what it demanded before.

        Returns:
            Whether it had a demand, and has none any more.
        """
        manager, job_type = topic.manager, topic.job_type
        if self._in_force.types.get(job_type) is None:
            return False
        where = f"{self._topics.root}/requests/{job_type}/{manager}"
        request = decode_notice(JobFulfillmentRequest, where, payload) if payload else None
        if request is None or not request.ready + request.waiting:
            return self._store.demands.end(manager, job_type)
        others = min(
            _bound_to_others(request, self._topics.node, self._in_force.settings.labels),
            request.ready + request.waiting,
        )
        due = self._offer_due(topic, request, at)
        counts = (request.serial, request.ready, request.waiting, others, request.priority)
        self._store.demands.say(DemandRow(manager, job_type, *counts, due))
        return False

    def _offer_due(self, topic: Request, request: JobFulfillmentRequest, at: Moment) -> float:
        """Return when to offer: for new demand, which all agents hear at once, after a random part of its `spread`.

        Not after a last offer that is open or brought jobs: who is at work on the demand is not held up.
        """
        before = self._store.demands.get(topic.manager, topic.job_type)
        if before and (before.serial == request.serial or before.offer_due > at.now):
            return before.offer_due
        if request.spread <= 0 or self._store.offers.status(topic.manager, topic.job_type) in {
            OfferState.OPEN,
            OfferState.ACCEPTED,
        }:
            return at.now
        return at.now + request.spread * self._chance.random()

    def reload(self) -> None:
        """Note that job types may have gone: this agent no longer subscribes to the demand for those."""
        self._types_changed = True

    def settle(self, at: Moment) -> None:
        """Forget the demand for job types that have gone."""
        if not self._types_changed:
            return
        self._types_changed = False
        for job_type in self._store.demands.types():
            if self._in_force.types.get(job_type) is None:
                self._store.demands.end_type(job_type)


def _bound_to_others(request: JobFulfillmentRequest, agent: str, labels: Mapping[str, str]) -> int:
    return sum(max(0, count) for who, count in request.only.items() if not _is_meant(who.split(","), agent, labels))


def _is_meant(who: list[str], agent: str, labels: Mapping[str, str]) -> bool:
    """Tell whether an agent is one of these, or has all of these labels."""
    return {*as_list(labels)}.issuperset(who) if are_labels(who) else agent in who
