"""Follows what becomes of offers: jobs come for them, or nothing does, or they run out."""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import OFFER, OfferEvent, OfferState
from caroni_edge.agent.offers.standing import Standing
from caroni_edge.agent.store.offers import OfferRow
from caroni_edge.base.backoff import Backoff
from caroni_edge.base.memory import Memory
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require

log = logging.getLogger(__name__)

AGAIN = Backoff(first_s=10.0, max_s=300.0)
HOLD_S = 10.0
"""After a reset a manager takes no offer before it knows what is here; after this time it is offered to anyway."""


class OpenOffers(Memory):
    """Keeps the places of an offer until it is over; each is a row."""

    def __init__(self, context: Context, standing: Standing) -> None:
        """Let `standing` know who has got all that it demanded."""
        super().__init__(context.journal)
        self._store, self._standing = context.store, standing
        self._is_unanswered = False

    def on_jobs(self, row: OfferRow, used: tuple[int, int], came: int, *, last: bool, at: Moment) -> None:
        """Take note of jobs that have come for an offer.

        Args:
            row: The offer.
            used: Its places, ready and waiting, that were filled.
            came: How many jobs came, taken or not.
            last: No more will come: what is left is free.
            at: The time.
        """
        self._store.managers.answered(row.manager)
        row = row._replace(
            ready=row.ready - used[0],
            waiting=row.waiting - used[1],
            taken=row.taken + came,
            left_ready=max(0, row.left_ready - used[0]),
            left_waiting=max(0, row.left_waiting - used[1]),
        )
        if last:
            self._answered(row, OfferEvent.JOBS_CAME if row.taken else OfferEvent.NOTHING_CAME, at)
        else:
            self._store.offers.save(row)

    def on_reject(self, manager: str, offer: str, at: Moment) -> None:
        """Free the places of an offer for which its manager has no step."""
        self._store.managers.answered(manager)
        if row := self._store.offers.by_offer(manager, offer):
            self._answered(row, OfferEvent.NOTHING_CAME, at)

    def on_unreadable(self, manager: str, at: Moment) -> None:
        """Free the places of all open offers to a manager that could not read one, since it cannot say which."""
        for row in self._store.offers.open_of(manager):
            self._answered(row, OfferEvent.NOTHING_CAME, at)

    def run_out(self, at: Moment) -> None:
        """Free the places of offers that were not answered in time."""
        for row in self._store.offers.run_out(at.now):
            if not row.taken:
                self._store.managers.ran_out(row.manager)
                self._is_unanswered = True
            status = require(OFFER, row.status, OfferEvent.TIME_OVER, peer=row.manager, offer=row.offer)
            self._close(row, status, at)

    def take_unanswered(self) -> bool:
        """Tell once whether an offer has run out without an answer: its manager may not know us."""
        unanswered, self._is_unanswered = self._is_unanswered, False
        return unanswered

    def void(self, manager: str, at: Moment) -> None:
        """Void the offers to a manager whose link began anew; it gets no other before it has heard what is here."""
        self._store.offers.forget(manager)
        self._store.managers.hold(manager, at.now + HOLD_S)

    def go_on(self, manager: str) -> None:
        """Offer again to a manager that has been told what is here."""
        self._store.managers.hold(manager, 0.0)

    def _answered(self, row: OfferRow, event: OfferEvent, at: Moment) -> None:
        status = advance(OFFER, row.status, event)
        if status is None:
            record = {"action": "stale_offer_answer", "peer": row.manager, "offer": row.offer}
            log.warning("ignored: %s of an offer that is %s", event, row.status, extra=record)
        else:
            self._close(row, status, at)

    def _close(self, row: OfferRow, status: OfferState, at: Moment) -> None:
        if row.taken:
            # All places of a kind taken: there may be more. Some left over: there is no more.
            left = (0 if row.ready else row.left_ready, 0 if row.waiting else row.left_waiting)
            wait_s, again_due = AGAIN.first_s, at.now + AGAIN.first_s
        else:
            left = (0, 0)
            wait_s, again_due = row.wait_s, row.again_due
            if row.status is OfferState.OPEN:
                wait_s, again_due = AGAIN.after(row.wait_s), at.now + row.wait_s
        if row.taken and left == (0, 0):
            self._standing.owe(row.manager, row.job_type)
        closed = row._replace(
            status=status, left_ready=left[0], left_waiting=left[1], wait_s=wait_s, again_due=again_due
        )
        self._store.offers.save(closed)
        log.debug("offer %s", status, extra={"action": f"offer_{status}", "peer": row.manager, "offer": row.offer})
