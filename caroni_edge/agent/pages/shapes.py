"""The shapes of the answers of the agent's API; times are RFC 3339, UTC."""

from typing import Any, TypedDict

from caroni_edge.agent.lifecycle import DataState, JobState


class JobSummary(TypedDict):
    """A job without its inputs and outputs; `killing`: why it is to end, while it still runs."""

    id: str
    manager: str
    workflow: str
    step: str
    attempt: int
    job_type: str
    priority: int
    status: JobState
    data: DataState
    received: str
    started: str | None
    ended: str | None
    exit_code: int | None
    reason: str | None
    killing: str | None


class JobView(JobSummary):
    """A job; `reply_topic` is where its states go.

    Attributes:
        inputs: Those that are known.
        outputs: Of a completed job.
        version: Of the job type that it ran.
        stderr: The end of its standard error, of a job without outputs.
        log: The beginning of its log.
        log_next: Where the rest of the log begins, if there is more or more may come: the `offset` for `…/log`.
    """

    reply_topic: str
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    version: str | None
    stderr: str | None
    log: str
    log_next: int | None


class JobPage(TypedDict):
    """Jobs, newest first; `next` is the `after` of the next page."""

    jobs: list[JobSummary]
    next: str | None


class LimitsView(TypedDict):
    """What a job of a type may use; null where there is no limit."""

    timeout_s: float | None
    memory_bytes: int | None
    output_bytes: int
    log_bytes: int
    nice: int | None


class JobTypeView(TypedDict):
    """A job type; of its environment only the names are shown."""

    name: str
    file: str
    version: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    command: list[str] | None
    script: str | None
    interpreter: list[str]
    environment: list[str]
    limits: LimitsView
    repeat: bool


class JobTypePage(TypedDict):
    """What is loaded; `errors` by name: a job type that is in both has the version from before."""

    job_types: list[JobTypeView]
    errors: dict[str, list[str]]


class Drain(TypedDict):
    """Whether the agent takes no new work, and what it has left, by state."""

    drained: bool
    jobs: dict[str, int]
