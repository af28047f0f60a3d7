"""How many jobs there are of each kind: the database counts with each change."""

from typing import NamedTuple

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.storage.rows import Rows


class Count(NamedTuple):
    """How many jobs of a manager and a type have a status."""

    status: JobState
    manager: str
    job_type: str
    jobs: int


class LoadRows(Rows):
    """Statements about the numbers of jobs."""

    LIVE = """
        SELECT state AS status, manager, job_type, jobs FROM load
        WHERE state IN ('pending', 'queued', 'running') AND jobs > 0 ORDER BY state, manager, job_type"""

    def live(self) -> list[Count]:
        """Return how many jobs are not finished."""
        return self._all(Count, self.LIVE)

    LIVE_MANAGERS = """
        SELECT DISTINCT manager FROM load
        WHERE state IN ('pending', 'queued', 'running') AND jobs > 0 ORDER BY manager"""

    def live_managers(self) -> list[str]:
        """Return the managers that have jobs here that are not finished."""
        return self._all(str, self.LIVE_MANAGERS)

    TOTAL = "SELECT coalesce(sum(jobs), 0) FROM load WHERE state = :status"

    def total(self, status: JobState) -> int:
        """Return how many jobs have a status."""
        return self._only(int, self.TOTAL, status=status)
