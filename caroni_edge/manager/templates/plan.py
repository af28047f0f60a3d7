"""Plans: what a template is compiled into, and what a workflow runs by.

A plan is plain data, kept by the hash of its content and shared by all workflows that were started with it. What the
engine looks up often is worked out once for each object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from caroni_edge.documents.documents import nearest
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
        sources: In the order of the file.
        merge: How the values become a list; None for the value of the one source as it is.
        pick: Which of a list are taken, by whether they are null (CWL v1.2, "pickValue").
    """

    sources: tuple[Source, ...] = ()
    merge: Merge | None = None
    pick: Pick | None = None

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps whose outputs flow."""
        return frozenset(each.step for each in self.sources if each.step is not None)


class StepInput(_Data, frozen=True):
    """An input of a step.

    Attributes:
        name: As what the step runs declares it.
        type: CWL type in JSON, of what one instance is given; None where only expressions look at the input.
        link: What flows to it; None when only the default or the expression speaks.
        default: The value where nothing or null comes; None is no default.
        value_from: An expression that makes the value, for each instance (CWL v1.2, "valueFrom").
    """

    name: str
    type: Any = None
    link: Link | None = None
    default: Any = None
    value_from: str | None = None


class PlanStep(_Data, frozen=True):
    """A step: a job type, or a workflow, with its inputs.

    Attributes:
        name: Unique among the steps of its workflow.
        job_type: What agents are asked for; empty where a workflow is run.
        workflow: The nested workflow that is run.
        inputs: All that an instance gets; an optional input that nothing flows to is left out.
        outputs: CWL type in JSON of each output that what it runs must give, for one instance.
        out: The outputs that others may take.
        scatter: The inputs that are lists, for each of whose items there is an instance.
        method: How several such lists go together.
        when: An expression: an instance is skipped where it is false (CWL v1.2, "when").
        agents: Names of the agents that may take it, or expressions that give names; empty for any.
        parallel: So many instances in a workflow are begun at most and not ended.
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

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps whose outputs this one takes."""
        return frozenset(step for each in self.inputs if each.link for step in each.link.waits_for)


class PlanInput(_Data, frozen=True):
    """An input of the workflow; a `default` of None is none."""

    name: str
    type: Any
    default: Any = None


class PlanOutput(_Data, frozen=True):
    """An output of the workflow."""

    name: str
    type: Any
    link: Link


class Plan(_Data, frozen=True, dict=True):
    """A compiled template, or a workflow nested in one.

    Attributes:
        template: Its name.
        inputs: What a trigger may give.
        outputs: What the workflow gives at its end.
        steps: Each after all that it waits for; otherwise in the order of the file.
        parallel: So many jobs of it are begun at most and not ended.
    """

    template: str
    inputs: tuple[PlanInput, ...] = ()
    outputs: tuple[PlanOutput, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    parallel: int | None = None

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
        """All job types that the steps want, nested ones too."""
        own = {step.job_type for step in self.steps if step.job_type}
        return frozenset(own.union(*(step.workflow.job_types for step in self.steps if step.workflow)))

    @cached_property
    def input_types(self) -> Mapping[str, Type]:
        """The type of each input of the workflow."""
        return {each.name: parse_type(each.type) for each in self.inputs}

    def check_inputs(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Check what a trigger gives, and fill in what it leaves out.

        Args:
            values: Inputs by name.

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
            elif (said := kind.mismatch(value)) is not None:
                wrong.append((each.name, said))
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
