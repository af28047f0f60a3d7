"""Steps: what a plan has done, keyed by workflow and path. Those that agents are asked for: `unplaced.py`."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.storage.rows import Rows, columns


class StepRow(NamedTuple):
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
        in_doubt: Why nobody knows what its last attempt did, which may not be repeated by itself; None otherwise.
        remade: It has completed, and only gives its files again.
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
    deferred: bool = False
    parts: int | None = None
    made: int = 0
    parts_left: int = 0
    agents: str | None = None
    gates_passed: int = 0
    gate: int | None = None
    in_doubt: str | None = None
    remade: bool = False

    def may_be_taken_by(self, agent: str) -> bool:
        """Tell whether an agent may take it."""
        return self.agents is None or agent in msgspec.json.decode(self.agents)


class PlacedStep(NamedTuple):
    """A step that is placed: the state that it gets by that, and its new attempt."""

    step: int
    status: StepState
    job: str
    attempt: int


class FailedStep(NamedTuple):
    """A step, and how its last job ended."""

    step: int
    job: str
    agent: str
    exit_code: int
    reason: str


STEP = columns(StepRow, "s", deps_left="missing", scatter_index="nth", deferred="late")
"""What is selected of `steps s`; the columns are older than the words for them."""

_IN_STATES = "workflow = :workflow AND status IN (SELECT value FROM json_each(:states))"
HELD = 1e12
"""In `retry_due` of a step that waits for files which are nowhere: no time ends that."""
_FRESH = "job = NULL, tries = 0, retry_due = NULL, in_doubt = NULL, reason = NULL"
_GROWING = """
    SELECT id FROM steps WHERE parts > made AND status = 'running' AND workflow NOT IN (SELECT workflow FROM pruned)"""


class StepRows(Rows):
    """Statements about steps."""

    ADD = """
        INSERT INTO steps (workflow, path, name, job_type, status, priority, missing, inputs, parent, nth, late, agents)
        VALUES (:workflow, :path, :name, :job_type, :status, :priority, :deps_left, :inputs, :parent, :scatter_index,
            :deferred, :agents)"""

    def add(self, row: StepRow) -> StepRow:
        """Add a step, and return it with its id (that of `row` does not count)."""
        return row._replace(id=self._insert(self.ADD, **row._asdict()))

    BY_ID = f"SELECT {STEP} FROM steps s WHERE id = :step"

    def by_id(self, step: int) -> StepRow:
        """Return a step that exists."""
        return self._only(StepRow, self.BY_ID, step=step)

    BY_PATH = f"SELECT {STEP} FROM steps s WHERE workflow = :workflow AND path = :path"

    def by_path(self, workflow: int, path: str) -> StepRow | None:
        """Return a step of a workflow."""
        return self._one(StepRow, self.BY_PATH, workflow=workflow, path=path)

    OUTPUTS = "SELECT outputs FROM steps WHERE workflow = :workflow AND path = :path"

    def outputs(self, workflow: int, path: str) -> str:
        """Return the outputs of a step, as JSON; an empty object while there are none."""
        return self._one(str, self.OUTPUTS, workflow=workflow, path=path) or "{}"

    OUTPUTS_OF_PARTS = "SELECT outputs FROM steps WHERE parent = :step AND nth IS NOT NULL ORDER BY nth"

    def outputs_of_parts(self, step: int) -> Iterator[str]:
        """Return the outputs of the instances of a step, as JSON, in their order."""
        return self._each(str, self.OUTPUTS_OF_PARTS, step=step)

    OF_WORKFLOW = f"SELECT {STEP} FROM steps s WHERE {_IN_STATES} ORDER BY id"

    def of_workflow(self, workflow: int, states_json: str) -> list[StepRow]:
        """Return the steps of a workflow in one of these states (a JSON list), in the plan's order."""
        return self._all(StepRow, self.OF_WORKFLOW, workflow=workflow, states=states_json)

    COUNT = "SELECT count(*) FROM (SELECT 1 FROM steps WHERE workflow = :workflow LIMIT :limit)"

    def count(self, workflow: int, limit: int) -> int:
        """Count the steps of a workflow that have been made, up to `limit`."""
        return self._only(int, self.COUNT, workflow=workflow, limit=limit)

    SET_STATUS = "UPDATE steps SET status = :status WHERE id = :step"

    def set_status(self, step: int, status: StepState) -> None:
        """Note a state."""
        self._run(self.SET_STATUS, step=step, status=status)

    # A step begins

    SET_DEPS_LEFT = "UPDATE steps SET missing = :deps_left WHERE id = :step"

    def set_deps_left(self, step: int, deps_left: int) -> None:
        """Note how many steps a step still waits for."""
        self._run(self.SET_DEPS_LEFT, step=step, deps_left=deps_left)

    SET_INPUTS = "UPDATE steps SET inputs = :inputs WHERE id = :step"

    def set_inputs(self, step: int, inputs: str) -> None:
        """Keep what a step is given."""
        self._run(self.SET_INPUTS, step=step, inputs=inputs)

    BEGIN_JOB = """
        UPDATE steps SET status = :status, late = 0, gate = NULL, inputs = :inputs, agents = :agents WHERE id = :step"""

    def begin_job(self, step: int, status: StepState, inputs: str, agents: str | None) -> None:
        """Note that a step waits no longer: agents are asked for it."""
        self._run(self.BEGIN_JOB, step=step, status=status, inputs=inputs, agents=agents)

    BEGIN_PARTS = """
        UPDATE steps SET status = :status, late = 0, gate = NULL, inputs = :inputs, parts = :parts,
            parts_left = :parts, made = :made
        WHERE id = :step"""

    def begin_parts(self, step: int, status: StepState, inputs: str, parts: int, made: int) -> None:
        """Note that a step waits no longer: it has so many parts, of which so many have been made."""
        self._run(self.BEGIN_PARTS, step=step, status=status, inputs=inputs, parts=parts, made=made)

    WAIT_AT = "UPDATE steps SET gate = :gate, gates_passed = :passed WHERE id = :step"

    def wait_at(self, step: int, gate: int | None, passed: int) -> None:
        """Note at which gate a step waits (None: at none), and how many it counts in."""
        self._run(self.WAIT_AT, step=step, gate=gate, passed=passed)

    FIRST_AT = f"SELECT {STEP} FROM steps s WHERE gate = :gate ORDER BY id LIMIT 1"

    def first_at(self, gate: int) -> StepRow | None:
        """Return the step that waits at a gate longest."""
        return self._one(StepRow, self.FIRST_AT, gate=gate)

    # Parts

    SET_MADE = "UPDATE steps SET made = :made WHERE id = :step"

    def set_made(self, step: int, made: int) -> None:
        """Note how many instances of a step have been made."""
        self._run(self.SET_MADE, step=step, made=made)

    PART_COMPLETED = "UPDATE steps SET parts_left = parts_left - 1 WHERE id = :step RETURNING parts_left"

    def part_completed(self, step: int) -> int:
        """Count one part of a step off, and return how many are left."""
        return self._only(int, self.PART_COMPLETED, step=step)

    COUNT_UNTAKEN = """
        SELECT count(*) FROM (SELECT 1 FROM steps INDEXED BY steps_untaken WHERE parent = :step AND nth IS NOT NULL
        AND status IN ('created', 'fulfilling') LIMIT :limit)"""

    def count_untaken(self, step: int, limit: int) -> int:
        """Count the instances of a step that no agent has taken, up to `limit`."""
        return self._only(int, self.COUNT_UNTAKEN, step=step, limit=limit)

    GROWING = _GROWING
    GROWING_OF = f"{_GROWING} AND workflow = :workflow"

    def growing(self, workflow: int | None = None) -> set[int]:
        """Return the steps (of one workflow) of which not all instances have been made."""
        return set(self._each(int, self.GROWING if workflow is None else self.GROWING_OF, workflow=workflow))

    # Attempts

    PLACE = """
        UPDATE steps SET status = :status, job = :job, attempt = :attempt, retry_due = NULL, in_doubt = NULL,
            reason = NULL
        WHERE id = :step"""

    def place(self, placed: Iterable[PlacedStep]) -> None:
        """Note new attempts."""
        self._run_each(self.PLACE, (step._asdict() for step in placed))

    LEAVE = "UPDATE steps SET status = :status, job = NULL WHERE id = :step"

    def leave(self, step: int, status: StepState) -> None:
        """Note that the present attempt is not the present one any more; its number stays its own."""
        self._run(self.LEAVE, step=step, status=status)

    TAKE_BACK = """
        UPDATE steps SET status = :status, job = NULL, attempt = attempt - 1, retry_due = :retry_due WHERE id = :step"""

    def take_back(self, step: int, status: StepState, retry_due: float | None = None) -> None:
        """Note that the present attempt never was: its number is free again."""
        self._run(self.TAKE_BACK, step=step, status=status, retry_due=retry_due)

    AGAIN = """
        UPDATE steps SET status = :status, job = NULL, tries = tries + 1, retry_due = :retry_due, reason = :reason
        WHERE id = :step"""

    def again(self, step: int, status: StepState, reason: str, retry_due: float) -> None:
        """Note that an attempt is used up, for this reason, and when agents are asked for the next one."""
        self._run(self.AGAIN, step=step, status=status, reason=reason, retry_due=retry_due)

    COUNT_ATTEMPT = "UPDATE steps SET attempt = attempt + 1 WHERE id = :step RETURNING attempt"

    def count_attempt(self, step: int) -> int:
        """Count an attempt that is not the present one, and return its number."""
        return self._only(int, self.COUNT_ATTEMPT, step=step)

    PUT_IN_DOUBT = "UPDATE steps SET in_doubt = :in_doubt, retry_due = NULL WHERE id = :step"

    def put_in_doubt(self, step: int, in_doubt: str | None) -> None:
        """Note why a step without a job is asked of nobody; None: nothing is in doubt any more."""
        self._run(self.PUT_IN_DOUBT, step=step, in_doubt=in_doubt)

    DOUBT = """
        UPDATE steps SET status = :status, job = NULL, tries = tries + 1, in_doubt = :in_doubt, reason = :reason
        WHERE id = :step"""

    def doubt(self, step: int, status: StepState, reason: str, in_doubt: str) -> None:
        """Note that an attempt is used up, for this reason, and why the next one waits for `retry`."""
        self._run(self.DOUBT, step=step, status=status, reason=reason, in_doubt=in_doubt)

    FAIL = """
        UPDATE steps SET status = :status, job = NULL, tries = :tries, retry_due = NULL, in_doubt = NULL,
            reason = :reason
        WHERE id = :step"""

    def fail(self, step: int, status: StepState, *, tries: int, reason: str) -> None:
        """Note that the step has failed, after so many attempts used up."""
        self._run(self.FAIL, step=step, status=status, tries=tries, reason=reason)

    COMPLETE = """
        UPDATE steps SET status = :status, job = :job, outputs = :outputs, reason = :reason, late = 0,
            retry_due = NULL, in_doubt = NULL
        WHERE id = :step"""

    def complete(self, step: int, status: StepState, job: str | None, outputs: str, reason: str | None = None) -> None:
        """Keep the result of a step, the attempt that it came from, and why there is none."""
        self._run(self.COMPLETE, step=step, status=status, job=job, outputs=outputs, reason=reason)

    DUE = "UPDATE steps SET retry_due = NULL WHERE retry_due <= :now RETURNING job_type"

    def due(self, now: float) -> set[str]:
        """Let the steps whose delay is over be in the demand again; return their job types."""
        return _job_types(self._each(str, self.DUE, now=now))

    NEXT_DUE = "SELECT min(retry_due) FROM steps WHERE retry_due IS NOT NULL"

    def next_due(self) -> float | None:
        """Return when the next delay is over."""
        return self._one(float, self.NEXT_DUE)

    BEGIN_ANEW = "UPDATE steps SET retry_due = :now WHERE retry_due IS NOT NULL AND retry_due <> :held"

    def begin_anew(self, now: float) -> None:
        """Let what waited for a time wait no longer: a process has started, and its clock is another."""
        self._run(self.BEGIN_ANEW, now=now, held=HELD)

    # All of a workflow at once; they return the job types whose demand changes with it

    DEMAND = f"""
        UPDATE steps SET status = :status, {_FRESH} WHERE {_IN_STATES} AND job_type <> '' AND NOT late
        RETURNING job_type"""

    def demand(self, workflow: int, status: StepState, states_json: str) -> set[str]:
        """Ask agents, with fresh attempts, for the steps in these states (a JSON list) that wait for nothing else."""
        return _job_types(self._each(str, self.DEMAND, workflow=workflow, status=status, states=states_json))

    LOOK_AT_AGAIN = """
        UPDATE steps SET status = :status, reason = NULL WHERE workflow = :workflow AND status = 'failed' AND late"""

    def look_at_again(self, workflow: int, status: StepState) -> None:
        """Let the steps that could not begin be as they were before."""
        self._run(self.LOOK_AT_AGAIN, workflow=workflow, status=status)

    GO_ON = """
        UPDATE steps SET status = :status, reason = NULL
        WHERE workflow = :workflow AND status = 'failed' AND job_type = '' AND NOT late RETURNING id"""

    def go_on(self, workflow: int, status: StepState) -> list[int]:
        """Let the steps go on whose parts completed to no good result; return them."""
        return self._all(int, self.GO_ON, workflow=workflow, status=status)

    READY = f"""
        SELECT {STEP} FROM steps s WHERE workflow = :workflow AND missing = 0 AND gate IS NULL AND outputs IS NULL
        AND ((status = 'created' AND late) OR (status = 'fulfilling' AND nth IS NULL AND job IS NULL)) ORDER BY id"""

    def ready(self, workflow: int) -> list[StepRow]:
        """Return the steps that have all their data, and no job: each may still have to begin."""
        return self._all(StepRow, self.READY, workflow=workflow)

    ANY_IN_DOUBT = "SELECT 1 FROM steps WHERE workflow = :workflow AND in_doubt IS NOT NULL LIMIT 1"

    def any_in_doubt(self, workflow: int) -> bool:
        """Tell whether a step of a workflow waits for `retry`."""
        return self._one(int, self.ANY_IN_DOUBT, workflow=workflow) is not None

    SEEN_TO_FAIL = """
        SELECT s.id AS step, j.job, j.agent, j.exit_code, j.reason FROM steps s INDEXED BY steps_in_doubt
        CROSS JOIN jobs j ON j.step = s.id AND j.attempt = s.attempt
        WHERE s.in_doubt IS NOT NULL AND j.exit_code IS NOT NULL AND NOT j.asked AND NOT s.remade"""

    def seen_to_fail(self) -> list[FailedStep]:
        """Return the steps that are in doubt though it is known how their last job ended."""
        return self._all(FailedStep, self.SEEN_TO_FAIL)

    RELEASE = f"""
        UPDATE steps SET {_FRESH} WHERE workflow = :workflow AND status IN ('created', 'fulfilling')
        AND in_doubt IS NOT NULL RETURNING job_type"""

    def release(self, workflow: int) -> set[str]:
        """Give the steps that are in doubt fresh attempts."""
        return _job_types(self._each(str, self.RELEASE, workflow=workflow))

    STOP = f"""
        UPDATE steps SET status = :status, retry_due = NULL, in_doubt = NULL WHERE {_IN_STATES} RETURNING job_type"""

    def stop(self, workflow: int, status: StepState, states_json: str) -> set[str]:
        """Stop the steps in these states (a JSON list): agents are not asked for them any more."""
        return _job_types(self._each(str, self.STOP, workflow=workflow, status=status, states=states_json))


def _job_types(found: Iterable[str]) -> set[str]:
    return {job_type for job_type in found if job_type}
