"""Which files may come now that jobs wait for, and what a depot has promised: those for which there is room."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from types import MappingProxyType

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.quotas import Quotas, Space, WaitsForRoom, reserved
from caroni_edge.agent.jobs.wants import id_of, want_of
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.agent.store.keeps import KeepRow
from caroni_edge.base.memory import Memory, MemorySet
from caroni_edge.config.hours import ALWAYS
from caroni_edge.config.model import EVERYBODY
from caroni_edge.objects.quota import Quota
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want

OF_A_JOB = 64
"""So many objects are fetched for one job at once: a directory may have thousands."""
KEPT_AT_ONCE = 500
"""So many objects are fetched at once that a depot is to keep."""
JOBS_FIRST = WaitsForRoom("", "jobs wait for room", "")
"""Why nothing is begun that is to be kept: what jobs wait for has the room before it."""
MANAGERS_SAID = 50
"""So many managers hear by the presence that there is no room."""
NOBODY: Mapping[str, WaitsForRoom] = MappingProxyType({})


class FileRoom(Memory):
    """Shares out the room for files: by the jobs in their order, and then to what was promised.

    Attributes:
        waiting: The jobs for whose files there is none now, and why, for people; any thread may ask.
    """

    def __init__(self, context: Context, quotas: Quotas, depot: Depot, locations: Locations) -> None:
        """Look at what may be here; `depot` hears whether it waits, and `locations` keeps room for other files."""
        super().__init__(context.journal)
        self._store, self._in_force, self._quotas = context.store, context.in_force, quotas
        self._depot, self._locations = depot, locations
        self._free_bytes: int | None = None
        self._disk_bytes = inf
        self._going_bytes = 0.0
        self._weighed_for = inf, Quota()
        self._weighed: MemorySet[str] = MemorySet(context.journal)  # jobs whose files the disk could hold
        self.waiting: Mapping[str, WaitsForRoom] = NOBODY

    def on_disk(self, free_bytes: int, disk_bytes: float) -> bool:
        """Note how much of the disk is free, and how much it has; return whether more or less is free than before."""
        self._disk_bytes, self._going_bytes = disk_bytes, 0
        has_changed = self._free_bytes is None or free_bytes != self._free_bytes
        self._free_bytes = free_bytes
        return has_changed

    def weigh_again(self, job: str) -> None:
        """Note that a job waits for more than before."""
        self._weighed.discard(job)

    @property
    def is_awaited(self) -> bool:
        """Whether something waits for room."""
        return bool(self.waiting) or self._depot.waits_for_room

    def too_large(self) -> Iterator[tuple[JobRow | KeepRow, str]]:
        """Yield jobs and promises for which there would be no room if nothing else were here, and why."""
        settings = self._in_force.settings
        most_bytes = self._disk_bytes - settings.disk_floor_bytes
        empty = Quota(settings.files_store_bytes, settings.files_per_manager_bytes)
        if (most_bytes, empty) != self._weighed_for:
            self._weighed.clear()
            self._weighed_for = most_bytes, empty
        waiting = dict.fromkeys(each.job for each in self._store.wanted.all(1))
        for gone in self._weighed - waiting.keys():
            self._weighed.discard(gone)
        for job in waiting:
            if job in self._weighed:
                continue
            need_bytes = self._store.wanted.all_bytes(job)
            row = self._store.jobs.by_job(job)
            assert row is not None
            if need_bytes > most_bytes:
                most = f"this agent's disk has room for {most_bytes:.0f} at most, since disk_floor stays free"
            elif (short := empty.why_not(row.manager, need_bytes)) is not None:
                most = f"this agent takes no job with so many: {short.why}"
            else:
                self._weighed.add(job)
                continue
            yield row, f"its files have {need_bytes} bytes together, and {most}"
        for keep in self._store.keeps.first(KEPT_AT_ONCE):
            short = empty.why_not(keep.manager, keep.size)
            if keep.size > most_bytes or short is not None:
                most = short.why if short is not None else f"this disk has room for {most_bytes:.0f} at most"
                yield keep, f"it has {keep.size} bytes, and there would never be room here: {most}"

    def wanted(self, begun: Mapping[FetchId, Want]) -> Mapping[FetchId, Want]:
        """Return what is to be fetched now: what has `begun` already, and what there is room for beside that.

        Of a job nothing is begun before there is room for all that it lacks: two that have half of it each would wait
        for each other.
        """
        found: dict[FetchId, Want] = {}
        jobs: dict[str, list[FetchId]] = {}
        for row in self._store.wanted.all(OF_A_JOB):
            fetch = id_of(row)
            jobs.setdefault(row.job, []).append(fetch)
            if fetch not in found:
                found[fetch] = want_of(row)
            elif row.is_directory:
                found[fetch] = found[fetch]._replace(is_directory=True)
        keeps = self._store.keeps.first(KEPT_AT_ONCE)
        kept = {id_of(row): want_of(row) for row in keeps}
        on_their_way = [want for fetch, want in {**kept, **found}.items() if fetch in begun]
        space = Space(self._quotas, self._room_bytes(), self._going_bytes, on_their_way)
        wanted: dict[FetchId, Want] = {}
        waiting: dict[str, WaitsForRoom] = {}
        for job, fetches in jobs.items():
            new = [fetch for fetch in fetches if fetch not in begun and fetch not in wanted]
            need_bytes = sum(found[fetch].object.size for fetch in new)
            if len(fetches) == OF_A_JOB:  # there may be more, of a directory
                all_bytes = self._store.wanted.lacking_bytes(job)
                need_bytes += all_bytes - sum(found[fetch].object.size for fetch in fetches)
            wanted.update((fetch, found[fetch]) for fetch in fetches if fetch in begun)
            manager = fetches[0].manager
            why_not = space.why_not(manager, need_bytes)
            if why_not is None:
                wanted.update((fetch, found[fetch]) for fetch in new)
            else:
                waiting[job] = why_not
                if len(new) == len(fetches):
                    continue
            space.take(manager, need_bytes)
        self._keep_too(wanted, keeps, begun, None if waiting else space)
        self._going_bytes = space.going_bytes
        self.waiting = MappingProxyType(waiting)
        self._quotas.reserved = reserved(wanted.values())
        return wanted

    def _keep_too(
        self,
        wanted: dict[FetchId, Want],
        keeps: Sequence[KeepRow],
        begun: Mapping[FetchId, Want],
        space: Space | None,
    ) -> None:
        """Add to what is fetched now what was promised: what is on its way, and what jobs leave room for."""
        no_room: str | None = None
        for row in keeps:
            fetch = id_of(row)
            if fetch in wanted:
                if row.is_directory:
                    wanted[fetch] = wanted[fetch]._replace(is_directory=True)
                continue
            if fetch not in begun:
                why_not = JOBS_FIRST if space is None else space.why_not(row.manager, row.size)
                if space is None or why_not is not None:
                    no_room = (why_not or JOBS_FIRST).setting
                    continue
                space.take(row.manager, row.size)
            wanted[fetch] = want_of(row)
        self._depot.without_room(no_room)

    def said(self) -> dict[str, str]:
        """Return what files of managers wait for here, for the presence; `*` stands for all. No number is in it."""
        when = self._in_force.settings.files.when
        said = {} if when == ALWAYS else {EVERYBODY: f"it fetches files from {when.begins} to {when.ends} alone"}
        for each in self.waiting.values():
            if len(said) < MANAGERS_SAID:
                said.setdefault(each.manager, f"it has no room for them now ({each.setting})")
        return said

    def _room_bytes(self) -> float:
        if self._free_bytes is None:
            return inf
        return self._free_bytes - self._in_force.settings.disk_floor_bytes - self._locations.reserved_bytes
