"""Says the demand of this manager: of each job type, how many steps wait for an agent to take them.

It is a retained notice (`JobFulfillmentRequest`), so it says a whole state, and may be said again at any time.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import msgspec

from caroni_edge.base.memory import MemoryDict, MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context, live_room
from caroni_edge.node.parts import Part
from caroni_edge.protocol.messages import JobFulfillmentRequest

EVERY_S = 0.1
"""Shortest time between two notices about a demand that changes; one that appears is said at once."""
AGAIN_S = 60.0
"""Time after which a demand that has not changed is said again."""
NEWCOMER_S = 1.0
"""The same, when an agent has come: some brokers do not give what is retained to a subscription with wildcards."""
COUNT_LIMIT = 1000
"""A greater demand is said as this one: nobody could take more at once, and counting further takes time."""
SAID_MAX = 10_000
"""Of so many job types is it said, when agents offer for them, that there is no demand."""
SPREAD_FROM_AGENTS, SPREAD_PER_AGENT_S, SPREAD_MAX_S = 20, 0.001, 5.0
"""With more agents than so many, a demand has them spread their offers over so long for each, and so long at most."""


class Counts(NamedTuple):
    """What a demand says beside its serial; fields as in `JobFulfillmentRequest`."""

    ready: int
    waiting: int
    only: dict[str, int]
    priority: int


class Demand(Part):
    """Counts and says the demand. What it remembers is what was said on the present connection."""

    def __init__(self, context: Context, count_serving: Callable[[str], int]) -> None:
        """Count steps in the store of `context`, and say the counts by its notices.

        Args:
            context: The context.
            count_serving: Tells how many agents serve a job type.
        """
        super().__init__(context.journal)
        self._count_serving = count_serving
        self._context, self._store = context, context.store
        self._said_at: MemoryDict[str, float] = MemoryDict(context.journal)
        self._nonempty: MemorySet[str] = MemorySet(context.journal)
        self._unheard: MemorySet[str] = MemorySet(context.journal)
        self._room = 0
        self._cut: MemorySet[str] = MemorySet(context.journal)

    def on_start(self, at: Moment) -> None:
        """Count the demand for all job types of unplaced steps."""
        self._context.dirty_job_types |= self._store.unplaced.job_types()

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """Say the demand for every job type that was ever met: the broker may have kept an old notice."""
        self._said_at.clear()
        self._nonempty.clear()
        self._context.dirty_job_types.update(self._store.demands.all())

    def say_to_newcomer(self, job_types: set[str]) -> None:
        """Say the demand for these job types again soon: an agent has come that may not have heard of it."""
        self._unheard |= job_types

    def settle(self, at: Moment) -> None:
        """Say each demand that may have changed, or was last said a while ago."""
        if (room := live_room(self._context)) != self._room:
            self._context.dirty_job_types |= self._cut
            self._room = room
        self._unheard &= self._nonempty
        again = {t for t in self._nonempty if at.now >= self._again_due(t)}
        for job_type in sorted(self._context.dirty_job_types | again):
            is_demanded = self._is_demanded(job_type, room)
            if not is_demanded and job_type not in self._said_at and len(self._said_at) >= SAID_MAX:
                self._context.dirty_job_types.discard(job_type)
                continue
            appears = is_demanded and job_type not in self._nonempty
            if not is_demanded:
                self._nonempty.discard(job_type)
            if appears or at.now >= self._said_at.get(job_type, -inf) + EVERY_S:
                self._context.dirty_job_types.discard(job_type)
                self._say(job_type, at, room if is_demanded else 0)

    def next_due(self) -> float:
        """Return when a demand is to be said because of the time alone; asked right after `settle`."""
        changed = min((self._said_at.get(t, -inf) + EVERY_S for t in self._context.dirty_job_types), default=inf)
        again = min((self._again_due(t) for t in self._nonempty), default=inf)
        return min(changed, again)

    def _again_due(self, job_type: str) -> float:
        return self._said_at[job_type] + (NEWCOMER_S if job_type in self._unheard else AGAIN_S)

    def _say(self, job_type: str, at: Moment, room: int) -> None:
        is_demanded = room > 0
        serial, said = self._store.demands.get(job_type)  # None: it counts as changed (`renew`)
        counts = self._count(job_type, room) if is_demanded else None
        content = b"" if counts is None else msgspec.json.encode(counts)
        again = job_type not in self._said_at or (is_demanded and at.now >= self._again_due(job_type))
        if is_demanded:
            self._nonempty.add(job_type)
        if content == said and not again:
            return
        if content != said:
            serial += 1
            self._store.demands.say(job_type, serial, content)
        self._said_at[job_type] = at.now
        self._unheard.discard(job_type)
        self._context.notices.say(
            self._context.topics.request(job_type), counts and self._request(job_type, serial, counts)
        )

    def _is_demanded(self, job_type: str, room: int) -> bool:
        """Tell whether a demand is to be said; note (`_cut`) where nothing but the lack of room forbids it."""
        is_demanded = self._store.unplaced.is_demanded(job_type)
        if room <= 0:
            self._note_cut(job_type, is_cut=is_demanded)
        return is_demanded and room > 0

    def _note_cut(self, job_type: str, *, is_cut: bool) -> None:
        """Remember the types of which more steps are unplaced than may be placed: that changes with the room."""
        (self._cut.add if is_cut else self._cut.discard)(job_type)

    def _count(self, job_type: str, room: int) -> Counts:
        unplaced = self._store.unplaced
        found = unplaced.count_bound(job_type, COUNT_LIMIT)
        free = [unplaced.count(job_type, waiting=waiting, limit=COUNT_LIMIT) for waiting in (False, True)]
        self._note_cut(job_type, is_cut=sum(free) + sum(ready + waiting for _, ready, waiting in found) > room)
        # Each kind is cut by itself: steps that only an agent may take which is away leave the room to the others.
        bound = {",".join(msgspec.json.decode(agents)): _cut(room, *counts) for agents, *counts in found}
        if trusted := self._context.settings.trusted.get(job_type):
            # Agents that are not trusted with the type must not offer for what they will not get.
            names = ",".join(trusted)
            bound[names] = _cut(room, *map(sum, zip(bound.get(names, (0, 0)), free, strict=True)))
            free = [0, 0]
        kinds = [_cut(room, *free), *bound.values()]
        return Counts(
            ready=sum(ready for ready, _ in kinds),
            waiting=sum(waiting for _, waiting in kinds),
            only={agents: ready + waiting for agents, (ready, waiting) in bound.items()},
            priority=unplaced.top_priority(job_type, COUNT_LIMIT),
        )

    def _request(self, job_type: str, serial: int, counts: Counts) -> JobFulfillmentRequest:
        agents = self._count_serving(job_type)
        spread_s = min(agents * SPREAD_PER_AGENT_S, SPREAD_MAX_S) if agents > SPREAD_FROM_AGENTS else 0.0
        return JobFulfillmentRequest(serial=serial, spread=spread_s, **counts._asdict())


def _cut(room: int, ready: int, waiting: int) -> tuple[int, int]:
    """Return how many of the ready steps, and how many of those whose data is not there, fit into the room."""
    ready = min(ready, room)
    return ready, min(waiting, room - ready)
