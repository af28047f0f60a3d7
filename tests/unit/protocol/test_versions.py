"""What other releases say is read for ever: within a message version fields are only added, and none is required.

Below is all that versions 1 to 3 have had, each message with the fields that must be there and those that may. Lines
and fields are only added here.
"""

import json
from typing import Any

import msgspec
import pytest

from caroni_edge.protocol.codec import decode_frame, decode_message, decode_notice, encode, encode_message
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import MESSAGE_VERSION, JobFulfillmentRequest, Presence
from caroni_edge.protocol.schema import LINK_MESSAGES
from caroni_edge.protocol.triggers import Trigger

OBJECT = f"sha256:{'a' * 64}"
JOB, OFFER, QUESTION = "job0job0job0", "offer0offer0", "question0000"
Fields = dict[str, Any]

ENDED: Fields = {
    "begun": True,
    "outputs": {"x": 1},
    "reason": "r",
    "exit_code": 1,
    "stderr": "s",
    "started": 1.5,
    "ended": 2.5,
    "version": "v",
    "final": True,
    "box": "shared",
}
PLACED = {"job": JOB, "attempt": 1, "job_type": "t", "workflow": "w1", "step": "s"}
TAKEN = {"inputs_from": {"y": [JOB, "out", "string"]}}
GIVEN = {"inputs": {"x": 1}, **TAKEN}
KEPT = {**PLACED, "serial": 7, "status": "failed"}

MESSAGES: dict[str, tuple[Fields, Fields]] = {
    "LinkReset": ({}, {}),
    "MessageRejected": ({"message": "m", "reason": "r"}, {"message_type": "JobKill", "jobs": [JOB]}),
    "JobOffer": (
        {"offer": OFFER, "job_type": "t", "serial": 3},
        {"ready": 1, "waiting": 2, "repeat": False, "valid_for": 3.5, "expected_start": 4.5, "database": "d"},
    ),
    "OfferAccept": (
        {"offer": OFFER},
        {"jobs": [{**PLACED, "priority": 5, "data_ready": True, **GIVEN}], "last": False, "database": "d"},
    ),
    "OfferReject": ({"offer": OFFER}, {}),
    "JobAccepted": ({"jobs": [JOB]}, {}),
    "JobDecline": ({"job": JOB, "reason": "r"}, {"final": True, "begun": True}),
    "JobDataReady": ({"job": JOB}, {"inputs": {"x": 1}}),
    "JobStatusUpdate": (
        {"job": JOB, "serial": 7, "status": "failed"},
        {**ENDED, "inputs_hash": "h", "fed": [JOB]},
    ),
    "JobKill": ({"job": JOB, "reason": "r"}, {}),
    "JobStatusRequest": ({"job": JOB}, {}),
    "JobLogRequest": ({"job": JOB}, {"offset": 9, "tail": 65536}),
    "JobLog": ({"job": JOB, "offset": 9, "data": "AP8="}, {"end": True}),
    "JobsWanted": ({"wanted": QUESTION}, {"database": "d", "known": 7}),
    "JobsHere": (
        {"wanted": QUESTION, "database": "d"},
        {"after": "a", "upto": "b", "jobs": [{**KEPT, "inputs_hash": "h", "repeat": False, **TAKEN, **ENDED}]},
    ),
}
MESSAGES_OF_2: dict[str, tuple[Fields, Fields]] = {
    "ObjectsDrop": ({"workflow": "w1"}, {"after": OBJECT, "upto": OBJECT, "but": [OBJECT]}),
    "ObjectsGone": ({"objects": [OBJECT]}, {}),
    "ObjectsHere": ({}, {"objects": [{"workflow": "w1", "object": OBJECT, "size": 5}], "first": False, "last": False}),
    "ObjectKey": ({"generation": 1, "secret": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, {}),
    "ObjectsWanted": ({"job": JOB}, {"places": [{"holder": "agents/a1", "generation": 1, "ticket": "0a" * 32}]}),
    "ObjectsCheck": ({"objects": [OBJECT]}, {}),
    "ObjectBad": ({"job": JOB, "object": OBJECT, "place": "managers/m1", "reason": "bad"}, {}),
}
MESSAGES_OF_3: dict[str, tuple[Fields, Fields]] = {
    "ObjectsKeep": (
        {"workflow": "w1", "objects": [{"object": OBJECT, "size": 5}]},
        {"places": [{"holder": "agents/a1", "generation": 1, "ticket": "0a" * 32}]},
    ),
    "ObjectsHeld": ({"workflow": "w1", "objects": [OBJECT]}, {}),
    "ObjectsRefused": ({"workflow": "w1", "objects": [OBJECT], "reason": "r"}, {"place": "managers/m1"}),
}
NOTICES: dict[type[msgspec.Struct], tuple[Fields, Fields]] = {
    Presence: (
        {"online": True, "boot": "b"},
        {
            "version": "1",
            "host": "h",
            "speaks": 2,
            "job_types": {"t": {"inputs": {"x": "int"}, "outputs": {"y": "int"}, "repeat": False, "version": "v"}},
            "refuses": {"*": "r"},
            "slots": 1,
        },
    ),
    JobFulfillmentRequest: (
        {"serial": 3},
        {"ready": 1, "waiting": 2, "only": {"a1": 1}, "priority": 5, "spread": 0.5},
    ),
    Trigger: ({"template": "t"}, {"inputs": {"x": 1}, "id": "w1", "priority": 5, "reply_to": "elsewhere"}),
}
FRAME: tuple[Fields, Fields] = (
    {"v": 1, "from": "m1", "to": "a1", "boot": "b", "ack": [0, ""]},
    {"first": 1, "prev": "", "messages": [{"id": "i", "type": "LinkReset"}]},
)


def message(name: str, fields: Fields) -> bytes:
    """Return a link message as it is said."""
    return json.dumps({"id": "i", "type": name, **fields}).encode()


@pytest.mark.parametrize("name", [*MESSAGES, *MESSAGES_OF_2, *MESSAGES_OF_3])
def test_what_each_version_says_is_read_whole(name: str) -> None:
    least, more = (MESSAGES | MESSAGES_OF_2 | MESSAGES_OF_3)[name]
    decode_message(message(name, least))
    said = message(name, least | more)
    read: LinkMessage = decode_message(said)
    assert json.loads(encode_message("i", read)) == json.loads(said)


@pytest.mark.parametrize("kind", NOTICES, ids=lambda kind: kind.__name__)
def test_the_notices_and_triggers_of_version_1_are_read_whole(kind: type[msgspec.Struct]) -> None:
    least, more = NOTICES[kind]
    decode_notice(kind, "topic", json.dumps(least).encode())
    assert json.loads(encode(decode_notice(kind, "topic", json.dumps(least | more).encode()))) == least | more


def test_the_frames_of_version_1_are_read_whole() -> None:
    least, more = FRAME
    hello = {"ask": "q", "answer": "q", "speaks": 1}
    for said in (least, least | more, least | hello):
        assert json.loads(encode(decode_frame("topic", json.dumps(said).encode()))) == said


def test_a_new_message_has_a_new_version() -> None:
    assert MESSAGE_VERSION == 3
    known = MESSAGES | MESSAGES_OF_2 | MESSAGES_OF_3
    new = {kind.__name__ for kind in LINK_MESSAGES} - known.keys()
    assert not new, f"nodes of before reject {', '.join(new)}: raise MESSAGE_VERSION, and note here what version 4 has"
    assert known.keys() <= {kind.__name__ for kind in LINK_MESSAGES}, "nodes of before say what nobody reads any more"
