"""Walks through a CWL document: places know their line, and objects are checked against the tables of `features.py`.

Short forms (`message: string`, maps for lists of objects) are those of CWL v1.2, "Syntax" and "map".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from caroni_edge.documents.assembly import DIRECTIVES, is_directive
from caroni_edge.documents.documents import Findings, meant, nearest
from caroni_edge.documents.files import local_name
from caroni_edge.manager.templates.cwl.features import FILES, Fields
from caroni_edge.values.carried import misfit_of
from caroni_edge.values.json import shown
from caroni_edge.values.types import Type

NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,80}\Z")

T = TypeVar("T")


class Names(dict[str, T]):
    """What a file names, by name.

    Attributes:
        is_whole: All of it could be read, so that what is missing is missing. Otherwise what is not found may be what
            could not be read, which has been told.
    """

    def __init__(self, found: Iterable[tuple[str, T]] = (), *, is_whole: bool = True) -> None:
        """Hold what was read."""
        super().__init__(found)
        self.is_whole = is_whole


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a document.

    Attributes:
        findings: Where the problems of the document go.
        keys: The way to the value.
        value: The value; a short form (`message: string`) is written out.
    """

    findings: Findings
    keys: tuple[str | int, ...]
    value: Any

    def at(self, key: str) -> "Place":
        """Return the place of a field of this object; None is there when it has no such field."""
        return Place(self.findings, (*self.keys, key), self.value.get(key))

    def items(self) -> Iterator["Place"]:
        """Return the places of the items of this list."""
        return (Place(self.findings, (*self.keys, at), item) for at, item in enumerate(self.value))

    def error(self, what: str) -> None:
        """Note that something is wrong here."""
        self.findings.error(what, *self.keys)

    def lacks(self, needs: str, what: str) -> None:
        """Note that what stands here needs something that is not served yet."""
        self.findings.lacks(needs, what, *self.keys)

    def lacks_once(self, needs: str, what: str) -> None:
        """Note that this document needs something that is not served yet, at the first place that does."""
        if needs not in self.findings.lacking:
            self.findings.lacking.add(needs)
            self.lacks(needs, what)

    def warning(self, what: str) -> None:
        """Note that something here has no effect."""
        self.findings.warning(what, *self.keys)


def root(findings: Findings) -> Place:
    """Return the place of the whole document."""
    return Place(findings, (), findings.document.value)


def check_fields(place: Place, fields: Fields) -> None:
    """Say of each field of an object that is not read why it is not.

    An unknown one is read on as the one that is meant, where that is missing: so nothing else is said of it.
    """
    for key in list(place.value):
        if key in DIRECTIVES or (key in fields.known and key not in fields.unused):  # a directive has been told
            continue
        here = place.at(key)
        if key in fields.unused:
            here.warning(f'"{key}" is left aside: {fields.unused[key]}')
        elif key.startswith("caroni:"):
            here.error(f'"{key}" does not stand here: write it under "hints" of a step or of what it runs')
        elif ":" in key:
            here.warning(f'"{key}" is an extension that is left aside')
        else:
            here.error(f'unknown field "{key}" of {fields.of}{nearest(key, fields.known)}')
            read_as_meant(place.value, key, fields.known)


def read_as_meant(fields: dict[str, Any], key: str, known: Iterable[str]) -> None:
    """Let the known field that an unknown one is like have its value, unless it has one of its own."""
    found = meant(key, known)
    if found is not None and found not in fields:
        fields[found] = fields[key]


def named(place: Place, short: str, what: str) -> Names[Place]:
    """Read objects that have names: an object by name, or a list of objects with `id`.

    Args:
        place: Where they stand.
        short: The field that stands for the whole object where it is no object (`message: string`); empty for none.
        what: What they are called in messages, as in `input`.

    Returns:
        The objects by name; what is wrong has been noted and is left out.
    """
    found: Names[Place] = Names()
    for name, body in _pairs(place, what):
        if not isinstance(name, str) or not NAME.match(name):
            body.error(f"{shown(name)} cannot name this {what}: use 1 to 80 letters, digits, _ . -")
        elif name in found:
            first = body.findings.document.where(*found[name].keys)
            body.error(f'the {what} "{name}" is there twice, first in {first}')
        elif isinstance(body.value, dict):
            found[name] = body
        elif short and not is_directive(body.value):
            found[name] = Place(body.findings, body.keys, {short: body.value})
        else:
            body.error(f'the {what} "{name}" is no object')
    found.is_whole = isinstance(place.value, dict | list) and len(found) == len(place.value)
    return found


def _pairs(place: Place, what: str) -> Iterator[tuple[Any, Place]]:
    """Return the names, unchecked, and where the objects stand."""
    if is_directive(place.value):
        return
    if isinstance(place.value, dict):
        for key in place.value:
            body = place.at(key)
            if is_directive(body.value):
                continue
            if isinstance(body.value, dict) and "id" in body.value:
                body.at("id").error(f'"id" does not stand here: the name before the colon is the id of the {what}')
            yield local_name(key), body
    elif isinstance(place.value, list):
        for body in place.items():
            if isinstance(body.value, dict) and "id" in body.value:
                name = body.value["id"]
                yield local_name(name) if isinstance(name, str) else name, body
            elif not is_directive(body.value):
                body.error(f'in a list, each {what} needs an "id"')
    elif place.value is None:
        place.error(f'"{place.keys[-1]}" is missing: write {place.keys[-1]}: {{}} when there is none')
    else:
        place.error(f'"{place.keys[-1]}" is an object, or a list of objects with "id"')


def read_default(place: Place, kind: Type | None, what: str) -> Any:
    """Return the default of an object that may have one (None for none); note it when it has another type."""
    here = place.at("default")
    if here.value is None or kind is None:
        return here.value
    said = kind.mismatch(here.value)
    if said is not None:
        here.warning(f"the default of {what} does not fit: {said}; what takes it fails")
    elif (said := misfit_of(kind, here.value, remote=True)) is not None:
        here.lacks_once(FILES, f"the default of {what}: {said}")
    return here.value
