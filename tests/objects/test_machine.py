"""One asker and its holders, driven by what Hypothesis thinks of; then all is delivered, and the object must come."""

from hashlib import sha256
from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from caroni_edge.base.chance import SeededChance
from caroni_edge.objects.transfer.asker import Asker
from caroni_edge.objects.transfer.effects import Fetched, Hash, PlaceFailed, Save, SayAsk, SayData, SayNo, Write
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.transfers import CHUNK_MAX, Data, decode_answer, decode_ask, encode_data
from tests.objects.nodes import GRAIN, object_of

ME = Peer("agents", "a")
HOLDERS = {name: Peer("agents", name) for name in ("good", "late", "liar")}
CONTENT = SeededChance("content")
BYTES = b"".join(CONTENT.new_id().encode() for _ in range(25_000))
WANTED = object_of(BYTES)
KEY = Key(1, b"k" * 32)
STEPS_MAX = 5000


class Rights:
    def keys(self, manager: str) -> Keys | None:
        return Keys(KEY)

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return WANTED.size


class Transfer(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now, self.lives = 0.0, 0
        self.on_the_way: list[tuple[Peer, bytes]] = []
        self.part, self.safe, self.blocks = bytearray(WANTED.size), bytes(WANTED.size), b""
        self.done = False
        self.holders = {peer: Holder(Rights(), grain=GRAIN) for peer in HOLDERS.values()}
        self.live()

    def live(self) -> None:
        self.lives += 1
        self.asker = Asker(SeededChance(("machine", self.lives)), grain=GRAIN)
        self.asker.passes = CHUNK_MAX
        places = tuple(Place(peer, "w", 1, make_ticket(KEY, "w", ME)) for peer in HOLDERS.values())
        if not self.done:
            self.asker.fetch(Want("m", WANTED, places), self.blocks)
        self.asker.connected()

    def pump(self) -> None:
        self.asker.step(self.now)
        while self.asker.effects:
            match effect := self.asker.effects.popleft():
                case SayAsk(holder, ask):
                    self.on_the_way.append((holder, encode(ask)))
                case Write(offset=offset, content=content):
                    self.part[offset : offset + len(content)] = content
                case Save(fetch, blocks):
                    self.safe, self.blocks = bytes(self.part), blocks
                    self.asker.saved(fetch, blocks)
                case Hash(fetch, turn, offset, length):
                    digest = sha256(self.part[offset : offset + length]).digest()
                    self.asker.hashed(fetch, turn, digest, self.now)
                case Fetched():
                    assert self.part == BYTES
                    self.done = True
                case PlaceFailed(holder=holder, why=why):
                    assert (holder, why) == (HOLDERS["liar"], "bad"), effect
            self.asker.step(self.now)

    def deliver(self, index: int) -> None:
        peer, payload = self.on_the_way.pop(index)
        try:
            if payload.startswith(b'{"v":1,"transfer":') and b"ranges" in payload:
                self.give(peer, payload)
            else:
                self.asker.heard(peer, decode_answer("", payload), self.now)
        except Unreadable:
            return
        self.pump()

    def give(self, peer: Peer, payload: bytes) -> None:
        holder = self.holders[peer]
        holder.asked(ME, decode_ask("", payload), self.now)
        while (effect := holder.due(self.now)) is not None:
            if isinstance(effect, SayNo):
                self.on_the_way.append((peer, encode(effect.no)))
            elif isinstance(effect, SayData):
                self.say(peer, holder, effect)
            else:
                parts = range(0, WANTED.size, GRAIN.segment)
                hashes = (sha256(BYTES[at : at + GRAIN.segment]).digest() for at in parts)
                holder.listed(effect.sha256, b"".join(hashes))

    def say(self, peer: Peer, holder: Holder, effect: SayData) -> None:
        whole = holder.list_of(effect.sha256) if effect.part == "blocks" else BYTES
        content = whole[effect.offset : effect.offset + effect.length]
        if peer == HOLDERS["liar"] and effect.offset % 3 == 0:
            content = bytes(len(content))
        self.on_the_way.append((peer, encode_data(Data(effect.transfer, effect.offset, content))))

    @rule(times=st.integers(1, 30), last=st.booleans())
    def some_arrive(self, times: int, last: bool) -> None:
        self.pump()
        for _ in range(min(times, len(self.on_the_way))):
            self.deliver(-1 if last else 0)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), what=st.sampled_from(["drop", "double", "damage"]))
    def go_wrong(self, data: st.DataObject, what: str) -> None:
        index = data.draw(st.integers(0, len(self.on_the_way) - 1))
        peer, payload = self.on_the_way[index]
        if what == "drop":
            del self.on_the_way[index]
        elif what == "double":
            self.on_the_way.append((peer, payload))
        elif not payload.startswith(b"{"):
            at = data.draw(st.integers(0, len(payload) - 1))
            self.on_the_way[index] = peer, payload[:at] + bytes([payload[at] ^ 4]) + payload[at + 1 :]

    @rule(seconds=st.sampled_from([0.01, 1.0, 5.0, 60.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.pump()

    @rule()
    def be_cut_off(self) -> None:
        self.on_the_way.clear()
        self.asker.disconnected()
        self.pump()
        self.asker.connected()

    @rule(name=st.sampled_from(sorted(HOLDERS)))
    def holder_dies(self, name: str) -> None:
        self.holders[HOLDERS[name]] = Holder(Rights(), grain=GRAIN)

    @rule(keeps=st.integers(0, WANTED.size))
    def asker_dies(self, keeps: int) -> None:
        self.part = bytearray(bytes(self.part[:keeps]) + self.safe[keeps:])
        self.live()

    def teardown(self) -> None:
        """Now nothing goes wrong any more."""
        for _ in range(STEPS_MAX):
            self.pump()
            if self.done:
                return
            if self.on_the_way:
                self.now += 0.001
                self.deliver(0)
            elif (due := self.asker.next_due()) < inf:
                self.now = max(self.now, due)
        raise AssertionError(f"it never comes: {len(self.on_the_way)} on the way, due at {self.asker.next_due()}")


TestTransfer = Transfer.TestCase
