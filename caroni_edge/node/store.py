"""What every node keeps of itself: facts, the messages that it could not handle, and who has changed what."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from caroni_edge.storage.rows import NEWEST, Page, Rows, columns
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

    def session_secret(self) -> str:
        """Return what nobody else can guess in the client id of a lasting session; empty before one is kept."""
        return self.get("session_secret") or ""

    def keep_session_secret(self, secret: str) -> None:
        """Keep it for as long as the session is to last."""
        self.set("session_secret", secret)

    def boots(self) -> list[str]:
        """Return the boots of this node's processes, the latest last."""
        found: list[str] = msgspec.json.decode(self.get("boots") or "[]")
        return found

    def keep_boots(self, boots: list[str]) -> None:
        """Keep the boots of this node's processes."""
        self.set("boots", as_text(boots))


class DeadLetter(NamedTuple):
    """A message that could not be handled.

    Attributes:
        id: Its number.
        date: When it came.
        peer: Who has sent it, or the topic that it came on.
        kind: Its type; empty when it is no link message.
        body: What it said, or the beginning of that.
        traceback: Why it could not be handled.
    """

    id: int
    date: float
    peer: str
    kind: str
    body: bytes
    traceback: str


_LETTER = columns(DeadLetter, kind="message")


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

    PAGE = f"SELECT {_LETTER} FROM dead_letters WHERE id < :after ORDER BY id DESC LIMIT :limit"

    def page(self, limit: int, after: int | None) -> Page[DeadLetter]:
        """Return a page of the messages, newest first."""
        return self._page(DeadLetter, self.PAGE, "id", limit, after=NEWEST if after is None else after)

    GET = f"SELECT {_LETTER} FROM dead_letters WHERE id = :id"

    def get(self, letter: int) -> DeadLetter | None:
        """Return a message by its number."""
        return self._one(DeadLetter, self.GET, id=letter)

    DELETE = "DELETE FROM dead_letters WHERE id = :id"

    def delete(self, letter: int) -> bool:
        """Delete a message, and tell whether it was there."""
        return self._run(self.DELETE, id=letter) > 0

    COUNT = "SELECT count(*) FROM dead_letters"

    def count(self) -> int:
        """Return how many there are."""
        return self._only(int, self.COUNT)


class AuditRow(NamedTuple):
    """Something that somebody has done, or tried; `about` is JSON: what it was done to."""

    id: int
    date: float
    who: str
    address: str
    action: str
    about: str
    outcome: str


AUDIT_KEPT = 10_000
THE_HOST = "the host"
"""Who comes by the socket in the state directory, or by a command that works on the database."""


class AuditRows(Rows):
    """Statements about who has done what to the node by its page, its API or a command."""

    ADD = """
        INSERT INTO audit (date, who, address, action, about, outcome)
        VALUES (:date, :who, :address, :action, :about, :outcome)"""
    TRIM = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - :kept"

    def add(
        self, *, date: float, who: str, address: str, action: str, about: Mapping[str, str], outcome: str = "done"
    ) -> None:
        """Note what somebody has done; the oldest notes are deleted, by their number and not by the clock.

        Args:
            date: When.
            who: Name of a user, `token`, or `the host` for who came by the socket or a command.
            address: Where the request came from; empty on the host.
            action: What, in a word or two.
            about: What it was done to, by kind.
            outcome: `done`, or why not.
        """
        self._run(
            self.ADD, date=date, who=who, address=address, action=action, about=as_text(dict(about)), outcome=outcome
        )
        self._run(self.TRIM, kept=AUDIT_KEPT)

    PAGE = f"SELECT {columns(AuditRow)} FROM audit WHERE id < :after ORDER BY id DESC LIMIT :limit"

    def page(self, limit: int, after: int | None) -> Page[AuditRow]:
        """Return a page of the notes, newest first."""
        return self._page(AuditRow, self.PAGE, "id", limit, after=NEWEST if after is None else after)
