"""Jobs that managers have placed here, finished ones too."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.agent.lifecycle import DataState, JobState
from caroni_edge.storage.rows import Rows, columns

TRIAL = ""
"""In the place of a manager: the job is a trial of the agent's owner, and nobody is told of it."""


class JobRow(NamedTuple):
    """A job; `inputs` (those known) and `outputs` are JSON.

    Attributes:
        id: Order of arrival.
        serial: The agent's count of changes at the last change of this job.
        begun: Its process may have been started; of a queued one: it was handed over to its keeper.
        killed: Why it is being killed, while it runs.
        received: When it was placed here.
        disk_bytes: What its directory takes on disk, once it has ended.
        final: It has failed, and the same version of its job type would do so again.
        cpu_s: Processor time that its processes have used, once it has ended and where that is known.
        memory_bytes: The most memory that one of them had, likewise.
        box: What it was locked into, once it has begun (`Choice.said`).
        holds: What it holds of the host's resources while it runs, as JSON; None: nothing.
        inputs_from: While it is pending: the inputs that it takes from jobs here, as JSON (`InputFrom` by name).
    """

    id: int
    job: str
    manager: str
    job_type: str
    workflow: str
    step: str
    attempt: int
    priority: int
    status: JobState
    data: DataState
    serial: int
    begun: bool
    killed: str | None
    inputs_hash: str
    version: str | None
    exit_code: int | None
    received: float
    started: float | None
    ended: float | None
    reason: str | None
    stderr: str | None
    inputs: str
    outputs: str | None
    disk_bytes: int
    final: bool
    cpu_s: float | None
    memory_bytes: int | None
    box: str | None
    holds: str | None
    inputs_from: str | None = None


class Ended(NamedTuple):
    """A job that has ended, and what it takes on disk."""

    id: int
    job: str
    manager: str
    disk_bytes: int


class JobKey(NamedTuple):
    """A job by its id and its name."""

    id: int
    job: str


class ToKill(NamedTuple):
    """A running job that is to be killed, and why."""

    job: str
    reason: str


class Owner(NamedTuple):
    """Whose a job is, and its status."""

    manager: str
    status: JobState


class Running(NamedTuple):
    """A job that holds a slot."""

    job: str
    manager: str
    job_type: str


class Holding(NamedTuple):
    """A job that runs and holds some of the host's resources; `holds` is JSON."""

    job: str
    manager: str
    job_type: str
    holds: str


JOB = columns(JobRow, "j", status="state")
"""What is selected of `jobs j`; the column is older than the word for it."""


