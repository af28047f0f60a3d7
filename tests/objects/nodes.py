"""Nodes of the simulation: the real asker and holder, with a disk that forgets what was not made safe."""

from collections import Counter
from contextlib import suppress
from hashlib import sha256
from math import inf
from typing import Protocol

from caroni_edge.base.chance import SeededChance
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.asker import Asker
from caroni_edge.objects.transfer.effects import (
    AskerEffect,
    Fetched,
    FetchId,
    Hash,
    MakeList,
    PlaceFailed,
    Save,
    SayAsk,
    SayData,
    SayNo,
    Write,
)
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.pieces import Grain
from caroni_edge.objects.transfer.probe import Probe
from caroni_edge.objects.transfer.tickets import Keys, Peer
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.transfers import (
    CHUNK_SIZES,
    TRANSFER_VERSION,
    Data,
    No,
    decode_answer,
    decode_ask,
    encode_data,
)
from tests.objects.network import Clock, Network

GRAIN = Grain(block=32 << 10, segment=128 << 10, listed=320 << 10, save=128 << 10)
"""As the real one, for objects of some hundred KiB."""
ASKS_MAX = 3000


class Violation(Exception):
    """A promise was broken."""


def object_of(content: bytes) -> Object:
    return Object(sha256(content).hexdigest(), len(content))


class Surroundings(Protocol):
    """What a node sees of its world."""

    clock: Clock
    network: Network
    seed: int
    asks: Counter[Peer]
    data_bytes: Counter[Peer]
    liars: set[Peer]

    def may_have(self, asker: Peer, holder: Peer, data: SayData) -> bool:
        """Tell whether it was agreed that a node may have an object from another one."""

    def log(self, text: str) -> None:
        """Note what happens."""

    def disk_fails(self, node: Peer, *, is_followed: bool) -> bool:
        """Tell whether a disk is full now, for a write after which something else is to be done at once, or not."""


