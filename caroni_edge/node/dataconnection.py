"""The second connection of a node: the bytes of objects, in a thread of their own, so that they never hold up the link.

It is open only while something is fetched or given. What it does is decided by `Asker` and `Holder`; here are the
thread and the clock, `DataTransport` has the connection and `ObjectDisk` the files. All methods may be called by any
thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

from caroni_edge.base.chance import SystemChance
from caroni_edge.config.hours import second_of_day
from caroni_edge.config.model import FilesConfig
from caroni_edge.node.datatransport import DataTransport, Hears
from caroni_edge.node.objectdisk import ObjectDisk
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import id_of
from caroni_edge.objects.transfer.asker import Asker
from caroni_edge.objects.transfer.effects import (
    AskerEffect,
    Fetched,
    FetchId,
    Hash,
    Held,
    HolderEffect,
    LetComeBack,
    MakeList,
    PlaceFailed,
    PlacesSilent,
    Save,
    SayAsk,
    SayData,
    SayNo,
    Told,
    Write,
)
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.holder import Holder, Rights
from caroni_edge.objects.transfer.progress import Meter, Moving
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import ASKED_CHUNKS_MAX, Ask, Data, No, encode_data
from caroni_edge.transport.base import Transport

log = logging.getLogger(__name__)

WAITING_MAX = 16
"""So many chunks may wait for the network: what waits there delays a fairer turn."""
CLOSED_AFTER_S = 5.0
"""It is closed after so long without anything to fetch or to give."""
UNSAID_MAX = 2 * ASKED_CHUNKS_MAX
"""So much is kept of what the network has no room for: all Asks, each for one chunk, and once more."""
HASHED_AT_ONCE_BYTES = 64 << 10
"""What is not longer, and was written just now, is hashed sooner than another thread is told to."""
EVENTS_AT_ONCE = 256
T = TypeVar("T")
Supervise = Callable[[str, Callable[[], None]], Thread]
Begin = Callable[[Want], None]


@dataclass(frozen=True)
class Surroundings:
    """What the data connection needs of its node.

    Attributes:
        connect: Makes a transport with the client id of the data connection, a clean session and `WAITING_MAX`.
        rights: Whose the objects here are.
        files: The objects.
        parts: The directory of part files.
        tell: Is called with what has come and its file, to be taken before `forget`, and with what failed.
        bounds: What the owner lets flow.
        clock: Returns how many seconds of the owner's day are over.
    """

    connect: Callable[[], Transport]
    rights: Rights
    files: ObjectFiles
    parts: Path
    tell: Callable[[Told, Path | None], None]
    bounds: FilesConfig
    clock: Callable[[], float] = second_of_day


class DataConnection:
    """Fetches objects for this node, and gives those that others may have."""

    def __init__(self, topics: Topics, around: Surroundings, flow: Flow | None = None) -> None:
        """Prepare; `start` begins the threads, and the connection is made when it is needed."""
        self._topics, self._around = topics, around
        self._asker, self._holder = Asker(SystemChance()), Holder(around.rights, is_away=self._is_away)
        bounds = around.bounds
        flow = flow or Flow(bounds.up, bounds.down)
        self._asker.at_once, self._asker.down, self._holder.up = bounds.at_once, flow.down, flow.up
        self._disk = ObjectDisk(around.parts, around.files)
        self._todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
        hears = Hears(self._wants, self._learned, self._asker.connected, self._answered, self._writable, self._ended)
        self._transport = DataTransport(topics, around.connect, self._todo.put, hears)
        self._is_stopping = False
        self._unsaid: deque[tuple[str, bytes]] = deque()  # what the network has no room for now
        self._idle_since = inf
        self._waits: str | None = None  # for the owner's hours
        self._thread: Thread | None = None
        self._meter, self._moving = Meter(), Moving()

    def start(self, supervise: Supervise, wanted: Iterable[Want] = (), by: Begin | None = None) -> None:
        """Begin with what is wanted from before; part files of anything else are deleted.

        Args:
            supervise: Runs something in a thread of a name, and sees to it that its end does not go unnoticed.
            wanted: What is to be fetched.
            by: Fetches each of them; None: this connection does.
        """
        wants = list(wanted)
        self._disk.parts.keep_only([want.id for want in wants])
        for want in wants:
            (by or self.fetch)(want)
        self._thread = supervise("objects", self._run)
        supervise("objects-disk", self._disk.run)

    def stop(self) -> None:
        """End the connection and the threads; what is safe stays for the next start."""
        self._todo.put(self._stop)
        if self._thread is not None:
            self._thread.join()  # which may have died of a fault

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""
        self._todo.put(partial(self._disk.begin, want.id, partial(self._asker.fetch, want)))

    def forget(self, fetch: FetchId) -> None:
        """Nobody wants an object any more."""
        self._todo.put(partial(self._forget, fetch))

    def asked(self, asker: Peer, ask: Ask) -> None:
        """Take an Ask, which the node has heard by its own connection, since this one is not always open."""
        self._todo.put(lambda: self._holder.asked(asker, ask, monotonic()))

    def own_was_cut_off(self) -> None:
        """Note that the node's own connection has ended: perhaps because of this one."""
        self._todo.put(lambda: self._transport.own_was_cut_off(monotonic()))

    def moving(self) -> Moving:
        """Return what comes and goes."""
        return self._moving._replace(problem=self._waits or self._transport.problem)

    # The thread

    def _run(self) -> None:
        while True:
            self._take(min(self._due(), monotonic() + CLOSED_AFTER_S))
            if self._is_stopping:
                return
            now = monotonic()
            self._transport.step(now)
            self._keep_hours(now)
            self._open_or_close(now)
            self._asker.step(now)
            while self._asker.effects:
                self._do(self._asker.effects.popleft(), now)
                if not self._asker.effects:
                    self._asker.step(now)
            self._give(now)
            if self._meter.is_due(now):
                rate = self._meter.look(now)
                self._moving = Moving(self._asker.progress(), self._meter.came_bytes, self._meter.gave_bytes, rate)

    def _take(self, until: float) -> None:
        """Wait for something to do, and do what has come together."""
        try:
            self._todo.get(timeout=max(0.0, until - monotonic()))()
            for _ in range(EVENTS_AT_ONCE):
                self._todo.get_nowait()()
        except Empty:
            return

    def _due(self) -> float:
        due = min(self._asker.next_due(), self._transport.due())
        if self._transport.is_flowing and not self._unsaid:
            due = min(due, self._holder.next_due(monotonic()))
        return due

    def _keep_hours(self, now: float) -> None:
        """Let nothing be asked for outside of the owner's hours; looked at anew each time, since clocks are changed."""
        when = self._around.bounds.when
        wait_s = when.wait_s(self._around.clock())
        self._asker.closed_until = now + wait_s if wait_s else -inf
        self._waits = f"waits for {when.begins} (files.when)" if wait_s else None

    def _open_or_close(self, now: float) -> None:
        fetches = not self._asker.is_idle() and now >= self._asker.closed_until
        if fetches or not self._holder.is_idle():
            self._idle_since = inf
            self._transport.open(now)
        else:
            self._idle_since = min(self._idle_since, now)
            if now >= self._idle_since + CLOSED_AFTER_S:
                self._close()

    def _close(self) -> None:
        self._transport.close()
        self._disk.close()

    def _stop(self) -> None:
        self._is_stopping = True
        self._close()
        self._disk.stop()

    # What the connection says

    def _wants(self) -> int:
        return max(self._asker.chunk, self._holder.chunk)

    def _learned(self, passes: int, limit: int) -> None:
        self._asker.passes = passes
        self._holder.learned(passes, limit)

    def _answered(self, holder: Peer, answer: Data | No, at: float) -> None:
        self._meter.came_bytes += len(answer.content) if isinstance(answer, Data) else 0
        self._asker.heard(holder, answer, at)

    def _writable(self) -> None:
        while self._unsaid and self._transport.publish(*self._unsaid[0]):
            self._unsaid.popleft()

    def _ended(self) -> None:
        self._unsaid.clear()
        self._asker.disconnected()
        self._holder.disconnected()

    # What is wanted done

    def _do(self, effect: AskerEffect, now: float) -> None:
        match effect:
            case SayAsk(holder, ask):
                self._say(self._topics.ask_of(*holder), encode(ask))
            case Write(fetch, offset, content):
                try:
                    self._disk.parts.write(fetch, offset, content)
                except OSError as error:
                    self._disk_failed(fetch, error)
            case Save(fetch, blocks):
                saved = partial(self._asker.saved, fetch, blocks)
                self._on_disk(fetch, partial(self._disk.parts.save, fetch, blocks), lambda _: saved())
            case Hash(fetch, turn, offset, length):
                hashing = partial(self._disk.parts.hash, fetch, offset, length)
                hashed = partial(self._hashed, fetch, turn)
                if length <= HASHED_AT_ONCE_BYTES:
                    self._at_once(fetch, hashing, hashed)
                else:
                    self._on_disk(fetch, hashing, hashed)
            case Fetched(fetch):
                self._disk.parts.close_one(fetch)
                self._at_once(fetch, partial(self._disk.parts.finish, fetch), partial(self._around.tell, effect))
            case PlaceFailed() | PlacesSilent() | Held():
                self._around.tell(effect, None)

    def _hashed(self, fetch: FetchId, turn: int, digest: bytes) -> None:
        self._asker.hashed(fetch, turn, digest, monotonic())

    def _at_once(self, fetch: FetchId, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do with a file what takes no longer than to have another thread do it."""
        try:
            result = work()
        except OSError as error:
            self._disk_failed(fetch, error)
        else:
            then(result)

    def _on_disk(self, fetch: FetchId, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Let the thread of the disk do something, and go on with its result in this one."""

        def done(result: T | OSError) -> None:
            if isinstance(result, OSError):
                self._disk_failed(fetch, result)
            else:
                then(result)

        self._disk.do(work, lambda result: self._todo.put(partial(done, result)))

    def _forget(self, fetch: FetchId) -> None:
        self._asker.forget(fetch)
        self._disk.remove(fetch, self._todo.put)

    def _disk_failed(self, fetch: FetchId, error: OSError) -> None:
        ids = {"action": "part_failed", "manager": fetch.manager, "object": fetch.sha256}
        log.warning("an object cannot be written: %s", error, extra=ids)
        self._asker.saved(fetch, self._disk.left(fetch))
        self._asker.disk_failed(fetch, monotonic())

    def _give(self, now: float) -> None:
        """Give what others have asked for, as long as the network takes it."""
        while self._transport.is_flowing and not self._unsaid and (effect := self._holder.due(now)) is not None:
            self._do_for_others(effect)

    def _do_for_others(self, effect: HolderEffect) -> None:
        match effect:
            case MakeList(sha256):
                listed = partial(self._holder.listed, sha256)
                self._disk.do(
                    partial(self._disk.make_list, sha256),
                    lambda found: self._todo.put(partial(listed, None if isinstance(found, OSError) else found)),
                )
                return
            case LetComeBack(sha256):
                self._around.files.let_come_back(id_of(sha256))
                return
            case SayNo(asker, no):
                payload = encode(no)
            case SayData(asker=asker, transfer=transfer, offset=offset):
                try:
                    content = self._bytes_of(effect)
                except OSError as error:
                    log.warning("an object cannot be read: %s", error, extra={"action": "object_unreadable"})
                    self._holder.unreadable(effect)
                    return
                if len(content) != effect.length:
                    return
                payload = encode_data(Data(transfer, offset, content))
                self._meter.gave_bytes += len(content)
        self._say(self._topics.answer_to(*asker), payload)

    def _say(self, topic: str, payload: bytes) -> None:
        """Publish something, in its turn behind what the network has no room for now."""
        if not self._transport.is_open or len(self._unsaid) >= UNSAID_MAX:
            return  # it is lost, and asked for again
        self._unsaid.append((topic, payload))
        self._writable()

    def _is_away(self, sha256: str) -> bool:
        return self._around.files.is_away(id_of(sha256))

    def _bytes_of(self, data: SayData) -> bytes:
        if data.part == "blocks":
            return self._holder.list_of(data.sha256)[data.offset : data.offset + data.length]
        return self._disk.read(data.sha256, data.offset, data.length)
