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


class StatusCount(NamedTuple):
    """How many jobs have a status."""

    status: JobState
    jobs: int


class ManagerCount(NamedTuple):
    """How many jobs of a manager have a status."""

    manager: str
    status: JobState
    jobs: int


class LoadRows(Rows):
    """Statements about the numbers of jobs."""

    LIVE = """
        SELECT state AS status, manager, job_type, jobs FROM load INDEXED BY load_there
        WHERE state IN ('pending', 'staging', 'queued', 'running', 'collecting') AND jobs > 0
        ORDER BY state, manager, job_type"""

    def live(self) -> list[Count]:
        """Return how many jobs are not over: those that have a place here, and those whose files are being taken."""
        return self._all(Count, self.LIVE)

    LIVE_MANAGERS = """
        SELECT DISTINCT manager FROM load INDEXED BY load_there
        WHERE state IN ('pending', 'staging', 'queued', 'running', 'collecting') AND jobs > 0 ORDER BY manager"""

    def live_managers(self) -> list[str]:
        """Return the managers that have jobs here that are not finished."""
        return self._all(str, self.LIVE_MANAGERS)

    OVER_MANAGERS = """
        SELECT manager FROM load WHERE state IN ('failed', 'killed') GROUP BY manager HAVING sum(jobs) > :more_than
        ORDER BY manager"""

    def over_managers(self, more_than: int) -> list[str]:
        """Return the managers of which more jobs than that have failed or were killed."""
        return self._all(str, self.OVER_MANAGERS, more_than=more_than)

    BY_STATUS = "SELECT state AS status, sum(jobs) AS jobs FROM load GROUP BY state"

    def by_status(self) -> list[StatusCount]:
        """Return how many jobs have each status that any ever had."""
        return self._all(StatusCount, self.BY_STATUS)

    LIVE_BY_MANAGER = """
        SELECT manager, state AS status, sum(jobs) AS jobs FROM load
        WHERE state IN ('pending', 'staging', 'queued', 'running') GROUP BY manager, state"""

    def live_by_manager(self) -> list[ManagerCount]:
        """Return how many jobs of each manager are not finished, by status."""
        return self._all(ManagerCount, self.LIVE_BY_MANAGER)

    TOTAL = "SELECT coalesce(sum(jobs), 0) FROM load WHERE state = :status"

    def total(self, status: JobState) -> int:
        """Return how many jobs have a status."""
        return self._only(int, self.TOTAL, status=status)
