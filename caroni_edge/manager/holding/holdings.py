"""Which objects this manager itself holds, for which workflows, and which of them go."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.port import Storekeeper
from caroni_edge.manager.holding.sizes import size_of
from caroni_edge.manager.store.places import HolderRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.store.rows import NO_WORKFLOW, THE_WORKFLOW, UPLOAD, StoredObject
from caroni_edge.protocol.depots import SPEAKS_OF_DEPOTS
from caroni_edge.values.carried import NotCarried, called, is_directory, object_of, objects_in
from caroni_edge.values.json import shown

log = logging.getLogger(__name__)

Names = Collection[ObjectId]
"""Some objects."""
KEPT_S = 7 * 86400.0
"""So long stays what was uploaded and no workflow has named, and what no workflow needs any more."""
LOOK_EVERY_S = 3600.0
STOCK_PAGE = 1000
BATCH_OBJECTS = 200


class LackingObject(NamedTuple):
    """An object that does not lie here."""

    object: Object
    is_directory: bool = False


class Holdings(Part):
    """Keeps the rows of what lies here: it is this manager's own, and the place of it is the manager itself.

    An upload has a reference of its own until a workflow names it; then it is kept as the files of that workflow are.
    What nobody needs any more stays for a while, as long as its room is not needed: another workflow may name it.
    """

    def __init__(self, context: Context, storekeeper: Storekeeper) -> None:
        """Have `storekeeper` do on disk what is decided, after the commit."""
        super().__init__(context.journal)
        self._context, self._store, self._storekeeper = context, context.store, storekeeper
        self._me = context.topics.node
        self._look_due = -inf
        self._free_bytes: int | None = None
        self._stock: tuple[Object, ...] | None = None
        self._settled: tuple[str, ...] = ()
        self._discards: tuple[ObjectId, ...] = ()
        self._checks: tuple[Object, ...] = ()

    def on_start(self, at: Moment) -> None:
        """Have what has rows compared with what is on disk."""
        known: list[Object] = []
        while found := self._store.objects.after(known[-1].id if known else "", STOCK_PAGE):
            known += [Object(sha256_of(each.object), each.size) for each in found]
        self._stock = tuple(known)

    # What people bring

    def make_room(self, size: int, lacking: int, most: int) -> str | None:
        """Let go what nobody needs, the longest unused first, so that more bytes can be taken.

        Args:
            size: How many bytes are to come, with those that are on their way.
            lacking: How many bytes the disk has too few for them.
            most: How many may lie here.

        Returns:
            Why there is no room, for people; None when there is, once what was let go is deleted.
        """
        total = self._store.objects.total().size
        excess, going = max(total + size - most, lacking), []
        for each in self._store.objects.unneeded() if excess > 0 else ():
            going.append(each.object)
            excess -= each.size
            if excess <= 0:
                break
        if excess <= 0:
            self._let_go(going)
            return None
        if total + size > most:
            return f"files.store is {most} bytes, and what is needed or on its way takes {total} of them"
        return f"the manager's disk lacks {lacking} bytes for it, if disk_floor is to stay free"

    def take(self, found: Object, giver: str, at: Moment, files: Sequence[Object] | None = None) -> None:
        """Keep an object that was uploaded: until a workflow names it, or for a week.

        Args:
            found: It lies here, and no row need say so yet.
            giver: Under which name it was brought.
            at: The time.
            files: What it names, where it is the list of a directory; they stay as long as it does.
        """
        self._store.objects.add(found, manager=self._me, date=at.date)
        self._store.objects.refer(found.id, manager=self._me, workflow=NO_WORKFLOW, job=UPLOAD, date=at.date)
        if files is not None:
            self._store.objects.put_directory(found.id, files)
        self._settled = (*self._settled, giver)
        self._look_due = min(self._look_due, at.now + LOOK_EVERY_S)
        log.info("%s was uploaded, %d bytes", found.id, found.size, extra={"action": "object_uploaded"})

    def take_made(self, row: WorkflowRow, made: Iterable[Object], giver: str, at: Moment) -> None:
        """Keep objects for a workflow that were made here, and brought under this name."""
        for each in made:
            self._store.objects.add(each, manager=self._me, date=at.date)
            self.keep(row, each.id, each.size, at)
        if giver:
            self._settled = (*self._settled, giver)

    def give_back(self, brought: Iterable[tuple[Object, str]]) -> None:
        """Keep nothing of what was brought, each under a name, but what rows know from before."""
        for found, giver in brought:
            self._settled = (*self._settled, giver)
            if self._store.objects.of(self._me, found.id) is None:
                self._discards = (*self._discards, found.id)

    # What workflows name

    def missing(self, inputs: Mapping[str, Any], brought: Names = ()) -> tuple[str, str] | None:
        """Return an input whose file does not lie here, and why that is wrong, for people; None when all files do.

        Args:
            inputs: All of a workflow.
            brought: What need not lie here, since somebody brings it.
        """
        for name, value in inputs.items():
            for each, file in objects_in(value).items():
                if words := self._wrong(each, file, is_brought=each in brought):
                    return name, words
        return None

    def _wrong_directory(self, name: ObjectId, directory: Mapping[str, Any]) -> str | None:
        """Return why a workflow cannot begin with a directory, whose list and files must all lie here."""
        if self._store.objects.of(self._me, name) is None or not self._store.objects.is_directory(name):
            how = f"its files, and then their list by PUT /api/objects/{name}?class=Directory"
            return f"{called(name, directory)} is not at this manager: upload it (caroni-edge submit --file, or {how})"
        if lacking := self._store.objects.files_lacking(self._me, name):
            what = f"{len(lacking)} files of {called(name, directory)} are not at this manager"
            return f"{what}, {lacking[0].object} is one of them: upload them"
        if words := self.why_no_sizes(name):
            return f"{called(name, directory)} {words}"
        return None

    def why_no_sizes(self, directory: ObjectId) -> str | None:
        """Return why what a directory says of its files is wrong, for people; None where no file here has another size.

        Nobody would get such a file, and where it lies it would be looked at in vain.
        """
        other = self._store.objects.of_other_size(directory)
        return None if other is None else f"says that {other.object} has {other.size} bytes, and that is not so"

    def lacking(self, inputs: Mapping[str, Any], brought: Names) -> list[LackingObject]:
        """Return what does not lie here of the objects that somebody brings, and of the directories among them."""
        lacking: dict[ObjectId, LackingObject] = {}
        for name, file in objects_in(inputs).items():
            found = object_of(file) if name in brought else None
            if found is None:
                continue
            if self._store.objects.of(self._me, name) is None or self._is_unread(name, file):
                lacking[name] = LackingObject(found, is_directory=is_directory(file))
            elif is_directory(file):
                for each in self._store.objects.files_lacking(self._me, name):
                    lacking.setdefault(each.object, LackingObject(Object(sha256_of(each.object), each.size)))
        return [*lacking.values()]

    def _is_unread(self, name: ObjectId, file: Mapping[str, Any]) -> bool:
        """Tell whether an object that lies here is to be a directory, and nobody has looked yet what it names."""
        return is_directory(file) and not self._store.objects.is_directory(name)

    def on_disk(self, free_bytes: int) -> None:
        """Note how much of the disk is free."""
        self._free_bytes = free_bytes

    def disk_lacks(self, size: int) -> int:
        """Return how many bytes too few the disk has for so many more; 0 while nobody has looked."""
        floor = self._context.settings.disk_floor_bytes
        return 0 if self._free_bytes is None else max(0, size + floor - self._free_bytes)

    def _wrong(self, name: ObjectId, file: Mapping[str, Any], *, is_brought: bool) -> str | None:
        found = self._store.objects.of(self._me, name)
        if found is None and not is_brought and (elsewhere := self._elsewhere(name)):
            is_other = any(each.is_directory is not is_directory(file) for each in elsewhere)
            return f"{called(name, file)} is no {file['class']}" if is_other else _size_differs(name, file, elsewhere)
        if is_directory(file) and not is_brought and (words := self._wrong_directory(name, file)):
            return words
        if found is None and not is_brought:
            said = f"the file {shown(file.get('basename', name))} ({name}) is not at this manager, or not any more"
            return f"{said}: upload it first (caroni-edge submit --file, or PUT /api/objects/{name})"
        return _size_differs(name, file, [] if found is None else [found])

    def _elsewhere(self, name: ObjectId) -> list[HolderRow]:
        """Return the agents that have an object for some workflow, and keep it for another one if they are asked."""
        found = self._store.places.anywhere(name)
        holders = self._store.places.holders(found.workflow, name) if found else []
        having = [each for each in holders if each.held > 0 and each.agent != self._context.own_place]
        return [each for each in having if self._store.agents.speaks(each.agent) >= SPEAKS_OF_DEPOTS]

    def name(self, row: WorkflowRow, inputs: Mapping[str, Any], at: Moment, but: Names = ()) -> None:
        """Keep the files that a workflow names, which begins or is held in this transaction; `but` come later.

        What lies with agents alone these are asked to keep for it, too.
        """
        for name, file in objects_in(inputs).items():
            if name in but:
                continue
            if self._store.objects.of(self._me, name) is None:
                self._store.wanted_places.want(row.seq, name, 1)
                continue
            self.keep(row, name, size_of(file), at, is_directory=is_directory(file))
            self._store.objects.named(name)

    def keep(
        self, row: WorkflowRow, name: ObjectId, size: int | None, at: Moment, *, is_directory: bool = False
    ) -> None:
        """Keep an object that lies here, of so many bytes, for a workflow: this manager is a place of it."""
        self._store.places.add(row.seq, name, self._context.own_place, size, is_directory=is_directory)
        self._store.objects.refer(name, manager=self._me, workflow=row.id, job=THE_WORKFLOW, date=at.date)

    def keep_list(self, row: WorkflowRow, name: ObjectId, at: Moment) -> None:
        """Keep the list of a directory for a workflow; its files need not be here, so that this is no place of it."""
        self._store.objects.refer(name, manager=self._me, workflow=row.id, job=THE_WORKFLOW, date=at.date)

    def drop(self, workflow: str, kept: Iterable[ObjectId]) -> None:
        """Keep nothing more of a workflow, but for some objects."""
        self._store.objects.drop(self._me, workflow, after="", upto="", but=kept)

    def use(self, name: ObjectId, at: Moment) -> None:
        """Note that somebody reads an object: others make room before it."""
        self._store.objects.use(name, at.date)

    # What goes

    def forget(self, names: Iterable[ObjectId]) -> None:
        """Forget objects that do not lie here any more, or are damaged."""
        self._store.objects.delete(names)

    def hurry(self) -> None:
        """Something lies here that nobody may need: look soon when it goes."""
        self._look_due = -inf

    def settle(self, at: Moment) -> None:
        """Have looked at what somebody did not get rightly, and let go now and then what has become old."""
        for name in sorted(self._context.doubted):
            self._check(name)
        self._context.doubted.clear()
        if at.now < self._look_due:
            return
        before = at.date - KEPT_S
        self._store.objects.end_uploads(before)
        found = self._store.objects.unreferenced(before, BATCH_OBJECTS)
        if len(found) < BATCH_OBJECTS:
            self._look_due = at.now + LOOK_EVERY_S if self._store.objects.total().objects else inf
        if found:
            self._let_go(found)
            log.info("%d objects go that nobody needs", len(found), extra={"action": "objects_pruned"})

    def next_due(self) -> float:
        """Return when to look again."""
        return -inf if self._context.doubted else self._look_due

    def _check(self, name: ObjectId) -> None:
        """Have an object looked at that lies here, and of a directory all files."""
        found = self._store.objects.of(self._me, name)
        if found is not None:
            some = (found, *self._store.objects.files(name))
            self._checks = (*self._checks, *(Object(sha256_of(each.object), each.size) for each in some))

    def _let_go(self, names: Iterable[ObjectId]) -> None:
        gone = tuple(names)
        if gone:
            self._store.objects.delete(gone)
        self._discards = (*self._discards, *gone)

    def committed(self) -> None:
        """Have done on disk what the rows say."""
        if self._stock is not None:
            self._storekeeper.take_stock(self._stock)
        for giver in self._settled:
            self._storekeeper.settled(giver)
        if self._discards:
            self._storekeeper.discard(self._discards)
        if self._checks:
            self._storekeeper.verify(self._checks)
        self._stock, self._settled, self._discards, self._checks = None, (), (), ()


def _size_differs(name: ObjectId, file: Mapping[str, Any], known: Iterable[StoredObject | HolderRow]) -> str | None:
    """Return what is wrong with the size of a value, by what is known of its object; None for nothing."""
    try:
        asked = object_of(file)
    except NotCarried as problem:
        return str(problem)
    size = next((each.size for each in known if each.size is not None), None)
    if asked is not None and size is not None and asked.size != size:
        return f'the "size" of {name} is {asked.size}, and it has {size} bytes'
    return None
