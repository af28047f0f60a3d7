"""Has expressions of steps worked out outside of the loop, after the commit: those with JavaScript or that look far.

The latter look into objects, which have come here before (`Looks`).

A row says that they are due. What came of it is an event, as the end of a job is for an agent. A process that ends in
between asks again at its next start; JavaScript knows no time and no chance but those of its workflow, so that it gives
the same. An answer that nobody waits for any more changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from caroni_edge.base.memory import MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import ENDED, StepState
from caroni_edge.manager.store.evaluations import DueEvaluation
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.inputs import Evaluated, RunScript, evaluate
from caroni_edge.manager.workflows.links import Unfit
from caroni_edge.manager.workflows.loading import LookDue, Looked, Read, no_objects, reading
from caroni_edge.manager.workflows.propagation import Propagation, StepFailed
from caroni_edge.node.parts import Part
from caroni_edge.objects.disk import Damaged
from caroni_edge.objects.objects import Object, ObjectId, sha256_of

ASKED_MAX = 100
"""So many are with whoever works them out at a time; the others are rows alone."""
OF_A_WORKFLOW = 20
"""So many of them are of one workflow at most."""


class Evaluation(NamedTuple):
    """The expressions of a step, with all that they see.

    Attributes:
        workflow: Seq of its workflow.
        step: The step.
        plan_step: What it is in the plan.
        given: What flows to it; of a scattered step, one item of each list.
        libraries: Of its workflow in the plan.
        date: What JavaScript takes for the present time.
        key: What chance begins with.
        looks: The objects that lie here and into which they may look.
    """

    workflow: int
    step: int
    plan_step: PlanStep
    given: Mapping[str, Any]
    libraries: tuple[tuple[str, ...], ...]
    date: float
    key: str
    looks: tuple[Object, ...] = ()


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        workflow: Seq of its workflow.
        step: The step.
        evaluated: What the step begins with; None where it is skipped, and where there is a problem.
        problem: Why it cannot begin, for people.
        looks: The objects into which they look, and of which not all are here.
        lost: An object that was to lie here, and does not.
    """

    workflow: int
    step: int
    evaluated: Evaluated | None = None
    problem: str | None = None
    looks: Mapping[ObjectId, Looked] = MappingProxyType({})
    lost: ObjectId | None = None


Ask = Callable[[Evaluation], object]
"""Has expressions worked out elsewhere, and returns at once; what is asked for may be lost with the process."""


def work_out(evaluation: Evaluation, run: RunScript, read: Read = no_objects) -> Outcome:
    """Work out the expressions of a step.

    Args:
        evaluation: The expressions.
        run: Runs JavaScript.
        read: Reads objects that lie here.
    """
    workflow, step, plan_step, given, libraries, *_ = evaluation
    try:
        return Outcome(
            workflow, step, evaluate(plan_step, given, run, reading(read, evaluation.looks), libraries=libraries)
        )
    except LookDue as due:
        return Outcome(workflow, step, looks=due.objects)
    except Damaged as damaged:
        return Outcome(workflow, step, lost=damaged.name)
    except Unfit as unfit:
        return Outcome(workflow, step, problem=str(unfit))


class Evaluations(Part):
    """Asks for what is due, a few at a time, and lets steps begin with what came of it."""

    def __init__(self, context: Context, engine: Engine, ask: Ask) -> None:
        """Ask for the steps in the store of `context`, and let them begin by `engine`."""
        super().__init__(context.journal)
        self._context, self._store, self._engine, self._ask = context, context.store, engine, ask
        self._asked: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._to_ask: tuple[Evaluation, ...] = ()
        self._last = 0  # the workflow that had the last turn

    def settle(self, at: Moment) -> None:
        """Choose what is asked for when the batch is committed: of each workflow in turn."""
        room = ASKED_MAX - len(self._asked)
        if room <= 0:
            return
        for due in _in_turns(self._due(room)):
            if room and (due.workflow, due.step) not in self._asked:
                self._asked.add((due.workflow, due.step))
                self._to_ask = (*self._to_ask, self._evaluation(due, at))
                room, self._last = room - 1, due.workflow

    def _due(self, room: int) -> list[DueEvaluation]:
        """Return what may be asked for: of the workflows behind the one that had the last turn, and then of others."""
        workflows = room + OF_A_WORKFLOW
        found = self._store.evaluations.due(self._last, workflows, OF_A_WORKFLOW)
        if self._last:
            again = self._store.evaluations.due(0, workflows, OF_A_WORKFLOW)
            found += [due for due in again if due.workflow <= self._last]
        return found

    def committed(self) -> None:
        """Ask."""
        for each in self._to_ask:
            self._ask(each)
        self._to_ask = ()

    def on_evaluated(self, outcome: Outcome, at: Moment) -> None:
        """Let a step begin, or fail, by what came of its expressions; if that is still to be known."""
        self._asked.discard((outcome.workflow, outcome.step))
        if not self._store.evaluations.take(outcome.workflow, outcome.step):
            return
        step, row = self._store.steps.by_id(outcome.step), self._store.workflows.by_seq(outcome.workflow)
        if step.status is not StepState.CREATED or row.status in ENDED:
            return
        propagation, instances = Propagation(row, self._engine.plan(row.plan), at), self._engine.instances
        if outcome.lost is not None:
            self._context.looking.add((step.workflow, step.id))
        elif outcome.looks:
            instances.look_into(step, outcome.looks)
        elif outcome.problem is not None:
            self._engine.follow(propagation, [StepFailed(step, outcome.problem)])
        else:
            self._store.looks.drop(step.workflow, step.id)
            self._engine.follow(propagation, instances.begin(propagation, step, outcome.evaluated, was_asked=True))

    def _evaluation(self, due: DueEvaluation, at: Moment) -> Evaluation:
        step, row = self._store.steps.by_id(due.step), self._store.workflows.by_seq(due.workflow)
        plan = self._engine.plan(row.plan)
        given = self._engine.instances.given(Propagation(row, plan, at), step)
        libraries = plan.workflow_at(step.name.rpartition("/")[0]).libraries
        key = f"{row.id}/{step.path}"
        looks = tuple(Object(sha256_of(each.object), each.size) for each in self._store.looks.of(row.seq, step.id))
        return Evaluation(row.seq, step.id, plan.step_at(step.name), given, libraries, due.created, key, looks)


def _in_turns(found: Iterable[DueEvaluation]) -> list[DueEvaluation]:
    """Return the first step of each workflow, then the second of each, and so on."""
    seen: Counter[int] = Counter()
    turns = []
    for each in found:
        turns.append((seen[each.workflow], each))
        seen[each.workflow] += 1
    return [each for _, each in sorted(turns, key=lambda turn: turn[0])]
