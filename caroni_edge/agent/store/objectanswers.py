"""Which managers are being told what is kept for their workflows, and how far."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class OpenObjectAnswer(NamedTuple):
    """An answer that is not complete; `after` is the last that was named, a workflow and an object."""

    manager: str
    after: str


class ObjectAnswerRows(Rows):
    """Statements about answers; one at most for each manager."""

    BEGIN = "INSERT OR REPLACE INTO object_answers (manager, after) VALUES (:manager, '')"

    def begin(self, manager: str) -> None:
        """Begin an answer, or begin it anew."""
        self._run(self.BEGIN, manager=manager)

    # What jobs there are is said first.
    OPEN = """
        SELECT manager, after FROM object_answers WHERE manager NOT IN (SELECT manager FROM answers)
        ORDER BY manager"""

    def open(self) -> list[OpenObjectAnswer]:
        """Return the answers that are not complete, of managers that have been told what jobs are here."""
        return self._all(OpenObjectAnswer, self.OPEN)

    SAID = "UPDATE object_answers SET after = :after WHERE manager = :manager"

    def said(self, manager: str, after: str) -> None:
        """Note up to where all is in the outbox."""
        self._run(self.SAID, manager=manager, after=after)

    END = "DELETE FROM object_answers WHERE manager = :manager"

    def end(self, manager: str) -> None:
        """Forget an answer: it is complete, or nobody waits for it."""
        self._run(self.END, manager=manager)
