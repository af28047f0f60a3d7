"""Managers as this agent sees them, and which of them are to be reconciled or forgotten."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class Leaving(NamedTuple):
    """A manager whose jobs are to be deleted, up to an id: those that come later are a new beginning's."""

    manager: str
    upto: int


class ManagerRows(Rows):
    """Statements about managers."""

    SEEN = """
        INSERT INTO managers (manager, online) VALUES (:manager, :online) ON CONFLICT (manager) DO UPDATE
        SET online = excluded.online, ran_out = CASE WHEN excluded.online THEN 0 ELSE ran_out END"""

    def seen(self, manager: str, *, online: bool) -> None:
        """Keep what a manager's presence says; one that is there gets another chance to answer in time."""
        self._run(self.SEEN, manager=manager, online=online)

    UNKNOWN = "UPDATE managers SET online = NULL WHERE manager = :manager"

    def unknown(self, manager: str) -> None:
        """Note that a manager's presence was cleared: nobody knows whether it is there."""
        self._run(self.UNKNOWN, manager=manager)

    ANSWERED = "UPDATE managers SET ran_out = 0 WHERE manager = :manager AND ran_out"

    def answered(self, manager: str) -> None:
        """Note that a manager has answered an offer."""
        self._run(self.ANSWERED, manager=manager)

    RAN_OUT = """
        INSERT INTO managers (manager, ran_out) VALUES (:manager, 1) ON CONFLICT (manager) DO UPDATE SET ran_out = 1"""

    def ran_out(self, manager: str) -> None:
        """Note that a manager has let an offer run out."""
        self._run(self.RAN_OUT, manager=manager)

    MAY_BE_TOLD = """
        SELECT 1 FROM managers
        WHERE manager = :manager AND online AND NOT ran_out AND coalesce(hold_until, 0) <= :now"""

    def may_be_told(self, manager: str, now: float) -> bool:
        """Tell whether a manager is there, has answered its last offer, and is not held."""
        return self._one(int, self.MAY_BE_TOLD, manager=manager, now=now) is not None

    HOLD = """
        INSERT INTO managers (manager, hold_until) VALUES (:manager, :until)
        ON CONFLICT (manager) DO UPDATE SET hold_until = excluded.hold_until"""

    def hold(self, manager: str, until: float) -> None:
        """Make no offers to a manager until then."""
        self._run(self.HOLD, manager=manager, until=until)

    FORGET = "DELETE FROM managers WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Delete a manager."""
        return self._run(self.FORGET, manager=manager)

    CLEAR = "DELETE FROM managers"

    def clear(self) -> None:
        """Delete all managers: a process has started, and who is there will say so."""
        self._run(self.CLEAR)

    # Managers whose link began anew

    MARKED = "SELECT peer FROM peers WHERE reconcile ORDER BY peer"

    def marked(self) -> list[str]:
        """Return the managers whose link began anew."""
        return self._all(str, self.MARKED)

    IS_MARKED = "SELECT 1 FROM peers WHERE peer = :manager AND reconcile"

    def is_marked(self, manager: str) -> bool:
        """Tell whether a manager's link began anew."""
        return self._one(int, self.IS_MARKED, manager=manager) is not None

    UNMARK = "UPDATE peers SET reconcile = 0 WHERE peer = :manager"

    def unmark(self, manager: str) -> None:
        """Note that what had to be forgotten after the link began anew is forgotten."""
        self._run(self.UNMARK, manager=manager)

    # Managers that were forgotten

    LEAVING = "SELECT manager, upto FROM leaving ORDER BY manager LIMIT 1"

    def leaving(self) -> Leaving | None:
        """Return a manager whose jobs are to be deleted."""
        return self._one(Leaving, self.LEAVING)

    LEAVE = """
        INSERT INTO leaving (manager, upto) VALUES (:manager, :upto)
        ON CONFLICT (manager) DO UPDATE SET upto = excluded.upto"""

    def leave(self, manager: str, upto: int) -> None:
        """Note that a manager's jobs up to an id are to be deleted."""
        self._run(self.LEAVE, manager=manager, upto=upto)

    GONE = "DELETE FROM leaving WHERE manager = :manager"

    def gone(self, manager: str) -> None:
        """Note that none of a manager's jobs is left to be deleted."""
        self._run(self.GONE, manager=manager)
