"""A file of any size as the body of an answer: all of it, or the range that was asked for (RFC 9110, section 14)."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from litestar.response import Stream

from caroni_edge.web.problems import Problem

PIECE_BYTES = 256 * 1024
ANY_BYTES = "application/octet-stream"
ALONE = "default-src 'none'; sandbox"
"""The Content-Security-Policy of what others have written: it runs nothing, and is of no origin."""

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Part(NamedTuple):
    """Bytes of a file: from `begin` up to, but not including, `end`."""

    begin: int
    end: int


def part_of(asked: str | None, size: int) -> Part | None:
    """Return the range that the header `Range` asks for; None where it asks for all, or for what is not served.

    Raises:
        Problem: 416, there are no such bytes.
    """
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        part = Part(max(0, size - int(found[2])), size)
    else:
        last = int(found[2]) if found[2] else size - 1
        if last < int(found[1]):
            return None if found[2] else _beyond(size)
        part = Part(int(found[1]), min(last + 1, size))
    return part if part.begin < part.end else _beyond(size)


def _beyond(size: int) -> Any:
    raise Problem(416, f"the file has {size} bytes, and none of those", headers={"Content-Range": f"bytes */{size}"})


def attachment(name: str) -> str:
    """Return the Content-Disposition of a file to be saved under a name."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


class Pace(Protocol):
    """How fast the bytes of an answer leave.

    Attributes:
        piece_bytes: So many leave at a time.
    """

    piece_bytes: int

    async def wait(self, size_bytes: int) -> None:
        """Wait until so many bytes may leave."""

    def end(self) -> None:
        """Nothing more leaves."""


class _AtOnce:
    """Holds up nothing."""

    piece_bytes = PIECE_BYTES

    async def wait(self, size_bytes: int) -> None:
        """Wait for nothing."""

    def end(self) -> None:
        """Nobody wants to know."""


def file_answer(
    path: Path,
    etag: str,
    asked: Mapping[str, str],
    headers: Mapping[str, str],
    kind: str,
    pace: Pace = _AtOnce(),  # noqa: B008 - it has no state
) -> Stream:
    """Return an answer that has a file as its body.

    Args:
        path: The file, which does not change.
        etag: Names its content.
        asked: The headers of the request.
        headers: What the answer says beside.
        kind: The media type.
        pace: How fast it leaves.

    Raises:
        Problem: 416, the range that is asked for is not there; 404, the file has gone.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise Problem(404, "the file is not here any more") from None
    try:
        size, tag = os.fstat(file).st_size, f'"{etag}"'
        part = part_of(asked.get("Range"), size) if asked.get("If-Range", tag) == tag else None
    except BaseException:
        os.close(file)
        raise
    begin, end = part or Part(0, size)
    said = {"Accept-Ranges": "bytes", "ETag": tag, "Content-Length": str(end - begin), **headers}
    if part is not None:
        said["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    body = _Body(file, begin, end, pace)
    return Stream(body.pieces(), status_code=206 if part else 200, headers=said, media_type=kind)


class _Body:
    """Bytes of an open file, read in threads; it is closed at their end, or when nobody wants them any more."""

    def __init__(self, file: int, begin: int, end: int, pace: Pace) -> None:
        self._file, self._begin, self._end, self._pace = file, begin, end, pace

    async def pieces(self) -> AsyncIterator[bytes]:
        while self._begin < self._end:
            size = min(self._pace.piece_bytes, self._end - self._begin)
            await self._pace.wait(size)
            piece = await asyncio.to_thread(os.pread, self._file, size, self._begin)
            if not piece:
                return  # it was cut short, and so is the answer
            self._begin += len(piece)
            yield piece

    def __del__(self) -> None:
        os.close(self._file)
        self._pace.end()
