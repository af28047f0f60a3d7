"""Jobs: attempts of steps at agents, and the logs that have come from them."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns, parameters


class JobRow(NamedTuple):
    """An attempt.

    Attributes:
        open: It may still give a result.
        lost: Its step has gone on without it, but its result counts if it is the first.
        data_sent: All its inputs were sent: it may have begun, whatever the agent has said so far.
        begun: Its process may have been started: its agent says so, or we must suppose it.
        repeat: Its type may be run again by itself.
        serial: Of the last update taken.
        asked: It is taken back by asking: its step waits for its end, and its result does not count.
        inputs_from: What its agent may give it by itself, as JSON (`InputFrom` by name); None for nothing.
    """

    job: str
    step: int
    attempt: int
    agent: str
    status: str
    open: bool
    lost: bool
    data_sent: bool
    begun: bool
    repeat: bool
    serial: int
    asked: bool
    inputs_from: str | None

    @property
    def may_have_data(self) -> bool:
        """Whether it may have all its inputs: they were sent, or it takes them by itself."""
        return self.data_sent or self.inputs_from is not None


class NewJob(NamedTuple):
    """An attempt that begins; `placed` is its date."""

    job: str
    step: int
    attempt: int
    agent: str
    status: str
    data_sent: bool
    repeat: bool
    placed: float


class JobEnd(NamedTuple):
    """How an attempt ended, for people."""

    status: str
    serial: int = 0
    begun: bool = False
    reason: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    version: str | None = None
    started: float | None = None
    ended: float | None = None
    box: str | None = None


class JobAt(NamedTuple):
    """An attempt, and the agent that has it."""

    job: str
    agent: str


class JobCount(NamedTuple):
    """How many attempts are in a state."""

    status: str
    jobs: int


class LogPiece(NamedTuple):
    """A piece of a log, where it begins, and whether it is the last one."""

    offset: int
    data: bytes
    is_last: bool


class LogEnd(NamedTuple):
    """How much of a log has come, and whether that is all."""

    size_bytes: int
    is_all: bool


class JobRows(Rows):
    """Statements about jobs and their logs."""

    ADD = f"INSERT INTO jobs ({columns(NewJob)}) VALUES ({parameters(NewJob)})"

    def add(self, rows: Iterable[NewJob]) -> None:
        """Add attempts."""
        self._run_each(self.ADD, (row._asdict() for row in rows))

    BY_ID = f"SELECT {columns(JobRow)} FROM jobs WHERE job = :job"

    def by_id(self, job: str) -> JobRow | None:
        """Return an attempt."""
        return self._one(JobRow, self.BY_ID, job=job)

    UPDATE = """
        UPDATE jobs SET status = :status, data_sent = data_sent OR :status <> 'pending', serial = :serial,
            begun = begun OR :begun, started = coalesce(:started, started), version = coalesce(:version, version),
            box = coalesce(:box, box)
        WHERE job = :job"""

    def update(
        self,
        job: str,
        status: str,
        serial: int,
        *,
        begun: bool,
        started: float | None,
        version: str | None,
        box: str | None,
    ) -> None:
        """Note a state that is not the end."""
        self._run(
            self.UPDATE,
            job=job,
            status=status,
            serial=serial,
            begun=begun,
            started=started,
            version=version,
            box=box,
        )

    CLOSE = """
        UPDATE jobs SET open = 0, status = :status, serial = max(serial, :serial), begun = begun OR :begun,
            reason = :reason, exit_code = :exit_code, stderr = :stderr, version = coalesce(:version, version),
            started = coalesce(:started, started), ended = :ended, box = coalesce(:box, box)
        WHERE job = :job"""

    def close(self, job: str, end: JobEnd) -> None:
        """Note the end of an attempt: nothing more is taken from it."""
        self._run(self.CLOSE, job=job, **end._asdict())

    LOSE = "UPDATE jobs SET lost = 1, reason = :reason WHERE job = :job"

    def lose(self, job: str, reason: str) -> None:
        """Note that the agent is silent: the attempt may still give the result, but another one is made."""
        self._run(self.LOSE, job=job, reason=reason)

    ASK = "UPDATE jobs SET open = 1, lost = 1, asked = 1, begun = begun OR :begun, ended = NULL WHERE job = :job"

    def ask(self, job: str, *, begun: bool) -> None:
        """Note that the agent is asked how the attempt ends, on which no step counts."""
        self._run(self.ASK, job=job, begun=begun)

    RECALL = "UPDATE jobs SET asked = 1 WHERE job = :job"

    def recall(self, job: str) -> None:
        """Note that the agent is asked how the attempt ends, which stays the present one of its step until then."""
        self._run(self.RECALL, job=job)

    HAND_OVER = "UPDATE jobs SET inputs_from = :inputs_from WHERE job = :job"
    ADD_TAKER = "INSERT INTO takers (giver, taker) VALUES (:giver, :taker) ON CONFLICT DO NOTHING"

    def hand_over(self, job: str, inputs_from: str, givers: Iterable[str]) -> None:
        """Note that the agent gives an attempt its inputs by itself, from these jobs."""
        self._run(self.HAND_OVER, job=job, inputs_from=inputs_from)
        self._run_each(self.ADD_TAKER, ({"giver": giver, "taker": job} for giver in givers))

    TAKERS = f"""
        SELECT {columns(JobRow, "j")} FROM takers t CROSS JOIN jobs j ON j.job = t.taker
        WHERE t.giver = :giver AND j.open AND NOT j.asked ORDER BY t.taker"""

    def takers(self, giver: str) -> list[JobRow]:
        """Return the open attempts that may have their inputs from a job, but for those that are taken back."""
        return self._all(JobRow, self.TAKERS, giver=giver)

    MISFEED = "UPDATE jobs SET misfed = 1 WHERE job = :job"

    def misfeed(self, job: str) -> None:
        """Note that an attempt has had other inputs than its step."""
        self._run(self.MISFEED, job=job)

    WAS_MISFED = "SELECT 1 FROM jobs WHERE step = :step AND misfed LIMIT 1"

    def was_misfed(self, step: int) -> bool:
        """Tell whether an attempt of a step has had other inputs."""
        return self._one(int, self.WAS_MISFED, step=step) is not None

    ANY_ASKED = "SELECT 1 FROM jobs WHERE step = :step AND open AND asked LIMIT 1"

    def any_asked(self, step: int) -> bool:
        """Tell whether a step waits for the end of such an attempt."""
        return self._one(int, self.ANY_ASKED, step=step) is not None

    COUNT_AT = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE step = :step AND agent = :agent LIMIT :limit)"

    def count_at(self, step: int, agent: str, limit: int) -> int:
        """Count the attempts of a step that an agent has or has had, up to `limit`."""
        return self._only(int, self.COUNT_AT, step=step, agent=agent, limit=limit)

    DATA_SENT = "UPDATE jobs SET data_sent = 1, status = 'queued' WHERE job = :job"

    def data_sent(self, job: str) -> None:
        """Note that all inputs of the attempt are on their way."""
        self._run(self.DATA_SENT, job=job)

    DELETE = "DELETE FROM jobs WHERE job = :job"

    def delete(self, job: str) -> None:
        """Delete an attempt that never was."""
        self._run(self.DELETE, job=job)

    # Attempts that may still give a result

    COUNT_OPEN = "SELECT rows FROM row_counts WHERE what = 'open' AND name = ''"

    def count_open(self) -> int:
        """Return how many attempts may still give a result."""
        return self._one(int, self.COUNT_OPEN) or 0

    OPEN_COUNTS = "SELECT status, count(*) AS jobs FROM jobs WHERE open GROUP BY status"

    def open_counts(self) -> list[JobCount]:
        """Return how many attempts may still give a result, by state."""
        return self._all(JobCount, self.OPEN_COUNTS)

    OPEN_OF_STEP = f"SELECT {columns(JobRow)} FROM jobs WHERE step = :step AND open ORDER BY attempt"

    def open_of_step(self, step: int) -> list[JobRow]:
        """Return the attempts of a step that may still give a result."""
        return self._all(JobRow, self.OPEN_OF_STEP, step=step)

    OPEN_OF_WORKFLOW = """
        SELECT j.job, j.agent FROM steps s CROSS JOIN jobs j ON j.step = s.id AND j.open
        WHERE s.workflow = :workflow ORDER BY s.id, j.attempt"""

    def open_of_workflow(self, workflow: int) -> list[JobAt]:
        """Return the attempts of a workflow that may still give a result."""
        return self._all(JobAt, self.OPEN_OF_WORKFLOW, workflow=workflow)

    OPEN_OF_AGENT = f"""
        SELECT {columns(JobRow)} FROM jobs
        WHERE agent = :agent AND open AND job > :after AND (job <= :upto OR :upto = '') ORDER BY job"""

    def open_of_agent(self, agent: str, after: str = "", upto: str = "") -> list[JobRow]:
        """Return what may still give a result at an agent, of the ids in (after, upto]."""
        return self._all(JobRow, self.OPEN_OF_AGENT, agent=agent, after=after, upto=upto)

    # From agent to agent by the index, not from job to job.
    AGENTS_WITH_OPEN = """
        WITH RECURSIVE busy (agent) AS (
            SELECT '' UNION ALL
            SELECT (SELECT min(agent) FROM jobs WHERE open AND agent > busy.agent) FROM busy WHERE agent NOT NULL
        ) SELECT agent FROM busy WHERE agent > ''"""

    def agents_with_open(self) -> list[str]:
        """Return the agents that have open jobs."""
        return self._all(str, self.AGENTS_WITH_OPEN)

    # Logs

    ADD_LOG = """
        INSERT INTO logs (job, offset, data, "end") VALUES (:job, :offset, :data, :end) ON CONFLICT DO NOTHING"""

    def add_log(self, job: str, offset: int, data: bytes, *, end: bool) -> None:
        """Keep a piece of a log."""
        self._run(self.ADD_LOG, job=job, offset=offset, data=data, end=end)

    LOG = """
        SELECT offset, data, "end" AS is_last FROM logs
        WHERE job = :job AND offset >= (SELECT max(offset) FROM logs WHERE job = :job AND offset <= :offset)
        ORDER BY offset LIMIT :limit"""

    def log(self, job: str, offset: int, limit: int) -> list[LogPiece]:
        """Return so many pieces of a log, in their order, from the one with the byte `offset` on."""
        return self._all(LogPiece, self.LOG, job=job, offset=offset, limit=limit)

    LOG_END = """
        SELECT offset + length(data) AS size_bytes, "end" AS is_all FROM logs WHERE job = :job
        ORDER BY offset DESC LIMIT 1"""

    def log_end(self, job: str) -> LogEnd:
        """Return how much of a log has come."""
        return self._one(LogEnd, self.LOG_END, job=job) or LogEnd(0, is_all=False)
