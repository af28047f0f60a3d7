"""Reads what CWL says of the files of an input or an output beside their type, to be kept in the plan."""

from collections.abc import Iterator
from typing import Any

from caroni_edge.manager.templates.cwl.features import FILES, LISTINGS
from caroni_edge.manager.templates.cwl.reading import Place
from caroni_edge.manager.templates.cwl.typespecs import Schemas
from caroni_edge.manager.templates.fileuse import FileUse, SecondaryFile
from caroni_edge.values.files import file_in
from caroni_edge.values.json import shown
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.types import Type

_NO_NAMES = Schemas()
"""Of a type that has been written out."""


def read_file_use(place: Place, kind: Type | None, schemas: Schemas, listing: str | None) -> FileUse | None:
    """Return what an input or an output says of its files; None where it has none, or says nothing of them.

    Args:
        place: The input or output.
        kind: Its type.
        schemas: The types that have names there.
        listing: What is listed of a directory where it does not say so itself.
    """
    secondary, format_ = tuple(_secondary_files(place.at("secondaryFiles"))), place.value.get("format")
    own = _listing(place.at("loadListing"))
    if kind is None or file_in(kind) is None:
        return None
    if not all(each.is_served for each in secondary):
        words = 'an expression in "secondaryFiles" is not served yet: name the files by patterns, as in .bai or ^.idx?'
        place.at("secondaryFiles").lacks_once(FILES, words)
    use = FileUse(
        secondary_files=secondary,
        load_contents=place.value.get("loadContents") is True,
        load_listing=own or listing,
        streamable=place.value.get("streamable") is True,
        format=tuple(each for each in (format_ if isinstance(format_, list) else [format_]) if isinstance(each, str)),
        fields=dict(_fields(place, schemas.with_files(place.value.get("type")), listing)),
    )
    return use if use != FileUse() else None


def _fields(place: Place, spec: Any, listing: str | None) -> Iterator[tuple[str, FileUse]]:
    """Return what the fields of a record say of their files, be it one of a list, or one of several types."""
    match spec:
        case list():
            for each in spec:
                yield from _fields(place, each, listing)
        case {"type": "array", "items": inner} | {"type": (dict() | list()) as inner}:
            yield from _fields(place, inner, listing)
        case {"type": "record", "fields": (dict() | list()) as fields}:
            named = fields.items() if isinstance(fields, dict) else ((each["name"], each) for each in fields)
            for name, body in named:
                here = Place(place.findings, place.keys, body if isinstance(body, dict) else {"type": body})
                use = read_file_use(here, parse_type(_NO_NAMES.plain(here.value["type"])), _NO_NAMES, listing)
                if use is not None:
                    yield name, use


def _listing(place: Place) -> str | None:
    if place.value is not None and place.value not in LISTINGS:
        place.error(f'"loadListing" is {", ".join(LISTINGS)}, and not {shown(place.value)}')
        return None
    return place.value  # type: ignore[no-any-return]


def _secondary_files(place: Place) -> Iterator[SecondaryFile]:
    for each in place.items() if isinstance(place.value, list) else [place]:
        if isinstance(each.value, str):
            pattern = each.value if "$" in each.value else each.value.removesuffix("?")
            yield SecondaryFile(pattern, None if pattern == each.value else False)
        elif isinstance(each.value, dict) and isinstance(each.value.get("pattern"), str):
            required: Any = each.value.get("required")
            yield SecondaryFile(each.value["pattern"], required if isinstance(required, bool | str) else None)
        elif each.value is not None:
            each.error('each of "secondaryFiles" is a pattern, as in .bai or ^.idx?, or {pattern, required}')
