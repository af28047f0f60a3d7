"""The holder: gives bytes of objects to those who show a ticket, in turns and no faster than its owner lets it.

A sans-IO core, as the asker is: Asks come in, what is to be read and published goes out, the time is passed in. It
keeps nothing about an asker but the chunks that it has asked for and has not had: what gets lost is asked for again.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from typing import Protocol

from caroni_edge.objects.transfer.effects import HolderEffect, LetComeBack, MakeList, SayData, SayNo
from caroni_edge.objects.transfer.pieces import GRAIN, Grain, chunks_of, list_size
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.objects.transfer.tickets import Keys, Peer
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_SIZES, TRANSFER_VERSION, Ask, No, Reason

ASKERS_MAX = 64
"""So many nodes are served at a time; others hear `busy`."""
WAITING_MAX = 128
"""So many chunks may one asker wait for."""
NOES_MAX = 256
NO_LIST = b""
"""In the place of a block list that cannot be made: who asks for it next hears so, and then it is tried again."""
LISTS_MAX = 16
"""So many block lists are kept."""
BUSY_FOR_S, LIST_SOON_S, BACK_SOON_S = 5.0, 2.0, 1.0


class Rights(Protocol):
    """What a holder knows of whose its objects are."""

    def keys(self, manager: str) -> Keys | None:
        """Return the keys of a manager with this node."""

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        """Return the size of an object that a workflow of this manager has a reference to here; None without one."""


class _Asker:
    def __init__(self) -> None:
        self.chunks: OrderedDict[tuple[int, str, int], SayData] = OrderedDict()
        self.bucket = Bucket()

    @property
    def next(self) -> SayData:
        """What it has next; it waits for something."""
        return next(iter(self.chunks.values()))


class Holder:
    """All that this node gives to others.

    Attributes:
        passes: How many bytes one Data is known to carry through this node's broker.
        limit: More than so many it does not carry; what lies between waits until that is known.
        up: Lets so many bytes leave in a second.
    """

    def __init__(
        self,
        rights: Rights,
        up: float | None = None,
        grain: Grain = GRAIN,
        is_away: Callable[[str], bool] = lambda _sha256: False,
    ) -> None:
        """Begin with nobody to serve.

        Args:
            rights: Whose the objects are.
            up: So many bytes a second may leave; None: as many as do.
            grain: The sizes of blocks.
            is_away: Tells whether an object does not lie here now, but can come back.
        """
        self._rights, self._grain, self._is_away = rights, grain, is_away
        self.up = Bucket(up)
        self._askers: OrderedDict[Peer, _Asker] = OrderedDict()
        self._noes: deque[SayNo] = deque(maxlen=NOES_MAX)
        self._lists: OrderedDict[str, bytes | None] = OrderedDict()
        self._to_list: deque[str] = deque()
        self._to_come: deque[str] = deque()
        self.passes = self.limit = CHUNK_MAX
        self._asked_chunk = 0

    def asked(self, asker: Peer, ask: Ask, now: float) -> None:
        """Take an Ask; what cannot be given is answered by a No."""
        sha256 = ask.object.removeprefix("sha256:")
        keys = self._rights.keys(ask.manager)
        if keys is None or not keys.admit(ask.ticket, ask.generation, ask.workflow, asker):
            self._no(asker, ask.transfer, "ticket")
            return
        size = self._rights.size(ask.manager, ask.workflow, sha256)
        if size is not None and ask.part == "blocks":
            size = list_size(size, self._grain.segment)
        if size is None or any(offset + length > size for offset, length in ask.ranges):
            self._no(asker, ask.transfer, "unknown")
        elif ask.chunk > self.limit:
            self._too_large(asker, ask.transfer)
        elif self._is_away(sha256):
            self._come_again(asker, ask.transfer, sha256)
        elif ask.part == "blocks" and self._lists.get(sha256) == NO_LIST:
            del self._lists[sha256]
            self._no(asker, ask.transfer, "unknown")
        elif ask.part == "blocks" and self._lists.get(sha256) is None:
            self._make_list(sha256)
            self._no(asker, ask.transfer, "busy", LIST_SOON_S)
        elif asker not in self._askers and len(self._askers) >= ASKERS_MAX:
            self._no(asker, ask.transfer, "busy", BUSY_FOR_S)
        else:
            self._take(asker, ask, sha256)

    def due(self, now: float) -> HolderEffect | None:
        """Return what is to be done next, None when nothing is; each asker has one chunk, and then the next asker."""
        if self._to_list:
            return MakeList(self._to_list.popleft())
        if self._to_come:
            return LetComeBack(self._to_come.popleft())
        if self._noes:
            return self._noes.popleft()
        if self.up.wait_s(now):
            return None
        able = (asker for asker, waiting in self._askers.items() if self._may_have(waiting))
        asker = next((asker for asker in able if not self._askers[asker].bucket.wait_s(now)), None)
        if asker is None:
            return None
        waiting = self._askers[asker]
        _, data = waiting.chunks.popitem(last=False)
        self.up.take(data.length, now)
        waiting.bucket.take(data.length, now)
        self._askers.move_to_end(asker)
        if not waiting.chunks:
            del self._askers[asker]
        return data

    def next_due(self, now: float) -> float:
        """Return when `due` should be called again because of the time alone."""
        if self._to_list or self._to_come or self._noes:
            return now
        waits_s = [waiting.bucket.wait_s(now) for waiting in self._askers.values() if self._may_have(waiting)]
        return now + max(self.up.wait_s(now), min(waits_s)) if waits_s else inf

    def is_idle(self) -> bool:
        """Tell whether nobody waits for anything."""
        return not (self._askers or self._noes or self._to_list or self._to_come)

    def list_of(self, sha256: str) -> bytes:
        """Return the block list of an object, of which a chunk is due; nothing if others have taken its room."""
        return self._lists.get(sha256) or b""

    def listed(self, sha256: str, block_list: bytes | None) -> None:
        """Take a block list that was to be made; None: the object is damaged, or cannot be read."""
        self._lists.pop(sha256, None)
        self._lists[sha256] = NO_LIST if block_list is None else block_list
        while len(self._lists) > LISTS_MAX:
            self._lists.popitem(last=False)

    def unreadable(self, data: SayData) -> None:
        """The bytes cannot be read: nobody waits for more of this object."""
        if self._is_away(data.sha256):
            self._come_again(data.asker, data.transfer, data.sha256)
        else:
            self._no(data.asker, data.transfer, "unknown")
        self._drop(data.asker, data.transfer)

    @property
    def chunk(self) -> int:
        """For chunks of so many bytes it has use: one size more than was asked for, since that is asked for next."""
        return next((size for size in CHUNK_SIZES if size > self._asked_chunk), CHUNK_MAX)

    def learned(self, passes: int, limit: int) -> None:
        """Take note of how many bytes one Data carries, and of how many at most; who waits for more hears so."""
        self.passes, self.limit = passes, limit
        for asker, waiting in list(self._askers.items()):
            for transfer in dict.fromkeys(each.transfer for each in waiting.chunks.values() if each.length > limit):
                self._too_large(asker, transfer)
                self._drop(asker, transfer)

    def disconnected(self) -> None:
        """Who has asked asks again."""
        self._asked_chunk = 0
        self._askers.clear()
        self._noes.clear()

    def _take(self, asker: Peer, ask: Ask, sha256: str) -> None:
        waiting = self._askers.setdefault(asker, _Asker())
        waiting.bucket.rate = ask.rate or None
        self._asked_chunk = max(self._asked_chunk, ask.chunk)
        for offset, length in chunks_of(ask.ranges, ask.chunk):
            key = ask.transfer, ask.part, offset
            if len(waiting.chunks) < WAITING_MAX and key not in waiting.chunks:
                waiting.chunks[key] = SayData(asker, ask.transfer, sha256, ask.part, offset, length)

    def _may_have(self, waiting: _Asker) -> bool:
        """Tell whether it is known that the next chunk of an asker passes."""
        return waiting.next.length <= self.passes

    def _drop(self, asker: Peer, transfer: int) -> None:
        if waiting := self._askers.get(asker):
            for key in [key for key in waiting.chunks if key[0] == transfer]:
                del waiting.chunks[key]
            if not waiting.chunks:
                del self._askers[asker]

    def _too_large(self, asker: Peer, transfer: int) -> None:
        self._no(asker, transfer, "chunk" if self.limit else "busy", BUSY_FOR_S, self.limit)

    def _make_list(self, sha256: str) -> None:
        if sha256 not in self._lists and len(self._to_list) < LISTS_MAX:
            self._lists[sha256] = None
            self._to_list.append(sha256)

    def _come_again(self, asker: Peer, transfer: int, sha256: str) -> None:
        if sha256 not in self._to_come and len(self._to_come) < ASKERS_MAX:
            self._to_come.append(sha256)
        self._no(asker, transfer, "busy", BACK_SOON_S)

    def _no(self, asker: Peer, transfer: int, reason: Reason, retry_after_s: float = 0.0, chunk: int = 0) -> None:
        no = No(v=TRANSFER_VERSION, transfer=transfer, reason=reason, retry_after=retry_after_s, chunk=chunk)
        self._noes.append(SayNo(asker, no))
