"""What the agent did not take in the last time, and why: jobs that it declined, and what it began to refuse."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns, parameters


class TurnedAway(NamedTuple):
    """A job that was declined, or (`job` is empty) a refusal that began: of a manager, a job type, or all.

    Attributes:
        date: When, Unix seconds.
        manager: Whose job it was, or who is refused; empty: everybody.
        job: Its name.
        job_type: Its job type, or the one that is refused; empty: not known, or all.
        workflow: The workflow's id, where it is known.
        step: The step's path, where it is known.
        reason: Why, for people.
    """

    date: float
    manager: str
    job: str
    job_type: str
    workflow: str
    step: str
    reason: str


class TurnedAwayRows(Rows):
    """Statements about what was not taken; the newest 200 stay."""

    ADD = f"INSERT INTO turned_away ({columns(TurnedAway)}) VALUES ({parameters(TurnedAway)})"

    def add(self, row: TurnedAway) -> None:
        """Keep one more; the oldest goes."""
        self._run(self.ADD, **row._asdict())

    FORGET = "DELETE FROM turned_away WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Delete what was not taken of a manager, and return how many rows that were."""
        return self._run(self.FORGET, manager=manager)

    LATEST = f"SELECT {columns(TurnedAway)} FROM turned_away ORDER BY id DESC LIMIT :limit"

    def latest(self, limit: int) -> list[TurnedAway]:
        """Return the newest, the newest first."""
        return self._all(TurnedAway, self.LATEST, limit=limit)
