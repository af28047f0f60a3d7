"""Brings files to this host: each is checked by its hash, and never takes the place of another one."""

import os
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._api_client import Api, ApiRefused
from caroni_edge.cli._progress import progress

ASK_EVERY_S = 1.0
LEFT = "Caroni-Left"
"""The header that says that a file is on its way to the manager."""


class NotBrought(CaroniError):
    """{name} cannot be brought: {reason}."""

    hint = "{hint}"


class NotInTime(CaroniError):
    """{name} has not come in time: {reason}."""

    hint = "It comes on; ask for it again later."
    exit_status = 3


class Brought(NamedTuple):
    """A file that is here.

    Attributes:
        output: Of which output.
        path: Where it is.
        size: How many bytes it has.
    """

    output: str
    path: Path
    size: int


class Bringer:
    """Brings one file after the other into a directory."""

    def __init__(self, api: Api, directory: Path, give_up_at: float = inf) -> None:
        """Bring them from a manager, until a time on the monotonic clock."""
        self._api, self._directory, self._give_up_at = api, directory, give_up_at
        self._taken: set[str] = set()

    def bring(self, output: str, value: dict[str, Any]) -> Brought:
        """Bring the file of a value of an output.

        Raises:
            CaroniError: It cannot be brought.
        """
        from caroni_edge.values.carried import NotCarried, basename_of, bytes_of, object_of  # noqa: PLC0415

        try:
            name, found = basename_of(value), object_of(value)
            data = b"" if found else bytes_of(value)
        except NotCarried as problem:
            raise NotBrought("", name=output, reason=problem, hint="") from None
        path = self._directory / self._free(name)
        self._directory.mkdir(parents=True, exist_ok=True)
        if found is None:
            self._put(path, data)
            return Brought(output, path, len(data))
        self._fetch(path, found.sha256, found.size)
        return Brought(output, path, found.size)

    def _free(self, name: str) -> str:
        """Return a name that no other file of this run has: after `a.png` comes `a-2.png`."""
        stem, dot, suffix = name.rpartition(".")
        stem, suffix = (stem, dot + suffix) if stem else (name, "")
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{stem}-{number}{suffix}"
        self._taken.add(free)
        return free

    def _put(self, path: Path, data: bytes) -> None:
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
        part = _part(path, str(len(self._taken)))
        part.unlink(missing_ok=True)
        part.write_bytes(data)
        self._place(part, path)

    def _fetch(self, path: Path, sha256: str, size: int) -> None:
        if path.is_file() and path.stat().st_size == size and _hash(path) == sha256:
            return
        if os.path.lexists(path):
            raise _is_there(path)
        part = _part(path, sha256[:32])
        begin = part.stat().st_size if part.is_file() else 0
        if begin > size:
            part.unlink()
            begin = 0
        with progress(path.name, size, "fetched") as advance:
            advance(begin)
            while begin < size or not part.exists():
                before = begin
                for piece_size in self._pieces(part, sha256, begin):
                    begin += piece_size
                    advance(piece_size)
                if begin == before and size:
                    sleep(ASK_EVERY_S)
                if not size:
                    part.touch()
        if _hash(part) != sha256:
            part.unlink()
            raise NotBrought("", name=path.name, reason="what has come does not have its hash", hint="Try it again.")
        self._place(part, path)

    def _pieces(self, part: Path, sha256: str, begin: int) -> Any:
        """Write what comes now of a file; yield the numbers of its bytes."""
        try:
            with self._api.download(f"/api/objects/sha256:{sha256}", begin) as pieces, part.open("ab") as file:
                for piece in pieces:
                    file.write(piece)
                    yield len(piece)
        except ApiRefused as refused:
            if LEFT not in refused.headers:
                raise
            if monotonic() >= self._give_up_at:
                raise NotInTime("", name=f"sha256:{sha256}", reason=refused.facts["reason"]) from None

    def _place(self, part: Path, path: Path) -> None:
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


def _part(path: Path, name: str) -> Path:
    """Return where a file grows beside its place; what leads elsewhere is no such file."""
    part = path.with_name(f".{name}.part")
    if part.is_symlink():
        part.unlink()
    return part


def _is_there(path: Path) -> CaroniError:
    hint = "Name another directory with -o, or move that file away."
    return NotBrought("", name=path.name, reason=f"there is another file {path} already", hint=hint)


def _hash(path: Path) -> str:
    from caroni_edge.objects.disk import taken_of  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            return taken_of(file).object.sha256
    except OSError as error:
        raise UsageError(str(path), f"it cannot be read: {error.strerror}") from None
