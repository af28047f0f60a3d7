"""What is shown of the large files of a manager's workflows: where they lie, and what waits for them."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from caroni_edge.manager.pages.lists import WorkflowLists
from caroni_edge.manager.store.agents import NamedDepot
from caroni_edge.manager.store.brought import BroughtRow
from caroni_edge.manager.store.looks import LookRow
from caroni_edge.manager.store.places import HolderRow
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.manager.workflows.outputs import OF_THE_WORKFLOW
from caroni_edge.objects.objects import ObjectId
from caroni_edge.objects.store.rows import StoredObject
from caroni_edge.values.carried import misfit_of, objects_in
from caroni_edge.values.files import FileType
from caroni_edge.values.large import CARONI
from caroni_edge.values.remote import remote_in


class FileAt(NamedTuple):
    """A large file as a value has it, and the agents that have it."""

    value: dict[str, Any]
    agents: list[str]


class LackingCopies(NamedTuple):
    """A large file that is to lie on more hosts than it does.

    Attributes:
        value: Of the file, as far as it is known.
        step: Which has given it; None for an input of the workflow.
        copies: On so many hosts it is to lie.
        holders: Who has it, is asked to fetch it, or has refused it.
        draining: Those who have it, and drain: they do not count.
    """

    object: ObjectId
    value: dict[str, Any]
    step: str | None
    copies: int
    holders: list[HolderRow]
    draining: list[str]

    @property
    def having(self) -> list[str]:
        """Those who have it, and count."""
        return [each.agent for each in self.holders if each.held > 0 and each.agent not in self.draining]


class FileViews(WorkflowLists):
    """Reads what is shown of large files."""

    def files_of(self, step: ShownStep) -> list[FileAt]:
        """Return the large files that a step was given, each with the agents that have it."""
        row = self._store.steps.by_id(step.id)
        found = objects_in(msgspec.json.decode(row.inputs))
        return [FileAt(value, self._store.places.of(row.workflow, name)) for name, value in found.items()]

    def looks_of(self, step: ShownStep) -> list[tuple[LookRow, list[str]]]:
        """Return what must be looked inside for a step, with who has it; what has not come is first."""
        return self._looks(self._store.steps.by_id(step.id).workflow, step.id)

    def looks_of_outputs(self, row: ShownWorkflow) -> list[tuple[LookRow, list[str]]]:
        """Return what must be looked inside for the outputs of a workflow, as `looks_of` does."""
        return self._looks(row.seq, OF_THE_WORKFLOW)

    def looks_again(self, row: ShownWorkflow) -> list[tuple[LookRow, list[str]]]:
        """Return what must be looked inside to make again what steps have completed with, as `looks_of` does."""
        return self._with_holders(self._store.looks.of_completed(row.seq))

    def _looks(self, workflow: int, step: int) -> list[tuple[LookRow, list[str]]]:
        return self._with_holders(self._store.looks.of(workflow, step))

    def _with_holders(self, looks: list[LookRow]) -> list[tuple[LookRow, list[str]]]:
        looks = sorted(looks, key=lambda look: not look.waits)
        return [(each, self._store.places.of(each.workflow, each.object)) for each in looks]

    def remote_of(self, step: ShownStep) -> list[dict[str, Any]]:
        """Return the files that a step was given and that lie at addresses."""
        found = remote_in(msgspec.json.decode(self._store.steps.by_id(step.id).inputs))
        return [each for each in found if misfit_of(FileType("File"), each, remote=True) is None]

    def brought(self, row: ShownWorkflow, limit: int) -> tuple[list[BroughtRow], int]:
        """Return the first files that a held workflow waits for since they are brought, and how many they all are."""
        return self._store.brought.of(row.seq, limit), self._store.brought.count(row.seq)

    def stored(self, name: ObjectId) -> StoredObject | None:
        """Return an object that lies at this manager; None where it does not."""
        return self._store.objects.found(name)

    def file_at(self, name: ObjectId) -> tuple[int, list[str]]:
        """Return how large a file of some workflow is, and the agents that have it; none where none has."""
        found = self._store.places.anywhere(name)
        if found is None:
            return 0, []
        return found.size or 0, [each for each in self._store.places.of(found.workflow, name) if "/" not in each]

    def depots(self, named: Collection[str]) -> list[NamedDepot]:
        """Return what is known of the agents of these names as depots."""
        return self._store.agents.depots(named)

    def lacking_copies(
        self, row: ShownWorkflow, depots: Collection[str], limit: int, among: Collection[ObjectId] | None = None
    ) -> list[LackingCopies]:
        """Return files of a workflow that lie on fewer hosts than they are to.

        Args:
            row: The workflow.
            depots: The agents that the configuration names as depots.
            limit: How many at most.
            among: Only these files; None for all.
        """
        if among is None:
            asked = self._store.wanted_places.lacking(row.seq, limit)
            among = dict.fromkeys([*asked, *self._store.places.coming(row.seq, depots, limit)])
        draining = {*self._store.agents.draining()}
        found: list[LackingCopies] = []
        for name in among:
            copies, holders = self._store.wanted_places.copies(row.seq, name), self._store.places.holders(row.seq, name)
            having = [each.agent for each in holders if each.held > 0]
            leaving = [agent for agent in having if agent in draining]
            if having and len(having) - len(leaving) < copies and len(found) < limit:
                value, step = self._object_of(row, name, holders)
                found.append(LackingCopies(name, value, step, copies, holders, leaving))
        return found

    def _object_of(
        self, row: ShownWorkflow, name: ObjectId, holders: Sequence[HolderRow]
    ) -> tuple[dict[str, Any], str | None]:
        """Return the value of an object of a workflow, and which step has given it."""
        gave = self._store.remakes.gave(row.seq, name)
        value = row.inputs if gave is None else self._store.remakes.outputs(gave.id)
        known = next((each for each in holders if each.size is not None), None)
        unnamed = {"class": "Directory" if known and known.is_directory else "File", "size": known and known.size}
        if gave is None and known and known.size is not None and not known.is_directory:
            # The manager has made it of lists.
            unnamed = {"location": f"{CARONI}{name}", "size": known.size, "type": "Any"}
        return objects_in(msgspec.json.decode(value)).get(name, unnamed), gave.path if gave else None
