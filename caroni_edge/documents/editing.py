"""Files that an owner changes through a page: read with a mark, and replaced as a whole or not at all."""

import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from caroni_edge.base.durable import sync
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.text import is_unicode

SOURCE_LIMIT_BYTES = 256 * 1024
STEM_MAX_BYTES = 200
"""Systems take 255; a suffix is added, and more to the file that is written beside it at first."""


class Source(NamedTuple):
    """What a file says.

    Attributes:
        text: All of it.
        mark: Hash of it: it tells whether the file has changed since.
    """

    text: str
    mark: str


class FileChanged(CaroniError):
    """{path} {what} since it was read, so nothing was written."""

    hint = "Look at what is there now, and make the change again."


class NotWritable(CaroniError):
    """{path} cannot be written: {reason}."""

    hint = "Let the daemon's user write there, or change the file by hand."


def may_name_file(stem: str) -> bool:
    """Tell whether a file can have this name, before its suffix, and is in its directory and not hidden then."""
    has_room = is_unicode(stem) and 0 < len(stem.encode()) <= STEM_MAX_BYTES
    return has_room and not stem.startswith(".") and "/" not in stem and "\0" not in stem


def read_source(path: Path) -> Source | None:
    """Read a file; None where there is none, or nothing that an editor could show."""
    try:
        if not path.is_file() or path.stat().st_size > SOURCE_LIMIT_BYTES:
            return None
        data = path.read_bytes()
        return Source(data.decode("utf-8-sig"), sha256(data).hexdigest())
    except (OSError, UnicodeDecodeError):
        return None


def why_not_writable(directory: Path) -> str | None:
    """Return why this process cannot put files into a directory, for people; None when it can."""
    if os.access(directory, os.W_OK | os.X_OK):
        return None
    return f"the daemon may not write {directory}"


def write_source(path: Path, text: str, mark: str | None) -> None:
    """Write a file as a whole, if it is still what was read.

    A link stays one, and what it leads to is replaced; its rights stay as they are.

    Args:
        path: The file.
        text: What it shall say.
        mark: Of what was read; None: there was no file.

    Raises:
        FileChanged: Somebody else has written it meanwhile, made it or deleted it.
        NotWritable: The system does not let us.
    """
    _check(path, mark)
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    try:
        rights = stat.S_IMODE(target.stat().st_mode) if mark is not None else 0o644
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, rights)
        try:
            with os.fdopen(file, "wb") as written:
                written.write(text.encode())
                written.flush()
                os.fchmod(written.fileno(), rights)
                os.fsync(written.fileno())
            os.rename(beside, target)
        except OSError:
            with suppress(OSError):
                os.unlink(beside)
            raise
        sync(target.parent)
    except OSError as error:
        raise NotWritable("", path=path, reason=error.strerror or error) from None


def delete_source(path: Path, mark: str) -> None:
    """Delete a file, if it is still what was read; of a link only the link goes.

    Raises:
        FileChanged, NotWritable: As `write_source`.
    """
    _check(path, mark)
    try:
        path.unlink()
        sync(path.parent)
    except OSError as error:
        raise NotWritable("", path=path, reason=error.strerror or error) from None


def _check(path: Path, mark: str | None) -> None:
    found = read_source(path)
    if mark is None and os.path.lexists(path):
        raise FileChanged("", path=path, what="was made")
    if mark is not None and found is None:
        raise FileChanged("", path=path, what="was deleted")
    if found is not None and found.mark != mark:
        raise FileChanged("", path=path, what="has changed")
