"""What an agent asks of the one who runs its jobs, and what it hears of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from caroni_edge.agent.jobtypes import JobType
from caroni_edge.protocol.messages import Values

STDERR_LIMIT_BYTES = 4096
"""So much of the end of a job's standard error is told."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to start.

    Attributes:
        job: Its random name.
        job_type: What runs it.
        inputs: All of them; they fit.
        workflow: The workflow's id.
        step: The step's path.
        attempt: Its number, from 1.
        manager: Whose job it is.
    """

    job: str
    job_type: JobType
    inputs: Values
    workflow: str
    step: str
    attempt: int
    manager: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded:
    """How a job ended: with outputs, or with the reason why there are none.

    Attributes:
        job: Its name.
        outputs: All that its type declares; None when it has failed or was killed.
        reason: Why there are no outputs, for people.
        exit_code: Of its process; negative for a signal; None where it is not known.
        stderr: The end of its standard error, when there are no outputs.
        started: When it was started, Unix seconds; None: its process surely never began.
        ended: When it ended or that was noticed, Unix seconds.
        disk_bytes: What its directory takes on disk.
        no_space: The disk had no room for its directory, so it has not begun.
    """

    job: str
    outputs: Values | None = None
    reason: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    started: float | None = None
    ended: float | None = None
    disk_bytes: int = 0
    no_space: bool = False


class JobRunner(Protocol):
    """What the reactor needs of a runner; a simulation has one without processes.

    Every job that is started or recovered is answered by one `JobEnded` at least, in whatever thread; a repeat is
    possible.
    """

    def recover(self, jobs: Iterable[str]) -> None:
        """Take over the jobs that are `running` in the database; called once, before all others.

        The end of each is delivered: when it comes, or what is recorded of it, or that nobody saw it. One that was
        never started will never be. What runs beside these belongs to no job: it is killed, and its end delivered.
        """

    def start(self, order: JobOrder) -> None:
        """Start a job, after `running` has been committed. One that was started before is not started again."""

    def kill(self, job: str, reason: str) -> None:
        """End a job and all its processes; its end is delivered with this reason, if it did not come first."""

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return at most `limit` bytes of a job's log from `offset`, and whether nothing follows them for ever."""

    def remove(self, job: str) -> None:
        """Delete all that is on disk of a job that has ended."""
