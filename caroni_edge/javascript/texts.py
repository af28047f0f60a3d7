"""Texts in which expressions stand, as CWL writes them: `$(…)` and `${…}`, parameter references or JavaScript.

What is a parameter reference ("Parameter references" in CWL v1.2) is worked out here; everything else is JavaScript,
for the engine. A text is only read here: nothing is run.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from caroni_edge.values.json import shown

LIMIT_CHARACTERS = 10_000
"""Longest text. What one gives may be longer, up to a bound of its own."""
GIVES_MAX_CHARACTERS = 48 * 1024

_NEXT = re.compile(r"\\\$[({]|\\\\|\$[({]")
_ROOT = re.compile(r"[A-Za-z_$]\w*")
_SEGMENT = re.compile(
    r"""\.(?P<name>\w+)|\[(?P<index>[0-9]{1,9})\]|\['(?P<single>(?:[^'\\]|\\['"])*)'\]|\["(?P<double>(?:[^"\\]|\\['"])*)"\]"""
)
_QUOTED = re.compile(r"\\(['\"])")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_CONSTANTS = frozenset({"null", "true", "false", "undefined", "NaN", "Infinity"})

Names = Mapping[str, Any]


class ExpressionProblem(ValueError):
    """An expression cannot be read, or has no value; the text is for people."""


@dataclass(frozen=True)
class Reference:
    """A parameter reference: a name, and the fields and items that lead into its value."""

    text: str
    root: str
    segments: tuple[str | int, ...]

    def value(self, names: Names) -> Any:
        """Return the value that it leads to.

        Raises:
            ExpressionProblem: It leads nowhere.
        """
        value: Any = names[self.root]
        for at, segment in enumerate(self.segments):
            if segment == "length" and at == len(self.segments) - 1 and isinstance(value, list):
                return len(value)
            found = _inside(value, segment)
            if not found:
                said = f"item {segment}" if isinstance(segment, int) else f"field {shown(segment)}"
                raise ExpressionProblem(f"{self.text}: {shown(value)} has no {said}")
            value = found[0]
        return value


@dataclass(frozen=True)
class JavaScript:
    """JavaScript that gives one value: `code` is an expression."""

    text: str
    code: str


@dataclass(frozen=True)
class Text:
    """A text in which expressions stand for values.

    Attributes:
        text: As it was written.
        parts: Plain texts and expressions, in order.
    """

    text: str
    parts: tuple[str | Reference | JavaScript, ...]

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The JavaScript in it, in order; each gives a value that `value` asks for."""
        return tuple(part.code for part in self.parts if isinstance(part, JavaScript))

    @property
    def is_plain(self) -> bool:
        """Whether there is no expression in it."""
        return all(isinstance(part, str) for part in self.parts)

    def value(self, names: Names, run: Callable[[str], Any]) -> Any:
        """Return what it gives: of an expression that stands alone the value as it is, else a text.

        Args:
            names: What expressions may read.
            run: Returns what the JavaScript in it gives, by its code.

        Raises:
            ExpressionProblem: A reference leads nowhere, or the text becomes too long.
        """
        values = [self._part(part, names, run) for part in self.parts]
        if len(values) == 1:
            return values[0]
        joined = "".join(
            each if isinstance(each, str) else json.dumps(each, ensure_ascii=False, sort_keys=True) for each in values
        )
        if len(joined) > GIVES_MAX_CHARACTERS:
            raise ExpressionProblem(f"{shown(self.text)} gives more than {GIVES_MAX_CHARACTERS} characters")
        return joined

    @staticmethod
    def _part(part: str | Reference | JavaScript, names: Names, run: Callable[[str], Any]) -> Any:
        match part:
            case Reference():
                return part.value(names)
            case JavaScript():
                return run(part.code)
        return part


def read_text(text: str, names: Collection[str]) -> Text:
    """Read a text that may hold expressions over these names; one without any means itself.

    White space around the text does not count, where there is an expression in it.

    Raises:
        ExpressionProblem: It is too long, an expression does not end, or a reference is to no such name.
    """
    if len(text) > LIMIT_CHARACTERS:
        raise ExpressionProblem(f"a text with expressions has {LIMIT_CHARACTERS} characters at most")
    if not re.search(r"\$[({]", text):
        return Text(text, (text,))
    return Text(text, tuple(_parts(text.strip(), names)))


def _parts(text: str, names: Collection[str]) -> Sequence[str | Reference | JavaScript]:
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
        end = _end_of(text, found.end() - 1)
        inner, written = text[found.end() : end], text[found.start() : end + 1]
        parts.append(_body(written, inner) if found[0] == "${" else _expression(written, inner.strip(), names))
        at = end + 1
    plain += text[at:]
    return [*parts, plain] if plain or not parts else parts


def _end_of(text: str, begin: int) -> int:
    """Return where the bracket that opens at `begin` is closed; brackets in quotes do not count."""
    open_brackets: list[str] = []
    at = begin
    while at < len(text):
        char = text[at]
        if char in "'\"`":
            at = _end_of_quote(text, at)
        elif char in _CLOSES:
            open_brackets.append(_CLOSES[char])
        elif char in ")]}":
            if char != open_brackets.pop():
                break
            if not open_brackets:
                return at
        at += 1
    raise ExpressionProblem(f"{shown(text[begin - 1 :])}: its bracket is not closed")


def _end_of_quote(text: str, begin: int) -> int:
    at = begin + 1
    while at < len(text) and text[at] != text[begin]:
        at += 2 if text[at] == "\\" else 1
    return at


def _body(written: str, inner: str) -> JavaScript:
    return JavaScript(written, f"(function () {{{inner}\n}})()")


def _expression(written: str, inner: str, names: Collection[str]) -> Reference | JavaScript:
    if not inner:
        raise ExpressionProblem(f"{written}: there is nothing in it")
    root = _ROOT.match(inner)
    at, segments = root.end() if root else 0, []
    while root and (found := _SEGMENT.match(inner, at)) is not None:
        segments.append(_segment(found))
        at = found.end()
    if root is None or at < len(inner) or root[0] in _CONSTANTS:
        return JavaScript(written, f"({inner}\n)")
    if root[0] not in names:
        raise ExpressionProblem(f"{written}: there are only {', '.join(sorted(names))}")
    return Reference(written, root[0], tuple(segments))


def _segment(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    if found["name"] is not None:
        return found["name"]
    return _QUOTED.sub(r"\1", found["single"] if found["single"] is not None else found["double"])


def _inside(value: object, segment: str | int) -> tuple[Any] | None:
    if isinstance(segment, int):
        return (value[segment],) if isinstance(value, list) and segment < len(value) else None
    return (value[segment],) if isinstance(value, Mapping) and segment in value else None