class JobRows(Rows):
    """Statements about jobs."""

    ADD = """
        INSERT INTO jobs (job, manager, job_type, workflow, step, attempt, priority, state, data, serial, inputs_hash,
            received, inputs, inputs_from)
        VALUES (:job, :manager, :job_type, :workflow, :step, :attempt, :priority, :status, :data, :serial, :inputs_hash,
            :received, :inputs, :inputs_from)"""

    def add(self, row: JobRow) -> None:
        """Add a job that was placed here; `id` is given by the database."""
        self._run(self.ADD, **row._asdict())

    BY_JOB = f"SELECT {JOB} FROM jobs j WHERE job = :job"

    def by_job(self, job: str) -> JobRow | None:
        """Return a job."""
        return self._one(JobRow, self.BY_JOB, job=job)

    OWNER = "SELECT manager, state AS status FROM jobs WHERE job = :job"

    def owner(self, job: str) -> Owner | None:
        """Return whose a job is, without its values."""
        return self._one(Owner, self.OWNER, job=job)

    NEXT_READY = f"""
        SELECT {JOB} FROM jobs j WHERE state = 'queued' AND manager = :manager AND NOT begun
        ORDER BY priority DESC, id LIMIT 1"""

    def next_ready(self, manager: str) -> JobRow | None:
        """Return a manager's job that is to get the next slot: by priority, then the first that came.

        Those that wait at their keeper have been chosen already.
        """
        return self._one(JobRow, self.NEXT_READY, manager=manager)

    NEXT_READY_BUT = f"""
        SELECT {JOB} FROM jobs j WHERE state = 'queued' AND manager = :manager AND NOT begun
            AND job_type NOT IN (SELECT value FROM json_each(:job_types))
        ORDER BY priority DESC, id LIMIT 1"""

    def next_ready_but(self, manager: str, job_types: str) -> JobRow | None:
        """Return the same, but for jobs of these types (JSON), for which something is not free."""
        return self._one(JobRow, self.NEXT_READY_BUT, manager=manager, job_types=job_types)

    LAST_READY = f"""
        SELECT {JOB} FROM jobs j WHERE state = 'queued' AND manager = :manager AND NOT begun
        ORDER BY priority, id DESC LIMIT 1"""

    def last_ready(self, manager: str) -> JobRow | None:
        """Return a manager's job that would be the last to get a slot."""
        return self._one(JobRow, self.LAST_READY, manager=manager)

    RUNNING = "SELECT job, manager, job_type FROM jobs WHERE state = 'running' ORDER BY id"

    def running(self) -> list[Running]:
        """Return the jobs that hold a slot."""
        return self._all(Running, self.RUNNING)

    HOLDING = """
        SELECT job, manager, job_type, holds FROM jobs WHERE state = 'running' AND holds IS NOT NULL ORDER BY id"""

    def holding(self) -> list[Holding]:
        """Return the jobs that hold some of the host's resources."""
        return self._all(Holding, self.HOLDING)

    HAND_OVER = "UPDATE jobs SET begun = 1, version = :version, box = :box WHERE id = :id"

    def hand_over(self, row_id: int, version: str, box: str) -> None:
        """Note that a queued job is handed over to its keeper, by which version of its job type and in which box."""
        self._run(self.HAND_OVER, id=row_id, version=version, box=box)

    AHEAD = f"SELECT {JOB} FROM jobs j WHERE state = 'queued' AND begun ORDER BY id"

    def ahead(self) -> list[JobRow]:
        """Return the queued jobs that were handed over."""
        return self._all(JobRow, self.AHEAD)

    COLLECTING = "SELECT job FROM jobs WHERE state = 'collecting' ORDER BY id"

    def collecting(self) -> list[str]:
        """Return the jobs whose files are being taken."""
        return self._all(str, self.COLLECTING)

    WAITING = "SELECT job FROM jobs WHERE state IN ('pending', 'staging', 'queued') ORDER BY job"

    def waiting(self) -> list[str]:
        """Return the jobs that have not begun, as far as is known here."""
        return self._all(str, self.WAITING)

    KILLED = "SELECT job, killed AS reason FROM jobs WHERE killed IS NOT NULL ORDER BY job"

    def killed(self) -> list[ToKill]:
        """Return the running jobs that are to be killed, with the reason."""
        return self._all(ToKill, self.KILLED)

    # Left alone, SQLite would read all jobs of the manager, finished ones too.
    LIVE_OF = """
        SELECT job FROM jobs INDEXED BY jobs_state
        WHERE state IN ('pending', 'staging', 'queued', 'running', 'collecting') AND manager = :manager ORDER BY id"""

    def live_of(self, manager: str) -> list[str]:
        """Return the jobs of a manager that are not finished, first come first."""
        return self._all(str, self.LIVE_OF, manager=manager)

    SAVE = """
        UPDATE jobs SET state = :status, data = :data, serial = :serial, begun = :begun, killed = :killed,
            inputs_hash = :inputs_hash, version = :version, exit_code = :exit_code, started = :started,
            ended = :ended, reason = :reason, stderr = :stderr, inputs = :inputs, outputs = :outputs,
            disk_bytes = :disk_bytes, final = :final, cpu_s = :cpu_s, memory_bytes = :memory_bytes,
            box = :box, holds = :holds, inputs_from = :inputs_from
        WHERE id = :id"""

    def save(self, row: JobRow) -> None:
        """Keep all that may change of a job."""
        self._run(self.SAVE, **row._asdict())

    KILL = "UPDATE jobs SET killed = :reason WHERE id = :id"

    def kill(self, row_id: int, reason: str) -> None:
        """Note that a running job is to be killed."""
        self._run(self.KILL, id=row_id, reason=reason)

    TAKEN_BYTES = "SELECT value FROM counters WHERE name = 'disk_bytes'"

    def taken_bytes(self) -> int:
        """Return what all jobs that have ended take on disk."""
        return self._only(int, self.TAKEN_BYTES)

    ENDED_AFTER = """
        SELECT id, job, manager, disk_bytes FROM jobs WHERE id > :id AND +ended IS NOT NULL ORDER BY id LIMIT :limit"""

    def ended_after(self, row_id: int, limit: int) -> list[Ended]:
        """Return jobs that have ended, in the order in which they came, from after an id on."""
        return self._all(Ended, self.ENDED_AFTER, id=row_id, limit=limit)

    ON_THEIR_WAY = "SELECT coalesce(json_extract(body, '$.job'), '') FROM outbox WHERE peer = :manager LIMIT :limit"

    def on_their_way(self, manager: str, limit: int) -> list[str]:
        """Return what job each message is about that a manager has not confirmed (empty: none), up to `limit`."""
        return self._all(str, self.ON_THEIR_WAY, manager=manager, limit=limit)

    OLDEST_ENDED = "SELECT id, job FROM jobs WHERE ended < :before ORDER BY ended LIMIT :limit"

    def oldest_ended(self, before: float, limit: int) -> list[JobKey]:
        """Return the jobs that ended first, before a date."""
        return self._all(JobKey, self.OLDEST_ENDED, before=before, limit=limit)

    NEVER_BEGAN = """
        SELECT id, job FROM jobs WHERE manager = :manager AND ended IS NOT NULL AND NOT begun
        ORDER BY id DESC LIMIT :limit OFFSET :kept"""

    def never_began(self, manager: str, kept: int, limit: int) -> list[JobKey]:
        """Return jobs of a manager that have ended without having begun, but for the newest ones."""
        return self._all(JobKey, self.NEVER_BEGAN, manager=manager, kept=kept, limit=limit)

    LAST_OF = "SELECT max(id) FROM jobs WHERE manager = :manager"

    def last_of(self, manager: str) -> int | None:
        """Return the greatest id of a manager's jobs."""
        return self._one(int, self.LAST_OF, manager=manager)

    COUNT_OF = "SELECT count(*) FROM jobs WHERE manager = :manager"

    def count_of(self, manager: str) -> int:
        """Return how many jobs of a manager are here, finished ones too."""
        return self._only(int, self.COUNT_OF, manager=manager)

    OLDEST_OF = "SELECT id, job FROM jobs WHERE manager = :manager AND id <= :upto ORDER BY id LIMIT :limit"

    def oldest_of(self, manager: str, upto: int, limit: int) -> list[JobKey]:
        """Return a manager's first jobs, up to an id."""
        return self._all(JobKey, self.OLDEST_OF, manager=manager, upto=upto, limit=limit)

    DELETE = "DELETE FROM jobs WHERE id = :id"

    def delete(self, row_ids: Iterable[int]) -> None:
        """Delete jobs."""
        self._run_each(self.DELETE, ({"id": row_id} for row_id in row_ids))
