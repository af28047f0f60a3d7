"""The published schema and the codec agree: what the one writes the other takes, and what it refuses is no message."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from caroni_edge.base.chance import SeededChance
from caroni_edge.delivery.events import Events
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.codec import encode, encode_message
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame
from caroni_edge.protocol.schema import json_schema
from caroni_edge.protocol.topics import Topics
from caroni_edge.storage.database import memory_database
from tools.examples import LINK_MESSAGES, examples

SCHEMA = json_schema()
JOB = "job0job0job0"


def validate(name: str, payload: bytes | object) -> None:
    """Hold a payload against one of the schema's definitions."""
    value = json.loads(payload) if isinstance(payload, bytes) else payload
    jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{name}"}]}).validate(value)


def frame(message: LinkMessage) -> bytes:
    """Return a message as it goes out."""
    raw = msgspec.Raw(encode_message("id0", message))
    return encode(Frame(v=1, from_="m1", to="a1", boot="b", ack=(3, "x"), first=1, prev="", messages=(raw,)))


def test_the_schema_itself_is_well_formed() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("message", LINK_MESSAGES, ids=lambda message: type(message).__name__)
def test_what_the_codec_writes_the_schema_takes(message: LinkMessage) -> None:
    payload = frame(message)
    validate("Frame", payload)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(payload))
    value = json.loads(payload)
    value["messages"][0]["type"] = "Nonsense"
    with pytest.raises(jsonschema.ValidationError):
        validate("Frame", value)


@pytest.mark.parametrize("name", examples())
def test_the_published_examples_are_well_formed(name: str) -> None:
    validate(name, examples()[name])


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("Trigger", {"inputs": {}}),
        ("Trigger", {"template": "t", "id": "No Segment"}),
        ("Trigger", {"template": "t", "priority": 10}),
        ("Trigger", {"template": "t", "imputs": {}}),
        ("Frame", {"v": 1, "from": "m1", "to": "a1", "boot": "b"}),
        ("Frame", {"v": 1, "from": "m1", "to": "a1", "boot": "b", "ack": [0, "", 1]}),
        ("JobKill", {"id": "x", "type": "JobKill", "job": "UPPER-CASE"}),
        ("JobKill", {"type": "JobKill", "job": JOB, "reason": "no id"}),
        ("Presence", {"online": "yes", "boot": "b"}),
    ],
)
def test_what_is_no_message_is_refused(name: str, broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(name, broken)


def test_the_events_of_a_manager_are_as_published() -> None:
    database = memory_database("managers")
    writer = EventWriter(
        events := Events(database.conn, database.journal, SeededChance(1)), Topics("caroni", "managers", "m1")
    )
    row = WorkflowRow(1, "w1", "t", "hash", "hash", WorkflowState.RUNNING, 4, "{}", "caroni/replies/x", 0)
    writer.workflow("caroni.workflow.completed", row, 1e9, status="completed", outputs={"out": [1]})
    writer.workflow("caroni.workflow.completed", row, 1e9, status="completed", outputs={"out": "x" * 200_000})
    writer.step("caroni.step.failed", row, "a/b", 1e9, job=JOB, agent="a1", attempt=5, status="failed", reason="no")
    writer.rejected("w2", "unknown template", "{" * 500, None, 1e9)
    written = events.unsent(100)
    assert len(written) == 7
    for _, _, body in written:
        validate("CloudEvent", body)
