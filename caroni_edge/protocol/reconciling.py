"""What is said where one side may have lost something: the manager asks its agent which jobs it holds.

How messages are written, and what may change in them: `messages.py`.
"""

from typing import Any

from msgspec import Struct

from caroni_edge.protocol.fields import (
    Attempt,
    Count,
    DatabaseName,
    Date,
    ExitCode,
    InputFrom,
    JobId,
    Name,
    Segment,
    Serial,
    Status,
)
from caroni_edge.protocol.linkmessage import LinkMessage


class JobsWanted(LinkMessage, frozen=True, tag=True):
    """Reconciliation: what the manager has of the agent's database, by its greatest status serial.

    Attributes:
        wanted: Random; the answers name it, so that those to an earlier question are not taken for this one's.
        database: The agent's database that the manager knows; empty when it knows none.
        known: The greatest serial that it has of that database.
        objects: The manager asks for what is kept for its workflows, too (`ObjectsHere`).
    """

    wanted: JobId
    database: DatabaseName = ""
    known: Serial = 0
    objects: bool = False


class JobHere(Struct, frozen=True, omit_defaults=True):
    """The whole state of one job at its agent, in a `JobsHere`."""

    job: JobId
    workflow: Segment
    step: Name
    attempt: Attempt
    job_type: Segment
    serial: Serial
    status: Status
    begun: bool = False
    inputs_hash: str = ""
    inputs_from: dict[str, InputFrom] = {}
    outputs: dict[str, Any] | None = None
    reason: str | None = None
    exit_code: ExitCode | None = None
    stderr: str | None = None
    started: Date | None = None
    ended: Date | None = None
    version: str | None = None
    repeat: bool | None = None
    outputs_left_out: Count = 0
    final: bool = False
    box: str | None = None


class JobsHere(LinkMessage, frozen=True, tag=True):
    """Reconciliation: the jobs whose id is greater than `after` and up to `upto` (all that follow: empty), by id."""

    wanted: JobId
    database: DatabaseName
    after: str = ""
    upto: str = ""
    jobs: tuple[JobHere, ...] = ()
