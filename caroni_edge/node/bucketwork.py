"""Puts the objects of a depot into its bucket, and brings them back: in threads of its own, until it is done.

What fails is tried again, later each time, and said; an end of the process forgets it, since rows say what is wanted.
"""

import logging
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from time import monotonic

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.chance import SystemChance
from caroni_edge.node.bucket import Bucket, BucketUnusable, NotThere
from caroni_edge.node.dataconnection import Supervise
from caroni_edge.node.returns import Return, Returns
from caroni_edge.objects.bucket import (
    Away,
    BringBack,
    BucketNews,
    BucketOrder,
    BucketTrouble,
    Drop,
    IsBack,
    IsDropped,
    IsPut,
    Leave,
    Needed,
    NotInBucket,
    Put,
)
from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.taking import taken_of

log = logging.getLogger(__name__)

RETURNING = "returning"
"""The directory of what is on its way back, in the state directory."""
READ_BYTES = 8 << 20
AGAIN = Backoff(first_s=2.0, max_s=120.0, jitter=(0.75, 1.25))
ASK_AGAIN_S = 10.0
INWARD = 2
"""So many objects come back at a time."""


class BucketWork:
    """A `BucketUser` with threads: one for what goes there and is deleted there, others for what comes back."""

    def __init__(
        self,
        bucket: Bucket,
        files: FileWork,
        parts: Path,
        tell: Callable[[BucketNews], None],
        min_free_bytes: int = 0,
        again: Backoff = AGAIN,
    ) -> None:
        """Prepare.

        Args:
            bucket: Where to.
            files: The work on the objects of the node.
            parts: The directory of what is on its way back.
            tell: Takes what has become of orders.
            min_free_bytes: So much of the disk stays free.
            again: When what has failed is tried again.
        """
        self._bucket, self._files, self._parts, self._tell = bucket, files, parts, tell
        self._again, self._chance = again, SystemChance()
        self._outward: SimpleQueue[Away | Put | Drop | None] = SimpleQueue()
        self._inward = Returns(lambda: shutil.disk_usage(parts).free - min_free_bytes)
        self._away: set[ObjectId] = set()
        self._asked: dict[ObjectId, float] = {}
        self._lock, self._ended = Lock(), Event()
        self._troubles: dict[str, str] = {}
        files.store.is_away, files.store.let_come_back = self.is_away, self.let_come_back

    def start(self, supervise: Supervise) -> None:
        """Begin; `supervise` runs something in a thread of a name."""
        shutil.rmtree(self._parts, ignore_errors=True)
        supervise("bucket", self._put_and_drop)
        for number in range(INWARD):
            name = f"bucket-{number + 1}"
            supervise(name, partial(self._bring_back, name))

    def close(self) -> None:
        """End as soon as may be."""
        self._ended.set()
        self._outward.put(None)
        self._inward.close()

    def do(self, order: BucketOrder) -> None:
        """Do something there, behind what was ordered before (see `BucketUser`)."""
        match order:
            case Away(names):
                self._away.update(names)
                self._outward.put(order)
            case Leave(names):
                self._away.update(names)
                self._files.discard(names)
            case Put(found):
                self._away.discard(found.id)
                self._outward.put(order)
            case Drop(name):
                self._away.discard(name)
                self._forget_asked(name)
                self._outward.put(order)
            case BringBack(found):
                self._inward.add(found)

    def is_away(self, name: ObjectId) -> bool:
        """Tell whether an object lies in the bucket alone; for any thread.

        One that has come here once more by another way is given from here, until a start finds that no row counts it.
        """
        return name in self._away and not os.path.exists(self._files.store.path(name))

    def let_come_back(self, name: ObjectId) -> None:
        """Say that an object of the bucket is needed here, unless that was said just now; for any thread."""
        if not self.is_away(name):
            return
        with self._lock:
            now = monotonic()
            is_new = now >= self._asked.get(name, now)
            if is_new:
                self._asked[name] = now + ASK_AGAIN_S
        if is_new:
            self._tell(Needed((name,)))

    # What goes there

    def _put_and_drop(self) -> None:
        while (order := self._outward.get()) is not None and not self._ended.is_set():
            self._until_done("bucket", partial(self._do, order))

    def _do(self, order: Away | Put | Drop) -> None:
        match order:
            case Away(holds=holds):
                # One that should have objects of ours and has no sign is another one, and must not become ours.
                (self._bucket.confirm if holds else self._bucket.claim)()
            case Put():
                self._put(order)
            case Drop():
                self._drop(order)

    def _put(self, order: Put) -> None:
        found = order.object
        try:
            path = self._files.store.path(found.id)
            with open(path, "rb") as file:
                is_right = taken_of(file).object == found
            if is_right:
                self._bucket.put(found, path)
                self._tell(IsPut(found.id))
        except OSError as error:
            log.warning("an object cannot be read: %s", error, extra={"action": "object_unreadable"})
            is_right = False
        if not is_right:
            self._files.verify((found,))  # whoever counts on it hears that it is gone

    def _drop(self, order: Drop) -> None:
        self._bucket.drop(sha256_of(order.name))
        self._tell(IsDropped(order.name))

    # What comes back

    def _bring_back(self, thread: str) -> None:
        while (it := self._inward.next()) is not None:
            self._until_done(thread, partial(self._bring, it))
            self._inward.end(it)

    def _bring(self, it: Return) -> None:
        found = it.object
        for _ in range(2):  # what was damaged on its way is not lost
            try:
                path = self._come(it)
            except NotThere:
                self._missing(found, "nothing of that name lies there any more")
                return
            except NoRoom as error:
                (self._parts / found.sha256).unlink(missing_ok=True)  # what it takes is for others now
                self._inward.put_off(it, error)
                return
            if path is not None:
                self._files.came_back(path, found, partial(self._is_back, found.id))
                return
            if self._ended.is_set():
                return  # it has not come, which says nothing of what lies there
        self._missing(found, "what lies there are other bytes")

    def _come(self, it: Return) -> Path | None:
        """Return the file of what has come, synced; None where that are other bytes, or the process ends.

        Raises:
            BucketUnusable: No more comes now; what is here stays.
            NotThere: The bucket does not have it.
            NoRoom: The disk has none for it.
            OSError: It cannot be written.
        """
        self._parts.mkdir(mode=0o700, exist_ok=True)
        found, path = it.object, self._parts / it.object.sha256
        with path.open("a+b") as file:
            self._inward.reserve(it, found.size - file.tell())
            if self._bucket.size_of(found) != found.size:
                return None
            while (came := file.tell()) < found.size and not self._ended.is_set():
                self._inward.reserve(it, found.size - came)
                content = self._bucket.read(found, came, min(came + READ_BYTES, found.size))
                if not content:
                    break
                file.write(content)
                file.flush()
            if self._ended.is_set():
                return None
            os.fsync(file.fileno())
            if taken_of(file).object == found:
                return path
        path.unlink()
        return None

    def _is_back(self, name: ObjectId) -> None:
        self._away.discard(name)
        self._forget_asked(name)
        self._tell(IsBack(name))

    def _missing(self, found: Object, why: str) -> None:
        self._forget_asked(found.id)
        (self._parts / found.sha256).unlink(missing_ok=True)
        self._tell(NotInBucket(found.id, why))

    def _forget_asked(self, name: ObjectId) -> None:
        with self._lock:
            self._asked.pop(name, None)

    # What fails

    def _until_done(self, thread: str, work: Callable[[], None]) -> None:
        """Do something, again and again until it is done or the process ends."""
        tries = 0
        while not self._ended.is_set():
            try:
                work()
            except BucketUnusable as problem:
                self._say(thread, str(problem))
            except OSError as error:
                self._say(thread, f"what comes from it cannot be written: {error.strerror}")
            else:
                self._say(thread, "")
                return
            self._ended.wait(self._again.jittered(self._again.nth(tries), self._chance.random()))
            tries += 1

    def _say(self, thread: str, why: str) -> None:
        """Tell what is wrong, as far as that is new."""
        with self._lock:
            before = next(filter(None, self._troubles.values()), "")
            self._troubles[thread] = why
            now = next(filter(None, self._troubles.values()), "")
        if now == before:
            return
        if now:
            log.error("the bucket cannot be used: %s", now, extra={"action": "bucket_unusable"})
        else:
            log.info("the bucket can be used again", extra={"action": "bucket_usable"})
        self._tell(BucketTrouble(now))
