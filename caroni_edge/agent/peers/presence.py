"""What the agent says of itself in its presence notice, and when that must be said anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.fileroom import FileRoom
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.open import OpenOffers
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.resources import Resources
from caroni_edge.agent.store.turnedaway import TurnedAway
from caroni_edge.base.hosts import HOSTS_SAID_MAX, Host
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.protocol.jobtypes import JobTypeNotice

CHANGE_EVERY_S = 60.0
NEWCOMER_WITHIN_S = 2.0
"""A manager that has started is told within that time: some brokers withhold what is retained (docs/brokers.md). At a
random moment of it, so that not all agents speak at once."""


@dataclass(frozen=True, slots=True)
class _Facts:
    job_types: Mapping[str, JobTypeNotice] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)
    slots: int = 0
    backlog: int = 0
    pending: int = 0
    sandbox: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    staging: Mapping[str, str] = field(default_factory=dict)
    depot: str = ""


class PresenceSaid(Part):
    """Decides when presence is said: a change once a minute at most; more places, or what the owner does, at once."""

    def __init__(
        self,
        context: Context,
        refusals: Refusals,
        offers: OpenOffers,
        depth: Depth,
        resources: Resources,
        file_room: FileRoom,
        depot: Depot,
    ) -> None:
        """Look at what is in force, refused and taken, at what becomes of offers, how much is kept, and what waits."""
        super().__init__(context.journal)
        self._store, self._in_force, self._refusals, self._offers = context.store, context.in_force, refusals, offers
        self._depth, self._resources, self._file_room, self._chance = depth, resources, file_room, context.chance
        self._depot = depot
        # As of the last look, and what the node has been told, or will be when it asks.
        self._true = self._said = _Facts()
        self._is_changed = False  # the node has to be told, and has not asked yet
        self._due = -inf  # when the next change may be said
        self._newcomer_due = inf  # when all is said to a manager that has started
        self._unheard_due = -inf  # when all may be said to a manager that seems not to know us
        self._boots: MemoryDict[str, str] = MemoryDict(context.journal)  # the process last heard of each manager
        self._notices: Mapping[str, JobTypeNotice] = MappingProxyType({})
        self._noticed: object = None  # the job types that `_notices` was made of

    def on_start(self, at: Moment) -> None:
        """Look what there is to say: the node says it when it connects."""
        self._true = self._look()

    def heard_manager(self, manager: str, boot: str, at: Moment) -> None:
        """Say all again soon for a manager that has come, since some brokers withhold what was said meanwhile."""
        if self._boots.get(manager) != boot:
            self._boots[manager] = boot
            self._newcomer_due = min(self._newcomer_due, at.now + NEWCOMER_WITHIN_S * self._chance.random())

    def forget_manager(self, manager: str) -> None:
        """Forget a manager that is away: when it comes, it has not heard what is said meanwhile."""
        self._boots.pop(manager, None)

    def settle(self, at: Moment) -> None:
        """Look whether there is something new to say, and whether it may be said now."""
        before, self._true = self._true, self._look()
        self._note_refusals(before.refuses, at)
        if self._offers.take_unanswered():
            # Managers take no offer of an agent whose presence has not come, and notices may be lost.
            self._newcomer_due = min(self._newcomer_due, max(at.now, self._unheard_due))
            self._unheard_due = self._newcomer_due + CHANGE_EVERY_S
        if at.now >= self._newcomer_due:
            self._is_changed, self._newcomer_due = True, inf
        # A manager fills no place that it has not been told of.
        has_more = self._true.backlog > self._said.backlog or self._true.pending > self._said.pending
        if self._true != self._said and (has_more or at.now >= self._due):
            self._is_changed, self._said, self._due = True, self._true, at.now + CHANGE_EVERY_S

    def hurry(self) -> None:
        """Let the next change be said at once: the owner has made it."""
        self._due = -inf

    def next_due(self) -> float:
        """Return when something is to be said."""
        return min(self._newcomer_due, self._due if self._true != self._said else inf)

    def take_changed(self) -> bool:
        """Tell once whether all must be said anew."""
        changed, self._is_changed = self._is_changed, False
        return changed

    def facts(self) -> Mapping[str, object]:
        """Return what the presence says of job types, refusals and places; it counts as said now."""
        self._said = said = self._true
        places = {"slots": said.slots, "backlog": said.backlog, "pending": said.pending, "sandbox": said.sandbox}
        own = {
            "job_types": dict(said.job_types),
            "refuses": {**said.taken, **said.refuses},
            "labels": dict(said.labels),
            "staging": dict(said.staging),
            "depot": said.depot,
            "direct": self._in_force.settings.files.url or "",
            "hosts": _said(self._in_force.settings.files.hosts),
        }
        return {**own, **places}

    @property
    def refuses(self) -> Mapping[str, str]:
        """Return what is refused now, and why, as of the last batch; any thread may ask."""
        return {**self._true.taken, **self._true.refuses}

    @property
    def kept(self) -> tuple[int, int]:
        """Return how many jobs are kept, ready ones and others, as of the last batch; any thread may ask."""
        return self._true.backlog, self._true.pending

    def _note_refusals(self, before: Mapping[str, str], at: Moment) -> None:
        """Keep for people what is refused from now on."""
        for subject, reason in self._true.refuses.items():
            if before.get(subject) != reason:
                is_type = subject in self._in_force.types.loaded or subject in self._in_force.types.errors
                job_type = subject if is_type else ""
                manager = "" if is_type or subject == "*" else subject
                self._store.turned_away.add(TurnedAway(at.date, manager, "", job_type, "", "", reason))

    def _look(self) -> _Facts:
        types = self._in_force.types
        if types is not self._noticed:
            found = {name: types.get(name) for name in sorted(types.names())}
            notices = {
                name: JobTypeNotice(
                    inputs={key: kind.spec for key, kind in each.inputs.items()},
                    outputs={key: kind.spec for key, kind in each.outputs.items()},
                    repeat=each.repeat,
                    version=each.version,
                    secrets=tuple(sorted(each.secrets)),
                )
                for name, each in found.items()
                if each is not None
            }
            self._notices = MappingProxyType(notices)
            self._noticed = types
        slots = self._in_force.settings.slots
        return _Facts(
            self._notices,
            self._refusals.said(),
            self._resources.said(),
            slots,
            backlog=self._depth.backlog,
            pending=self._depth.pending,
            sandbox=self._in_force.sandbox,
            labels=self._in_force.settings.labels,
            staging=self._file_room.said(),
            depot=self._depot.said(),
        )


def _said(hosts: Sequence[Host]) -> tuple[str, ...] | None:
    """Return the hosts that files may be fetched from, as the presence says them; None where they are too many."""
    return tuple(each.written for each in hosts) if len(hosts) <= HOSTS_SAID_MAX else None
