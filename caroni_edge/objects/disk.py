"""The bytes of objects on disk: taken in whole or not at all, never changed, and lent to jobs.

`objects/ab/<hex>` holds an object, `part/` what is on its way there. An object is written and hashed in `part/`, is
synced, and gets its place by a rename: what lies in its place is whole, whatever a power cut did. Many may be synced
and get their places together: the disk is waited for once, and not for each.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from caroni_edge.base.durable import sync
from caroni_edge.objects.objects import SIZE_MAX_BYTES, Object, ObjectId, parse_id, sha256_of
from caroni_edge.objects.taking import PIECE_BYTES, Taken, TooLarge, cloned, object_in, taken_of

OBJECTS, PART = "objects", "part"
_READ_ONLY, _EXECUTABLE = 0o444, 0o555


class NoRoom(Exception):
    """The disk has no room for an object, for now."""


class Damaged(Exception):
    """What lies in the place of an object are other bytes, or fewer; it has been removed."""

    def __init__(self, name: ObjectId) -> None:
        """Name the object."""
        super().__init__(f"{name} is damaged on this host, or gone")
        self.name = name


class OnlyInBucket(Exception):
    """Objects do not lie here now, but in the bucket of this host, from which they can come back.

    Attributes:
        names: Which.
    """

    def __init__(self, names: tuple[ObjectId, ...]) -> None:
        """Name them."""
        super().__init__(f"{', '.join(names)} must come back from the bucket first")
        self.names = names


class Taker(Protocol):
    """Takes in bytes as objects."""

    def take(self, source: BinaryIO) -> Taken:
        """Take in what is in a regular file (see `ObjectFiles`)."""

    def keep(self, data: bytes) -> Object:
        """Take in bytes that were made here (see `ObjectFiles`)."""


class _Part(NamedTuple):
    """Whole bytes that have no place yet, and which object they are."""

    path: str
    name: ObjectId


class ObjectFiles:
    """The objects of one node. One thread at a time changes them.

    Attributes:
        gathers: What is taken in gets its place by the next `make_safe`, and not at once.
        directory: Where `objects/` and `part/` are, or will be.
        is_away: Tells whether an object lies in a bucket alone; for any thread.
        let_come_back: Lets such an object come back; for any thread.
    """

    def __init__(self, directory: Path, min_free_bytes: Callable[[], int] = lambda: 0) -> None:
        """Use a directory.

        Args:
            directory: Where they are.
            min_free_bytes: So much of the disk stays free.
        """
        self.directory = directory
        self._objects, self._part = f"{directory}/{OBJECTS}", f"{directory}/{PART}"
        self._min_free_bytes = min_free_bytes
        self.gathers = False
        self._gathered: list[_Part] = []
        self._parts = count()
        self.is_away: Callable[[ObjectId], bool] = lambda _name: False
        self.let_come_back: Callable[[ObjectId], None] = lambda _name: None

    def path(self, name: ObjectId) -> str:
        """Return where an object lies, or would."""
        digits = sha256_of(name)
        return f"{self._objects}/{digits[:2]}/{digits}"

    def take(self, source: BinaryIO) -> Taken:
        """Take in what is in a regular file, from its beginning; whoever writes to it later changes nothing here.

        Raises:
            TooLarge: It has more bytes than an object may have.
            NoRoom: The disk has no room for it.
            OSError: It cannot be read or written.
        """
        return self._kept(
            os.fstat(source.fileno()).st_size,
            lambda file: taken_of(file) if cloned(source, file) else taken_of(source, file),
        )

    def keep(self, data: bytes) -> Object:
        """Take in bytes that were made here.

        Raises:
            NoRoom: The disk has no room for them.
            OSError: They cannot be written.
        """
        return self._kept(len(data), lambda file: taken_of(BytesIO(data), file)).object

    def _kept(self, size_bytes: int, fill: Callable[[BinaryIO], Taken]) -> Taken:
        part = self._new_part()
        self._make_room(size_bytes)
        try:
            with open(part, "x+b") as file:
                taken = fill(file)
                os.fchmod(file.fileno(), _READ_ONLY)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        self._put(_Part(part, taken.object.id))
        return taken

    def adopt(self, path: Path, found: Object) -> None:
        """Take in a whole file that was verified; it stays where it is, under its old name too.

        Raises:
            OSError: It cannot be.
        """
        os.chmod(path, _READ_ONLY)
        part = self._new_part()
        os.link(path, part)
        self._put(_Part(part, found.id))

    def make_safe(self) -> None:
        """Give what was gathered its places; none of it lies here before.

        Raises:
            OSError: The disk does not take it; nobody knows which of it has its place.
        """
        gathered, self._gathered = self._gathered, []
        self._place(gathered)

    def _new_part(self) -> str:
        os.makedirs(self._part, mode=0o700, exist_ok=True)
        part = f"{self._part}/{os.getpid()}-{next(self._parts)}"
        with suppress(FileNotFoundError):
            os.unlink(part)
        return part

    def _put(self, part: "_Part") -> None:
        if self.gathers:
            self._gathered.append(part)
        else:
            self._place([part])

    def _place(self, parts: Sequence["_Part"]) -> None:
        """Give whole bytes their places; what lay there goes, in case it was damaged."""
        try:
            for each in parts:
                sync(each.path)
            folders: dict[str, None] = {}
            for each in parts:
                path = self.path(each.name)
                folders[os.path.dirname(path)] = None
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                os.rename(each.path, path)
            for folder in (*folders, self._objects, os.path.dirname(self._objects)) if parts else ():
                sync(folder)
        except BaseException:
            for each in parts:
                with suppress(OSError):
                    os.unlink(each.path)
            raise

    def read(self, found: Object) -> bytes:
        """Return what is in an object that is small enough for that.

        Raises:
            Damaged: It is not what its name says, or not there.
            OnlyInBucket: It is there.
            OSError: It cannot be read.
        """
        with self._opened(found.id) as source:
            data = source.read(found.size + 1)
        if Object(hashlib.sha256(data).hexdigest(), len(data)) != found:
            if not self.is_right(found):
                self.remove(found.id)
            raise Damaged(found.id)
        return data

    def lend(self, found: Object, path: str, *, link: bool, executable: bool = False) -> None:
        """Put an object at a path for somebody to read.

        Args:
            found: The object.
            path: Where nothing is yet, on the same file system.
            link: Whoever reads it there can surely not change it, so that it need not be another file.
            executable: It may be run; what is stored may not, so that this is another file in any case.

        Raises:
            Damaged: It is not what its name says, or not there.
            OnlyInBucket: It is there.
            NoRoom: The disk has no room for a copy.
            OSError: It cannot be read or written.
        """
        with self._opened(found.id) as source:
            taken = object_in(source)
            if taken is None or taken.sha256 != found.sha256:
                self.remove(found.id)
                raise Damaged(found.id)
            if link and not executable:
                os.link(self.path(found.id), path)
                return
            with open(path, "xb") as file:
                if not cloned(source, file):
                    self._make_room(taken.size)
                    source.seek(0)
                    shutil.copyfileobj(source, file, PIECE_BYTES)
                os.fchmod(file.fileno(), _EXECUTABLE if executable else _READ_ONLY)

    def is_right(self, found: Object) -> bool:
        """Tell whether an object is what its name says, and there; its size may be what somebody else has said.

        Raises:
            OnlyInBucket: It is there.
            OSError: It cannot be read.
        """
        try:
            with self._opened(found.id) as source:
                taken = object_in(source)
        except Damaged:
            return False
        return taken is not None and taken.sha256 == found.sha256

    def _opened(self, name: ObjectId) -> BinaryIO:
        try:
            return open(self.path(name), "rb")
        except FileNotFoundError:
            self.need((name,))
            raise Damaged(name) from None

    def need(self, names: Iterable[ObjectId]) -> None:
        """Look whether objects can be read here.

        Raises:
            OnlyInBucket: Not now.
        """
        if away := tuple(name for name in names if self.is_away(name)):
            raise OnlyInBucket(away)

    def remove(self, name: ObjectId) -> None:
        """Remove an object, if it is there.

        Raises:
            OSError: It cannot be removed.
        """
        with suppress(FileNotFoundError):
            os.unlink(self.path(name))

    def sizes(self) -> Iterator[Object]:
        """Yield what lies here, as far as names and sizes tell; nothing is read.

        Raises:
            OSError: It cannot be listed.
        """
        for folder in _listed(self._objects):
            for name in _listed(f"{self._objects}/{folder}"):
                if parse_id(f"sha256:{name}") and name.startswith(folder):
                    about = os.lstat(f"{self._objects}/{folder}/{name}")
                    if stat.S_ISREG(about.st_mode):
                        yield Object(name, about.st_size)

    def clear_parts(self) -> None:
        """Delete what was on its way here when the last process ended."""
        shutil.rmtree(self._part, ignore_errors=True)

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes > SIZE_MAX_BYTES:
            raise TooLarge
        free_bytes = shutil.disk_usage(os.path.dirname(self._objects)).free
        if free_bytes < size_bytes + self._min_free_bytes():
            raise NoRoom(f"the disk has {free_bytes >> 20} MiB free, which leaves no room for {size_bytes} bytes")


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
