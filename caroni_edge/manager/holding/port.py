"""What the manager's reactor asks of whoever keeps its objects on disk."""

from collections.abc import Iterable
from typing import Protocol

from caroni_edge.objects.objects import Object, ObjectId


class Storekeeper(Protocol):
    """Keeps the bytes; all of it is done later, and in this order."""

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows: what has none goes, and what is gone is told."""

    def settled(self, giver: str) -> None:
        """Note that rows keep what was brought under this name, or nothing does."""

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows, unless they have just been brought."""


class NoStore:
    """The storekeeper of a manager that keeps nothing on disk: a command on its database, or a test."""

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare nothing."""

    def settled(self, giver: str) -> None:
        """Note nothing."""

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete nothing; the next start does."""
