"""Tells managers, when they reconcile, which objects are kept here for their workflows.

It is said in pieces, each of which is true when it is put: what is kept, or no more, later than that is said later.
"""

import logging
from math import inf

from caroni_edge.agent.peers.reconcile import LOOK_AGAIN_S, MESSAGES_AT_ONCE, WAITING_MAX
from caroni_edge.agent.store import Store
from caroni_edge.base.memory import Journal
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.node.reactor import Outbox
from caroni_edge.protocol.keeping import ObjectHere, ObjectsHere

log = logging.getLogger(__name__)

OBJECTS_AT_ONCE = 40
"""So many fit into what any broker lets through."""


class KeptObjects(Part):
    """Puts the pieces of answers into the outbox, a few at a time."""

    def __init__(self, store: Store, outbox: Outbox, journal: Journal) -> None:
        """Begin with the answers that are on their way, as `store` has them."""
        super().__init__(journal)
        self._store, self._outbox = store, outbox
        self._due = inf

    def settle(self, at: Moment) -> None:
        """Say the next pieces."""
        for manager, after in self._store.object_answers.open():
            self._say_to(manager, after)
        left = self._store.object_answers.open()
        is_held = all(self._is_held(answer.manager) for answer in left)
        self._due = inf if not left else at.now + LOOK_AGAIN_S if is_held else -inf

    def next_due(self) -> float:
        """Return when to go on: at once while there is more to say, and its manager takes it."""
        return self._due

    def _is_held(self, manager: str) -> bool:
        return self._outbox.waiting(manager) >= WAITING_MAX

    def _say_to(self, manager: str, after: str) -> None:
        for _ in range(MESSAGES_AT_ONCE):
            if self._is_held(manager):
                return
            workflow, _, name = after.partition(" ")
            found = self._store.objects.kept(manager, (workflow, name), OBJECTS_AT_ONCE)
            is_end = len(found) < OBJECTS_AT_ONCE
            objects = tuple(ObjectHere(workflow=each.workflow, object=each.object, size=each.size) for each in found)
            self._outbox.put(manager, ObjectsHere(objects=objects, first=not after, last=is_end))
            if is_end:
                self._store.object_answers.end(manager)
                log.info("a manager was told which objects are kept", extra={"action": "objects_said", "peer": manager})
                return
            after = f"{found[-1].workflow} {found[-1].object}"
            self._store.object_answers.said(manager, after)
