"""What agents say of the large files that they keep: which they have, and which they have lost."""

import logging
from collections.abc import Iterable, Sequence

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED
from caroni_edge.manager.store.places import LostObject
from caroni_edge.manager.workflows.drops import NEEDS_OUTPUTS_ONLY
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.keeping import ObjectHere, ObjectsGone, ObjectsHere

log = logging.getLogger(__name__)


class AgentObjects:
    """Keeps places true to what agents say, and tells who waits for a file that is somewhere else now."""

    def __init__(self, context: Context, engine: Engine, holdings: Holdings, orders: Orders) -> None:
        """Keep places in the store of `context`, and say them by `orders`; what lies here belongs to `holdings`."""
        self._context, self._store, self._drops, self._orders = context, context.store, engine.drops, orders
        self._holdings, self._own_place = holdings, context.own_place

    def on_gone(self, agent: str, message: ObjectsGone, at: Moment) -> None:
        """An agent has lost objects: it found them damaged, or not there."""
        for name in message.objects:
            self._lost(agent, self._store.places.strike(agent, ObjectId(name)))

    def on_lost_here(self, names: Iterable[ObjectId], at: Moment) -> None:
        """The manager itself has lost objects, or they are damaged."""
        found = [*names]
        directories = (each for name in found for each in self._store.objects.directories_with(name))
        lost = [*dict.fromkeys([*found, *directories])]  # a directory goes with any of its files
        self._holdings.forget(lost)
        for name in lost:
            self._lost(self._own_place, self._store.places.strike(self._own_place, name))

    def on_here(self, agent: str, message: ObjectsHere, at: Moment) -> None:
        """An agent says all that it keeps for us: what it does not name it has lost, and some of it we do not need."""
        if message.first:
            self._store.places.doubt(agent)
        named: dict[str, list[ObjectHere]] = {}
        for here in message.objects:
            named.setdefault(here.workflow, []).append(here)
        for workflow, objects in named.items():
            self._has(agent, workflow, [ObjectId(each.object) for each in objects])
        if message.last:
            self._lost(agent, self._store.places.strike_doubted(agent))
            self._store.places.unask(agent)  # whatever it was asked to fetch, it is asked again

    def _has(self, agent: str, workflow: str, names: Sequence[ObjectId]) -> None:
        row = self._store.workflows.by_id(workflow)
        if row is None:
            self._drops.unknown(workflow, agent)
            return
        known = [name for name in names if self._store.places.is_known(row.seq, name)]
        for name in known:
            self._store.places.add(row.seq, name, agent)
        self._context.lacking.add(row.seq)
        if row.status in NEEDS_OUTPUTS_ONLY and len(known) < len(names):
            self._drops.say_to(row, agent)

    def _lost(self, agent: str, lost: Iterable[LostObject]) -> None:
        """Have it looked whether a step needs what is nowhere any more; say to those that fetch it who has it now."""
        for workflow, name in lost:
            row = self._store.workflows.by_seq(workflow)
            facts = {"action": "place_lost", "peer": agent, "workflow": row.id}
            log.error("%s has lost %s", agent, name, extra=facts)
            if row.status in ENDED:
                continue
            self._context.lacking.add(workflow)
            self._orders.say_places(row, name)
