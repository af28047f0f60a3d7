"""How much the files of managers may take here; what nobody needs makes room, and what is needed never goes."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from caroni_edge.agent.context import Context
from caroni_edge.agent.store.bucket import AWAY, BOTH
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.objects.bucket import Leave
from caroni_edge.objects.objects import ObjectId
from caroni_edge.objects.quota import NOTHING, Quota, Short
from caroni_edge.objects.store.rows import StoredObject

log = logging.getLogger(__name__)

LEAVE_AT_ONCE = 10_000


class WaitsForRoom(NamedTuple):
    """Why files of a job are not fetched now.

    Attributes:
        manager: Whose job it is.
        setting: What bounds them.
        why: For people.
    """

    manager: str
    setting: str
    why: str


class Space:
    """What is left for files that are to be fetched, while it is shared out among jobs.

    Attributes:
        going_bytes: What was let go for room on the disk, which is not there before the disk was looked at again.
    """

    def __init__(
        self, quotas: "Quotas", disk_bytes: float, going_bytes: float, taken: Iterable[tuple[str, int]]
    ) -> None:
        """Begin with what is left now.

        Args:
            quotas: What may be here, and what goes.
            disk_bytes: What the disk has room for, with what is on its way.
            going_bytes: What was let go, and may be there still.
            taken: How many bytes what is being fetched takes, each with its manager.
        """
        self._quotas, self._quota = quotas, quotas.quota()
        self._disk_bytes, self.going_bytes = disk_bytes, going_bytes
        for manager, size_bytes in taken:
            self.take(manager, size_bytes)

    def take(self, manager: str, size_bytes: int) -> None:
        """Reserve so many bytes for files of a manager."""
        self._disk_bytes -= size_bytes
        self._quota = self._quota.with_more(manager, size_bytes)

    def why_not(self, manager: str, size_bytes: int) -> WaitsForRoom | None:
        """Return why so many bytes of a manager do not fit now, though all has gone that could; None when they do."""
        if not size_bytes:
            return None
        self._quota, short = self._quotas.fit(self._quota, manager, size_bytes)
        if short is not None:
            return WaitsForRoom(manager, short.setting, f"waits for room: {short.why}")
        lacking = size_bytes - self._disk_bytes
        if lacking <= 0:
            return None
        if lacking > self.going_bytes:
            self.going_bytes += self._quotas.make_disk_room(lacking - self.going_bytes)
        why = f"waits for room: the disk has {lacking:.0f} bytes too few, if disk_floor is to stay free"
        return WaitsForRoom(manager, "disk_floor", why)


def reserved(taken: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Return how many bytes are taken in all, by manager."""
    found: Counter[str] = Counter()
    for manager, size_bytes in taken:
        found[manager] += size_bytes
    return MappingProxyType(found)


class Quotas(Part):
    """Counts by rows, and lets go what has no reference, the longest unused first, where another file needs its room.

    Whoever takes the outputs of jobs hears how much there is (`JobFiles.bound`).

    Attributes:
        reserved: How many bytes are on their way here, by manager.
    """

    def __init__(self, context: Context) -> None:
        """Look at what is in force; what is let go is deleted by the deeds of `context`."""
        super().__init__(context.journal)
        self._store, self._in_force, self._deeds = context.store, context.in_force, context.deeds
        self.reserved: Mapping[str, int] = NOTHING
        self._told = Quota()

    def quota(self) -> Quota:
        """Return what lies here now, and what may; where nothing is bounded nothing is counted."""
        settings = self._in_force.settings
        quota = Quota(settings.files_store_bytes, settings.files_per_manager_bytes)
        if not quota.is_bounded:
            return quota
        used_by = {each.manager: each.size for each in self._store.object_totals.of_managers()}
        used = self._store.object_totals.of_all().size - self._store.bucket.away_bytes()
        return quota._replace(used=used, used_by=used_by)

    def fit(self, quota: Quota, manager: str, size_bytes: int) -> tuple[Quota, Short | None]:
        """Let go what nobody needs, as far as so many bytes of a manager fit then.

        Args:
            quota: What lies here or is reserved.
            manager: Whose bytes they are.
            size_bytes: How many.

        Returns:
            What lies here or is reserved then, and why they do not fit; None when they do.
        """
        while (short := quota.why_not(manager, size_bytes)) is not None:
            before = self.quota()
            if not self.make_room(manager, short):
                return quota, short
            quota = quota.with_less(before, self.quota())
        return quota, None

    def make_room(self, manager: str, short: Short) -> bool:
        """Let go what nobody needs so that some bytes of a manager fit; return whether there was enough of that."""
        if short.of_manager:
            return self._let_go(self._store.object_totals.unneeded_of(manager), short.lacking) > 0
        return self.make_disk_room(short.lacking) > 0

    def make_disk_room(self, lacking: float) -> int:
        """Let go what nobody needs so that the disk has so many bytes more, soon; return how many that are.

        What lies in the bucket, too, goes from here first: nothing is lost by that.
        """
        left_bytes = self.leave_to_bucket(lacking)
        more = lacking - left_bytes
        return left_bytes if more <= 0 else left_bytes + self._let_go(self._store.objects.unneeded(), more)

    def leave_to_bucket(self, lacking: float) -> int:
        """Let objects lie in the bucket alone, so many bytes or fewer; return how many."""
        if lacking <= 0:
            return 0
        leaving: list[ObjectId] = []
        size_bytes = 0
        for each in self._store.bucket.idle(LEAVE_AT_ONCE):
            if size_bytes >= lacking:
                break
            leaving.append(each.object)
            size_bytes += each.size
            self._store.bucket.move(each.object, BOTH, AWAY)
        if leaving:
            self._deeds.in_bucket(Leave(tuple(leaving)))
            log.info("%d objects lie in the bucket alone now", len(leaving), extra={"action": "objects_left"})
        return size_bytes

    def _let_go(self, unneeded: Iterable[StoredObject], lacking: float) -> int:
        going: list[ObjectId] = []
        size_bytes = 0
        for each in unneeded:
            if size_bytes >= lacking:
                break
            going.append(each.object)
            size_bytes += each.size
        if size_bytes < lacking:
            return 0
        self._store.objects.delete(going)
        self._deeds.discard(going)
        log.info("%d objects make room for others", len(going), extra={"action": "objects_pruned"})
        return size_bytes

    def on_start(self, at: Moment) -> None:
        """Say how much room there is before the first output is taken."""
        self._tell()

    def settle(self, at: Moment) -> None:
        """Say how much room there is, where that has changed."""
        self._tell()

    def _tell(self) -> None:
        quota = self.quota()
        for manager, size_bytes in self.reserved.items() if quota.is_bounded else ():
            quota = quota.with_more(manager, size_bytes)
        if quota != self._told:
            self._told = quota
            self._deeds.bound(quota)
