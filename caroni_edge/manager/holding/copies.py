"""Which files of agents are fetched to this manager, since people want to have them."""

import logging
from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.holding.port import Storekeeper
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.store.copies import WantedCopy
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import Object, ObjectId, id_of, sha256_of
from caroni_edge.objects.transfer.effects import Failure, FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.objects import ObjectsCheck

log = logging.getLogger(__name__)

WANTED_MAX = 100
"""So many files may be waited for at a time."""
WANTED_FOR_S = 86400.0
"""So long after the last question a file is fetched on."""
LOOK_EVERY_S = 10.0
FAILED_MAX, FAILED_FOR_S = 1000, 60.0
"""Of so many files it is remembered for so long that nobody gives them."""


class NotToBeHad(Exception):
    """A file cannot be fetched; the message says why, for people.

    Attributes:
        status: The status of HTTP that fits.
    """

    def __init__(self, status: int, why: str) -> None:
        """Say why."""
        super().__init__(why)
        self.status = status


class InDirectory(NamedTuple):
    """What the list of a directory says of one of its files, and the name of that list."""

    directory: ObjectId
    size: int


class _Failed(NamedTuple):
    why: str
    until: float


class Copies(Part):
    """Has files brought that people ask for; what has come is cache, and needs no reference."""

    def __init__(self, context: Context, holdings: Holdings, files: JobFiles, storekeeper: Storekeeper) -> None:
        """Find files by the places of `context`, opened by `files`; `storekeeper` fetches them after the commit."""
        super().__init__(context.journal)
        self._store, self._holdings, self._files = context.store, holdings, files
        self._context, self._storekeeper, self._me = context, storekeeper, context.topics.node
        self._wants: MemoryDict[ObjectId, Want] = MemoryDict(context.journal)  # what is fetched
        self._refused: MemoryDict[tuple[ObjectId, Peer], Failure] = MemoryDict(context.journal)
        self._failed: MemoryDict[ObjectId, _Failed] = MemoryDict(context.journal)
        self._look_due = -inf
        self._resumed: tuple[Want, ...] | None = None
        self._fetches: tuple[Want | FetchId, ...] = ()

    def on_start(self, at: Moment) -> None:
        """Go on with what was wanted when the last process ended."""
        for copy in self._store.copies.all():
            if (want := self._want(copy)) is not None:
                self._wants[copy.object] = want
        self._resumed = tuple(self._wants.values())

    def resume(self, others: Iterable[Want]) -> None:
        """Let others be fetched on, too, with what people wanted when the last process ended."""
        self._resumed = (*(self._resumed or ()), *others)

    @property
    def size_on_the_way(self) -> int:
        """How many bytes all have together that are fetched for people."""
        return sum(each.object.size for each in self._wants.values())

    # What people ask for

    def want(
        self, name: ObjectId, lacking: int, at: Moment, inside: InDirectory | None = None, *, most: int = WANTED_MAX
    ) -> int:
        """Have a file brought that does not lie here; to be asked again and again until it does.

        Args:
            name: The file.
            lacking: How many bytes the disk has too few for it.
            at: The time.
            inside: The directory that names it, if no value does.
            most: So many may be on their way together.

        Returns:
            How many bytes it has.

        Raises:
            NotToBeHad: Nobody has it, or it cannot be fetched.
        """
        failed = self._failed.get(name)
        if failed is not None and at.now < failed.until:
            raise NotToBeHad(404, failed.why)
        if name not in self._wants:
            self._begin(name, lacking, inside, most)
        size = self._wants[name].object.size
        self._store.copies.want(WantedCopy(name, size, inside.directory if inside else None), at.date)
        self._look_due = min(self._look_due, at.now + LOOK_EVERY_S)
        return size

    def _begin(self, name: ObjectId, lacking: int, inside: InDirectory | None, at_once: int) -> None:
        found = self._store.places.anywhere(inside.directory if inside else name)
        size = inside.size if inside else found.size if found else None
        if found is None or size is None:
            gone = "what is no output of its workflow goes when that has completed"
            raise NotToBeHad(404, f"no workflow of this manager has the file {name}, or nobody has it any more: {gone}")
        if len(self._wants) >= at_once:
            raise NotToBeHad(503, f"{at_once} files are on their way to this manager already; try again later")
        most = self._context.settings.files_store_bytes
        if why := self._holdings.make_room(size + self.size_on_the_way, lacking, most):
            raise NotToBeHad(507, f"there is no room for the file: {why}")
        want = self._want(WantedCopy(name, size, inside.directory if inside else None))
        if want is None:
            raise NotToBeHad(404, f"who has the file {name} is an older release, which gives none")
        self._fetch(name, want)

    def _want(self, copy: WantedCopy) -> Want | None:
        """Return what is to be fetched from where; None where nobody has it who gives it."""
        found = self._store.places.anywhere(copy.placed_as)
        if found is None:
            return None
        workflow = self._store.workflows.by_seq(found.workflow).id
        known = self._store.places.of(found.workflow, copy.placed_as)
        holders = (each for each in known if each != self._context.own_place)
        places = tuple(place for holder in holders if (place := self._files.place(holder, workflow)) is not None)
        return Want(self._me, Object(sha256_of(copy.object), copy.size), places) if places else None

    def _fetch(self, name: ObjectId, want: Want) -> None:
        self._wants[name] = want
        self._fetches = (*self._fetches, want)

    # What comes

    def on_fetched(self, found: Object, at: Moment) -> None:
        """Keep an object that lies here now, as cache."""
        self._store.objects.add(found, manager=self._me, date=at.date)
        self._holdings.hurry()
        self._store.copies.forget(found.id)
        self._forget(found.id)
        log.info("%s was fetched, %d bytes", found.id, found.size, extra={"action": "object_fetched"})

    def on_refused(self, fetch: FetchId, holder: Peer, why: Failure, at: Moment) -> None:
        """A place does not give what it was said to have; where none does, who asks is told."""
        name = id_of(fetch.sha256)
        want = self._wants.get(name)
        if want is None:
            return
        log.warning("%s does not give %s: %s", holder, name, why, extra={"action": "place_refused"})
        if why == "ticket":
            self._files.say_again(holder.node, at)
            return
        self._refused[name, holder] = why
        if all((name, place.holder) in self._refused for place in want.places):
            where = " and ".join(sorted(place.holder.node for place in want.places))
            why_not = f"the file {name} is not to be had from {where} any more"
            if len(self._failed) < FAILED_MAX:
                self._failed[name] = _Failed(why_not, at.now + FAILED_FOR_S)
            self._look_due = min(self._look_due, at.now + FAILED_FOR_S)
            self._store.copies.forget(name)
            self._forget(name)
            for place in want.places:  # who has lost it says so then
                self._context.outbox.put(place.holder.node, ObjectsCheck(objects=(name,)))

    def _forget(self, name: ObjectId) -> None:
        for pair in [pair for pair in self._refused if pair[0] == name]:
            del self._refused[pair]
        if (want := self._wants.pop(name, None)) is not None:
            self._fetches = (*self._fetches, want.id)

    # As time passes

    def settle(self, at: Moment) -> None:
        """Look now and then whether files are wanted still, and where they are."""
        if at.now < self._look_due:
            return
        self._store.copies.forget_old(at.date - WANTED_FOR_S)
        wanted = {each.object: each for each in self._store.copies.all()}
        for name in [name for name in self._wants if name not in wanted]:
            self._forget(name)
        for name, copy in wanted.items():
            want = self._want(copy)
            if want is None:
                self._store.copies.forget(name)
                self._forget(name)
            elif self._wants.get(name) != want:
                self._fetch(name, want)
        for name in [name for name, failed in self._failed.items() if at.now >= failed.until]:
            del self._failed[name]
        self._look_due = at.now + LOOK_EVERY_S if self._wants or self._failed else inf

    def next_due(self) -> float:
        """Return when to look again."""
        return self._look_due

    def committed(self) -> None:
        """Have fetched what the rows say."""
        if self._resumed is not None:
            self._storekeeper.begin_fetches(self._resumed)
        for each in self._fetches:
            if isinstance(each, Want):
                self._storekeeper.fetch(each)
            else:
                self._storekeeper.forget_fetch(each)
        self._resumed, self._fetches = None, ()
