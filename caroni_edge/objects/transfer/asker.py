"""The asker: fetches objects from nodes that hold them, whatever the broker and those nodes do (docs/protocol.md).

A sans-IO core: what is wanted and what holders say come in, Asks and what is to be done with a part file go out, the
time is passed in. It asks again for what does not come in time, goes to another place when one is silent, wrong or
busy, and believes nothing that does not have the hash it asked for. What it may have on its way is divided among the
managers, by their weights.
"""

from collections import deque
from collections.abc import Callable, Iterator
from math import inf

from caroni_edge.base.moment import Chance
from caroni_edge.objects.transfer.effects import AskerEffect, Failure, Fetched, FetchId, Held, PlaceFailed, SayAsk
from caroni_edge.objects.transfer.fetch import Fetch, Want
from caroni_edge.objects.transfer.pieces import GRAIN, Grain, Piece
from caroni_edge.objects.transfer.places import Place, Places
from caroni_edge.objects.transfer.progress import Progress
from caroni_edge.objects.transfer.queue import FetchQueue
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.objects.transfer.streams import Streams
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.window import Window
from caroni_edge.protocol.transfers import ASKED_CHUNKS_MAX, CHUNK_MIN, Data, No

AT_ONCE = 2
"""So many objects of a manager are asked for at a time; the window bounds the rest."""
FILL_SHARE = 8
"""Nothing is asked for before one part in so many of the window is free."""
REFUSED_FOR_S = 600.0
"""A place that does not have an object is asked for it again after so long."""
TICKET_AGAIN_S = 10.0
"""A place that does not take the ticket is asked again after so long: its key may be on its way there."""
DISK_AGAIN_S = 60.0


