"""How many jobs there are of each kind: the database counts with each change."""

import sqlite3
from typing import NamedTuple

from caroni_edge.agent.lifecycle import JobState

LIVE = """
    SELECT state, manager, job_type, jobs FROM load
    WHERE state IN ('pending', 'queued', 'running') AND jobs > 0 ORDER BY state, manager, job_type"""
LIVE_MANAGERS = """
    SELECT DISTINCT manager FROM load WHERE state IN ('pending', 'queued', 'running') AND jobs > 0 ORDER BY manager"""
TOTAL = "SELECT coalesce(sum(jobs), 0) FROM load WHERE state = ?"


class Count(NamedTuple):
    """How many jobs of a manager and a type are in a state."""

    state: str
    manager: str
    job_type: str
    jobs: int


class Load:
    """Statements about the numbers of jobs."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def live(self) -> list[Count]:
        """Return how many jobs are not finished."""
        return [Count(*found) for found in self._conn.execute(LIVE)]

    def live_managers(self) -> list[str]:
        """Return the managers that have jobs here that are not finished."""
        return [manager for (manager,) in self._conn.execute(LIVE_MANAGERS)]

    def total(self, state: JobState) -> int:
        """Return how many jobs are in a state."""
        total: int = self._conn.execute(TOTAL, (state,)).fetchone()[0]
        return total
