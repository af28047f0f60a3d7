"""Schedules: nodes, objects, and what goes wrong, all by a seed; then the faults stop, and all must end."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from caroni_edge.objects.transfer.effects import SayData
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_SIZES, DATA_OVERHEAD_BYTES, TRANSFER_VERSION, Ask
from tests.objects.network import Clock, Line, Network
from tests.objects.nodes import GRAIN, AskingNode, HoldingNode, Violation, object_of

FAULTS_LAST_S = 1500.0
FAULTS_BEGIN_WITHIN_S = 150.0
ENDS_WITHIN_S = 4 * 3600.0
LIES = ("bytes", "list", "place", "endless", "short", "silent", "other", "chunk")
MOST_LINES = 2000
PLAIN = Line()


@dataclass(frozen=True)
class Setting:
    """What a schedule is like.

    Attributes:
        seed: Where its chance comes from.
        line: What the lines do while there are faults.
        askers, holders, managers, objects: How many there are.
        liars: How many of the holders lie; one at least does not.
        cuts, crashes, full: How often a node is cut off, dies, or has a full disk.
        strangers: Whether somebody asks for what is not for it.
        small: Whether some brokers let nothing large through.
        up, down: Bytes a second that a node lets flow.
    """

    seed: int
    line: Line = PLAIN
    askers: int = 2
    holders: int = 2
    managers: int = 1
    objects: int = 3
    largest: int = 600_000
    liars: int = 0
    cuts: int = 0
    crashes: int = 0
    full: int = 0
    strangers: bool = False
    small: bool = False
    up: float | None = None
    down: float | None = None


def setting_of(seed: int) -> Setting:
    """Return the setting of a seed: each kind of trouble is there now and then."""
    random = Random(f"setting {seed}")

    def now_and_then(share: float, value: float) -> float:
        return value * random.random() if random.random() < share else 0.0

    line = Line(
        delay_s=random.choice((0.001, 0.02, 0.3)),
        jitter_s=now_and_then(0.5, 0.3),
        rate=random.choice((2e4, 1e6, 1e8)),
        drops=now_and_then(0.5, 0.2),
        doubles=now_and_then(0.4, 0.2),
        damages=now_and_then(0.4, 0.1),
    )
    holders = random.randint(1, 4)
    return Setting(
        seed,
        line,
        askers=random.randint(1, 3),
        holders=holders,
        managers=random.randint(1, 2),
        objects=random.randint(1, 5),
        liars=random.randint(0, holders - 1) if random.random() < 0.5 else 0,
        cuts=random.randint(0, 6) if random.random() < 0.6 else 0,
        crashes=random.randint(0, 6) if random.random() < 0.6 else 0,
        full=random.randint(0, 2) if random.random() < 0.3 else 0,
        strangers=random.random() < 0.3,
        small=random.random() < 0.3,
        up=random.choice((None, None, 1e5)),
        down=random.choice((None, None, 1e5)),
    )


class World:
    """A federation as far as bytes are concerned."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.seed = setting, setting.seed
        self.random = Random(f"world {setting.seed}")
        self.clock = Clock()
        self.network = Network(self.clock, self.random, setting.line)
        self.asks: Counter[Peer] = Counter()
        self.data_bytes: Counter[Peer] = Counter()
        self.contents: dict[str, bytes] = {}
        self.lines: list[str] = []
        self.liars: set[Peer] = set()
        self._agreed: set[tuple[Peer, Peer, str]] = set()
        self._full: set[Peer] = set()
        self._filling: set[Peer] = set()
        self._transfers = count(1)
        self.holders = [self._holder(number) for number in range(setting.holders)]
        self.askers = [self._asker(number) for number in range(setting.askers)]
        for number in range(setting.objects):
            self._place_object(number)
        self.stranger = Peer("agents", "x1")
        self.network.connect(self.stranger, lambda _sender, _payload: None)

    # What the nodes see

    def log(self, text: str) -> None:
        if len(self.lines) < MOST_LINES:
            self.lines.append(f"{self.clock.now:9.3f} {text}")

    def may_have(self, asker: Peer, holder: Peer, data: SayData) -> bool:
        return (asker, holder, data.sha256) in self._agreed

    def disk_fails(self, node: Peer, *, is_followed: bool) -> bool:
        if is_followed and node in self._filling:
            self._full.add(node)
        return node in self._full

    # How it is made

    def _holder(self, number: int) -> HoldingNode:
        lie = self.random.choice(LIES) if number < self.setting.liars else ""
        node = HoldingNode(Peer("agents", f"h{number}"), self, self.setting.up, lie)
        if lie:
            self.liars.add(node.peer)
        self._limit(node.peer)
        for manager in range(self.setting.managers):
            node.manager_keys[f"m{manager}"] = Keys(Key(1, self.random.randbytes(32)))
        self.clock.at(self.random.random(), node.start)
        return node

    def _asker(self, number: int) -> AskingNode:
        node = AskingNode(Peer("agents", f"a{number}"), self, self.setting.down)
        self._limit(node.peer)
        self.clock.at(self.random.random(), node.start)
        return node

    def _limit(self, peer: Peer) -> None:
        if self.setting.small:
            passes = self.random.choice(CHUNK_SIZES)
            # Now and then a bridge behind the broker lets less through than the probes show.
            hidden = self.random.choice(CHUNK_SIZES) if self.random.random() < 0.2 else passes
            self.network.limits[peer] = min(passes, hidden) + DATA_OVERHEAD_BYTES
            self.network.echo_limits[peer] = passes + DATA_OVERHEAD_BYTES

    def _place_object(self, number: int) -> None:
        size = self.random.choice((0, 1, 5_000, 90_000, self.setting.largest, self.random.randrange(1, 600_000)))
        content = self.random.randbytes(size)
        wanted = object_of(content)
        self.contents[wanted.sha256] = content
        manager = f"m{self.random.randrange(self.setting.managers)}"
        honest = [node for node in self.holders if not node.lie]
        chosen = {self.random.choice(honest).peer, *(node.peer for node in self.holders if self.random.random() < 0.7)}
        for asker in self.askers:
            if self.random.random() < 0.3:
                continue
            places = []
            for at, node in enumerate(self.holders):
                if node.peer in chosen:
                    workflow = f"w{number}-{at % 2}"  # it is wanted for two, of which each knows other places
                    node.objects[wanted.sha256] = bytes(reversed(content)) if node.lie == "other" else content
                    node.references[manager, workflow, wanted.sha256] = size
                    key = node.manager_keys[manager].present
                    places.append(Place(node.peer, workflow, key.generation, make_ticket(key, workflow, asker.peer)))
                    self._agreed.add((asker.peer, node.peer, wanted.sha256))
            want = Want(manager, wanted, tuple(places))
            self.clock.at(self.random.random() * 60, lambda asker=asker, want=want: asker.want(want))  # type: ignore[misc]

    # What goes wrong

    def _nodes(self) -> list[AskingNode | HoldingNode]:
        return [*self.askers, *self.holders]

    def plan_faults(self) -> None:
        nodes = self._nodes()
        for _ in range(self.setting.cuts):
            node, begins = self.random.choice(nodes), self.random.random() * FAULTS_BEGIN_WITHIN_S
            self.clock.at(begins, node.disconnect)
            self.clock.at(begins + self.random.random() * 60, node.connect)
        for _ in range(self.setting.crashes):
            node, begins = self.random.choice(nodes), self.random.random() * FAULTS_BEGIN_WITHIN_S
            self.clock.at(begins, lambda node=node: self._crash(node))  # type: ignore[misc]
            lasts_s = self.random.random() * self.random.choice((60, 60, 1200))
            self.clock.at(begins + lasts_s, lambda node=node: self._restart(node))  # type: ignore[misc]
        for _ in range(self.setting.full):
            asker, begins = self.random.choice(self.askers), self.random.random() * 60
            disks = self.random.choice((self._full, self._filling))
            self.clock.at(begins, lambda peer=asker.peer, disks=disks: disks.add(peer))  # type: ignore[misc]
            self.clock.at(begins + 60, lambda peer=asker.peer: self._empty(peer))  # type: ignore[misc]
        if self.setting.strangers:
            for _ in range(20):
                self.clock.at(self.random.random() * FAULTS_BEGIN_WITHIN_S, self._ask_as_stranger)

    def _empty(self, peer: Peer) -> None:
        self._full.discard(peer)
        self._filling.discard(peer)

    def _crash(self, node: AskingNode | HoldingNode) -> None:
        if (node.asker if isinstance(node, AskingNode) else node.holder) is not None:
            node.crash()

    def _restart(self, node: AskingNode | HoldingNode) -> None:
        if (node.asker if isinstance(node, AskingNode) else node.holder) is None:
            node.start()

    def _ask_as_stranger(self) -> None:
        """Somebody asks for what is not for it, or for more than there is."""
        wants = [(asker, want) for asker in self.askers for want in asker.wants.values()]
        if not wants:
            return
        asker, want = self.random.choice(wants)
        place = self.random.choice(want.places)
        kind = self.random.randrange(5)
        sender = asker.peer if kind >= 3 else self.stranger
        tickets = (
            place.ticket,
            make_ticket(Key(1, b"mine"), place.workflow, self.stranger),
            "0" * 64,
            place.ticket,
            place.ticket,
        )
        others = sorted(self.contents.keys() - {want.object.sha256}) if kind == 3 else [want.object.sha256]
        ask = Ask(
            v=TRANSFER_VERSION,
            transfer=next(self._transfers),
            manager=want.manager,
            workflow=place.workflow,
            generation=1,
            object=f"sha256:{self.random.choice(others) if others else '0' * 64}",
            ticket=tickets[kind],
            ranges=((0, self.random.choice((1, 100, 400_000))),),
            chunk=8192,
            part="bytes",
        )
        self.network.publish(sender, place.holder, encode(ask))

    # How it goes

    def play(self) -> None:
        """Let all happen, then stop the faults.

        Raises:
            Violation: A promise was broken.
        """
        self.plan_faults()
        self.clock.run(FAULTS_LAST_S, self._is_over)
        self.log("the faults stop")
        self.network.line = replace(self.setting.line, drops=0.0, doubles=0.0, damages=0.0)
        self._full.clear()
        self._filling.clear()
        for node in self._nodes():
            self._restart(node)
            if not self.network.is_connected(node.peer):
                node.connect()
        self.clock.run(self.clock.now + ENDS_WITHIN_S, self._is_over)
        self._check()

    def _is_over(self) -> bool:
        return self.clock.now > 61.0 and not any(asker.wants for asker in self.askers)

    def _check(self) -> None:
        for asker in self.askers:
            for fetch_id, content in asker.done.items():
                if content != self.contents[fetch_id.sha256]:
                    raise Violation(f"{asker.peer} took something else for {fetch_id.sha256[:6]}")
            for failed in asker.failed:
                # A damaged Ask may be one for something else.
                is_misheard = failed.why != "bad" and self.setting.line.damages > 0
                if failed.holder not in self.liars and not is_misheard:
                    raise Violation(f"{asker.peer} blames {failed.holder}: {failed.why}")
            if asker.wants:
                raise Violation(f"{asker.peer} never gets {[fetch_id.sha256[:6] for fetch_id in asker.wants]}")
            self._check_costs(asker)

    def _check_costs(self, asker: AskingNode) -> None:
        """Nothing is sent twice that was there: what is lost by faults alone may be."""
        sizes = sum(len(content) for content in asker.done.values())
        troubles = self.setting.cuts + self.setting.crashes
        calm = self.setting.line.drops + self.setting.line.doubles + self.setting.line.damages == 0.0
        if calm and not self.liars and not self.setting.small and not self.setting.full and not self.setting.strangers:
            allowed = 1.1 * sizes + 200_000 + troubles * (64 * CHUNK_MAX + GRAIN.save + GRAIN.segment)
            if self.data_bytes[asker.peer] > allowed:
                raise Violation(f"{asker.peer} got {self.data_bytes[asker.peer]} bytes for {sizes}")


def play(seed: int, setting: Setting | None = None) -> tuple[str, list[str]]:
    """Play a schedule; return what went wrong, or nothing, and what happened."""
    world = World(setting or setting_of(seed))
    try:
        world.play()
    except Violation as violation:
        return str(violation), world.lines
    return "", world.lines
