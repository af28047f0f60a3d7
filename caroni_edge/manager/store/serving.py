"""Who has a job type: what a template is checked against before anything is started from it."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class Serving(NamedTuple):
    """An agent that has a job type; `serves`: it takes such jobs from us now; `notice`: what it says of it, as JSON.

    Attributes:
        labels: What the agent is, as a JSON list.
    """

    agent: str
    serves: bool
    notice: str
    labels: str


class ServingRows(Rows):
    """Statements that read who has a job type."""

    OF_TYPE = """
        SELECT t.agent, t.online AS serves, t.notice, a.labels FROM agent_types t
        CROSS JOIN agents a ON a.agent = t.agent WHERE t.job_type = :job_type ORDER BY t.agent LIMIT :limit"""

    def of_type(self, job_type: str, limit: int) -> list[Serving]:
        """Return the agents that have a job type."""
        return self._all(Serving, self.OF_TYPE, job_type=job_type, limit=limit)

    # From type to type by the key, not from agent to agent.
    TYPES = """
        WITH RECURSIVE known (job_type) AS (
            SELECT (SELECT min(job_type) FROM agent_types) UNION ALL
            SELECT (SELECT min(job_type) FROM agent_types WHERE job_type > known.job_type)
            FROM known WHERE job_type NOT NULL
        ) SELECT job_type FROM known WHERE job_type NOT NULL LIMIT :limit"""

    def types(self, limit: int) -> list[str]:
        """Return the job types that some agent has, by name."""
        return self._all(str, self.TYPES, limit=limit)
