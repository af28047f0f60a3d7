"""What agents have said of their jobs since they were asked what they hold; it takes effect when an answer is whole."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class SaidOfJob(NamedTuple):
    """What an agent has said of a job.

    Attributes:
        here: A `JobHere`, as JSON; None while its answer has not named the job.
        status: The last `JobStatusUpdate` since it was asked, as JSON; None without one.
    """

    job: str
    here: bytes | None
    status: bytes | None


class AnswerRows(Rows):
    """Statements about answers that are on their way; empty while no agent is asked."""

    NAME = """
        INSERT INTO answers (agent, job, here) VALUES (:agent, :job, :here)
        ON CONFLICT (agent, job) DO UPDATE SET here = excluded.here, status = NULL"""

    def name(self, agent: str, job: str, here: bytes) -> None:
        """Keep what an answer says of a job; it is later than all that was said before."""
        self._run(self.NAME, agent=agent, job=job, here=here)

    LAY = """
        INSERT INTO answers (agent, job, status) VALUES (:agent, :job, :status)
        ON CONFLICT (agent, job) DO UPDATE SET status = excluded.status"""

    def lay(self, agent: str, job: str, status: bytes) -> None:
        """Lay a status over the answer."""
        self._run(self.LAY, agent=agent, job=job, status=status)

    HAS = "SELECT 1 FROM answers WHERE agent = :agent AND job = :job"

    def has(self, agent: str, job: str) -> bool:
        """Tell whether something was said of a job."""
        return self._one(int, self.HAS, agent=agent, job=job) is not None

    OF = "SELECT job, here, status FROM answers WHERE agent = :agent ORDER BY job"

    def of(self, agent: str) -> list[SaidOfJob]:
        """Return all that an agent has said."""
        return self._all(SaidOfJob, self.OF, agent=agent)

    CLEAR = "DELETE FROM answers WHERE agent = :agent"

    def clear(self, agent: str) -> None:
        """Forget what an agent has said: it has taken effect, or the agent is asked anew."""
        self._run(self.CLEAR, agent=agent)
