"""Fetches the large files of jobs from other nodes: what the data connection brings is taken into the store."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from caroni_edge.agent.processes.port import FetchedNoDirectory, JobNews, ObjectFetched, PlaceRefused
from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Fetched, FetchId, PlaceFailed
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


class Fetches:
    """An `ObjectFetches` by a data connection.

    Attributes:
        bringer: What brings the bytes; None for a node that connects to nobody.
    """

    def __init__(self, files: FileWork, tell: Callable[[JobNews], None]) -> None:
        """Take what comes into the store of `files`, and say by `tell` what the agent must know."""
        self._files, self._tell = files, tell
        self._directories: set[FetchId] = set()
        self.bringer: Bringer | None = None

    def begin(self, wanted: Iterable[Want]) -> None:
        """Begin to fetch, with what is wanted from before (see `ObjectFetches`)."""
        resumed = list(wanted)
        self._directories.update(each.id for each in resumed if each.is_directory)
        if self.bringer is not None:
            self.bringer.begin(resumed)

    def fetch(self, want: Want) -> None:
        """Fetch an object (see `ObjectFetches`)."""
        if want.is_directory:
            self._directories.add(want.id)
        if self.bringer is not None:
            self.bringer.fetch(want)

    def forget(self, fetch: FetchId) -> None:
        """Fetch an object no more (see `ObjectFetches`)."""
        self._files.settled(_key(fetch))
        self._directories.discard(fetch)
        if self.bringer is not None:
            self.bringer.forget(fetch)

    def moving(self) -> Moving:
        """Return what comes and goes; for any thread."""
        return Moving() if self.bringer is None else self.bringer.moving()

    def told(self, said: Fetched | PlaceFailed, path: Path | None) -> None:
        """Take what the data connection says, in its threads."""
        if isinstance(said, PlaceFailed):
            self._tell(PlaceRefused(said.fetch, said.holder, said.why))
        else:
            assert path is not None
            self._files.put(partial(self._take, said.fetch, path))

    def _take(self, fetch: FetchId, path: Path) -> None:
        """Give an object its place; its part file goes when the rows say that it is here."""
        files = None
        try:
            if fetch in self._directories:
                files = directories.files_of(directories.read(_beginning(path)))
            found = Object(fetch.sha256, path.stat().st_size)
            self._files.store.adopt(path, found)
        except directories.NoDirectory as problem:
            self._tell(FetchedNoDirectory(fetch, str(problem)))
            return
        except FileNotFoundError:
            return  # it was forgotten meanwhile
        except OSError as error:
            raise NoRoom(f"a file that has come cannot be stored: {error.strerror}") from None
        self._files.given(_key(fetch), (found,))
        self._tell(ObjectFetched(fetch, found, files))


def _beginning(path: Path) -> bytes:
    """Return what is in a file, as much of it as a list of a directory can be, and a little more of others."""
    with path.open("rb") as file:
        return file.read(directories.LISTING_MAX_BYTES + 1)


def _key(fetch: FetchId) -> str:
    """Return under what name an object is kept until a row says that it is here; no job's name has a slash."""
    return f"{fetch.manager}/{fetch.sha256}"
