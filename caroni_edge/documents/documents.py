"""YAML files whose every value knows its line.

Templates, job types and configuration are read through here, so that each complaint can name a file and a line.
"""

import difflib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from caroni_edge.base.errors import CaroniError
from caroni_edge.documents.yamltree import YamlRefused, read_tree

LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint about a file.

    Attributes:
        where: File and line, as in `templates/a.cwl:12`.
        what: What is wrong, and what would be right.
        warning: The file can be used all the same.
        needs: What is not served yet, in a word or two, for which this is an error; empty for a mistake.
    """

    where: str
    what: str
    warning: bool = False
    needs: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {'warning: ' if self.warning else ''}{self.what}"


class Problems(CaroniError):
    """{listing}"""  # noqa: D415 - the sentences come with their own ends

    hint: ClassVar[str] = "`caroni-edge check-config FILE` checks the file again."
    exit_status: ClassVar[int] = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, sorted by file and line."""
        self.problems = in_order(problems)
        super().__init__("", listing="\n".join(map(str, self.problems)))


class Origin(NamedTuple):
    """Where a list or an object was written.

    Attributes:
        path: The file.
        lines: The line of each item or key.
        value: The list or object itself, which is so kept: no other one can get its `id`.
    """

    path: Path
    lines: Mapping[Hashable, int]
    value: Any


@dataclass(frozen=True)
class Document:
    """A YAML file as plain JSON-like data; not to be changed, since aliases share their objects.

    Attributes:
        path: The file, as it was named.
        value: None, bool, int, float, str, list or dict with string keys.
        text: What the file says.
        line: Where the value begins, from 1.
        origins: Where each list and object in it was written, by its `id`.
    """

    path: Path
    value: Any
    text: str = field(default="", repr=False)
    line: int = 1
    origins: Mapping[int, Origin] = field(default_factory=dict, repr=False, compare=False)

    def where(self, *keys: str | int) -> str:
        """Return `file:line` of the value at `keys`, or of the nearest one on the way to it that exists."""
        path, line = self._found(keys)
        return f"{path}:{line}"

    def file_of(self, *keys: str | int) -> Path:
        """Return the file in which the value at `keys` is written: another one for what was imported."""
        return self._found(keys)[0]

    def _found(self, keys: tuple[str | int, ...]) -> tuple[Path, int]:
        value, path, line = self.value, self.path, self.line
        for key in keys:
            origin = self.origins.get(id(value))
            if origin is None or key not in origin.lines:
                break
            value, path, line = value[key], origin.path, origin.lines[key]
        return path, line


@dataclass
class Findings:
    """Collects the problems of one document, so that all of them can be told at once.

    Attributes:
        document: The document.
        problems: What is wrong with it, and perhaps with others.
        lacking: What it needs, and is not served, as far as that is told once for the whole document.
    """

    document: Document
    problems: list[Problem] = field(default_factory=list)
    lacking: set[str] = field(default_factory=set)

    def error(self, what: str, *keys: str | int) -> None:
        """Note that the value at `keys` is wrong."""
        self.problems.append(Problem(self.document.where(*keys), what))

    def lacks(self, needs: str, what: str, *keys: str | int) -> None:
        """Note that the value at `keys` needs what is not served yet."""
        self.problems.append(Problem(self.document.where(*keys), what, needs=needs))

    def warning(self, what: str, *keys: str | int) -> None:
        """Note something about the value at `keys` that does no harm."""
        self.problems.append(Problem(self.document.where(*keys), what, warning=True))

    def unknown_keys(self, mapping: Mapping[str, object], known: Iterable[str], *keys: str | int) -> None:
        """Note each key of the mapping at `keys` that is not `known`, with the nearest known one."""
        names = list(known)
        for key in mapping:
            if key not in names:
                self.error(f'unknown key "{key}"{nearest(key, names)}', *keys, key)

    def raise_errors(self) -> None:
        """Raise all problems if one of them is an error.

        Raises:
            Problems: With the warnings too.
        """
        if any(not problem.warning for problem in self.problems):
            raise Problems(self.problems)


def load(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        Problems: It cannot be read, is larger than `LIMIT_BYTES`, or is no YAML that we take.
    """
    return parse(read_text(path), path)


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        Problems: It cannot be read, is larger than `LIMIT_BYTES`, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise _refused(path, "this is not a regular file")
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from None
    if len(data) > LIMIT_BYTES:
        raise _refused(path, f"is larger than {LIMIT_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(path, "is not UTF-8; save the file in that encoding", line) from None


def parse(text: str, path: Path) -> Document:
    """Read YAML text as if it stood in the file at `path`.

    Raises:
        Problems: The text is no YAML that we take; it names the first place that is wrong.
    """
    try:
        tree = read_tree(text)
    except YamlRefused as error:
        raise _refused(path, error.what, error.line) from None
    origins = {key: Origin(path, lines, value) for key, (value, lines) in tree.lines.items()}
    return Document(path, tree.value, text, tree.line, origins)


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like `word`, if one is like it."""
    lowered = {each.lower(): each for each in islice(known, 1000)}
    found = difflib.get_close_matches(word[:80].lower(), lowered, n=1)
    return lowered[found[0]] if found else None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "x"?)` for the known word that is most like `word`, or nothing."""
    found = meant(word, known)
    return f' (did you mean "{found}"?)' if found is not None else ""


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems by file and line, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=_place))


def _place(problem: Problem) -> tuple[str, int]:
    path, colon, line = problem.where.rpartition(":")
    return (path, int(line)) if colon and line.isdecimal() else (problem.where, 0)


def _refused(path: Path, what: str, line: int | None = None) -> Problems:
    return Problems([Problem(f"{path}:{line}" if line else str(path), what)])
