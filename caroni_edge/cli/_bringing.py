"""Brings files and directories to this host: each file is checked by its hash, and never takes the place of another."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from stat import S_ISDIR
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._api_client import Api, ApiRefused
from caroni_edge.cli._progress import Advance, progress

if TYPE_CHECKING:
    from caroni_edge.objects.objects import Object, ObjectId
    from caroni_edge.values.directories import Entry

ASK_EVERY_S = 1.0
AHEAD_FILES, AHEAD_BYTES = 32, 64 << 20
"""So many files of a directory the manager is asked for before their turn: it has them by then."""
LEFT = "Caroni-Left"
"""The header that says that a file is on its way to the manager."""
_PART = re.compile(r"\.[0-9a-f]+\.part")


class NotBrought(CaroniError):
    """{name} cannot be brought: {reason}."""

    hint = "{hint}"


class NotInTime(CaroniError):
    """{name} has not come in time: {reason}."""

    hint = "The manager goes on to fetch it: ask for it again later."
    exit_status = 3


class Brought(NamedTuple):
    """A file or a directory that is here.

    Attributes:
        output: Of which output.
        path: Where it is.
        size: How many bytes it has, or its files have.
    """

    output: str
    path: Path
    size: int


class _File(NamedTuple):
    """A file that is to be here.

    Attributes:
        path: Where.
        data: Its bytes; None for an object.
        found: The object that it is.
        directory: The list that names the object, if no value does.
        executable: Whether it may be run.
    """

    path: Path
    data: bytes | None = None
    found: "Object | None" = None
    directory: "ObjectId | None" = None
    executable: bool = False

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.found.size if self.found else len(self.data or b"")

    @property
    def url(self) -> str:
        """Where the manager has its object."""
        assert self.found is not None
        return f"/api/objects/{self.found.id}" + (f"?directory={self.directory}" if self.directory else "")


class Bringer:
    """Brings one file or directory after the other into a directory."""

    def __init__(self, api: Api, directory: Path, give_up_at: float = inf) -> None:
        """Bring them from a manager, until a time on the monotonic clock."""
        self._api, self._directory, self._give_up_at = api, directory, give_up_at
        self._taken: set[str] = set()

    def bring(self, output: str, value: dict[str, Any]) -> Brought:
        """Bring the file or the directory of a value of an output.

        Raises:
            CaroniError: It cannot be brought.
        """
        from caroni_edge.values.carried import NotCarried, basename_of, bytes_of, is_directory, object_of  # noqa: PLC0415

        try:
            path = self._directory / self._free(basename_of(value))
            self._directory.mkdir(parents=True, exist_ok=True)
            if is_directory(value):
                return Brought(output, path, self._bring_directory(path, value))
            found = object_of(value)
            file = _File(path, None if found else bytes_of(value), found)
        except NotCarried as problem:
            raise NotBrought("", name=output, reason=problem, hint="") from None
        if not _is_here(file):
            if file.found is None:
                self._bring(file, lambda _bytes: None)
            else:
                with progress(path.name, file.size, "fetched") as advance:
                    self._bring(file, advance)
        return Brought(output, path, file.size)

    def _free(self, name: str) -> str:
        """Return a name that nothing else of this run has: after `a.png` comes `a-2.png`."""
        stem, dot, suffix = name.rpartition(".")
        stem, suffix = (stem, dot + suffix) if stem else (name, "")
        free, number = name, 1
        while free in self._taken or _PART.fullmatch(free):
            number += 1
            free = f"{stem}-{number}{suffix}"
        self._taken.add(free)
        return free

    # Directories

    def _bring_directory(self, top: Path, value: dict[str, Any]) -> int:
        """Bring all that is in a directory, and return how many bytes that is; first is looked what stands in the way.

        Raises:
            NotCarried: The value is not right.
        """
        folders, files = self._planned(top, value)
        for folder in folders:
            _is_folder(folder)
        todo = [each for each in files if not _is_here(each)]
        for folder in folders:
            if not _is_folder(folder):
                folder.mkdir()
        if todo:
            with progress(top.name, sum(each.size for each in todo), "fetched") as advance:
                asked = 0
                for number, each in enumerate(todo):
                    asked = self._ask_ahead(todo, number, asked)
                    self._bring(each, advance)
        return sum(each.size for each in files)

    def _planned(self, top: Path, value: dict[str, Any]) -> tuple[Sequence[Path], Sequence[_File]]:
        """Return the folders that a directory has, each behind the one that it is in, and its files."""
        from caroni_edge.values.carried import bytes_of, is_directory, object_of, tree_of  # noqa: PLC0415

        folders: dict[Path, None] = {top: None}
        files: list[_File] = []
        for inside, each in tree_of(value):
            path, found = top / inside.partition("/")[2], object_of(each)
            if not is_directory(each):
                files.append(_File(path, None if found else bytes_of(each), found))
                continue
            folders[path] = None
            if found is None:
                continue
            for entry in self._listed(path, found):
                place = path / entry.path
                folders |= dict.fromkeys(reversed([*place.parents][: entry.path.count("/")]))
                if entry.object:
                    files.append(_File(place, None, entry.object, found.id, entry.executable))
                else:
                    folders[place] = None
        return [*folders], files

    def _listed(self, path: Path, found: "Object") -> "tuple[Entry, ...]":
        """Return what is in a directory whose list is an object."""
        from caroni_edge.values.directories import NoDirectory, read  # noqa: PLC0415

        part = self._fetched(_File(path, None, found), lambda _bytes: None)
        try:
            return read(part.read_bytes())
        except NoDirectory as problem:
            raise NotBrought("", name=path.name, reason=problem, hint="") from None
        finally:
            part.unlink()

    def _ask_ahead(self, files: Sequence[_File], number: int, asked: int) -> int:
        """Let files come to the manager whose turn is soon; return up to which one they were asked for."""
        asked, ahead = max(asked, number + 1), sum(each.size for each in files[number + 1 : asked])
        while asked < len(files) and asked - number < AHEAD_FILES and ahead + files[asked].size <= AHEAD_BYTES:
            ahead += files[asked].size
            if files[asked].found:
                with suppress(ApiRefused), self._api.download(files[asked].url, 0):
                    pass
            asked += 1
        return asked

    # Files

    def _bring(self, file: _File, advance: Advance) -> None:
        """Bring a file that is not here."""
        if file.found is not None:
            part = self._fetched(file, advance)
        else:
            part = self._part(str(len(self._taken)))
            part.unlink(missing_ok=True)
            part.write_bytes(file.data or b"")
            advance(file.size)
        if file.executable:
            mode = part.stat().st_mode
            part.chmod(mode | (mode & 0o444) >> 2)  # for those who may read it
        _place(part, file.path)

    def _fetched(self, file: _File, advance: Advance) -> Path:
        """Return where an object has come whole: beside what is brought, for it to get its name."""
        assert file.found is not None
        sha256, size = file.found.sha256, file.size
        part = self._part(sha256[:32])
        begin = part.stat().st_size if part.is_file() else 0
        if begin > size:
            part.unlink()
            begin = 0
        advance(begin)
        while begin < size or not part.exists():
            before = begin
            for piece_size in self._pieces(part, file, begin):
                begin += piece_size
                advance(piece_size)
            if begin == before and size:
                sleep(ASK_EVERY_S)
            if not size:
                part.touch()
        if _hash(part) != sha256:
            part.unlink()
            raise NotBrought(
                "", name=file.path.name, reason="what has come does not have its hash", hint="Try it again."
            )
        return part

    def _pieces(self, part: Path, file: _File, begin: int) -> Iterable[int]:
        """Write what comes now of a file; yield the numbers of its bytes."""
        try:
            with self._api.download(file.url, begin) as pieces, part.open("ab") as written:
                for piece in pieces:
                    written.write(piece)
                    yield len(piece)
        except ApiRefused as refused:
            if LEFT not in refused.headers:
                raise
            if monotonic() >= self._give_up_at:
                raise NotInTime("", name=file.path.name, reason=refused.facts["reason"]) from None

    def _part(self, name: str) -> Path:
        """Return where a file grows, which no file that is brought is called; what leads elsewhere is no such file."""
        part = self._directory / f".{name}.part"
        if part.is_symlink():
            part.unlink()
        return part


def _is_here(file: _File) -> bool:
    """Tell whether a file is here already.

    Raises:
        NotBrought: Another one is.
    """
    path = file.path
    if path.is_file() and path.stat().st_size == file.size:
        same = path.read_bytes() == file.data if file.found is None else _hash(path) == file.found.sha256
        if same:
            return True
    if os.path.lexists(path):
        raise _is_there(path)
    return False


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is here; a link to one is none, since nothing is written outside.

    Raises:
        NotBrought: Something else is.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise _is_there(path.parent) from None
    if not S_ISDIR(mode):
        raise _is_there(path)
    return True


def _place(part: Path, path: Path) -> None:
    """Give a whole file its name, unless something has it."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise _is_there(path) from None
        part.rename(path)
    with suppress(FileNotFoundError):
        part.unlink()


def _is_there(path: Path) -> CaroniError:
    hint = "Name another directory with -o, or move that file away."
    return NotBrought("", name=path.name, reason=f"there is another file {path} already", hint=hint)


def _hash(path: Path) -> str:
    from caroni_edge.objects.taking import taken_of  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            return taken_of(file).object.sha256
    except OSError as error:
        raise UsageError(str(path), f"it cannot be read: {error.strerror}") from None
