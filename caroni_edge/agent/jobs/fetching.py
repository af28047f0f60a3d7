"""Which files are fetched from other nodes for jobs that wait for them, and what becomes of those jobs."""

import logging
from collections.abc import Sequence
from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.aside import Aside
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.fileroom import FileRoom
from caroni_edge.agent.jobs.ledger import Ledger, ids
from caroni_edge.agent.jobs.wants import has, id_of, places_of, places_text
from caroni_edge.agent.lifecycle import JobEvent, JobState
from caroni_edge.agent.processes.port import FetchedNoDirectory, ObjectFetched, ObjectNews, PlaceRefused
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.agent.store.keeps import KeepRow
from caroni_edge.agent.store.wanted import Lacking, WaitingJob
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.transfer.effects import FetchId, Held, PlacesSilent
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Peer
from caroni_edge.protocol.depots import ObjectsKeep
from caroni_edge.protocol.objects import ObjectBad, ObjectKey, ObjectsWanted
from caroni_edge.values.carried import called, objects_in
from caroni_edge.values.json import from_text

log = logging.getLogger(__name__)

TELL_AGAIN_S = 120.0
"""After so long a manager hears again that a ticket of its is not taken: what it has said may be lost by a restore."""

ROOM_AGAIN_S = 10.0
"""So often is looked whether there is room for what waits for it."""