class Disk:
    """Part files. What was saved survives a crash; what was written after that may, or may be something else."""

    def __init__(self) -> None:
        self.parts: dict[FetchId, bytearray] = {}
        self.saved: dict[FetchId, bytes] = {}
        self._safe: dict[FetchId, bytes] = {}
        self._written: dict[FetchId, set[int]] = {}

    def write(self, effect: Write, size: int) -> None:
        part = self.parts.setdefault(effect.fetch, bytearray(size))
        part[effect.offset : effect.offset + len(effect.content)] = effect.content
        step = 1024
        written = self._written.setdefault(effect.fetch, set())
        written.update(range(effect.offset // step, -(-(effect.offset + len(effect.content)) // step)))

    def save(self, effect: Save, size: int) -> None:
        written, step = self._written.get(effect.fetch, set()), 1024
        for index in range(-(-size // GRAIN.block)):
            block = range(index * GRAIN.block // step, -(-min(size, (index + 1) * GRAIN.block) // step))
            if effect.blocks[index // 8] >> index % 8 & 1 and not written.issuperset(block):
                raise Violation("a block counts as here that was never written")
        self.saved[effect.fetch] = effect.blocks
        self._safe[effect.fetch] = bytes(self.parts[effect.fetch])

    def crash(self, chance: SeededChance) -> None:
        for fetch_id, part in list(self.parts.items()):
            safe = self._safe.get(fetch_id, bytes(len(part)))
            for start in range(0, len(part), 4096):
                if chance.random() < 0.5:
                    part[start : start + 4096] = safe[start : start + 4096]
            if part and chance.random() < 0.2:
                part[int(chance.random() * len(part))] ^= 1  # and now and then a disk is not as good as its word
        for fetch_id in self.parts.keys() - self.saved.keys():
            del self.parts[fetch_id]

    def remove(self, fetch_id: FetchId) -> bytes:
        self.saved.pop(fetch_id, None)
        self._safe.pop(fetch_id, None)
        self._written.pop(fetch_id, None)
        return bytes(self.parts.pop(fetch_id, b""))


class Echo:
    """Finds out what a node's broker lets through, as its connection does."""

    def __init__(self, node: "AskingNode | HoldingNode") -> None:
        self._node, self._probe = node, Probe()
        self.is_connected = False

    @property
    def passes(self) -> int:
        return self._probe.passes

    def step(self, wanted: int) -> None:
        """Say what is due, and tell the node what is known as soon as it is enough."""
        if not self.is_connected:
            return
        world, now, peer = self._node.world, self._node.world.clock.now, self._node.peer
        while (size := self._probe.to_say(wanted, now)) is not None:
            world.network.publish(peer, peer, encode_data(Data(0, 0, bytes(size))))
        self._node.learned(self._probe.passes, self._probe.limit)

    def next_due(self, wanted: int) -> float:
        return self._probe.next_due(wanted) if self.is_connected else inf

    def heard(self, payload: bytes) -> None:
        with suppress(Unreadable):
            answer = decode_answer("", payload)
            if isinstance(answer, Data) and answer.transfer == 0:
                self._probe.heard(len(answer.content))

    def disconnected(self) -> None:
        self.is_connected = False
        self._probe.disconnected()


class AskingNode:
    """A node that fetches objects, through crashes."""

    def __init__(self, peer: Peer, world: Surroundings, down: float | None) -> None:
        self.peer, self.world, self.down = peer, world, down
        self.echo = Echo(self)
        self.disk = Disk()
        self.wants: dict[FetchId, Want] = {}
        self.done: dict[FetchId, bytes] = {}
        self.failed: list[PlaceFailed] = []
        self._lives = 0
        self.asker: Asker | None = None
        self._wakes_at = inf

    def start(self) -> None:
        self._lives += 1
        chance = SeededChance((self.world.seed, self.peer, self._lives))
        self.asker, self.echo = Asker(chance, down=self.down, grain=GRAIN), Echo(self)
        for want in self.wants.values():
            self.asker.fetch(want, self.disk.saved.get(want.id, b""))
        self.connect()

    def crash(self) -> None:
        self.world.log(f"{self.peer} crashes")
        self.disconnect()
        self.asker = None
        self.disk.crash(SeededChance((self.world.seed, self.peer, "crash", self._lives)))

    def connect(self) -> None:
        if self.asker is not None:
            self.world.network.connect(self.peer, self.hear)
            self.echo.is_connected = True
            self.asker.connected()
            self.pump()

    def learned(self, passes: int, _limit: int) -> None:
        assert self.asker is not None
        self.asker.passes = passes

    def disconnect(self) -> None:
        self.world.network.disconnect(self.peer)
        self.echo.disconnected()
        if self.asker is not None:
            self.asker.disconnected()

    def want(self, want: Want) -> None:
        self.wants[want.id] = want
        if self.asker is not None:
            self.asker.fetch(want)
            self.pump()

    def hear(self, holder: Peer, payload: bytes) -> None:
        if holder == self.peer:
            self.echo.heard(payload)
            self.pump()
            return
        self.world.data_bytes[self.peer] += len(payload)
        try:
            answer = decode_answer("", payload)
        except Unreadable:
            return
        if self.asker is not None:
            self.asker.heard(holder, answer, self.world.clock.now)
            self.pump()

    def pump(self) -> None:
        """Do what the asker wants done, until it wants nothing."""
        asker, now = self.asker, self.world.clock.now
        if asker is None:
            return
        self.echo.step(asker.chunk)
        asker.step(now)
        while asker.effects:
            while asker.effects:
                self._do(asker, asker.effects.popleft())
            asker.step(now)
        due = min(asker.next_due(), self.echo.next_due(asker.chunk))
        if due < self._wakes_at:
            self._wakes_at = due
            self.world.clock.at(due, self._wake)

    def _wake(self) -> None:
        self._wakes_at = inf
        self.pump()

    def _do(self, asker: Asker, effect: AskerEffect) -> None:
        now = self.world.clock.now
        match effect:
            case SayAsk(holder, ask):
                self.world.asks[self.peer] += 1
                if self.world.asks[self.peer] > ASKS_MAX:
                    raise Violation("a storm of Asks")
                self.world.network.publish(self.peer, holder, encode(ask))
            case Write(fetch=fetch_id):
                if self.world.disk_fails(self.peer, is_followed=bool(asker.effects)):
                    asker.disk_failed(fetch_id, now)
                elif fetch_id in self.wants:
                    self.disk.write(effect, self.wants[fetch_id].object.size)
            case Save(fetch=fetch_id):
                if fetch_id in self.disk.parts:
                    self.disk.save(effect, self.wants[fetch_id].object.size)
                    asker.saved(fetch_id, effect.blocks)
            case Hash(fetch_id, turn, offset, length):
                content = self.disk.parts.get(fetch_id, b"")[offset : offset + length]
                asker.hashed(fetch_id, turn, sha256(content).digest(), now)
            case Fetched(fetch_id):
                del self.wants[fetch_id]
                self.done[fetch_id] = self.disk.remove(fetch_id)
                asker.forget(fetch_id)
                self.world.log(f"{self.peer} has {fetch_id.sha256[:6]}")
            case PlaceFailed():
                self.world.log(f"{self.peer}: {effect.holder} failed, {effect.why}")
                self.failed.append(effect)


class HoldingNode:
    """A node that holds objects of some managers; `lie` is how it is wrong, if it is."""

    def __init__(self, peer: Peer, world: Surroundings, up: float | None, lie: str = "") -> None:
        self.peer, self.world, self.up, self.lie = peer, world, up, lie
        self.echo = Echo(self)
        self.objects: dict[str, bytes] = {}
        self.references: dict[tuple[str, str, str], int] = {}
        self.manager_keys: dict[str, Keys] = {}
        self.holder: Holder | None = None
        self._wakes_at = inf
        self._chance = SeededChance((world.seed, peer, "lies"))

    def keys(self, manager: str) -> Keys | None:
        return self.manager_keys.get(manager)

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return self.references.get((manager, workflow, sha256))

    def start(self) -> None:
        self.holder, self.echo = Holder(self, self.up, GRAIN), Echo(self)
        self.connect()

    def crash(self) -> None:
        self.world.log(f"{self.peer} crashes")
        self.disconnect()
        self.holder = None

    def connect(self) -> None:
        if self.holder is not None:
            self.world.network.connect(self.peer, self.hear)
            self.echo.is_connected = True
            self.pump()

    def learned(self, passes: int, limit: int) -> None:
        assert self.holder is not None
        self.holder.learned(passes, limit)

    def disconnect(self) -> None:
        self.world.network.disconnect(self.peer)
        self.echo.disconnected()
        if self.holder is not None:
            self.holder.disconnected()

    def hear(self, asker: Peer, payload: bytes) -> None:
        if asker == self.peer:
            self.echo.heard(payload)
            self.pump()
            return
        if self.lie == "silent" or self.holder is None:
            return
        try:
            self.holder.asked(asker, decode_ask("", payload), self.world.clock.now)
        except Unreadable:
            return
        self.pump()

    def pump(self) -> None:
        holder, now = self.holder, self.world.clock.now
        if holder is None:
            return
        self.echo.step(holder.chunk)
        while self.echo.passes and (effect := holder.due(now)) is not None:
            if isinstance(effect, SayData):
                self._say(holder, effect)
            elif isinstance(effect, MakeList):
                content = self.objects[effect.sha256]
                parts = (content[at : at + GRAIN.segment] for at in range(0, len(content), GRAIN.segment))
                holder.listed(effect.sha256, b"".join(sha256(part).digest() for part in parts))
            elif isinstance(effect, SayNo):
                self.world.network.publish(self.peer, effect.asker, encode(effect.no))
        due = min(holder.next_due(now) if self.echo.passes else inf, self.echo.next_due(holder.chunk))
        if due < self._wakes_at:
            self._wakes_at = due
            self.world.clock.at(due, self._wake)

    def _wake(self) -> None:
        self._wakes_at = inf
        self.pump()

    def _say(self, holder: Holder, said: SayData) -> None:
        if not self.world.may_have(said.asker, self.peer, said):
            raise Violation(f"{self.peer} gives {said.asker} what is not for it")
        whole = holder.list_of(said.sha256) if said.part == "blocks" else self.objects[said.sha256]
        content, offset = whole[said.offset : said.offset + said.length], said.offset
        if len(content) != said.length:
            raise Violation(f"{self.peer} is to give bytes that are not there")
        if said.length > self.echo.passes:
            raise Violation(f"{self.peer} gives {said.length} bytes at a time before it knows that so many pass")
        is_lying = self._chance.random() < 0.3
        if (self.lie == "bytes" and said.part == "bytes" and is_lying) or (
            self.lie == "list" and said.part == "blocks"
        ):
            content = bytes([content[0] ^ 1]) + content[1:]
        elif self.lie == "place" and is_lying:
            offset += 1024
        elif self.lie == "endless":
            for more in range(3):
                self._publish(said, Data(said.transfer, said.offset + (more + 1) * 8192, content))
        elif self.lie == "chunk":
            no = No(v=TRANSFER_VERSION, transfer=said.transfer, reason="chunk", chunk=CHUNK_SIZES[-1])
            self.world.network.publish(self.peer, said.asker, encode(no))
            return
        elif self.lie == "short":
            content = content[:-1]
        self._publish(said, Data(said.transfer, offset, content))

    def _publish(self, said: SayData, data: Data) -> None:
        self.world.network.publish(self.peer, said.asker, encode_data(data))
