"""Workflows whose files are brought by whoever submits them: they are fetched first, and then the workflow begins.

Who has no way to upload a file names in the trigger who holds it: a `submit-…` on the same broker, which gives it to
this manager alone. Until all is here the workflow is held; its trigger, sent again, says that its holder is there.
"""

import logging
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.copies import Copies
from caroni_edge.manager.holding.holdings import Holdings, LackingObject
from caroni_edge.manager.holding.port import Storekeeper
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.brought import BroughtRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.triggers.pauses import Pauses
from caroni_edge.manager.workflows.acting import Acting
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import Object, id_of, sha256_of
from caroni_edge.objects.transfer.effects import Failure, FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.topics import SUBMIT
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.values.carried import called, objects_in
from caroni_edge.values.directories import FILES_MAX
from caroni_edge.values.json import from_text

log = logging.getLogger(__name__)

WORKFLOWS_MAX = 20
"""So many workflows may wait for what is brought to them."""
SILENT_S = 600.0
"""A workflow is given up when nothing was heard for so long of who brings its files, while we were connected."""
LOOK_EVERY_S = 30.0
FETCHED_AT_ONCE = 20
"""So many files of a workflow are fetched at a time; the others follow."""
GENERATION = 1
"""A holder that is there for one workflow has one key."""


