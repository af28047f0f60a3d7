"""What a step is given, whether it runs at all and where, and whether values fit what the template says of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from caroni_edge.javascript.texts import ExpressionProblem, JavaScript, Text
from caroni_edge.manager.templates.expressions import compile_text
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows.links import Look, Unfit, input_value
from caroni_edge.manager.workflows.loading import LookInside, is_passed_on, looked_into, names_seen
from caroni_edge.protocol.fields import is_segment
from caroni_edge.protocol.labels import VALUE_WORDS, are_labels, read_label
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.carried import NotCarried, misfit_of, objects_in
from caroni_edge.values.files import file_in
from caroni_edge.values.json import shown
from caroni_edge.values.large import is_large
from caroni_edge.values.parsing import parse_type

RunScript = Callable[[str, int, JavaScript, Mapping[str, Any], Any], Any]
"""Runs JavaScript: with the name of the field that it stands in, its library, `inputs` and `self`.

Raises:
    ExpressionProblem: It gives nothing.
"""


NO_VALUES: Mapping[str, Any] = MappingProxyType({})

Libraries = Sequence[tuple[str, ...]]
"""Libraries of a plan (`Plan.libraries`)."""


class Evaluated(NamedTuple):
    """What the expressions of one instance of a step (or of a step that is not scattered) have given.

    Attributes:
        inputs: What its job, or the workflow that it runs, is given.
        agents: The agents that may take it, or labels (`site=north`) that one must have, sorted; empty for any agent.
        outputs: What the expression has given, where an ExpressionTool is run.
    """

    inputs: dict[str, Any]
    agents: tuple[str, ...] = ()
    outputs: dict[str, Any] | None = None


def known_inputs(step: PlanStep, of_workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that are known when the workflow begins: those that depend on no step and on no expression."""
    return {
        each.name: input_value(each, lambda source: of_workflow.get(source.workflow_input or ""))
        for each in step.inputs
        if each.value_from is None
        and each.type is not None
        and not (each.link and (each.link.waits_for or each.link.pick))
    }


def collected(step: PlanStep, look: Look, merged: Mapping[str, Any] = NO_VALUES) -> dict[str, Any]:
    """Return all that flows to a step, before it is scattered and before its expressions are worked out.

    In the order of CWL v1.2, WorkflowStepInput: `linkMerge`, `pickValue`, `default`; then scatter, then `valueFrom`.

    Args:
        step: The step.
        look: Finds what flows.
        merged: What large values were merged into, by input.

    Raises:
        Unfit: Values do not go together as the template says.
        MergeDue: Large values are to be merged.
    """
    return {each.name: merged[each.name] if each.name in merged else input_value(each, look) for each in step.inputs}


def evaluate(
    step: PlanStep,
    given: Mapping[str, Any],
    run: RunScript | None = None,
    look: LookInside | None = None,
    libraries: Libraries = (),
) -> Evaluated | None:
    """Work out the expressions of one instance of a step: `valueFrom`, `when`, its agents, and what it gives itself.

    An expression sees the inputs as they were before any `valueFrom` (CWL v1.2, WorkflowStepInput, "valueFrom"); `when`
    and the agents see them after it ("Conditional execution"), and an ExpressionTool those that it declares.

    Args:
        step: The step.
        given: What `collected` has returned; of a scattered step, one item of each list.
        run: Runs JavaScript; None where nobody does.
        look: Has what is in objects that expressions look into; None where nobody does.
        libraries: What JavaScript sees beside the inputs, by the numbers that steps have.

    Returns:
        What it begins with; None when it is skipped, since its condition is false.

    Raises:
        Unfit: A value does not fit, or an expression cannot be worked out.
        LookDue: One looks into objects, and nobody has these.
        ScriptDue: There is JavaScript in one, and nobody runs it.
    """
    value = _Expressions(step, step.library, run, look, libraries).value
    try:
        values = {
            each.name: given.get(each.name)
            if each.value_from is None
            else value(f"input {each.name}", each.value_from, given, own=each.name)
            for each in step.inputs
        }
        if step.when is not None and not _condition(step.when, value("when", step.when, values)):
            return None
        inputs = {each.name: values[each.name] for each in step.inputs if each.type is not None}
        if words := inputs_misfit(step, inputs):
            raise Unfit(words)
        agents = _agents(step.agents, lambda text: value("agent", text, values))
        if step.expression is None:
            return Evaluated(inputs, agents)
        tool = step.expression
        expressions = _Expressions(step, tool.library, run, look, libraries)
        return Evaluated(inputs, agents, _outputs(step, expressions.value("expression", tool.text, inputs)))
    except (ExpressionProblem, NotCarried) as problem:
        raise Unfit(str(problem)) from problem


def has_script(step: PlanStep) -> bool:
    """Tell whether there is JavaScript in an expression of a step."""
    return any(compiled.scripts for compiled in _expressions(step))


