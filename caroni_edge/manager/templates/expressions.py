"""What the expressions of templates may be: references to `inputs` and `self`, and JavaScript where it is asked for."""

from dataclasses import replace
from functools import lru_cache

from caroni_edge.javascript.texts import (
    LIMIT_CHARACTERS,
    ExpressionProblem,
    JavaScript,
    Judge,
    Reference,
    Text,
    scanned,
)
from caroni_edge.values.json import shown

SCRIPT_LIMIT_CHARACTERS = 65_536
"""Longest expression where JavaScript is run."""

NAMES = ("inputs", "self")
_NO_JAVASCRIPT = (
    "JavaScript is not run here without InlineJavascriptRequirement: {} in the requirements of the workflow"
)
_EXAMPLE = """$(inputs.ship.name), $(inputs["any name"]) or $(inputs.list[0])"""


@lru_cache(maxsize=1024)
def compile_text(text: str, *, javascript: bool = False) -> Text:
    """Read a text of a template; one without expressions means itself.

    Args:
        text: The text.
        javascript: What is no reference is JavaScript, and references give what JavaScript would.

    Raises:
        ExpressionProblem: A reference is no good, or is JavaScript where there is to be none.
    """
    most = SCRIPT_LIMIT_CHARACTERS if javascript else LIMIT_CHARACTERS
    if len(text) > most:
        raise ExpressionProblem(f"an expression has {most} characters at most")
    judge: Judge = _with_javascript if javascript else _reference
    return scanned(text, judge)


def references(text: Text) -> frozenset[str]:
    """Return what a text reads: `self`, `inputs.NAME`, or `inputs` where it takes all of them.

    What JavaScript reads is not known: it may be all.
    """
    known = (_looks_at(part) for part in text.parts if isinstance(part, Reference) and part.root != "null")
    return frozenset([*known, *("inputs" for _ in text.scripts)])


def _with_javascript(found: Reference | JavaScript) -> Reference | JavaScript:
    if isinstance(found, JavaScript):
        return found
    _refuse_runtime(found)
    return replace(found, is_lenient=True) if found.is_over(NAMES) else found.as_javascript()


def _reference(found: Reference | JavaScript) -> Reference:
    if isinstance(found, JavaScript):
        raise ExpressionProblem(f"{shown(found.text)}: {_NO_JAVASCRIPT}; a reference is as {_EXAMPLE}")
    _refuse_runtime(found)
    if found.is_over(NAMES):
        return found
    if found.root in ("true", "false") or found.root.isdigit():
        said = f"{found.root} is a value and no reference: write {found.root} without $()"
        raise ExpressionProblem(f"{found.text}: {said}")
    raise ExpressionProblem(f"{found.text}: there are only `inputs` and `self`")


def _refuse_runtime(found: Reference) -> None:
    if found.root == "runtime":
        raise ExpressionProblem(f"{found.text}: `runtime` means nothing for a step")


def _looks_at(reference: Reference) -> str:
    if reference.root == "inputs" and reference.segments:
        return f"inputs.{reference.segments[0]}"
    return reference.root
