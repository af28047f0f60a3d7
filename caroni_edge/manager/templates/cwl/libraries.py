"""Finds what JavaScript sees in each step: its requirement may stand on the step, on what it runs, or around both.

The innermost one counts (CWL v1.2, "Requirements and hints").
"""

from caroni_edge.manager.templates.cwl.drafts import DraftStep
from caroni_edge.manager.templates.cwl.expressions import FoundScript
from caroni_edge.manager.templates.cwl.hints import Library


class Libraries:
    """Those of one workflow, by their numbers in its plan."""

    def __init__(self, own: Library | None, scripts: list[FoundScript]) -> None:
        """Begin.

        Args:
            own: That of the workflow itself; None where there may be no JavaScript.
            scripts: Gets the texts of those that have a number.
        """
        self._own, self._scripts = own, scripts
        self._numbers: dict[Library, int] = {}

    def seen_by(self, step: DraftStep) -> Library | None:
        """Return what the expressions of a step see."""
        return self._own if step.library is None else step.library

    def of_step(self, step: DraftStep) -> int | None:
        """Return the number of what the expressions of a step see."""
        return self._number(self.seen_by(step))

    def of_tool(self, step: DraftStep) -> int | None:
        """Return the number of what the expression sees that a step runs."""
        own = step.process.library if step.process else None
        return self._number(self.seen_by(step) if own is None else own)

    def named(self) -> tuple[tuple[str, ...], ...]:
        """Return those that have a number."""
        return tuple(each.texts for each in self._numbers)

    def _number(self, library: Library | None) -> int | None:
        if library is None:
            return None
        if library not in self._numbers:
            self._numbers[library] = len(self._numbers)
            self._scripts += [FoundScript(text, text, library.place) for text in library.texts]
        return self._numbers[library]
