"""Expressions, as in `$(inputs.ship.name)`: a small evaluator that ends on every input.

They are what CWL v1.2 calls "Parameter references", alone or inside a text ("String interpolation", with its escapes).
What is more than that is JavaScript ("Expressions (Optional)"): it is found here, and run by whoever is given.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.json import shown

LIMIT_CHARACTERS = 10_000
"""Longest expression. A text that one gives may have as many characters as the inputs of a job may have bytes."""

SCRIPT_LIMIT_CHARACTERS = 65_536
"""Longest expression where JavaScript is run."""

_SYMBOL = r"\w+"
_SEGMENT = re.compile(
    rf"""\.(?P<name>{_SYMBOL})|\[(?P<index>[0-9]{{1,9}})\]|\['(?P<single>(?:[^'\\]|\\['"])*)'\]|\["(?P<double>(?:[^"\\]|\\['"])*)"\]"""
)
_ROOT = re.compile(_SYMBOL)
_INDEX = re.compile(r"(0|[1-9][0-9]{0,8})\Z")
_BEGIN = re.compile(r"\$[({]")
_NEXT = re.compile(r"\\\$[({]|\\\\|\$[({]")
_QUOTED = re.compile(r"\\(['\"])")
_NO_JAVASCRIPT = (
    "JavaScript is not run here without InlineJavascriptRequirement: {} in the requirements of the workflow"
)
_EXAMPLE = """$(inputs.ship.name), $(inputs["any name"]) or $(inputs.list[0])"""

_CONSTANTS = ("true", "false")
_CLOSING = {"(": ")", "{": "}"}
_NOT_CLOSED = "its bracket is not closed"
_NO_RUNTIME = "`runtime` means nothing for a step"

Segment = str | int


class ExpressionProblem(ValueError):
    """An expression cannot be read, or has no value for these inputs; the text is for people."""


class ScriptDue(Exception):
    """An expression has JavaScript in it, and nobody was given who runs that."""


@dataclass(frozen=True)
class JavaScript:
    """A part of an expression that is JavaScript.

    Attributes:
        text: As it was written.
        body: Of the function that gives the value; it sees `inputs` and `self`.
    """

    text: str
    body: str


Run = Callable[[JavaScript, Mapping[str, Any], Any], Any]
"""Runs JavaScript with these `inputs` and this `self`, and returns what it gives.

Raises:
    ExpressionProblem: It gives nothing.
"""


@dataclass(frozen=True)
class Reference:
    """A reference to a value: `inputs` or `self`, and the fields and indices that lead into it.

    Attributes:
        text: As it was written.
        root: What it begins with.
        segments: The fields and indices.
        is_lenient: It has the value that JavaScript would give it: what is missing is null, and leads nowhere.
    """

    text: str
    root: str
    segments: tuple[Segment, ...]
    is_lenient: bool = False

    def value(self, inputs: Mapping[str, Any], self_value: Any) -> Any:
        """Return the value that the reference leads to, by the algorithm in CWL v1.2, "Parameter references".

        Raises:
            ExpressionProblem: It leads nowhere.
        """
        value: Any = inputs if self.root == "inputs" else None if self.root == "null" else self_value
        for at, segment in enumerate(self.segments):
            is_last = at == len(self.segments) - 1
            value = _named(value, segment)
            if self.is_lenient and value is not None:
                value = _in_javascript(value, segment)
                continue
            if segment == "length" and is_last and isinstance(value, list):
                return len(value)
            if not _has(value, segment):
                raise ExpressionProblem(f"{self.text}: {shown(value)} has no {_said(segment)}")
            value = value[segment]
        return value


@dataclass(frozen=True)
class Expression:
    """A text in which references, and what JavaScript gives, stand for values.

    Attributes:
        text: As it was written.
        parts: Texts, references and JavaScript, in order.
    """

    text: str
    parts: tuple[str | Reference | JavaScript, ...]

    @property
    def scripts(self) -> tuple[JavaScript, ...]:
        """What of it is JavaScript."""
        return tuple(part for part in self.parts if isinstance(part, JavaScript))

    def references(self) -> frozenset[str]:
        """Return what the expression reads: `self`, `inputs.NAME`, or `inputs` where it takes all of them.

        What JavaScript reads is not known: it may be all.
        """
        known = (_looks_at(part) for part in self.parts if isinstance(part, Reference) and part.root != "null")
        return frozenset([*known, *("inputs" for _ in self.scripts)])

    def value(self, inputs: Mapping[str, Any], self_value: Any = None, run: Run | None = None) -> Any:
        """Return the value of the expression: of a part that stands alone its value as it is, else a text.

        Args:
            inputs: Of the step, by name.
            self_value: What `self` is.
            run: Runs JavaScript; None where nobody does.

        Raises:
            ExpressionProblem: A reference leads nowhere, or JavaScript gives nothing.
            ScriptDue: There is JavaScript in it, and nobody runs it.
        """
        if run is None and self.scripts:
            raise ScriptDue(self.text)
        values = (_value_of(part, inputs, self_value, run) for part in self.parts)
        if len(self.parts) == 1:
            return next(values)
        text = ""
        for value in values:
            text += value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            if len(text) > VALUES_LIMIT_BYTES:
                raise ExpressionProblem(f"{shown(self.text)} gives more than {VALUES_LIMIT_BYTES} characters")
        return text


@lru_cache(maxsize=1024)
def compile_text(text: str, *, javascript: bool = False) -> Expression:
    """Read a text that may hold references; one without any means itself.

    White space around the text does not count, where there is a reference in it.

    Args:
        text: The text.
        javascript: What is no reference is JavaScript.

    Raises:
        ExpressionProblem: A reference is no good, or is JavaScript where there is to be none.
    """
    most = SCRIPT_LIMIT_CHARACTERS if javascript else LIMIT_CHARACTERS
    if len(text) > most:
        raise ExpressionProblem(f"an expression has {most} characters at most")
    parts = _parts(text.strip(), javascript=javascript) if _BEGIN.search(text) else (text,)
    return Expression(text, tuple(parts))


