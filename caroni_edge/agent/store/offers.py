"""Offers: the last one to each manager for each job type."""

from typing import NamedTuple

from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.storage.rows import Rows, columns


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
    status: OfferState
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


_OFFER = columns(OfferRow, status="state")


class OfferRows(Rows):
    """Statements about offers; a row for each manager and job type, at most."""

    SAVE = """
        INSERT OR REPLACE INTO offers (manager, job_type, offer, state, serial, ready, waiting, taken, reserves,
            valid_until, left_ready, left_waiting, again_due, wait_s, heard)
        VALUES (:manager, :job_type, :offer, :status, :serial, :ready, :waiting, :taken, :reserves,
            :valid_until, :left_ready, :left_waiting, :again_due, :wait_s, :heard)"""

    def save(self, row: OfferRow) -> None:
        """Keep an offer, in the place of the one before."""
        self._run(self.SAVE, **row._asdict())

    BY_OFFER = f"SELECT {_OFFER} FROM offers WHERE manager = :manager AND offer = :offer"

    def by_offer(self, manager: str, offer: str) -> OfferRow | None:
        """Return an offer, if it is the last one of its kind."""
        return self._one(OfferRow, self.BY_OFFER, manager=manager, offer=offer)

    STATUS = "SELECT state FROM offers WHERE manager = :manager AND job_type = :job_type"

    def status(self, manager: str, job_type: str) -> OfferState | None:
        """Return the status of the last offer to a manager for a job type."""
        return self._one(OfferState, self.STATUS, manager=manager, job_type=job_type)

    RUN_OUT = f"""
        SELECT {_OFFER} FROM offers INDEXED BY offers_open WHERE state = 'open' AND valid_until <= :now
        ORDER BY manager, job_type"""

    def run_out(self, now: float) -> list[OfferRow]:
        """Return the open offers whose time is over."""
        return self._all(OfferRow, self.RUN_OUT, now=now)

    OPEN_OF = f"""
        SELECT {_OFFER} FROM offers WHERE manager = :manager AND state = 'open' ORDER BY job_type"""

    def open_of(self, manager: str) -> list[OfferRow]:
        """Return a manager's open offers."""
        return self._all(OfferRow, self.OPEN_OF, manager=manager)

    RESERVED = """
        SELECT manager, job_type, ready, waiting FROM offers INDEXED BY offers_open WHERE state = 'open' AND reserves
        ORDER BY manager, job_type"""

    def reserved(self) -> list[Reserved]:
        """Return the places that are kept free."""
        return self._all(Reserved, self.RESERVED)

    OPEN_MANAGERS = """
        SELECT DISTINCT manager FROM offers INDEXED BY offers_open WHERE state = 'open' ORDER BY manager"""

    def open_managers(self) -> list[str]:
        """Return the managers that have an open offer."""
        return self._all(str, self.OPEN_MANAGERS)

    FORGET = "DELETE FROM offers WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Delete a manager's offers, which are void, and return how many there were."""
        return self._run(self.FORGET, manager=manager)

    CLEAR = "DELETE FROM offers"

    def clear(self) -> None:
        """Delete all offers, which are void."""
        self._run(self.CLEAR)

    NEXT_END = "SELECT min(valid_until) FROM offers WHERE state = 'open'"

    def next_end(self) -> float | None:
        """Return when the next open offer runs out."""
        return self._one(float, self.NEXT_END)
