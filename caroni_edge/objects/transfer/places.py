"""The nodes that bytes come from: how they answer, how much they can send at once, when they are left alone."""

from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import NamedTuple

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.moment import Chance
from caroni_edge.objects.transfer.effects import PlacesSilent
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.window import RoundTrip
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_MIN

ROUNDS_MAX = 10
"""After so many rounds without an answer chunks become smaller; with the smallest, the place counts as unreachable."""
ROUNDS_ELSEWHERE = 3
"""After so many rounds without an answer the bytes come from another place, if there is one."""
ROUNDS_UNKNOWN = 1
"""So many are enough of a place that has not answered on this connection: each of them takes seconds."""
LEFT_ALONE = Backoff(first_s=10.0, max_s=300.0)
"""For so long a silent place is asked for nothing, when another one is asked instead."""
UNREACHABLE_FOR_S = 600.0
CHUNK_AGAIN_S = 3600.0
"""After so long the largest chunks are tried again."""
SILENT_AGAIN_S = 5.0
"""A silent place that is being asked for another object may be asked for this one after so long, if it has answered."""
RETRY_MIN_S, RETRY_MAX_S = 1.0, 3600.0
"""A holder may make an asker wait for so long, whatever it says."""


class Place(NamedTuple):
    """Where an object is, and what opens it.

    Attributes:
        holder: The node that has it.
        workflow: For which workflow of the manager it is there; the ticket is for that alone.
        generation: Which key of the manager and the holder has made the ticket.
        ticket: What shows the holder that the manager lets this node have it.
        direct: Where the holder gives it straight, `https://HOST[:PORT]`; empty: over the broker alone.
    """

    holder: Peer
    workflow: str
    generation: int
    ticket: str
    direct: str = ""


class Health:
    """What an asker knows of a holder, whatever it asks it for.

    Attributes:
        trip: How long it takes to answer.
        not_before: Until then it is asked for nothing.
        failures: How often it was left alone since it last answered.
        answers: It has answered what it was asked last, perhaps on an earlier connection.
    """

    def __init__(self) -> None:
        """Begin without knowing anything of it."""
        self.trip = RoundTrip()
        self.not_before = -inf
        self._missed = self._rounds = 0
        self._begin_anew(CHUNK_MAX)
        self.answers = False
        self._chunk, self._chunk_until = CHUNK_MAX, -inf

    def chunk(self, passes: int, now: float) -> int:
        """Return how many bytes one Data from there may carry, when this node's broker lets `passes` through."""
        return min(passes, self._chunk if now < self._chunk_until else CHUNK_MAX)

    def is_trusted(self) -> bool:
        """Tell whether no round has gone unanswered since its last answer; others are asked for one piece at a time."""
        return self._is_trusted

    def is_silent(self) -> bool:
        """Tell whether it has left so many questions unanswered that another place would be better."""
        return self._rounds_in_row >= (ROUNDS_ELSEWHERE if self.trip.is_known else ROUNDS_UNKNOWN)

    def is_mute(self) -> bool:
        """Tell whether it has left several questions unanswered since it last said something."""
        return self._unanswered >= ROUNDS_ELSEWHERE

    def answered(self, length: int) -> None:
        """So many bytes have come from there in one Data; that says nothing of larger ones that have not."""
        self.answers = True
        self._begin_anew(length)

    def _begin_anew(self, length: int) -> None:
        self._is_trusted = True
        self.failures = self._rounds_in_row = self._unanswered = 0
        self._round_until = -inf
        if length >= self._missed or self._missed <= CHUNK_MIN:
            self._rounds = self._missed = 0

    def missed(self, chunk: int, now: float) -> bool:
        """A round has brought nothing; return whether the place counts as unreachable now.

        Args:
            chunk: How many bytes one Data would have carried.
            now: Seconds on the monotonic clock.
        """
        if now < self._round_until:
            return False  # another object has said so already
        self.trip.missed()
        self._round_until = now + self.trip.timeout_s() / 2
        self._is_trusted = self.answers = False
        self._rounds, self._missed = self._rounds + 1, chunk
        self._rounds_in_row += 1
        self._unanswered += 1
        if self._rounds < ROUNDS_MAX:
            return False
        self._rounds = 0
        if chunk > CHUNK_MIN:
            self.narrow(max(CHUNK_MIN, chunk // 2), now)
            return False
        self.not_before = now + UNREACHABLE_FOR_S
        return True

    def narrow(self, chunk: int, now: float) -> None:
        """No chunk passes that is larger than `chunk`."""
        self._chunk, self._chunk_until = max(chunk, CHUNK_MIN), now + CHUNK_AGAIN_S

    def leave_alone(self, now: float) -> None:
        """It is silent, and there are other places."""
        self.not_before = max(self.not_before, now + LEFT_ALONE.nth(self.failures))
        self.failures += 1
        self._rounds_in_row = 0

    def wait(self, retry_after_s: float, now: float) -> None:
        """It wants to be left alone for a while."""
        self._unanswered = 0
        self.not_before = now + min(max(retry_after_s, RETRY_MIN_S), RETRY_MAX_S)

    def reconnected(self) -> None:
        """This node's connection is another one: nothing that was missed before says anything of the place."""
        self.trip = RoundTrip()
        self._begin_anew(CHUNK_MAX)
        self.not_before = -inf


class Places:
    """All holders that an asker has to do with."""

    def __init__(self, chance: Chance) -> None:
        """Begin without knowing any."""
        self._chance = chance
        self._health: dict[Peer, Health] = {}
        self._silent: frozenset[Peer] = frozenset()

    def health(self, holder: Peer) -> Health:
        """Return what is known of a holder."""
        return self._health.setdefault(holder, Health())

    def choose(
        self, places: Iterable[Place], not_before: Mapping[Peer, float], asked: Collection[Peer], now: float
    ) -> Place | None:
        """Return the place that has failed least of those that may be asked now; any of them if they are alike.

        One that has answered comes before others, unless it is being asked: so the others are tried, too, but nothing
        else waits for that.

        Args:
            places: Where an object is.
            not_before: When a holder may be asked for this object.
            asked: Holders that are being asked for an object; of these a silent one is not asked for a second.
            now: Seconds on the monotonic clock.
        """
        usable = [
            place
            for place in places
            if self._usable_at(place.holder, not_before) <= now
            and (self.health(place.holder).is_trusted() or place.holder not in asked)
        ]
        ranked = [(*self._rank(place.holder, asked), self._chance.random(), place) for place in usable]
        return min(ranked)[-1] if ranked else None

    def _rank(self, holder: Peer, asked: Collection[Peer]) -> tuple[int, bool]:
        health = self.health(holder)
        return health.failures, not health.answers or holder in asked

    def usable_at(self, places: Iterable[Place], not_before: Mapping[Peer, float], now: float) -> float:
        """Return when one of the places may be asked."""
        times = (self._usable_at(place.holder, not_before) for place in places)
        return min((time if time > now else now + SILENT_AGAIN_S for time in times), default=inf)

    def reconnected(self) -> None:
        """This node's connection is another one: nothing that was missed before says anything of a place."""
        for health in self._health.values():
            health.reconnected()

    def newly_silent(self) -> PlacesSilent | None:
        """Return which holders are silent, where these are others than when that was asked last."""
        silent = frozenset(holder for holder, health in self._health.items() if health.is_mute())
        if silent == self._silent:
            return None
        self._silent = silent
        return PlacesSilent(silent)

    def _usable_at(self, holder: Peer, not_before: Mapping[Peer, float]) -> float:
        return max(not_before.get(holder, -inf), self.health(holder).not_before)
