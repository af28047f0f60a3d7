"""Answers to `JobsWanted` that are on their way, piece by piece."""

from typing import NamedTuple

from caroni_edge.agent.store.jobs import JOB, JobRow
from caroni_edge.storage.rows import Rows


class OpenAnswer(NamedTuple):
    """An answer that is not complete.

    Attributes:
        query: Id of the query that is answered (column `wanted`).
        after: The last job that was named; empty before the first.
    """

    manager: str
    query: str
    after: str


class AnswerRows(Rows):
    """Statements about answers; one at most for each manager."""

    BEGIN = "INSERT INTO answers (manager, wanted, after) VALUES (:manager, :query, '')"
    # Left alone, SQLite would read all jobs of the manager, finished ones too.
    ADD_LIVE = """
        INSERT INTO answer_jobs (manager, job) SELECT manager, job FROM jobs INDEXED BY jobs_state
        WHERE state IN ('pending', 'staging', 'queued', 'running', 'collecting')
        AND manager = :manager ON CONFLICT DO NOTHING"""
    ADD_CHANGED = """
        INSERT INTO answer_jobs (manager, job) SELECT manager, job FROM jobs
        WHERE manager = :manager AND serial > :known ON CONFLICT DO NOTHING"""

    def begin(self, manager: str, query: str, known: int) -> None:
        """Begin an answer: all jobs of a manager that are not finished, or have changed after `known`."""
        self._run(self.BEGIN, manager=manager, query=query)
        self._run(self.ADD_LIVE, manager=manager)
        self._run(self.ADD_CHANGED, manager=manager, known=known)

    OPEN = "SELECT manager, wanted AS query, after FROM answers ORDER BY manager"

    def open(self) -> list[OpenAnswer]:
        """Return the answers that are not complete."""
        return self._all(OpenAnswer, self.OPEN)

    NEXT = f"""
        SELECT {JOB} FROM answer_jobs a CROSS JOIN jobs j ON j.job = a.job
        WHERE a.manager = :manager AND a.job > :after ORDER BY a.job LIMIT :limit"""

    def next(self, manager: str, after: str, limit: int) -> list[JobRow]:
        """Return the next jobs to be named, by name."""
        return self._all(JobRow, self.NEXT, manager=manager, after=after, limit=limit)

    SAID = "UPDATE answers SET after = :upto WHERE manager = :manager"
    DELETE_SAID = "DELETE FROM answer_jobs WHERE manager = :manager AND job <= :upto"

    def said(self, manager: str, upto: str) -> None:
        """Note that the jobs up to this one are in the outbox."""
        self._run(self.SAID, manager=manager, upto=upto)
        self._run(self.DELETE_SAID, manager=manager, upto=upto)

    END = "DELETE FROM answers WHERE manager = :manager"
    END_JOBS = "DELETE FROM answer_jobs WHERE manager = :manager"

    def end(self, manager: str) -> None:
        """Delete an answer that is complete, or void."""
        self._run(self.END, manager=manager)
        self._run(self.END_JOBS, manager=manager)
