"""Texts in which expressions stand, as CWL writes them: `$(…)` and `${…}`, parameter references or JavaScript.

What CWL v1.2 calls "Parameter references" is worked out here, alone or inside a text ("String interpolation", with its
escapes), and ends on every input. What is more is JavaScript ("Expressions (Optional)"): it is found here, and run by
whoever is given.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from caroni_edge.values.files import parts_of_name
from caroni_edge.values.json import shown

LIMIT_CHARACTERS = 10_000
"""Longest text, where no other bound is named. What one gives may be longer, up to a bound of its own."""
GIVES_MAX_CHARACTERS = 48 * 1024

_BEGIN = re.compile(r"\$[({]")
_NEXT = re.compile(r"\\\$[({]|\\\\|\$[({]")
_ROOT = re.compile(r"\w+")
_SEGMENT = re.compile(
    r"""\.(?P<name>\w+)|\[(?P<index>[0-9]{1,9})\]|\['(?P<single>(?:[^'\\]|\\['"])*)'\]|\["(?P<double>(?:[^"\\]|\\['"])*)"\]"""
)
_QUOTED = re.compile(r"\\(['\"])")
_INDEX = re.compile(r"(0|[1-9][0-9]{0,8})\Z")
_CLOSING = {"(": ")", "{": "}"}
_CONSTANTS = frozenset({"null", "true", "false", "undefined", "NaN", "Infinity"})

Names = Mapping[str, Any]


class ExpressionProblem(ValueError):
    """An expression cannot be read, or has no value; the text is for people."""


class ScriptDue(Exception):
    """There is JavaScript in a text, and nobody was given who runs that."""


@dataclass(frozen=True)
class JavaScript:
    """JavaScript that gives one value.

    Attributes:
        text: As it was written.
        code: An expression that gives the value.
    """

    text: str
    code: str

    @property
    def body(self) -> str:
        """The body of a function that returns the value."""
        return f"return {self.code};"


@dataclass(frozen=True)
class Reference:
    """A parameter reference: a name, and the fields and items that lead into its value.

    Attributes:
        text: As it was written.
        root: The name; `null` alone is null.
        segments: The fields and items.
        is_lenient: It has the value that JavaScript would give it: what is missing is null, and leads nowhere.
    """

    text: str
    root: str
    segments: tuple[str | int, ...]
    is_lenient: bool = False

    def is_over(self, names: Collection[str]) -> bool:
        """Tell whether it begins with one of these names, or is null."""
        return self.root in names or (self.root == "null" and not self.segments)

    def as_javascript(self) -> JavaScript:
        """Return the same for the engine."""
        return _javascript(self.text)

    def value(self, names: Names) -> Any:
        """Return the value that it leads to, by the algorithm in CWL v1.2, "Parameter references".

        Raises:
            ExpressionProblem: It leads nowhere.
        """
        value: Any = None if self.root == "null" else names[self.root]
        for at, segment in enumerate(self.segments):
            if segment in ("nameroot", "nameext") and isinstance(value, Mapping):
                value = {**parts_of_name(value), **value}
            if self.is_lenient and value is not None:
                value = _in_javascript(value, segment)
                continue
            if segment == "length" and at == len(self.segments) - 1 and isinstance(value, list):
                return len(value)
            if not _has(value, segment):
                said = f"item {segment}" if isinstance(segment, int) else f"field {shown(segment)}"
                raise ExpressionProblem(f"{self.text}: {shown(value)} has no {said}")
            value = value[segment]
        return value


Run = Callable[[JavaScript], Any]
"""Runs JavaScript, and returns what it gives.

Raises:
    ExpressionProblem: It gives nothing.
"""

Judge = Callable[[Reference | JavaScript], Reference | JavaScript]
"""Returns what an expression is to be where it stands.

Raises:
    ExpressionProblem: It may not stand there.
"""


@dataclass(frozen=True)
class Text:
    """A text in which references, and what JavaScript gives, stand for values.

    Attributes:
        text: As it was written.
        parts: Plain texts and expressions, in order.
    """

    text: str
    parts: tuple[str | Reference | JavaScript, ...]

    @cached_property
    def scripts(self) -> tuple[JavaScript, ...]:
        """What of it is JavaScript, in order."""
        return tuple(part for part in self.parts if isinstance(part, JavaScript))

    @property
    def is_plain(self) -> bool:
        """Whether there is no expression in it."""
        return all(isinstance(part, str) for part in self.parts)

    def value(self, names: Names, run: Run | None = None) -> Any:
        """Return what it gives: of an expression that stands alone the value as it is, else a text.

        Args:
            names: What references lead into.
            run: Runs the JavaScript in it; None where nobody does.

        Raises:
            ExpressionProblem: A reference leads nowhere, JavaScript gives nothing, or the text becomes too long.
            ScriptDue: There is JavaScript in it, and nobody runs it.
        """
        if run is None and self.scripts:
            raise ScriptDue(self.text)
        values = (_value_of(part, names, run) for part in self.parts)
        if len(self.parts) == 1:
            return next(values)
        joined = ""
        for value in values:
            joined += value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            if len(joined) > GIVES_MAX_CHARACTERS:
                raise ExpressionProblem(f"{shown(self.text)} gives more than {GIVES_MAX_CHARACTERS} characters")
        return joined


