"""Unplaced steps: agents are asked for them, and none has one yet; who may take which, and what nobody serves.

A step is unplaced while it is `fulfilling`. It is in the demand as soon as nothing holds it back: neither the delay
after an attempt that has failed (`retry_due`) nor that somebody must say so first (`held`).
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.manager.store.steps import S_COLUMNS, StepRow, row_of

_DEMANDED = "s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL AND s.job_type = ?"
_FREE = f"{_DEMANDED} AND s.agents IS NULL"
_BOUND = f"{_DEMANDED} AND s.agents IS NOT NULL"
_STEPS = f"SELECT {S_COLUMNS}, w.id FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow WHERE {_FREE}"
_FAILED_HERE = "EXISTS (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = ? AND j.status = 'failed')"
_FAILURES = "(SELECT count(*) FROM jobs j WHERE j.step = s.id AND j.agent = {agent} AND j.status = 'failed')"
_FAILED_LESS_THERE = f"{_FAILURES.format(agent='t.agent')} < {_FAILURES.format(agent='?')}"
_OTHER_AGENT = f"""
    EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = s.job_type AND t.online AND {_FAILED_LESS_THERE})"""
_OTHER_BOUND = f"""
    EXISTS (SELECT 1 FROM bound o CROSS JOIN agent_types t ON t.job_type = s.job_type AND t.agent = o.agent
    WHERE o.step = s.id AND t.online AND {_FAILED_LESS_THERE})"""
_BEST_FIRST = "ORDER BY s.priority DESC, s.id LIMIT ?"
_SERVED = """
    EXISTS (SELECT 1 FROM json_each({row}.agents) o CROSS JOIN agent_types t
    ON t.job_type = {row}.job_type AND t.agent = o.value WHERE t.online)"""

NEW_HERE = f"{_STEPS} AND (s.missing > 0) = ? AND NOT {_FAILED_HERE} {_BEST_FIRST}"
AGAIN_HERE = f"""
    {_STEPS} AND (s.missing > 0) = ? AND s.attempt > 0 AND {_FAILED_HERE} AND NOT {_OTHER_AGENT} {_BEST_FIRST}"""
BOUND_HERE = f"""
    SELECT {S_COLUMNS}, w.id FROM bound b CROSS JOIN steps s ON s.id = b.step
    CROSS JOIN workflows w ON w.seq = s.workflow WHERE b.agent = ? AND {_BOUND} AND (s.missing > 0) = ?
    AND NOT {_OTHER_BOUND} {_BEST_FIRST}"""
IS_DEMANDED = f"""
    SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_wanted WHERE {_FREE})
    OR EXISTS (SELECT 1 FROM steps s INDEXED BY steps_bound WHERE {_BOUND})"""
COUNT = f"SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {_FREE} AND (s.missing > 0) = ? LIMIT ?)"
COUNT_BOUND = f"""
    SELECT agents, sum(NOT waits), sum(waits) FROM (SELECT s.agents, s.missing > 0 AS waits
    FROM steps s INDEXED BY steps_bound WHERE {_BOUND} LIMIT ?) GROUP BY agents"""
TOP = f"SELECT s.priority FROM steps s WHERE {_FREE} AND (s.missing > 0) = ? ORDER BY s.priority DESC LIMIT 1"
TOP_BOUND = f"""
    SELECT max(priority) FROM (SELECT s.priority FROM steps s INDEXED BY steps_bound WHERE {_BOUND} LIMIT ?)"""
IS_UNPLACED = "SELECT 1 FROM steps WHERE job_type = ? AND status = 'fulfilling' LIMIT 1"
IS_UNPLACED_FREE = "SELECT 1 FROM steps WHERE job_type = ? AND status = 'fulfilling' AND agents IS NULL LIMIT 1"
JOB_TYPES = "SELECT DISTINCT job_type FROM steps WHERE status = 'fulfilling'"

BIND = "INSERT INTO bound (agent, step) SELECT value, ? FROM json_each(?)"
UNBIND = "DELETE FROM bound WHERE step = ?"
NOW_UNSERVED = f"""
    INSERT INTO unserved (job_type, agents, since) SELECT DISTINCT s.job_type, s.agents, ?
    FROM steps s INDEXED BY steps_bound WHERE s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL
    AND s.agents IS NOT NULL AND NOT {_SERVED.format(row="s")} ON CONFLICT DO NOTHING"""
NOW_SERVED = f"""
    DELETE FROM unserved WHERE {_SERVED.format(row="unserved")} OR NOT EXISTS
    (SELECT 1 FROM steps s WHERE s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL
    AND s.agents = unserved.agents AND s.job_type = unserved.job_type)"""
ANY_BOUND = """
    SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_bound
    WHERE s.status = 'fulfilling' AND s.retry_due IS NULL AND s.held IS NULL AND s.agents IS NOT NULL)
    OR EXISTS (SELECT 1 FROM unserved)"""
UNSERVED = "SELECT job_type, agents FROM unserved WHERE since + ? <= ? ORDER BY job_type, agents"
UNSERVED_BEGINS_ANEW = "UPDATE unserved SET since = ?"


class UnplacedStep(NamedTuple):
    """An unplaced step, and the name of its workflow."""

    step: StepRow
    workflow: str


class UnplacedSteps:
    """Statements about unplaced steps. Those that few may take are kept apart from the others."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def steps(self, job_type: str, *, waiting: bool, agent: str, limit: int) -> list[UnplacedStep]:
        """Return the best steps that this agent may take: those that have not failed on it first.

        A step that has failed on it is only named when no other agent is there on which it has failed less often.
        """
        if limit <= 0:
            return []
        found = self._conn.execute(NEW_HERE, (job_type, waiting, agent, limit)).fetchall()
        if (left := limit - len(found)) > 0:
            found += self._conn.execute(AGAIN_HERE, (job_type, waiting, agent, agent, left)).fetchall()
        free = [UnplacedStep(row_of(columns), workflow) for *columns, workflow in found]
        facts = (agent, job_type, waiting, agent, limit)
        bound = [
            UnplacedStep(row_of(columns), workflow) for *columns, workflow in self._conn.execute(BOUND_HERE, facts)
        ]
        return sorted([*bound, *free], key=lambda each: -each.step.priority)[:limit] if bound else free

    def is_demanded(self, job_type: str) -> bool:
        """Tell whether any step of a job type is in the demand."""
        return bool(self._conn.execute(IS_DEMANDED, (job_type, job_type)).fetchone()[0])

    def is_unplaced(self, job_type: str, *, free: bool = False) -> bool:
        """Tell whether any step of a job type (`free`: that any agent may take) is unplaced, in the demand or not."""
        return self._conn.execute(IS_UNPLACED_FREE if free else IS_UNPLACED, (job_type,)).fetchone() is not None

    def count(self, job_type: str, *, waiting: bool, limit: int) -> int:
        """Count the steps in the demand that any agent may take, up to `limit`."""
        count: int = self._conn.execute(COUNT, (job_type, waiting, limit)).fetchone()[0]
        return count

    def count_bound(self, job_type: str, limit: int) -> list[tuple[str, int, int]]:
        """Count those that few may take, up to `limit`: agents (a JSON list), how many are ready, how many wait."""
        return self._conn.execute(COUNT_BOUND, (job_type, limit)).fetchall()

    def top_priority(self, job_type: str, limit: int) -> int:
        """Return the greatest priority among the steps in the demand for a job type."""
        tops = [self._conn.execute(TOP, (job_type, waiting)).fetchone() for waiting in (False, True)]
        tops.append(self._conn.execute(TOP_BOUND, (job_type, limit)).fetchone())
        return max((row[0] for row in tops if row and row[0] is not None), default=4)

    def job_types(self) -> set[str]:
        """Return the job types of all unplaced steps."""
        return {job_type for (job_type,) in self._conn.execute(JOB_TYPES)}

    # Steps that only some agents may take

    def bind(self, step: int, agents: str) -> None:
        """Let a step be taken by these agents (a JSON list) alone."""
        self._conn.execute(BIND, (step, agents))

    def unbind(self, steps: Iterable[int]) -> None:
        """These steps are over: nobody is to take them any more."""
        self._conn.executemany(UNBIND, ((step,) for step in steps))

    def look_for_unserved(self, now: float) -> None:
        """Note since when none of the agents that may take a step serves it."""
        self._conn.execute(NOW_SERVED)
        self._conn.execute(NOW_UNSERVED, (now,))

    def any_bound(self) -> bool:
        """Tell whether there is anything to look for."""
        return bool(self._conn.execute(ANY_BOUND).fetchone()[0])

    def unserved(self, for_s: float, now: float) -> list[tuple[str, str]]:
        """Return the job types, each with its agents (a JSON list), that nobody has served for so long or longer."""
        return self._conn.execute(UNSERVED, (for_s, now)).fetchall()

    def unserved_begins_anew(self, now: float) -> None:
        """A process has started: its clock is another."""
        self._conn.execute(UNSERVED_BEGINS_ANEW, (now,))
