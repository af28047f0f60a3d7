"""What the API and the pages show of a manager: read-only statements, and the dicts that are made of their rows."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.pages.shapes import (
    AgentPage,
    AgentTypeView,
    AgentView,
    AttemptView,
    PartsView,
    StepPage,
    StepView,
    WorkflowPage,
    WorkflowSummary,
    WorkflowView,
)
from caroni_edge.manager.templates.plan import Plan, decode_plan, prefix_of
from caroni_edge.storage.paging import NEWEST, read_page
from caroni_edge.values.json import as_text

STEPS_SHOWN = 1000
"""Steps in the answer about a workflow; more are asked for by page."""

PLANS_KEPT = 32

Row = sqlite3.Row
"""Values by the names of columns."""

_WORKFLOW = "seq, id, template, plan, status, priority, inputs, outputs, reason, steps_left, created, ended"
_STEP = """
    id, path, name, job_type, status, priority, missing, outputs, job, attempt, tries, retry_due, held, reason, late,
    parts, made, parts_left, agents, gate"""
_NEWEST = "ORDER BY seq DESC LIMIT :limit"

WORKFLOWS = f"SELECT {_WORKFLOW} FROM workflows WHERE seq < :after {_NEWEST}"
WORKFLOWS_OF_STATUS = f"SELECT {_WORKFLOW} FROM workflows WHERE status = :status AND seq < :after {_NEWEST}"
WORKFLOWS_OF_TEMPLATE = f"SELECT {_WORKFLOW} FROM workflows WHERE template = :template AND seq < :after {_NEWEST}"
WORKFLOWS_OF_BOTH = f"""
    SELECT {_WORKFLOW} FROM workflows WHERE template = :template AND status = :status AND seq < :after {_NEWEST}"""
WORKFLOW = f"SELECT {_WORKFLOW} FROM workflows WHERE id = ?"
PLAN = "SELECT body FROM plans WHERE hash = ?"
STEPS = f"SELECT {_STEP} FROM steps WHERE workflow = :workflow AND path > :after ORDER BY path LIMIT :limit"
STEPS_OF_STATUS = f"""
    SELECT {_STEP} FROM steps WHERE workflow = :workflow AND path > :after AND status = :status
    ORDER BY path LIMIT :limit"""
STEP = f"SELECT {_STEP} FROM steps WHERE workflow = ? AND path = ?"
STEP_STATUSES = """
    SELECT s.path, s.status FROM json_each(?) p CROSS JOIN steps s ON s.workflow = ? AND s.path = p.value"""
STEPS_THAT_TELL = f"""
    SELECT {_STEP} FROM steps WHERE workflow = ? AND status IN (SELECT value FROM json_each(?))
    ORDER BY CASE WHEN status = 'failed' THEN 0 WHEN held IS NOT NULL THEN 1
    WHEN parts IS NOT NULL THEN CASE parent WHEN 0 THEN 2 ELSE 8 END
    WHEN status = 'running' THEN 5 WHEN missing > 0 THEN 7 WHEN gate IS NOT NULL THEN 6
    WHEN status = 'fulfilling' THEN 3 ELSE 4 END, id LIMIT ?"""
"""Failed, held, how far the parts of a step are, ready and not taken, taken and not begun, running, at a limit, waiting
for data; last how far parts of parts are."""
GATE = "SELECT key, parallel FROM gates WHERE id = ?"
ATTEMPTS = """
    SELECT j.step, j.job, j.attempt, j.agent, j.status, j.lost, j.exit_code, j.reason, j.stderr, j.placed, j.started,
    j.ended FROM json_each(?) i CROSS JOIN jobs j ON j.step = i.value ORDER BY j.step, j.attempt"""
LOG = 'SELECT data, "end" FROM logs WHERE job = ? ORDER BY offset'
AGENTS = """
    SELECT agent, online, version, host, slots, refuses, seen, (SELECT count(*) FROM jobs
    WHERE jobs.agent = agents.agent AND open) AS open_jobs
    FROM agents WHERE agent > :after ORDER BY agent LIMIT :limit"""
AGENT_TYPES = """
    SELECT t.agent, t.job_type, t.online, t.notice FROM json_each(?) a CROSS JOIN agent_types t ON t.agent = a.value
    ORDER BY t.agent, t.job_type"""
SEEN = "SELECT online, seen FROM agents WHERE agent = ?"
SERVERS = """
    SELECT a.agent, a.online, a.seen, a.refuses, a.slots, a.wanted AS reconcile_query, t.online AS serves,
    (SELECT count(*) FROM jobs j WHERE j.step = ? AND j.agent = a.agent AND j.status = 'failed') AS failures
    FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent WHERE t.job_type = ?
    AND (? IS NULL OR a.agent IN (SELECT value FROM json_each(?))) LIMIT ?"""
COUNT_WORKFLOWS = "SELECT status, workflows FROM workflow_counts"
COUNT_UNPLACED = "SELECT job_type, count(*) FROM steps WHERE status = 'fulfilling' GROUP BY job_type"
COUNT_OPEN_JOBS = "SELECT status, count(*) FROM jobs WHERE open GROUP BY status"
COUNT_AGENTS = "SELECT online, count(*) FROM agents GROUP BY online"


class Plans:
    """Plans by their hash; they never change. Shared by all requests."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, Plan] = {}

    def get(self, conn: sqlite3.Connection, plan_hash: str) -> Plan:
        """Return a plan."""
        plan = self._kept.get(plan_hash)
        if plan is None:
            plan = decode_plan(conn.execute(PLAN, (plan_hash,)).fetchone()[0])
            if len(self._kept) >= PLANS_KEPT:
                self._kept.clear()
            self._kept[plan_hash] = plan
        return plan


