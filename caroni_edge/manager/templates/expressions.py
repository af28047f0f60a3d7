"""Expressions, as in `$(inputs.ship.name)`: a small evaluator that ends on every input.

They are what CWL v1.2 calls "Parameter references", alone or inside a text ("String interpolation", with its escapes).
JavaScript ("Expressions (Optional)") is not run.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.json import shown

LIMIT_CHARACTERS = 10_000
"""Longest expression. A text that one gives may have as many characters as the inputs of a job may have bytes."""

_SYMBOL = r"\w+"
_SEGMENT = re.compile(
    rf"""\.(?P<name>{_SYMBOL})|\[(?P<index>[0-9]{{1,9}})\]|\['(?P<single>(?:[^'\\]|\\['"])*)'\]|\["(?P<double>(?:[^"\\]|\\['"])*)"\]"""
)
_ROOT = re.compile(_SYMBOL)
_BEGIN = re.compile(r"\$[({]")
_NEXT = re.compile(r"\\\$[({]|\\\\|\$[({]")
_QUOTED = re.compile(r"\\(['\"])")
_NO_JAVASCRIPT = "JavaScript is not run here"
_EXAMPLE = """$(inputs.ship.name), $(inputs["any name"]) or $(inputs.list[0])"""

_CONSTANTS = ("true", "false")

Segment = str | int


class ExpressionProblem(ValueError):
    """An expression cannot be read, or has no value for these inputs; the text is for people."""


class JavaScriptFound(ExpressionProblem):
    """An expression is more than a parameter reference."""


@dataclass(frozen=True)
class Reference:
    """A reference to a value: `inputs` or `self`, and the fields and indices that lead into it."""

    text: str
    root: str
    segments: tuple[Segment, ...]

    def value(self, inputs: Mapping[str, Any], self_value: Any) -> Any:
        """Return the value that the reference leads to, by the algorithm in CWL v1.2, "Parameter references".

        Raises:
            ExpressionProblem: It leads nowhere.
        """
        value: Any = inputs if self.root == "inputs" else None if self.root == "null" else self_value
        for at, segment in enumerate(self.segments):
            is_last = at == len(self.segments) - 1
            if segment == "length" and is_last and isinstance(value, list):
                return len(value)
            value = _named(value, segment)
            if not _has(value, segment):
                raise ExpressionProblem(f"{self.text}: {shown(value)} has no {_said(segment)}")
            value = value[segment]
        return value


@dataclass(frozen=True)
class Expression:
    """A text in which references stand for values.

    Attributes:
        text: As it was written.
        parts: Texts and references, in order.
    """

    text: str
    parts: tuple[str | Reference, ...]

    def references(self) -> frozenset[str]:
        """Return what the expression reads: `self`, `inputs.NAME`, or `inputs` where it takes all of them."""
        return frozenset(_looks_at(part) for part in self.parts if isinstance(part, Reference) and part.root != "null")

    def value(self, inputs: Mapping[str, Any], self_value: Any = None) -> Any:
        """Return the value of the expression: of a reference that stands alone its value as it is, else a text.

        Args:
            inputs: Of the step, by name.
            self_value: What `self` is.

        Raises:
            ExpressionProblem: A reference leads nowhere.
        """
        values = (part.value(inputs, self_value) if isinstance(part, Reference) else part for part in self.parts)
        if len(self.parts) == 1:
            return next(values)
        text = ""
        for value in values:
            text += value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            if len(text) > VALUES_LIMIT_BYTES:
                raise ExpressionProblem(f"{shown(self.text)} gives more than {VALUES_LIMIT_BYTES} characters")
        return text


@lru_cache(maxsize=4096)
def compile_text(text: str) -> Expression:
    """Read a text that may hold references; one without any means itself.

    White space around the text does not count, where there is a reference in it.

    Raises:
        ExpressionProblem: A reference is no good, or is JavaScript.
    """
    if len(text) > LIMIT_CHARACTERS:
        raise ExpressionProblem(f"an expression has {LIMIT_CHARACTERS} characters at most")
    return Expression(text, tuple(_parts(text.strip())) if _BEGIN.search(text) else (text,))


def _parts(text: str) -> list[str | Reference]:
    parts: list[str | Reference] = []
    plain, at = "", 0
    while (found := _NEXT.search(text, at)) is not None:
        plain += text[at : found.start()]
        at = found.end()
        if found[0].startswith("\\"):
            plain += found[0][1:]
            continue
        if found[0] == "${":
            raise JavaScriptFound(f"{shown(text)}: {_NO_JAVASCRIPT}")
        if plain:
            parts.append(plain)
            plain = ""
        reference, at = _reference(text, found.start())
        parts.append(reference)
    plain += text[at:]
    if plain or not parts:
        parts.append(plain)
    return parts


def _reference(text: str, begin: int) -> tuple[Reference, int]:
    """Read the reference that begins there; return it, and where it ends."""
    at = begin + len("$(")
    root = _ROOT.match(text, at)
    at, segments = root.end() if root else at, []
    while root and (found := _SEGMENT.match(text, at)) is not None:
        segments.append(_segment(found))
        at = found.end()
    if root is None or text[at : at + 1] != ")":
        if ")" in text[at:]:
            raise JavaScriptFound(f"{shown(text[begin:])}: {_NO_JAVASCRIPT}; a reference is as {_EXAMPLE}")
        raise ExpressionProblem(f"{shown(text[begin:])}: its bracket is not closed")
    written = text[begin : at + 1]
    if root[0] == "runtime":
        raise ExpressionProblem(f"{written}: `runtime` means nothing for a step")
    if root[0] not in ("inputs", "self") and (root[0] != "null" or segments):
        if root[0] in _CONSTANTS or root[0].isdigit():
            raise JavaScriptFound(f"{written}: {root[0]} is a value and no reference: write {root[0]} without $()")
        raise ExpressionProblem(f"{written}: there are only `inputs` and `self`")
    return Reference(written, root[0], tuple(segments)), at + 1


def _segment(found: re.Match[str]) -> Segment:
    if found["index"] is not None:
        return int(found["index"])
    if found["name"] is not None:
        return found["name"]
    quoted = found["single"] if found["single"] is not None else found["double"]
    return _QUOTED.sub(r"\1", quoted)


def _looks_at(reference: Reference) -> str:
    if reference.root == "inputs" and reference.segments:
        return f"inputs.{reference.segments[0]}"
    return reference.root


def _has(value: object, segment: Segment) -> bool:
    if isinstance(segment, int):
        return isinstance(value, list | str) and segment < len(value)
    return isinstance(value, Mapping) and segment in value


def _named(value: Any, segment: Segment) -> Any:
    """Return a value with a part of its name where that is asked for and it is a file's (CWL v1.2, "File")."""
    if segment in ("nameroot", "nameext") and isinstance(value, Mapping) and value.get("class") == "File":
        basename = value.get("basename")
        if isinstance(basename, str):
            path = PurePath(basename)
            return {"nameroot": path.stem, "nameext": path.suffix, **value}
    return value


def _said(segment: Segment) -> str:
    return f"item {segment}" if isinstance(segment, int) else f"field {shown(segment)}"