class Brought(Part):
    """Holds workflows until what is brought for them is here, or their holder is gone."""

    def __init__(
        self,
        context: Context,
        engine: Engine,
        acting: Acting,
        pauses: Pauses,
        holdings: Holdings,
        copies: Copies,
        storekeeper: Storekeeper,
    ) -> None:
        """Let workflows begin by `engine`, but for those that `pauses` holds; `storekeeper` fetches what they lack.

        `holdings` makes room for it, beside what `copies` fetches; what does not come ends its workflow by `acting`.
        """
        super().__init__(context.journal)
        self._context, self._store, self._engine, self._acting = context, context.store, engine, acting
        self._pauses = pauses
        self._holdings, self._copies, self._storekeeper = holdings, copies, storekeeper
        self._me = context.topics.node
        self._wants: MemoryDict[FetchId, Want] = MemoryDict(context.journal)
        self._heard: MemoryDict[int, float] = MemoryDict(context.journal)  # when last of who brings for a workflow
        self._fetches: tuple[Want | FetchId, ...] = ()
        self._is_changed, self._look_due = False, inf

    def on_start(self, at: Moment) -> None:
        """Go on with what was brought when the last process ended."""
        self._wants.update(self._wanted())
        self._copies.resume(self._wants.values())
        for workflow in self._store.brought.workflows():
            self._listen(workflow, at)

    def _listen(self, workflow: int, at: Moment) -> None:
        self._heard[workflow] = at.now
        self._look_due = min(self._look_due, at.now + LOOK_EVERY_S)

    # What triggers say

    def why_not(self, lacking: Sequence[LackingObject]) -> str | None:
        """Return why nothing is fetched for another workflow now, for people; None when that can be."""
        if not lacking:
            return None
        if len(self._store.brought.workflows()) >= WORKFLOWS_MAX:
            return f"{WORKFLOWS_MAX} workflows wait for files that are brought to this manager already; try again later"
        return self._short_of(sum(each.object.size for each in lacking))

    def _short_of(self, more: int) -> str | None:
        """Return why there is no room for so many bytes more, beside what is on its way; None where there is."""
        size = more + self._store.brought.size() + self._copies.size_on_the_way
        short = self._holdings.make_room(
            size, self._holdings.disk_lacks(size), self._context.settings.files_store_bytes
        )
        return f"there is no room for its files: {short}" if short else None

    def hold(
        self,
        row: WorkflowRow,
        inputs: Mapping[str, Any],
        trigger: Trigger,
        lacking: Sequence[LackingObject],
        at: Moment,
    ) -> None:
        """Keep a workflow until what it lacks is here.

        Args:
            row: The workflow, which has no row yet.
            inputs: All of them, checked.
            trigger: What starts it; it names who brings the files.
            lacking: Those that are not here.
            at: The time.
        """
        (holder,) = set(trigger.places.values())
        count = len(lacking)
        reason = f"waits for {'a file' if count == 1 else f'{count} files'} from {holder}"
        seq = self._engine.hold(row, inputs, at, {each.object.id for each in lacking}, reason)
        ticket = trigger.ticket or ""
        self._store.brought.add(
            BroughtRow(seq, found.id, found.size, holder, ticket, is_directory) for found, is_directory in lacking
        )
        self._listen(seq, at)
        self._is_changed = True

    def again(self, row: WorkflowRow, trigger: Trigger, at: Moment) -> None:
        """Note that the trigger of a workflow has come again: who brings its files is there."""
        if row.seq in self._heard and trigger.ticket is not None and len(holders := {*trigger.places.values()}) == 1:
            self._listen(row.seq, at)
            self._is_changed |= self._store.brought.bring(row.seq, holders.pop(), trigger.ticket)

    # What comes

    def on_fetched(self, found: Object, files: Sequence[Object] | None, at: Moment) -> None:
        """Keep an object that lies here now for the workflows that wait for it; begin those that lack nothing more.

        Args:
            found: The object.
            files: What it names, where it was wanted as a directory: they wait for that now.
            at: The time.
        """
        waiting = self._store.brought.waiting_for(found.id)
        if files is None and any(each.is_directory for each in waiting):
            # Somebody else has wanted it, as a file: it comes once more, and is read then.
            self._wants.pop(FetchId(self._me, found.sha256), None)
            self._is_changed = True
            return
        self._store.brought.came(found.id)
        for each in waiting:
            row = self._store.workflows.by_seq(each.workflow)
            self._is_changed = True
            self._store.objects.add(found, manager=self._me, date=at.date)
            inputs = from_text(row.inputs)
            named = objects_in(inputs)
            if found.id in named:
                lacks = {name for name in named if self._store.brought.lacks(each.workflow, name)}
                self._engine.name(row, inputs, at, lacks)
            if files is not None and (why := self._take_directory(each, files)):
                self._give_up(each, f"{self._called(each)} {why}", at)
            elif not self._store.brought.of(each.workflow, 1):
                log.info("the files of a workflow were brought", extra={"action": "files_brought", "workflow": row.id})
                self._begin(row, at)

    def _take_directory(self, brought: BroughtRow, files: Sequence[Object]) -> str | None:
        """Let a workflow wait for what is in a directory, the list of which is here; return why it cannot."""
        self._store.objects.put_directory(brought.object, files)
        lacking = self._store.objects.files_lacking(self._me, brought.object)
        if self._store.brought.count(brought.workflow) + len(lacking) > FILES_MAX:
            return f"has so many files that more than {FILES_MAX} would be brought for this workflow"
        if words := self._holdings.why_no_sizes(brought.object):
            return words
        if short := self._short_of(sum(each.size for each in lacking)):
            return f"does not find room here: {short}"
        self._store.brought.add(
            brought._replace(object=each.object, size=each.size, is_directory=False) for each in lacking
        )
        return None

    def on_no_directory(self, fetch: FetchId, why: str, at: Moment) -> None:
        """What was brought as a directory is none."""
        for each in self._store.brought.waiting_for(id_of(fetch.sha256)):
            self._give_up(each, f"{self._called(each)} was to come from {each.holder}, and is no directory: {why}", at)

    def _begin(self, row: WorkflowRow, at: Moment) -> None:
        if self._pauses.holds(row.template):
            self._engine.statuses.hold(row, at)
        else:
            self._engine.release(row, at)

    def on_refused(self, fetch: FetchId, holder: Peer, why: Failure, at: Moment) -> None:
        """Who was to bring a file does not; a ticket that is not taken may be one of before, another one comes then."""
        log.warning("%s does not give %s: %s", holder, fetch.sha256, why, extra={"action": "place_refused"})
        if why == "ticket":
            return
        name = id_of(fetch.sha256)
        for each in self._store.brought.waiting_for(name):
            if each.holder == holder.node:
                what = "cannot be read there, or is another one now" if why == "unknown" else "has other bytes there"
                self._give_up(each, f"{self._called(each)} was to come from {each.holder}, and {what}", at)

    def _called(self, brought: BroughtRow) -> str:
        inputs = from_text(self._store.workflows.by_seq(brought.workflow).inputs)
        return called(brought.object, objects_in(inputs).get(brought.object, {"size": brought.size}))

    def _give_up(self, brought: BroughtRow, reason: str, at: Moment) -> None:
        row = self._store.workflows.by_seq(brought.workflow)
        if row.status is WorkflowState.HELD:
            self._acting.cancel(row, at, reason=reason)
            self._is_changed = True

    # As time passes

    def settle(self, at: Moment) -> None:
        """Fetch what is waited for, and nothing else; give up what nobody brings any more."""
        if at.now >= self._look_due:
            self._look(at)
        if not self._is_changed:
            return
        self._is_changed = False
        wanted = self._wanted()
        for fetch in [each for each in self._wants if each not in wanted]:
            del self._wants[fetch]
            self._fetches = (*self._fetches, fetch)
        for fetch, want in wanted.items():
            if self._wants.get(fetch) != want:
                self._wants[fetch] = want
                self._fetches = (*self._fetches, want)

    def _look(self, at: Moment) -> None:
        """Look whether those who bring files are there, and workflows wait for them still."""
        for each in self._firsts(1):
            silent_s = min(at.now - self._heard.get(each.workflow, at.now), self._context.connected_for(at.now))
            if silent_s >= SILENT_S:
                what = f"was to bring {self._called(each)}, and was not heard of for {SILENT_S / 60:g} min"
                self._give_up(each, f"{each.holder} {what}", at)
        left = {*self._store.brought.workflows()}
        for workflow in [each for each in self._heard if each not in left]:
            del self._heard[workflow]
            self._is_changed = True
        self._look_due = at.now + LOOK_EVERY_S if left else inf

    def next_due(self) -> float:
        """Return when to look again who is there."""
        return self._look_due

    def _wanted(self) -> dict[FetchId, Want]:
        """Return what is to be fetched next; what several workflows wait for, for the first of them."""
        found: dict[FetchId, Want] = {}
        for row in self._firsts(FETCHED_AT_ONCE):
            wanted = Object(sha256_of(row.object), row.size)
            workflow = self._store.workflows.by_seq(row.workflow).id
            place = Place(Peer(SUBMIT, row.holder), workflow, GENERATION, row.ticket)
            want = Want(self._me, wanted, (place,), row.workflow, is_directory=row.is_directory)
            if want.id not in found or want.is_directory:
                found[want.id] = want if want.id not in found else found[want.id]._replace(is_directory=True)
        return found

    def _firsts(self, limit: int) -> list[BroughtRow]:
        """Return the first objects that each workflow waits for."""
        return [row for each in self._store.brought.workflows() for row in self._store.brought.of(each, limit)]

    def committed(self) -> None:
        """Have fetched what the rows say."""
        for each in self._fetches:
            if isinstance(each, Want):
                self._storekeeper.fetch(each)
            else:
                self._storekeeper.forget_fetch(each)
        self._fetches = ()
