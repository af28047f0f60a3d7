"""The objects of a simulated host: its store, its part files, and the data connection of its node.

What decides is the real code: asker and holder, by the rows of the node's database. What is on disk outlives the
process; the queue of work on files, and what was asked for, do not.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from math import inf
from random import Random
from typing import Any

from caroni_edge.agent.processes.port import FetchedNoDirectory, JobNews, ObjectFetched, PlaceRefused
from caroni_edge.base.chance import SeededChance
from caroni_edge.manager.holding.port import StoreNews
from caroni_edge.objects.bucket import BucketOrder, Needed
from caroni_edge.objects.filework import NoRoomForFiles, ObjectsLost
from caroni_edge.objects.locations import LocationFetched, LocationId, Sought
from caroni_edge.objects.objects import Object, ObjectId, id_of, sha256_of
from caroni_edge.objects.quota import Quota
from caroni_edge.objects.store.rights import StoredRights
from caroni_edge.objects.transfer.asker import Asker
from caroni_edge.objects.transfer.effects import (
    AskerEffect,
    Fetched,
    FetchId,
    Hash,
    Held,
    HolderEffect,
    LetComeBack,
    MakeList,
    PlaceFailed,
    PlacesSilent,
    Save,
    SayAsk,
    SayData,
    Write,
)
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.transfers import CHUNK_MAX, Ask, Data, No, decode_answer, decode_ask, encode_data
from caroni_edge.values import directories
from tests.objects.nodes import GRAIN, Disk
from tests.simulation.carrier import Carrier
from tests.simulation.contents import content_named, directories_with, files_in
from tests.simulation.web import LocatedFetches

WORK_S = 0.2
"""So long at most a piece of work on files waits."""
AGAIN_S = 10.0
REFERENCED = "SELECT 1 FROM object_references WHERE object = :object"
REFERENCED_INSIDE = f"""
    {REFERENCED} UNION ALL SELECT 1 FROM directory_files d
    JOIN object_references r ON r.object = d.directory WHERE d.object = :object"""


class NoRoom(Exception):
    """The disk is full."""


class Damaged(Exception):
    """An object is not what its name says, or not there."""


class Store:
    """The objects of a host; it implements `JobFiles` and `ObjectFetches`.

    Attributes:
        peer: The node's role and id.
        connection: Number of the data connection; 0 for none.
        objects: What lies there, by hash.
        lost: What was damaged, or taken away behind the node's back.
        losses: How often that was.
        is_full: The disk takes nothing.
        tell: Takes news while a node is there.
        located: What comes from addresses.
        counts_on: Tells which managers count on some objects there, whatever the node's rows say; for the checker.
    """

    def __init__(self, peer: Peer, carrier: Carrier, chance: Random) -> None:
        """Begin empty, without an agent."""
        self.peer, self._carrier, self._chance = peer, carrier, chance
        self.connection = 0
        self.objects: dict[str, bytes] = {}
        self.lost: set[str] = set()
        self.losses = 0
        self.is_full = False
        self.tell: Callable[[Any], None] = lambda _news: None
        self.counts_on: Callable[[Sequence[str]], list[str]] = lambda _names: []
        self._parts = Disk()
        self._doubtful: set[FetchId] = set()
        self._lives = 0
        self.located = LocatedFetches(carrier.web, self, chance)
        self._end()
        carrier.add(self)

    def _end(self) -> None:
        self._asker: Asker | None = None
        self._holder: Holder | None = None
        self._conn: sqlite3.Connection | None = None
        self._wants: dict[FetchId, Want] = {}
        self._asks: dict[tuple[Peer, int], Ask] = {}
        self._asked: dict[int, Ask] = {}
        self._work: deque[tuple[float, Callable[[], None]]] = deque()
        self._given: dict[str, tuple[Object, ...]] = {}

    # The host

    def ended(self) -> None:
        """The process of the agent is gone."""
        self._disconnect()
        self.located.ended()
        self._end()

    def reboot(self) -> None:
        """What was not synced is lost, or something else."""
        self._doubtful |= self._parts.parts.keys()
        self._parts.crash(SeededChance(self._chance.random()))

    def has_safe_parts(self) -> bool:
        """Tell whether a part of a file has come that a power cut leaves."""
        return any(any(blocks) for blocks in self._parts.saved.values())

    def damage_parts(self) -> None:
        """Let a bit be wrong in each part file."""
        for fetch, part in self._parts.parts.items():
            self._doubtful.add(fetch)
            part[0] ^= 1

    def wipe(self) -> None:
        """Lose all that is on disk."""
        self.objects.clear()
        self.located.wipe()
        self._parts = Disk()

    def leave(self) -> None:
        """The host is gone for good."""
        self._carrier.remove(self)

    def copy_to(self, other: "Store") -> None:
        """Put what lies here on the disk of a twin."""
        other.objects, other.lost = dict(self.objects), set(self.lost)

    def flip_bit(self) -> str | None:
        """Let an object be damaged; return which."""
        return self._spoil_one(self.flip)

    def lose_one(self) -> str | None:
        """Let an object be deleted behind the node's back; return which."""
        return self._spoil_one(self.lose)

    def _spoil_one(self, spoil: Callable[[str], None]) -> str | None:
        if not (names := self.at_risk()):
            return None
        name = self._chance.choice(names)
        spoil(name)
        return name

    def flip(self, name: str) -> None:
        """Let a bit of an object be wrong."""
        content = self.objects[name]
        self.objects[name] = bytes([content[0] ^ 1]) + content[1:]
        self._spoiled(name)

    def lose(self, name: str) -> None:
        """Let an object be deleted behind the node's back."""
        del self.objects[name]
        self._spoiled(name)

    def _spoiled(self, name: str) -> None:
        self.lost.add(name)
        self.losses += 1

    def at_risk(self) -> list[str]:
        """Return the objects that may be lost."""
        return sorted(self.objects)

    @property
    def is_idle(self) -> bool:
        """Whether no work waits."""
        return not self._work

    def unsettled(self) -> list[str]:
        """Return who has given something of which nobody has said that rows keep it, or nothing does."""
        return list(self._given)

    def is_whole(self, name: str) -> bool:
        """Tell whether an object lies here with all that it names, but for what was lost behind the node's back."""
        return all(each in self.objects or each in self.lost for each in _with_files(name))

    # Time

    def reach(self, *, is_reachable: bool) -> None:
        """Connect, or find that the connection has ended."""
        if bool(self.connection) == (is_reachable and self._asker is not None):
            return
        if self.connection:
            self._disconnect()
        elif self._asker is not None and self._holder is not None:
            self.connection = self._carrier.new_connection()
            self._asker.passes = self._holder.passes = CHUNK_MAX
            self._asker.connected()

    def _disconnect(self) -> None:
        self.connection = 0
        if self._asker is not None and self._holder is not None:
            self._asker.disconnected()
            self._holder.disconnected()

    def next_due(self) -> float:
        """Return when something is to be done."""
        due = [self._work[0][0]] if self._work else []
        if self._asker is not None:
            due.append(self._asker.next_due())
        if self._holder is not None and self.connection:
            due.append(self._holder.next_due(self._carrier.now))
        return min(due, default=inf)

    def pump(self) -> None:
        """Do what is due."""
        now = self._carrier.now
        while self._work and self._work[0][0] <= now:
            _, work = self._work.popleft()
            self._do_work(work)
        self._pump_asker(now)
        self._pump_holder(now)

    # Work on files, one after the other

    def put(self, work: Callable[[], None]) -> None:
        """Let something be done in its turn."""
        last = self._work[-1][0] if self._work else self._carrier.now
        self._work.append((max(last, self._carrier.now + WORK_S * self._chance.random()), work))

    def _do_work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except NoRoom:
            self.tell(NoRoomForFiles("the disk is full"))
            self.in_a_while(AGAIN_S, lambda: self.put(work))

    def in_a_while(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless the process has ended by then."""
        life = self._lives
        self._carrier.later(seconds, lambda: action() if life == self._lives and self._asker else None)

    def take(self, job: str, contents: Mapping[Object, bytes]) -> None:
        """Take what a job has given.

        Raises:
            NoRoom: There is none.
        """
        self._check_room()
        for found, content in contents.items():
            self.objects[found.sha256] = content
            self.lost.discard(found.sha256)
        self._given[job] = tuple(contents)

    def lend(self, found: Object, manager: str) -> None:
        """Give an object to a job.

        Raises:
            Damaged: It is not right.
            NoRoom: There is none for a copy.
        """
        if not self._is_right(found):
            self._lose(found.sha256)
            raise Damaged
        self._check_room()
        if (manager, found.sha256) not in self._carrier.made:
            self.wrong(f"a job of {manager} got {found.sha256[:8]}, which is not its manager's")

    def _is_right(self, found: Object) -> bool:
        content = self.objects.get(found.sha256)
        return content is not None and sha256(content).hexdigest() == found.sha256

    def _lose(self, name: str) -> None:
        """An object is not right, or not there; directories with it will go, too."""
        self.objects.pop(name, None)
        self.lost |= {name, *directories_with(name, self.objects)}

    def _check_room(self) -> None:
        if self.is_full:
            raise NoRoom

    def settled(self, job: str) -> None:
        """Note that rows keep what a job has given (see `JobFiles`)."""
        self.put(lambda: self._settle(job))

    def _settle(self, job: str) -> None:
        self._given.pop(job, None)

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows (see `JobFiles`)."""
        names = tuple(map(sha256_of, objects))
        self.put(lambda: self._discard(names))

    def _discard(self, names: Iterable[str], referenced: str = REFERENCED_INSIDE) -> None:
        kept = {each.sha256 for objects in self._given.values() for each in objects}
        for name in names:
            if name not in kept and self.objects.pop(name, None) is not None:
                self._check_deleted(name, referenced)

    def _check_deleted(self, name: str, referenced: str) -> None:
        assert self._conn is not None
        if self._conn.execute(referenced, {"object": f"sha256:{name}"}).fetchone():
            self.wrong(f"{name[:8]} was deleted, which has a reference")
            return
        needing = [each for each in (name, *directories_with(name, self.objects)) if each not in self.lost]
        if name not in self.lost and (counting := self.counts_on(needing)):
            self.wrong(f"{name[:8]} was deleted, on which {' and '.join(counting)} counts")

    def check_held(self, names: Iterable[str]) -> None:
        """Look whether objects lie here that are said to, with all that they name."""
        for name in map(sha256_of, map(ObjectId, names)):
            if not self.is_whole(name):
                self.wrong(f"{name[:8]} is said to be held, and is not there, or not all that it names")

    def verify(self, objects: Iterable[Object]) -> None:
        """Look whether objects are right (see `JobFiles`)."""
        for found in objects:
            self.put(partial(self._verify, found))

    def _verify(self, found: Object) -> None:
        if not self._is_right(found):
            self._lose(found.sha256)
            self.tell(ObjectsLost((found.id,)))

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows (see `JobFiles`)."""
        rows = set(known)
        self.put(lambda: self._take_stock(rows))

    def _take_stock(self, rows: set[Object]) -> None:
        here = {Object(name, len(content)) for name, content in self.objects.items()}
        # What a directory names is to come again, where it came and no row says so.
        self._discard(sorted(each.sha256 for each in here - rows), REFERENCED)
        if gone := sorted(each.id for each in rows - here):
            for name in gone:
                self._lose(sha256_of(name))
            self.tell(ObjectsLost(tuple(gone)))

    def do(self, order: BucketOrder) -> None:
        """Do something in the bucket of a depot (see `BucketUser`): here none has one."""
        raise AssertionError(f"there is no bucket: {order}")

    def bound(self, quota: Quota) -> None:
        """Take what fits (see `JobFiles`): here all does."""

    # What is fetched

    def open(self, conn: sqlite3.Connection, tell: Callable[[Any], None]) -> None:
        """A process of the node has begun, with this database."""
        self._lives += 1
        self._conn, self.tell = conn, tell
        self._holder = Holder(self._rights(conn), grain=GRAIN, is_away=self._is_away)

    def _is_away(self, name: str) -> bool:
        """Tell whether an object lies in a bucket alone."""
        return False

    def _rights(self, conn: sqlite3.Connection) -> StoredRights:
        return StoredRights(conn)

    def begin(self, wanted: Iterable[Want | Sought]) -> None:
        """Begin to fetch, with what is wanted from before (see `ObjectFetches`)."""
        self._asker = Asker(SeededChance(self._chance.random()), grain=GRAIN)
        begun = list(wanted)
        wants = [each for each in begun if isinstance(each, Want)]
        for fetch in self._parts.parts.keys() - {want.id for want in wants}:
            self._parts.remove(fetch)
        for want in wants:
            self.fetch(want)
        self.located.begin(each for each in begun if isinstance(each, Sought))

    def fetch(self, want: Want | Sought) -> None:
        """Fetch an object (see `ObjectFetches`)."""
        if isinstance(want, Sought):
            self.located.fetch(want)
        elif self._asker is not None:
            self._wants[want.id] = want
            self._asker.fetch(want, self._parts.saved.get(want.id, b""))

    def forget(self, fetch: FetchId | LocationId) -> None:
        """Fetch an object no more (see `ObjectFetches`)."""
        self.settled(_key(fetch))
        if isinstance(fetch, LocationId):
            self.located.forget(fetch)
            return
        if self._asker is not None:
            self._wants.pop(fetch, None)
            self._asker.forget(fetch)
            self._parts.remove(fetch)
            self._doubtful.discard(fetch)

    def _pump_asker(self, now: float) -> None:
        asker = self._asker
        if asker is None:
            return
        asker.step(now)
        while asker.effects:
            while asker.effects:
                self._do(asker, asker.effects.popleft(), now)
            asker.step(now)

    def _do(self, asker: Asker, effect: AskerEffect, now: float) -> None:
        match effect:
            case SayAsk(holder, ask):
                self._check_ask(ask)
                self._asked[ask.transfer] = ask
                self._carrier.say(self, holder, encode(ask))
            case Write(fetch=fetch) if self.is_full:
                asker.disk_failed(fetch, now)
            case Write(fetch=fetch) if fetch in self._wants:
                self._parts.write(effect, self._wants[fetch].object.size)
            case Save(fetch=fetch) if fetch in self._wants and fetch in self._parts.parts:
                self._parts.save(effect, self._wants[fetch].object.size)
                asker.saved(fetch, effect.blocks)
            case Hash(fetch, turn, offset, length):
                content = self._parts.parts.get(fetch, b"")[offset : offset + length]
                asker.hashed(fetch, turn, sha256(content).digest(), now)
            case Fetched(fetch):
                self.put(lambda: self._adopt(fetch))
            case PlaceFailed():
                self.tell(self._refused(effect))
            case PlacesSilent() | Held():
                self._heard(effect)
            case _:
                pass  # nobody wants it any more

    def _adopt(self, fetch: FetchId) -> None:
        """Give an object its place; its part file goes when rows say that it is here."""
        content = self._parts.parts.get(fetch)
        if content is None:
            return
        found, want = Object(fetch.sha256, len(content)), self._wants.get(fetch)
        files = None
        if want is not None and want.is_directory:
            try:
                files = directories.files_of(directories.read(bytes(content)))
            except directories.NoDirectory as problem:
                self.tell(FetchedNoDirectory(fetch, str(problem)))
                return
        self._check_room()
        if sha256(content).hexdigest() != fetch.sha256:
            self.wrong(f"other bytes were taken for {fetch.sha256[:8]}")
        self.objects[found.sha256] = bytes(content)
        self.lost.discard(found.sha256)
        self._given[_key(fetch)] = (found,)
        self.tell(self._came(fetch, found, files))

    def take_located(self, said: LocationFetched, content: bytes) -> None:
        """Take what has come from an address, in its turn, and tell it."""
        self.put(lambda: self._take_located(said, content))

    def _take_located(self, said: LocationFetched, content: bytes) -> None:
        if not self.located.is_wanted(said.id):
            return
        self._check_room()
        self.objects[said.object.sha256] = content
        self.lost.discard(said.object.sha256)
        self._carrier.made.add((said.id.manager, said.object.sha256))
        self._given[_key(said.id)] = (said.object,)
        self.tell(said)

    def _came(self, fetch: FetchId, found: Object, files: tuple[Object, ...] | None) -> JobNews | StoreNews:
        return ObjectFetched(fetch, found, files)

    def _refused(self, failed: PlaceFailed) -> JobNews | StoreNews:
        return PlaceRefused(failed.fetch, failed.holder, failed.why)

    def _heard(self, said: PlacesSilent | Held) -> None:
        self.tell(said)

    def _check_ask(self, ask: Ask) -> None:
        """Nothing is asked for that is here and safe, unless something was wrong with it."""
        fetch = _fetch_of(ask)
        saved = self._parts.saved.get(fetch, b"")
        if ask.part != "bytes" or fetch in self._doubtful:
            return
        for offset, length in ask.ranges:
            for block in range(offset // GRAIN.block, -(-(offset + length) // GRAIN.block)):
                if block // 8 < len(saved) and saved[block // 8] >> block % 8 & 1:
                    self.wrong(f"{fetch.sha256[:8]} is asked for again from {offset}, which is there")

    def _look_at(self, answer: Data | No) -> None:
        """Doubt an object of which wrong bytes or hashes come: right ones go with them, and are asked for again."""
        ask = self._asked.get(answer.transfer)
        if ask is None or isinstance(answer, No):
            return
        fetch = _fetch_of(ask)
        content = content_named(fetch.sha256) or b""
        right = content if ask.part == "bytes" else hashes_of(content)
        if right[answer.offset : answer.offset + len(answer.content)] != answer.content:
            self._doubtful.add(fetch)

    # What is given

    def hear(self, sender: Peer, payload: bytes) -> None:
        """Take what another node says."""
        now = self._carrier.now
        try:
            if payload.startswith(b"{") and b'"ticket":"' in payload:
                ask = decode_ask("", payload)
                if self._holder is not None:
                    self._asks[sender, ask.transfer] = ask
                    self._holder.asked(sender, ask, now)
                    self._pump_holder(now)
            elif self._asker is not None:
                answer = decode_answer("", payload)
                self._look_at(answer)
                self._asker.heard(sender, answer, now)
                self._pump_asker(now)
        except Unreadable:
            return

    def _pump_holder(self, now: float) -> None:
        while self.connection and self._holder is not None and (effect := self._holder.due(now)) is not None:
            self._give(self._holder, effect)

    def _give(self, holder: Holder, effect: HolderEffect) -> None:
        match effect:
            case MakeList(name):
                content = self.objects.get(name)
                is_right = content is not None and sha256(content).hexdigest() == name
                holder.listed(name, hashes_of(content or b"") if is_right else None)
            case LetComeBack(name):
                if self._is_away(name):
                    self.tell(Needed((id_of(name),)))
            case SayData():
                whole = holder.list_of(effect.sha256) if effect.part == "blocks" else self.objects.get(effect.sha256)
                if whole is None:
                    holder.unreadable(effect)
                    return
                self._check_given(effect)
                content = whole[effect.offset : effect.offset + effect.length]
                self._carrier.say(self, effect.asker, encode_data(Data(effect.transfer, effect.offset, content)))
            case _:
                self._carrier.say(self, effect.asker, encode(effect.no))

    def _check_given(self, data: SayData) -> None:
        ask = self._asks[data.asker, data.transfer]
        if (ask.manager, data.sha256) not in self._carrier.made or not self._carrier.may_ask(data.asker, ask):
            self.wrong(f"{data.asker} is given {data.sha256[:8]}, which it may not have")

    def wrong(self, what: str) -> None:
        """Note what must never be."""
        self._carrier.wrong.append(f"{self.peer.node}: {what}")


def _fetch_of(ask: Ask) -> FetchId:
    return FetchId(ask.manager, sha256_of(ObjectId(ask.object)))


def hashes_of(content: bytes) -> bytes:
    """Return the block list of an object."""
    segments = (content[at : at + GRAIN.segment] for at in range(0, len(content), GRAIN.segment))
    return b"".join(sha256(segment).digest() for segment in segments)


def _with_files(name: str) -> tuple[str, ...]:
    return (name, *(each.sha256 for each in files_in(name)))


def _key(fetch: FetchId | LocationId) -> str:
    return "/".join(fetch)
