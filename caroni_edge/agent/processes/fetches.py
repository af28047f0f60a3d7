"""Fetches the large files of jobs from other nodes; of a directory the list is read when it has come."""

from collections.abc import Callable, Iterable
from pathlib import Path

from caroni_edge.agent.processes.port import FetchedNoDirectory, JobNews, ObjectFetched, PlaceRefused
from caroni_edge.objects.arrivals import Arrivals
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.transfer.effects import FetchId, PlaceFailed
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.values import directories


class Fetches(Arrivals):
    """An `ObjectFetches` by a data connection."""

    def __init__(self, files: FileWork, tell: Callable[[JobNews], None]) -> None:
        """Take what comes into the store of `files`, and say by `tell` what the agent must know."""
        super().__init__(files, self._say_refused, self._keep)
        self._tell = tell
        self._directories: set[FetchId] = set()

    def begin(self, wanted: Iterable[Want]) -> None:
        """Begin to fetch, with what is wanted from before (see `ObjectFetches`)."""
        resumed = list(wanted)
        self._directories.update(each.id for each in resumed if each.is_directory)
        super().begin(resumed)

    def fetch(self, want: Want) -> None:
        """Fetch an object (see `ObjectFetches`)."""
        if want.is_directory:
            self._directories.add(want.id)
        super().fetch(want)

    def forget(self, fetch: FetchId) -> None:
        """Fetch an object no more (see `ObjectFetches`)."""
        self._directories.discard(fetch)
        super().forget(fetch)

    def _say_refused(self, said: PlaceFailed) -> None:
        self._tell(PlaceRefused(said.fetch, said.holder, said.why))

    def _keep(self, fetch: FetchId, path: Path) -> None:
        """Give an object its place, unless it is to be the list of a directory and is none."""
        files = None
        if fetch in self._directories:
            try:
                files = directories.files_of(directories.read(_beginning(path)))
            except directories.NoDirectory as problem:
                self._tell(FetchedNoDirectory(fetch, str(problem)))
                return
        self._tell(ObjectFetched(fetch, self.adopt(fetch, path), files))


def _beginning(path: Path) -> bytes:
    """Return what is in a file, as much of it as a list of a directory can be, and a little more of others."""
    with path.open("rb") as file:
        return file.read(directories.LISTING_MAX_BYTES + 1)
