"""Workflows and the plans that they run by."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from caroni_edge.manager.lifecycle import WorkflowState

COLUMNS = "seq, id, template, plan, content, status, priority, inputs, reply_to, steps_left"

ADD = """
    INSERT INTO workflows (id, template, plan, content, status, priority, inputs, reply_to, steps_left, created)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
BY_ID = f"SELECT {COLUMNS} FROM workflows WHERE id = ?"
BY_SEQ = f"SELECT {COLUMNS} FROM workflows WHERE seq = ?"
SET_STATUS = "UPDATE workflows SET status = ?, reason = ? WHERE seq = ?"
SET_ENDED = "UPDATE workflows SET status = ?, reason = ?, outputs = ?, ended = ? WHERE seq = ?"
STEP_COMPLETED = "UPDATE workflows SET steps_left = steps_left - 1 WHERE seq = ? RETURNING steps_left"
SET_LAST_EVENT = "UPDATE workflows SET last_event = ? WHERE seq = ?"
LAST_EVENT = "SELECT last_event FROM workflows WHERE seq = ?"
OF_JOBS = """
    SELECT DISTINCT w.seq FROM json_each(?) j CROSS JOIN jobs ON jobs.job = j.value AND jobs.agent = ?
    CROSS JOIN steps s ON s.id = jobs.step CROSS JOIN workflows w ON w.seq = s.workflow WHERE w.status = ?"""
WAITING = """
    SELECT DISTINCT w.seq FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow
    WHERE s.job_type = ? AND s.agents IS NULL AND s.status = 'fulfilling'
    AND w.status IN (SELECT value FROM json_each(?))"""
SERVED = """
    SELECT seq FROM workflows w WHERE w.status = ? AND NOT EXISTS (SELECT 1 FROM demands d CROSS JOIN steps s
        ON s.job_type = d.job_type AND s.workflow = w.seq AND s.status = 'fulfilling' AND s.agents IS NULL
        WHERE d.unserved_since IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM unserved u CROSS JOIN steps s ON s.job_type = u.job_type AND s.agents = u.agents
        AND s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL WHERE s.workflow = w.seq)
    ORDER BY seq"""
WAITING_FOR = """
    SELECT DISTINCT w.seq FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow
    WHERE s.job_type = ? AND s.agents = ? AND s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL
    AND w.status IN (SELECT value FROM json_each(?))"""
HAS_PLAN = "SELECT 1 FROM plans WHERE hash = ?"
ADD_PLAN = "INSERT INTO plans (hash, template, body, date) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"
PLAN = "SELECT body FROM plans WHERE hash = ?"

SPAN = "SELECT coalesce((SELECT max(seq) FROM workflows) - (SELECT min(seq) FROM workflows) + 1, 0)"
ENDED_BEFORE = """
    SELECT w.seq FROM workflows w WHERE w.ended < ? AND NOT EXISTS
        (SELECT 1 FROM steps s JOIN jobs j ON j.step = s.id WHERE s.workflow = w.seq AND j.open)
    ORDER BY w.ended LIMIT ?"""
LEAVE = "INSERT INTO pruned (workflow) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"
DELETE_GATES = "DELETE FROM gates WHERE workflow IN (SELECT value FROM json_each(?))"
DELETE = "DELETE FROM workflows WHERE seq IN (SELECT value FROM json_each(?))"
PRUNED = "SELECT min(workflow) FROM pruned"
SWEPT = "DELETE FROM pruned WHERE workflow = ?"
SOME_STEPS = "SELECT id FROM steps WHERE workflow = ? LIMIT ?"
DELETE_LOGS = """
    DELETE FROM logs WHERE job IN (SELECT j.job FROM json_each(?) s CROSS JOIN jobs j ON j.step = s.value)"""
DELETE_JOBS = """
    DELETE FROM jobs WHERE job IN (SELECT j.job FROM json_each(?) s CROSS JOIN jobs j ON j.step = s.value)"""
DELETE_BOUND = "DELETE FROM bound WHERE step IN (SELECT value FROM json_each(?))"
DELETE_SCATTERED = "DELETE FROM scattered WHERE step IN (SELECT value FROM json_each(?))"
DELETE_STEPS = "DELETE FROM steps WHERE id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow, as far as the reactor needs it; `inputs` is JSON."""

    seq: int
    id: str
    template: str
    plan: str
    content: str
    status: WorkflowState
    priority: int
    inputs: str
    reply_to: str | None
    steps_left: int


