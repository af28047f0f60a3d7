"""Fetches objects from other nodes, and takes what the data connection brings into a node's store."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.filework import FileWork, Work
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Fetched, FetchId, Held, PlaceFailed, PlacesSilent, Told
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.progress import Moving
from caroni_edge.values import directories


class Bringer(Protocol):
    """What brings the bytes (`caroni_edge.node.transfers.Transfers`)."""

    def begin(self, wanted: Iterable[Want]) -> None:
        """Begin, with what is wanted from before."""

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""

    def forget(self, fetch: FetchId) -> None:
        """Nobody wants an object any more, or it was taken into the store."""

    def moving(self) -> Moving:
        """Return what comes and goes."""


class Arrivals:
    """What is fetched for a node, until rows say that it is here.

    Attributes:
        bringer: What brings the bytes; None for a node that connects to nobody.
    """

    def __init__(
        self, files: FileWork, failed: Callable[[PlaceFailed], None], came: Callable[[FetchId, Path], Work]
    ) -> None:
        """Take what comes into the store of `files`.

        Args:
            files: The work on the objects of the node.
            failed: Is called when a place does not give what it was said to have.
            came: Is called among the work on objects with the part file of what has come, to `adopt` it; returns what
                tells that it lies here, to be done when it is safe.
        """
        self._files, self._failed, self._came = files, failed, came
        self._directories: set[FetchId] = set()
        self.bringer: Bringer | None = None

    def begin(self, wanted: Iterable[Want]) -> None:
        """Begin to fetch, with what is wanted from before; called once, before `fetch`."""
        resumed = list(wanted)
        self._directories.update(each.id for each in resumed if each.is_directory)
        if self.bringer is not None:
            self.bringer.begin(resumed)

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""
        if want.is_directory:
            self._directories.add(want.id)
        if self.bringer is not None:
            self.bringer.fetch(want)

    def forget(self, fetch: FetchId) -> None:
        """Fetch an object no more: rows say that it is here, or nobody wants it."""
        self._directories.discard(fetch)
        self._files.settled(_key(fetch))
        if self.bringer is not None:
            self.bringer.forget(fetch)

    def moving(self) -> Moving:
        """Return what comes and goes; for any thread."""
        return Moving() if self.bringer is None else self.bringer.moving()

    def told(self, said: Told, path: Path | None) -> None:
        """Take what the data connection says, in its threads."""
        if isinstance(said, Fetched):
            assert path is not None
            self._files.put_together(partial(self._take, said.fetch, path))
        elif isinstance(said, PlaceFailed):
            self._failed(said)
        else:
            self.heard(said)

    def heard(self, said: PlacesSilent | Held) -> None:
        """Take what is said of places and of what does not come now: a node without jobs has no use for it."""

    def _take(self, fetch: FetchId, path: Path) -> Work | None:
        try:
            return self._came(fetch, path)
        except FileNotFoundError:
            return None  # it was forgotten meanwhile
        except OSError as error:
            raise NoRoom(f"a file that has come cannot be stored: {error.strerror}") from None

    def listed(self, fetch: FetchId, path: Path) -> tuple[Object, ...] | None:
        """Return what a directory that has come names; None of what is wanted as a file.

        Raises:
            NoDirectory: It is to be one, and is none.
            OSError: It is not there any more, or the disk fails.
        """
        if fetch not in self._directories:
            return None
        with path.open("rb") as file:  # as much of it as a list can be, and a little more of others
            return directories.files_of(directories.read(file.read(directories.LISTING_MAX_BYTES + 1)))

    def adopt(self, fetch: FetchId, path: Path) -> Object:
        """Take what has come into the store, where it stays until `forget`: its part file goes then.

        Raises:
            OSError: It is not there any more, or the disk fails.
        """
        found = Object(fetch.sha256, path.stat().st_size)
        self._files.store.adopt(path, found)
        self._files.given(_key(fetch), (found,))
        return found


def _key(fetch: FetchId) -> str:
    """Return under what name an object is kept until a row says that it is here; no job's name has a slash."""
    return f"{fetch.manager}/{fetch.sha256}"
