"""Writes out the types of a document until only those of `caroni_edge.values.parsing` are left.

Names of `SchemaDefRequirement` stand for what they name; what concerns only the command of a tool, or documents, is
left away (CWL v1.2, "SchemaDefRequirement", "InputRecordSchema" and so on).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from caroni_edge.documents.assembly import is_directive
from caroni_edge.documents.files import local_name, parts_of
from caroni_edge.manager.templates.cwl.reading import Place
from caroni_edge.values.json import shown
from caroni_edge.values.parsing import TypeProblem

SCHEMAS = "SchemaDefRequirement"
_WRITTEN_MAX = 10_000
_KINDS = {"array": "items", "record": "fields", "enum": "symbols"}
_OF_FILES = frozenset({"secondaryFiles", "format", "streamable", "loadContents", "loadListing"})
_LEFT_AWAY = frozenset({"name", "label", "doc", "inputBinding", "outputBinding"})


@dataclass(frozen=True)
class Schemas:
    """The types that have names.

    Attributes:
        named: By name, and by file and name, as in `types.yml#mine`.
        is_whole: All of them could be read. Otherwise what is not found may be what could not, which has been told.
    """

    named: Mapping[str, Any] = field(default_factory=dict)
    is_whole: bool = True

    def plain(self, spec: Any) -> Any:
        """Return a type in which no name is left.

        Raises:
            TypeProblem: One holds itself, or it becomes too large.
        """
        return _Writing(self.named, _LEFT_AWAY | _OF_FILES).out(spec, ())

    def with_files(self, spec: Any) -> Any:
        """Return a type in which no name is left, with what its records say of files.

        Raises:
            TypeProblem: As `plain`.
        """
        return _Writing(self.named, _LEFT_AWAY).out(spec, ())

    def with_those_of(self, place: Place) -> "Schemas":
        """Return these and those that a process names itself."""
        definitions = list(_definitions(place))
        found = {name: spec for each in definitions for name, spec in _names_of(each)}
        is_whole = self.is_whole and not any(is_directive(each.value) for each in definitions)
        return Schemas({**self.named, **found}, is_whole) if definitions else self


def _definitions(place: Place) -> Iterator[Place]:
    for entries in (place.at("requirements"), place.at("hints")):
        if isinstance(entries.value, dict) and isinstance(entries.value.get(SCHEMAS), dict):
            yield from _listed(entries.at(SCHEMAS))
        elif isinstance(entries.value, list):
            for each in entries.items():
                if isinstance(each.value, dict) and each.value.get("class") == SCHEMAS:
                    yield from _listed(each)


def _listed(requirement: Place) -> Iterator[Place]:
    types = requirement.at("types")
    if isinstance(types.value, list):
        yield from types.items()
    elif is_directive(types.value):
        yield types
    else:
        types.error(f'"types" of {SCHEMAS} is a list of types with names')


def _names_of(place: Place) -> Iterator[tuple[str, Any]]:
    name = place.value.get("name") if isinstance(place.value, dict) else None
    if isinstance(name, str):
        file = place.findings.document.file_of(*place.keys, "name").name
        yield local_name(name), place.value
        yield f"{file}#{local_name(name)}", place.value


@dataclass
class _Writing:
    named: Mapping[str, Any]
    left_away: frozenset[str]
    written: int = 0

    def out(self, spec: Any, around: tuple[str, ...]) -> Any:
        self.written += 1
        if self.written > _WRITTEN_MAX:
            raise TypeProblem("this type becomes too large once its names are written out")
        if isinstance(spec, str):
            return self._word(spec, around)
        if isinstance(spec, list):
            return [self.out(each, around) for each in spec]
        return self._object(spec, around) if isinstance(spec, dict) else spec

    def _word(self, word: str, around: tuple[str, ...]) -> Any:
        base = word.rstrip("[]?")
        found = self._named(base)
        if found is None:
            return word
        name, spec = found
        if name in around:
            raise TypeProblem(f"the type {shown(name)} holds itself")
        whole = self.out(spec, (*around, name))
        for mark in word[len(base) :].replace("[]", "*"):
            whole = {"type": "array", "items": whole} if mark == "*" else ["null", whole]
        return whole

    def _named(self, base: str) -> tuple[str, Any] | None:
        file, part = parts_of(base)
        wanted = (f"{file.rpartition('/')[2]}#{local_name(part)}", local_name(base)) if part else (base,)
        return next(((each, self.named[each]) for each in wanted if each in self.named), None)

    def _object(self, spec: dict[str, Any], around: tuple[str, ...]) -> Any:
        kind = spec.get("type")
        known = {key: each for key, each in spec.items() if key not in self.left_away and ":" not in key}
        field_name = _KINDS.get(kind) if isinstance(kind, str) else None
        if field_name not in known:
            return {**known, "type": self.out(kind, around)} if isinstance(kind, dict | list) else known
        match kind:
            case "array":
                known["items"] = self.out(known["items"], around)
            case "record":
                known["fields"] = self._fields(known["fields"], around)
            case "enum" if isinstance(known["symbols"], list):
                known["symbols"] = [local_name(each) if isinstance(each, str) else each for each in known["symbols"]]
        return known

    def _fields(self, fields: Any, around: tuple[str, ...]) -> Any:
        if isinstance(fields, dict):
            return {local_name(name): self._field(each, around) for name, each in fields.items()}
        if isinstance(fields, list):
            return [self._field(each, around) for each in fields]
        return fields

    def _field(self, body: Any, around: tuple[str, ...]) -> Any:
        if not isinstance(body, dict) or "type" not in body:
            return {"type": self.out(body, around)}  # what a name stands for is an object with a type, too
        left_away = self.left_away - {"name"}
        known = {key: each for key, each in body.items() if key not in left_away and ":" not in key}
        if isinstance(known.get("name"), str):
            known["name"] = local_name(known["name"])
        return {**known, "type": self.out(known["type"], around)}
