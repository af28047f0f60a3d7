"""An example of each message for the published schemas: what is said when the workflow `w1` greets the world."""

from typing import Any

import msgspec

from caroni_edge.protocol.codec import encode, encode_message
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.events import CloudEvent, EventData
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.logs import JobLog, JobLogRequest
from caroni_edge.protocol.messages import (
    Frame,
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobFulfillmentRequest,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    LinkReset,
    MessageRejected,
    OfferAccept,
    OfferReject,
    Placement,
    Presence,
)
from caroni_edge.protocol.objects import ObjectBad, ObjectKey, ObjectPlace, ObjectsCheck, ObjectsWanted
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.protocol.triggers import Trigger

JOB, OFFER, DATABASE, QUESTION = "k3v9x2m8q1z7p4ba", "c6t1r8w5n0y2d7je", "q8s4h0v6b3f9x1mu", "z5g7a2l9u4k1o8ie"
MESSAGE_ID = "m2x7c4v9b1n6q3wz"
OBJECT = "sha256:64ec88ca00b268e5ba1a35678a1b5316d212f4f366b2477232534a8aeca37f3c"

LINK_MESSAGES: tuple[LinkMessage, ...] = (
    LinkReset(),
    MessageRejected(id=MESSAGE_ID, message_type="JobKill", jobs=(JOB,), reason="database is locked"),
    JobOffer(offer=OFFER, job_type="greet", serial=3, ready=2, waiting=1, repeat=False, database=DATABASE),
    OfferAccept(
        offer=OFFER,
        jobs=(
            Placement(
                job=JOB,
                attempt=1,
                job_type="greet",
                workflow="w1",
                step="greet",
                data_ready=True,
                inputs={"name": "world", "times": 2},
            ),
        ),
        last=False,
        database=DATABASE,
    ),
    OfferReject(offer=OFFER),
    JobAccepted(jobs=(JOB,)),
    JobDecline(job=JOB, reason="the agent has no job type greet", final=True),
    JobDataReady(job=JOB, inputs={"name": "Wörld\n", "times": 2}),
    JobStatusUpdate(
        job=JOB,
        serial=17,
        status="failed",
        begun=True,
        reason="exit status 1",
        exit_code=1,
        stderr="greet: no such file\n",
        started=1.7e9,
        ended=1.7e9 + 1.5,
    ),
    JobKill(job=JOB, reason="the workflow was cancelled"),
    JobStatusRequest(job=JOB),
    JobLogRequest(job=JOB, offset=32768),
    JobLog(job=JOB, offset=32768, data=b"Hello world! \xff", end=True),
    JobsWanted(wanted=QUESTION, database=DATABASE, known=16, objects=True),
    JobsHere(
        wanted=QUESTION,
        database=DATABASE,
        jobs=(
            JobHere(
                job=JOB,
                workflow="w1",
                step="greet",
                attempt=1,
                job_type="greet",
                serial=17,
                status="completed",
                begun=True,
                outputs={"greeting": "Hello world! Hello world! "},
                exit_code=0,
            ),
        ),
    ),
    ObjectsDrop(workflow="w1", but=(OBJECT,)),
    ObjectsGone(objects=(OBJECT,)),
    ObjectsHere(objects=(ObjectHere(workflow="w1", object=OBJECT, size=5_000_000),)),
    ObjectKey(generation=1, secret=b"a secret of 32 bytes, at random."),
    ObjectsWanted(job=JOB, places=(ObjectPlace(holder="agents/a7", generation=1, ticket="9d" * 32),)),
    ObjectsCheck(objects=(OBJECT,)),
    ObjectBad(job=JOB, object=OBJECT, place="agents/a7", reason="ticket"),
    ObjectsKeep(
        workflow="w1",
        objects=(ObjectToKeep(object=OBJECT, size=5_000_000),),
        places=(ObjectPlace(holder="agents/a7", generation=1, ticket="9d" * 32),),
    ),
    ObjectsHeld(workflow="w1", objects=(OBJECT,)),
    ObjectsRefused(workflow="w1", objects=(OBJECT,), reason="this agent is no depot: files.depot is not set"),
)

PAYLOADS: tuple[msgspec.Struct, ...] = (
    Trigger(template="hello", inputs={"who": "world"}, id="w1", priority=9, reply_to="caroni/replies/alice/greetings"),
    Trigger(
        template="look",
        inputs={"image": {"class": "File", "basename": "m31.fits", "size": 5_000_000, "location": f"caroni:{OBJECT}"}},
        id="w2",
        places={OBJECT: "submit-x7q2"},
        ticket="9d" * 32,
    ),
    CloudEvent(
        specversion="1.0",
        id=MESSAGE_ID,
        source="caroni/managers/m1",
        type="caroni.workflow.completed",
        subject="w1",
        time="2026-11-28T15:05:55.000Z",
        datacontenttype="application/json",
        data=EventData(workflow="w1", template="hello", status="completed", outputs={"shout": "HELLO WORLD! "}),
    ),
    Frame(
        v=1,
        from_="m1",
        to="a1",
        boot="q8w2e5r7t1y9u3io",
        ack=(41, "k3j8h1g6f4d9s2ap"),
        first=17,
        prev="l4k9j2h7g1f6d3sa",
        messages=(msgspec.Raw(encode_message(MESSAGE_ID, JobKill(job=JOB, reason="the workflow was cancelled"))),),
    ),
    Presence(
        online=True,
        boot="q8w2e5r7t1y9u3io",
        version="0.1.0",
        host="barge",
        job_types={"greet": JobTypeNotice(inputs={"name": "string", "times": "int"}, outputs={"greeting": "string"})},
        refuses={"m2": "the agent's configuration does not name it under managers"},
        slots=2,
    ),
    JobFulfillmentRequest(serial=3, ready=2, waiting=1, only={"a7": 1}, spread=0.5),
)


def examples() -> dict[str, Any]:
    """Return an example of each message by its name, as it stands on the wire."""
    bodies = {type(message).__name__: encode_message(MESSAGE_ID, message) for message in LINK_MESSAGES}
    bodies.update((type(payload).__name__, encode(payload)) for payload in PAYLOADS)
    return {name: msgspec.json.decode(body) for name, body in bodies.items()}


def exemplified(schemas: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the schemas of all messages, each with its example."""
    return {name: {**schema, **_example(name)} for name, schema in schemas.items()}


_EXAMPLES = examples()


def _example(name: str) -> dict[str, Any]:
    return {"examples": [_EXAMPLES[name]]} if name in _EXAMPLES else {}
