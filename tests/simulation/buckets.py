"""The bucket of a depot: it outlives the depot's disk, may be away, and what it lacks is said."""

from collections import deque
from collections.abc import Callable
from hashlib import sha256
from random import Random

from caroni_edge.objects.bucket import (
    Away,
    BringBack,
    BucketOrder,
    Drop,
    IsBack,
    IsDropped,
    IsPut,
    Leave,
    NotInBucket,
    Put,
)
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.transfer.tickets import Peer
from tests.simulation.carrier import Carrier
from tests.simulation.contents import files_in
from tests.simulation.stores import Store

TAKES_S = 3.0
AGAIN_S = 5.0


class DepotStore(Store):
    """The objects of a depot, and its bucket.

    Attributes:
        contents: What lies in the bucket, by hash.
        is_down: The bucket does not answer.
    """

    def __init__(self, peer: Peer, carrier: Carrier, chance: Random) -> None:
        """Begin with an empty bucket."""
        self.contents: dict[str, bytes] = {}
        self.is_down = False
        super().__init__(peer, carrier, chance)

    def _end(self) -> None:
        super()._end()
        self._away: set[str] = set()
        self._orders: deque[Callable[[], None]] = deque()

    def do(self, order: BucketOrder) -> None:
        """Do something in the bucket (see `BucketUser`)."""
        match order:
            case Away(names):
                self._away.update(map(sha256_of, names))
            case Leave(names):
                for name in map(sha256_of, names):
                    self._away.add(name)
                    self.objects.pop(name, None)
            case Put(found):
                self._away.discard(found.sha256)
                self._in_turn(lambda: self._put_there(found))
            case Drop(name):
                self._away.discard(sha256_of(name))
                self._in_turn(lambda: self._drop(name))
            case BringBack(found):
                self._in_turn(lambda: self._bring(found))

    def _in_turn(self, work: Callable[[], None]) -> None:
        self._orders.append(work)
        if len(self._orders) == 1:
            self._later(TAKES_S * self._chance.random())

    def _later(self, wait_s: float) -> None:
        life = self._lives
        self._carrier.later(wait_s, lambda: self._next() if life == self._lives and self._orders else None)

    def _next(self) -> None:
        if self.is_down:
            self._later(AGAIN_S)
            return
        self._orders.popleft()()
        if self._orders:
            self._later(TAKES_S * self._chance.random())

    def _put_there(self, found: Object) -> None:
        if self._is_right(found):
            self.contents[found.sha256] = self.objects[found.sha256]
            self.tell(IsPut(found.id))
        else:
            self.verify((found,))

    def _drop(self, name: ObjectId) -> None:
        self.contents.pop(sha256_of(name), None)
        self.tell(IsDropped(name))

    def _bring(self, found: Object) -> None:
        content = self.contents.get(found.sha256, b"")
        if sha256(content).hexdigest() != found.sha256:
            self.tell(NotInBucket(found.id, "other bytes"))
            return
        self.objects[found.sha256] = content
        self.lost.discard(found.sha256)
        self._away.discard(found.sha256)
        self.tell(IsBack(found.id))

    def _is_away(self, name: str) -> bool:
        return name in self._away

    def is_whole(self, name: str) -> bool:
        """Tell whether an object lies in the bucket with all that it names: a depot's word is about that."""
        return all(each in self.contents for each in (name, *(file.sha256 for file in files_in(name))))