def inputs_misfit(step: PlanStep, known: Mapping[str, Any]) -> str | None:
    """Return why these inputs, which may not be all, cannot be given to a step; None when they can."""
    for each in step.inputs:
        if each.name not in known:
            continue
        kind, value = parse_type(each.type), known[each.name]
        if words := misfit_of(kind, value, objects=True):
            return f"input {each.name}: {words}"
        if each.files is not None and (lacking := each.files.lacks(value, required=True)):
            return f"input {each.name}: {lacking}"
        if step.job_type and file_in(kind) is None and not all(map(is_large, objects_in(value).values())):
            return (
                f"input {each.name}: a file or directory over 16 KiB goes to an input of type File or Directory alone, "
                f"and this one takes {kind}"
            )
    if step.workflow is not None:
        return None
    size_bytes = len(msgspec.json.encode(known))
    if size_bytes > VALUES_LIMIT_BYTES:
        return f"its inputs have {size_bytes} bytes as JSON, and {VALUES_LIMIT_BYTES} are allowed together"
    return None


def outputs_misfit(step: PlanStep, outputs: Mapping[str, Any]) -> str | None:
    """Return why the outputs of a job are not what the template says, for people; None when they are."""
    for name, spec in step.outputs.items():
        kind = parse_type(spec)
        if name not in outputs and not kind.optional:
            return f"output {name} is missing; the template wants {kind}"
        # What a job gives lies at its agent; an expression may hand on what it is given.
        if words := misfit_of(kind, outputs.get(name), objects=True, remote=step.expression is not None):
            return f"output {name}: {words} (the template wants {kind})"
        use = step.output_files.get(name)
        if use is not None and (lacking := use.lacks(outputs.get(name), required=False)):
            return f"output {name}: {lacking}"
    return None


def has_constant_agents(step: PlanStep) -> bool:
    """Tell whether the names of a step's agents, if it has any, hold no expression."""
    return all(_compiled(text, step.library).is_plain for text in step.agents)


def reads_inputs(step: PlanStep) -> set[str]:
    """Return the inputs of a step into which its `valueFrom` may look."""
    seen: set[str] = set()
    for each in step.inputs:
        compiled = None if each.value_from is None else _compiled(each.value_from, step.library)
        if compiled is not None and not is_passed_on(compiled):
            seen |= names_seen(step, compiled, each.name)
    return seen


def _expressions(step: PlanStep) -> Iterator[Text]:
    texts = [*(each.value_from for each in step.inputs), step.when, *step.agents]
    yield from (_compiled(text, step.library) for text in texts if text is not None)
    if step.expression is not None:
        yield _compiled(step.expression.text, step.expression.library)


def _compiled(text: str, library: int | None) -> Text:
    return compile_text(text, javascript=library is not None)


class _Expressions(NamedTuple):
    """Works out the expressions of a step, or of its tool; the fields are as those of `evaluate`."""

    step: PlanStep
    library: int | None
    run: RunScript | None
    look: LookInside | None
    libraries: Libraries

    def value(self, where: str, text: str, values: Mapping[str, Any], *, own: str | None = None) -> Any:
        """Return what an expression gives.

        Args:
            where: The field in which it stands.
            text: The expression.
            values: The inputs that there are.
            own: The input that `self` is; None for none.
        """
        library = self.library
        compiled = _compiled(text, library)
        beside = self.libraries[library] if library is not None and self.libraries else ()
        names = names_seen(self.step, compiled, own, beside)
        inputs = looked_into(self.step, values, names, self.look, passes=is_passed_on(compiled))
        seen = {"inputs": inputs, "self": None if own is None else inputs.get(own)}
        if self.run is None or library is None:
            return compiled.value(seen)
        return compiled.value(seen, partial(self._run, where, library, seen))

    def _run(self, where: str, library: int, seen: Mapping[str, Any], script: JavaScript) -> Any:
        assert self.run is not None
        return self.run(where, library, script, seen["inputs"], seen["self"])


def _outputs(step: PlanStep, given: Any) -> dict[str, Any]:
    """Return the outputs that the expression of an ExpressionTool gives."""
    if not isinstance(given, dict):
        raise Unfit(f"its expression gives {shown(given)}, and not an object with its outputs")
    if words := outputs_misfit(step, given):
        raise Unfit(words)
    outputs = {name: given.get(name) for name in step.outputs}
    size_bytes = len(msgspec.json.encode(outputs))
    if size_bytes > VALUES_LIMIT_BYTES:
        raise Unfit(f"its outputs have {size_bytes} bytes as JSON, and {VALUES_LIMIT_BYTES} are allowed together")
    return outputs


def _condition(when: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f'"when" is {when}, which gives {shown(value)}, and not true or false')
    return value


def _label(text: str, value: object) -> str:
    try:
        return "=".join(read_label(value if isinstance(value, str) else ""))
    except ValueError:
        said = f'"labels" has {text}, which gives {shown(value)}, and that is no label'
        raise Unfit(f"{said}: its value may have {VALUE_WORDS}") from None


def _agents(texts: Sequence[str], value_of_text: Callable[[str], Any]) -> tuple[str, ...]:
    """Return the names that these texts and expressions give, sorted."""
    names: set[str] = set()
    for text in texts:
        value = value_of_text(text)
        if are_labels([text.partition("$")[0]]):
            names.add(_label(text, value))
            continue
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or not is_segment(name):
                raise Unfit(f'"agent" is {text}, which gives {shown(name)}, and that is no name of an agent')
            names.add(name)
        if not names:
            raise Unfit(f'"agent" is {text}, which names nobody')
    return tuple(sorted(names))
