"""Fetches files from http and https addresses, a few at a time, each in a thread of its own while it comes.

What has come is kept over a restart, and the rest is asked for where the host says that it is the same file still.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_IWUSR
from time import monotonic
from typing import BinaryIO

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.chance import SystemChance
from caroni_edge.base.durable import sync
from caroni_edge.config.hours import second_of_day
from caroni_edge.config.model import FilesConfig
from caroni_edge.node.dataconnection import Supervise
from caroni_edge.node.httpget import Begin, Got, NotGot, PartRefused, Trust, check_listed, get
from caroni_edge.node.turns import LOOK_EVERY_S, Task, Turns
from caroni_edge.objects.locations import (
    LocationFailed,
    LocationFetched,
    LocationId,
    LocationProgress,
    LocationSized,
    Sought,
)
from caroni_edge.objects.objects import SIZE_MAX_BYTES
from caroni_edge.objects.taking import Taken, taken_of
from caroni_edge.objects.transfer.progress import Meter, Moving
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.values.json import shown
from caroni_edge.values.remote import parse_address

log = logging.getLogger(__name__)

LOCATED = "located"
"""The directory of what is on its way from addresses, in the state directory."""
TRIES_MAX = 8
"""After so many tries in a row that have brought nothing the file is not to be had."""
AGAIN = Backoff(first_s=5.0, max_s=300.0, jitter=(0.75, 1.25))
ROOM_AGAIN_S = 10.0
PIECE_BYTES = 256 << 10
SAVE_BYTES = 8 << 20
"""What a crash costs."""

Told = LocationFetched | LocationFailed | LocationSized


class _Wait(Exception):
    """Nothing may come now; the text says why, for people, and `for_s` for how long."""

    def __init__(self, why: str, for_s: float) -> None:
        super().__init__(why)
        self.for_s = for_s


@dataclass(slots=True, kw_only=True)
class _Fetch(Task):
    """A file that is wanted.

    Attributes:
        came_bytes: So many bytes are here.
        size: How many it has, as far as known.
        problem: Why nothing comes.
        tries: So many have brought nothing, in a row.
    """

    sought: Sought
    came_bytes: int = 0
    size: int | None = None
    problem: str | None = None
    tries: int = 0


class LocationFetches:
    """All that this node fetches from addresses. All methods may be called by any thread."""

    def __init__(
        self,
        parts: Path,
        bounds: FilesConfig,
        tell: Callable[[Told, Path | None], None],
        supervise: Supervise,
        room_bytes: Callable[[], float],
        down: Bucket,
        clock: Callable[[], float] = second_of_day,
    ) -> None:
        """Prepare; threads begin with the first file.

        Args:
            parts: The directory of what is on its way.
            bounds: What the owner lets come, when, and from where.
            tell: Is called with what has come and its file, to be taken before `forget`, and with what failed.
            supervise: Runs something in a thread of a name.
            room_bytes: Returns how many bytes more may come as far as the disk is concerned.
            down: Lets so much come in a second, of other files too.
            clock: Returns how many seconds of the owner's day are over.
        """
        self._parts, self._bounds, self._tell = _Parts(parts), bounds, tell
        self._room_bytes, self._down, self._clock = room_bytes, down, clock
        self._trust, self._chance = Trust(bounds.hosts, bounds.ca_file), SystemChance()
        self._turns: Turns[LocationId, _Fetch] = Turns("locations", supervise, bounds.at_once, self._work)
        self._meter = Meter()

    def begin(self, wanted: Iterable[Sought]) -> None:
        """Begin with what is wanted from before; part files of anything else are deleted."""
        sought = list(wanted)
        self._parts.keep_only([each.id for each in sought])
        for each in sought:
            self.fetch(each)

    def fetch(self, sought: Sought) -> None:
        """Fetch a file."""
        with self._turns.changed:
            known = self._turns.tasks.get(sought.id)
            if known is not None:
                known.is_unwanted = False
                return
        self._turns.add(sought.id, _Fetch(manager=sought.id.manager, order=sought.order, sought=sought))

    def forget(self, sought: LocationId) -> None:
        """Nobody wants a file any more, or it was taken."""
        with self._turns.changed:
            known = self._turns.tasks.get(sought)
            if known is not None and known.is_active:
                known.is_unwanted = True
            else:
                self._turns.tasks.pop(sought, None)
                self._parts.remove(sought)
            self._turns.changed.notify_all()

    def moving(self) -> Moving:
        """Return how far all is that is wanted."""
        with self._turns.changed:
            locations = {
                name: LocationProgress(each.came_bytes, each.size, each.problem)
                for name, each in self._turns.tasks.items()
                if not each.is_done
            }
            came_bytes, rate = self._meter.came_bytes, self._meter.rate(monotonic())
            return Moving(came_bytes=came_bytes, rate=rate, locations=locations)

    def close(self) -> None:
        """End; what is safe stays for the next start."""
        self._turns.close()

    # The threads

    def _work(self, fetch: _Fetch) -> None:
        said, path = self._try(fetch)
        with self._turns.changed:
            fetch.is_active, fetch.is_done = False, said is not None
            if fetch.is_unwanted:
                del self._turns.tasks[fetch.sought.id]
                self._parts.remove(fetch.sought.id)
            self._turns.changed.notify_all()
        if said is not None and not fetch.is_unwanted:
            self._tell(said, path)

    def _try(self, fetch: _Fetch) -> tuple[Told | None, Path | None]:
        """Fetch a file as far as that goes; return what is to be told, and where it is."""
        had_bytes, sought = fetch.came_bytes, fetch.sought
        try:
            check_listed(parse_address(sought.id.location), self._trust)  # it would not come in our hours either
            self._keep_hours()
            taken = self._fetch(fetch)
            return LocationFetched(sought.id, taken.object, taken.sha1), self._parts.path(sought.id)
        except _Wait as wait:
            fetch.problem, fetch.not_before = str(wait), monotonic() + wait.for_s
        except NotGot as problem:
            fetch.tries = 1 if fetch.came_bytes > had_bytes else fetch.tries + 1
            wait_s = AGAIN.jittered(AGAIN.nth(fetch.tries - 1), self._chance.random())
            fetch.problem, fetch.not_before = str(problem), monotonic() + wait_s
            facts = {"action": "location_failed", "manager": sought.id.manager, "tries": fetch.tries}
            log.warning("%s: %s", sought.id.location.partition("?")[0], problem, extra=facts)
            if problem.final or fetch.tries >= TRIES_MAX:
                return LocationFailed(sought.id, str(problem)), None
        except OSError as error:
            fetch.problem, fetch.not_before = f"it cannot be written: {error.strerror}", monotonic() + ROOM_AGAIN_S
            log.warning("a file cannot be written: %s", error, extra={"action": "part_failed"})
        return None, None

    def _keep_hours(self) -> None:
        wait_s = self._bounds.when.wait_s(self._clock())
        if wait_s:
            raise _Wait(f"waits for {self._bounds.when.begins} (files.when)", min(wait_s, LOOK_EVERY_S))

    def _fetch(self, fetch: _Fetch) -> Taken:
        name = fetch.sought.id
        safe_bytes, tag = self._parts.saved(name)
        # One byte again: of what is whole already there would be nothing to ask for.
        begin = Begin(safe_bytes - 1, tag=tag) if safe_bytes and (tag or name.checksum) else Begin()
        try:
            got = get(parse_address(name.location), self._trust, begin)
        except PartRefused:
            self._parts.remove(name)
            raise
        with closing(got), self._parts.opened(name) as file:
            self._check_size(fetch, got)
            if not got.offset:
                self._parts.begin(name)
            file.truncate(got.offset)
            file.seek(got.offset)
            fetch.came_bytes, fetch.problem = got.offset, None
            self._receive(fetch, got, file)
        if got.size is not None and fetch.came_bytes != got.size:
            raise NotGot(f"it has ended after {fetch.came_bytes} of {got.size} bytes")
        return self._checked(name, was_resumed=got.offset > 0)

    def _check_size(self, fetch: _Fetch, got: Got) -> None:
        """Look whether a file may come as far as its size is concerned, and let room be kept for it."""
        fetch.size = got.size
        if got.size is None:
            if not fetch.sought.id.checksum and not got.ends_surely:
                raise NotGot("its host does not say how large it is: give its checksum", final=True)
            return
        if got.size > SIZE_MAX_BYTES:
            raise NotGot(f"it has {got.size} bytes, and {SIZE_MAX_BYTES} are allowed", final=True)
        self._tell(LocationSized(fetch.sought.id, got.size), None)
        self._keep_room(fetch, got.size - got.offset)

    def _keep_room(self, fetch: _Fetch, more_bytes: int) -> None:
        with self._turns.changed:
            others = [each for each in self._turns.tasks.values() if each.is_active and each is not fetch and each.size]
            others_bytes = sum((each.size or 0) - each.came_bytes for each in others)
        if more_bytes > self._room_bytes() - others_bytes:
            raise _Wait("waits for room on the disk", ROOM_AGAIN_S)

    def _receive(self, fetch: _Fetch, got: Got, file: BinaryIO) -> None:
        name, unsaved_bytes = fetch.sought.id, 0
        while piece := got.read(PIECE_BYTES):
            file.write(piece)
            fetch.came_bytes += len(piece)
            self._meter.came_bytes += len(piece)
            unsaved_bytes += len(piece)
            if fetch.came_bytes > SIZE_MAX_BYTES:
                raise NotGot(f"it has more than {SIZE_MAX_BYTES} bytes", final=True)
            if unsaved_bytes >= SAVE_BYTES:
                unsaved_bytes = 0
                self._parts.save(name, file, got.tag)
                self._keep_room(fetch, SAVE_BYTES if got.size is None else got.size - fetch.came_bytes)
                self._keep_hours()
            self._go_slowly(fetch, len(piece))
        self._parts.save(name, file, got.tag)

    def _go_slowly(self, fetch: _Fetch, came_bytes: int) -> None:
        """Wait as long as the owner's rate wants it; stop where nobody wants more."""
        self._down.take(came_bytes, monotonic())
        if not self._turns.wait(fetch, self._down.wait_s):
            raise _Wait("is not wanted now", 0.0)

    def _checked(self, name: LocationId, *, was_resumed: bool) -> Taken:
        """Return what a file is that has come as a whole; one with another checksum than it must have goes."""
        with self._parts.path(name).open("rb") as file:
            taken = taken_of(file)
        if name.checksum in ("", f"sha1${taken.sha1}", f"sha256${taken.object.sha256}"):
            return taken
        self._parts.remove(name)
        said = f"what has come does not have the checksum {shown(name.checksum)}: it has sha256${taken.object.sha256}"
        raise NotGot(said, final=not was_resumed)


