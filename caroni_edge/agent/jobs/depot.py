"""What this agent keeps because a manager wants it to: what lies here, and as a depot what it fetches for that."""

import logging
from collections.abc import Iterable, Sequence

from caroni_edge.agent.context import Context
from caroni_edge.agent.processes.port import ObjectFetched, PlaceRefused
from caroni_edge.agent.store.bucket import Awaited
from caroni_edge.agent.store.keeps import KeepRow
from caroni_edge.base.memory import Memory
from caroni_edge.base.moment import Moment
from caroni_edge.objects.objects import ObjectId
from caroni_edge.objects.store.rows import PROMISED, THE_WORKFLOW
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.depots import FULL, OPEN, ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectsDrop

log = logging.getLogger(__name__)

PROMISES_MAX = 100_000
"""So much may be to come for one manager."""
NO_DEPOT = "it does not lie here, and this agent is no depot (files.depot in its configuration)"


class Depot(Memory):
    """Promises to keep objects, and says to managers when they are here: not before, and whole directories alone.

    A promise is a row from the transaction on that takes the message. It ends when the object is here and referenced,
    when no place gives it, or with the workflow. Where there is a bucket, what is here counts when it is there too.

    Attributes:
        bucket_trouble: Why the bucket cannot be used; empty: it can.
    """

    def __init__(self, context: Context) -> None:
        """Answer by the outbox of `context`."""
        super().__init__(context.journal)
        self._store, self._outbox, self._in_force = context.store, context.outbox, context.in_force
        self._no_room: str | None = None
        self.bucket_trouble = ""

    def without_room(self, setting: str | None) -> None:
        """Note which setting leaves no room now for something that was promised; None where there is room for all."""
        self._no_room = setting

    @property
    def waits_for_room(self) -> bool:
        """Whether something that was promised waits for room."""
        return self._no_room is not None

    def said(self) -> str:
        """Return what the presence says of this depot; nothing where it is none. No number is in it."""
        if not self._in_force.settings.depot:
            return ""
        if self.bucket_trouble:
            return f"{FULL}its bucket cannot be used: {self.bucket_trouble}"
        return OPEN if self._no_room is None else f"{FULL}what it has promised waits for room ({self._no_room})"

    # What managers say

    def on_keep(self, manager: str, message: ObjectsKeep, at: Moment) -> None:
        """Keep what lies here, and promise to fetch the rest; say what is here, and what is refused."""
        held: list[ObjectId] = []
        refused: dict[str, list[ObjectId]] = {}
        for each in message.objects:
            if why := self._take(manager, message, each, at):
                refused.setdefault(why, []).append(ObjectId(each.object))
            elif self._is_held(manager, message.workflow, ObjectId(each.object)):
                held.append(ObjectId(each.object))
        if held:
            self._outbox.put(manager, ObjectsHeld(workflow=message.workflow, objects=tuple(held)))
        for why, names in refused.items():
            self._refuse(manager, message.workflow, names, why)

    def _take(self, manager: str, message: ObjectsKeep, asked: ObjectToKeep, at: Moment) -> str | None:
        """Keep an object, or promise to; return why not."""
        name, workflow = ObjectId(asked.object), message.workflow
        found = self._store.objects.of(manager, name)
        if found is not None and found.size != asked.size:
            return f"it has {found.size} bytes here, and not {asked.size}"
        places, is_list = encode(message.places).decode(), asked.directory and self._store.objects.is_directory(name)
        if is_list == asked.directory and self._is_whole(manager, name):
            self._keep(manager, workflow, name, at)
            return None
        if why := self._refuses(manager, bool(message.places)):
            return why
        if found is not None and is_list:
            self._promise_files(manager, workflow, name, places, at)
        else:
            self._store.keeps.add(manager, workflow, name, asked.size, places, is_directory=asked.directory)
        return None

    def _refuses(self, manager: str, has_places: bool) -> str | None:
        if not self._in_force.settings.depot:
            return NO_DEPOT
        if not has_places:
            return "it does not lie here, and no place of it is named"
        if self._store.keeps.count(manager) >= PROMISES_MAX:
            return f"{PROMISES_MAX} objects are to come here for this manager already"
        return None

    def on_drop(self, manager: str, message: ObjectsDrop) -> None:
        """Fetch no more what a manager does not need."""
        after, upto = message.after or "", message.upto or ""
        self._store.keeps.drop(manager, message.workflow, after=after, upto=upto, but=message.but)

    def begin_anew(self, manager: str) -> None:
        """Forget what was promised to a manager that asks what is kept here: it says again what is to come."""
        self._store.keeps.forget(manager)
        self._store.objects.end_promises(manager)

    # What comes, or does not

    def waiting(self, news: ObjectFetched) -> list[KeepRow]:
        """Return which promises an object keeps that has come: those of a directory, if it is known to be one."""
        rows = self._store.keeps.of(news.fetch.manager, news.object.id)
        return [each for each in rows if news.files is not None or not each.is_directory]

    def came(self, rows: Iterable[KeepRow], at: Moment) -> None:
        """Keep what lies here now, and say so when it is whole."""
        for row in rows:
            self._store.keeps.came(row.turn)
            whole = ObjectId(row.directory or row.object)
            if row.is_directory:
                self._promise_files(row.manager, row.workflow, row.object, row.places, at)
            if self._store.keeps.is_promised(row.manager, row.workflow, whole):
                continue
            if self._is_whole(row.manager, whole):
                self._hold(row.manager, row.workflow, whole, at)
            else:
                self.give_up([row], "some of it was damaged here, or lost, before all of it had come")

    @property
    def _has_bucket(self) -> bool:
        return self._in_force.settings.files.bucket is not None

    def _is_held(self, manager: str, workflow: str, name: ObjectId) -> bool:
        is_to_come = self._store.keeps.is_promised(manager, workflow, name)
        return not is_to_come and self._store.objects.is_kept(name, manager=manager, workflow=workflow)

    def _is_whole(self, manager: str, name: ObjectId) -> bool:
        found = self._store.objects.of(manager, name)
        return found is not None and not self._store.objects.files_lacking(manager, name)

    def _promise_files(self, manager: str, workflow: str, directory: ObjectId, places: str, at: Moment) -> None:
        """Have come what a directory names, whose list is here and stays until then."""
        self._store.objects.refer(directory, manager=manager, workflow=workflow, job=PROMISED, date=at.date)
        for file in self._store.objects.files_lacking(manager, directory):
            self._store.keeps.add(manager, workflow, file.object, file.size, places, directory=directory)

    def in_bucket(self, awaited: Iterable[Awaited], at: Moment) -> None:
        """Say what is whole, now that more of it is in the bucket, or that there is none."""
        for manager, workflow, name in awaited:
            if self._has_bucket and self._store.bucket.lacks(name):
                continue  # of a directory each file comes here, and all of it is looked at when the last one has
            is_to_come = self._store.keeps.is_promised(manager, workflow, name)
            if not is_to_come and self._is_whole(manager, name):
                self._hold(manager, workflow, name, at)

    def _hold(self, manager: str, workflow: str, name: ObjectId, at: Moment) -> None:
        if self._keep(manager, workflow, name, at):
            self._outbox.put(manager, ObjectsHeld(workflow=workflow, objects=(name,)))

    def _keep(self, manager: str, workflow: str, name: ObjectId, at: Moment) -> bool:
        """Keep what lies here as a whole; return whether it counts: with a bucket not before it lies there too."""
        objects = self._store.objects
        self._store.keeps.take_back(manager, workflow, name)
        if self._has_bucket and (lacking := self._store.bucket.not_there(name)):
            objects.refer(name, manager=manager, workflow=workflow, job=PROMISED, date=at.date)
            for each in lacking:
                self._store.bucket.want(each)
            return False
        objects.refer(name, manager=manager, workflow=workflow, job=THE_WORKFLOW, date=at.date)
        objects.end_promise(name, manager=manager, workflow=workflow)
        return True

    def say_refused(self, rows: Sequence[KeepRow], news: PlaceRefused) -> None:
        """Tell the manager, of the first of some rows, that a place does not give what is to be kept."""
        for row in rows[:1]:
            whole = ObjectId(row.directory or row.object)
            said = ObjectsRefused(workflow=row.workflow, objects=(whole,), reason=news.why, place=str(news.holder))
            self._outbox.put(row.manager, said)

    def give_up(self, rows: Iterable[KeepRow], why: str) -> None:
        """Promise no more what does not come, and say so."""
        for row in rows:
            whole = ObjectId(row.directory or row.object)
            self._store.keeps.take_back(row.manager, row.workflow, whole)
            self._store.objects.end_promise(whole, manager=row.manager, workflow=row.workflow)
            self._refuse(row.manager, row.workflow, (whole,), why)

    def _refuse(self, manager: str, workflow: str, names: Sequence[ObjectId], why: str) -> None:
        self._outbox.put(manager, ObjectsRefused(workflow=workflow, objects=tuple(names), reason=why))
        facts = {"action": "keep_refused", "peer": manager, "workflow": workflow}
        log.warning("%s is not kept: %s", " and ".join(names), why, extra=facts)
