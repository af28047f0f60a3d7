"""What nodes say to each other, as frozen structs.

Three kinds (docs/protocol.md): *notices* say a whole state and may be lost or repeated; *link messages* travel in
frames and take effect exactly once, in order; *events* are for people. What leaves the codec is well formed: nobody
checks its form again. Within a message version only optional fields are added; nodes ignore unknown fields.

Durations are seconds, dates are Unix seconds for people, sizes are bytes.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from caroni_edge.protocol.depots import AboutKeeping
from caroni_edge.protocol.fields import (
    Attempt,
    Count,
    DatabaseName,
    Date,
    ExitCode,
    InputFrom,
    JobId,
    Name,
    Nonce,
    Position,
    Priority,
    SaidHosts,
    Seconds,
    Segment,
    Serial,
    Status,
)
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.keeping import ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.labels import Labels
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.logs import JobLog, JobLogRequest
from caroni_edge.protocol.objects import ObjectBad, ObjectKey, ObjectsCheck, ObjectsWanted, Places
from caroni_edge.protocol.reconciling import JobsHere, JobsWanted

LINK_VERSION = 1
"""`v` of every frame; it changes only with the link itself."""
MESSAGE_VERSION = 3
"""The newest version of the messages that this program speaks."""
VALUES_LIMIT_BYTES = 48 * 1024
"""A job's inputs together, and its outputs together, as JSON: so that any message about them fits into a frame."""

Values = dict[str, Any]


class Frame(Struct, frozen=True, omit_defaults=True):
    """One MQTT message between two nodes: link messages, an acknowledgement, a question or its answer.

    Attributes:
        v: Version of the link.
        from_: Id of the sender.
        to: Id of the receiver.
        boot: Random at each start of the sender's process.
        ack: The last position that the sender has taken from the receiver, and committed.
        ask: A Hello: nonce of the question.
        answer: Nonce of the question that this answers.
        speaks: Newest message version of the sender; in a Hello and in its answer.
        first: Seq of the first message.
        prev: Id of the row before the first message.
        messages: The link messages, each with its random `id` and its `type`.
    """

    v: int
    from_: Segment = msgspec.field(name="from")
    to: Segment
    boot: Nonce
    ack: Position
    ask: Nonce | None = None
    answer: Nonce | None = None
    speaks: Annotated[int, Meta(ge=1)] | None = None
    first: Annotated[int, Meta(ge=1, le=(1 << 62))] | None = None
    prev: Annotated[str, Meta(max_length=40)] | None = None
    messages: tuple[msgspec.Raw, ...] = ()


class Presence(Struct, frozen=True, omit_defaults=True):
    """Notice, retained: a node is there, or (its will) is not.

    Attributes:
        online: Whether the node is connected.
        boot: Random at each start of its process; names it among two with one id.
        version: Version of the program.
        host: Name of its host.
        speaks: Newest message version.
        job_types: An agent's job types.
        refuses: Job type or manager (`*` for all): the reason why the agent does not offer for it.
        slots: How many jobs the agent runs at once.
        backlog: How many ready jobs it keeps beside those; None: it does not say, and twice the slots are meant.
        pending: How many jobs it keeps whose data is not there yet; None: likewise.
        sandbox: What an agent's jobs are locked into: `shared`, or `none: ` and why; empty where it does not say.
        labels: What an agent says that it is.
        staging: Manager (`*` for all): what its files wait for that are to come to the agent.
        depot: Whether an agent's owner lets it be a depot: `open`, or `full: ` and why; empty where it is none.
        direct: Where the agent gives files straight to who may have them.
        hosts: Whose files its owner lets an agent fetch by http and https; None: it does not say.
    """

    online: bool
    boot: Nonce
    version: str = ""
    host: str = ""
    speaks: int = 1
    job_types: dict[Segment, JobTypeNotice] = {}
    refuses: dict[str, str] = {}
    slots: Count = 0
    backlog: Count | None = None
    pending: Count | None = None
    sandbox: str = ""
    labels: Labels = {}
    staging: dict[str, str] = {}
    depot: str = ""
    direct: str = ""
    hosts: SaidHosts | None = None


class JobFulfillmentRequest(Struct, frozen=True, omit_defaults=True):
    """Notice, retained: a manager's present demand for one job type.

    Attributes:
        serial: Grows whenever the demand changes.
        ready: Steps whose inputs are there.
        waiting: Steps whose inputs do not exist yet.
        only: How many are bound to which agents (names, with commas between), or to labels, as `gpu=a100,site=north`.
        priority: The greatest priority among them.
        spread: Agents answer after a random share of this duration.
    """

    serial: Serial
    ready: Count = 0
    waiting: Count = 0
    only: dict[str, int] = {}
    priority: Priority = 4
    spread: Seconds = 0.0


class LinkReset(LinkMessage, frozen=True, tag=True):
    """The sender has begun its direction of the link anew: both sides reconcile."""


class MessageRejected(LinkMessage, frozen=True, tag=True):
    """A message of the receiver's could not be handled; it has had no effect.

    Attributes:
        id: The message's id.
        message_type: Its type, as far as it could be read.
        jobs: The jobs that it named, as far as they could be read.
        reason: For people.
    """

    id: str = msgspec.field(name="message")  # `id` is the name of each message itself
    reason: str
    message_type: str = ""
    jobs: tuple[JobId, ...] = ()


