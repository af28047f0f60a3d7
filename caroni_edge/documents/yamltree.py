"""YAML text as plain data, with the line of every value.

Scalars follow YAML 1.2: `yes`, `on` and dates are strings, `012` is twelve. What JSON could not hold is refused, and so
is what could hurt the reader: tags, endless aliases, levels without end.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

DEPTH_MAX = 64
"""Levels of lists and objects inside each other; nobody writes that many by hand."""

EXPANDED_MAX = 4 << 20
"""Values plus characters of a document once its aliases are written out; stops alias bombs."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_DIGITS_MAX = 400
_TAG_DIRECTIVE = re.compile(r"\ufeff?(?:(?:[ \t]*#|%(?!TAG))[^\r\n]*[\r\n]|[ \t]*[\r\n])*%TAG")
"""Before a document come comments, empty lines and directives."""


class YamlRefused(ValueError):
    """The text is no YAML, or one that is refused: it has what JSON has not, or what hurts the reader."""

    def __init__(self, what: str, line: int | None) -> None:
        """Say what is wrong, and in which line (from 1) if that is known."""
        super().__init__(what)
        self.what = what
        self.line = line


@dataclass(frozen=True)
class Tree:
    """What a YAML text says, as plain values, and where it says it.

    Attributes:
        value: None, bool, int, float, str, list or dict with string keys; aliases share their objects.
        line: Where it begins, from 1.
        lines: For each list and object, by its `id`: itself, and the line of each item or key.
    """

    value: Any
    line: int
    lines: dict[int, tuple[Any, dict[Hashable, int]]]


def read_tree(text: str) -> Tree:
    """Read YAML text.

    Raises:
        YamlRefused: With the first place that is wrong.
    """
    _refuse_tag_directives(text)
    builder = _Builder()
    try:
        parser = _Parser(text)
        try:
            while parser.check_event():
                builder.take(parser.get_event())
        finally:
            parser.dispose()
    except yaml.MarkedYAMLError as error:
        raise _syntax(error) from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise YamlRefused("is no YAML: control characters are not allowed", line) from None
    except UnicodeEncodeError as error:
        raise YamlRefused("holds half a surrogate pair", text.count("\n", 0, error.start) + 1) from None
    return Tree(builder.value, builder.line, builder.lines)


def _refuse_tag_directives(text: str) -> None:
    """Refuse `%TAG`, which no document without tags needs: the parser compares each with all before it.

    Raises:
        YamlRefused: There is one before the document begins.
    """
    if found := _TAG_DIRECTIVE.match(text):
        line = text.count("\n", 0, found.end()) + 1
        raise YamlRefused("the directive %TAG is not taken; write plain values", line)


def _syntax(error: yaml.MarkedYAMLError) -> YamlRefused:
    """Return the parser's complaint, in our words where those help more."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    begun, mark = error.context_mark, error.problem_mark or error.context_mark
    if begun and mark and begun.line != mark.line:
        said += f" (it begins in line {begun.line + 1})"
    if "flow" in said:
        said += "; inside {…} and […], words with brackets, a comma or a question mark need quotes"
    return YamlRefused(f"is no YAML: {said}", mark.line + 1 if mark else None)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _wrong(event: yaml.Event, what: str) -> YamlRefused:
    return YamlRefused(what, _line(event))


@dataclass
class _Open:
    """A list or an object that is being read."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    lines: dict[Hashable, int] = field(default_factory=dict)
    key: str | None = None
    size: int = 1


