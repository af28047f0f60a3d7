"""The world of a walk: nodes, their databases and backups, a broker, and everything that can happen to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from caroni_edge.storage.database import Database
from tests.link.broker import Broker, Envelope
from tests.link.process import ANSWER, NO_FAULT, PLAIN, POISON, Crashed, Fault, Process, Work, copy_of, new_database

SMALL_BYTES = 20_000


@dataclass(frozen=True)
class Setting:
    """What stays the same during a walk.

    Attributes:
        nodes: How many nodes there are.
        window: Frames in flight (`WINDOW_FRAMES`).
        frame_bytes: How much fits in a frame, besides one message (`MESSAGE_LIMIT_BYTES`).
        order: How the broker delivers: `kept`, `any`, `newest` first, or `questions` first and then the newest.
        presence: Whether presences are delivered by themselves.
        open_peers: Whether a process asks all its peers at its start.
        faults: How probable a crash, a lost connection or a storage error in a batch is.
        poison: How probable a message is whose handler raises.
        small: What the broker does with more than 20,000 bytes: `drops` them, or `cuts` off who publishes them.
    """

    nodes: int = 2
    window: int = 32
    frame_bytes: int = 63 * 1024
    order: str = "kept"
    presence: bool = True
    open_peers: bool = False
    faults: float = 0.0
    poison: float = 0.0
    small: str = ""


@dataclass
class Node:
    """A node: the instance that is in use, and what else of it exists.

    Attributes:
        name: Its id.
        database: What it has on disk.
        process: None while it is down.
        twin: Another instance of the same id, which is frozen or down.
        backups: Older copies of the database.
        snapshot: The process and its database as they were at some time.
        was_lost: Its database was lost, restored or cloned.
    """

    name: str
    database: Database
    process: Process | None = None
    twin: tuple[Database, Process | None] | None = None
    backups: list[Database] = field(default_factory=list)
    snapshot: Process | None = None
    was_lost: bool = False


class World:
    """Nodes and broker. Everything that happens is one of the public methods, and its chance comes from `random`.

    Attributes:
        now: Simulated seconds.
        trace: What has happened, as templates and facts.
        resets: How often the link was begun anew, by node.
        rows_put: How many messages were put.
        heard_since: When a node has first heard a frame of another, since somebody cleared it.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.names = ["a", "b", "c", "d"][: setting.nodes]
        self.broker = Broker(self.names, SMALL_BYTES if setting.small else 0, cuts=setting.small == "cuts")
        self.nodes = {name: Node(name, new_database()) for name in self.names}
        self.now = 1000.0
        self.trace: list[tuple[float, str, tuple[object, ...]]] = []
        self.resets = dict.fromkeys(self.names, 0)
        self.rows_put = 0
        self.heard_since: dict[tuple[str, str], float] = {}
        self.random_source = Random()
        self._ids = 0

    # What processes see

    @property
    def chance(self) -> "World":
        return self

    def random(self) -> float:
        return self.random_source.random()

    def new_id(self) -> str:
        self._ids += 1
        return f"i{self._ids}"

    def new_message(self) -> str:
        self._ids += 1
        self.rows_put += 1
        return f"m{self._ids:07}"

    def log(self, template: str, *facts: object) -> None:
        self.trace.append((self.now, template, facts))

    def may_reset(self, name: str, peer: str) -> bool:
        return self.nodes[name].was_lost or self.nodes[peer].was_lost or bool(self.setting.small)

    def was_reset(self, name: str) -> None:
        self.resets[name] += 1

    def lines(self) -> Iterable[str]:
        """Yield the trace."""
        return (f"{now - 1000:9.2f} {template.format(*facts)}" for now, template, facts in self.trace)

    # What processes do

    def start(self, name: str) -> None:
        """A process begins; nothing happens if one runs."""
        node = self.nodes[name]
        if node.process is None:
            process = Process(name, node.database, self)
            self.log("{} starts, boot {}", name, process.boot)
            node.process = process
            peers = self.peers_of(name) if self.setting.open_peers else ()
            self._run(node, work=lambda process: process.links.start(peers))

    def connect(self, name: str) -> None:
        """The broker takes a node in."""
        process = self.nodes[name].process
        if process and not process.online:
            self.log("{} connects", name)
            self.broker.connect(name, process.boot, presence=self.setting.presence)
            self._run(self.nodes[name], work=lambda process: process.links.connected(), fault=self._fault())

    def put(self, name: str, peer: str, kinds: list[tuple[str, int]]) -> None:
        """A reactor says something."""
        self.log("{} puts {} messages for {}", name, len(kinds), peer)

        def work(process: Process) -> None:
            for kind, padding in kinds:
                process.put(peer, kind, padding)

        self._run(self.nodes[name], work=work, fault=self._fault(), limit=self._limit())

    def deliver(self, name: str, most: int) -> None:
        """A node takes a batch from the broker."""
        node = self.nodes[name]
        queue = self.broker.queues[name]
        if node.process and node.process.online and queue:
            arrived = [self.broker.take(name, self._place(queue)) for _ in range(min(most, len(queue)))]
            for envelope in arrived:
                if envelope.payload:
                    self.heard_since.setdefault((name, envelope.sender), self.now)
            self._run(node, arrived, fault=self._fault(), limit=self._limit())

    def deliver_next(self) -> None:
        """The broker delivers what it likes best."""
        waiting = [name for name in self.names if name in self.broker.online and self.broker.queues[name]]
        if not waiting:
            return
        if self.setting.order in ("kept", "any"):
            self.deliver(waiting[self._any(len(waiting))], 1 + self._any(4))
        else:
            queues = self.broker.queues
            self.deliver(max(waiting, key=lambda name: self._rank(queues[name][self._place(queues[name])])), 1)

    def tick(self, name: str) -> None:
        """A node looks at the clock."""
        node = self.nodes[name]
        if self.setting.small == "cuts":
            self.connect(name)
        if node.process and node.process.online and node.process.is_due():
            self.log("{} looks at the clock", name)
            self._run(node, fault=self._fault(), limit=self._limit())

    def ask(self, name: str) -> None:
        """The ten minutes are over."""
        self.log("{} asks", name)
        self._run(self.nodes[name], work=lambda process: process.links.ask(self.peers_of(name)))

    def peers_of(self, name: str) -> list[str]:
        return [peer for peer in self.names if peer != name]

    # What can go wrong

    def crash(self, name: str) -> None:
        """A process ends between two batches."""
        self.log("{} ends", name)
        self.nodes[name].process = None
        self.broker.online.pop(name, None)

    def cut(self, name: str) -> None:
        """A connection is lost."""
        self.log("{} is cut off", name)
        self.broker.online.pop(name, None)

    def drop(self, name: str) -> None:
        """The broker loses a message."""
        if queue := self.broker.queues[name]:
            self.log("lost: {}", queue.pop(self._any(len(queue))))

    def double(self, name: str) -> None:
        """The broker keeps a copy of a message."""
        if queue := self.broker.queues[name]:
            queue.insert(self._any(len(queue) + 1), queue[self._any(len(queue))])

    def replay(self, name: str) -> None:
        """The broker sends something again that it sent long ago."""
        if seen := [envelope for envelope in self.broker.seen if envelope.to == name]:
            self.broker.queues[name].append(seen[self._any(len(seen))])

    def old_presence(self, name: str) -> None:
        """A retained presence comes, as old as it may be."""
        peers = [peer for peer in self.peers_of(name) if self.broker.boots[peer]]
        node = self.nodes[name]
        if node.process and node.process.online and peers:
            peer = peers[self._any(len(peers))]
            boot = self.broker.boots[peer][self._any(len(self.broker.boots[peer]))]
            self.log("{} hears that {} is online, boot {}", name, peer, boot)
            self._run(node, work=lambda process: process.links.heard_presence(peer, boot, online=True))

    def lose_queues(self) -> None:
        """The broker loses all that is on its way, and nobody notices."""
        self.log("all that is on its way is lost")
        for queue in self.broker.queues.values():
            queue.clear()

    def lose_session(self, name: str) -> None:
        """The broker forgets a session."""
        self.log("the session of {} is lost", name)
        self.broker.online.pop(name, None)
        self.broker.lose_session(name)

    def wipe_broker(self, _name: str) -> None:
        """The broker is replaced."""
        self.log("the broker is wiped")
        self.broker.wipe()

    # What can happen to databases

    def backup(self, name: str) -> None:
        """Somebody keeps a copy."""
        node = self.nodes[name]
        self.log("{} is backed up", name)
        node.backups.append(copy_of(node.database))

    def wipe(self, name: str) -> None:
        """The database is lost."""
        self._replace(name, new_database(), None, "is wiped")

    def restore(self, name: str) -> None:
        """The database is an older copy again."""
        if backups := self.nodes[name].backups:
            self._replace(name, copy_of(backups[self._any(len(backups))]), None, "is restored")

    def forget(self, name: str) -> None:
        """A node forgets a peer."""
        peers = self.peers_of(name)
        peer = peers[self._any(len(peers))]
        self.log("{} forgets {}", name, peer)
        self.nodes[name].was_lost = True
        self._run(self.nodes[name], work=lambda process: process.forget(peer), fault=self._fault())

    def clone(self, name: str) -> None:
        """A second instance of the node exists from now on, and is off."""
        node = self.nodes[name]
        self.log("{} is cloned", name)
        node.twin = (copy_of(node.database), None)
        node.was_lost = True

    def switch(self, name: str) -> None:
        """The other instance goes on, with the memory that it had; the present one freezes."""
        node = self.nodes[name]
        if node.twin:
            database, process = node.twin
            node.twin = (node.database, node.process)
            self._replace(name, database, process, "is the other one now")

    def take_snapshot(self, name: str) -> None:
        """A virtual machine is saved, memory and disk."""
        if process := self.nodes[name].process:
            self.log("a snapshot of {} is taken", name)
            self.nodes[name].snapshot = process.with_database(copy_of(process.database))

    def resume_snapshot(self, name: str) -> None:
        """A virtual machine goes on from its snapshot."""
        if snapshot := self.nodes[name].snapshot:
            process = snapshot.with_database(copy_of(snapshot.database))
            self._replace(name, process.database, process, "goes on from its snapshot")

    def _replace(self, name: str, database: Database, process: Process | None, how: str) -> None:
        self.log("{} {}", name, how)
        node = self.nodes[name]
        node.database, node.process, node.was_lost = database, process, True
        self.broker.online.pop(name, None)

    # Chance

    def kinds(self) -> list[tuple[str, int]]:
        """Return what some messages make their handlers do."""
        kind = POISON if self.random() < self.setting.poison else ANSWER if self.random() < 0.2 else PLAIN
        padding = 30_000 if self.random() < 0.02 else 0
        if self.setting.small and self.random() < 0.3:
            padding = (6_000, 12_000, 30_000)[self._any(3)]
        return [(kind, padding)] * (1 + self._any(3) if self.random() < 0.5 else 1)

    def _run(
        self,
        node: Node,
        arrived: Sequence[Envelope] = (),
        work: Work | None = None,
        fault: Fault = NO_FAULT,
        limit: int = 90,
    ) -> None:
        if node.process:
            try:
                node.process.run_batch(arrived, work, fault, limit)
            except Crashed:
                self.crash(node.name)

    def _fault(self) -> Fault:
        if self.random() >= self.setting.faults:
            return NO_FAULT
        kind = ("crash", "crash", "cut", "storage")[self._any(4)]
        if kind == "storage":
            return Fault(kind, rolled_back=self.random() < 0.5)
        return Fault(kind, after=self._any(4) - (kind == "crash"))

    def _limit(self) -> int:
        return 90 if self.random() < 0.9 else self._any(3)

    def _place(self, queue: Sequence[Envelope]) -> int:
        if self.setting.order == "kept":
            return 0
        if self.setting.order == "any":
            return self._any(len(queue))
        return max(range(len(queue)), key=lambda index: self._rank(queue[index]))

    def _rank(self, envelope: Envelope) -> tuple[bool, int]:
        return self.setting.order == "questions" and envelope.is_hello, envelope.number

    def _any(self, count: int) -> int:
        return int(self.random() * count)