class ManagerViews:
    """Reads what is shown of a manager from its database."""

    def __init__(self, conn: sqlite3.Connection, plans: Plans) -> None:
        """Read on `conn`, a connection whose rows go by name."""
        self.conn, self._plans = conn, plans

    # Workflows

    def workflows(
        self, status: WorkflowState | None, template: str | None, limit: int, after: int | None
    ) -> WorkflowPage:
        """Return a page of workflows, newest first."""
        sql = {
            (False, False): WORKFLOWS,
            (True, False): WORKFLOWS_OF_STATUS,
            (False, True): WORKFLOWS_OF_TEMPLATE,
            (True, True): WORKFLOWS_OF_BOTH,
        }[status is not None, template is not None]
        upto = NEWEST if after is None else after
        rows, following = read_page(self.conn, sql, "seq", limit, status=status, template=template, after=upto)
        return WorkflowPage(workflows=[_summary(row) for row in rows], next=following)

    def workflow_row(self, workflow: str) -> Row | None:
        """Return the row of a workflow."""
        row: Row | None = self.conn.execute(WORKFLOW, (workflow,)).fetchone()
        return row

    def workflow(self, workflow: str) -> WorkflowView | None:
        """Return a workflow with its first steps."""
        row = self.workflow_row(workflow)
        if row is None:
            return None
        steps = self.steps(row, None, STEPS_SHOWN, "")
        return WorkflowView(**_summary(row), steps=steps["steps"], steps_next=steps["next"])

    def summary(self, workflow: str) -> WorkflowSummary | None:
        """Return a workflow without its steps."""
        row = self.workflow_row(workflow)
        return _summary(row) if row else None

    def plan(self, workflow: Row) -> Plan:
        """Return the plan that a workflow runs by: its template as it was at the start, compiled."""
        return self._plans.get(self.conn, workflow["plan"])

    # Steps

    def steps(self, workflow: Row, status: StepState | None, limit: int, after: str) -> StepPage:
        """Return a page of a workflow's steps, by name."""
        sql = STEPS_OF_STATUS if status else STEPS
        given = {"workflow": workflow["seq"], "status": status, "after": after}
        rows, following = read_page(self.conn, sql, "path", limit, **given)
        attempts = self.attempts(row["id"] for row in rows)
        waiting = self.waiting_for(workflow, rows)
        steps = {row["path"]: _step(row, waiting[row["path"]], attempts.get(row["id"], [])) for row in rows}
        return StepPage(steps=steps, next=following)

    def steps_that_tell(self, workflow: Row, statuses: Iterable[StepState], limit: int) -> list[Row]:
        """Return steps of a workflow in these states, those first that tell most about why it is where it is."""
        facts = (workflow["seq"], as_text(sorted(statuses)), limit)
        return self.conn.execute(STEPS_THAT_TELL, facts).fetchall()

    def step_row(self, workflow: Row, path: str) -> Row | None:
        """Return the row of a step."""
        row: Row | None = self.conn.execute(STEP, (workflow["seq"], path)).fetchone()
        return row

    def attempts(self, steps: Iterable[int]) -> dict[int, list[AttemptView]]:
        """Return the attempts of steps (by their ids), in order."""
        found: dict[int, list[AttemptView]] = {}
        for row in self.conn.execute(ATTEMPTS, (as_text(list(steps)),)):
            found.setdefault(row["step"], []).append(_attempt(row))
        return found

    def waiting_for(self, workflow: Row, steps: Sequence[Row]) -> dict[str, list[str]]:
        """Return, by path, the steps whose outputs each of these steps has not got yet."""
        found: dict[str, list[str]] = {row["path"]: [] for row in steps}
        waiting = [row for row in steps if row["missing"]]
        if not waiting:
            return found
        plan = self.plan(workflow)
        sources = {
            row["path"]: [prefix_of(row["path"]) + name for name in sorted(plan.step_at(row["name"]).waits_for)]
            for row in waiting
        }
        there = self.statuses(workflow, {name for names in sources.values() for name in names})
        for path, names in sources.items():
            found[path] = [name for name in names if there.get(name) != StepState.COMPLETED]
        return found

    def statuses(self, workflow: Row, paths: Iterable[str]) -> dict[str, str]:
        """Return the states of steps of a workflow."""
        return dict(map(tuple, self.conn.execute(STEP_STATUSES, (as_text(sorted(paths)), workflow["seq"]))))

    def gate(self, gate: int) -> tuple[str, int]:
        """Return what a limit is of (`/`: the workflow), and how many it lets through at a time."""
        key, parallel = self.conn.execute(GATE, (gate,)).fetchone()
        return key, parallel

    def log(self, job: str) -> tuple[bytes, bool]:
        """Return what has come of a job's log, and whether that is its end."""
        pieces = self.conn.execute(LOG, (job,)).fetchall()
        return b"".join(data for data, _ in pieces), bool(pieces and pieces[-1]["end"])

    # Agents

    def agents(self, limit: int, after: str) -> AgentPage:
        """Return a page of the agents, by id."""
        rows, following = read_page(self.conn, AGENTS, "agent", limit, after=after)
        types: dict[str, dict[str, AgentTypeView]] = {row["agent"]: {} for row in rows}
        for row in self.conn.execute(AGENT_TYPES, (as_text(list(types)),)):
            types[row["agent"]][row["job_type"]] = _agent_type(row)
        agents = [_agent(row, types[row["agent"]]) for row in rows]
        return AgentPage(agents=agents, next=following)

    def seen(self, agent: str) -> tuple[bool, str | None]:
        """Tell whether an agent is connected, as far as we have heard, and when it was heard of last."""
        row = self.conn.execute(SEEN, (agent,)).fetchone()
        return (bool(row["online"]), rfc3339(row["seen"] or None)) if row else (False, None)

    def servers(self, step: int, job_type: str, limit: int, of: list[str] | None = None) -> list[Row]:
        """Return the agents (`of`: of these) that have a job type, and whether the step has failed on them."""
        named = None if of is None else as_text(of)
        return self.conn.execute(SERVERS, (step, job_type, named, named, limit)).fetchall()

    # Numbers

    def count_workflows(self) -> Mapping[str, float]:
        """Count the workflows in each state."""
        none: dict[str, float] = dict.fromkeys(WorkflowState, 0)
        return none | dict(map(tuple, self.conn.execute(COUNT_WORKFLOWS)))

    def count_unplaced(self) -> Mapping[str, float]:
        """Count, by job type, the steps that no agent has taken yet."""
        return dict(map(tuple, self.conn.execute(COUNT_UNPLACED)))

    def count_open_jobs(self) -> Mapping[str, float]:
        """Count, by state, the attempts that may still give a result."""
        return dict(map(tuple, self.conn.execute(COUNT_OPEN_JOBS)))

    def count_agents(self) -> Mapping[str, float]:
        """Count the agents that are online and offline."""
        found = {"online": 0, "offline": 0}
        return found | {"online" if row[0] else "offline": row[1] for row in self.conn.execute(COUNT_AGENTS)}


