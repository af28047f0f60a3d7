"""Gates: how much of a workflow is begun at a time. A template asks for one by the hint `caroni:Limit`.

A step that is ready goes through all of its gates, its own first, then those of the workflows around it; it counts in
each until it has ended, through all of its attempts. A step that finds a gate full waits there.
"""

from collections.abc import Iterator

from caroni_edge.manager.store import Store
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.templates.plan import Plan

GatesOfStep = tuple[tuple[str, int], ...]
"""Key of each gate of a step, and how many steps may be inside it at a time; in the order in which it is entered."""


def gates_of(plan: Plan, name: str) -> GatesOfStep:
    """Return the gates of a step of a plan.

    Those of the workflows around it count jobs only, so a step that runs a workflow has none but its own.

    Args:
        plan: The plan.
        name: The names on the way to the step, as in `outer/inner`.
    """
    step = plan.step_at(name)
    own = ((name, step.parallel),) if step.parallel is not None else ()
    return own if step.workflow else (*own, *_around(plan, name))


def _around(plan: Plan, name: str) -> Iterator[tuple[str, int]]:
    outer, _, _ = name.rpartition("/")
    parallel = plan.workflow_at(outer).parallel
    if parallel is not None:
        yield f"{outer}/", parallel
    if outer:
        yield from _around(plan, outer)


class Admission:
    """Lets steps through their gates, and counts how many are inside."""

    def __init__(self, store: Store) -> None:
        """Keep what is inside in `store`."""
        self._store = store

    def enter(self, step: StepRow, gates: GatesOfStep) -> bool:
        """Let a step through its gates as far as there is room; return whether it has passed them all.

        Otherwise it waits at the first that is full, and goes on from there when `admitted` names it.
        """
        for passed, (key, parallel) in list(enumerate(gates))[step.gates_passed :]:
            gate = self._store.gates.know(step.workflow, key, parallel)
            if gate.inside >= gate.parallel:
                self._store.steps.wait_at(step.id, gate.id, passed)
                return False
            self._store.gates.add_inside(gate.id, 1)
        if gates:
            self._store.steps.wait_at(step.id, None, len(gates))
        return True

    def leave(self, step: StepRow, gates: GatesOfStep) -> None:
        """Let a step that has ended out of all gates that it had passed."""
        for key, parallel in gates[: step.gates_passed]:
            self._store.gates.add_inside(self._store.gates.know(step.workflow, key, parallel).id, -1)

    def admitted(self, workflow: int, gates: GatesOfStep) -> Iterator[StepRow]:
        """Yield the steps that waited at these gates and find room now; each must `enter` before the next is taken."""
        for key, parallel in reversed(gates):
            while (gate := self._store.gates.know(workflow, key, parallel)).inside < gate.parallel:
                step = self._store.steps.first_at(gate.id)
                if step is None:
                    break
                yield step
                if step == self._store.steps.first_at(gate.id):
                    break  # it could not begin
