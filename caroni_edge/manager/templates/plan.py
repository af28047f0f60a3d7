"""Plans: what a template is compiled into, and what a workflow runs by.

A plan is plain data, kept by the hash of its content and shared by all workflows that were started with it. What the
engine looks up often is worked out once for each plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from caroni_edge.documents.documents import nearest
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.values.carried import misfit_of
from caroni_edge.values.json import canonical, hash_of
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.types import Type

Merge = Literal["merge_nested", "merge_flattened"]
Pick = Literal["first_non_null", "the_only_non_null", "all_non_null"]
ScatterMethod = Literal["dotproduct", "flat_crossproduct", "nested_crossproduct"]


class _Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields at their defaults are left out of the JSON: a later field with a default changes no hash."""


class Source(_Data, frozen=True):
    """Where a value comes from: an input of the workflow, or an output of a step."""

    workflow_input: str | None = None
    step: str | None = None
    output: str | None = None

    def __str__(self) -> str:
        return self.workflow_input or f"{self.step}/{self.output}"


class Link(_Data, frozen=True):
    """What flows to one place, from one source or from several.

    Attributes:
        sources: In the order of the file; an output of a workflow that has none is null.
        merge: How the values become one list (CWL v1.2, "Merging multiple inbound data links"); None for the value of
            the one source as it is.
        pick: Which items of a list are taken ("Picking non-null values among inbound data links").
    """

    sources: tuple[Source, ...] = ()
    merge: Merge | None = None
    pick: Pick | None = None

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps whose outputs are among the sources."""
        return frozenset(each.step for each in self.sources if each.step is not None)


class StepInput(_Data, frozen=True):
    """An input of a step.

    Attributes:
        name: Its name in the process that the step runs.
        type: CWL type in JSON of what one instance is given; None for an input that only expressions read.
        link: What flows to it; None when it has a default or an expression only.
        default: The value where nothing or null flows; None for no default.
        value_from: An expression that makes the value for each instance (CWL v1.2, WorkflowStepInput, "valueFrom").
        files: What is said of its files; None for nothing.
    """

    name: str
    type: Any = None
    link: Link | None = None
    default: Any = None
    value_from: str | None = None
    files: FileUse | None = None


class ToolExpression(_Data, frozen=True):
    """The expression of an ExpressionTool: it gives the outputs.

    Attributes:
        text: As it is written.
        library: As `PlanStep.library`.
    """

    text: str
    library: int | None = None


class PlanStep(_Data, frozen=True):
    """A step: a job type, a workflow or an expression, with its inputs.

    Attributes:
        name: Unique among the steps of its workflow.
        job_type: What agents are asked for; empty where a workflow is run, or an expression.
        workflow: The nested workflow that is run.
        inputs: The inputs of an instance; an optional one that nothing flows to is left out.
        outputs: By name, the CWL type in JSON of each output that one instance must give.
        out: The outputs that other steps may take.
        scatter: The inputs that are lists, with an instance for each item (CWL v1.2, "Scatter/gather").
        method: How several such lists go together.
        when: An expression: an instance for which it is false is skipped ("Conditional execution").
        agents: Names of the agents that may take it, or expressions that give names; or labels, all of which an agent
            must have, as `site=north` or `site=$(inputs.site)`; empty for any.
        parallel: So many instances of it in a workflow have begun and not ended, at most (its own gate).
        output_files: By name, what is said of the files of an output.
        streams: The files that standard input, output and error of its tool are, by `stdin` and so on.
        library: Its expressions may be JavaScript, and see this one of `Plan.libraries`; None: they may not.
        expression: What gives its outputs, where an ExpressionTool is run.
        copies: On so many hosts the files that it gives are to lie; None for what is said around it.
    """

    name: str
    job_type: str = ""
    workflow: Plan | None = None
    inputs: tuple[StepInput, ...] = ()
    outputs: dict[str, Any] = {}
    out: tuple[str, ...] = ()
    scatter: tuple[str, ...] = ()
    method: ScatterMethod = "dotproduct"
    when: str | None = None
    agents: tuple[str, ...] = ()
    parallel: int | None = None
    output_files: dict[str, FileUse] = {}
    streams: dict[str, str] = {}
    library: int | None = None
    expression: ToolExpression | None = None
    copies: int | None = None

    @property
    def kind(self) -> Literal["job", "workflow", "expression"]:
        """What an instance of it is."""
        if self.workflow is not None:
            return "workflow"
        return "job" if self.expression is None else "expression"

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps whose outputs this one takes."""
        return frozenset(step for each in self.inputs if each.link for step in each.link.waits_for)


class PlanInput(_Data, frozen=True):
    """An input of the workflow; `default` is None where it has none."""

    name: str
    type: Any
    default: Any = None
    files: FileUse | None = None


class PlanOutput(_Data, frozen=True):
    """An output of the workflow."""

    name: str
    type: Any
    link: Link
    files: FileUse | None = None


