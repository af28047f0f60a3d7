"""Makes the plan of a draft: looks up what its names mean, compares types, and sorts the steps."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from caroni_edge.documents.documents import nearest
from caroni_edge.manager.templates.cwl.drafts import Draft, DraftInput, DraftStep
from caroni_edge.manager.templates.cwl.expressions import FoundScript, Scope, check_text, check_tool, looked_at, type_of
from caroni_edge.manager.templates.cwl.extent import Extent, measure
from caroni_edge.manager.templates.cwl.features import FILES, LISTINGS
from caroni_edge.manager.templates.cwl.flowtypes import is_list, item_of, may_be_boolean, may_name, or_null, scattered
from caroni_edge.manager.templates.cwl.hints import Library
from caroni_edge.manager.templates.cwl.libraries import Libraries
from caroni_edge.manager.templates.cwl.links import Links, tell_flow
from caroni_edge.manager.templates.cwl.order import topological_order
from caroni_edge.manager.templates.cwl.ports import Port
from caroni_edge.manager.templates.cwl.reading import Names
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.manager.templates.plan import Link, Plan, PlanInput, PlanOutput, PlanStep, StepInput, ToolExpression
from caroni_edge.values.carried import misfit_of
from caroni_edge.values.types import NULL, Array, Type


class Made(NamedTuple):
    """A nested workflow, compiled."""

    plan: Plan
    extent: Extent


Nested = dict[tuple[tuple[object, ...], Library | None], Made]
"""Nested workflows by where they stand, and what JavaScript sees there: a file that is run twice is compiled once."""


@dataclass
class Wiring:
    """Checks a draft as a whole, notes what is wrong, and makes a plan of what is right.

    Attributes:
        draft: The workflow.
        nested: The workflows inside that have been compiled.
        scripts: Gets the JavaScript in it and in those inside.
        around: What JavaScript sees in what is around; None where there may be none.
    """

    draft: Draft
    nested: Nested = field(default_factory=dict)
    scripts: list[FoundScript] = field(default_factory=list)
    around: Library | None = None

    def __post_init__(self) -> None:
        own = self.around if self.draft.library is None else self.draft.library
        self._libraries = Libraries(own, self.scripts)
        self._links = Links(self.draft.inputs, self.draft.steps, self._gives)

    def plan(self, template: str) -> Plan:
        """Return the plan. Only without errors among the findings may it be used."""
        return self._make(template).plan

    def _make(self, template: str) -> Made:
        steps = {name: self._step(name, step) for name, step in self.draft.steps.items()}
        order, rings = topological_order({name: step.waits_for for name, step in steps.items()})
        for ring in rings:
            self.draft.steps[ring[0]].place.error(f"these steps wait for each other: {' -> '.join([*ring, ring[0]])}")
        inputs = tuple(
            PlanInput(name, _spec(port.type), port.default, port.files) for name, port in self.draft.inputs.items()
        )
        made = tuple(steps[name] for name in order)
        plan = Plan(
            template,
            inputs,
            tuple(self._outputs()),
            made,
            self.draft.parallel,
            self._libraries.named(),
            self.draft.copies,
            self.draft.keeps_all,
        )
        nested = {name: found.extent for name, step in self.draft.steps.items() if (found := self._nested(name, step))}
        return Made(plan, measure(self.draft, nested))

    def _outputs(self) -> Iterator[PlanOutput]:
        for name, output in self.draft.outputs.items():
            has_source = output.place.value.get("outputSource") is not None or output.link.sources
            link = self._links.read(output.link) if has_source else Link()
            if link is not None:
                self._links.check(output.link, output.type, f'the output "{name}" is')
                yield PlanOutput(name, _spec(output.type), link, output.files)

    def _gives(self, step: DraftStep, output: str) -> Type | None:
        """Return the type of an output of a step as other steps get it: of all instances together, null if skipped."""
        port = step.process.outputs.get(output) if step.process else None
        if port is None or port.type is None or not step.is_scatter_known:
            return None
        kind = port.type if step.when is None else or_null(port.type)
        return scattered(kind, len(step.scatter), step.method)

    def _step(self, name: str, step: DraftStep) -> PlanStep:
        process = step.process
        scope = self._scope(step)
        when = self._when(step, scope)
        agents = self._agents(step, scope)
        is_clear = step.is_clear and (step.when is None or when is not None) and len(agents) == len(step.agents)
        seen = _looked_at(step, javascript=scope.javascript) if is_clear else frozenset(step.inputs)
        self._check_names(name, step, seen)
        ports = process.inputs if process else {}
        inputs = [self._step_input(name, step, each, port) for each, port in ports.items()]
        inputs += [self._extra_input(step, each) for each in step.inputs if each not in ports and each in seen]
        library, expression = self._libraries.of_step(step), self._expression(step)
        return PlanStep(
            name=name,
            job_type=step.job_type,
            workflow=nested.plan if (nested := self._nested(name, step)) else None,
            inputs=tuple(each for each in inputs if expression or _is_given(each)),
            outputs={each: _spec(port.type) for each, port in process.outputs.items()} if process else {},
            out=tuple(step.out),
            scatter=tuple(step.scatter),
            method=step.method,
            when=when,
            agents=agents,
            parallel=step.parallel,
            copies=step.copies,
            output_files={each: port.files for each, port in process.outputs.items() if port.files} if process else {},
            streams=dict(process.streams) if process else {},
            library=library,
            expression=expression,
        )

    def _scope(self, step: DraftStep, *, has_self: bool = False) -> Scope:
        return Scope(step.inputs, self.scripts, self._libraries.seen_by(step) is not None, has_self)

    def _expression(self, step: DraftStep) -> ToolExpression | None:
        """Check the expression of the ExpressionTool that a step runs, if it runs one."""
        process = step.process
        if process is None or process.expression is None:
            return None
        library = self._libraries.of_tool(step)
        check_tool(process.expression, Scope(process.inputs, self.scripts, library is not None))
        return ToolExpression(process.expression[0], library)

    def _when(self, step: DraftStep, scope: Scope) -> str | None:
        """Check the condition of a step."""
        place = step.place.at("when")
        found = check_text(step.when, place, scope) if step.when is not None else None
        kind = type_of(found, lambda name: self._seen_type(step, name)) if found else None
        if found and len(found.parts) > 1:
            place.error('"when" is one reference: text beside it makes a text of it, which is not true or false')
        elif kind is not None and not may_be_boolean(kind):
            place.error(f'"when" gives true or false, but {step.when} is {kind}')
        return found.text if found else None

    def _agents(self, step: DraftStep, scope: Scope) -> tuple[str, ...]:
        """Check what names the agents of a step."""
        good = []
        for text, place in step.agents:
            found = check_text(text, place, scope)
            kind = type_of(found, lambda name: self._seen_type(step, name)) if found else None
            if kind is not None and not may_name(kind):
                place.error(f'"agent" gives a name, or a list of names, but {text} is {kind}')
            elif found is not None:
                good.append(text)
        return tuple(good)

    def _seen_type(self, step: DraftStep, name: str) -> Type | None:
        """Return the type of an input as the expressions of a step see it, as far as it is known."""
        draft = step.inputs[name]
        gives = self._links.type_of(draft.link)
        if gives is None or gives == NULL or draft.value_from is not None or not step.is_scatter_known:
            return None
        if name in step.scatter:
            return item_of(gives)
        return None if gives.optional and draft.default is not None else gives

    def _nested(self, name: str, step: DraftStep) -> Made | None:
        draft = step.process.workflow if step.process else None
        if draft is None:
            return None
        around = self._libraries.seen_by(step)
        if (draft.where, around) not in self.nested:
            inside = Wiring(draft, self.nested, self.scripts, around)
            self.nested[draft.where, around] = inside._make(name)
        return self.nested[draft.where, around]

    def _check_names(self, name: str, step: DraftStep, seen: frozenset[str]) -> None:
        """Check that what the step runs has the inputs and outputs that the step names."""
        process = step.process
        for each, draft in step.inputs.items():
            if process is None or each not in process.inputs:
                self._links.read(draft.link)
            if process is not None and _is_unknown(each, process.inputs) and each not in seen:
                near = nearest(each, process.inputs)
                draft.place.warning(f'what the step "{name}" runs has no input "{each}"{near}: it is left aside')
        for each, place in step.out.items():
            if process is not None and _is_unknown(each, process.outputs):
                place.error(f'what the step "{name}" runs has no output "{each}"{nearest(each, process.outputs)}')
        for each, place in step.scatter.items():
            if _is_unknown(each, step.inputs):
                place.error(f'the step "{name}" has no input "{each}" to scatter over{nearest(each, step.inputs)}')

    def _step_input(self, step: str, draft_step: DraftStep, name: str, port: Port) -> StepInput:
        """Tie an input that is declared to what the step gives for it."""
        draft = draft_step.inputs.get(name)
        kind = Array(port.type) if port.type and name in draft_step.scatter else port.type
        default = _default(step, name, draft, port, kind)
        link = self._links.read(draft.link) if draft else None
        value_from = self._value_from(draft_step, draft) if draft else None
        if draft is not None and link is not None:
            self._check_flow(step, draft_step, name, draft, None if _has_value_from(draft) else port.type, default)
        elif default is None and not _has_value_from(draft) and _must_be_given(port) and _is_missing(draft_step, draft):
            place = draft.place if draft else draft_step.place
            place.error(f'the step "{step}" needs "{name}" ({kind}): give it a source or a default')
        return StepInput(name, _spec(port.type), link, default, value_from, self._files(draft, port.files))

    def _check_flow(
        self, step: str, draft_step: DraftStep, name: str, draft: DraftInput, sink: Type | None, default: Any
    ) -> None:
        takes = f'the step "{step}" takes "{name}" as'
        if not draft_step.is_scatter_known:
            return
        if name not in draft_step.scatter:
            self._links.check(draft.link, sink, takes, default)
            return
        gives = self._links.type_of(draft.link)
        items = item_of(gives if default is None else gives.required) if gives is not None else None
        if gives is not None and items is None:
            said = f'the step "{step}" is scattered over "{name}", which is no list: it is {gives}'
            draft_step.scatter[name].error(said)
            return
        if gives is not None and not is_list(gives if default is None else gives.required):
            said = f'the step "{step}" is scattered over "{name}", which may be no list: it is {gives}'
            draft_step.scatter[name].warning(f"{said}; that is checked when it is there")
        if sink is not None and items is not None:
            tell_flow(draft.place, items, sink, f"{takes} {sink}, but each item is {items}")

    def _extra_input(self, step: DraftStep, name: str) -> StepInput:
        """Tie an input that expressions alone look at."""
        draft = step.inputs[name]
        return StepInput(
            name,
            None,
            self._links.read(draft.link),
            draft.default,
            self._value_from(step, draft),
            self._files(draft, None),
        )

    def _files(self, draft: DraftInput | None, of_process: FileUse | None) -> FileUse | None:
        """Return what is said of the files of an input: by what the step runs, by the step, and by what flows there."""
        own = draft.place.value if draft is not None else {}
        use, listing = of_process or FileUse(), own.get("loadListing")
        ports = [self.draft.inputs.get(each) for each in (draft.link.sources if draft is not None else None) or ()]
        changes: dict[str, Any] = {"load_listing": listing} if listing in LISTINGS else {}
        if own.get("loadContents") is True or any(port and port.files and port.files.load_contents for port in ports):
            changes["load_contents"] = True
        found = msgspec.structs.replace(use, **changes)
        return found if found != FileUse() else None

    def _value_from(self, step: DraftStep, draft: DraftInput) -> str | None:
        if draft.value_from is None:
            return None
        found = check_text(draft.value_from, draft.place.at("valueFrom"), self._scope(step, has_self=True))
        return found.text if found else None


def _looked_at(step: DraftStep, *, javascript: bool) -> frozenset[str]:
    """Return the inputs of a step that its expressions look at; those of their own `valueFrom` too."""
    texts = [*(text for text, _ in step.agents), step.when, *(each.value_from for each in step.inputs.values())]
    own = {name for name, each in step.inputs.items() if each.value_from}
    return looked_at(texts, step.inputs, javascript=javascript) | own


def _is_given(each: StepInput) -> bool:
    """Tell whether anything may make a value of an input; if not, and it is optional, it is left out."""
    return bool(each.link or each.value_from) or each.default is not None


def _has_value_from(draft: DraftInput | None) -> bool:
    """Tell whether the file makes a value of an input, be it by an expression that is refused, which has been told."""
    return draft is not None and (draft.value_from is not None or not draft.is_clear)


def _must_be_given(port: Port) -> bool:
    return port.type is not None and not port.type.optional


def _is_missing(step: DraftStep, draft: DraftInput | None) -> bool:
    """Tell whether the file gives an input nothing, rather than something wrong, which has been told."""
    return step.inputs.is_whole if draft is None else draft.place.value.get("source") is None


def _is_unknown(name: str, names: Names[Any]) -> bool:
    """Tell whether what is named is not there, rather than not read, which has been told."""
    return name not in names and names.is_whole


def _default(step: str, name: str, draft: DraftInput | None, port: Port, kind: Type | None) -> Any:
    """Return the value where the source gives nothing: the step's default, or that of what it runs."""
    if draft is None or draft.default is None:
        return port.default if kind == port.type else None
    said = kind.mismatch(draft.default) if kind and draft.value_from is None else None
    if said is not None:
        words = f'the default of "{name}" in the step "{step}" does not fit: {said}; what takes it fails'
        draft.place.at("default").warning(words)
    elif kind and draft.value_from is None and (said := misfit_of(kind, draft.default, remote=True)) is not None:
        draft.place.at("default").lacks_once(FILES, f'the default of "{name}" in the step "{step}": {said}')
    return draft.default


def _spec(kind: Type | None) -> Any:
    return kind.spec if kind is not None else None
