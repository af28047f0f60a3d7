"""Fetches objects straight from the hosts of nodes that have them, and leaves to the broker what does not come so.

The part files are those of the data connection: whatever has come this way or that, the other one goes on with it. One
of them has an object at a time.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Protocol

from caroni_edge.config.hours import second_of_day
from caroni_edge.config.model import FilesConfig
from caroni_edge.node.dataconnection import Supervise
from caroni_edge.node.httpget import Begin, Got, NotGot, Trust, get
from caroni_edge.node.turns import LOOK_EVERY_S, Task, Turns
from caroni_edge.objects.transfer.effects import Fetched, FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.partfiles import PartFiles
from caroni_edge.objects.transfer.pieces import GRAIN, Piece, Pieces
from caroni_edge.objects.transfer.progress import Meter, Moving, Progress
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.ways import Claim, Way, Ways, object_at

log = logging.getLogger(__name__)

SAVE_BYTES = 32 << 20
"""What a crash costs."""


class ByBroker(Protocol):
    """What fetches all else (`caroni_edge.node.dataconnection.DataConnection`); for any thread."""

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""

    def forget(self, fetch: FetchId) -> None:
        """Nobody wants an object any more; what is here of it goes."""


class _Stop(Exception):
    """Nothing more of it may come now."""


@dataclass(slots=True, kw_only=True)
class _Direct(Task):
    """An object that comes directly; `then`: what is wanted by its name when it has been given up."""

    want: Want
    way: Way
    left_bytes: int
    then: Want | None = None


class DirectFetches:
    """All that this node fetches directly. All methods may be called by any thread."""

    def __init__(
        self,
        me: Peer,
        parts: Path,
        bounds: FilesConfig,
        tell: Callable[[Fetched, Path], None],
        supervise: Supervise,
        down: Bucket,
        by_broker: ByBroker,
        clock: Callable[[], float] = second_of_day,
    ) -> None:
        """Prepare; threads begin with the first object.

        Args:
            me: This node.
            parts: The directory of part files, of the data connection too.
            bounds: What the owner lets come, when, and from where.
            tell: Is called with what has come and its file, to be taken before `forget`.
            supervise: Runs something in a thread of a name.
            down: Lets so much come in a second, of other files too.
            by_broker: Fetches what does not come directly.
            clock: Returns how many seconds of the owner's day are over.
        """
        self._me, self._parts, self._bounds, self._tell, self._down = me, parts, bounds, tell, down
        self._by_broker, self._clock = by_broker, clock
        self._trust, self._ways = Trust(bounds.hosts, bounds.ca_file), Ways(bounds.hosts)
        self._turns: Turns[FetchId, _Direct] = Turns("direct", supervise, bounds.at_once, self._work)
        self._at_broker: set[FetchId] = set()
        self._meter = Meter()

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""
        with self._turns.changed:
            known = self._turns.tasks.get(want.id)
            if known is not None and known.is_unwanted:
                known.then = want
                return
            if known is not None:
                known.want = want
                if not known.is_active:  # its ticket may be another one
                    known.way = self._ways.choose(want.places, monotonic()) or known.way
                return
            way = None
            if want.id not in self._at_broker and want.object.size:
                way = self._ways.choose(want.places, monotonic())
            if way is None:
                self._leave(want)
                return
        task = _Direct(manager=want.manager, order=want.order, want=want, way=way, left_bytes=want.object.size)
        self._turns.add(want.id, task)

    def _leave(self, want: Want) -> None:
        self._at_broker.add(want.id)
        self._by_broker.fetch(want)

    def forget(self, fetch: FetchId) -> None:
        """Nobody wants an object any more, or it was taken."""
        with self._turns.changed:
            self._at_broker.discard(fetch)
            known = self._turns.tasks.get(fetch)
            if known is not None and known.is_active:
                known.is_unwanted, known.then = True, None
                self._turns.changed.notify_all()
                return
            self._turns.tasks.pop(fetch, None)
            self._by_broker.forget(fetch)

    def moving(self) -> Moving:
        """Return how far all is that comes directly."""
        with self._turns.changed:
            fetches = {
                name: Progress(each.left_bytes, each.way.place.holder if each.is_active else None, is_direct=True)
                for name, each in self._turns.tasks.items()
                if not each.is_done
            }
            return Moving(fetches, self._meter.came_bytes, rate=self._meter.rate(monotonic()))

    def close(self) -> None:
        """End; what is safe stays for the next start."""
        self._turns.close()

    # The threads

    def _work(self, task: _Direct) -> None:
        parts = PartFiles(self._parts)
        is_left, path = False, None
        try:
            if self._wait_s():
                task.not_before = monotonic() + min(self._wait_s(), LOOK_EVERY_S)
            else:
                path = self._get(task, parts)
        except _Stop:
            pass
        except NotGot as problem:
            is_left = True
            self._say(task, problem)
        except OSError as error:
            is_left = True
            log.warning("an object cannot be written: %s", error, extra={"action": "part_failed"})
        finally:
            parts.close()
        self._end(task, path, is_left=is_left)

    def _say(self, task: _Direct, problem: NotGot) -> None:
        facts = {"action": "direct_failed", "peer": str(task.way.place.holder), "object": task.want.object.sha256}
        log.warning(
            "nothing comes from %s, so it comes over the broker: %s", task.way.address.authority, problem, extra=facts
        )
        if problem.status != HTTPStatus.SERVICE_UNAVAILABLE:
            with self._turns.changed:
                self._ways.failed(task.way, monotonic())

    def _end(self, task: _Direct, path: Path | None, *, is_left: bool) -> None:
        name = task.want.id
        with self._turns.changed:
            task.is_active = False
            if task.is_unwanted:
                del self._turns.tasks[name]
                self._by_broker.forget(name)
                if task.then is not None:
                    self._leave(task.then)
            elif is_left:
                del self._turns.tasks[name]
                self._leave(task.want)
            task.is_done = path is not None
            self._turns.changed.notify_all()
        if path is not None and not task.is_unwanted:
            self._tell(Fetched(name), path)

    def _wait_s(self) -> float:
        return self._bounds.when.wait_s(self._clock())

    def _get(self, task: _Direct, parts: PartFiles) -> Path:
        """Fetch what is missing of an object; return its file when that is whole and right."""
        want, place = task.want, task.way.place
        pieces = Pieces(want.object.size, GRAIN.block, parts.saved(want.id))
        claim = Claim(want.manager, place.workflow, self._me, place.generation, place.ticket)
        for run in runs_of(pieces):
            begin, end = run[0].offset, run[-1].offset + run[-1].length
            asked = Begin(begin, None if end == want.object.size else end)
            with closing(
                get(object_at(task.way.address, want.object.sha256), self._trust, asked, claim.headers)
            ) as got:
                if got.size != want.object.size or got.offset != begin:
                    raise NotGot("it gives another file, or another part of it")
                self._receive(task, pieces, run, got, parts)
        if parts.hash(want.id, 0, want.object.size).hex() != want.object.sha256:
            parts.remove(want.id)
            raise NotGot("what has come from there are other bytes")
        return parts.finish(want.id)

    def _receive(self, task: _Direct, pieces: Pieces, run: list[Piece], got: Got, parts: PartFiles) -> None:
        name, unsaved_bytes = task.want.id, 0
        try:
            for piece in run:
                parts.write(name, piece.offset, got.read_all(piece.length))
                pieces.came(piece)
                task.left_bytes = pieces.left
                unsaved_bytes += piece.length
                self._meter.came_bytes += piece.length
                self._down.take(piece.length, monotonic())
                if not self._turns.wait(task, self._down.wait_s) or self._wait_s():
                    raise _Stop
                if unsaved_bytes >= SAVE_BYTES:
                    unsaved_bytes = 0
                    parts.save(name, bytes(pieces.blocks))
        finally:
            if unsaved_bytes and not task.is_unwanted:
                parts.save(name, bytes(pieces.blocks))


def runs_of(pieces: Pieces) -> Iterator[list[Piece]]:
    """Yield the blocks that are missing, those together that follow each other."""
    run: list[Piece] = []
    while (piece := pieces.take(GRAIN.block)) is not None:
        if run and run[-1].offset + run[-1].length != piece.offset:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run
