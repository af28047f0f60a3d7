"""What runs in the simulated federation: job types, plans of them, and what a plan gives."""

from pathlib import Path
from typing import Any

from caroni_edge.agent.jobtypes import JobType, JobTypes, Limits
from caroni_edge.agent.runner import JobOrder
from caroni_edge.manager.plan import Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput, plan_hash
from caroni_edge.manager.templates import Template, Templates
from caroni_edge.values import parse_type

TYPES = ("red", "green", "blue")


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


def job_types(names: list[str], once: frozenset[str]) -> JobTypes:
    """Return the job types of an agent; those in `once` may not be repeated by themselves."""
    return JobTypes(loaded={name: _job_type(name, repeat=name not in once) for name in names}, errors={})


def _step(name: str, job_type: str, inputs: dict[str, Source]) -> PlanStep:
    given = tuple(StepInput(name=key, type="string", source=source) for key, source in inputs.items())
    return PlanStep(name=name, job_type=job_type, inputs=given, outputs={"out": "string"}, out=("out",))


def _plan(name: str, steps: list[PlanStep], last: Source) -> Plan:
    output = PlanOutput(name="result", type="string", source=last)
    return Plan(template=name, inputs=(PlanInput(name="x", type="string"),), outputs=(output,), steps=tuple(steps))


def _template(plan: Plan) -> Template:
    return Template(plan.template, Path(f"{plan.template}.cwl"), plan, plan_hash(plan), (), "")


def _job_type(name: str, *, repeat: bool) -> JobType:
    inputs = {"a": parse_type("string")}
    return JobType(
        name=name,
        inputs={**inputs, "b": parse_type("string?")} if name == "red" else inputs,
        outputs={"out": parse_type("string")},
        command=("true",),
        script=None,
        interpreter=(),
        environment={},
        limits=Limits(),
        repeat=repeat,
        path=Path(f"{name}.yaml"),
    )


PLANS = {plan.template: plan for plan in (chain(1), chain(3), chain(5), diamond())}
TEMPLATES = Templates(loaded={name: _template(plan) for name, plan in PLANS.items()}, errors={})