def _parts(text: str, *, javascript: bool) -> list[str | Reference | JavaScript]:
    parts: list[str | Reference | JavaScript] = []
    plain, at = "", 0
    while (found := _NEXT.search(text, at)) is not None:
        plain += text[at : found.start()]
        at = found.end()
        if found[0].startswith("\\"):
            plain += found[0][1:]
            continue
        if plain:
            parts.append(plain)
            plain = ""
        part, at = (_script if javascript else _reference)(text, found.start())
        parts.append(part)
    plain += text[at:]
    if plain or not parts:
        parts.append(plain)
    return parts


def _script(text: str, begin: int) -> tuple[Reference | JavaScript, int]:
    """Read what begins there, which may be more than a reference; return it, and where it ends."""
    found, at = _path(text, begin)
    if found is not None and (found.root in ("inputs", "self") or (found.root == "null" and not found.segments)):
        return replace(found, is_lenient=True), at
    if found is not None and found.root == "runtime":
        raise ExpressionProblem(f"{found.text}: {_NO_RUNTIME}")
    end = _end(text, begin + 1)
    written = text[begin:end]
    return JavaScript(written, f"return {written[1:]};" if written[1] == "(" else written[2:-1]), end


def _reference(text: str, begin: int) -> tuple[Reference, int]:
    """Read the reference that begins there; return it, and where it ends."""
    found, at = _path(text, begin)
    if found is None:
        if text[begin + 1] == "{" or ")" in text[begin:]:
            raise ExpressionProblem(f"{shown(text[begin:])}: {_NO_JAVASCRIPT}; a reference is as {_EXAMPLE}")
        raise ExpressionProblem(f"{shown(text[begin:])}: {_NOT_CLOSED}")
    if found.root == "runtime":
        raise ExpressionProblem(f"{found.text}: {_NO_RUNTIME}")
    if found.root not in ("inputs", "self") and (found.root != "null" or found.segments):
        if found.root in _CONSTANTS or found.root.isdigit():
            said = f"{found.root} is a value and no reference: write {found.root} without $()"
            raise ExpressionProblem(f"{found.text}: {said}")
        raise ExpressionProblem(f"{found.text}: there are only `inputs` and `self`")
    return found, at


def _path(text: str, begin: int) -> tuple[Reference | None, int]:
    """Read what has the form of a reference, whatever it begins with; None where that is something else."""
    at = begin + len("$(")
    root = _ROOT.match(text, at) if text[begin + 1] == "(" else None
    at, segments = root.end() if root else at, []
    while root and (found := _SEGMENT.match(text, at)) is not None:
        segments.append(_segment(found))
        at = found.end()
    if root is None or text[at : at + 1] != ")":
        return None, begin
    return Reference(text[begin : at + 1], root[0], tuple(segments)), at + 1


def _end(text: str, begin: int) -> int:
    """Return where the bracket ends that begins there: as CWL runners look for it, with quotes and no more."""
    opening = text[begin]
    closing, depth, at = _CLOSING[opening], 0, begin
    while at < len(text):
        letter = text[at]
        if letter in "'\"":
            at = _end_of_quoted(text, at)
        elif letter == opening:
            depth += 1
        elif letter == closing:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise ExpressionProblem(f"{shown(text[begin - 1 :])}: {_NOT_CLOSED}")


def _end_of_quoted(text: str, begin: int) -> int:
    at = begin + 1
    while at < len(text) and text[at] != text[begin]:
        at += 2 if text[at] == "\\" else 1
    return at


def _value_of(part: str | Reference | JavaScript, inputs: Mapping[str, Any], self_value: Any, run: Run | None) -> Any:
    match part:
        case Reference():
            return part.value(inputs, self_value)
        case JavaScript() if run is not None:
            return run(part, inputs, self_value)
        case _:
            return part


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


def with_names_of_files(value: Any) -> Any:
    """Return a value in which each file has the parts of its name, `nameroot` and `nameext` (CWL v1.2, "File")."""
    if isinstance(value, list):
        return [with_names_of_files(each) for each in value]
    if isinstance(value, Mapping):
        return {**_parts_of_name(value), **{key: with_names_of_files(each) for key, each in value.items()}}
    return value


def _named(value: Any, segment: Segment) -> Any:
    """Return a value with a part of its name where that is asked for and it is a file's."""
    if segment in ("nameroot", "nameext") and isinstance(value, Mapping):
        return {**_parts_of_name(value), **value}
    return value


def _parts_of_name(value: Mapping[str, Any]) -> dict[str, str]:
    basename = value.get("basename") if value.get("class") == "File" else None
    if not isinstance(basename, str):
        return {}
    path = PurePath(basename)
    return {"nameroot": path.stem, "nameext": path.suffix}


def _in_javascript(value: Any, segment: Segment) -> Any:
    """Return what JavaScript finds in a value that is not null; None for `undefined`."""
    if isinstance(value, Mapping):
        return value.get(str(segment))
    if not isinstance(value, list | str):
        return None
    if segment == "length":
        return len(value) if isinstance(value, list) else len(value.encode("utf-16-le")) // 2
    at = int(segment) if isinstance(segment, int) or _INDEX.match(segment) else len(value)
    return value[at] if at < len(value) else None


def _said(segment: Segment) -> str:
    return f"item {segment}" if isinstance(segment, int) else f"field {shown(segment)}"
