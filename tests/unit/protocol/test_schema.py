"""The published schema and the codec agree: what the one writes the other takes, and what it refuses is no message."""

import json
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from caroni_edge.base.chance import SeededChance
from caroni_edge.delivery.events import Events
from caroni_edge.manager.events import EventWriter, Kind
from caroni_edge.manager.lifecycle import Workflow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.codec import encode, encode_message
from caroni_edge.protocol.messages import (
    Frame,
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobFulfillmentRequest,
    JobHere,
    JobKill,
    JobLog,
    JobLogRequest,
    JobOffer,
    JobsHere,
    JobStatusRequest,
    JobStatusUpdate,
    JobsWanted,
    JobTypeNotice,
    LinkMessage,
    LinkReset,
    MessageRejected,
    OfferAccept,
    OfferReject,
    Placement,
    Presence,
    Trigger,
)
from caroni_edge.protocol.schema import LINK_MESSAGES, EventType, json_schema
from caroni_edge.protocol.topics import Topics
from caroni_edge.storage.database import memory_database

SCHEMA = json_schema()
JOB, OFFER = "job0job0job0", "offer0offer0"

MESSAGES: tuple[LinkMessage, ...] = (
    LinkReset(),
    MessageRejected(id="m1", reason="no", message_type="JobKill", jobs=(JOB,)),
    JobOffer(offer=OFFER, job_type="upper", serial=3, ready=2, repeat=False),
    OfferAccept(
        offer=OFFER,
        jobs=(Placement(job=JOB, attempt=1, job_type="upper", workflow="w1", step="a/b", inputs={"x": [1, None]}),),
        last=False,
    ),
    OfferReject(offer=OFFER),
    JobAccepted(jobs=(JOB,)),
    JobDecline(job=JOB, reason="full", final=True),
    JobDataReady(job=JOB, inputs={"message": "ü\n"}),
    JobStatusUpdate(job=JOB, serial=1, status="failed", reason="exit status 1", exit_code=1, stderr="boom", ended=1.5),
    JobKill(job=JOB, reason="cancelled"),
    JobStatusRequest(job=JOB),
    JobLogRequest(job=JOB, offset=9),
    JobLog(job=JOB, offset=0, data=b"\x00\xff", end=True),
    JobsWanted(wanted=OFFER, database="d", known=4),
    JobsHere(
        wanted=OFFER,
        database="d",
        jobs=(
            JobHere(
                job=JOB, workflow="w1", step="a", attempt=2, job_type="upper", serial=5, status="completed", outputs={}
            ),
        ),
    ),
)
NOTICES: tuple[msgspec.Struct, ...] = (
    Trigger(template="test_simple", inputs={"message": "x"}, id="w1", priority=9, reply_to="elsewhere/x"),
    Presence(
        online=True, boot="b", job_types={"upper": JobTypeNotice(inputs={"message": "string"})}, refuses={"*": "full"}
    ),
    JobFulfillmentRequest(serial=1, ready=2, only={"a7": 1}, spread=0.5),
    Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), ask="nonce", speaks=1),
)


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
    assert {kind.__name__ for kind in LINK_MESSAGES} <= SCHEMA["$defs"].keys()


def test_there_is_an_example_of_every_link_message() -> None:
    assert {type(message) for message in MESSAGES} == set(LINK_MESSAGES)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_the_codec_writes_the_schema_takes(message: LinkMessage) -> None:
    payload = frame(message)
    validate("Frame", payload)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(payload))
    value = json.loads(payload)
    value["messages"][0]["type"] = "Nonsense"
    with pytest.raises(jsonschema.ValidationError):
        validate("Frame", value)


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_notices_and_triggers_are_taken(notice: msgspec.Struct) -> None:
    validate(type(notice).__name__, encode(notice))


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
    writer = EventWriter(events := Events(database.conn, SeededChance(1)), Topics("caroni", "managers", "m1"))
    row = WorkflowRow(1, "w1", "t", "hash", "hash", Workflow.RUNNING, 4, "{}", "elsewhere", 0)
    writer.workflow("caroni.workflow.completed", row, 1e9, status="completed", outputs={"out": [1]})
    writer.workflow("caroni.workflow.completed", row, 1e9, status="completed", outputs={"out": "x" * 200_000})
    writer.step("caroni.step.failed", row, "a/b", 1e9, job=JOB, agent="a1", attempt=5, status="failed", reason="no")
    writer.rejected("w2", "unknown template", "{" * 500, None, 1e9)
    written = events.unsent(100)
    assert len(written) == 7
    for _, _, body in written:
        validate("CloudEvent", body)


def test_the_schema_names_every_kind_of_event() -> None:
    assert set(get_args(EventType)) == set(get_args(Kind))
