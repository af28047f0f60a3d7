"""Plans: what a template is compiled into, and what a workflow runs by.

A plan is plain data, kept by the hash of its content and shared by all workflows that were started with it. What the
engine looks up often is worked out once for each object.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from caroni_edge.documents import nearest
from caroni_edge.values import Type, canonical, hash_of, parse_type

SourceKey = tuple[str, str] | tuple[str, str, str]
"""`("input", name)` or `("step", step, output)`."""


class _Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields at their defaults are left out of the JSON: a later field with a default changes no hash."""


class Source(_Data, frozen=True):
    """Where a value comes from: an input of the workflow, or an output of a step."""

    workflow_input: str | None = None
    step: str | None = None
    output: str | None = None

    @property
    def key(self) -> SourceKey:
        """The key of `Plan.feeds`."""
        if self.step is None:
            return ("input", self.workflow_input or "")
        return ("step", self.step, self.output or "")

    def __str__(self) -> str:
        return self.workflow_input or f"{self.step}/{self.output}"


class StepInput(_Data, frozen=True):
    """An input of a step.

    Attributes:
        name: As what the step runs declares it.
        type: CWL type in JSON.
        source: None when only the default speaks.
        default: The value where the source is absent or null; None is no default.
    """

    name: str
    type: Any
    source: Source | None = None
    default: Any = None


class PlanStep(_Data, frozen=True):
    """A step: a job type with its inputs.

    Attributes:
        name: Unique in the plan.
        job_type: What agents are asked for.
        inputs: All that the job gets; an optional input with neither source nor default is left out.
        outputs: CWL type in JSON of each output that the job must give.
        out: The outputs that others may take.
    """

    name: str
    job_type: str
    inputs: tuple[StepInput, ...] = ()
    outputs: dict[str, Any] = {}
    out: tuple[str, ...] = ()

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps whose outputs this one takes."""
        return frozenset(each.source.step for each in self.inputs if each.source and each.source.step is not None)


class PlanInput(_Data, frozen=True):
    """An input of the workflow; a `default` of None is none."""

    name: str
    type: Any
    default: Any = None


class PlanOutput(_Data, frozen=True):
    """An output of the workflow."""

    name: str
    type: Any
    source: Source


class Plan(_Data, frozen=True, dict=True):
    """A compiled template.

    Attributes:
        template: Its name.
        inputs: What a trigger may give.
        outputs: What the workflow gives at its end.
        steps: Each after all that it waits for; otherwise in the order of the file.
    """

    template: str
    inputs: tuple[PlanInput, ...] = ()
    outputs: tuple[PlanOutput, ...] = ()
    steps: tuple[PlanStep, ...] = ()

    @cached_property
    def step_by_name(self) -> Mapping[str, PlanStep]:
        """The steps by name, in the plan's order."""
        return {step.name: step for step in self.steps}

    @cached_property
    def feeds(self) -> Mapping[SourceKey, tuple[tuple[str, str], ...]]:
        """Who takes a value: (step, step input) for each source that a step takes."""
        taken: dict[SourceKey, list[tuple[str, str]]] = {}
        for step in self.steps:
            for each in step.inputs:
                if each.source is not None:
                    taken.setdefault(each.source.key, []).append((step.name, each.name))
        return {key: tuple(takers) for key, takers in taken.items()}

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
        """All job types that the steps want."""
        return frozenset(step.job_type for step in self.steps)

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
