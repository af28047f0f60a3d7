"""What the manager's reactor asks of whoever keeps its objects on disk."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from caroni_edge.objects.filework import FileNews
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.transfer.effects import FetchId, PlaceFailed
from caroni_edge.objects.transfer.fetch import Want


class Came(NamedTuple):
    """An object that was fetched lies here now, and no row says so yet.

    Attributes:
        object: The object.
        files: What it names, where it was wanted as a directory.
    """

    object: Object
    files: tuple[Object, ...] | None = None


class CameNoDirectory(NamedTuple):
    """What was fetched as a directory is none; `why`, for people."""

    fetch: FetchId
    why: str


StoreNews = FileNews | Came | CameNoDirectory | PlaceFailed
"""What a manager must know of its objects."""


class Storekeeper(Protocol):
    """Keeps the bytes; all of it is done later, and in this order."""

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows: what has none goes, and what is gone is told."""

    def settled(self, giver: str) -> None:
        """Note that rows keep what was brought under this name, or nothing does."""

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows, unless they have just been brought."""

    def verify(self, objects: Iterable[Object]) -> None:
        """Look whether objects are what their names say; what is not is removed and told."""

    def begin_fetches(self, wanted: Iterable[Want]) -> None:
        """Go on with what is to be fetched from agents; called once, before `fetch`."""

    def fetch(self, want: Want) -> None:
        """Fetch an object from agents, or replace its places; it is told when it lies here, and who refuses it."""

    def forget_fetch(self, fetch: FetchId) -> None:
        """Fetch an object no more: rows say that it is here, or nobody wants it."""


class NoStore:
    """The storekeeper of a manager that keeps nothing on disk: a command on its database, or a test."""

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare nothing."""

    def settled(self, giver: str) -> None:
        """Note nothing."""

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete nothing; the next start does."""

    def verify(self, objects: Iterable[Object]) -> None:
        """Look at nothing."""

    def begin_fetches(self, wanted: Iterable[Want]) -> None:
        """Fetch nothing."""

    def fetch(self, want: Want) -> None:
        """Fetch nothing."""

    def forget_fetch(self, fetch: FetchId) -> None:
        """Nothing was fetched."""


NO_STORE = NoStore()
