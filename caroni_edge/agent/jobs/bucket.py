"""What a depot has in its bucket: what is put there, goes from there, and comes back since somebody needs it."""

import logging
from collections.abc import Iterable

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.quotas import Quotas
from caroni_edge.agent.store.bucket import AWAY, BOTH, GOING, WANTED
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.objects.bucket import (
    Away,
    BringBack,
    BucketNews,
    BucketTrouble,
    Drop,
    IsBack,
    IsDropped,
    IsPut,
    Needed,
    NotInBucket,
    Put,
)
from caroni_edge.objects.objects import Object, ObjectId, sha256_of

log = logging.getLogger(__name__)

ORDERED_AT_ONCE = 100
PAGE = 1000


class InBucket(Part):
    """Has done what the rows want: they say what the bucket has, and it is asked only when somebody needs bytes.

    A bucket that does not answer has lost nothing. What it says that it does not have, or has wrongly, is lost, unless
    the bytes lie here.
    """

    def __init__(self, context: Context, objects: JobObjects, depot: Depot, quotas: Quotas) -> None:
        """Note in the deeds of `context` what is to be done; `depot` hears what is there, `objects` what is lost."""
        super().__init__(context.journal)
        self._store, self._in_force, self._objects = context.store, context.in_force, objects
        self._depot, self._quotas, self._deeds = depot, quotas, context.deeds
        # What is being done, by the state that it is for.
        self._ordered: MemoryDict[ObjectId, str] = MemoryDict(context.journal)
        self._coming: MemoryDict[ObjectId, int] = MemoryDict(context.journal)  # what comes back, and its size
        self._free_bytes: int | None = None

    @property
    def _is_used(self) -> bool:
        return self._in_force.settings.files.bucket is not None

    def on_disk(self, free_bytes: int) -> None:
        """Note how much of the disk is free; what comes back may wait for more, and a job has left some since."""
        self._free_bytes = free_bytes
        if self._coming:
            self._make_room()

    def on_start(self, at: Moment) -> None:
        """Say what lies in the bucket alone; where the owner has taken the bucket away, all of that is lost."""
        away: list[ObjectId] = []
        while found := self._store.bucket.in_state(AWAY, PAGE, after=away[-1] if away else ""):
            away += [each.object for each in found]
        if self._is_used:
            holds = bool(away or self._store.bucket.in_state(BOTH, 1))
            self._deeds.in_bucket(Away(tuple(away), holds))
            return
        self._store.bucket.forget()
        if away:
            self._objects.lose(away)
        self._depot.in_bucket(self._store.bucket.all_awaited(), at)

    def settle(self, at: Moment) -> None:
        """Order what is to be put there, and what is to go."""
        if not self._is_used:
            return
        for state in (WANTED, GOING):
            for each in self._store.bucket.in_state(state, ORDERED_AT_ONCE):
                if self._ordered.get(each.object) != state:
                    self._ordered[each.object] = state
                    found = Object(sha256_of(each.object), each.size)
                    self._deeds.in_bucket(Put(found) if state == WANTED else Drop(each.object))

    def on_news(self, news: BucketNews, at: Moment) -> None:
        """Take what has become of something; a repeat changes nothing."""
        match news:
            case IsPut(name):
                self._done(name, WANTED)
                if self._store.bucket.move(name, WANTED, BOTH):
                    self._depot.in_bucket(self._store.bucket.awaited(name), at)
            case IsDropped(name):
                self._done(name, GOING)
                self._store.bucket.gone(name)
            case Needed(objects):
                self._bring_back(objects)
            case IsBack(name):
                self._coming.pop(name, None)
                if self._store.bucket.move(name, AWAY, BOTH):
                    self._store.objects.use(name, at.date)
                elif not self._store.objects.is_here(name):
                    self._deeds.discard([name])
            case NotInBucket(name, why):
                self._coming.pop(name, None)
                self._on_missing(name, why)
            case BucketTrouble(why):
                self._depot.bucket_trouble = why

    def _done(self, name: ObjectId, state: str) -> None:
        if self._ordered.get(name) == state:
            del self._ordered[name]

    def _on_missing(self, name: ObjectId, why: str) -> None:
        """Take it that the bucket does not have what it should: it gets it again from here, or all is lost."""
        if self._store.bucket.state(name) not in (BOTH, AWAY):
            return
        log.error("%s is not in the bucket: %s", name, why, extra={"action": "not_in_bucket"})
        if not self._store.bucket.move(name, BOTH, WANTED):
            self._store.bucket.move(name, AWAY, GOING)
            self._objects.lose([name])

    def _bring_back(self, names: Iterable[ObjectId]) -> None:
        """Have objects come back that lie in the bucket alone; room is made once for all of them."""
        coming: dict[ObjectId, int] = {}
        for name in names:
            found = self._store.objects.found(name)
            if found is not None and name not in self._coming and self._store.bucket.state(name) == AWAY:
                coming[name] = found.size
        if coming:
            self._coming.update(coming)
            self._make_room()
            self._deeds.in_bucket(*(BringBack(Object(sha256_of(name), size)) for name, size in coming.items()))

    def _make_room(self) -> None:
        """Let lie in the bucket alone what no job needs, so that what comes back has room here."""
        need_bytes, settings, quota = sum(self._coming.values()), self._in_force.settings, self._quotas.quota()
        lacking = 0 if quota.store is None else quota.used + need_bytes - quota.store
        if self._free_bytes is not None:
            lacking = max(lacking, need_bytes + settings.disk_floor_bytes - self._free_bytes)
        self._quotas.leave_to_bucket(lacking)