class Asker:
    """All that this node fetches.

    Attributes:
        passes: How many bytes one Data is known to carry through this node's broker; 0: none yet.
        closed_until: The owner lets nothing come before then.
        at_once: How many objects of a manager are asked for at a time.
        down: Lets so many bytes come in a second.
        ignored: How many answers were for nothing that was asked.
        effects: What is to be done, one by one, the first first; whoever does it takes it out.
    """

    def __init__(
        self,
        chance: Chance,
        weight_of: Callable[[str], float] = lambda _manager: 1.0,
        down: float | None = None,
        grain: Grain = GRAIN,
    ) -> None:
        """Begin without a connection.

        Args:
            chance: Where the numbers of transfers and jitter come from.
            weight_of: The share of a manager.
            down: So many bytes a second may come; None: as many as do.
            grain: The sizes of blocks.
        """
        self._chance, self._weight_of, self._grain = chance, weight_of, grain
        self._fetches: dict[FetchId, Fetch] = {}
        self._come: dict[FetchId, Fetch] = {}
        self._streams, self._queue = Streams(chance), FetchQueue()
        self._places = Places(chance)
        self._window, self.down = Window(), Bucket(down)
        self._is_connected, self._orders, self._fill_at = False, 0, inf
        self.passes = 0
        self.closed_until = -inf
        self.at_once = AT_ONCE
        self.ignored = 0
        self.effects: deque[AskerEffect] = deque()

    # What is wanted

    def fetch(self, want: Want, blocks: bytes = b"") -> None:
        """Fetch an object; if it is on its way, only its places are replaced, and if it has come, nothing is done.

        Args:
            want: What, for whom, and where it is.
            blocks: Those blocks that were saved by an earlier process.
        """
        self._orders += 1
        if fetch := self._come.get(want.id):
            fetch.want = want
            return
        if fetch := self._fetches.get(want.id):
            if fetch.stream is not None and fetch.stream.place not in want.places:
                self._streams.end(fetch)
            fetch.want, fetch.not_before = want, {}
        else:
            fetch = self._fetches[want.id] = Fetch(want, self._orders, self._grain, blocks)
        if fetch.stream is None:
            self._queue.add(fetch)
        if not want.places:
            self.effects.append(Held(want.id, want.object.size - fetch.pieces.left))

    def forget(self, fetch_id: FetchId) -> None:
        """Nobody wants it any more, or it was taken."""
        self._come.pop(fetch_id, None)
        if fetch := self._fetches.pop(fetch_id, None):
            self._streams.end(fetch)
            self._queue.remove(fetch)

    def is_idle(self) -> bool:
        """Tell whether nothing is wanted."""
        return not self._fetches

    def left_bytes(self, fetch_id: FetchId) -> int:
        """Return how many bytes of an object are missing."""
        return self._fetches[fetch_id].pieces.left

    def holder(self, fetch_id: FetchId) -> Peer | None:
        """Return the node that an object comes from now."""
        stream = self._fetches[fetch_id].stream
        return None if stream is None else stream.place.holder

    def progress(self) -> dict[FetchId, Progress]:
        """Return how far all is that is wanted."""
        return {each: Progress(self.left_bytes(each), self.holder(each)) for each in self._fetches}

    @property
    def chunk(self) -> int:
        """For chunks of so many bytes it has use."""
        return self._window.chunk

    # The connection

    def connected(self) -> None:
        """Nothing of what was asked for before will come."""
        self.disconnected()
        self._is_connected = True

    def disconnected(self) -> None:
        """Nothing can be asked for; nothing that has not come says anything of the places."""
        self._is_connected = False
        for fetch, _ in self._streams.all():
            self._wait(fetch)
        self._queue.wake_all()
        self._places.reconnected()
        self._say_silent()
        self._window.restart()

    # What holders say

    def heard(self, holder: Peer, answer: Data | No, now: float) -> None:
        """Take what a holder says; what was not asked for counts for nothing."""
        fetch = self._streams.find(answer.transfer)
        stream = fetch.stream if fetch else None
        if fetch is None or stream is None or stream.place.holder != holder:
            self.ignored += 1
        elif isinstance(answer, No):
            self._heard_no(fetch, holder, answer, now)
        else:
            self._heard_data(fetch, answer, now)

    def _heard_data(self, fetch: Fetch, data: Data, now: float) -> None:
        stream = fetch.stream
        assert stream is not None
        piece = Piece(data.offset, len(data.content))
        took_s = stream.came(piece, now)
        if took_s is None:
            self.ignored += 1
            return
        stream.health.answered(piece.length)
        self._say_silent()
        if took_s:
            stream.health.trip.measured(took_s)
            self._window.came(piece.length, took_s, stream.health.trip, now)
        if write := fetch.came(piece, data.content, now):
            self.effects.append(write)
        if fetch.has_list():
            self._streams.follow_list(fetch)
        self._look_at(fetch, now)

    def _heard_no(self, fetch: Fetch, holder: Peer, no: No, now: float) -> None:
        match no.reason:
            case "unknown" | "ticket":
                again_s = TICKET_AGAIN_S if no.reason == "ticket" else REFUSED_FOR_S
                self._failed(fetch, holder, no.reason, now + again_s)
                return
            case "chunk" if 0 < no.chunk < self._places.health(holder).chunk(self.passes, now):
                self._places.health(holder).narrow(no.chunk, now)
            case _:
                self._places.health(holder).wait(no.retry_after, now)
                self._say_silent()
        self._wait(fetch)

    # What was done

    def hashed(self, fetch_id: FetchId, turn: int, digest: bytes, now: float) -> None:
        """Take a hash that was wanted."""
        fetch = self._fetches.get(fetch_id)
        if fetch is None:
            return
        match fetch.hashed(turn, digest):
            case "right":
                self.forget(fetch_id)
                self._come[fetch_id] = fetch
                self.effects.append(Fetched(fetch_id))
                return
            case "bad" if fetch.stream is not None:
                self._failed(fetch, fetch.stream.place.holder, "bad", inf)
                return
            case "again" if fetch.stream is not None:
                self._streams.ask_for(fetch)
        self._look_at(fetch, now)

    def saved(self, fetch_id: FetchId, blocks: bytes) -> None:
        """What was to be made safe is so."""
        if fetch := self._fetches.get(fetch_id):
            fetch.safe_blocks = blocks

    def disk_failed(self, fetch_id: FetchId, now: float) -> None:
        """The part file could not be written or read: go on later, with what was safe."""
        self.effects = deque(effect for effect in self.effects if getattr(effect, "fetch", None) != fetch_id)
        if come := self._come.pop(fetch_id, None):
            self._fetches[fetch_id] = come
        if fetch := self._fetches.get(fetch_id):
            self._streams.end(fetch)
            self._queue.remove(fetch)
            fetch.go_back()
            self._queue.block(fetch, now + DISK_AGAIN_S)

    # What is due

    def step(self, now: float) -> None:
        """Do what is due; to be called after all that has come at once, and when `next_due` is reached."""
        for fetch, _ in self._streams.all():
            self._look_at_time(fetch, now)
        self._fill_at = inf
        if self._is_connected and self.passes:
            self._queue.wake(now)
            if now >= self.closed_until:
                self._fill(now)
            else:
                self._fill_at = self.closed_until

    def next_due(self) -> float:
        """Return when `step` should be called again because of the time alone."""
        due = [self._fill_at]
        for fetch, stream in self._streams.all():
            due += [stream.due, fetch.save_at]
        if self._is_connected and self.passes:
            due.append(self._queue.next_due())
        return min(due)

    def _look_at_time(self, fetch: Fetch, now: float) -> None:
        self._look_at(fetch, now)
        stream = fetch.stream
        if stream is None or now < stream.due:
            return
        timeout_s = stream.health.trip.timeout_s()
        chunk, others_came = stream.overdue(now)
        if not chunk:
            return
        self._streams.ask_for(fetch)
        if others_came:
            self._window.shrink(timeout_s, now)
        is_gone = stream.health.missed(chunk, now)
        self._say_silent()
        if is_gone:
            self._leave(stream.place.holder)
        elif stream.health.is_silent() and self._choose(fetch, now, instead=stream.place.holder):
            stream.health.leave_alone(now)
            self._leave(stream.place.holder)

    def _say_silent(self) -> None:
        if (news := self._places.newly_silent()) is not None:
            self.effects.append(news)

    def _look_at(self, fetch: Fetch, now: float) -> None:
        """See what has come: is it to be made safe, or to be hashed?"""
        if save := fetch.to_save(now):
            self.effects.append(save)
        if to_hash := fetch.to_hash():
            self.effects.append(to_hash)

    # What is asked for

    def _fill(self, now: float) -> None:
        """Ask for as much as the window has room for, in turns by the managers' weights."""
        flying = self._streams.flying_bytes()
        room = self._window.bytes - sum(flying.values())
        if room < self._window.bytes // FILL_SHARE:
            return  # many small Asks cost more than a few that are larger
        left = ASKED_CHUNKS_MAX - self._streams.flying()
        managers = dict.fromkeys([*self._streams.managers(), *self._queue.managers()])
        turns = {name: self._pieces(name, now) for name in managers}
        taken: dict[int, list[Piece]] = {}
        while turns and room > 0 and left > 0 and not self.down.wait_s(now):
            manager = min(turns, key=lambda name: flying.get(name, 0) / self._weight_of(name))
            found = next(turns[manager], None)
            if found is None:
                del turns[manager]
                continue
            number, piece = found
            taken.setdefault(number, []).append(piece)
            self.down.take(piece.length, now)
            flying[manager] = flying.get(manager, 0) + piece.length
            room -= piece.length
            left -= 1
        if turns and room > 0 and left > 0:
            self._fill_at = now + self.down.wait_s(now)
        for number, pieces in taken.items():
            asking = self._streams.find(number)
            assert asking is not None
            assert asking.stream is not None
            ask = asking.ask(pieces, max(CHUNK_MIN, *(piece.length for piece in pieces)), int(self.down.rate or 0))
            self.effects.append(SayAsk(asking.stream.place.holder, ask))

    def _pieces(self, manager: str, now: float) -> Iterator[tuple[int, Piece]]:
        """Yield what is to be asked for next of the objects of a manager."""
        for fetch in self._streams.asking(manager):
            yield from self._pieces_of(fetch, now)
        while self._trusted(manager) < self.at_once and (following := self._queue.pop(manager)):
            if self._begin(following, now):
                yield from self._pieces_of(following, now)

    def _trusted(self, manager: str) -> int:
        """Return how many objects of a manager are being asked for, but for those whose places are silent."""
        streams = (fetch.stream for fetch in self._streams.asking(manager))
        return sum(stream is not None and stream.health.is_trusted() for stream in streams)

    def _pieces_of(self, fetch: Fetch, now: float) -> Iterator[tuple[int, Piece]]:
        stream = fetch.stream
        assert stream is not None
        while stream.health.is_trusted() or not stream.flying:
            chunk = min(stream.health.chunk(self.passes, now), self._window.chunk)
            piece = stream.take(chunk, now, self._chance.random())
            if piece is None:
                self._streams.asked_for(fetch)
                return
            yield stream.number, piece

    def _begin(self, fetch: Fetch, now: float) -> bool:
        """Let an object come from the best of its places; without one it waits, and False is returned."""
        place = self._choose(fetch, now)
        if place is None:
            self._queue.block(fetch, self._places.usable_at(fetch.want.places, fetch.not_before, now))
            return False
        self._streams.begin(fetch, place, self._places.health(place.holder))
        self._look_at(fetch, now)
        return True

    def _choose(self, fetch: Fetch, now: float, instead: Peer | None = None) -> Place | None:
        others = [place for place in fetch.want.places if place.holder != instead]
        return self._places.choose(others, fetch.not_before, self._streams.holders(), now)

    # What is given up

    def _failed(self, fetch: Fetch, holder: Peer, why: Failure, until: float) -> None:
        self.effects.append(PlaceFailed(fetch.want.id, holder, why))
        fetch.not_before[holder] = until
        self._wait(fetch)

    def _leave(self, holder: Peer) -> None:
        for fetch in self._streams.of_holder(holder):
            self._wait(fetch)

    def _wait(self, fetch: Fetch) -> None:
        """An object does not come from its place any more; it is asked for again when it is its turn."""
        self._streams.end(fetch)
        self._queue.add(fetch)
