"""What workflows must give: a plan evaluated by plain recursion, and random plans to compare the engine with."""

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from caroni_edge.javascript.texts import ExpressionProblem, Run
from caroni_edge.manager.templates.expressions import compile_text
from caroni_edge.manager.templates.plan import (
    Link,
    Plan,
    PlanInput,
    PlanOutput,
    PlanStep,
    Source,
    StepInput,
    ToolExpression,
)
from caroni_edge.values.parsing import parse_type
from tests import scripts

Script = Callable[[str, tuple[str, ...], Mapping[str, Any], Any], Any]
"""Runs JavaScript: the body of a function, what runs before it, `inputs` and `self` in, its value out.

Raises:
    ExpressionProblem: It gives none.
"""

Job = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Does a job: job type and inputs in, outputs out."""


class Failed(Exception):
    """The workflow fails."""


def by_hand(body: str, library: tuple[str, ...], inputs: Mapping[str, Any], self_value: Any) -> Any:
    """Run one of the scripts that random plans have."""
    return scripts.BY_BODY[body](inputs, self_value)


def evaluate(plan: Plan, inputs: Mapping[str, Any], job: Job, script: Script = by_hand) -> dict[str, Any]:
    """Return the outputs of a workflow.

    Raises:
        Failed: It gives none; what a job raises goes through.
    """
    given, wrong = plan.check_inputs(inputs, objects=True)
    if wrong:
        raise Failed(str(wrong))
    known: dict[str, Mapping[str, Any]] = {}
    do = (job, script)

    def look(source: Source) -> Any:
        if source.step is None:
            return given[source.workflow_input or ""]
        if source.step not in known:
            known[source.step] = _step(plan, plan.step_by_name[source.step], look, do)
        return known[source.step][source.output or ""]

    for step in plan.steps:
        known.setdefault(step.name, _step(plan, step, look, do))
    return {each.name: _flow(each.link, look) for each in plan.outputs}


Do = tuple[Job, Script]


def _step(plan: Plan, step: PlanStep, look: Callable[[Source], Any], do: Do) -> dict[str, Any]:
    given = {}
    for each in step.inputs:
        value = _flow(each.link, look) if each.link else None
        given[each.name] = each.default if value is None else value
    return _scatter(plan, step, [*step.scatter], given, do) if step.scatter else _instance(plan, step, given, do)


def _scatter(plan: Plan, step: PlanStep, names: list[str], given: dict[str, Any], do: Do) -> dict[str, Any]:
    lists = [given[name] for name in names]
    if not all(isinstance(each, list) for each in lists):
        raise Failed("no list")
    if step.method == "nested_crossproduct" and len(names) > 1:
        first, *others = names
        found = [_scatter(plan, step, others, {**given, first: item}, do) for item in given[first]]
    else:
        if step.method == "dotproduct" and len({len(each) for each in lists}) > 1:
            raise Failed("lengths")
        together = zip(*lists, strict=True) if step.method == "dotproduct" else itertools.product(*lists)
        found = [_instance(plan, step, {**given, **dict(zip(names, items, strict=True))}, do) for items in together]
    return {name: [each[name] for each in found] for name in step.outputs}


def _instance(plan: Plan, step: PlanStep, given: dict[str, Any], do: Do) -> dict[str, Any]:
    def worked_out(text: str, library: int | None, inputs: Mapping[str, Any], self_value: Any = None) -> Any:
        if library is None:
            return _worked_out(text, inputs, self_value)
        seen = plan.libraries[library]
        return _worked_out(text, inputs, self_value, lambda script: do[1](script.body, seen, inputs, self_value))

    values = {
        each.name: worked_out(each.value_from, step.library, given, given[each.name])
        if each.value_from
        else given[each.name]
        for each in step.inputs
    }
    goes = step.when is None or worked_out(step.when, step.library, values)
    if not isinstance(goes, bool):
        raise Failed("when")
    if not goes:
        return dict.fromkeys(step.outputs)
    inputs = {each.name: values[each.name] for each in step.inputs if each.type is not None}
    for each in step.inputs:
        if each.type is not None and (words := parse_type(each.type).mismatch(inputs[each.name])):
            raise Failed(f"{each.name}: {words}")
    if step.expression is not None:
        gives = worked_out(step.expression.text, step.expression.library, inputs)
        if not isinstance(gives, dict):
            raise Failed("no outputs")
    else:
        gives = evaluate(step.workflow, inputs, *do) if step.workflow else do[0](step.job_type, inputs)
    for name, kind in step.outputs.items() if step.expression else ():
        if words := parse_type(kind).mismatch(gives.get(name)):
            raise Failed(f"{name}: {words}")
    return {name: gives.get(name) for name in step.outputs}


def _worked_out(text: str, inputs: Mapping[str, Any], self_value: Any, run: Run | None = None) -> Any:
    try:
        return compile_text(text, javascript=run is not None).value({"inputs": inputs, "self": self_value}, run)
    except ExpressionProblem as problem:
        raise Failed(str(problem)) from problem


def _flow(link: Link, look: Callable[[Source], Any]) -> Any:
    values = [look(source) for source in link.sources]
    match link.merge:
        case None:
            (value,) = values or [None]
        case "merge_nested":
            value = values
        case "merge_flattened":
            value = [item for each in values for item in (each if isinstance(each, list) else [each])]
    if link.pick is None or not isinstance(value, list):
        return value
    there = [each for each in value if each is not None]
    if link.pick == "all_non_null":
        return there
    if not there or (link.pick == "the_only_non_null" and len(there) > 1):
        raise Failed(link.pick)
    return there[0]


# Random plans

TYPES = ("red", "green", "blue")
"""Job types that take the string `a`, and `red` the string `b` as well, and give the string `out`."""

INPUTS: Mapping[str, Any] = {"x": "string", "many": "string[]", "yes": "boolean", "no": "boolean"}
"""What random plans take."""


def join(job_type: str, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Do a job of a random plan: name the type and all that it was given."""
    given = "+".join(str(inputs[name]) for name in sorted(inputs) if inputs[name] is not None)
    return {"out": f"{job_type}({given})"}