class _Parts:
    """The part files. Of each file there are two: `.part` with the bytes, `.safe` with how many of them are safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: LocationId, kind: str = "part") -> Path:
        """Return where a file is, or would be."""
        digest = sha256("\n".join(name).encode("utf-8", "surrogatepass")).hexdigest()
        return self._directory / f"{digest}.{kind}"

    def saved(self, name: LocationId) -> tuple[int, str]:
        """Return how many bytes are safe, and their entity tag; 0 where there is nothing to be read."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            safe = json.loads(self.path(name, "safe").read_bytes())
            size, tag = int(safe["bytes"]), str(safe["tag"])
            if 0 < size <= self.path(name).stat().st_size:
                return size, tag
        return 0, ""

    def opened(self, name: LocationId) -> BinaryIO:
        """Open a file to write to it, wherever."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open(os.open(self.path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")

    def begin(self, name: LocationId) -> None:
        """Nothing of what was here before is safe."""
        self.path(name, "safe").unlink(missing_ok=True)

    def save(self, name: LocationId, file: BinaryIO, tag: str) -> None:
        """Make safe what was written."""
        file.flush()
        os.fsync(file.fileno())
        new, safe = self.path(name, "new"), self.path(name, "safe")
        new.write_text(json.dumps({"bytes": file.tell(), "tag": tag}))
        sync(new)
        new.replace(safe)

    def remove(self, name: LocationId) -> None:
        """Delete what is here of a file."""
        for kind in ("safe", "new", "part"):
            with suppress(OSError):
                self.path(name, kind).unlink(missing_ok=True)

    def keep_only(self, names: Iterable[LocationId]) -> None:
        """Delete what nobody wants any more, and what was given to the store by a process that did not live on."""
        wanted = {self.path(name).stem for name in names}
        for path in sorted(self._directory.glob("*")):
            part = path.with_suffix(".part")
            is_taken = part.exists() and not part.stat().st_mode & S_IWUSR
            if is_taken or path.stem not in wanted:
                path.unlink(missing_ok=True)
        if not wanted:
            shutil.rmtree(self._directory, ignore_errors=True)