class Fetching(Part):
    """Has the files brought that jobs wait for, the first job's first, as far as there is room for them."""

    def __init__(self, context: Context, ledger: Ledger, room: FileRoom, depot: Depot, aside: Aside) -> None:
        """Fetch what there is `room` for, of what jobs wait for and `depot` has promised; some is set `aside`."""
        super().__init__(context.journal)
        self._store, self._outbox, self._deeds = context.store, context.outbox, context.deeds
        self._ledger, self._room, self._depot, self._aside = ledger, room, depot, aside
        self._wants: MemoryDict[FetchId, Want] = MemoryDict(context.journal)  # what is fetched
        self._refused: MemoryDict[FetchId, frozenset[Place]] = MemoryDict(context.journal)  # where it is not
        # When was said that a ticket is none of ours.
        self._told: MemoryDict[tuple[FetchId, Peer], float] = MemoryDict(context.journal)
        self._seen, self._look_due = -1, inf

    def on_start(self, at: Moment) -> None:
        """Go on with what was wanted when the last process ended."""
        self._wants.update(self._room.wanted(self._aside.on_start(at.now), at))
        self._seen = self._store.wanted.changes()
        self._deeds.begin_fetches(self._wants.values())

    def on_disk(self, free_bytes: int, disk_bytes: float) -> None:
        """Note how much of the disk is free, and how much it has."""
        if self._room.on_disk(free_bytes, disk_bytes):
            self._seen = -1

    # What managers say

    def on_key(self, manager: str, message: ObjectKey, at: Moment) -> None:
        """Take the key by which a manager makes tickets for what lies here."""
        self._store.object_keys.put(manager, Key(message.generation, message.secret))

    def on_places(self, manager: str, message: ObjectsWanted, at: Moment) -> None:
        """Take other places of what a job waits for."""
        row = self._store.jobs.by_job(message.job)
        if row is None or row.manager != manager or row.status is not JobState.STAGING:
            log.info("ignored: places for a job that waits for no files", extra={"action": "stale_places"})
            return
        wanted = self._store.wanted.of(row.job)
        lost = [each for each in wanted if not any(has(place, each, each.object) for place in message.places)]
        if lost:
            found = Object(sha256_of(lost[0].object), lost[0].size)
            self._end(row, f"{self._called(row, found)} is not to be had anywhere any more", at, final=False)
            return
        self._store.wanted.set_places(row.job, places_text(message.places))
        for each in wanted:
            fetch = id_of(each)
            self._begin_anew(fetch)
            if (want := self._wants.get(fetch)) is not None:
                self._wants[fetch] = want._replace(places=())  # the same ticket may open now what it did not before
        self._seen = -1

    def on_keep(self, manager: str, message: ObjectsKeep, at: Moment) -> None:
        """Promise to keep objects; what comes already may come from other places, or by tickets that are taken now."""
        self._depot.on_keep(manager, message, at)
        doubtful = {*self._refused, *(fetch for fetch, _ in self._told)}
        for fetch in sorted(doubtful & self._wants.keys()):
            want = self._wants[fetch]
            promised = self._store.keeps.of(manager, want.object.id) if want.manager == manager else ()
            if any(row.workflow == message.workflow for row in promised):
                self._begin_anew(fetch)
                self._wants[fetch] = want._replace(places=())
        self._seen = -1

    # What is brought

    def on_news(self, news: ObjectNews, at: Moment) -> None:
        """Take what is told of what is fetched."""
        match news:
            case ObjectFetched():
                self._on_fetched(news, at)
            case FetchedNoDirectory():
                self._on_no_directory(news, at)
            case PlaceRefused():
                self._on_refused(news, at)
            case PlacesSilent(holders):
                self._aside.on_silent(holders)
                self._seen = -1
            case Held(fetch, came):
                self._aside.on_held(fetch, came)
                self._seen = -1

    def _on_fetched(self, news: ObjectFetched, at: Moment) -> None:
        """Keep an object that lies here now, for the manager that it was fetched for; queue who waited for it."""
        manager, name = news.fetch.manager, news.object.id
        waiting = self._store.wanted.jobs(manager, name)
        if news.files is None:  # who waits for a directory by that name goes on to do so
            waiting = [each for each in waiting if not each.is_directory]
        promised = self._depot.waiting(news)
        if waiting or promised:
            self._store.objects.add(news.object, manager=manager, date=at.date)
            if news.files is not None:
                self._store.objects.put_directory(name, news.files)
        for each in waiting:
            self._store.objects.refer(name, manager=manager, workflow=each.workflow, job=each.job, date=at.date)
            if each.is_directory:
                files = self._store.objects.files_lacking(manager, name)
                lacking = (Lacking(Object(sha256_of(file.object), file.size), directory=name) for file in files)
                self._store.wanted.add(each.job, lacking, each.places)
                self._room.weigh_again(each.job)
            if not self._store.wanted.came(each.job, name):
                row = self._store.jobs.by_job(each.job)
                assert row is not None
                self._ledger.bring_files(row)
        self._depot.came(promised, at)
        self._forget(news.fetch)
        if not self._store.objects.is_here(name):
            self._deeds.discard([name])

    def _on_no_directory(self, news: FetchedNoDirectory, at: Moment) -> None:
        """End the jobs that have taken for a directory what is none."""
        want = self._wants.get(news.fetch)
        if want is not None:
            jobs = self._store.wanted.jobs(want.manager, want.object.id)
            self._refuse(want, [each.job for each in jobs if each.is_directory], f"is none: {news.why}", at)
            promised = self._store.keeps.of(want.manager, want.object.id)
            self._depot.give_up([each for each in promised if each.is_directory], f"it is no directory: {news.why}")
            self._forget(news.fetch)
            self._seen = -1  # who waits for a file by that name has it fetched anew

    def _on_refused(self, news: PlaceRefused, at: Moment) -> None:
        """Tell the manager that a place does not give what it was said to have; end the jobs for which none does."""
        want = self._wants.get(news.fetch)
        told = self._told.get((news.fetch, news.holder), -inf)
        if want is None or (news.why == "ticket" and at.now < told + TELL_AGAIN_S):
            return
        log.warning(
            "%s does not give %s: %s",
            *(news.holder, want.object.id, news.why),
            extra={"action": "place_refused", "peer": want.manager},
        )
        waiting = self._store.wanted.jobs(want.manager, want.object.id)
        promised = self._store.keeps.of(want.manager, want.object.id)
        asked = frozenset(place for place in want.places if place.holder == news.holder)
        for each in [each for each in waiting if asked.intersection(places_of(each, want.object.id))][:1]:
            named = each.directory or want.object.id
            bad = ObjectBad(job=each.job, object=named, place=str(news.holder), reason=news.why)
            self._outbox.put(want.manager, bad)
        self._depot.say_refused([row for row in promised if asked.intersection(places_of(row, want.object.id))], news)
        if news.why == "ticket":
            self._told[news.fetch, news.holder] = at.now
            return  # another one will come
        refused = self._refused[news.fetch] = self._refused.get(news.fetch, frozenset()) | asked
        # The file may lie elsewhere for other workflows, or there for them alone.
        lost = [each for each in waiting if refused.issuperset(places_of(each, want.object.id))]
        lost_keeps = [each for each in promised if refused.issuperset(places_of(each, want.object.id))]
        for each in lost:
            self._refuse(want, [each.job], f"is not to be had from {_named(each, want)} any more", at)
        for row in lost_keeps:
            self._depot.give_up([row], f"it is not to be had from {_named(row, want)} any more")
        if lost or lost_keeps or refused.issuperset(want.places):
            self._begin_anew(news.fetch)

    def _refuse(self, want: Want, jobs: Sequence[str], why: str, at: Moment) -> None:
        for job in jobs:
            row = self._store.jobs.by_job(job)
            assert row is not None
            self._end(row, f"{self._called(row, want.object)} {why}", at, final=True)

    def _end(self, row: JobRow, reason: str, at: Moment, *, final: bool) -> None:
        """End a job that does not get a file."""
        self._ledger.refuse(row, JobEvent.FILES_REFUSED, reason, at, tell=False)
        self._ledger.decline(row.manager, row, reason, at, final=final)
        log.error("%s", reason, extra={"action": "files_refused", **ids(row)})

    def _called(self, row: JobRow, found: Object) -> str:
        """Return how people hear of an object that a job waits for: it may be one of many in a directory."""
        values = objects_in(from_text(row.inputs))
        of = next((each.directory for each in self._store.wanted.of(row.job) if each.object == found.id), "")
        if of and found.id not in values:
            return f"a file of {called(of, values.get(ObjectId(of), {}))} ({found.size} bytes)"
        return called(found.id, values.get(found.id, {"size": found.size}))

    def _begin_anew(self, fetch: FetchId) -> None:
        """What places have said of an object counts no more."""
        self._refused.pop(fetch, None)
        for each in [each for each in self._told if each[0] == fetch]:
            del self._told[each]

    def _forget(self, fetch: FetchId) -> None:
        self._wants.pop(fetch, None)
        self._begin_anew(fetch)
        self._deeds.forget_fetch(fetch)

    # What is wanted

    def settle(self, at: Moment) -> None:
        """Have fetched what is wanted now, and nothing else."""
        if self._store.wanted.changes() == self._seen and at.now < self._look_due:
            return
        self._end_too_large(at)
        self._seen = self._store.wanted.changes()
        wanted = self._room.wanted(self._wants, at)
        self._look_due = at.now + ROOM_AGAIN_S if self._room.is_awaited else inf
        for fetch in [each for each in self._wants if each not in wanted]:
            self._forget(fetch)
        for fetch, want in wanted.items():
            known = self._wants.get(fetch)
            if known is not None and known.object.size != want.object.size:
                self._forget(fetch)  # one of two jobs was told another size: what has come by that may not fit
            if known != want:
                self._wants[fetch] = want
                self._deeds.fetch(want)

    def next_due(self) -> float:
        """Return when to look again whether there is room."""
        return self._look_due

    def _end_too_large(self, at: Moment) -> None:
        """End jobs, and refuse to keep objects, for which there would be no room if nothing else were here."""
        for row, why in self._room.too_large():
            if isinstance(row, KeepRow):
                self._depot.give_up([row], why)
            else:
                self._end(row, why, at, final=True)


def _named(row: WaitingJob | KeepRow, want: Want) -> str:
    """Return who was said to have an object, for people."""
    return " and ".join(sorted({place.holder.node for place in places_of(row, want.object.id)}))
