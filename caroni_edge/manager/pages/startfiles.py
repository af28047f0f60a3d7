"""The files of a form that starts a workflow: all of them are kept when it is whole and right, or none is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from caroni_edge.base.moment import Moment
from caroni_edge.manager.holding.storage import Receipt, Storage
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.objects.taking import Taken
from caroni_edge.values.carried import FILE_MAX_BYTES, file_value, object_value
from caroni_edge.values.directories import why_no_name
from caroni_edge.values.json import shown
from caroni_edge.web.problems import Problem
from caroni_edge.web.streams import Part

SMALL_MAX_BYTES = 1 << 20
"""What of a form is kept in the memory has so many bytes at most: its texts, and its small files."""
LARGE_MAX = 100
"""So many files that are no small ones may come with a form."""

NO_TEXTS: Mapping[str, str] = {}
T = TypeVar("T")


class _Large(NamedTuple):
    receipt: Receipt
    taken: Taken


class StartFiles:
    """What a form brings, while it is read and until it has started a workflow; `end` must follow.

    Attributes:
        texts: The fields, by name; of those that come twice the last one counts.
        files: The values of files, by the name of their field, in order.
        errors: What is wrong with the name of a file, by the name of its field.
    """

    def __init__(self, storage: Storage, size: int, texts: Mapping[str, str] = NO_TEXTS) -> None:
        """Take a form of so many bytes at most; its large files go into `storage`, and these texts are known."""
        self.texts = dict(texts)
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.errors: dict[str, str] = {}
        self._storage, self._left, self._in_memory = storage, size, 0
        self._large: list[_Large] = []
        self._open: Receipt | None = None

    async def read(self, events: AsyncIterator[Part | bytes | None]) -> None:
        """Read the form to its end.

        Raises:
            Problem: It is none, or has more than it may have.
            CaroniError: There is no room for its files.
        """
        part, gathered = Part("", None), bytearray()
        async for event in events:
            if isinstance(event, Part):
                part = event
                gathered.clear()
            elif event is None:
                await self._end_of(part, bytes(gathered))
            elif self._open is not None:
                await self._write(event)
            else:
                gathered += event
                if part.filename is not None and len(gathered) > FILE_MAX_BYTES:
                    await self._begin()
                    await self._write(bytes(gathered))
                    gathered.clear()
                else:
                    self._bound(len(gathered))

    def _bound(self, more: int) -> None:
        if self._in_memory + more > SMALL_MAX_BYTES:
            raise Problem(413, f"the fields of a form and its small files have {SMALL_MAX_BYTES >> 20} MiB at most")

    async def _begin(self) -> None:
        if len(self._large) >= LARGE_MAX:
            raise Problem(413, f"a form brings {LARGE_MAX} files of more than {FILE_MAX_BYTES >> 10} KiB at most")
        beside = self._large[0].receipt if self._large else None
        self._open = await asyncio.to_thread(self._storage.receive, self._left, beside)

    async def _write(self, piece: bytes) -> None:
        assert self._open is not None
        await asyncio.to_thread(self._open.write, piece)
        self._left -= len(piece)

    async def _end_of(self, part: Part, content: bytes) -> None:
        self._in_memory += len(content)
        if part.filename is None:
            self.texts[part.name] = _text(content)
            return
        basename = part.filename.replace("\\", "/").rpartition("/")[2]
        if self._open is not None:
            taken = await asyncio.to_thread(self._open.finish)
            self._large.append(_Large(self._open, taken))
            self._open, value = None, object_value(basename, taken.object, taken.sha1)
        elif not basename and not content:
            return  # no file was chosen
        else:
            value = file_value(basename, content)
        if why := why_no_name(basename):
            self.errors[part.name] = f"{shown(basename)} {why}"
        self.files.setdefault(part.name, []).append(value)

    def keep_with(self, manager: ManagerApi, work: Callable[[Moment], T]) -> T:
        """Do something in the node's thread for which the files lie here; when it fails none of them is kept.

        Raises:
            Exception: Whatever `work` raised.
        """
        found = [(each.taken.object, each.receipt.giver) for each in self._large]

        def keep_and_work(at: Moment) -> T:
            for each in found:
                manager.reactor.holdings.take(*each, at)
            return work(at)

        try:
            for each in self._large:
                each.receipt.keep(each.taken.object)
            return manager.commands.call(keep_and_work)
        except BaseException:
            manager.commands.tell(lambda _at: manager.reactor.holdings.give_back(found), keep=False)
            raise

    def end(self) -> None:
        """What is not kept goes."""
        for receipt in [each.receipt for each in self._large] + ([self._open] if self._open else []):
            receipt.end()


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Problem(400, "the fields of a form are text in UTF-8") from None
