"""The manager's objects on disk: what is brought is taken in whole or not at all, as far as there is room."""

import logging
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Lock

from caroni_edge.base.errors import CaroniError
from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.holding.port import Came, CameNoDirectory, StoreNews
from caroni_edge.objects.arrivals import Arrivals
from caroni_edge.objects.disk import Damaged, NoRoom, ObjectFiles
from caroni_edge.objects.filework import FileWork, Work
from caroni_edge.objects.incoming import Incoming
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.taking import Taken
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.values.directories import NoDirectory

log = logging.getLogger(__name__)

AT_ONCE_MAX = 4
"""So many objects may be on their way from people and programs."""
INCOMING = "uploads"
"""The directory of what is on its way, in the state directory."""


MakeRoom = Callable[[int, int, int], str | None]
"""Lets go what nobody needs (`Holdings.make_room`)."""


class NoRoomHere(CaroniError):
    """There is no room for the file: {reason}."""

    hint = "Delete workflows whose files nobody needs, or let files.store be more."


class TooManyUploads(CaroniError):
    """{count} files are on their way to this manager already."""

    hint = "Try again in a moment."


class Closing(CaroniError):
    """The manager is stopping."""

    hint = "Send it again when it is back."


class Storage:
    """A `Storekeeper` on disk, and what takes in what people bring. All methods may be called by any thread.

    Attributes:
        work: What is done with objects, one after the other; its `run` is the work of a thread.
        make_room: Set before anything is brought.
        arrivals: What is fetched from agents.
    """

    make_room: MakeRoom

    def __init__(
        self, state_dir: Path, settings: Callable[[], ManagerConfig], tell: Callable[[StoreNews], None]
    ) -> None:
        """Use a state directory; what was on its way when the last process ended is deleted.

        Args:
            state_dir: Of the manager.
            settings: Returns what is in force.
            tell: Is called with what the manager must know of its objects.
        """
        self._state_dir, self._settings, self._tell = state_dir, settings, tell
        self._incoming = state_dir / INCOMING
        shutil.rmtree(self._incoming, ignore_errors=True)
        self.work = FileWork(ObjectFiles(state_dir, lambda: settings().disk_floor_bytes), tell)
        self.arrivals = Arrivals(self.work, tell, self._fetched)
        self._lock = Lock()
        self._receipts: list[Receipt] = []
        self._waiting: list[Future[None]] = []
        self._is_closed = False

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows (see `Storekeeper`)."""
        self.work.take_stock(known)

    def settled(self, giver: str) -> None:
        """Note that rows keep what was brought (see `Storekeeper`)."""
        self.work.settled(giver)

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows (see `Storekeeper`)."""
        self.work.discard(objects)

    def verify(self, objects: Iterable[Object]) -> None:
        """Look whether objects are right (see `Storekeeper`)."""
        self.work.verify(objects)

    # What is fetched from agents

    def begin_fetches(self, wanted: Iterable[Want]) -> None:
        """Go on with what is to be fetched (see `Storekeeper`)."""
        self.arrivals.begin(wanted)

    def fetch(self, want: Want) -> None:
        """Fetch an object from agents (see `Storekeeper`)."""
        self.arrivals.fetch(want)

    def forget_fetch(self, fetch: FetchId) -> None:
        """Fetch an object no more (see `Storekeeper`)."""
        self.arrivals.forget(fetch)

    def _fetched(self, fetch: FetchId, path: Path) -> Work:
        try:
            files = self.arrivals.listed(fetch, path)
        except NoDirectory as problem:
            return partial(self._tell, CameNoDirectory(fetch, str(problem)))
        return partial(self._tell, Came(self.arrivals.adopt(fetch, path), files))

    def path(self, name: ObjectId) -> Path:
        """Return where an object lies, or would."""
        return Path(self.work.store.path(name))

    def read(self, found: Object) -> bytes:
        """Return what is in an object that is small enough for that.

        Raises:
            Damaged: It is not what its name says, or cannot be read.
        """
        try:
            return self.work.store.read(found)
        except OSError as error:
            log.error("an object cannot be read: %s", error, extra={"action": "object_unreadable"})
            raise Damaged(found.id) from error

    def is_right(self, found: Object) -> bool:
        """Tell whether an object is what its name says, whatever size somebody says that it has."""
        try:
            return self.work.store.is_right(found)
        except OSError:
            return False

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        """Take in bytes that were made here; return under which name they stay until rows say that they do, or not.

        Raises:
            NoRoom: There is no room for them.
            Closing: The manager is stopping.
        """
        giver, made, size = secrets.token_hex(8), list[Object](), sum(map(len, contents))
        try:
            if reason := self.make_room(size, self.lacking(size), self._settings().files_store_bytes):
                raise NoRoom(reason)
            self.do(lambda: self._make(contents, giver, made))
        except Closing:
            raise
        except CaroniError as error:
            raise NoRoom(str(error)) from None
        except OSError as error:
            raise NoRoom(error.strerror or str(error)) from None
        return giver, tuple(made)

    def _make(self, contents: Sequence[bytes], giver: str, made: list[Object]) -> None:
        made += [self.work.store.keep(each) for each in contents]
        self.work.given(giver, tuple(made))

    def close(self) -> None:
        """End the work; who waits for some hears that it is not done."""
        self.work.close()
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.set_exception(Closing(""))

    # What people bring

    def receive(self, most: int, beside: "Receipt | None" = None) -> "Receipt":
        """Begin to take a file of so many bytes at most; `Receipt.end` must follow, whatever happens.

        Args:
            most: How many bytes it may have.
            beside: One that comes with it, in the same request: together they are one that is on its way.

        Raises:
            TooManyUploads: Others are on their way.
            NoRoomHere: There is no room for it.
        """
        with self._lock:
            if beside is None and len({each.request for each in self._receipts}) >= AT_ONCE_MAX:
                raise TooManyUploads("", count=AT_ONCE_MAX)
            receipt = Receipt(self, most, beside)
            self._receipts.append(receipt)
        try:
            self._reserve()
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            receipt.open(self._incoming / receipt.giver)
        except OSError as error:
            receipt.end()
            raise NoRoomHere("", reason=error.strerror or error) from None
        except BaseException:
            receipt.end()
            raise
        return receipt

    def _reserve(self) -> None:
        """Make room for all that is on its way.

        Raises:
            NoRoomHere: There is none.
        """
        with self._lock:
            size = sum(each.most for each in self._receipts)
        lacking = self.lacking(0)
        if reason := self.make_room(size, lacking, self._settings().files_store_bytes):
            raise NoRoomHere("", reason=reason)
        if lacking > 0:
            self.do(lambda: None)  # behind what deletes the others
            if (lacking := self.lacking(0)) > 0:
                raise NoRoomHere("", reason=f"the disk lacks {lacking} bytes for it, if disk_floor is to stay free")

    def lacking(self, more: int) -> int:
        """Return how many bytes too few the disk has for so many more than those that are on their way."""
        with self._lock:
            to_come = more + sum(each.most - each.size for each in self._receipts)
        free = shutil.disk_usage(self._state_dir).free
        return max(0, to_come + self._settings().disk_floor_bytes - free)

    def left(self, receipt: "Receipt") -> None:
        """Note that something is not on its way any more."""
        with self._lock:
            if receipt in self._receipts:
                self._receipts.remove(receipt)

    def do(self, work: Callable[[], None]) -> None:
        """Have something done in its turn, and wait for it.

        Raises:
            Exception: Whatever `work` raised, or that the manager is stopping.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._is_closed:
                raise Closing("")
            self._waiting.append(done)

        def body() -> None:
            with self._lock:
                if done not in self._waiting:
                    return
                self._waiting.remove(done)
            try:
                work()
            except Exception as error:  # noqa: BLE001 - raised where somebody waits
                done.set_exception(error)
            else:
                done.set_result(None)

        self.work.put(body)
        done.result()


class Receipt:
    """A file that is on its way to this manager.

    Attributes:
        giver: Its name among what was brought and has no rows yet.
        most: No more bytes may come.
        request: Names what it comes with.
    """

    def __init__(self, storage: Storage, most: int, beside: "Receipt | None" = None) -> None:
        """Reserve room for so many bytes; it comes with `beside`."""
        self.giver, self.most = secrets.token_hex(8), most
        self.request: str = self.giver if beside is None else beside.request
        self._storage = storage
        self._file: Incoming | None = None

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return 0 if self._file is None else self._file.size

    def open(self, path: Path) -> None:
        """Begin the file."""
        self._file = Incoming(path)

    def write(self, piece: bytes) -> None:
        """Add some bytes.

        Raises:
            NoRoomHere: The disk is full, or there are more than was said.
        """
        assert self._file is not None
        if self.size + len(piece) > self.most:
            raise NoRoomHere("", reason=f"it has more than the {self.most} bytes that were announced")
        try:
            self._file.write(piece)
        except OSError as error:
            raise NoRoomHere("", reason=error.strerror or error) from None

    def finish(self) -> Taken:
        """Return what has come, which is safe on disk, and has no place in the store yet.

        Raises:
            NoRoomHere: The disk fails.
        """
        assert self._file is not None
        self.most = self.size
        try:
            return self._file.finish()
        except OSError as error:
            raise NoRoomHere("", reason=error.strerror or error) from None

    def beginning(self, most: int) -> bytes:
        """Return what has come, so many bytes at most.

        Raises:
            NoRoomHere: The disk fails.
        """
        assert self._file is not None
        try:
            with self._file.path.open("rb") as file:
                return file.read(most)
        except OSError as error:
            raise NoRoomHere("", reason=error.strerror or error) from None

    def keep(self, found: Object) -> None:
        """Give it its place in the store, where it stays until rows say that it does, or not.

        Raises:
            NoRoomHere: The disk fails.
            Closing: The manager is stopping.
        """
        assert self._file is not None
        path = self._file.path

        def take() -> None:
            self._storage.work.store.adopt(path, found)
            self._storage.work.given(self.giver, (found,))

        try:
            self._storage.do(take)
        except OSError as error:
            raise NoRoomHere("", reason=error.strerror or error) from None

    def end(self) -> None:
        """It is taken, or nobody wants it: what is here of it beside the store goes."""
        if self._file is not None:
            self._file.drop()
        self._storage.left(self)
