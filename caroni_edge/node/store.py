"""What every node keeps of itself: facts, and the messages that it could not handle."""

import msgspec

from caroni_edge.storage.rows import Rows
from caroni_edge.values.json import as_text


class FactRows(Rows):
    """Statements about facts; each has a key, and its value is text."""

    GET = "SELECT value FROM facts WHERE key = :key"

    def get(self, key: str) -> str | None:
        """Return a fact, None when it is not known."""
        return self._one(str, self.GET, key=key)

    SET = "INSERT INTO facts (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

    def set(self, key: str, value: str) -> None:
        """Keep a fact, in the place of what was known."""
        self._run(self.SET, key=key, value=value)

    DELETE = "DELETE FROM facts WHERE key = :key"

    def delete(self, key: str) -> None:
        """Forget a fact."""
        self._run(self.DELETE, key=key)

    # What all nodes know

    def database(self) -> str:
        """Return the name of the database; empty before it was given one."""
        return self.get("database") or ""

    def name_database(self, name: str) -> None:
        """Give the database its name."""
        self.set("database", name)

    def boots(self) -> list[str]:
        """Return the boots of this node's processes, the latest last."""
        found: list[str] = msgspec.json.decode(self.get("boots") or "[]")
        return found

    def keep_boots(self, boots: list[str]) -> None:
        """Keep the boots of this node's processes."""
        self.set("boots", as_text(boots))


class DeadLetterRows(Rows):
    """Statements about messages that could not be handled."""

    ADD = """
        INSERT INTO dead_letters (date, peer, message, body, traceback)
        VALUES (:date, :peer, :kind, :body, :traceback)"""

    def add(self, *, date: float, peer: str, kind: str, body: bytes, traceback: str) -> None:
        """Keep a message.

        Args:
            date: When it came.
            peer: Who has sent it, or the topic that it came on.
            kind: Its type; empty when it is no link message.
            body: What it said, or the beginning of that.
            traceback: Why it could not be handled.
        """
        self._run(self.ADD, date=date, peer=peer, kind=kind, body=body, traceback=traceback)

    TRIM = "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - :kept"

    def trim(self, kept: int) -> None:
        """Delete the oldest, so that not many more than `kept` stay."""
        self._run(self.TRIM, kept=kept)

    COUNT = "SELECT count(*) FROM dead_letters"

    def count(self) -> int:
        """Return how many there are."""
        return self._only(int, self.COUNT)