def random_inputs(chance: Random) -> dict[str, Any]:
    """Return inputs for random plans."""
    many = [f"v{number}" for number in range(chance.randint(0, 4))]
    return {"x": "x", "many": many, "yes": True, "no": False}


def random_plan(chance: Random, name: str, depth: int = 2, most_steps: int = 4, *, has_scripts: bool = False) -> Plan:
    """Return a plan that is valid: steps with scatter, conditions, limits and expressions, and nested ones.

    Args:
        chance: Decides.
        name: Of the plan.
        depth: So many workflows are nested in each other at most.
        most_steps: So many steps it has at most.
        has_scripts: There may be JavaScript in expressions, and steps that are expressions.
    """
    maker = _Maker(chance, depth, has_scripts)
    steps = tuple(maker.step(f"s{number}") for number in range(chance.randint(1, most_steps)))
    kinds = [*((each, "string") for each in maker.texts), *((each, "string[]") for each in maker.lists)]
    taken = chance.sample(kinds, chance.randint(1, 2))
    outputs = [PlanOutput(f"r{at}", kind, Link((source,))) for at, (source, kind) in enumerate(taken)]
    outputs.append(PlanOutput("last", "Any?", Link((Source(step=steps[-1].name, output=[*steps[-1].outputs][-1]),))))
    parallel = chance.choice((None, None, None, 1, 3))
    inputs = tuple(PlanInput(key, kind) for key, kind in INPUTS.items())
    return Plan(name, inputs, tuple(outputs), steps, parallel, ((),) if has_scripts else ())


