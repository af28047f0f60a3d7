"""Works on the objects of a node: staging, taking and removing them, in one thread and one after the other."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from caroni_edge.objects.bucket import Needed
from caroni_edge.objects.disk import NoRoom, ObjectFiles, OnlyInBucket
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.quota import OverQuota, Quota

log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""So long what found no room waits before it is tried again."""
TOGETHER_MAX, TOGETHER_S = 64, 0.05
"""So many objects get their places together at most, and the first waits for the others for about so long."""

Work = Callable[[], None]
Gather = Callable[[], Work | None]
"""Takes objects in, and returns what is to be done when they are safe."""


@dataclass(frozen=True, slots=True)
class NoRoomForFiles:
    """Files cannot be taken for want of room; they are tried again.

    Attributes:
        reason: For people.
        over: What bounds them, if that is not the disk.
    """

    reason: str
    over: OverQuota | None = None


@dataclass(frozen=True, slots=True)
class ObjectsLost:
    """Objects that have rows do not lie here any more."""

    objects: tuple[ObjectId, ...]


FileNews = NoRoomForFiles | ObjectsLost | Needed
"""What a node must know of its files."""


@dataclass(frozen=True, slots=True)
class _Together:
    gather: Gather


class FileWork:
    """A queue of work, and the thread that does it.

    What is taken in while more waits is made safe with that, so that the disk is waited for once.

    What has just been given (by a job, by an upload) is kept until that is committed: until then no row says that
    anybody needs it.

    Attributes:
        store: The objects; for the work in the queue alone.
    """

    def __init__(self, store: ObjectFiles, tell: Callable[[FileNews], None]) -> None:
        """Say by `tell` what the node must know."""
        self.store, self._tell = store, tell
        self._queue: SimpleQueue[Work | _Together | None] = SimpleQueue()
        self._later: list[Work | _Together] = []
        self._again_at = inf  # what waits there is tried again then
        self._gathered: list[tuple[_Together, Work]] = []  # what waits to be safe, and what follows then
        self._gathers_since = inf
        self._is_closed = False
        self._checked: set[Object] = set()
        self._given: dict[str, tuple[Object, ...]] = {}
        self._given_of: dict[str, str] = {}
        self._quota = Quota()

    def run(self) -> None:
        """Do the work, until `close`; what finds no room is tried again, and holds up nothing else."""
        self.store.clear_parts()
        while True:
            try:
                work = self._queue.get_nowait() if self._gathered else self._queue.get(timeout=self._wait_s())
            except Empty:
                self._make_safe() if self._gathered else self._try_again()
                continue
            if work is None or self._is_closed:
                self._make_safe()
                return
            self._do(work)
            if len(self._gathered) >= TOGETHER_MAX or monotonic() >= self._gathers_since + TOGETHER_S:
                self._make_safe()
            if monotonic() >= self._again_at:
                self._try_again()

    def _wait_s(self) -> float | None:
        return max(0.0, self._again_at - monotonic()) if self._later else None

    def close(self) -> None:
        """Have `run` return behind the present piece of work; what waits is not done: a start does all of it again."""
        self._is_closed = True
        self._queue.put(None)

    def _try_again(self) -> None:
        """Try again what had no room, or waits for objects that come from the bucket."""
        later, self._later, self._again_at = self._later, [], inf
        for each in later:
            if not self._is_closed:
                self._do(each)

    def put(self, work: Work) -> None:
        """Let something be done in its turn."""
        self._queue.put(work)

    def put_together(self, gather: Gather) -> None:
        """Let objects be taken in, in their turn, and what `gather` returns be done when they are safe on disk.

        It is done again where they cannot be made safe, or have no room.
        """
        self._queue.put(_Together(gather))

    def _do(self, work: Work | _Together, *, alone: bool = False) -> None:
        try:
            if isinstance(work, _Together):
                self._gather(work, alone=alone)
            else:
                work()
        except NoRoom as error:
            log.warning("no room for files: %s", error, extra={"action": "no_room_for_files"})
            self._put_off(work)
            self._tell(NoRoomForFiles(str(error), error if isinstance(error, OverQuota) else None))
        except OnlyInBucket as away:
            self._put_off(work)
            self._tell(Needed(away.names))

    def _put_off(self, work: Work | _Together) -> None:
        self._later.append(work)
        self._again_at = min(self._again_at, monotonic() + AGAIN_S)

    def _gather(self, work: _Together, *, alone: bool) -> None:
        self.store.gathers = not alone
        try:
            then = work.gather()
        finally:
            self.store.gathers = False
        if then is None:
            return
        if alone:
            then()
            return
        self._gathered.append((work, then))
        self._gathers_since = min(self._gathers_since, monotonic())

    def _make_safe(self) -> None:
        """Make safe what was gathered, and do what follows; where that fails, each by itself says what is wrong."""
        gathered, self._gathered, self._gathers_since = self._gathered, [], inf
        try:
            self.store.make_safe()
        except OSError as error:
            log.warning("objects cannot be stored together: %s", error, extra={"action": "objects_not_safe"})
            for work, _ in gathered:
                self._do(work, alone=True)
            return
        for _, then in gathered:
            then()

    # Objects

    def came_back(self, path: Path, found: Object, then: Callable[[], None]) -> None:
        """Let an object that comes from the bucket lie here, call `then`, and go on with what waits for it.

        Args:
            path: The whole file, verified and synced; it is deleted.
            found: What it is.
            then: Is called behind that.
        """

        def adopt() -> None:
            try:
                self.store.adopt(path, found)
            except OSError as error:
                raise NoRoom(f"a file from the bucket cannot be stored: {error.strerror}") from None
            path.unlink(missing_ok=True)
            then()
            self._try_again()

        self.put(adopt)

    def bound(self, quota: Quota) -> None:
        """Note how much room there is, without what is given and not settled; for any thread."""
        self._quota = quota

    def quota_now(self) -> Quota:
        """Return how much room there is; for the work in the queue."""
        quota = self._quota
        for giver, manager in self._given_of.items() if quota.is_bounded else ():
            quota = quota.with_more(manager, sum(each.size for each in self._given[giver]))
        return quota

    def given(self, giver: str, objects: tuple[Object, ...], manager: str | None = None) -> None:
        """Keep what was given until `settled`; for the work in the queue.

        Args:
            giver: The job, or who else has this name.
            objects: What it was.
            manager: Whose it will be, if no room was reserved for it.
        """
        if objects:
            self._given[giver] = objects
            if manager is not None:
                self._given_of[giver] = manager

    def settled(self, giver: str) -> None:
        """Note that rows keep what was given, or nothing does."""
        self.put(lambda: self._settle(giver))

    def _settle(self, giver: str) -> None:
        self._given.pop(giver, None)
        self._given_of.pop(giver, None)

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows, unless they have just been given."""
        names = tuple(objects)
        self.put(lambda: self._discard(names))

    def _discard(self, names: Iterable[ObjectId]) -> None:
        kept = {each.id for objects in self._given.values() for each in objects}
        for name in names:
            if name not in kept:
                self._remove(name)

    def verify(self, objects: Iterable[Object]) -> None:
        """Look whether objects are what their names say; what is not is removed and told."""
        for found in objects:
            if found not in self._checked:
                self._checked.add(found)
                self.put(partial(self._verify, found))

    def _verify(self, found: Object) -> None:
        self._checked.discard(found)
        try:
            is_right = self.store.is_right(found)
        except OSError as error:
            log.error("an object cannot be read: %s", error, extra={"action": "object_unreadable"})
            return
        if not is_right:
            self._remove(found.id)
            self._tell(ObjectsLost((found.id,)))

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows: what has none goes, and what is gone is told."""
        rows = set(known)
        self.put(lambda: self._take_stock(rows))

    def _take_stock(self, rows: set[Object]) -> None:
        try:
            here = set(self.store.sizes())
        except OSError as error:
            log.error("the objects cannot be listed: %s", error, extra={"action": "objects_unreadable"})
            return
        self._discard(each.id for each in here - rows)
        if lost := sorted(each.id for each in rows - here):
            self._tell(ObjectsLost(tuple(lost)))

    def _remove(self, name: ObjectId) -> None:
        try:
            self.store.remove(name)
        except OSError as error:
            log.warning("an object cannot be removed: %s", error, extra={"action": "object_remove_failed"})
