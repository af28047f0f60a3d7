"""The shapes of the answers of the agent's API; times are RFC 3339, UTC."""

from typing import Any, TypedDict

from caroni_edge.agent.lifecycle import DataState, JobState


class FilesView(TypedDict):
    """The files that a job waits for.

    Attributes:
        count: How many have not come yet.
        bytes: Their size, as far as known.
        left_bytes: How much of that is missing.
        holders: The nodes that they come from now, with ` (direct)` behind those from which they do not come over the
            broker, and hosts that addresses name; no nodes while they wait for room, their turn, or a node.
        bytes_per_s: How fast all that is fetched came in the last seconds.
        problem: Why nothing can come; null when nothing is wrong.
    """

    count: int
    bytes: int
    left_bytes: int
    holders: list[str]
    bytes_per_s: float
    problem: str | None


class JobSummary(TypedDict):
    """A job without its inputs and outputs.

    Attributes:
        manager: Whose job it is; empty: it is a trial of the agent's owner.
        reason: Why it has no outputs, is queued, or has files that are not taken yet.
        duration_s: How long it held its slot, once it has ended.
        killing: Why it is to end, while it still runs.
        cpu_s: Processor time that its processes have used; null where that is not known.
        memory_bytes: Of a job that runs, what its processes have now; of one that has ended, the most that one had.
        box: What it was locked into: `shared`, `each` or `none`, and why where that is less than was asked for.
        files: Of a job that is staging, what is on its way.
    """

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
    duration_s: float | None
    exit_code: int | None
    reason: str | None
    killing: str | None
    cpu_s: float | None
    memory_bytes: int | None
    box: str | None
    files: FilesView | None


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
    """A job type; of its environment and its secrets only the names are shown."""

    name: str
    file: str
    version: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    command: list[str] | None
    script: str | None
    interpreter: list[str]
    environment: list[str]
    secrets: list[str]
    limits: LimitsView
    needs: dict[str, int]
    parallel: int | None
    repeat: bool


class JobTypePage(TypedDict):
    """What is loaded; `errors` by name: a job type that is in both has the version from before."""

    job_types: list[JobTypeView]
    errors: dict[str, list[str]]


class Finding(TypedDict):
    """What is wrong with the text of a job type; `line`: null where it is about all of it."""

    line: int | None
    what: str


class CheckView(TypedDict):
    """What there is to say about a text: `version` and `name` where it is a job type."""

    problems: list[Finding]
    name: str | None
    version: str | None


class VersionView(TypedDict):
    """A version of a job type: since when it is, or was last, in force, and how many jobs have begun by it."""

    version: str
    since: str
    jobs: int
    in_force: bool


class JobTypeDetail(TypedDict):
    """A job type and its file.

    Attributes:
        job_type: What is in force; null where nothing is.
        problems: What is wrong with the file.
        file: Its path.
        source: What it says; null for a viewer, since it may hold what is nobody's business, and where it cannot be
            read.
        mark: Tells whether it has changed when it is to be written; null likewise.
        why_not_edited: Why it cannot be changed here, for people; null when it can.
        versions: The newest first.
    """

    name: str
    job_type: JobTypeView | None
    problems: list[Finding]
    file: str
    source: str | None
    mark: str | None
    why_not_edited: str | None
    versions: list[VersionView]


class VersionText(TypedDict):
    """The text of a version; null where it was too long to be kept."""

    version: str
    source: str | None


class ShareView(TypedDict):
    """What a manager had of the slots, beside what it may have.

    Attributes:
        manager: Its id; empty: trials of the agent's owner.
        weight: Of its share; null for one that is not served, and for trials.
        slot_time_s: How long slots were held by its jobs.
        share: That, as a part of what all had, from 0 to 1.
        due: Its weight, as a part of the weights of those here, from 0 to 1: what it gets while all have ready jobs.
    """

    manager: str
    weight: float | None
    slot_time_s: float
    share: float
    due: float


class ResourceView(TypedDict):
    """How much there is of something that jobs may need, how much of it is taken, and by which jobs that run."""

    name: str
    amount: int
    taken: int
    jobs: list[str]


class SlotsView(TypedDict):
    """How the slots were used.

    Attributes:
        slots: How many there are.
        running: How many are held now.
        backlog: So many ready jobs are kept beside those that run, now.
        pending: So many are kept whose data is not there yet.
        hours: How far this looks back.
        since: When it begins.
        busy: How many slots were held, on average, in each minute since then.
        managers: Who had them, the most first.
        resources: What jobs may need beside a slot.
    """

    slots: int
    running: int
    backlog: int
    pending: int
    hours: int
    since: str
    busy: list[float]
    managers: list[ShareView]
    resources: list[ResourceView]


class TurnedAwayView(TypedDict):
    """A job that was declined, or (`job` is null) a refusal that began: of a manager, a job type, or all."""

    date: str
    manager: str | None
    job: str | None
    job_type: str | None
    workflow: str | None
    step: str | None
    reason: str


class RefusalsView(TypedDict):
    """What is not taken now, by job type or manager (`*`: all), and what was not taken lately, the newest first."""

    refuses: dict[str, str]
    recent: list[TurnedAwayView]


class Drain(TypedDict):
    """Whether the agent takes no new work, or starts nothing at all (`paused`), and what it has left, by state."""

    drained: bool
    paused: bool
    jobs: dict[str, int]
