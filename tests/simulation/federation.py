"""A whole federation in one process, on simulated time: the real code, with broker and hosts pretended.

The same seed gives the same run. First a phase with faults, then none: everything must come to its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from caroni_edge.agent.jobtypes import JobType, JobTypes, Limits
from caroni_edge.agent.runner import JobOrder
from caroni_edge.manager.context import ManagerSettings
from caroni_edge.manager.plan import Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput, plan_hash
from caroni_edge.manager.templates import Template, Templates
from caroni_edge.node import Call
from caroni_edge.protocol.messages import Trigger
from caroni_edge.reactor import Moment
from caroni_edge.transport.memory import Faults, MemoryBroker
from caroni_edge.values import parse_type
from tests.simulation.hosts import Host
from tests.simulation.members import Agent, Manager, Member

TYPES = ("red", "green", "blue")
SUBMIT_AGAIN_S = 2.0
MOST_ROUNDS_AT_ONCE = 1000


def result(order: JobOrder) -> dict[str, Any]:
    """What a job of the simulation computes."""
    given = "+".join(str(order.inputs[name]) for name in sorted(order.inputs) if order.inputs[name] is not None)
    return {"out": f"{order.job_type.name}({given})"}


def chain(length: int) -> Plan:
    """Steps in a row, of job types in turn."""
    steps = []
    source = Source(workflow_input="x")
    for number in range(length):
        steps.append(_step(f"s{number}", TYPES[number % len(TYPES)], {"a": source}))
        source = Source(step=f"s{number}", output="out")
    return _plan(f"chain{length}", steps, source)


def diamond() -> Plan:
    """One step, two that take its output, one that takes theirs."""
    first, left, right = (Source(step=name, output="out") for name in ("first", "left", "right"))
    steps = [
        _step("first", "red", {"a": Source(workflow_input="x")}),
        _step("left", "green", {"a": first}),
        _step("right", "blue", {"a": first}),
        _step("last", "red", {"a": left, "b": right}),
    ]
    return _plan("diamond", steps, Source(step="last", output="out"))


def expected(plan: Plan, value: str) -> dict[str, Any]:
    """Evaluate a plan by plain recursion."""

    def of(source: Source) -> str:
        if source.step is None:
            return value
        step = plan.step_by_name[source.step]
        given = {each.name: of(each.source) for each in step.inputs if each.source}
        return f"{step.job_type}({'+'.join(given[name] for name in sorted(given))})"

    return {each.name: of(each.source) for each in plan.outputs}


def _step(name: str, job_type: str, inputs: dict[str, Source]) -> PlanStep:
    given = tuple(StepInput(name=key, type="string", source=source) for key, source in inputs.items())
    return PlanStep(name=name, job_type=job_type, inputs=given, outputs={"out": "string"}, out=("out",))


def _plan(name: str, steps: list[PlanStep], last: Source) -> Plan:
    output = PlanOutput(name="result", type="string", source=last)
    return Plan(template=name, inputs=(PlanInput(name="x", type="string"),), outputs=(output,), steps=tuple(steps))


PLANS = {plan.template: plan for plan in (chain(1), chain(3), chain(5), diamond())}


@dataclass(frozen=True)
class Submitted:
    """A workflow that the user wants."""

    workflow: str
    manager: str
    template: str
    value: str


class Federation:
    """Managers, agents and a broker.

    Attributes:
        now: The simulated time.
        members: All nodes.
        submitted: All workflows that were asked for.
    """

    def __init__(self, seed: int, *, managers: int = 1, agents: int = 2, fail: float = 0.0, slots: int = 2) -> None:
        """Make the nodes; all are down."""
        self.chance = Random(seed)
        self.now = 0.0
        self.broker = MemoryBroker(self.chance)
        self.submitted: list[Submitted] = []
        self._unsaid: dict[str, Submitted] = {}
        self._submit_due = inf
        templates = Templates(loaded={name: _template(plan) for name, plan in PLANS.items()}, errors={})
        settings = ManagerSettings(lost_after_s=None, attempts=50, retry_delay_s=0.1)
        self.managers = [Manager(f"m{n}", self.broker, self.chance, templates, settings) for n in range(managers)]
        self.agents = [self._agent(n, agents, fail, slots) for n in range(agents)]
        self.members: list[Member] = [*self.managers, *self.agents]

    def _agent(self, number: int, count: int, fail: float, slots: int) -> Agent:
        # Every type is served by somebody; with more than one agent none serves all.
        names = [name for n, name in enumerate(TYPES) if count == 1 or n % count == number or number >= len(TYPES)]
        names += [name for name in TYPES if name not in names and count > 1 and self.chance.random() < 0.4]
        types = JobTypes(loaded={name: _job_type(name) for name in names}, errors={})
        host = Host(self.chance, result, fail)
        return Agent(f"a{number}", self.broker, self.chance, types, host, slots=slots, backlog=slots, pending=slots)

    def start(self) -> None:
        """Start all that is down."""
        for member in self.members:
            if not member.up:
                member.start(self.now)

    def submit(self, manager: str, template: str) -> None:
        """Want a workflow; it is asked for again by its id until the manager has it."""
        number = len(self.submitted)
        wanted = Submitted(f"w{number}", manager, template, f"v{number}")
        self.submitted.append(wanted)
        self._unsaid[wanted.workflow] = wanted
        self._submit_due = self.now

    def submit_again(self, managers: Sequence[str]) -> None:
        """Ask managers again, by their ids, for all that they were asked for."""
        self._unsaid.update((wanted.workflow, wanted) for wanted in self.submitted if wanted.manager in managers)
        self._submit_due = self.now

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time go on; return whether `until` came true."""
        end = self.now + seconds
        rounds_at_once = 0
        while self.now < end:
            self._submit()
            for agent in self.agents:
                agent.host.pump(self.now)
            self.broker.pump(self.now)
            for member in self.members:
                member.run(self.now)
            if until():
                return True
            following = min(max(self._next(), self.now), end)
            rounds_at_once = rounds_at_once + 1 if following == self.now else 0
            if rounds_at_once > MOST_ROUNDS_AT_ONCE:
                busy = [member.name for member in self.members if member.next_due(self.now) <= self.now]
                raise AssertionError(f"time stands still at {self.now}: {busy} always have something to do")
            self.now = following
        return until()

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.broker.faults = Faults()
        self.broker.start()
        for member in self.members:
            member.fuse.probability = 0.0
        for agent in self.agents:
            agent.host.fail = 0.0
        self.start()

    def _next(self) -> float:
        dues = [self.broker.next_due(), self._submit_due if self._unsaid else inf]
        dues += [agent.host.next_due() for agent in self.agents]
        dues += [member.next_due(self.now) for member in self.members]
        return min(dues)

    def _submit(self) -> None:
        if not self._unsaid or self.now < self._submit_due:
            return
        self._submit_due = self.now + SUBMIT_AGAIN_S
        for wanted in self._unsaid.values():
            manager = next(each for each in self.managers if each.name == wanted.manager)
            manager.tell(Call(self._start(manager, wanted)))

    def _start(self, manager: Manager, wanted: Submitted) -> Callable[[Moment], None]:
        def work(at: Moment) -> None:
            trigger = Trigger(template=wanted.template, inputs={"x": wanted.value}, id=wanted.workflow)
            _, is_new = manager.reactor.start_workflow(trigger, at)
            if not is_new:  # it was committed before: the user has heard it
                self._unsaid.pop(wanted.workflow, None)

        return work


def _template(plan: Plan) -> Template:
    return Template(plan.template, Path(f"{plan.template}.cwl"), plan, plan_hash(plan), (), "")


def _job_type(name: str) -> JobType:
    return JobType(
        name=name,
        inputs={"a": parse_type("string"), "b": parse_type("string?")}
        if name == "red"
        else {"a": parse_type("string")},
        outputs={"out": parse_type("string")},
        command=("true",),
        script=None,
        interpreter=(),
        environment={},
        limits=Limits(),
        repeat=True,
        path=Path(f"{name}.yaml"),
    )