class _Maker:
    """Makes steps, and knows what those that are made give.

    Attributes:
        texts: They give strings.
        lists: Lists of strings.
        maybes: A string or null.
        gaps: Lists of strings and nulls.
    """

    def __init__(self, chance: Random, depth: int, has_scripts: bool) -> None:
        self.chance, self.depth, self.has_scripts = chance, depth, has_scripts
        self.library = 0 if has_scripts else None
        self.values_from = [None, None, None, "<$(self)>", "$(inputs.a)", *(scripts.VALUES_FROM if has_scripts else ())]
        self.conditions = ["$(inputs.go)", *(scripts.CONDITIONS if has_scripts else ())]
        self.texts = [Source(workflow_input="x")]
        self.lists = [Source(workflow_input="many")]
        self.maybes: list[Source] = []
        self.gaps: list[Source] = []

    def step(self, name: str) -> PlanStep:
        return self._nested(name) if self.depth and self.chance.random() < 0.25 else self._leaf(name)

    def _leaf(self, name: str) -> PlanStep:
        chance, job_type = self.chance, self.chance.choice(TYPES)
        names = ("a", "b") if job_type == "red" and chance.random() < 0.6 else ("a",)
        scatter = tuple(each for each in names if chance.random() < 0.5)
        method: Any = chance.choice(("flat_crossproduct", "nested_crossproduct")) if len(scatter) > 1 else "dotproduct"
        if len(scatter) > 1 and chance.random() < 0.3:
            method, same = "dotproduct", self._list()
            links = dict.fromkeys(names, same)
        else:
            links = {each: self._list() if each in scatter else self._text() for each in names}
        inputs = [self._input(each, link) for each, link in links.items()]
        when = None
        if chance.random() < 0.3:
            when = chance.choice(self.conditions)
            inputs.append(StepInput("go", None, Link((Source(workflow_input=chance.choice(("yes", "no"))),))))
        self._gives(Source(step=name, output="out"), scatter, method, is_sure=when is None)
        parallel = chance.choice((None, None, 1, 2))
        facts: dict[str, Any] = {"scatter": scatter, "method": method, "when": when, "parallel": parallel}
        facts["library"] = self.library
        if self.has_scripts and names == ("a",) and chance.random() < 0.3:
            facts |= {"parallel": None, "expression": ToolExpression(chance.choice([*scripts.TOOLS]), 0)}
            job_type = ""
        return PlanStep(name, job_type, None, tuple(inputs), {"out": "string"}, ("out",), **facts)

    def _gives(self, source: Source, scatter: tuple[str, ...], method: str, *, is_sure: bool) -> None:
        if not scatter:
            (self.texts if is_sure else self.maybes).append(source)
        elif method != "nested_crossproduct" or len(scatter) == 1:
            (self.lists if is_sure else self.gaps).append(source)

    def _nested(self, name: str) -> PlanStep:
        chance = self.chance
        workflow = random_plan(chance, f"{name}-inner", self.depth - 1, 3, has_scripts=self.has_scripts)
        scatter = ("x",) if chance.random() < 0.5 else ()
        links = {"x": self._list() if scatter else self._text(), "many": self._list()}
        links |= {flag: Link((Source(workflow_input=flag),)) for flag in ("yes", "no")}
        inputs = tuple(StepInput(each, INPUTS[each], link, self._default(link)) for each, link in links.items())
        when = chance.choice((None, None, "$(inputs.yes)", "$(inputs.no)"))
        for each in workflow.outputs:
            source = Source(step=name, output=each.name)
            if each.type == "string":
                self._gives(source, scatter, "dotproduct", is_sure=when is None)
            elif each.type == "string[]" and not scatter and when is None:
                self.lists.append(source)
        outputs = {each.name: each.type for each in workflow.outputs}
        return PlanStep(name, "", workflow, inputs, outputs, tuple(outputs), scatter, when=when, library=self.library)

    def _input(self, name: str, link: Link) -> StepInput:
        value_from = self.chance.choice(self.values_from)
        return StepInput(name, "string", link, self._default(link), value_from)

    def _default(self, link: Link) -> str | None:
        return "instead" if link.pick is None and link.sources[0] in self.maybes else None

    def _text(self) -> Link:
        chance = self.chance
        if self.maybes and chance.random() < 0.5:
            maybe = chance.choice(self.maybes)
            pick = Link((maybe, chance.choice(self.texts)), "merge_nested", "first_non_null")
            return pick if chance.random() < 0.5 else Link((maybe,))
        if chance.random() < 0.8:
            return Link((chance.choice(self.texts),))
        return Link((chance.choice(self.texts), chance.choice(self.texts)), "merge_nested", "first_non_null")

    def _list(self) -> Link:
        chance = self.chance
        if self.gaps and chance.random() < 0.5:
            return Link((chance.choice(self.gaps),), None, "all_non_null")
        if chance.random() < 0.5:
            return Link((chance.choice(self.lists),))
        if chance.random() < 0.5:
            return Link((chance.choice(self.texts), chance.choice(self.lists)), "merge_flattened")
        return Link((chance.choice(self.texts), chance.choice(self.texts)), "merge_nested", "all_non_null")


def expected(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a random plan gives when all its jobs complete."""
    return evaluate(plan, inputs, partial(join))