class Workflows:
    """Statements about workflows and plans."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, row: WorkflowRow, date: float) -> int:
        """Add a workflow, and return its seq (that of `row` does not count)."""
        facts = (row.id, row.template, row.plan, row.content, row.status, row.priority, row.inputs, row.reply_to)
        seq = self._conn.execute(ADD, (*facts, row.steps_left, date)).lastrowid
        assert seq is not None
        return seq

    def by_id(self, workflow: str) -> WorkflowRow | None:
        """Return a workflow by the name that people use."""
        return _row(self._conn.execute(BY_ID, (workflow,)).fetchone())

    def by_seq(self, seq: int) -> WorkflowRow:
        """Return a workflow that exists.

        Raises:
            LookupError: It does not.
        """
        row = _row(self._conn.execute(BY_SEQ, (seq,)).fetchone())
        if row is None:
            raise LookupError(f"no workflow has the number {seq}")
        return row

    def set_status(self, seq: int, status: WorkflowState, reason: str | None = None) -> None:
        """Note a state that is not the end, and why."""
        self._conn.execute(SET_STATUS, (status, reason, seq))

    def set_ended(
        self, seq: int, status: WorkflowState, reason: str | None, outputs: str | None, date: float | None
    ) -> None:
        """Note the end, or (`date` None) that it goes on."""
        self._conn.execute(SET_ENDED, (status, reason, outputs, date, seq))

    def step_completed(self, seq: int) -> int:
        """Count one step off, and return how many are left."""
        left: int = self._conn.execute(STEP_COMPLETED, (seq,)).fetchone()[0]
        return left

    def set_last_event(self, seq: int, body: bytes) -> None:
        """Keep the event that is published again when the workflow is triggered again."""
        self._conn.execute(SET_LAST_EVENT, (body, seq))

    def last_event(self, seq: int) -> bytes | None:
        """Return that event."""
        body: bytes | None = self._conn.execute(LAST_EVENT, (seq,)).fetchone()[0]
        return body

    def of_jobs(self, agent: str, jobs_json: str, status: WorkflowState) -> list[int]:
        """Return the workflows with this status that have one of these jobs (a JSON list) at an agent."""
        return [seq for (seq,) in self._conn.execute(OF_JOBS, (jobs_json, agent, status))]

    def waiting(self, job_type: str, states_json: str) -> list[int]:
        """Return the workflows in one of these states with an unplaced step of a job type."""
        return [seq for (seq,) in self._conn.execute(WAITING, (job_type, states_json))]

    def waiting_for(self, job_type: str, agents: str, states_json: str) -> list[int]:
        """Return those with an unplaced step of a job type that only these agents (a JSON list) may take."""
        return [seq for (seq,) in self._conn.execute(WAITING_FOR, (job_type, agents, states_json))]

    def served(self, status: WorkflowState) -> list[int]:
        """Return the workflows with this status of which no unplaced step has a job type that nobody serves."""
        return [seq for (seq,) in self._conn.execute(SERVED, (status,))]

    def has_plan(self, plan_hash: str) -> bool:
        """Tell whether a plan is kept."""
        return self._conn.execute(HAS_PLAN, (plan_hash,)).fetchone() is not None

    def span(self) -> int:
        """Return how many workflows there are at most, at no cost."""
        span: int = self._conn.execute(SPAN).fetchone()[0]
        return span

    def ended_before(self, date: float, limit: int) -> list[int]:
        """Return the workflows that ended first, before `date`, and have no job that may still say something."""
        return [seq for (seq,) in self._conn.execute(ENDED_BEFORE, (date, limit))]

    def delete(self, workflows: list[int]) -> None:
        """Delete workflows; what belongs to them is left to `sweep`."""
        named = json.dumps(workflows)
        for statement in (LEAVE, DELETE_GATES, DELETE):
            self._conn.execute(statement, (named,))

    def pruned(self) -> int | None:
        """Return a workflow that was deleted, and of which something may be left."""
        workflow: int | None = self._conn.execute(PRUNED).fetchone()[0]
        return workflow

    def sweep(self, workflow: int, limit: int) -> int:
        """Delete so many steps of a workflow that was deleted, with their jobs; return how many there were."""
        steps = [step for (step,) in self._conn.execute(SOME_STEPS, (workflow, limit))]
        named = json.dumps(steps)
        for statement in (DELETE_LOGS, DELETE_JOBS, DELETE_BOUND, DELETE_SCATTERED, DELETE_STEPS):
            self._conn.execute(statement, (named,))
        if len(steps) < limit:
            self._conn.execute(SWEPT, (workflow,))
        return len(steps)

    def add_plan(self, plan_hash: str, template: str, body: bytes, date: float) -> None:
        """Keep a plan under its hash."""
        self._conn.execute(ADD_PLAN, (plan_hash, template, body, date))

    def plan(self, plan_hash: str) -> bytes:
        """Return a plan that was kept."""
        body: bytes = self._conn.execute(PLAN, (plan_hash,)).fetchone()[0]
        return body


def _row(found: Sequence[object] | None) -> WorkflowRow | None:
    if found is None:
        return None
    facts = list(found)
    facts[5] = WorkflowState(str(facts[5]))
    return WorkflowRow(*facts)  # type: ignore[arg-type]
