"""Puts a document together of the files that it imports and includes (CWL v1.2, "Document preprocessing").

`$import` stands for the content of a file, `$include` for its text, `$mixin` for fields that are added to those beside
it. What could not be put in its place stays there as it was written, and has been told.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caroni_edge.documents.documents import Document, Findings, Origin, Problem, Problems
from caroni_edge.documents.files import Files, NotRead, local_name, parts_of
from caroni_edge.documents.yamltree import DEPTH_MAX, EXPANDED_MAX
from caroni_edge.values.json import shown

DIRECTIVES = ("$import", "$include", "$mixin")
IMPORTS_MAX = 16
"""So many files may import each other, one inside the other."""

Whole = tuple[Any, int]
"""A value with all that it imports, and its size when written out."""


@dataclass
class Assembly:
    """Reads documents whole.

    Attributes:
        files: Where they come from.
        problems: What is wrong goes there.
        documents: Those that have been read; None for one that could not be.
        left: Directives, by `id`, that could not be followed, which has been told.
    """

    files: Files
    problems: list[Problem] = field(default_factory=list)
    documents: dict[Path, Findings | None] = field(default_factory=dict)
    left: dict[int, object] = field(default_factory=dict)

    def document(self, path: Path, around: tuple[Path, ...] = (), depth: int = 0) -> Findings | None:
        """Return the document in a file, with its problems, or note why there is none.

        Args:
            path: What `Files.find` has found.
            around: The files that it is imported by, from the outermost on.
            depth: In how many lists and objects.

        Raises:
            NotRead: The template has led to too many files.
        """
        if path not in self.documents:
            try:
                return self.whole(self.files.document(path), around, depth)
            except Problems as problems:
                self.documents[path] = None
                self.problems += problems.problems
        return self.documents[path]

    def whole(self, document: Document, around: tuple[Path, ...] = (), depth: int = 0) -> Findings:
        """Return a document with all that it imports, and keep it."""
        writing = _Writing(self, (*around, document.path), dict(document.origins), depth)
        value, _ = writing.value(document.value, Origin(document.path, {None: document.line}, None), None)
        found = Findings(replace(document, value=value, origins=writing.origins), self.problems)
        self.documents[document.path] = found
        return found


@dataclass
class _Writing:
    """Writes one document out.

    Attributes:
        assembly: Where imported documents come from.
        around: The files that are being written out, from the outermost on.
        origins: Of all that is in the document, or was.
        depth: How many lists and objects are around.
        done: What has been written out, by `id`: aliases share their objects.
        imported: The files whose origins are among ours.
    """

    assembly: Assembly
    around: tuple[Path, ...]
    origins: dict[int, Origin]
    depth: int
    done: dict[int, Whole] = field(default_factory=dict)
    imported: set[Path] = field(default_factory=set)

    def value(self, value: Any, holder: Origin, key: Hashable) -> Whole:
        """Return a value written out; it stands at a key of its holder."""
        if not isinstance(value, dict | list):
            return value, 1 + (len(value) if isinstance(value, str) else 0)
        if id(value) not in self.done:
            self.depth += 1
            try:
                self.done[id(value)] = self._bounded(value, holder, key)
            finally:
                self.depth -= 1
        return self.done[id(value)]

    def _bounded(self, value: Any, holder: Origin, key: Hashable) -> Whole:
        origin = self.origins.get(id(value)) or Origin(self.around[-1], {}, value)
        try:
            if self.depth > DEPTH_MAX:
                raise NotRead(f"more than {DEPTH_MAX} levels inside each other, with what is imported")
            found, size = self._object(value, origin) if isinstance(value, dict) else self._list(value, origin)
            if size > EXPANDED_MAX:
                raise NotRead("becomes too large once all that it imports is written out")
        except NotRead as error:
            self._tell(holder, key, str(error))
            return None, 1
        return found, size

    def _object(self, value: dict[str, Any], origin: Origin) -> Whole:
        directive = next((each for each in DIRECTIVES if each in value), None)
        if directive is None:
            return self._written_out(value, {key: self.value(each, origin, key) for key, each in value.items()}, origin)
        if id(value) in self.assembly.left:
            return value, 1
        written = value[directive]
        try:
            if not isinstance(written, str):
                raise NotRead(f'"{directive}" names a file, and not {shown(written)}')
            if directive != "$mixin" and len(value) > 1:
                raise NotRead(f'"{directive}" stands alone in its object')
            if directive == "$include":
                text = self._text(written, origin.path)
                return text, len(text) + 1
            return self._imported(value, origin) if directive == "$import" else self._mixed(value, origin)
        except NotRead as error:
            self._tell(origin, directive, str(error))
        except Problems as problems:
            self.assembly.problems += problems.problems
        return self._left(value)

    def _left(self, value: dict[str, Any]) -> Whole:
        self.assembly.left[id(value)] = value
        return value, 1

    def _imported(self, value: dict[str, Any], origin: Origin) -> Whole:
        found = self._other(value["$import"], origin.path)
        return self._left(value) if found is None else self.value(found, origin, "$import")

    def _mixed(self, value: dict[str, Any], origin: Origin) -> Whole:
        found = self._other(value["$mixin"], origin.path)
        if found is None:
            return self._left(value)
        if not isinstance(found, dict):
            raise NotRead(f"{shown(value['$mixin'])} has no fields that could be added here")
        own = {key: each for key, each in value.items() if key != "$mixin"}
        both = {key: self.value(each, origin, key) for key, each in {**found, **own}.items()}
        lines = {key: origin.lines.get(key, origin.lines.get("$mixin", 1)) for key in both}
        return self._written_out(None, both, Origin(origin.path, lines, None))

    def _list(self, value: list[Any], origin: Origin) -> Whole:
        items = list(self._items(value, origin))
        whole = [each for _, each in items]
        if len(whole) == len(value) and all(new is old for (new, _), old in zip(whole, value, strict=True)):
            return value, 1 + sum(size for _, size in whole)
        found = [each for each, _ in whole]
        self.origins[id(found)] = Origin(origin.path, {at: line for at, (line, _) in enumerate(items)}, found)
        return found, 1 + sum(size for _, size in whole)

    def _items(self, value: list[Any], origin: Origin) -> Iterator[tuple[int, Whole]]:
        """Return the items with their lines; a list that is imported in the place of one is put in item by item."""
        for at, each in enumerate(value):
            line = origin.lines.get(at, 1)
            found, size = self.value(each, origin, at)
            if isinstance(each, dict) and "$import" in each and isinstance(found, list):
                yield from ((line, self.value(item, origin, at)) for item in found)
            else:
                yield line, (found, size)

    def _written_out(self, value: dict[str, Any] | None, parts: dict[str, Whole], origin: Origin) -> Whole:
        size = 1 + sum(len(key) + size for key, (_, size) in parts.items())
        if value is not None and all(found is value[key] for key, (found, _) in parts.items()):
            return value, size
        found = {key: each for key, (each, _) in parts.items()}
        self.origins[id(found)] = Origin(origin.path, origin.lines, found)
        return found, size

    def _other(self, written: str, beside: Path) -> Any:
        """Return what another file says, or a part of it; None where it cannot be read, which has been told."""
        name, part = parts_of(written)
        path = self._path(name, beside) if name else beside
        if path in self.around:
            ring = [*self.around[self.around.index(path) :], path]
            raise NotRead(f"these files import each other: {' -> '.join(each.name for each in ring)}")
        if len(self.around) > IMPORTS_MAX:
            raise NotRead(f"files import each other {IMPORTS_MAX} deep at most")
        found = self.assembly.document(path, self.around, self.depth)
        if found is None:
            return None
        document = found.document
        if path not in self.imported:
            self.imported.add(path)
            self.origins |= document.origins
        return _part_of(document.value, part) if part else document.value

    def _text(self, written: str, beside: Path) -> str:
        return self.assembly.files.text(self._path(written, beside))

    def _path(self, written: str, beside: Path) -> Path:
        try:
            return self.assembly.files.find(written, beside)
        except NotRead as error:
            raise NotRead(f"{shown(written)} {error}") from None

    def _tell(self, origin: Origin, key: Hashable, what: str) -> None:
        self.assembly.problems.append(Problem(f"{origin.path}:{origin.lines.get(key, 1)}", what))


def _part_of(value: Any, part: str) -> Any:
    """Return the object that has a name in a document: one of a list, or the document itself."""
    if isinstance(value, dict) and isinstance(value.get("$graph"), list):
        value = value["$graph"]
    for each in value if isinstance(value, list) else [value]:
        name = each.get("id", each.get("name")) if isinstance(each, dict) else None
        if isinstance(name, str) and local_name(name) == part:
            return each
    raise NotRead(f"nothing there is called {shown(part)}")


def is_directive(value: object) -> bool:
    """Tell whether a value is still a directive: its file could not be put in its place, which has been told."""
    return isinstance(value, dict) and any(each in value for each in DIRECTIVES)