def _summary(row: Row) -> WorkflowSummary:
    return WorkflowSummary(
        id=row["id"],
        template=row["template"],
        status=WorkflowState(row["status"]),
        priority=row["priority"],
        created=rfc3339(row["created"]),
        ended=rfc3339(row["ended"]),
        inputs=_values(row["inputs"]) or {},
        outputs=_values(row["outputs"]),
        reason=row["reason"],
    )


def _step(row: Row, waiting_for: list[str], attempts: list[AttemptView]) -> StepView:
    return StepView(
        status=StepState(row["status"]),
        job_type=row["job_type"] or None,
        parts=None if row["parts"] is None else _parts(row),
        agents=msgspec.json.decode(row["agents"]) if row["agents"] else None,
        agent=_agent_of(row, attempts),
        outputs=_values(row["outputs"]),
        waiting_for=waiting_for,
        reason=row["held"] or row["reason"],
        attempts=attempts,
    )


def _parts(row: Row) -> PartsView:
    count, completed = row["parts"], row["parts"] - row["parts_left"]
    return PartsView(count=count, made=row["made"], completed=completed)


def _agent_of(step: Row, attempts: list[AttemptView]) -> str | None:
    """Return the agent that has the step, or whose attempt has decided its state."""
    for each in attempts:
        if each["status"] == "completed" or each["job"] == step["job"]:
            return each["agent"]
    return attempts[-1]["agent"] if attempts and step["status"] == StepState.FAILED else None


