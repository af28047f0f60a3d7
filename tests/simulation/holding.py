"""The objects of a simulated manager: what it has fetched to look into, and what it has made of that."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from caroni_edge.manager.holding.port import Came
from caroni_edge.objects import disk
from caroni_edge.objects.objects import Object
from caroni_edge.objects.store.rights import StoredRights
from caroni_edge.objects.transfer.effects import FetchId, Held, PlaceFailed, PlacesSilent
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.values.lists import bounds_of
from caroni_edge.values.parsing import parse_type
from tests.simulation.contents import made_of
from tests.simulation.stores import Store


class ManagerStore(Store):
    """A `Storekeeper`, and the `Texts` of large lists. What is read is read at once; to make something takes room."""

    def _rights(self, conn: sqlite3.Connection) -> StoredRights:
        return StoredRights(conn, lambda _manager: str(self.peer))

    def _came(self, fetch: FetchId, found: Object, files: tuple[Object, ...] | None) -> Came:
        return Came(found, files)

    def _refused(self, failed: PlaceFailed) -> PlaceFailed:
        return failed

    def _heard(self, said: PlacesSilent | Held) -> None:
        """Take what a node without jobs has no use for."""

    # Storekeeper

    def begin_fetches(self, wanted: Iterable[Want]) -> None:
        """Go on with what is to be fetched."""
        self.begin(wanted)

    def forget_fetch(self, fetch: FetchId) -> None:
        """Fetch an object no more."""
        self.forget(fetch)

    # What expressions see, and lists

    def whole(self, found: Object) -> bytes:
        """Return what is in an object (see `Read`)."""
        if not self._is_right(found):
            self._lose(found.sha256)
            raise disk.Damaged(found.id)
        return self.objects[found.sha256]

    def bounds(self, found: Object, spec: Any) -> Sequence[int]:
        """Return where the items of a list are (see `Texts`)."""
        return bounds_of(self.whole(found), parse_type(spec))

    def read(self, found: Object, begin: int, end: int) -> bytes:
        """Return some of a text (see `Texts`)."""
        return self.whole(found)[begin:end]

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        """Let bytes lie here as objects (see `Texts`)."""
        if self.is_full:
            raise disk.NoRoom("the disk is full")
        made = tuple(map(made_of, contents))
        self._carrier.made |= {(self.peer.node, each.sha256) for each in made}
        giver = f"{self.peer.node} made {self._carrier.new_connection()}"
        self.take(giver, dict(zip(made, contents, strict=True)))
        return giver, made
