"""Checks the expressions of a step when its file is read, so that nothing is left to say when it runs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from caroni_edge.documents import nearest
from caroni_edge.manager.cwl.reading import Place
from caroni_edge.manager.expressions import Expression, ExpressionProblem, compile_text


@dataclass(frozen=True)
class Scope:
    """What expressions of a step may look at.

    Attributes:
        inputs: The names under "in".
        has_self: Whether `self` means something.
    """

    inputs: Collection[str]
    has_self: bool = False


def check_text(text: str, place: Place, scope: Scope) -> Expression | None:
    """Return an expression, or note what is wrong with it."""
    try:
        found = compile_text(text)
    except ExpressionProblem as problem:
        place.error(str(problem))
        return None
    is_good = True
    for reference in sorted(found.references()):
        name = reference.removeprefix("inputs.")
        if reference == "self" and not scope.has_self:
            place.error("`self` means something in valueFrom alone: name an input, as in $(inputs.name)")
            is_good = False
        elif reference != name and name not in scope.inputs:
            place.error(f'the step has no input "{name}" under "in"{nearest(name, scope.inputs)}')
            is_good = False
    return found if is_good else None


def looked_at(texts: Iterable[str | None], names: Iterable[str]) -> frozenset[str]:
    """Return which of the inputs with these names expressions look at."""
    found: set[str] = set()
    for text in texts:
        try:
            found |= compile_text(text).references() if text is not None else frozenset()
        except ExpressionProblem:
            continue  # told where it is checked
    return frozenset(name for name in names if "inputs" in found or f"inputs.{name}" in found)
