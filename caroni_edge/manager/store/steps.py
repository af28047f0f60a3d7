"""Steps: instances of what a plan wants done, keyed by workflow and path."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caroni_edge.manager.lifecycle import Step

COLUMNS = "id, workflow, path, name, job_type, status, priority, missing, inputs, outputs, job, attempt, tries, held"
_S_COLUMNS = ", ".join(f"s.{column}" for column in COLUMNS.split(", "))
_WANTED = "s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL AND s.job_type = ?"
_FAILED_HERE = "EXISTS (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = ? AND j.status = 'failed')"
_OTHER_AGENT = """EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = s.job_type AND t.online AND NOT EXISTS
    (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = t.agent AND j.status = 'failed'))"""
_BEST_FIRST = "ORDER BY s.priority DESC, s.id LIMIT ?"

ADD = """
    INSERT INTO steps (workflow, path, name, job_type, status, priority, missing, inputs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
BY_ID = f"SELECT {COLUMNS} FROM steps WHERE id = ?"
BY_PATH = f"SELECT {COLUMNS} FROM steps WHERE workflow = ? AND path = ?"
OF_WORKFLOW = (
    f"SELECT {COLUMNS} FROM steps WHERE workflow = ? AND status IN (SELECT value FROM json_each(?)) ORDER BY id"
)
WANTED_NEW_HERE = (
    f"SELECT {_S_COLUMNS} FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? AND NOT {_FAILED_HERE} {_BEST_FIRST}"
)
WANTED_AGAIN_HERE = f"""
    SELECT {_S_COLUMNS} FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? AND s.attempt > 0 AND {_FAILED_HERE}
    AND NOT {_OTHER_AGENT} {_BEST_FIRST}"""
COUNT_WANTED = f"SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? LIMIT ?)"
TOP_PRIORITY = (
    f"SELECT s.priority FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? ORDER BY s.priority DESC LIMIT 1"
)
SET_STATUS = "UPDATE steps SET status = ?, reason = ? WHERE id = ?"
PLACE = "UPDATE steps SET status = ?, job = ?, attempt = ?, reason = NULL WHERE id = ?"
TAKE_BACK = "UPDATE steps SET status = ?, job = NULL, attempt = attempt - 1, retry_due = ? WHERE id = ?"
AGAIN = "UPDATE steps SET status = ?, job = NULL, tries = ?, retry_due = ?, held = ?, reason = ? WHERE id = ?"
FRESH_TRIES = (
    "UPDATE steps SET status = ?, job = NULL, tries = 0, retry_due = NULL, held = NULL, reason = NULL WHERE id = ?"
)
COMPLETE = "UPDATE steps SET status = ?, outputs = ?, reason = NULL WHERE id = ?"
SET_DATA = "UPDATE steps SET inputs = ?, missing = ? WHERE id = ?"
DUE = "UPDATE steps SET retry_due = NULL WHERE retry_due <= ? RETURNING job_type"
NEXT_DUE = "SELECT min(retry_due) FROM steps WHERE retry_due IS NOT NULL"
BEGIN_ANEW = "UPDATE steps SET retry_due = ? WHERE retry_due IS NOT NULL"
JOB_TYPES_WANTED = "SELECT DISTINCT job_type FROM steps WHERE status = 'fulfilling'"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step; `inputs` (those known) and `outputs` are JSON.

    Attributes:
        workflow: Its workflow's seq.
        path: Its name for people, unique in the workflow.
        name: Its name in the plan.
        missing: How many steps it still waits for.
        job: The present attempt.
        attempt: Number of the last attempt.
        tries: Attempts used up since the beginning or the last `retry`.
        held: Why it is not asked for again before somebody says `retry`.
    """

    id: int
    workflow: int
    path: str
    name: str
    job_type: str
    status: Step
    priority: int
    missing: int
    inputs: str
    outputs: str | None
    job: str | None
    attempt: int
    tries: int
    held: str | None


class Steps:
    """Statements about steps."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, rows: Iterable[tuple[int, str, str, str, Step, int, int, str]]) -> None:
        """Add steps: workflow, path, name, job type, status, priority, missing, inputs."""
        self._conn.executemany(ADD, rows)

    def by_id(self, step: int) -> StepRow:
        """Return a step that exists."""
        return _row(self._conn.execute(BY_ID, (step,)).fetchone())

    def by_path(self, workflow: int, path: str) -> StepRow | None:
        """Return a step of a workflow."""
        found = self._conn.execute(BY_PATH, (workflow, path)).fetchone()
        return _row(found) if found else None

    def of_workflow(self, workflow: int, statuses_json: str) -> list[StepRow]:
        """Return the steps of a workflow in one of these states (a JSON list), in the plan's order."""
        return [_row(found) for found in self._conn.execute(OF_WORKFLOW, (workflow, statuses_json))]

    def wanted(self, job_type: str, *, waiting: bool, agent: str, limit: int) -> list[StepRow]:
        """Return the best steps that want an agent for `job_type`: those that have not failed on this one first.

        A step that has failed on it is only named when no other agent is there on which it has not.
        """
        if limit <= 0:
            return []
        found = self._conn.execute(WANTED_NEW_HERE, (job_type, waiting, agent, limit)).fetchall()
        if (left := limit - len(found)) > 0:
            found += self._conn.execute(WANTED_AGAIN_HERE, (job_type, waiting, agent, left)).fetchall()
        return [_row(each) for each in found]

    def count_wanted(self, job_type: str, *, waiting: bool, limit: int) -> int:
        """Count the steps that want an agent for `job_type`, up to `limit`."""
        count: int = self._conn.execute(COUNT_WANTED, (job_type, waiting, limit)).fetchone()[0]
        return count

    def top_priority(self, job_type: str) -> int:
        """Return the greatest priority among the steps that want an agent for `job_type`."""
        tops = [self._conn.execute(TOP_PRIORITY, (job_type, waiting)).fetchone() for waiting in (False, True)]
        return max((row[0] for row in tops if row), default=4)

    def set_status(self, step: int, status: Step, reason: str | None = None) -> None:
        """Note a state."""
        self._conn.execute(SET_STATUS, (status, reason, step))

    def place(self, placed: Iterable[tuple[Step, str, int, int]]) -> None:
        """Note new attempts: status, job, attempt, step."""
        self._conn.executemany(PLACE, placed)

    def take_back(self, step: int, status: Step, retry_due: float | None) -> None:
        """The present attempt never was: its number is free again."""
        self._conn.execute(TAKE_BACK, (status, retry_due, step))

    def again(self, row: StepRow, status: Step, *, retry_due: float | None, held: str | None, reason: str) -> None:
        """An attempt is used up; ask anew at `retry_due`, or (held) when somebody says so."""
        self._conn.execute(AGAIN, (status, row.tries + 1, retry_due, held, reason, row.id))

    def fresh_tries(self, step: int, status: Step) -> None:
        """Give a step all its attempts again."""
        self._conn.execute(FRESH_TRIES, (status, step))

    def complete(self, step: int, status: Step, outputs: str) -> None:
        """Keep the result of a step."""
        self._conn.execute(COMPLETE, (status, outputs, step))

    def set_data(self, step: int, inputs: str, missing: int) -> None:
        """Keep what is known of a step's inputs."""
        self._conn.execute(SET_DATA, (inputs, missing, step))

    def due(self, now: float) -> set[str]:
        """Let the steps whose delay is over be wanted again; return their job types."""
        return {job_type for (job_type,) in self._conn.execute(DUE, (now,)).fetchall()}

    def next_due(self) -> float | None:
        """Return when the next delay is over."""
        due: float | None = self._conn.execute(NEXT_DUE).fetchone()[0]
        return due

    def begin_anew(self, now: float) -> None:
        """A process has started: its clock is another, so what waited for a time waits no longer."""
        self._conn.execute(BEGIN_ANEW, (now,))

    def job_types_wanted(self) -> list[str]:
        """Return the job types of all steps that want an agent."""
        return [job_type for (job_type,) in self._conn.execute(JOB_TYPES_WANTED)]


def _row(found: Sequence[object]) -> StepRow:
    facts = list(found)
    facts[5] = Step(str(facts[5]))
    return StepRow(*facts)  # type: ignore[arg-type]
