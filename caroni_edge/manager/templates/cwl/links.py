"""Finds the sources of each link, and checks that their types may flow where the link leads."""

from collections.abc import Callable
from typing import Any

from caroni_edge.documents.documents import nearest
from caroni_edge.manager.templates.cwl.drafts import DraftLink, DraftStep
from caroni_edge.manager.templates.cwl.flowtypes import merged, picked
from caroni_edge.manager.templates.cwl.ports import Port
from caroni_edge.manager.templates.cwl.reading import Names, Place
from caroni_edge.manager.templates.plan import Link, Source
from caroni_edge.values.types import Type

_MANY = 200
"""Problems of one file after which no nearest name is looked for: that takes time, and nobody reads so many."""


def tell_flow(place: Place, given: Type, sink: Type, words: str) -> None:
    """Say where values of one type may not, or may not all, stand where another one is asked for."""
    if given.feeds(sink):
        return
    null_only = given.optional and given.required.feeds(sink)
    advice = ", which may be null: give a default, or make it optional on both sides" if null_only else ""
    if given.may_feed(sink):
        place.warning(f"{words}{advice or ', of which some may not fit'}; that is checked when it is there")
    else:
        place.error(f"{words}{advice}")


class Links:
    """The links of one workflow."""

    def __init__(
        self,
        inputs: Names[Port],
        steps: Names[DraftStep],
        gives: Callable[[DraftStep, str], Type | None],
    ) -> None:
        """Look for sources among these inputs and steps; `gives` returns the type of a step's output."""
        self._inputs, self._steps, self._gives = inputs, steps, gives
        self._names = [*inputs, *(f"{name}/{output}" for name, step in steps.items() for output in step.out)]

    def read(self, draft: DraftLink) -> Link | None:
        """Return a link, or note which of its sources is not there."""
        if not draft.sources and draft.merge is None:
            return None
        place = draft.place.at(draft.field)
        found = [self._source(written, place) for written in draft.sources or ()]
        sources = tuple(source for source in found if source is not None)
        return (
            Link(sources, draft.merge, draft.pick) if len(sources) == len(found) and draft.sources is not None else None
        )

    def check(self, draft: DraftLink, sink: Type | None, takes: str, default: Any = None) -> None:
        """Check that what flows along a link may stand where it flows to."""
        gives = self.type_of(draft)
        if gives is None or sink is None:
            return
        given = gives if default is None else gives.required
        what = (
            f'"{draft.sources[0]}" gives' if draft.sources and not (draft.merge or draft.pick) else "its sources give"
        )
        tell_flow(draft.place, given, sink, f"{takes} {sink}, but {what} {gives}")

    def type_of(self, draft: DraftLink) -> Type | None:
        """Return the type of what flows along a link, if it is known."""
        kinds = [self._type(written) for written in draft.sources or ()]
        known = [kind for kind in kinds if kind is not None]
        if not known or len(known) < len(kinds):
            return None
        return picked(merged(known, draft.merge), draft.pick)

    def _type(self, written: str) -> Type | None:
        if (port := self._inputs.get(written)) is not None:
            return port.type if port.type is None or port.default is None else port.type.required
        name, _, output = written.partition("/")
        step = self._steps.get(name)
        return self._gives(step, output) if step and output in step.out else None

    def _source(self, written: str, place: Place) -> Source | None:
        """Return what a source names, or note that nothing has that name."""
        if written in self._inputs:
            return Source(workflow_input=written)
        name, _, output = written.partition("/")
        step = self._steps.get(name)
        if step is not None and output in step.out:
            return Source(step=name, output=output)
        if not self._is_all_known(step if step else self._steps if output else self._inputs):
            return None
        advice = self._advice(written, step, output) if len(place.findings.problems) < _MANY else ""
        place.error(f'nothing here is called "{written}"{advice}')
        return None

    def _is_all_known(self, there: DraftStep | Names[Any]) -> bool:
        """Tell whether what is not among the outputs of a step, the steps or the inputs is nowhere."""
        if not isinstance(there, DraftStep):
            return there.is_whole
        outputs = there.process.outputs if there.process else None
        return there.out.is_whole and (outputs is None or not outputs.is_whole or there.out.keys() <= outputs.keys())

    def _advice(self, written: str, step: DraftStep | None, output: str) -> str:
        if step is None:
            return nearest(written, self._names)
        if step.process and output in step.process.outputs:
            return f': add {output} to "out" of that step'
        if not output:
            return f": name an output of that step, as in {written.rstrip('/')}/{next(iter(step.out), 'output')}"
        return nearest(written, self._names)
