"""Steps: instances of what a plan wants done, keyed by workflow and path."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from caroni_edge.manager.lifecycle import Step

COLUMNS = "id, workflow, path, name, job_type, status, priority, missing, inputs, job, attempt, tries"
_S_COLUMNS = ", ".join(f"s.{column}" for column in COLUMNS.split(", "))
_WANTED = "s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL AND s.job_type = ?"
_WANTED_STEPS = f"SELECT {_S_COLUMNS}, w.id FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow WHERE {_WANTED}"
_FAILED_HERE = "EXISTS (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = ? AND j.status = 'failed')"
_OTHER_AGENT = """EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = s.job_type AND t.online AND NOT EXISTS
    (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = t.agent AND j.status = 'failed'))"""
_BEST_FIRST = "ORDER BY s.priority DESC, s.id LIMIT ?"
_IN_STATES = "workflow = ? AND status IN (SELECT value FROM json_each(?))"
_FRESH = "job = NULL, tries = 0, retry_due = NULL, held = NULL, reason = NULL"

ADD = """
    INSERT INTO steps (workflow, path, name, job_type, status, priority, missing, inputs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
BY_ID = f"SELECT {COLUMNS} FROM steps WHERE id = ?"
BY_PATH = f"SELECT {COLUMNS} FROM steps WHERE workflow = ? AND path = ?"
OUTPUTS = "SELECT outputs FROM steps WHERE workflow = ? AND path = ?"
OF_WORKFLOW = f"SELECT {COLUMNS} FROM steps WHERE {_IN_STATES} ORDER BY id"
WANTED_NEW_HERE = f"{_WANTED_STEPS} AND (s.missing > 0) = ? AND NOT {_FAILED_HERE} {_BEST_FIRST}"
WANTED_AGAIN_HERE = f"""
    {_WANTED_STEPS} AND (s.missing > 0) = ? AND s.attempt > 0 AND {_FAILED_HERE} AND NOT {_OTHER_AGENT} {_BEST_FIRST}"""
IS_WANTED = f"SELECT 1 FROM steps s INDEXED BY steps_wanted WHERE {_WANTED} LIMIT 1"
COUNT_WANTED = f"SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? LIMIT ?)"
TOP_PRIORITY = (
    f"SELECT s.priority FROM steps s WHERE {_WANTED} AND (s.missing > 0) = ? ORDER BY s.priority DESC LIMIT 1"
)
IS_WAITING = "SELECT 1 FROM steps WHERE job_type = ? AND status = 'fulfilling' LIMIT 1"
SET_STATUS = "UPDATE steps SET status = ? WHERE id = ?"
PLACE = """
    UPDATE steps SET status = ?, job = ?, attempt = ?, retry_due = NULL, held = NULL, reason = NULL WHERE id = ?"""
LEAVE = "UPDATE steps SET status = ?, job = NULL WHERE id = ?"
TAKE_BACK = "UPDATE steps SET status = ?, job = NULL, attempt = attempt - 1, retry_due = ? WHERE id = ?"
AGAIN = "UPDATE steps SET status = ?, job = NULL, tries = tries + 1, retry_due = ?, held = ?, reason = ? WHERE id = ?"
FAIL = "UPDATE steps SET status = ?, job = NULL, tries = ?, retry_due = NULL, held = NULL, reason = ? WHERE id = ?"
COMPLETE = """
    UPDATE steps SET status = ?, job = ?, outputs = ?, retry_due = NULL, held = NULL, reason = NULL WHERE id = ?"""
SET_DATA = "UPDATE steps SET inputs = ?, missing = ? WHERE id = ?"
WANT = f"UPDATE steps SET status = ?, {_FRESH} WHERE {_IN_STATES} RETURNING job_type"
RELEASE = f"""
    UPDATE steps SET {_FRESH} WHERE workflow = ? AND status = 'fulfilling' AND held IS NOT NULL RETURNING job_type"""
STOP = f"UPDATE steps SET status = ?, retry_due = NULL, held = NULL WHERE {_IN_STATES} RETURNING job_type"
DUE = "UPDATE steps SET retry_due = NULL WHERE retry_due <= ? RETURNING job_type"
NEXT_DUE = "SELECT min(retry_due) FROM steps WHERE retry_due IS NOT NULL"
BEGIN_ANEW = "UPDATE steps SET retry_due = ? WHERE retry_due IS NOT NULL"
JOB_TYPES_WAITING = "SELECT DISTINCT job_type FROM steps WHERE status = 'fulfilling'"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step; `inputs` (those known) is JSON.

    Attributes:
        workflow: Its workflow's seq.
        path: Its name for people, unique in the workflow.
        name: Its name in the plan.
        missing: How many steps it still waits for.
        job: The present attempt.
        attempt: Number of the last attempt.
        tries: Attempts used up since the beginning or the last `retry`.
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
    job: str | None
    attempt: int
    tries: int


class WantedStep(NamedTuple):
    """A step that wants an agent, and the name of its workflow."""

    step: StepRow
    workflow: str


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

    def outputs(self, workflow: int, path: str) -> str:
        """Return the outputs of a step, as JSON; an empty object while there are none."""
        found = self._conn.execute(OUTPUTS, (workflow, path)).fetchone()
        return (found and found[0]) or "{}"

    def of_workflow(self, workflow: int, states_json: str) -> list[StepRow]:
        """Return the steps of a workflow in one of these states (a JSON list), in the plan's order."""
        return [_row(found) for found in self._conn.execute(OF_WORKFLOW, (workflow, states_json))]

    def wanted(self, job_type: str, *, waiting: bool, agent: str, limit: int) -> list[WantedStep]:
        """Return the best steps that want an agent for `job_type`: those that have not failed on this one first.

        A step that has failed on it is only named when no other agent is there on which it has not.
        """
        if limit <= 0:
            return []
        found = self._conn.execute(WANTED_NEW_HERE, (job_type, waiting, agent, limit)).fetchall()
        if (left := limit - len(found)) > 0:
            found += self._conn.execute(WANTED_AGAIN_HERE, (job_type, waiting, agent, left)).fetchall()
        return [WantedStep(_row(columns), workflow) for *columns, workflow in found]

    def is_wanted(self, job_type: str) -> bool:
        """Tell whether any step wants an agent for `job_type` now."""
        return self._conn.execute(IS_WANTED, (job_type,)).fetchone() is not None

    def is_waiting(self, job_type: str) -> bool:
        """Tell whether any step wants an agent for `job_type`, now or when its delay is over."""
        return self._conn.execute(IS_WAITING, (job_type,)).fetchone() is not None

    def count_wanted(self, job_type: str, *, waiting: bool, limit: int) -> int:
        """Count the steps that want an agent for `job_type`, up to `limit`."""
        count: int = self._conn.execute(COUNT_WANTED, (job_type, waiting, limit)).fetchone()[0]
        return count

    def top_priority(self, job_type: str) -> int:
        """Return the greatest priority among the steps that want an agent for `job_type`."""
        tops = [self._conn.execute(TOP_PRIORITY, (job_type, waiting)).fetchone() for waiting in (False, True)]
        return max((row[0] for row in tops if row), default=4)

    def set_status(self, step: int, status: Step) -> None:
        """Note a state."""
        self._conn.execute(SET_STATUS, (status, step))

    def place(self, placed: Iterable[tuple[Step, str, int, int]]) -> None:
        """Note new attempts: status, job, attempt, step."""
        self._conn.executemany(PLACE, placed)

    def leave(self, step: int, status: Step) -> None:
        """The present attempt is not the present one any more; its number stays its own."""
        self._conn.execute(LEAVE, (status, step))

    def take_back(self, step: int, status: Step, retry_due: float | None = None) -> None:
        """The present attempt never was: its number is free again."""
        self._conn.execute(TAKE_BACK, (status, retry_due, step))

    def again(self, step: int, status: Step, *, retry_due: float | None, held: str | None, reason: str) -> None:
        """An attempt is used up; ask anew at `retry_due`, or (held) when somebody says so."""
        self._conn.execute(AGAIN, (status, retry_due, held, reason, step))

    def fail(self, step: int, status: Step, *, tries: int, reason: str) -> None:
        """The step has failed, after so many attempts used up."""
        self._conn.execute(FAIL, (status, tries, reason, step))

    def complete(self, step: int, status: Step, job: str, outputs: str) -> None:
        """Keep the result of a step, and the attempt that it came from."""
        self._conn.execute(COMPLETE, (status, job, outputs, step))

    # All of a workflow at once; they return the job types whose demand changes with it

    def want(self, workflow: int, status: Step, states_json: str) -> set[str]:
        """Want agents, with fresh attempts, for the steps in these states (a JSON list)."""
        return _job_types(self._conn.execute(WANT, (status, workflow, states_json)))

    def release(self, workflow: int) -> set[str]:
        """Give the steps that are held fresh attempts."""
        return _job_types(self._conn.execute(RELEASE, (workflow,)))

    def stop(self, workflow: int, status: Step, states_json: str) -> set[str]:
        """Let the steps in these states (a JSON list) want nothing any more."""
        return _job_types(self._conn.execute(STOP, (status, workflow, states_json)))

    def set_data(self, step: int, inputs: str, missing: int) -> None:
        """Keep what is known of a step's inputs."""
        self._conn.execute(SET_DATA, (inputs, missing, step))

    def due(self, now: float) -> set[str]:
        """Let the steps whose delay is over be wanted again; return their job types."""
        return _job_types(self._conn.execute(DUE, (now,)))

    def next_due(self) -> float | None:
        """Return when the next delay is over."""
        due: float | None = self._conn.execute(NEXT_DUE).fetchone()[0]
        return due

    def begin_anew(self, now: float) -> None:
        """A process has started: its clock is another, so what waited for a time waits no longer."""
        self._conn.execute(BEGIN_ANEW, (now,))

    def job_types_waiting(self) -> set[str]:
        """Return the job types of all steps that want an agent, now or later."""
        return _job_types(self._conn.execute(JOB_TYPES_WAITING))


def _job_types(found: Iterable[tuple[str]]) -> set[str]:
    return {job_type for (job_type,) in found}


def _row(found: Sequence[object]) -> StepRow:
    facts = list(found)
    facts[5] = Step(str(facts[5]))
    return StepRow(*facts)  # type: ignore[arg-type]
