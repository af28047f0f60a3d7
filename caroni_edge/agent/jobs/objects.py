"""The objects of jobs: which may be taken, which a job has given, and which go since nobody needs them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from caroni_edge.agent.context import Context
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.agent.store.bucket import AWAY, BOTH
from caroni_edge.agent.store.jobs import TRIAL, JobRow
from caroni_edge.agent.store.wanted import Lacking
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.objects.bucket import Leave
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.store.rows import THE_WORKFLOW
from caroni_edge.protocol.keeping import ObjectsDrop, ObjectsGone
from caroni_edge.protocol.messages import Values
from caroni_edge.protocol.objects import ObjectsCheck
from caroni_edge.values.carried import NotCarried, is_directory, object_of, objects_in
from caroni_edge.values.json import shown

log = logging.getLogger(__name__)

CACHE_S = 3600.0
"""So long an object stays that no job needs any more."""
BATCH_OBJECTS = 200
GONE_AT_ONCE = 100
STOCK_PAGE = 1000


class Missing(NamedTuple):
    """Why a job cannot have a file, for people.

    Attributes:
        why: In words.
        gone: The object that is not here, and that no place is named for; None where the inputs are wrong.
    """

    why: str
    gone: ObjectId | None = None


class JobObjects(Part):
    """Keeps the rows of objects true to what jobs take and give."""

    def __init__(self, context: Context) -> None:
        """Note in the deeds of `context` what is to be done on disk, and say to managers what is lost."""
        super().__init__(context.journal)
        self._store, self._outbox, self._deeds = context.store, context.outbox, context.deeds
        self._look_due = inf

    def on_start(self, at: Moment) -> None:
        """Have what has rows compared with what is on disk."""
        known: list[Object] = []
        while found := self._store.objects.after(known[-1].id if known else "", STOCK_PAGE):
            known += [Object(sha256_of(each.object), each.size) for each in found]
        self._deeds.take_stock(each for each in known if self._store.bucket.state(each.id) != AWAY)

    def settle(self, at: Moment) -> None:
        """Let go what nobody has needed for a while, the oldest first."""
        self._look_due = inf
        oldest = self._store.objects.oldest_unreferenced()
        if oldest is None:
            return
        wait_s = oldest + CACHE_S - at.date
        if wait_s > 0:
            self._look_due = at.now + min(wait_s, CACHE_S)
            return
        self._look_due = at.now
        found = self._store.objects.unreferenced(at.date - CACHE_S, BATCH_OBJECTS)
        self._store.objects.delete(found)
        self._deeds.discard(found)
        log.info("%d objects go that nobody needs", len(found), extra={"action": "objects_pruned"})

    def next_due(self) -> float:
        """Return when to look again."""
        return self._look_due

    def lacking(self, manager: str, inputs: Values) -> list[Lacking]:
        """Return the objects among inputs that are fine and do not lie here, or for somebody else only.

        Of a directory that is here they are those that it names; of another one nobody knows them yet.
        """
        found: list[Lacking] = []
        for name, value in objects_in(inputs).items():
            asked = object_of(value)
            if asked is None:
                continue
            if not self._has(manager, asked, value):
                found.append(Lacking(asked, is_directory=is_directory(value)))
            elif is_directory(value):
                for file in self._store.objects.files_lacking(manager, name):
                    found.append(Lacking(Object(sha256_of(file.object), file.size), directory=name))
        return found

    def _has(self, manager: str, asked: Object, value: Mapping[str, Any]) -> bool:
        """Tell whether an object lies here for a manager, as what it is in a value: a file, or a directory."""
        found = self._store.objects.of(manager, asked.id)
        return found is not None and (not is_directory(value) or self._store.objects.is_directory(asked.id))

    def missing(
        self, manager: str, inputs: Values, may_come: Callable[[ObjectId], bool] = lambda _name: False
    ) -> Missing | None:
        """Return why a job cannot have the objects among its inputs; None when it can.

        What lies here for somebody else only is missing, too: a hash is no right.

        Args:
            manager: Whose job it is.
            inputs: Those that are known.
            may_come: Tells whether an object can be fetched, or may be named anew.
        """
        for name, value in objects_in(inputs).items():
            try:
                asked = object_of(value)
            except NotCarried as problem:
                return Missing(str(problem))
            if asked is not None and may_come(name) and not self._has(manager, asked, value):
                continue
            found = self._store.objects.of(manager, name)
            if asked is None or found is None or found.size != asked.size or not self._has(manager, asked, value):
                return Missing(f"{_called(name, value)} is not on this host", name if found is None else None)
            if is_directory(value) and not may_come(name) and self._store.objects.files_lacking(manager, name):
                return Missing(f"not all files of {_called(name, value)} are on this host")
        return None

    def say_gone(self, manager: str, name: ObjectId) -> None:
        """Tell a manager that an object is not here, or not for it."""
        self._outbox.put(manager, ObjectsGone(objects=(name,)))

    def on_check(self, manager: str, message: ObjectsCheck, at: Moment) -> None:
        """Look at objects that somebody did not get rightly from here; a manager hears which are gone.

        Of a directory all files are looked at, too. Nobody got from here what lies in the bucket alone.
        """
        for name in map(ObjectId, message.objects):
            found = self._store.objects.of(manager, name)
            if found is None:
                self.say_gone(manager, name)
                continue
            some = (found, *self._store.objects.files(name))
            here = (each for each in some if self._store.bucket.state(each.object) != AWAY)
            self._deeds.verify(Object(sha256_of(each.object), each.size) for each in here)

    def refer(self, manager: str, workflow: str, job: str, inputs: Values, at: Moment) -> tuple[Object, ...]:
        """Keep what a job takes and lies here, until its manager has acknowledged its end; return it."""
        wanted = [each for value in objects_in(inputs).values() if (each := object_of(value)) is not None]
        found = [each for each in wanted if self._store.objects.of(manager, each.id) is not None]
        for each in found:
            self._store.objects.refer(each.id, manager=manager, workflow=workflow, job=job, date=at.date)
        return tuple(found)

    def on_completed(self, row: JobRow, ended: JobEnded, at: Moment) -> None:
        """Keep what a job has given until its manager drops it; of a trial, as long as that is known here."""
        job = row.job if row.manager == TRIAL else THE_WORKFLOW
        for each in ended.stored:
            self._store.objects.add(each, manager=row.manager, date=at.date)
        for directory in ended.directories:
            self._store.objects.put_directory(directory.object.id, directory.files)
        for each in ended.objects:
            self._store.objects.refer(each.id, manager=row.manager, workflow=row.workflow, job=job, date=at.date)

    def on_ended(self, ended: JobEnded) -> None:
        """Let go, once all is committed, what a job has given and nobody keeps."""
        if ended.objects:
            self._deeds.settle_objects(ended.job)
            self._deeds.discard(each.id for each in ended.stored if not self._store.objects.is_here(each.id))
        if ended.damaged is not None:
            self.lose([ended.damaged])

    def on_drop(self, manager: str, message: ObjectsDrop, at: Moment) -> None:
        """Keep no more what a manager does not need; its bytes go when they have not been used for a while."""
        after, upto = message.after or "", message.upto or ""
        self._store.objects.drop(manager, message.workflow, after=after, upto=upto, but=message.but)

    def lose(self, objects: Sequence[ObjectId]) -> None:
        """Forget objects that are not here any more, or damaged, and tell the managers that count on them.

        A directory goes with any of its files. What lies in the bucket too is not lost.
        """
        objects = [name for name in objects if not self._is_in_bucket(name)]
        directories = dict.fromkeys(each for name in objects for each in self._store.objects.directories_with(name))
        self._deeds.discard(name for name in directories if name not in objects)
        objects = [*dict.fromkeys([*objects, *directories])]
        gone: dict[str, list[ObjectId]] = {}
        for name in objects:
            log.error("an object is damaged, or gone: %s", name, extra={"action": "object_lost"})
            for manager in self._store.objects.keepers(name):
                gone.setdefault(manager, []).append(name)
        for manager, names in gone.items():
            for first in range(0, len(names), GONE_AT_ONCE):
                self._outbox.put(manager, ObjectsGone(objects=tuple(names[first : first + GONE_AT_ONCE])))
        self._store.objects.delete(objects)

    def _is_in_bucket(self, name: ObjectId) -> bool:
        if self._store.bucket.move(name, BOTH, AWAY):
            self._deeds.in_bucket(Leave((name,)))
            log.warning("lost here, and still in the bucket: %s", name, extra={"action": "object_lost_here"})
        return self._store.bucket.state(name) == AWAY


def _called(name: ObjectId, value: Mapping[str, Any]) -> str:
    kind = "directory" if is_directory(value) else "file"
    return f"the {kind} {shown(value.get('basename', name))} ({name})"
