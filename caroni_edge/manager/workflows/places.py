"""Where the files of a workflow lie that are too large to travel inside values, and who can take a step therefore."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from caroni_edge.manager.store import Store
from caroni_edge.manager.workflows.inputs import Unfit
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import shown

_NOT_MOVED = "files over 16 KiB do not go from host to host yet"


def called(name: str, value: Mapping[str, Any]) -> str:
    """Return how people hear of a file that is an object."""
    return f"the file {shown(value.get('basename', name))} ({value.get('size')} bytes)"


class Places:
    """Knows which agent has which object: the one whose job has given it."""

    def __init__(self, store: Store) -> None:
        """Keep places in `store`."""
        self._store = store

    def note(self, workflow: int, outputs: Mapping[str, Any], agent: str) -> None:
        """Note that an agent has the objects among the outputs of a job."""
        for name in objects_in(outputs):
            self._store.places.add(workflow, name, agent)

    def agents(self, workflow: int, inputs: Mapping[str, Any], bound: Sequence[str]) -> tuple[str, ...]:
        """Return the agents that may take a step with these inputs; none for any agent.

        Args:
            workflow: Of the step.
            inputs: Of the step.
            bound: The agents that the template names, or the labels that one must have; none for any.

        Raises:
            Unfit: No agent has all files, or none that may take the step.
        """
        labels = tuple(bound) if are_labels(bound) else ()
        able, so_far = () if labels else tuple(bound), ""
        for name, value in objects_in(inputs).items():
            file = called(name, value)
            here = self._store.places.of(workflow, name)
            if not here:
                raise Unfit(f"no agent has {file} any more")
            fitting = [each for each in here if not labels or self._has(each, labels)]
            if not fitting:
                asked_for = f"it asks for an agent with the labels {', '.join(labels)}"
                raise Unfit(f"{asked_for}, and {file} lies on {' and '.join(here)}: {_NOT_MOVED}")
            both = tuple(each for each in fitting if each in able) if able else tuple(fitting)
            if not both:
                reason = so_far or f"it is bound to {' or '.join(able)}"
                raise Unfit(f"{reason}, and {file} lies on {' and '.join(here)}: {_NOT_MOVED}")
            able, so_far = both, f"{file} lies on {' and '.join(here)}"
        return able or labels

    def _has(self, agent: str, labels: Sequence[str]) -> bool:
        return {*msgspec.json.decode(self._store.agents.labels(agent))}.issuperset(labels)