class Plan(_Data, frozen=True, dict=True):
    """A compiled template, or a workflow nested in one.

    Attributes:
        template: Its name.
        inputs: What a trigger may give.
        outputs: What the workflow gives at its end.
        steps: Each after all that it waits for; otherwise in the order of the file.
        parallel: So many jobs of it have begun and not ended, at most (its gate).
        libraries: What JavaScript may see beside its inputs: each is a list of texts (`expressionLib`), perhaps empty.
        copies: As in its steps; of the workflow itself also for the files that it is started with.
        keeps_all: Whether the files of its steps stay until it is deleted, and not only those among its outputs; that
            of a nested one does not count.
    """

    template: str
    inputs: tuple[PlanInput, ...] = ()
    outputs: tuple[PlanOutput, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    parallel: int | None = None
    libraries: tuple[tuple[str, ...], ...] = ()
    copies: int | None = None
    keeps_all: bool = False

    @cached_property
    def step_by_name(self) -> Mapping[str, PlanStep]:
        """The steps by name, in the plan's order."""
        return {step.name: step for step in self.steps}

    def step_at(self, route: str) -> PlanStep:
        """Return a step by the names on the way to it, as in `outer/inner`.

        Raises:
            KeyError: There is none.
        """
        if (step := self._at_route.get(route)) is None:
            outer, _, name = route.rpartition("/")
            step = self._at_route[route] = self.workflow_at(outer).step_by_name[name]
        return step

    def workflow_at(self, route: str) -> Plan:
        """Return the nested workflow that a step runs, by the names on the way to it; by none, this one.

        Raises:
            KeyError: There is none.
        """
        workflow = self.step_at(route).workflow if route else self
        if workflow is None:
            raise KeyError(route)
        return workflow

    def copies_at(self, route: str) -> int | None:
        """Return on how many hosts files of a step are to lie, by what is said nearest to it; None where nothing is."""
        copies: int | None = None
        plan: Plan | None = self
        for name in route.split("/"):
            assert plan is not None  # all but the last run workflows
            step = plan.step_by_name[name]
            copies = next((each for each in (step.copies, plan.copies, copies) if each is not None), None)
            plan = step.workflow
        return copies

    @cached_property
    def routes(self) -> tuple[str, ...]:
        """The names on the way to each step, as in `outer/inner`; those of nested workflows after their own step."""
        found: list[str] = []
        for step in self.steps:
            inner = step.workflow.routes if step.workflow else ()
            found += [step.name, *(f"{step.name}/{route}" for route in inner)]
        return tuple(found)

    @cached_property
    def _at_route(self) -> dict[str, PlanStep]:
        return {}

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """The steps that take outputs of each step, in the plan's order."""
        found: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for step in self.steps:
            for name in step.waits_for:
                found[name].append(step.name)
        return {name: tuple(others) for name, others in found.items()}

    @cached_property
    def job_types(self) -> frozenset[str]:
        """The job types of all steps, those of nested workflows too."""
        own = {step.job_type for step in self.steps if step.job_type}
        return frozenset(own.union(*(step.workflow.job_types for step in self.steps if step.workflow)))

    @cached_property
    def input_types(self) -> Mapping[str, Type]:
        """The type of each input of the workflow."""
        return {each.name: parse_type(each.type) for each in self.inputs}

    def check_inputs(
        self, values: Mapping[str, Any], *, objects: bool = False
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Check what a trigger gives, and fill in what it leaves out.

        Args:
            values: Inputs by name.
            objects: Whether a file may be an object: not where nobody knows where it lies.

        Returns:
            A value for every input (the default where null or nothing was given, null for an optional one), and what is
            wrong, as (input, words) in the order of the plan.
        """
        filled: dict[str, Any] = {}
        wrong: list[tuple[str, str]] = []
        for each in self.inputs:
            kind = self.input_types[each.name]
            given = values.get(each.name)
            filled[each.name] = value = each.default if given is None else given
            if value is None and not kind.optional:
                wrong.append((each.name, f"is missing; it takes {kind}"))
            elif (said := misfit_of(kind, value, objects=objects, remote=True)) is not None:
                wrong.append((each.name, said))
            elif each.files is not None and (lacking := each.files.lacks(value, required=True)) is not None:
                wrong.append((each.name, lacking))
        unknown = [name for name in values if name not in filled]
        wrong += [(name, f"is no input of {self.template}{nearest(name, filled)}") for name in unknown]
        return filled, wrong


def prefix_of(path: str) -> str:
    """Return what the paths of all steps beside this one begin with: nothing, or as in `outer[3]/`."""
    outer, slash, _ = path.rpartition("/")
    return outer + slash


def encode_plan(plan: Plan) -> bytes:
    """Return a plan as canonical JSON."""
    return canonical(msgspec.to_builtins(plan)).encode()


def decode_plan(data: bytes) -> Plan:
    """Return the plan that `encode_plan` wrote.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _decoder.decode(data)


def plan_hash(plan: Plan) -> str:
    """Return the name of a plan's content: equal plans have equal ones, on every machine."""
    return hash_of(msgspec.to_builtins(plan))


_decoder = msgspec.json.Decoder(Plan)
