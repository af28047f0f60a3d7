"""Reads the inputs and outputs of a process: their types, defaults, and what is said of their files."""

from dataclasses import dataclass, field
from typing import Any

from caroni_edge.documents.assembly import is_directive
from caroni_edge.manager.templates.cwl.features import Fields
from caroni_edge.manager.templates.cwl.fileuses import read_file_use
from caroni_edge.manager.templates.cwl.reading import Names, Place, check_fields, named, read_default
from caroni_edge.manager.templates.cwl.typespecs import Schemas
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.values.files import FileType
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.types import Type


@dataclass(frozen=True)
class Types:
    """How the types of a process are read.

    Attributes:
        schemas: The types that have names there.
        listing: What is listed of a directory that does not say so itself; None for nothing.
    """

    schemas: Schemas = field(default_factory=Schemas)
    listing: str | None = None


@dataclass(frozen=True)
class Port:
    """An input or an output of a process; the type is None where it could not be read.

    Attributes:
        place: Where it stands.
        type: Of its value.
        default: Its value where none is given; None for no default.
        files: What is said of its files; None for nothing.
        stream: Which of a tool's `stdin`, `stdout` and `stderr` it is; empty for none.
    """

    place: Place
    type: Type | None
    default: Any = None
    files: FileUse | None = None
    stream: str = ""


def read_ports(place: Place, what: str, fields: Fields, types: Types) -> Names[Port]:
    """Return the inputs or the outputs of a process by name; what is wrong has been noted."""
    written = named(place, "type", what)
    ports: Names[Port] = Names(is_whole=written.is_whole)
    for name, body in written.items():
        check_fields(body, fields)
        ports[name] = read_port(body, f'the {what} "{name}"', fields, types)
    return ports


def read_port(body: Place, called: str, fields: Fields, types: Types) -> Port:
    """Return one input or output, or note what is wrong with it."""
    stream = body.value.get("type")
    kind: Type | None
    if stream in fields.streams:
        kind = FileType("File")
    else:
        kind, stream = read_type(body, called, types), ""
    default = read_default(body, kind, called) if "default" in fields.read else None
    return Port(body, kind, default, read_file_use(body, kind, types.schemas, types.listing), str(stream))


def read_type(body: Place, called: str, types: Types) -> Type | None:
    """Return the type of an object that has one, or note what is wrong with it."""
    here = body.at("type")
    if is_directive(here.value):
        return None
    if here.value is None:
        here.error(f'{called} needs a "type"')
        return None
    try:
        return parse_type(types.schemas.plain(here.value))
    except TypeProblem as problem:
        if types.schemas.is_whole:  # otherwise the cause is a name that could not be read
            here.error(f"{called}: {problem}")
        return None
