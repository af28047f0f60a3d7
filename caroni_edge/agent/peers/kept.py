"""Tells managers, when they reconcile, which objects are kept here for their workflows.

It is said in pieces, each of which is true when it is put: what is kept, or no more, later than that is said later.
"""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.agent.peers.answering import Answering
from caroni_edge.agent.store.objectanswers import OpenObjectAnswer
from caroni_edge.protocol.keeping import ObjectHere, ObjectsHere

log = logging.getLogger(__name__)

OBJECTS_AT_ONCE = 40
"""So many fit into what any broker lets through."""


class KeptObjects(Answering[OpenObjectAnswer]):
    """Names the objects that are kept."""

    def __init__(self, context: Context) -> None:
        """Begin with the answers that are on their way, as the store of `context` has them."""
        super().__init__(context)
        self._store = context.store

    def open_answers(self) -> list[OpenObjectAnswer]:
        """Return the answers that are not complete."""
        return self._store.object_answers.open()

    def say_next(self, answer: OpenObjectAnswer) -> OpenObjectAnswer | None:
        """Name the next objects."""
        manager, after = answer
        workflow, _, name = after.partition(" ")
        found = self._store.objects.kept(manager, (workflow, name), OBJECTS_AT_ONCE)
        is_end = len(found) < OBJECTS_AT_ONCE
        objects = tuple(ObjectHere(workflow=each.workflow, object=each.object, size=each.size) for each in found)
        self._outbox.put(manager, ObjectsHere(objects=objects, first=not after, last=is_end))
        if is_end:
            self._store.object_answers.end(manager)
            log.info("a manager was told which objects are kept", extra={"action": "objects_said", "peer": manager})
            return None
        after = f"{found[-1].workflow} {found[-1].object}"
        self._store.object_answers.said(manager, after)
        return OpenObjectAnswer(manager, after)