def _attempt(row: Row) -> AttemptView:
    return AttemptView(
        attempt=row["attempt"],
        job=row["job"],
        agent=row["agent"],
        status=row["status"],
        exit_code=row["exit_code"],
        reason=row["reason"],
        stderr=row["stderr"],
        lost=bool(row["lost"]),
        placed=rfc3339(row["placed"]),
        started=rfc3339(row["started"]),
        ended=rfc3339(row["ended"]),
    )


def _agent(row: Row, types: dict[str, AgentTypeView]) -> AgentView:
    return AgentView(
        id=row["agent"],
        online=bool(row["online"]),
        host=row["host"],
        version=row["version"],
        slots=row["slots"],
        open_jobs=row["open_jobs"],
        seen=rfc3339(row["seen"]) if row["seen"] else None,
        refuses=msgspec.json.decode(row["refuses"]),
        job_types=types,
    )


def _agent_type(row: Row) -> AgentTypeView:
    notice = msgspec.json.decode(row["notice"])
    return AgentTypeView(
        serves=bool(row["online"]),
        repeat=notice.get("repeat", True),
        inputs=notice.get("inputs", {}),
        outputs=notice.get("outputs", {}),
    )


def _values(text: str | None) -> dict[str, Any] | None:
    values: dict[str, Any] | None = None if text is None else msgspec.json.decode(text)
    return values
