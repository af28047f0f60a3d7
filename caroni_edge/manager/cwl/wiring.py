"""Ties the parts of a workflow to each other: sources, types, the order of the steps; and makes the plan."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from caroni_edge.documents import nearest
from caroni_edge.manager.cwl.order import topological_order
from caroni_edge.manager.cwl.process import Port
from caroni_edge.manager.cwl.reading import Place
from caroni_edge.manager.cwl.workflow import Draft, DraftInput, DraftStep
from caroni_edge.manager.plan import Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput
from caroni_edge.values import Type

_MANY = 200
"""Problems of one file after which no nearest name is looked for: that takes time, and nobody reads so many."""


@dataclass
class Wiring:
    """Checks a draft as a whole, notes what is wrong, and makes a plan of what is right."""

    draft: Draft
    _names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        given = [f"{step}/{output}" for step, draft in self.draft.steps.items() for output in draft.out]
        self._names = [*self.draft.inputs, *given]

    def plan(self, template: str) -> Plan:
        """Return the plan; it is of use only when no error was noted."""
        steps = {name: self._step(name, step) for name, step in self.draft.steps.items()}
        order, rings = topological_order({name: step.waits_for for name, step in steps.items()})
        for ring in rings:
            self.draft.steps[ring[0]].place.error(f"these steps wait for each other: {' -> '.join([*ring, ring[0]])}")
        inputs = tuple(PlanInput(name, _spec(port.type), port.default) for name, port in self.draft.inputs.items())
        return Plan(template, inputs, tuple(self._outputs()), tuple(steps[name] for name in order))

    def _outputs(self) -> Iterator[PlanOutput]:
        for name, output in self.draft.outputs.items():
            source = self._source(output.source, output.place.at("outputSource"))
            if source is not None:
                self._check_flow(source, output.type, output.place, f'the output "{name}" is')
                yield PlanOutput(name, _spec(output.type), source)

    def _step(self, name: str, step: DraftStep) -> PlanStep:
        self._check_names(name, step)
        ports = step.process.inputs if step.process else {}
        inputs = [self._step_input(name, each, step.inputs.get(each), port) for each, port in ports.items()]
        outputs = {each: _spec(port.type) for each, port in step.process.outputs.items()} if step.process else {}
        given = tuple(each for each in inputs if each.source is not None or each.default is not None)
        return PlanStep(name, step.job_type or "", given, outputs, tuple(step.out))

    def _check_names(self, name: str, step: DraftStep) -> None:
        """Check that what the step runs has the inputs and outputs that the step names."""
        process = step.process
        for each, draft in step.inputs.items():
            if process is None or each not in process.inputs:
                self._source(draft.source, draft.place.at("source"))
            if process is not None and each not in process.inputs:
                draft.place.error(f'what the step "{name}" runs has no input "{each}"{nearest(each, process.inputs)}')
        for each, place in step.out.items():
            if process is not None and each not in process.outputs:
                place.error(f'what the step "{name}" runs has no output "{each}"{nearest(each, process.outputs)}')

    def _step_input(self, step: str, name: str, draft: DraftInput | None, port: Port) -> StepInput:
        """Tie an input that is declared to what the step gives for it."""
        source = self._source(draft.source, draft.place.at("source")) if draft else None
        default = _default(step, name, draft, port)
        place = draft.place if draft else self.draft.steps[step].place
        if source is not None:
            self._check_flow(source, port.type, place, f'the step "{step}" takes "{name}" as', default)
        elif default is None and port.type and not port.type.optional and self._is_missing(step, draft):
            place.error(f'the step "{step}" needs "{name}" ({port.type}): give it a source or a default')
        return StepInput(name, _spec(port.type), source, default)

    def _is_missing(self, step: str, draft: DraftInput | None) -> bool:
        """Tell whether the file gives an input nothing, rather than something wrong, which has been told."""
        return self.draft.steps[step].is_whole if draft is None else draft.place.value.get("source") is None

    def _source(self, written: str | None, place: Place) -> Source | None:
        """Return what a source names, or note that nothing has that name."""
        if written is None:
            return None
        if written in self.draft.inputs:
            return Source(workflow_input=written)
        name, _, output = written.partition("/")
        step = self.draft.steps.get(name)
        if step is not None and output in step.out:
            return Source(step=name, output=output)
        advice = self._advice(written, step, output) if len(place.findings.problems) < _MANY else ""
        place.error(f'nothing here is called "{written}"{advice}')
        return None

    def _advice(self, written: str, step: DraftStep | None, output: str) -> str:
        if step is None:
            return nearest(written, self._names)
        if step.process and output in step.process.outputs:
            return f': add {output} to "out" of that step'
        if not output:
            return f": name an output of that step, as in {written.rstrip('/')}/{next(iter(step.out), 'output')}"
        return nearest(written, self._names)

    def _check_flow(self, source: Source, sink: Type | None, place: Place, takes: str, default: Any = None) -> None:
        """Check that what a source gives may stand where it flows to."""
        gives = self._type_of(source)
        if gives is None or sink is None:
            return
        given = gives if default is None else gives.required
        if given.feeds(sink):
            return
        null_only = given.optional and given.required.feeds(sink)
        advice = ", which may be null: give a default, or make it optional on both sides" if null_only else ""
        place.error(f'{takes} {sink}, but "{source}" gives {gives}{advice}')

    def _type_of(self, source: Source) -> Type | None:
        if source.step is not None:
            return self.draft.steps[source.step].gives(source.output or "")
        port = self.draft.inputs[source.workflow_input or ""]
        return port.type if port.type is None or port.default is None else port.type.required


def _default(step: str, name: str, draft: DraftInput | None, port: Port) -> Any:
    """Return the value where the source gives nothing: the step's default, or that of what it runs."""
    if draft is None or draft.default is None:
        return port.default
    said = port.type.mismatch(draft.default) if port.type else None
    if said is not None:
        draft.place.at("default").error(f'the default of "{name}" in the step "{step}" does not fit: {said}')
    return draft.default


def _spec(kind: Type | None) -> Any:
    return kind.spec if kind is not None else None
