"""Offers: the last one to each manager for each job type."""

import sqlite3
from typing import NamedTuple

from caroni_edge.agent.lifecycle import Offer

COLUMNS = """manager, job_type, offer, state, serial, ready, waiting, taken, reserves, valid_until, left_ready,
    left_waiting, again_due, wait_s, heard"""

MAKE = f"INSERT OR REPLACE INTO offers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
BY_OFFER = f"SELECT {COLUMNS} FROM offers WHERE manager = ? AND offer = ?"
STATE = "SELECT state FROM offers WHERE manager = ? AND job_type = ?"
RUN_OUT = f"SELECT {COLUMNS} FROM offers WHERE state = 'open' AND valid_until <= ? ORDER BY manager, job_type"
OPEN_OF = f"SELECT {COLUMNS} FROM offers WHERE manager = ? AND state = 'open' ORDER BY job_type"
RESERVED = """
    SELECT manager, job_type, ready, waiting FROM offers WHERE state = 'open' AND reserves
    ORDER BY manager, job_type"""
OPEN_MANAGERS = "SELECT DISTINCT manager FROM offers WHERE state = 'open' ORDER BY manager"
FORGET = "DELETE FROM offers WHERE manager = ?"
CLEAR = "DELETE FROM offers"
NEXT_END = "SELECT min(valid_until) FROM offers WHERE state = 'open'"
NEXT_AGAIN = """
    SELECT min(o.again_due) FROM offers o
    JOIN demands d ON d.manager = o.manager AND d.job_type = o.job_type
    WHERE o.state <> 'open' AND o.again_due > ?"""


class OfferRow(NamedTuple):
    """An offer.

    Attributes:
        serial: Serial of the demand that it answers.
        ready: Places left in it for jobs whose inputs are there.
        waiting: Places left in it for others.
        taken: Jobs that came for it.
        reserves: Whether its places are kept free while it is open.
        valid_until: When it runs out.
        left_ready: Demand that is thought to be left after it, while the serial is the same.
        left_waiting: Likewise.
        again_due: When the next one is made though the demand says nothing new.
        wait_s: How long that was.
        heard: How often the demand had been said when it was made.
    """

    manager: str
    job_type: str
    offer: str
    state: Offer
    serial: int
    ready: int
    waiting: int
    taken: int
    reserves: bool
    valid_until: float
    left_ready: int
    left_waiting: int
    again_due: float
    wait_s: float
    heard: int


class Reserved(NamedTuple):
    """Places that an open offer keeps free."""

    manager: str
    job_type: str
    ready: int
    waiting: int


def _row(found: tuple[object, ...]) -> OfferRow:
    row = OfferRow(*found)  # type: ignore[arg-type]
    return row._replace(state=Offer(row.state))


class Offers:
    """Statements about offers; a row for each manager and job type, at most."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def save(self, row: OfferRow) -> None:
        """Keep an offer, in the place of the one before."""
        self._conn.execute(MAKE, row)

    def by_offer(self, manager: str, offer: str) -> OfferRow | None:
        """Return an offer, if it is the last one of its kind."""
        found = self._conn.execute(BY_OFFER, (manager, offer)).fetchone()
        return _row(found) if found else None

    def state(self, manager: str, job_type: str) -> Offer | None:
        """Return the state of the last offer to a manager for a job type."""
        found = self._conn.execute(STATE, (manager, job_type)).fetchone()
        return Offer(found[0]) if found else None

    def run_out(self, now: float) -> list[OfferRow]:
        """Return the open offers whose time is over."""
        return [_row(found) for found in self._conn.execute(RUN_OUT, (now,))]

    def open_of(self, manager: str) -> list[OfferRow]:
        """Return a manager's open offers."""
        return [_row(found) for found in self._conn.execute(OPEN_OF, (manager,))]

    def reserved(self) -> list[Reserved]:
        """Return the places that are kept free."""
        return [Reserved(*found) for found in self._conn.execute(RESERVED)]

    def open_managers(self) -> list[str]:
        """Return the managers that have an open offer."""
        return [manager for (manager,) in self._conn.execute(OPEN_MANAGERS)]

    def forget(self, manager: str) -> int:
        """A manager's offers are void."""
        return self._conn.execute(FORGET, (manager,)).rowcount

    def clear(self) -> None:
        """All offers are void."""
        self._conn.execute(CLEAR)

    def next_end(self) -> float | None:
        """Return when the next open offer runs out."""
        found: float | None = self._conn.execute(NEXT_END).fetchone()[0]
        return found

    def next_again(self, now: float) -> float | None:
        """Return when the next demand that says nothing new gets another offer."""
        found: float | None = self._conn.execute(NEXT_AGAIN, (now,)).fetchone()[0]
        return found
