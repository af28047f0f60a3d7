"""Where the files of a workflow lie that are too large to travel inside values, and who takes a step therefore."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.sizes import size_of
from caroni_edge.manager.jobs.files import JobFiles, unlisted
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.carried import is_directory, objects_in
from caroni_edge.values.json import as_text
from caroni_edge.values.remote import remote_in


class Places:
    """Knows who has which object: the agent whose job has given it, or this manager, where it was uploaded."""

    def __init__(self, context: Context, files: JobFiles) -> None:
        """Keep places in the store of `context`; those who have some hear by `files` how it is opened to others."""
        self._context, self._store, self._files, self._own_place = context, context.store, files, context.own_place

    def note(self, workflow: int, outputs: Mapping[str, Any], agent: str, copies: int | None) -> None:
        """Note that an agent has the objects among the outputs of a job, and how many places they are to have.

        Args:
            workflow: Of the job.
            outputs: Of the job.
            agent: Who has it.
            copies: What the template says; None for nothing.
        """
        names = objects_in(outputs)
        for name, value in names.items():
            self._store.places.add(workflow, name, agent, size_of(value), is_directory=is_directory(value))
        if names:
            self._files.know(agent)
            self.want_copies(workflow, names, copies, is_leaving=agent in self._store.agents.draining())

    def want_copies(
        self, workflow: int, names: Iterable[ObjectId], copies: int | None, *, is_leaving: bool = False
    ) -> None:
        """Let objects have so many places, where that is more than the one that they have and that may be leaving."""
        copies = self._context.settings.copies if copies is None else copies
        if copies > 1 or is_leaving:
            for name in names:
                self._store.wanted_places.want(workflow, name, copies)

    def agents(self, workflow: int, job_type: str, inputs: Mapping[str, Any], bound: Sequence[str]) -> tuple[str, ...]:
        """Return the agents that may take a step with these inputs; none for any agent.

        Bytes go nowhere without need: where agents that may take the step have all of its files and its job type, they
        alone are asked, unless they drain, may not fetch those that lie at addresses, or are away and others have the
        files too: depots, this manager, or agents that are there. Otherwise the files go to whoever takes it.

        Args:
            workflow: Of the step.
            job_type: Of the step.
            inputs: Of the step.
            bound: The agents that the template names, or the labels that one must have; none for any.
        """
        able: set[str] | None = None
        places = list[list[str]]()
        for name in objects_in(inputs):
            here = self._store.places.of(workflow, name)
            if not here:
                self._context.lacking.add(workflow)
            agents = {*here} - {self._own_place}
            able = agents if able is None else able & agents
            places.append(here)
        if not able:
            return tuple(bound)
        able -= {*self._store.agents.draining()}
        remote = [*remote_in(inputs)]
        fitting = [each for each in sorted(able) if self._fits(each, job_type, bound, remote)]
        if not any(map(self._store.agents.may_be_there, fitting)) and all(map(self._is_elsewhere, places)):
            return tuple(bound)
        return tuple(fitting) or tuple(bound)

    def _is_elsewhere(self, places: Sequence[str]) -> bool:
        """Tell whether a file can be had without those who are away: it may be their depot's turn to be there later."""
        depots = self._context.settings.depots
        return any(each == self._own_place or each in depots or self._store.agents.is_online(each) for each in places)

    def asked(self, step: StepRow, bound: Sequence[str]) -> str | None:
        """Return the agents that are asked for an unplaced step, as its files lie now; None for all.

        Args:
            step: The step.
            bound: What the template says of its agents.
        """
        if any("$" in each for each in bound):  # what an expression gave, is in the step
            bound = msgspec.json.decode(step.agents or "[]")
        agents = self.agents(step.workflow, step.job_type, msgspec.json.decode(step.inputs), bound)
        return as_text(agents) if agents else None

    def _fits(self, agent: str, job_type: str, bound: Sequence[str], remote: Sequence[Mapping[str, Any]]) -> bool:
        if not self._store.agents.may_hold(agent, job_type):
            return False
        if unlisted(remote, self._store.agents.hosts(agent)):
            return False
        if not bound or not are_labels(bound):
            return not bound or agent in bound
        return {*msgspec.json.decode(self._store.agents.labels(agent))}.issuperset(bound)
