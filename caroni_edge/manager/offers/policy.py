"""Which offers a manager fills, and in which order: an interface, with first come, first served as the default."""

from typing import Protocol

from caroni_edge.manager.store.offers import OfferRow


class OfferPolicy(Protocol):
    """Puts the offers of a batch into the order in which steps are given to them."""

    def order(self, offers: list[OfferRow]) -> list[OfferRow]:
        """Return the offers that are to be filled, best first; those left out are rejected."""


class FirstCome:
    """First come, first served."""

    def order(self, offers: list[OfferRow]) -> list[OfferRow]:
        """Return all offers as they came."""
        return offers
