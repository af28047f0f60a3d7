"""Steps: what a plan has done, keyed by workflow and path. Those that agents are asked for: `unplaced.py`."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from caroni_edge.manager.lifecycle import StepState

_FIELDS = (
    "id", "workflow", "path", "name", "job_type", "status", "priority", "missing", "inputs", "job", "attempt", "tries",
    "parent", "nth", "late", "parts", "made", "parts_left", "agents", "gates_passed", "gate",
)  # fmt: skip
COLUMNS = ", ".join(_FIELDS)
S_COLUMNS = ", ".join(f"s.{field}" for field in _FIELDS)
_STATUS = _FIELDS.index("status")
_IN_STATES = "workflow = ? AND status IN (SELECT value FROM json_each(?))"
_FRESH = "job = NULL, tries = 0, retry_due = NULL, held = NULL, reason = NULL"

ADD = """
    INSERT INTO steps (workflow, path, name, job_type, status, priority, missing, inputs, parent, nth, late, agents)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
BY_ID = f"SELECT {COLUMNS} FROM steps WHERE id = ?"
BY_PATH = f"SELECT {COLUMNS} FROM steps WHERE workflow = ? AND path = ?"
OUTPUTS = "SELECT outputs FROM steps WHERE workflow = ? AND path = ?"
OUTPUTS_OF_PARTS = "SELECT outputs FROM steps WHERE parent = ? AND nth IS NOT NULL ORDER BY nth"
OF_WORKFLOW = f"SELECT {COLUMNS} FROM steps WHERE {_IN_STATES} ORDER BY id"
SET_STATUS = "UPDATE steps SET status = ? WHERE id = ?"
PLACE = """
    UPDATE steps SET status = ?, job = ?, attempt = ?, retry_due = NULL, held = NULL, reason = NULL WHERE id = ?"""
LEAVE = "UPDATE steps SET status = ?, job = NULL WHERE id = ?"
TAKE_BACK = "UPDATE steps SET status = ?, job = NULL, attempt = attempt - 1, retry_due = ? WHERE id = ?"
AGAIN = "UPDATE steps SET status = ?, job = NULL, tries = tries + 1, retry_due = ?, held = ?, reason = ? WHERE id = ?"
FAIL = "UPDATE steps SET status = ?, job = NULL, tries = ?, retry_due = NULL, held = NULL, reason = ? WHERE id = ?"
COMPLETE = """
    UPDATE steps SET status = ?, job = ?, outputs = ?, reason = ?, late = 0, retry_due = NULL, held = NULL
    WHERE id = ?"""
SET_DEPS_LEFT = "UPDATE steps SET missing = ? WHERE id = ?"
SET_INPUTS = "UPDATE steps SET inputs = ? WHERE id = ?"
BEGIN_JOB = "UPDATE steps SET status = ?, late = 0, gate = NULL, inputs = ?, agents = ? WHERE id = ?"
BEGIN_PARTS = """
    UPDATE steps SET status = ?, late = 0, gate = NULL, inputs = ?, parts = ?, parts_left = ?, made = ?
    WHERE id = ?"""
WAIT_AT = "UPDATE steps SET gate = ?, gates_passed = ? WHERE id = ?"
FIRST_AT = f"SELECT {COLUMNS} FROM steps WHERE gate = ? ORDER BY id LIMIT 1"
SCATTER = "INSERT INTO scattered (step, inputs) VALUES (?, ?) ON CONFLICT (step) DO UPDATE SET inputs = excluded.inputs"
SCATTERED = "SELECT inputs FROM scattered WHERE step = ?"
SET_MADE = "UPDATE steps SET made = ? WHERE id = ?"
PART_COMPLETED = "UPDATE steps SET parts_left = parts_left - 1 WHERE id = ? RETURNING parts_left"
COUNT_UNTAKEN = """
    SELECT count(*) FROM (SELECT 1 FROM steps INDEXED BY steps_untaken WHERE parent = ? AND nth IS NOT NULL
    AND status IN ('created', 'fulfilling') LIMIT ?)"""
GROWING = "SELECT id FROM steps WHERE parts > made AND status = 'running'"
GROWING_OF = f"{GROWING} AND workflow = ?"
DEMAND = f"UPDATE steps SET status = ?, {_FRESH} WHERE {_IN_STATES} AND job_type <> '' AND NOT late RETURNING job_type"
LOOK_AT_AGAIN = """
    UPDATE steps SET status = ?, reason = NULL WHERE workflow = ? AND status = 'failed' AND late"""
GO_ON = """
    UPDATE steps SET status = ?, reason = NULL
    WHERE workflow = ? AND status = 'failed' AND job_type = '' AND NOT late RETURNING id"""
READY = f"""
    SELECT {COLUMNS} FROM steps WHERE workflow = ? AND missing = 0 AND gate IS NULL AND outputs IS NULL
    AND ((status = 'created' AND late) OR (status = 'fulfilling' AND nth IS NULL AND job IS NULL)) ORDER BY id"""
