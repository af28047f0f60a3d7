"""What managers have said that they want."""

import sqlite3
from typing import NamedTuple

SAY = """
    INSERT INTO demands (manager, job_type, serial, ready, waiting, others, priority, offer_due, heard)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (manager, job_type) DO UPDATE
    SET serial = excluded.serial, ready = excluded.ready, waiting = excluded.waiting, others = excluded.others,
        priority = excluded.priority, offer_due = excluded.offer_due, heard = heard + 1"""
GET = """
    SELECT manager, job_type, serial, ready, waiting, others, priority, offer_due FROM demands
    WHERE manager = ? AND job_type = ?"""
TYPES = "SELECT DISTINCT job_type FROM demands"
MANAGERS = "SELECT DISTINCT manager FROM demands ORDER BY manager LIMIT ?"
END = "DELETE FROM demands WHERE manager = ? AND job_type = ?"
END_TYPE = "DELETE FROM demands WHERE job_type = ?"
FORGET = "DELETE FROM demands WHERE manager = ?"
CLEAR = "DELETE FROM demands"
NEXT_DUE = "SELECT min(offer_due) FROM demands WHERE offer_due > ?"
COMPETING = """
    SELECT DISTINCT d.manager FROM demands d
    LEFT JOIN offers o ON o.manager = d.manager AND o.job_type = d.job_type
    WHERE d.ready > 0 AND d.ready + d.waiting > d.others AND (o.state IS NULL OR o.state IN ('open', 'accepted'))
    ORDER BY d.manager"""
TO_OFFER = """
    SELECT d.manager, d.job_type, d.serial, d.ready, d.waiting, d.others, d.priority,
        o.state, o.serial, o.taken, o.left_ready, o.left_waiting, o.again_due, o.wait_s,
        d.heard, o.heard, m.online, coalesce(m.ran_out, 0)
    FROM demands d
    LEFT JOIN offers o ON o.manager = d.manager AND o.job_type = d.job_type
    LEFT JOIN managers m ON m.manager = d.manager
    WHERE d.offer_due <= :now AND (o.state IS NULL OR o.state <> 'open') AND coalesce(m.hold_until, 0) <= :now
    ORDER BY d.manager, d.job_type"""


class DemandRow(NamedTuple):
    """A manager's demand for a job type.

    Attributes:
        others: How much of it is bound to other agents.
        offer_due: When this agent's share of the spread is over.
    """

    manager: str
    job_type: str
    serial: int
    ready: int
    waiting: int
    others: int
    priority: int
    offer_due: float


class ToOffer(NamedTuple):
    """A demand that is not offered for at present, with what became of the last offer (None: there was none).

    Attributes:
        heard: How often the manager has said this demand; `last_heard`: how often when the last offer was made.
        online: Whether the manager is there; None: nobody knows.
        ran_out: It let the last offer run out.
    """

    manager: str
    job_type: str
    serial: int
    ready: int
    waiting: int
    others: int
    priority: int
    last_state: str | None
    last_serial: int | None
    last_taken: int | None
    left_ready: int | None
    left_waiting: int | None
    again_due: float | None
    wait_s: float | None
    heard: int
    last_heard: int | None
    online: int | None
    ran_out: int


class Demands:
    """Statements about demand; a row for each manager and job type served here."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def say(self, row: DemandRow) -> None:
        """Keep what a manager says."""
        self._conn.execute(SAY, row)

    def get(self, manager: str, job_type: str) -> DemandRow | None:
        """Return what a manager has said last."""
        found = self._conn.execute(GET, (manager, job_type)).fetchone()
        return DemandRow(*found) if found else None

    def types(self) -> list[str]:
        """Return the job types that somebody wants."""
        return [job_type for (job_type,) in self._conn.execute(TYPES)]

    def managers(self, limit: int) -> list[str]:
        """Return the managers that want something."""
        return [manager for (manager,) in self._conn.execute(MANAGERS, (limit,))]

    def end(self, manager: str, job_type: str) -> None:
        """A manager wants nothing of a type any more."""
        self._conn.execute(END, (manager, job_type))

    def end_type(self, job_type: str) -> None:
        """The agent does not serve a type any more, and does not hear of it."""
        self._conn.execute(END_TYPE, (job_type,))

    def forget(self, manager: str) -> int:
        """Delete what a manager wants."""
        return self._conn.execute(FORGET, (manager,)).rowcount

    def clear(self) -> None:
        """A process has started: the demand will be heard again."""
        self._conn.execute(CLEAR)

    def next_due(self, now: float) -> float | None:
        """Return when the next share of a spread is over."""
        found: float | None = self._conn.execute(NEXT_DUE, (now,)).fetchone()[0]
        return found

    def competing(self) -> list[str]:
        """Return the managers that have ready steps for this agent, and have not let the last offer go."""
        return [manager for (manager,) in self._conn.execute(COMPETING)]

    def to_offer(self, now: float) -> list[ToOffer]:
        """Return the demand for which no offer is open and none must be waited for, by manager and type."""
        return [ToOffer(*found) for found in self._conn.execute(TO_OFFER, {"now": now})]