class JobOffer(LinkMessage, frozen=True, tag=True):
    """An agent could take jobs of a type now or soon.

    Attributes:
        offer: Random name of the offer.
        job_type: What it is for.
        serial: Serial of the demand that it answers.
        ready: Places for jobs whose inputs are there.
        waiting: Places for jobs whose inputs do not exist yet.
        repeat: Whether the job type may be run again by itself once it may have begun.
        valid_for: How long the places are reserved, on the agent's clock, in seconds.
        expected_start: Seconds until a job would start, as the agent guesses.
        database: Name of the agent's database, for a later reconciliation.
        labels: What the agent is, by its configuration.
        stands: It answers no demand, and reserves nothing: the manager may keep it and come back to it.
    """

    offer: JobId
    job_type: Segment
    serial: Serial
    ready: Count = 0
    waiting: Count = 0
    repeat: bool = True
    valid_for: Seconds = 10.0
    expected_start: Seconds = 0.0
    database: DatabaseName = ""
    labels: Labels = msgspec.field(default_factory=dict)
    stands: bool = False


class Placement(Struct, frozen=True, omit_defaults=True):
    """One job in an `OfferAccept`.

    Attributes:
        job: Random name of this attempt.
        attempt: Its number, from 1, for people.
        job_type: What runs it.
        workflow: The workflow's id.
        step: The step's path.
        priority: From 0 to 9.
        data_ready: Whether `inputs` are all there are.
        inputs: Those that are known.
        inputs_from: The others, where jobs at this agent will give them: it takes them by itself.
        places: Where the large files among them are, for an agent that has not got them.
    """

    job: JobId
    attempt: Attempt
    job_type: Segment
    workflow: Segment
    step: Name
    priority: Priority = 4
    data_ready: bool = False
    inputs: Values = {}
    inputs_from: dict[str, InputFrom] = {}
    places: Places = ()


class OfferAccept(LinkMessage, frozen=True, tag=True):
    """Jobs for an offer, in messages that fit; `last` frees what is left of it, `database` is the one that offered."""

    offer: JobId
    jobs: tuple[Placement, ...] = ()
    last: bool = True
    database: str = ""


class OfferReject(LinkMessage, frozen=True, tag=True):
    """The manager has no step for an offer: its places are free."""

    offer: JobId


class JobAccepted(LinkMessage, frozen=True, tag=True):
    """The agent has these jobs."""

    jobs: tuple[JobId, ...]


class JobDecline(LinkMessage, frozen=True, tag=True):
    """The agent does not take a job: `final` with these inputs; `begun`: it may have begun here, and that is lost."""

    job: JobId
    reason: str
    final: bool = False
    begun: bool = False


class JobDataReady(LinkMessage, frozen=True, tag=True):
    """All inputs of a job that was placed before they existed; `places`: where the large files among them are."""

    job: JobId
    inputs: Values = msgspec.field(default_factory=dict)
    places: Places = ()


class JobStatusUpdate(LinkMessage, frozen=True, tag=True):
    """The state of a job at its agent.

    Attributes:
        job: The job.
        serial: Counts all updates of the agent's database; it only grows.
        status: The state.
        begun: Whether its process may have been started.
        outputs: Of a completed job.
        reason: Why it failed or was killed.
        exit_code: Of its process; negative is a signal.
        stderr: The last 4 KiB of its standard error.
        started: When its process was started.
        ended: When it ended.
        version: Version of the job type that it ran.
        outputs_left_out: Size of its outputs, which are too large for the broker and stay at the agent.
        final: It failed, and would again with that version: its outputs are too large, or have other types.
        box: What it was locked into: `shared`, `each` or `none`, and why where that is less than was asked for.
        inputs_hash: Of the inputs that it has; empty while they are not there, or not known any more.
        fed: The jobs that have taken their last input from it.
    """

    job: JobId
    serial: Serial
    status: Status
    begun: bool = False
    outputs: Values | None = None
    reason: str | None = None
    exit_code: ExitCode | None = None
    stderr: str | None = None
    started: Date | None = None
    ended: Date | None = None
    version: str | None = None
    outputs_left_out: Count = 0
    final: bool = False
    box: str | None = None
    inputs_hash: str = ""
    fed: tuple[JobId, ...] = ()


class JobKill(LinkMessage, frozen=True, tag=True):
    """The manager does not want this job any more."""

    job: JobId
    reason: str


class JobStatusRequest(LinkMessage, frozen=True, tag=True):
    """What is the state of this job? Answered by a `JobStatusUpdate`, or a `JobDecline` when it is not known."""

    job: JobId


Message = (
    LinkReset
    | MessageRejected
    | JobOffer
    | OfferAccept
    | OfferReject
    | JobAccepted
    | JobDecline
    | JobDataReady
    | JobStatusUpdate
    | JobKill
    | JobStatusRequest
    | JobLogRequest
    | JobLog
    | JobsWanted
    | JobsHere
    | ObjectsDrop
    | ObjectsGone
    | ObjectsHere
    | ObjectKey
    | ObjectsWanted
    | ObjectBad
    | ObjectsCheck
    | AboutKeeping
)
