"""Fetches the files of jobs: large ones from other nodes, others from addresses.

Of a directory the list is read when it has come.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from caroni_edge.agent.processes.port import FetchedNoDirectory, JobNews, ObjectFetched, PlaceRefused
from caroni_edge.objects.arrivals import Arrivals
from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.filework import FileWork, Work
from caroni_edge.objects.locations import (
    LocationFailed,
    LocationFetched,
    LocationId,
    LocationSized,
    Sought,
)
from caroni_edge.objects.quota import OverQuota
from caroni_edge.objects.transfer.effects import FetchId, Held, PlaceFailed, PlacesSilent
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.progress import Moving
from caroni_edge.values.directories import NoDirectory


class Locator(Protocol):
    """What brings files from addresses (`caroni_edge.node.locationfetches.LocationFetches`)."""

    def begin(self, wanted: Iterable[Sought]) -> None:
        """Begin, with what is wanted from before."""

    def fetch(self, sought: Sought) -> None:
        """Fetch a file."""

    def forget(self, sought: LocationId) -> None:
        """Nobody wants a file any more, or it was taken into the store."""

    def moving(self) -> Moving:
        """Return how far all is that is wanted, as `Moving` has it."""


class Fetches(Arrivals):
    """An `ObjectFetches` by a data connection, and by what brings files from addresses.

    Attributes:
        locator: What brings them; None for an agent that connects to nobody.
    """

    def __init__(self, files: FileWork, tell: Callable[[JobNews], None]) -> None:
        """Take what comes into the store of `files`, and say by `tell` what the agent must know."""
        super().__init__(files, self._say_refused, self._keep)
        self._tell = tell
        self.locator: Locator | None = None

    def begin(self, wanted: Iterable[Want | Sought]) -> None:
        """Begin to fetch, with what is wanted from before (see `ObjectFetches`)."""
        all_wanted = list(wanted)
        super().begin([each for each in all_wanted if isinstance(each, Want)])
        if self.locator is not None:
            self.locator.begin([each for each in all_wanted if isinstance(each, Sought)])

    def fetch(self, want: Want | Sought) -> None:
        """Fetch an object, or a file (see `ObjectFetches`)."""
        if isinstance(want, Want):
            super().fetch(want)
        elif self.locator is not None:
            self.locator.fetch(want)

    def forget(self, fetch: FetchId | LocationId) -> None:
        """Fetch an object or a file no more (see `ObjectFetches`)."""
        if isinstance(fetch, FetchId):
            super().forget(fetch)
            return
        self._files.settled(_name_of(fetch))
        if self.locator is not None:
            self.locator.forget(fetch)

    def moving(self) -> Moving:
        """Return what comes and goes; for any thread."""
        moving = super().moving()
        if self.locator is None:
            return moving
        located = self.locator.moving()
        came_bytes, rate = moving.came_bytes + located.came_bytes, moving.rate + located.rate
        return moving._replace(came_bytes=came_bytes, rate=rate, locations=located.locations)

    def located(self, said: LocationFetched | LocationFailed | LocationSized, path: Path | None) -> None:
        """Take what the locator says, in its threads."""
        if isinstance(said, LocationFetched):
            assert path is not None
            self._files.put(partial(self._take_located, said, path))
        else:
            self._tell(said)

    def _take_located(self, said: LocationFetched, path: Path) -> None:
        manager = said.id.manager
        short = self._files.quota_now().why_not(manager, said.object.size)
        if short is not None and short.is_for_ever:
            self._tell(LocationFailed(said.id, f"there is no room for it at this agent: {short.why}"))
            return
        if short is not None and path.exists():
            raise OverQuota(manager, short)
        try:
            self._files.store.adopt(path, said.object)
        except FileNotFoundError:
            return  # it was forgotten meanwhile
        except OSError as error:
            raise NoRoom(f"a file that has come cannot be stored: {error.strerror}") from None
        self._files.given(_name_of(said.id), (said.object,), manager)
        self._tell(said)

    def heard(self, said: PlacesSilent | Held) -> None:
        """Tell who does not answer, and what does not come now."""
        self._tell(said)

    def _say_refused(self, said: PlaceFailed) -> None:
        self._tell(PlaceRefused(said.fetch, said.holder, said.why))

    def _keep(self, fetch: FetchId, path: Path) -> Work:
        """Take an object in, unless it is to be the list of a directory and is none; return what says so."""
        try:
            files = self.listed(fetch, path)
        except NoDirectory as problem:
            return partial(self._tell, FetchedNoDirectory(fetch, str(problem)))
        return partial(self._tell, ObjectFetched(fetch, self.adopt(fetch, path), files))


def _name_of(sought: LocationId) -> str:
    """Return under what name what has come is kept until a row says that it is here; no job's name has a slash."""
    return f"{sought.manager}/{sought.checksum} {sought.location}"
