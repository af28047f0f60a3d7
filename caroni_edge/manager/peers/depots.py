"""Has agents keep the objects of workflows that jobs elsewhere have given: as many as are wanted, on depots."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import NamedTuple

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED
from caroni_edge.manager.store.agents import NamedDepot
from caroni_edge.manager.store.places import ASKED, HolderRow, LostObject
from caroni_edge.manager.store.wantedplaces import WantedPlaces
from caroni_edge.manager.workflows.drops import NEEDS_OUTPUTS_ONLY, Drops
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.depots import (
    KEPT_AT_ONCE,
    OPEN,
    SPEAKS_OF_DEPOTS,
    ObjectsHeld,
    ObjectsKeep,
    ObjectsRefused,
    ObjectToKeep,
)
from caroni_edge.protocol.objects import PLACES_MAX

log = logging.getLogger(__name__)

LOOKED_AT_ONCE = 100
LOOK_AGAIN_S = 300.0
"""So often it is looked whether somebody may keep what nobody could, or would, before."""
NOTHING = LostObject(0, ObjectId(""))


class _Ask(NamedTuple):
    """Whom to ask for objects that lie at the same places."""

    depot: str
    workflow: int
    holders: tuple[str, ...]


class Depots(Part):
    """Asks depots for objects that are to have more places, and for those that only agents have which drain.

    A depot is an agent whose owner lets it be one *and* that the manager's configuration names. What it is asked for is
    no place before it has said that it holds it.
    """

    def __init__(self, context: Context, orders: Orders, drops: Drops) -> None:
        """Keep places in the store of `context`; who waits for a file hears by `orders` of a new place of it."""
        super().__init__(context.journal)
        self._context, self._store, self._orders, self._drops = context, context.store, orders, drops
        self._leaving: MemoryDict[str, LostObject] = MemoryDict(context.journal)  # who drains, and how far we looked
        self._is_again, self._has_more = True, False
        self._again_due = -inf

    def on_start(self, at: Moment) -> None:
        """Look at the agents that drain: what came meanwhile lies there alone."""
        self.reload()

    def reload(self) -> None:
        """Look at once: other agents may be named as depots."""
        self._again_due = -inf
        self._leaving.update((agent, NOTHING) for agent in self._store.agents.draining())

    # What agents say

    @contextmanager
    def compared(self, agent: str) -> Iterator[None]:
        """Compare an agent before its presence is taken with what it is then."""
        before = self._state_of(agent)
        yield
        self._on_presence(agent, before)

    def _state_of(self, agent: str) -> NamedDepot | None:
        return next(iter(self._store.agents.depots([agent])), None)

    def _on_presence(self, agent: str, before: NamedDepot | None) -> None:
        """Look again at what lacks a place when a depot takes more, and at what lies at an agent that drains now."""
        now = self._state_of(agent)
        if now is None:
            return
        if now.drains and not (before and before.drains):
            self._leaving[agent] = NOTHING
        if agent in self._context.settings.depots and _takes(now) and not (before and _takes(before)):
            self._again_due = -inf

    def on_held(self, agent: str, message: ObjectsHeld, at: Moment) -> None:
        """An agent has what it was asked to keep."""
        row = self._store.workflows.by_id(message.workflow)
        if row is None:
            self._drops.unknown(message.workflow, agent)
            return
        names = [ObjectId(name) for name in message.objects]
        taken = [name for name in names if self._held(row.seq, name, agent) == ASKED]
        for name in taken:
            self._store.places.add(row.seq, name, agent)
            # Of what was named again more may be wanted, now that it has one.
            self._store.wanted_places.want(row.seq, name, 1)
            if row.status not in ENDED:
                self._orders.say_places(row, name)
        if taken:
            self._orders.files.know(agent)
            self._context.bind_anew([row.seq])
        elif row.status in NEEDS_OUTPUTS_ONLY:
            self._drops.say_to(row, agent)

    def on_refused(self, agent: str, message: ObjectsRefused, at: Moment) -> None:
        """An agent does not get what it was asked to keep, from a place; or it does not keep it."""
        row = self._store.workflows.by_id(message.workflow)
        if row is None:
            self._drops.unknown(message.workflow, agent)
            return
        facts = {"action": "keep_refused", "peer": agent, "workflow": row.id}
        log.warning("%s keeps no %s: %s", agent, " and ".join(message.objects), message.reason, extra=facts)
        for name in map(ObjectId, message.objects):
            if self._held(row.seq, name, agent) != ASKED:
                continue
            holder = (message.place or "").removeprefix("agents/")
            if message.place is None:
                self._store.places.refused(row.seq, name, agent, message.reason)
                self._context.lacking.add(row.seq)
            elif message.reason == "ticket":
                self._orders.files.say_again(holder, at)
                self._store.places.unask_one(row.seq, name, agent)
            else:
                self._orders.files.have_checked(row.seq, holder, name, at)

    def _held(self, workflow: int, name: ObjectId, agent: str) -> int | None:
        return next((each.held for each in self._store.places.holders(workflow, name) if each.agent == agent), None)

    # What is to have more places

    def settle(self, at: Moment) -> None:
        """Look at what may lack places, a bounded number of objects at a time."""
        if not self._context.settings.depots:
            self._leaving.clear()
        for agent, after in [*self._leaving.items()]:
            self._look_at_leaving(agent, after)
        if at.now >= self._again_due:
            self._is_again = True
            self._again_due = at.now + LOOK_AGAIN_S
            if any(map(_takes, self._depots())):
                self._store.wanted_places.look_again()
        due = self._store.wanted_places.due(LOOKED_AT_ONCE)
        if due:
            self._look(due)
        self._has_more = len(due) == LOOKED_AT_ONCE
        if self._has_more or not (due or self._is_again):
            return
        self._is_again = False
        is_any = bool(self._context.settings.depots) and self._store.wanted_places.any_lacking()
        self._again_due = min(self._again_due, at.now + LOOK_AGAIN_S) if is_any else inf

    def next_due(self) -> float:
        """Return that there is more to look at, or when to look again."""
        return -inf if self._leaving or self._has_more else self._again_due

    def _look_at_leaving(self, agent: str, after: LostObject) -> None:
        """Want another place of what lies only at an agent that drains, and let its steps go elsewhere."""
        found = self._store.places.only_at(agent, after, LOOKED_AT_ONCE)
        for each in found:
            self._store.wanted_places.want(each.workflow, each.object, 1)
        self._context.bind_anew(each.workflow for each in found)
        if len(found) < LOOKED_AT_ONCE:
            del self._leaving[agent]
        else:
            self._leaving[agent] = found[-1]

    def _depots(self) -> list[NamedDepot]:
        return self._store.agents.depots(self._context.settings.depots)

    def _look(self, due: Sequence[WantedPlaces]) -> None:
        draining, depots = {*self._store.agents.draining()}, self._depots()
        asks: dict[_Ask, list[ObjectToKeep]] = {}
        for wanted in due:
            holders = self._store.places.holders(wanted.workflow, wanted.object)
            if not any(each.held > 0 for each in holders):
                self._ask_elsewhere(wanted, holders, asks)
                continue
            chosen, lacks = self._choose(wanted, holders, draining, depots)
            having = tuple(each.agent for each in holders if each.held > 0)[:PLACES_MAX]
            for depot in chosen:
                asks.setdefault(_Ask(depot, wanted.workflow, having), []).append(_to_keep(wanted.object, holders))
                self._store.places.ask(wanted.workflow, wanted.object, depot)
            self._store.wanted_places.looked(wanted.workflow, wanted.object, lacks)
        for ask, objects in asks.items():
            self._say(ask, objects)

    def _ask_elsewhere(
        self, wanted: WantedPlaces, known: Sequence[HolderRow], asks: dict[_Ask, list[ObjectToKeep]]
    ) -> None:
        """Have those keep an object for a workflow which nobody has for it, who have it for another one."""
        found = self._store.places.anywhere(wanted.object)
        holders = self._store.places.holders(found.workflow, wanted.object) if found else []
        asked = {each.agent for each in known}
        for each in holders if _is_known(holders) else ():
            is_new = each.held > 0 and each.agent not in asked and each.agent != self._context.own_place
            if is_new and self._store.agents.speaks(each.agent) >= SPEAKS_OF_DEPOTS:
                to_keep = _to_keep(wanted.object, holders)
                asks.setdefault(_Ask(each.agent, wanted.workflow, ()), []).append(to_keep)
                self._store.places.ask(wanted.workflow, wanted.object, each.agent)
        self._store.wanted_places.looked(wanted.workflow, wanted.object, wanted.copies)

    def _choose(
        self,
        wanted: WantedPlaces,
        holders: Sequence[HolderRow],
        draining: Iterable[str],
        depots: Sequence[NamedDepot],
    ) -> tuple[list[str], int]:
        """Return whom to ask for an object, and for how many places nobody can be asked."""
        known = {each.agent: each.held for each in holders}
        taking = [each for each in depots if _takes(each)]
        having = sum(held > 0 and agent not in draining for agent, held in known.items())
        asked = sum(known.get(each.agent) == ASKED for each in taking)
        lacks = max(0, wanted.copies - having - asked)
        if not _is_known(holders):
            return [], lacks
        free = [
            each for each in taking if known.get(each.agent, 0) == 0 and (self._is_again or each.agent not in known)
        ]
        free.sort(key=lambda each: (each.agent in known, not each.online, _digest(wanted.object, each.agent)))
        chosen = [each.agent for each in free[:lacks]]
        return chosen, lacks - len(chosen)

    def _say(self, ask: _Ask, objects: Sequence[ObjectToKeep]) -> None:
        workflow = self._store.workflows.by_seq(ask.workflow).id
        places = self._orders.files.opened(ask.holders, workflow, ask.depot)
        for first in range(0, len(objects), KEPT_AT_ONCE):
            some = tuple(objects[first : first + KEPT_AT_ONCE])
            self._context.outbox.put(ask.depot, ObjectsKeep(workflow=workflow, objects=some, places=places))


def _takes(depot: NamedDepot) -> bool:
    """Tell whether a depot may be asked for more."""
    return depot.depot == OPEN and depot.speaks >= SPEAKS_OF_DEPOTS and not depot.drains


def _is_known(holders: Iterable[HolderRow]) -> bool:
    """Tell whether it is known what an object is; where an older release has noted its places, it may not be."""
    return any(each.size is not None and each.is_directory is not None for each in holders)


def _to_keep(name: ObjectId, holders: Iterable[HolderRow]) -> ObjectToKeep:
    """Return what is asked for of an object that is known."""
    size = max(each.size or 0 for each in holders)
    return ObjectToKeep(object=name, size=size, directory=any(each.is_directory for each in holders))


def _digest(name: ObjectId, agent: str) -> str:
    """Return by what depots are ordered for an object, so that objects are spread among them."""
    return hashlib.sha256(f"{name} {agent}".encode()).hexdigest()
