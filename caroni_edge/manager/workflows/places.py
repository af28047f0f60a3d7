"""Where the files of a workflow lie that are too large to travel inside values, and who takes a step therefore."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.sizes import size_of
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import as_text


class Places:
    """Knows who has which object: the agent whose job has given it, or this manager, where it was uploaded."""

    def __init__(self, context: Context, files: JobFiles) -> None:
        """Keep places in the store of `context`; those who have some hear by `files` how it is opened to others."""
        self._context, self._store, self._files, self._own_place = context, context.store, files, context.own_place

    def note(self, workflow: int, outputs: Mapping[str, Any], agent: str) -> None:
        """Note that an agent has the objects among the outputs of a job."""
        names = objects_in(outputs)
        for name, value in names.items():
            self._store.places.add(workflow, name, agent, size_of(value))
        if names:
            self._files.know(agent)

    def agents(self, workflow: int, job_type: str, inputs: Mapping[str, Any], bound: Sequence[str]) -> tuple[str, ...]:
        """Return the agents that may take a step with these inputs; none for any agent.

        Bytes go nowhere without need: where agents that may take the step have all of its files and its job type, they
        alone are asked. Otherwise the files go to whoever takes it.

        Args:
            workflow: Of the step.
            job_type: Of the step.
            inputs: Of the step.
            bound: The agents that the template names, or the labels that one must have; none for any.
        """
        able: set[str] | None = None
        for name in objects_in(inputs):
            here = self._store.places.of(workflow, name)
            if not here:
                self._context.lacking.add(workflow)
            agents = {*here} - {self._own_place}
            able = agents if able is None else able & agents
        if not able:
            return tuple(bound)
        fitting = [each for each in sorted(able) if self._fits(each, job_type, bound)]
        return tuple(fitting) or tuple(bound)

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

    def _fits(self, agent: str, job_type: str, bound: Sequence[str]) -> bool:
        if not self._store.agents.may_hold(agent, job_type):
            return False
        if not bound or not are_labels(bound):
            return not bound or agent in bound
        return {*msgspec.json.decode(self._store.agents.labels(agent))}.issuperset(bound)