def read_text(text: str, names: Collection[str]) -> Text:
    """Read a text that may hold references to these names, and JavaScript; one without any means itself.

    Raises:
        ExpressionProblem: It is too long, an expression does not end, or a reference is to no such name.
    """
    if len(text) > LIMIT_CHARACTERS:
        raise ExpressionProblem(f"a text with expressions has {LIMIT_CHARACTERS} characters at most")

    def judge(found: Reference | JavaScript) -> Reference | JavaScript:
        if isinstance(found, JavaScript) or found.is_over(names):
            return found
        if found.root not in _CONSTANTS and not found.root[0].isdigit():
            raise ExpressionProblem(f"{found.text}: there are only {', '.join(sorted(names))}")
        return found.as_javascript()

    return scanned(text, judge)


def scanned(text: str, judge: Judge) -> Text:
    """Find the expressions in a text; white space around it does not count, where there is one.

    What has the form of a reference is one at first, whatever it begins with; everything else is JavaScript.

    Raises:
        ExpressionProblem: An expression does not end, is empty, or is refused by `judge`.
    """
    if not _BEGIN.search(text):
        return Text(text, (text,))
    parts: list[str | Reference | JavaScript] = []
    stripped, plain, at = text.strip(), "", 0
    while (found := _NEXT.search(stripped, at)) is not None:
        plain += stripped[at : found.start()]
        at = found.end()
        if found[0].startswith("\\"):
            plain += found[0][1:]
            continue
        if plain:
            parts.append(plain)
            plain = ""
        at = _end(stripped, found.end() - 1)
        parts.append(_judged(stripped[found.start() : at], judge))
    plain += stripped[at:]
    return Text(text, tuple([*parts, plain] if plain or not parts else parts))


def _judged(written: str, judge: Judge) -> Reference | JavaScript:
    part = judge(_reference(written) or _javascript(written))
    if isinstance(part, JavaScript) and written.startswith("$(") and not written[2:-1].strip():
        raise ExpressionProblem(f"{written}: there is nothing in it")
    return part


def _reference(written: str) -> Reference | None:
    """Return what has the form of a reference."""
    root = _ROOT.match(written, len("$(")) if written.startswith("$(") else None
    at, segments = root.end() if root else 0, []
    while root and (found := _SEGMENT.match(written, at)) is not None:
        segments.append(_segment(found))
        at = found.end()
    return Reference(written, root[0], tuple(segments)) if root and at == len(written) - 1 else None


def _javascript(written: str) -> JavaScript:
    inner = written[2:-1]
    code = f"({inner.strip()}\n)" if written.startswith("$(") else f"(function () {{{inner}\n}})()"
    return JavaScript(written, code)


def _end(text: str, begin: int) -> int:
    """Return where the bracket ends that begins there: as CWL runners look for it, with quotes and no more.

    A text in backticks is quoted too: later JavaScript than what CWL names has them.
    """
    opening = text[begin]
    closing, depth, at = _CLOSING[opening], 0, begin
    while at < len(text):
        letter = text[at]
        if letter in "'\"`":
            at = _end_of_quoted(text, at)
        elif letter == opening:
            depth += 1
        elif letter == closing:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise ExpressionProblem(f"{shown(text[begin - 1 :])}: its bracket is not closed")


def _end_of_quoted(text: str, begin: int) -> int:
    at = begin + 1
    while at < len(text) and text[at] != text[begin]:
        at += 2 if text[at] == "\\" else 1
    return at


def _value_of(part: str | Reference | JavaScript, names: Names, run: Run | None) -> Any:
    match part:
        case Reference():
            return part.value(names)
        case JavaScript() if run is not None:
            return run(part)
        case _:
            return part


def _segment(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    if found["name"] is not None:
        return found["name"]
    return _QUOTED.sub(r"\1", found["single"] if found["single"] is not None else found["double"])


def _has(value: object, segment: str | int) -> bool:
    if isinstance(segment, int):
        return isinstance(value, list | str) and segment < len(value)
    return isinstance(value, Mapping) and segment in value


def _in_javascript(value: Any, segment: str | int) -> Any:
    """Return what JavaScript finds in a value that is not null; None for `undefined`."""
    if isinstance(value, Mapping):
        return value.get(str(segment))
    if not isinstance(value, list | str):
        return None
    if segment == "length":
        return len(value) if isinstance(value, list) else len(value.encode("utf-16-le")) // 2
    at = int(segment) if isinstance(segment, int) or _INDEX.match(segment) else len(value)
    return value[at] if at < len(value) else None
