"""The messages as JSON Schema, made from the structs: for programs in other languages, and for the documentation."""

import re
from collections.abc import Iterable
from inspect import getdoc
from typing import Any, get_args

import msgspec
from msgspec import Struct

from caroni_edge.protocol.events import CloudEvent
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame, JobFulfillmentRequest, Message, Presence
from caroni_edge.protocol.triggers import Trigger

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:caroni-edge:messages:1"

LINK_MESSAGES: tuple[type[LinkMessage], ...] = get_args(Message)
PAYLOADS: tuple[type[Struct], ...] = (Trigger, CloudEvent, Frame, Presence, JobFulfillmentRequest)
"""What stands alone in an MQTT message."""


def json_schema() -> dict[str, Any]:
    """Return one JSON Schema (2020-12) of all that is on the wire; each message is one of its `$defs`."""
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "Caroni Edge: what is on the wire",
        "description": "One MQTT payload is one of these; which one, its topic says (docs/protocol.md).",
        "anyOf": [{"$ref": f"#/$defs/{payload.__name__}"} for payload in PAYLOADS],
        "$defs": components("#/$defs/{name}"),
    }


def components(ref_template: str) -> dict[str, dict[str, Any]]:
    """Return the schema of every message by its name.

    Args:
        ref_template: How one refers to another, with `{name}` in it.
    """
    _, found = msgspec.json.schema_components([*PAYLOADS, *LINK_MESSAGES], ref_template=ref_template)
    for kind in _structs((*PAYLOADS, *LINK_MESSAGES)):
        _describe(kind, found[kind.__name__])
    for kind in LINK_MESSAGES:
        _give_id(kind.__name__, found[kind.__name__])
    refs = [{"$ref": ref_template.format(name=kind.__name__)} for kind in LINK_MESSAGES]
    found["LinkMessage"] = {"description": "All that is said to one node, in frames.", "oneOf": refs}
    messages = found["Frame"]["properties"]["messages"]
    messages["items"] = {"$ref": ref_template.format(name="LinkMessage")}
    return {name: found[name] for name in sorted(found)}


def _give_id(name: str, schema: dict[str, Any]) -> None:
    """Add what the codec writes in front of every link message; a field of that name would hide it."""
    fields = schema["properties"]
    if "id" in fields:
        raise TypeError(f"{name} has a field `id`, which is the id of the message itself")
    message_id = {"description": "Random name of this message in its link.", "type": "string", "maxLength": 40}
    schema["properties"] = {
        "id": message_id,
        "type": {"const": name},
        **{k: v for k, v in fields.items() if k != "type"},
    }
    schema["required"] = ["id", *schema["required"]]


# --- Descriptions ----------------------------------------------------------------------------------------------------

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*)$")


def _describe(kind: type[Struct], schema: dict[str, Any]) -> None:
    """Move the text of a struct's docstring to where it belongs: the message's to it, each field's to the field."""
    text, _, attributes = (getdoc(kind) or "").partition("\n\nAttributes:\n")
    schema["description"] = " ".join(text.split())
    on_the_wire = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    fields = schema["properties"]
    for name, said in _attributes(attributes):
        field = fields[on_the_wire[name]]
        fields[on_the_wire[name]] = (
            {"description": said, "allOf": [field]} if "$ref" in field else field | {"description": said}
        )


def _attributes(text: str) -> list[tuple[str, str]]:
    """Return name and text of each attribute that a Google docstring lists."""
    lines: list[tuple[str, str]] = []
    for line in text.splitlines():
        if found := _ATTRIBUTE.match(line):
            lines.append((found[1], found[2]))
        elif line.strip() and lines:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
    return lines


def _structs(kinds: Iterable[Any]) -> set[type[Struct]]:
    """Return the structs among some types, and all that their fields hold."""
    found: set[type[Struct]] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, Struct):
            if kind not in found:
                found.add(kind)
                waiting += [field.type for field in msgspec.structs.fields(kind)]
        else:
            waiting += get_args(kind)
    return found
