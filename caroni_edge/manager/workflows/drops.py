"""Says which large files of a workflow nobody needs any more, to agents above all (docs/files.md)."""

from collections.abc import Iterable, Mapping
from typing import Any

from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.holding.sizes import size_of
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.values.carried import is_directory, objects_in

BUT_MAX = 100
"""So many objects that are to stay are named in one message: any broker lets it through."""
SPEAKS_OF_OBJECTS = 2
"""Who speaks an older version of the messages, and has given no object, has none."""

NEEDS_OUTPUTS_ONLY = (WorkflowState.COMPLETED, WorkflowState.CANCELLED)
"""What has ended like this no `retry` goes on with: of its files those that are outputs are needed, and no others."""


class Drops:
    """Decides what agents need not keep, strikes it here, and says so in the same transaction."""

    def __init__(self, context: Context, holdings: Holdings) -> None:
        """Know places by the store of `context`; what lies here belongs to `holdings`."""
        self._context, self._store, self._holdings = context, context.store, holdings

    def on_end(self, row: WorkflowRow, outputs: Mapping[str, Any], *, keeps_all: bool = False) -> None:
        """Keep nothing of a workflow that has completed, or was cancelled, but what its outputs name, if not all."""
        if keeps_all or not self._store.places.of_workflow(row.seq):
            return
        self._context.lacking.add(row.seq)
        self._keep_only(row, objects_in(outputs))

    def on_delete(self, row: WorkflowRow) -> None:
        """Keep nothing of a workflow that is deleted in this transaction."""
        if self._store.places.of_workflow(row.seq):
            self._keep_only(row, ())

    def _keep_only(self, row: WorkflowRow, needed: Iterable[ObjectId]) -> None:
        names = [*needed]
        self._store.wanted_places.keep_only(row.seq, names)
        self._store.places.keep_only(row.seq, names)
        self._say(row)

    def on_late(self, row: WorkflowRow, outputs: Mapping[str, Any], agent: str) -> None:
        """Note what a job has given whose result nobody takes: its agent keeps that, until this manager drops it."""
        names = objects_in(outputs)
        if not names:
            return
        if row.status in NEEDS_OUTPUTS_ONLY:
            self.say_to(row, agent)
            return
        for name, value in names.items():
            self._store.places.add(row.seq, name, agent, size_of(value), is_directory=is_directory(value))
        self._context.lacking.add(row.seq)

    def say_to(self, row: WorkflowRow, agent: str) -> None:
        """Have an agent keep of a workflow what lies there as far as is known here, and nothing else."""
        kept = [each.object for each in self._store.places.of_workflow(row.seq) if each.agent == agent]
        self._put(row.id, agent, kept)

    def unknown(self, workflow: str, agent: str) -> None:
        """Have an agent keep nothing of a workflow that is not known here."""
        self._put(workflow, agent, ())

    def _say(self, row: WorkflowRow) -> None:
        """Say to all that were given jobs of a workflow, or files to keep, what they keep of it from now on."""
        kept: dict[str, list[ObjectId]] = {agent: [] for agent in self._store.places.agents(row.seq)}
        for place in self._store.places.of_workflow(row.seq):
            kept.setdefault(place.agent, []).append(place.object)
        self._holdings.drop(row.id, kept.pop(self._context.own_place, ()))
        for agent, names in sorted(kept.items()):
            if names or self._speaks_of_objects(agent):
                self._put(row.id, agent, names)

    def _speaks_of_objects(self, agent: str) -> bool:
        """Tell whether an agent understands what is said of objects: by its presence, or by its link, once asked."""
        return max(self._store.agents.speaks(agent), self._context.outbox.speaks(agent)) >= SPEAKS_OF_OBJECTS

    def _put(self, workflow: str, agent: str, kept: Iterable[ObjectId]) -> None:
        left, after = sorted(kept), None
        while len(left) > BUT_MAX:
            but, left = left[:BUT_MAX], left[BUT_MAX:]
            said = ObjectsDrop(workflow=workflow, after=after, upto=but[-1], but=tuple(but))
            self._context.outbox.put(agent, said)
            after = but[-1]
        self._context.outbox.put(agent, ObjectsDrop(workflow=workflow, after=after, but=tuple(left)))
