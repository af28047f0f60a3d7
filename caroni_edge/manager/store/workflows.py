"""Workflows and the plans that they run by."""

from typing import NamedTuple

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.unplaced import IN_DEMAND
from caroni_edge.storage.rows import Rows, columns
from caroni_edge.values.json import as_text


class WorkflowRow(NamedTuple):
    """A workflow, as far as the reactor needs it; `inputs` and `labels` are JSON.

    Attributes:
        cause: What of the configuration has started it; None where people or programs have.
    """

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
    cause: str | None = None
    labels: str = "{}"


class WorkflowChange(NamedTuple):
    """What a workflow is in from now on, and the event that says so; `outputs` is JSON.

    Attributes:
        reason: Why it is in this state.
        started: When its steps were made; None leaves that as it is.
        ended: When it ended; None: it has not.
        last_event: It is published again when the workflow is triggered again.
    """

    seq: int
    status: WorkflowState
    reason: str | None
    started: float | None
    ended: float | None
    outputs: str | None
    last_event: bytes


class WorkflowCount(NamedTuple):
    """How many workflows are in a state."""

    status: WorkflowState
    workflows: int


class Unfinished(NamedTuple):
    """How many workflows have not ended, and the size of their inputs together."""

    workflows: int
    input_bytes: int


class WorkflowRows(Rows):
    """Statements about workflows and plans."""

    ADD = """
        INSERT INTO workflows (id, template, plan, content, status, priority, inputs, reply_to, steps_left, cause,
            labels, created, started, reason, last_event)
        VALUES (:id, :template, :plan, :content, :status, :priority, :inputs, :reply_to, :steps_left, :cause,
            :labels, :created, :started, :reason, :said)"""
    ADD_LABELS = """
        INSERT INTO workflow_labels (label, workflow)
        SELECT l.key || '=' || l.value, :workflow FROM json_each(:labels) l"""

    def add(self, row: WorkflowRow, date: float, *, started: float | None, reason: str | None, said: bytes) -> int:
        """Add a workflow, and return its seq (that of `row` does not count); `said` is its `WorkflowChange.last_event`.

        `started` is None for one that is held.
        """
        seq = self._insert(self.ADD, **row._asdict(), created=date, started=started, reason=reason, said=said)
        if row.labels != "{}":
            self._run(self.ADD_LABELS, workflow=seq, labels=row.labels)
        return seq

    BY_ID = f"SELECT {columns(WorkflowRow)} FROM workflows WHERE id = :workflow"

    def by_id(self, workflow: str) -> WorkflowRow | None:
        """Return a workflow by the name that people use."""
        return self._one(WorkflowRow, self.BY_ID, workflow=workflow)

    BY_SEQ = f"SELECT {columns(WorkflowRow)} FROM workflows WHERE seq = :seq"

    def by_seq(self, seq: int) -> WorkflowRow:
        """Return a workflow that exists.

        Raises:
            LookupError: It does not.
        """
        row = self._one(WorkflowRow, self.BY_SEQ, seq=seq)
        if row is None:
            raise LookupError(f"no workflow has the number {seq}")
        return row

    UNENDED = "SELECT rows FROM row_counts WHERE what = 'unended' AND name = :cause"

    def count_unended(self, cause: str) -> int:
        """Count the workflows that something has started and that have not ended."""
        return self._one(int, self.UNENDED, cause=cause) or 0

    CHANGE = """
        UPDATE workflows SET status = :status, reason = :reason, started = coalesce(:started, started), ended = :ended,
            outputs = :outputs, last_event = :last_event
        WHERE seq = :seq"""

    def change(self, change: WorkflowChange) -> None:
        """Keep the state of a workflow that has changed."""
        self._run(self.CHANGE, **change._asdict())

    HELD = f"""
        SELECT {columns(WorkflowRow)} FROM workflows WHERE template = :template AND status = 'held'
        AND NOT EXISTS (SELECT 1 FROM brought_objects WHERE workflow = seq) ORDER BY seq LIMIT :limit"""

    def held(self, template: str, limit: int) -> list[WorkflowRow]:
        """Return the workflows of a template that have been held longest, and lack no files."""
        return self._all(WorkflowRow, self.HELD, template=template, limit=limit)

    STEP_COMPLETED = "UPDATE workflows SET steps_left = steps_left - 1 WHERE seq = :seq RETURNING steps_left"

    def step_completed(self, seq: int) -> int:
        """Count one step off, and return how many are left."""
        return self._only(int, self.STEP_COMPLETED, seq=seq)

    LAST_EVENT = "SELECT last_event FROM workflows WHERE seq = :seq"

    def last_event(self, seq: int) -> bytes | None:
        """Return the event that is published again when a workflow is triggered again."""
        return self._one(bytes, self.LAST_EVENT, seq=seq)

    # Those that something concerns

    RUN_OF_JOBS = """
        UPDATE workflows SET status = :status, reason = NULL WHERE status = :before AND seq IN (
            SELECT s.workflow FROM json_each(:jobs) j CROSS JOIN jobs ON jobs.job = j.value AND jobs.agent = :agent
            CROSS JOIN steps s ON s.id = jobs.step)"""

    def run_of_jobs(self, agent: str, jobs_json: str, before: WorkflowState, status: WorkflowState) -> None:
        """Note a state of the workflows in the one `before` that have one of these jobs (a JSON list) at an agent."""
        self._run(self.RUN_OF_JOBS, agent=agent, jobs=jobs_json, before=before, status=status)

    WAITING = f"""
        SELECT DISTINCT w.seq FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow
        WHERE {IN_DEMAND} AND s.job_type = :job_type AND s.agents IS NULL
        AND w.status IN (SELECT value FROM json_each(:states))"""

    def waiting(self, job_type: str, states_json: str) -> list[int]:
        """Return the workflows in one of these states with a step of a job type in the demand, for any agent."""
        return self._all(int, self.WAITING, job_type=job_type, states=states_json)

    WAITING_FOR = f"""
        SELECT DISTINCT w.seq FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow
        WHERE {IN_DEMAND} AND s.job_type = :job_type AND s.agents = :agents
        AND w.status IN (SELECT value FROM json_each(:states))"""

    def waiting_for(self, job_type: str, agents: str, states_json: str) -> list[int]:
        """Return those with a step of a job type in the demand that only these agents (a JSON list) may take."""
        return self._all(int, self.WAITING_FOR, job_type=job_type, agents=agents, states=states_json)

    SERVED = f"""
        SELECT seq FROM workflows w WHERE w.status = :status
        AND NOT EXISTS (SELECT 1 FROM demands d CROSS JOIN steps s ON s.job_type = d.job_type
            WHERE d.unserved_since IS NOT NULL AND {IN_DEMAND} AND s.agents IS NULL AND s.workflow = w.seq)
        AND NOT EXISTS (SELECT 1 FROM unserved u CROSS JOIN steps s ON s.job_type = u.job_type AND s.agents = u.agents
            WHERE {IN_DEMAND} AND s.workflow = w.seq)
        AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.workflow = w.seq AND s.in_doubt IS NOT NULL)
        ORDER BY seq"""

    def served(self, status: WorkflowState) -> list[int]:
        """Return the workflows with this status in which no step waits for an agent that serves it, or for `retry`."""
        return self._all(int, self.SERVED, status=status)

    COUNTS = "SELECT status, workflows FROM workflow_counts"

    def counts(self) -> list[WorkflowCount]:
        """Return how many workflows are in each state that ever had one."""
        return self._all(WorkflowCount, self.COUNTS)

    UNFINISHED = """
        SELECT coalesce(sum(workflows), 0) AS workflows, coalesce(sum(input_bytes), 0) AS input_bytes
        FROM workflow_counts WHERE status <> 'completed' AND status <> 'failed' AND status <> 'cancelled'"""

    def unfinished(self) -> Unfinished:
        """Return how much has not ended, at no cost that grows with it."""
        return self._only(Unfinished, self.UNFINISHED)

    # Plans

    HAS_PLAN = "SELECT 1 FROM plans WHERE hash = :hash"

    def has_plan(self, plan_hash: str) -> bool:
        """Tell whether a plan is kept."""
        return self._one(int, self.HAS_PLAN, hash=plan_hash) is not None

    ADD_PLAN = """
        INSERT INTO plans (hash, template, body, date) VALUES (:hash, :template, :body, :date)
        ON CONFLICT (hash) DO NOTHING"""

    def add_plan(self, plan_hash: str, template: str, body: bytes, date: float) -> None:
        """Keep a plan under its hash."""
        self._run(self.ADD_PLAN, hash=plan_hash, template=template, body=body, date=date)

    PLAN = "SELECT body FROM plans WHERE hash = :hash"

    def plan(self, plan_hash: str) -> bytes:
        """Return a plan that was kept."""
        return self._only(bytes, self.PLAN, hash=plan_hash)

    # Retention

    SPAN = "SELECT coalesce((SELECT max(seq) FROM workflows) - (SELECT min(seq) FROM workflows) + 1, 0)"

    def span(self) -> int:
        """Return how many workflows there are at most, at no cost."""
        return self._only(int, self.SPAN)

    ENDED_BEFORE = """
        SELECT w.seq FROM workflows w WHERE w.ended < :date AND NOT EXISTS
            (SELECT 1 FROM steps s JOIN jobs j ON j.step = s.id WHERE s.workflow = w.seq AND j.open)
        ORDER BY w.ended LIMIT :limit"""

    def ended_before(self, date: float, limit: int) -> list[int]:
        """Return the workflows that ended first, before `date`, and have no job that may still say something."""
        return self._all(int, self.ENDED_BEFORE, date=date, limit=limit)

    LEAVE = "INSERT INTO pruned (workflow) SELECT value FROM json_each(:workflows) WHERE true ON CONFLICT DO NOTHING"
    DELETE_GATES = "DELETE FROM gates WHERE workflow IN (SELECT value FROM json_each(:workflows))"
    DELETE_EVALUATIONS = "DELETE FROM evaluations WHERE workflow IN (SELECT value FROM json_each(:workflows))"
    DELETE_LOOKS = "DELETE FROM looks WHERE workflow IN (SELECT value FROM json_each(:workflows))"
    DELETE_AGENTS = "DELETE FROM workflow_agents WHERE workflow IN (SELECT value FROM json_each(:workflows))"
    DELETE_LABELS = "DELETE FROM workflow_labels WHERE workflow IN (SELECT value FROM json_each(:workflows))"
    DELETE = "DELETE FROM workflows WHERE seq IN (SELECT value FROM json_each(:workflows)) RETURNING plan"
    DELETE_PLANS = """
        DELETE FROM plans WHERE hash IN (SELECT value FROM json_each(:plans))
        AND NOT EXISTS (SELECT 1 FROM workflows WHERE plan = plans.hash)"""

    def delete(self, workflows: list[int]) -> None:
        """Delete workflows, and the plans that no other runs by; what else belongs to them is left to `sweep`."""
        named = as_text(workflows)
        self._run(self.LEAVE, workflows=named)
        self._run(self.DELETE_GATES, workflows=named)
        self._run(self.DELETE_EVALUATIONS, workflows=named)
        self._run(self.DELETE_LOOKS, workflows=named)
        self._run(self.DELETE_AGENTS, workflows=named)
        self._run(self.DELETE_LABELS, workflows=named)
        self._run(self.DELETE_PLANS, plans=as_text(self._all(str, self.DELETE, workflows=named)))

    PRUNED = "SELECT min(workflow) FROM pruned"

    def pruned(self) -> int | None:
        """Return a workflow that was deleted, and of which something may be left."""
        return self._one(int, self.PRUNED)

    SOME_STEPS = "SELECT id FROM steps WHERE workflow = :workflow LIMIT :limit"
    DELETE_LOGS = """
        DELETE FROM logs WHERE job IN (SELECT j.job FROM json_each(:steps) s CROSS JOIN jobs j ON j.step = s.value)"""
    DELETE_JOBS = """
        DELETE FROM jobs WHERE job IN (SELECT j.job FROM json_each(:steps) s CROSS JOIN jobs j ON j.step = s.value)"""
    DELETE_BOUND = "DELETE FROM bound WHERE step IN (SELECT value FROM json_each(:steps))"
    DELETE_SCATTERED = "DELETE FROM scattered WHERE step IN (SELECT value FROM json_each(:steps))"
    DELETE_STEPS = "DELETE FROM steps WHERE id IN (SELECT value FROM json_each(:steps))"
    SWEPT = "DELETE FROM pruned WHERE workflow = :workflow"

    def sweep(self, workflow: int, limit: int) -> int:
        """Delete so many steps of a workflow that was deleted, with their jobs; return how many there were."""
        steps = self._all(int, self.SOME_STEPS, workflow=workflow, limit=limit)
        named = as_text(steps)
        self._run(self.DELETE_LOGS, steps=named)
        self._run(self.DELETE_JOBS, steps=named)
        self._run(self.DELETE_BOUND, steps=named)
        self._run(self.DELETE_SCATTERED, steps=named)
        self._run(self.DELETE_STEPS, steps=named)
        if len(steps) < limit:
            self._run(self.SWEPT, workflow=workflow)
        return len(steps)
