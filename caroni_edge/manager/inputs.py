"""What a step is given, and whether values fit what the template says of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from caroni_edge.manager.plan import PlanStep, StepInput
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values import parse_type


def known_inputs(step: PlanStep, of_workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a step that are known when its workflow begins."""
    return {
        each.name: _value(each, None if each.source is None else of_workflow.get(each.source.workflow_input or ""))
        for each in step.inputs
        if each.source is None or each.source.step is None
    }


def inputs_from(step: PlanStep, giver: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that a step takes from the outputs of another."""
    return {
        each.name: _value(each, outputs.get(each.source.output or ""))
        for each in step.inputs
        if each.source is not None and each.source.step == giver
    }


def inputs_misfit(step: PlanStep, known: Mapping[str, Any]) -> str | None:
    """Return why inputs cannot be given to a step, as far as they are known; None when they can."""
    for each in step.inputs:
        if each.name in known and (words := parse_type(each.type).mismatch(known[each.name])):
            return f"input {each.name}: {words}"
    size_bytes = len(msgspec.json.encode(known))
    if size_bytes > VALUES_LIMIT_BYTES:
        return f"its inputs have {size_bytes} bytes as JSON, and {VALUES_LIMIT_BYTES} are allowed together"
    return None


def outputs_misfit(step: PlanStep, outputs: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the outputs of a job for the template, or None."""
    for name, spec in step.outputs.items():
        kind = parse_type(spec)
        if name not in outputs and not kind.optional:
            return f"output {name} is missing; the template wants {kind}"
        if words := kind.mismatch(outputs.get(name)):
            return f"output {name}: {words} (the template wants {kind})"
    return None


def _value(each: StepInput, given: Any) -> Any:
    return each.default if given is None else given
