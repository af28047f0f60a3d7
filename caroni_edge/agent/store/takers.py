"""Takers: pending jobs whose inputs are outputs of other jobs here, by those givers."""

from collections.abc import Iterable

from caroni_edge.agent.store.jobs import JOB, JobRow
from caroni_edge.storage.rows import Rows


class TakerRows(Rows):
    """Statements about takers; a job has rows here as long as it is pending."""

    ADD = "INSERT INTO takers (giver, taker) VALUES (:giver, :taker) ON CONFLICT DO NOTHING"

    def add(self, taker: str, givers: Iterable[str]) -> None:
        """Note from which jobs one takes inputs."""
        self._run_each(self.ADD, ({"giver": giver, "taker": taker} for giver in givers))

    OF = f"""
        SELECT {JOB} FROM takers t CROSS JOIN jobs j ON j.job = t.taker
        WHERE t.giver = :giver AND j.state = 'pending' ORDER BY t.taker"""

    def of(self, giver: str) -> list[JobRow]:
        """Return the jobs that take inputs from one."""
        return self._all(JobRow, self.OF, giver=giver)

    DROP = "DELETE FROM takers WHERE taker = :taker"

    def drop(self, taker: str) -> None:
        """Note that a job takes nothing any more."""
        self._run(self.DROP, taker=taker)