class _Builder:
    """Makes values of parser events, without recursion and without PyYAML's own ideas of what a scalar is."""

    def __init__(self) -> None:
        self.value: Any = None
        self.line = 1
        self.lines: dict[int, tuple[Any, dict[Hashable, int]]] = {}
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int] | None] = {}

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the parser."""
        match event:
            case yaml.ScalarEvent():
                value = self._scalar(event)
                size = 1 + (len(value) if isinstance(value, str) else 0)
                self._remember(event.anchor, (value, size))
                self._put(value, size, event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)
            case yaml.AliasEvent():
                value, size = self._alias(event)
                self._put(value, size, event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _wrong(event, "a second document begins here; one file holds one")

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag not in {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}:
            raise _wrong(event, f"the tag {event.tag} is not taken; write plain values")
        if len(self._open) >= DEPTH_MAX:
            raise _wrong(event, f"more than {DEPTH_MAX} levels inside each other")
        self._expect_value(event)
        self._remember(event.anchor, None)
        value: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._note_line(event)
        self._open.append(_Open(value, event.anchor))

    def _end(self, event: yaml.Event) -> None:
        done = self._open.pop()
        self.lines[id(done.value)] = (done.value, done.lines)
        self._remember(done.anchor, (done.value, done.size))
        self._place(done.value, done.size, event)

    def _put(self, value: Any, size: int, event: yaml.Event) -> None:
        """Take a scalar or an alias for a key or for a value, whichever its parent waits for."""
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            parent.key = self._key(parent, value, event)
            parent.lines[parent.key] = _line(event)
            return
        self._note_line(event)
        self._place(value, size, event)

    def _place(self, value: Any, size: int, event: yaml.Event) -> None:
        """Add a finished value to the list or the object that it stands in."""
        if not self._open:
            self.value = value
            return
        parent = self._open[-1]
        parent.size += size
        if parent.size > EXPANDED_MAX:
            raise _wrong(event, "becomes too large once its aliases are written out")
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None

    def _note_line(self, event: yaml.Event) -> None:
        """Keep the line of the root or of a list's item; a value in an object has the line of its key."""
        if not self._open:
            self.line = _line(event)
        elif isinstance(parent := self._open[-1].value, list):
            self._open[-1].lines[len(parent)] = _line(event)

    def _expect_value(self, event: yaml.Event) -> None:
        if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            raise _wrong(event, "a key must be a plain word or a quoted string")

    def _key(self, parent: _Open, value: Any, event: yaml.Event) -> str:
        if not isinstance(value, str):
            written = event.value if isinstance(event, yaml.ScalarEvent) else value
            raise _wrong(event, f'the key {written} is no string; write it in quotes: "{written}"')
        if value in parent.value:
            raise _wrong(event, f'the key "{value}" is there twice, first in line {parent.lines[value]}')
        if value == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            raise _wrong(event, "merge keys (<<) are not taken; write the fields out")
        return value

    def _remember(self, anchor: str | None, value: tuple[Any, int] | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value

    def _alias(self, event: yaml.AliasEvent) -> tuple[Any, int]:
        if event.anchor not in self._anchors:
            raise _wrong(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        known = self._anchors[event.anchor]
        if known is None:
            raise _wrong(event, f"the alias *{event.anchor} stands inside what it names")
        return known

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if event.tag in {"!", "tag:yaml.org,2002:str"} or (event.tag is None and not event.implicit[0]):
            return event.value
        if event.tag is not None:
            raise _wrong(event, f"the tag {event.tag} is not taken; write plain values")
        try:
            return _plain(event.value)
        except ValueError as error:
            raise _wrong(event, str(error)) from None


def _plain(text: str) -> bool | int | float | str | None:
    """Return what a scalar without quotes means (YAML 1.2, core schema)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return _number(text) if text[0] in "+-.0123456789" else text


def _number(text: str) -> int | float | str:
    """Return the number that `text` is, or `text` where it only begins like one (a date, a version)."""
    if _NOT_A_NUMBER.match(text):
        raise ValueError(f"{text} is no number that JSON has")
    is_float = _FLOAT.match(text)
    is_int = _INT.match(text) or _BASED_INT.match(text)
    if not (is_float or is_int):
        return text
    if len(text) > _DIGITS_MAX:
        raise ValueError("this number has too many digits; write it in quotes if it is meant as text")
    if is_int:
        return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"{text} is too large for a number")
    return number
