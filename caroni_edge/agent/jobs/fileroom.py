"""Which files may come now that jobs wait for, and what a depot has promised: those for which there is room."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import inf
from types import MappingProxyType

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.aside import Aside
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.quotas import Quotas, Space, WaitsForRoom, reserved
from caroni_edge.agent.jobs.wants import id_of, together, want_of
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.agent.store.keeps import KeepRow
from caroni_edge.base.memory import Memory, MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.config.hours import ALWAYS
from caroni_edge.config.model import EVERYBODY
from caroni_edge.objects.quota import PER_MANAGER, Quota
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

    def __init__(self, context: Context, quotas: Quotas, depot: Depot, locations: Locations, aside: Aside) -> None:
        """Look at what may be here, and what is set `aside`.

        `depot` hears whether something waits that it has promised, and `locations` keeps room for other files.
        """
        super().__init__(context.journal)
        self._store, self._in_force, self._quotas = context.store, context.in_force, quotas
        self._depot, self._locations, self._aside = depot, locations, aside
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

    def wanted(self, begun: Collection[FetchId], at: Moment) -> Mapping[FetchId, Want]:
        """Return what is to be fetched now: what has `begun` already, and what there is room for beside that.

        What is set aside is among it, and has no places then: what has come of it stays here, and no more comes.

        Args:
            begun: What was to be fetched before.
            at: The time.
        """
        found, jobs = self._of_jobs()
        keeps = self._store.keeps.first(KEPT_AT_ONCE)
        known = dict(found)
        for row in keeps:
            _add(known, want_of(row))
        coming = {fetch: known[fetch] for fetch in known if fetch in begun}
        self._aside.look(coming, at.now)
        taken = [(want.manager, self._aside.takes(want)) for want in coming.values()]
        share = _Share(Space(self._quotas, self._room_bytes(), self._going_bytes, taken), self._aside, found, coming)
        late = {job for job, fetches in jobs.items() if any(self._aside.is_late(each, at.now) for each in fetches)}
        late_keeps = {row.turn for row in keeps if self._aside.is_late(id_of(row), at.now)}
        for is_late in (False, True):
            for job, fetches in jobs.items():
                if (job in late) == is_late:
                    share.give_job(job, fetches, self._more_bytes(job, fetches, found))
            jobs_wait = bool(share.waiting) and not is_late
            for row in keeps:
                if (row.turn in late_keeps) == is_late:
                    share.give_keep(row, jobs_wait=jobs_wait)
        for fetch in self._aside.in_vain(at.now):
            if share.is_awaited(fetch):
                share.set_aside(fetch, at.now)
        self._depot.without_room(share.no_room)
        self._going_bytes = share.space.going_bytes
        self.waiting = MappingProxyType(share.waiting)
        self._quotas.reserved = reserved((want.manager, self._aside.takes(want)) for want in share.all())
        return {want.id: want for want in share.all()}

    def _of_jobs(self) -> tuple[dict[FetchId, Want], dict[str, list[FetchId]]]:
        """Return what jobs wait for, and which job for what, in their order."""
        found: dict[FetchId, Want] = {}
        jobs: dict[str, list[FetchId]] = {}
        for row in self._store.wanted.all(OF_A_JOB):
            fetch = id_of(row)
            jobs.setdefault(row.job, []).append(fetch)
            _add(found, want_of(row))
        return found, jobs

    def _more_bytes(self, job: str, fetches: Sequence[FetchId], found: Mapping[FetchId, Want]) -> int:
        """Return how many bytes a job waits for beside some: there may be more, of a directory."""
        if len(fetches) < OF_A_JOB:
            return 0
        return self._store.wanted.lacking_bytes(job) - sum(found[fetch].object.size for fetch in fetches)

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


def _add(found: dict[FetchId, Want], want: Want) -> None:
    """Let an object come for one more job, or promise."""
    known = found.get(want.id)
    found[want.id] = want if known is None else together(known, want)


class _Share:
    """The room, while it is shared out.

    Of a job nothing is begun before there is room for all that it lacks: two that have half of it each would wait for
    each other.

    Attributes:
        space: What is left of it.
        waiting: The jobs that do not get any, and why.
        no_room: Which setting leaves none for something that was promised; None: there is room for all of that.
    """

    def __init__(
        self, space: Space, aside: Aside, found: Mapping[FetchId, Want], coming: Mapping[FetchId, Want]
    ) -> None:
        """Begin with what is `coming`, of what jobs wait for (`found`) and other things."""
        self.space, self._aside, self._found = space, aside, found
        self._coming = {fetch: want for fetch, want in coming.items() if fetch not in aside}
        self._wanted = {fetch: found[fetch] for fetch in found if fetch in self._coming}
        self._held: dict[FetchId, Want] = {}
        self._others: list[WaitsForRoom] = []  # why what could come waits
        self.waiting: dict[str, WaitsForRoom] = {}
        self.no_room: str | None = None

    def all(self) -> list[Want]:
        """Return what is fetched, and what is here of what was set aside."""
        held = [want._replace(places=()) for fetch, want in self._held.items() if fetch not in self._wanted]
        return [*self._wanted.values(), *held]

    def give_job(self, job: str, fetches: Sequence[FetchId], more_bytes: int) -> None:
        """Let a job have room for its files, and for so many bytes more."""
        new = [self._found[fetch] for fetch in fetches if fetch not in self._wanted]
        if any(self._aside.is_being_set(want.id) for want in new):
            self._hold(new)
            return
        need_bytes = more_bytes + sum(map(self._aside.lacks, new))
        if self._give(fetches[0].manager, new, need_bytes, job) or len(new) < len(fetches):
            self.space.take(fetches[0].manager, need_bytes)

    def give_keep(self, row: KeepRow, *, jobs_wait: bool) -> None:
        """Let what was promised have room, if jobs leave any."""
        want = want_of(row)
        if want.id in self._wanted:
            _add(self._wanted, want)
        elif want.id in self._coming:
            self._wanted[want.id] = want
        elif jobs_wait or self._aside.is_being_set(want.id):
            self._hold([want])
            self.no_room = JOBS_FIRST.setting
        else:
            need_bytes = self._aside.lacks(want)
            if self._give(row.manager, [want], need_bytes):
                self.space.take(row.manager, need_bytes)

    def _give(self, manager: str, new: Sequence[Want], need_bytes: int, job: str = "") -> bool:
        why_not = self.space.why_not(manager, need_bytes)
        if why_not is None:
            self._wanted.update((want.id, want) for want in new)
            self._aside.back(want.id for want in new)
            return True
        if job:
            self.waiting[job] = why_not
        else:
            self.no_room = why_not.setting
        if not any(map(self._aside.is_silent, new)):
            self._others.append(why_not)
        self._hold(new)
        return False

    def _hold(self, wants: Iterable[Want]) -> None:
        """Keep what is here of what was set aside."""
        self._held.update((want.id, want) for want in wants if want.id in self._aside)

    def is_awaited(self, fetch: FetchId) -> bool:
        """Tell whether somebody waits for room that a file has."""
        return any(why.setting != PER_MANAGER or why.manager == fetch.manager for why in self._others)

    def set_aside(self, fetch: FetchId, now: float) -> None:
        """Take back the room of a file."""
        self._aside.put(fetch, now)
        self._held[fetch] = self._wanted.pop(fetch)
