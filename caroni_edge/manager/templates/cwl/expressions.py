"""Checks the expressions of a step when its file is read, so that mistakes are found before it runs."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from caroni_edge.documents.documents import nearest
from caroni_edge.javascript.texts import ExpressionProblem, JavaScript, Reference, Text
from caroni_edge.manager.templates.cwl.reading import Place
from caroni_edge.manager.templates.expressions import compile_text, references
from caroni_edge.values.types import NULL, STRING, Type


class FoundScript(NamedTuple):
    """JavaScript in a template.

    Attributes:
        text: As it is written.
        body: Of the function that is run.
        place: Where it stands.
    """

    text: str
    body: str
    place: Place


@dataclass(frozen=True)
class Scope:
    """What an expression of a step may read.

    Attributes:
        inputs: The names under "in".
        has_self: Whether `self` means something.
        javascript: Whether it may be JavaScript.
        scripts: Gets the JavaScript that is found.
    """

    inputs: Collection[str]
    scripts: list[FoundScript]
    javascript: bool = False
    has_self: bool = False


def check_text(text: str, place: Place, scope: Scope) -> Text | None:
    """Return an expression, or note what is wrong with it."""
    try:
        found = compile_text(text, javascript=scope.javascript)
    except ExpressionProblem as problem:
        place.error(str(problem))
        return None
    scope.scripts.extend(FoundScript(script.text, script.body, place) for script in found.scripts)
    is_good = True
    for reference in sorted(references(found)):
        name = reference.removeprefix("inputs.")
        if reference == "self" and not scope.has_self:
            place.error("`self` means something in valueFrom alone: name an input, as in $(inputs.name)")
            is_good = False
        elif reference != name and name not in scope.inputs:
            place.error(f'the step has no input "{name}" under "in"{nearest(name, scope.inputs)}')
            is_good = False
    return found if is_good else None


def check_tool(expression: tuple[str, Place], scope: Scope) -> None:
    """Note what is wrong with the expression of an ExpressionTool."""
    text, place = expression
    found = check_text(text, place, scope)
    if found is not None and (len(found.parts) > 1 or isinstance(found.parts[0], str)):
        place.error('"expression" is one that gives an object, as in "${return {sum: 3};}": what it is here is a text')


def looked_at(texts: Iterable[str | None], names: Collection[str], *, javascript: bool) -> frozenset[str]:
    """Return which inputs these expressions read; all, where one of them cannot be read itself."""
    found: set[str] = set()
    for text in texts:
        try:
            found |= references(compile_text(text, javascript=javascript)) if text is not None else frozenset()
        except ExpressionProblem:  # told where it is checked; what it was to look at, nobody knows
            return frozenset(names)
    looked = {name.removeprefix("inputs.") for name in found if name.startswith("inputs.")}
    return frozenset(names if "inputs" in found or not looked <= set(names) else looked)


def type_of(expression: Text, type_of_input: Callable[[str], Type | None]) -> Type | None:
    """Return the type of what an expression gives, if it is known; `type_of_input` returns that of an input."""
    if len(expression.parts) != 1:
        return STRING
    (part,) = expression.parts
    if isinstance(part, JavaScript):
        return None
    if not isinstance(part, Reference):
        return STRING
    if part.root == "null":
        return NULL
    name = str(part.segments[0]) if len(part.segments) == 1 else None
    return type_of_input(name) if name is not None and part.root == "inputs" else None
