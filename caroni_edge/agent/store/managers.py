"""Managers as this agent sees them, and which of them are to be reconciled or forgotten."""

import sqlite3

SEEN = """
    INSERT INTO managers (manager, online) VALUES (?, ?) ON CONFLICT (manager) DO UPDATE
    SET online = excluded.online, ran_out = CASE WHEN excluded.online THEN 0 ELSE ran_out END"""
UNKNOWN = "UPDATE managers SET online = NULL WHERE manager = ?"
ANSWERED = "UPDATE managers SET ran_out = 0 WHERE manager = ? AND ran_out"
RAN_OUT = """
    INSERT INTO managers (manager, ran_out) VALUES (?, 1) ON CONFLICT (manager) DO UPDATE SET ran_out = 1"""
HOLD = """
    INSERT INTO managers (manager, hold_until) VALUES (?, ?)
    ON CONFLICT (manager) DO UPDATE SET hold_until = excluded.hold_until"""
NEXT_HOLD = "SELECT min(hold_until) FROM managers WHERE hold_until > ?"
FORGET = "DELETE FROM managers WHERE manager = ?"
CLEAR = "DELETE FROM managers"
MARKED = "SELECT peer FROM peers WHERE reconcile ORDER BY peer"
IS_MARKED = "SELECT 1 FROM peers WHERE peer = ? AND reconcile"
UNMARK = "UPDATE peers SET reconcile = 0 WHERE peer = ?"
LEAVING = "SELECT manager, upto FROM leaving ORDER BY manager LIMIT 1"
LEAVE = """
    INSERT INTO leaving (manager, upto) VALUES (?, ?) ON CONFLICT (manager) DO UPDATE SET upto = excluded.upto"""
GONE = "DELETE FROM leaving WHERE manager = ?"


class Managers:
    """Statements about managers."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def seen(self, manager: str, *, online: bool) -> None:
        """Keep what a manager's presence says; one that is there gets another chance to answer in time."""
        self._conn.execute(SEEN, (manager, online))

    def unknown(self, manager: str) -> None:
        """A manager's presence was cleared: nobody knows."""
        self._conn.execute(UNKNOWN, (manager,))

    def answered(self, manager: str) -> None:
        """A manager has answered an offer."""
        self._conn.execute(ANSWERED, (manager,))

    def ran_out(self, manager: str) -> None:
        """A manager has let an offer run out."""
        self._conn.execute(RAN_OUT, (manager,))

    def hold(self, manager: str, until: float) -> None:
        """Make no offers to a manager until then."""
        self._conn.execute(HOLD, (manager, until))

    def next_hold(self, now: float) -> float | None:
        """Return when offers to a manager may begin again."""
        found: float | None = self._conn.execute(NEXT_HOLD, (now,)).fetchone()[0]
        return found

    def forget(self, manager: str) -> int:
        """Delete a manager."""
        return self._conn.execute(FORGET, (manager,)).rowcount

    def clear(self) -> None:
        """A process has started: who is there will say so."""
        self._conn.execute(CLEAR)

    def marked(self) -> list[str]:
        """Return the managers whose link began anew."""
        return [peer for (peer,) in self._conn.execute(MARKED)]

    def is_marked(self, manager: str) -> bool:
        """Tell whether a manager's link began anew."""
        return self._conn.execute(IS_MARKED, (manager,)).fetchone() is not None

    def unmark(self, manager: str) -> None:
        """What had to be forgotten after the link began anew is forgotten."""
        self._conn.execute(UNMARK, (manager,))

    def leaving(self) -> tuple[str, int] | None:
        """Return a manager whose jobs are to be deleted, and up to which id."""
        found: tuple[str, int] | None = self._conn.execute(LEAVING).fetchone()
        return found

    def leave(self, manager: str, upto: int) -> None:
        """Note that a manager's jobs up to an id are to be deleted."""
        self._conn.execute(LEAVE, (manager, upto))

    def gone(self, manager: str) -> None:
        """They are."""
        self._conn.execute(GONE, (manager,))