RELEASE = f"""
    UPDATE steps SET {_FRESH} WHERE workflow = ? AND status = 'fulfilling' AND held IS NOT NULL RETURNING job_type"""
STOP = f"UPDATE steps SET status = ?, retry_due = NULL, held = NULL WHERE {_IN_STATES} RETURNING job_type"
DUE = "UPDATE steps SET retry_due = NULL WHERE retry_due <= ? RETURNING job_type"
NEXT_DUE = "SELECT min(retry_due) FROM steps WHERE retry_due IS NOT NULL"
BEGIN_ANEW = "UPDATE steps SET retry_due = ? WHERE retry_due IS NOT NULL"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step; `inputs` (those known) is JSON.

    Attributes:
        workflow: Its workflow's seq.
        path: Its name for people, unique in the workflow, as in `outer[3]/inner`.
        name: The way to it in the plan, as in `outer/inner`.
        job_type: Empty where it has parts instead: instances, or the steps of a nested workflow.
        deps_left: How many steps it still waits for (column `missing`).
        job: The present attempt.
        attempt: Number of the last attempt.
        tries: Attempts used up since the beginning or the last `retry`.
        parent: What it is a part of; 0 for the workflow itself.
        scatter_index: Which instance of its parent it is, from 0; None for none (column `nth`).
        deferred: Agents are not asked for it yet: it waits for its data, or for its turn (column `late`).
        parts: How many it has; None before it begins, and where it is a job.
        made: How many of its instances have been made.
        parts_left: How many of its parts have not completed.
        agents: Who may take it, as a JSON list; None for anyone.
        gates_passed: How many of its gates it counts in.
        gate: The gate at which it waits.
    """

    id: int
    workflow: int
    path: str
    name: str
    job_type: str
    status: StepState
    priority: int
    deps_left: int
    inputs: str
    job: str | None = None
    attempt: int = 0
    tries: int = 0
    parent: int = 0
    scatter_index: int | None = None
    deferred: int = 0
    parts: int | None = None
    made: int = 0
    parts_left: int = 0
    agents: str | None = None
    gates_passed: int = 0
    gate: int | None = None


class Steps:
    """Statements about steps."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, row: StepRow) -> StepRow:
        """Add a step, and return it with its id (that of `row` does not count)."""
        facts = (row.workflow, row.path, row.name, row.job_type, row.status, row.priority, row.deps_left, row.inputs)
        step = self._conn.execute(ADD, (*facts, row.parent, row.scatter_index, row.deferred, row.agents)).lastrowid
        assert step is not None
        return replace(row, id=step)

    def by_id(self, step: int) -> StepRow:
        """Return a step that exists."""
        return row_of(self._conn.execute(BY_ID, (step,)).fetchone())

    def by_path(self, workflow: int, path: str) -> StepRow | None:
        """Return a step of a workflow."""
        found = self._conn.execute(BY_PATH, (workflow, path)).fetchone()
        return row_of(found) if found else None

    def outputs(self, workflow: int, path: str) -> str:
        """Return the outputs of a step, as JSON; an empty object while there are none."""
        found = self._conn.execute(OUTPUTS, (workflow, path)).fetchone()
        return (found and found[0]) or "{}"

    def outputs_of_parts(self, step: int) -> Iterator[str]:
        """Return the outputs of the instances of a step, as JSON, in their order."""
        return (outputs for (outputs,) in self._conn.execute(OUTPUTS_OF_PARTS, (step,)))

    def of_workflow(self, workflow: int, states_json: str) -> list[StepRow]:
        """Return the steps of a workflow in one of these states (a JSON list), in the plan's order."""
        return [row_of(found) for found in self._conn.execute(OF_WORKFLOW, (workflow, states_json))]

    def set_status(self, step: int, status: StepState) -> None:
        """Note a state."""
        self._conn.execute(SET_STATUS, (status, step))

    # A step begins

    def set_deps_left(self, step: int, deps_left: int) -> None:
        """Note how many steps a step still waits for."""
        self._conn.execute(SET_DEPS_LEFT, (deps_left, step))

    def set_inputs(self, step: int, inputs: str) -> None:
        """Keep what a step is given."""
        self._conn.execute(SET_INPUTS, (inputs, step))

    def begin_job(self, step: int, status: StepState, inputs: str, agents: str | None) -> None:
        """A step waits no longer: agents are asked for it."""
        self._conn.execute(BEGIN_JOB, (status, inputs, agents, step))

    def begin_parts(self, step: int, status: StepState, inputs: str, parts: int, made: int) -> None:
        """A step waits no longer: it has so many parts, of which so many have been made."""
        self._conn.execute(BEGIN_PARTS, (status, inputs, parts, parts, made, step))

    def wait_at(self, step: int, gate: int | None, passed: int) -> None:
        """Note at which gate a step waits (None: at none), and how many it counts in."""
        self._conn.execute(WAIT_AT, (gate, passed, step))

    def first_at(self, gate: int) -> StepRow | None:
        """Return the step that waits at a gate longest."""
        found = self._conn.execute(FIRST_AT, (gate,)).fetchone()
        return row_of(found) if found else None

    # Parts

    def scatter(self, step: int, inputs: str) -> None:
        """Keep the lists that a step is scattered over: apart from its row, which changes with every instance."""
        self._conn.execute(SCATTER, (step, inputs))

    def scattered(self, step: int) -> str:
        """Return what `scatter` has kept."""
        inputs: str = self._conn.execute(SCATTERED, (step,)).fetchone()[0]
        return inputs

    def set_made(self, step: int, made: int) -> None:
        """Note how many instances of a step have been made."""
        self._conn.execute(SET_MADE, (made, step))

    def part_completed(self, step: int) -> int:
        """Count one part of a step off, and return how many are left."""
        left: int = self._conn.execute(PART_COMPLETED, (step,)).fetchone()[0]
        return left

    def count_untaken(self, step: int, limit: int) -> int:
        """Count the instances of a step that no agent has taken, up to `limit`."""
        count: int = self._conn.execute(COUNT_UNTAKEN, (step, limit)).fetchone()[0]
        return count

    def growing(self, workflow: int | None = None) -> set[int]:
        """Return the steps (of one workflow) of which not all instances have been made."""
        found = self._conn.execute(GROWING) if workflow is None else self._conn.execute(GROWING_OF, (workflow,))
        return {step for (step,) in found}

    # Attempts

    def place(self, placed: Iterable[tuple[StepState, str, int, int]]) -> None:
        """Note new attempts: status, job, attempt, step."""
        self._conn.executemany(PLACE, placed)

    def leave(self, step: int, status: StepState) -> None:
        """The present attempt is not the present one any more; its number stays its own."""
        self._conn.execute(LEAVE, (status, step))

    def take_back(self, step: int, status: StepState, retry_due: float | None = None) -> None:
        """The present attempt never was: its number is free again."""
        self._conn.execute(TAKE_BACK, (status, retry_due, step))

    def again(self, step: int, status: StepState, *, retry_due: float | None, held: str | None, reason: str) -> None:
        """An attempt is used up; ask anew at `retry_due`, or (held) when somebody says so."""
        self._conn.execute(AGAIN, (status, retry_due, held, reason, step))

    def fail(self, step: int, status: StepState, *, tries: int, reason: str) -> None:
        """The step has failed, after so many attempts used up."""
        self._conn.execute(FAIL, (status, tries, reason, step))

    def complete(self, step: int, status: StepState, job: str | None, outputs: str, reason: str | None = None) -> None:
        """Keep the result of a step, the attempt that it came from, and why there is none."""
        self._conn.execute(COMPLETE, (status, job, outputs, reason, step))

    def due(self, now: float) -> set[str]:
        """Let the steps whose delay is over be in the demand again; return their job types."""
        return _job_types(self._conn.execute(DUE, (now,)))

    def next_due(self) -> float | None:
        """Return when the next delay is over."""
        due: float | None = self._conn.execute(NEXT_DUE).fetchone()[0]
        return due

    def begin_anew(self, now: float) -> None:
        """A process has started: its clock is another, so what waited for a time waits no longer."""
        self._conn.execute(BEGIN_ANEW, (now,))

    # All of a workflow at once; they return the job types whose demand changes with it

    def demand(self, workflow: int, status: StepState, states_json: str) -> set[str]:
        """Ask agents, with fresh attempts, for the steps in these states (a JSON list) that wait for nothing else."""
        return _job_types(self._conn.execute(DEMAND, (status, workflow, states_json)))

    def look_at_again(self, workflow: int, status: StepState) -> None:
        """Let the steps that could not begin be as they were before."""
        self._conn.execute(LOOK_AT_AGAIN, (status, workflow))

    def go_on(self, workflow: int, status: StepState) -> list[int]:
        """Let the steps go on whose parts completed to no good result; return them."""
        return [step for (step,) in self._conn.execute(GO_ON, (status, workflow))]

    def ready(self, workflow: int) -> list[StepRow]:
        """Return the steps that have all their data, and no job: each may still have to begin."""
        return [row_of(found) for found in self._conn.execute(READY, (workflow,))]

    def release(self, workflow: int) -> set[str]:
        """Give the steps that are held fresh attempts."""
        return _job_types(self._conn.execute(RELEASE, (workflow,)))

    def stop(self, workflow: int, status: StepState, states_json: str) -> set[str]:
        """Stop the steps in these states (a JSON list): agents are not asked for them any more."""
        return _job_types(self._conn.execute(STOP, (status, workflow, states_json)))


def row_of(found: Sequence[object]) -> StepRow:
    """Return a step from `COLUMNS`."""
    facts = list(found)
    facts[_STATUS] = StepState(str(facts[_STATUS]))
    return StepRow(*facts)  # type: ignore[arg-type]


def _job_types(found: Iterable[tuple[str]]) -> set[str]:
    return {job_type for (job_type,) in found if job_type}
