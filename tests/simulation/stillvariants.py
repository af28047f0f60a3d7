"""Nodes that are wrong in one way each, so that work stands still though it could go on, or much is said in vain.

All of it comes to its end with them, too, only later (see `variants.py`).
"""

from collections.abc import Iterator
from unittest.mock import patch

from caroni_edge.agent.offers import standing
from caroni_edge.agent.offers.open import OpenOffers
from caroni_edge.agent.offers.room import Room
from caroni_edge.agent.offers.shares import Places
from caroni_edge.agent.offers.standing import Standing
from caroni_edge.base.moment import Moment
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.offers import demand
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.offers import OfferRows
from caroni_edge.manager.store.steps import StepRow
from tests.variants import Variants, instead

STILL_VARIANTS = Variants()


@STILL_VARIANTS.add
def offer_that_stands_takes_the_place_of_another() -> Iterator[None]:
    """An offer that reserves places is never answered, where one that stands comes behind it."""
    with (
        instead(Standing, "_is_open_to", lambda *_: True),
        instead(OfferRows, "is_answer_due", lambda *_, **__: False),
    ):
        yield


@STILL_VARIANTS.add
def places_of_one_type_offered_for_another() -> Iterator[None]:
    """A job is placed and declined, and at once placed again, as long as there are places for another type."""

    never_was = Orders.never_was

    def at_once(orders: Orders, step: StepRow, job: JobRow, *, due: float | None = None) -> None:
        never_was(orders, step, job)

    def settle(offers: Standing, room: Room, at: Moment) -> None:
        owed = [kind for kind in sorted(offers._owed) if offers._may_have(*kind, room, at.now)]
        if room.places_ready.are_there():
            offers._owed.clear()
            for manager, job_type in owed:
                ready, waiting = (part(each, job_type, len(owed)) for each in (room.places_ready, room.places_waiting))
                offers._said.say(manager, job_type, (ready, waiting), valid_for_s=standing.STANDS_FOR_S, stands=True)

    def part(places: Places, job_type: str, kinds: int) -> int:
        return max(standing._part(places, job_type, kinds), int(places.are_there()))

    with instead(Standing, "settle", settle), instead(Orders, "never_was", at_once):
        yield


@STILL_VARIANTS.add
def demand_seldom_said() -> Iterator[None]:
    """A manager that has said what it needs does not ask again for a while, whatever it needs by then."""
    with patch.object(demand, "EVERY_S", 20.0):
        yield


@STILL_VARIANTS.add
def places_kept_though_answered() -> Iterator[None]:
    """An agent does not see that places of an offer are free again, before that runs out."""
    with instead(OpenOffers, "_answered", lambda *_: None):
        yield
