"""A whole federation in one process, on simulated time: the real code, with broker and hosts pretended.

The same seed gives the same run. First a phase with faults, then none: everything must come to its end.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from caroni_edge.config.model import BucketConfig, FilesConfig, ManagerConfig
from caroni_edge.node.calls import Call
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.topics import Role
from caroni_edge.protocol.transfers import Ask
from caroni_edge.transport.memory_broker import Faults, MemoryBroker
from caroni_edge.values.json import as_text
from tests.configs import manager_config
from tests.simulation.buckets import DepotStore
from tests.simulation.bytelies import LyingStore
from tests.simulation.carrier import CALM, Carrier
from tests.simulation.contents import directories_with
from tests.simulation.holding import ManagerStore
from tests.simulation.hosts import Host
from tests.simulation.liars import LyingMember, overheard
from tests.simulation.members import Agent, Holder, Manager, Member
from tests.simulation.plans import FILE_TYPES, TAKE_FROM_OUTSIDE, TEMPLATES, TYPES, job_types, result
from tests.simulation.stores import Store
from tests.simulation.trace import Trace
from tests.simulation.users import Users
from tests.simulation.web import ALL_LISTED

MOST_ROUNDS_AT_ONCE = 1000
SETTLED_IN_S = 30.0
PATIENT = manager_config(lost_after_s=None, attempts=50, retry_delay_s=0.1)

MUCH_BYTES = 1 << 40

HELD = """
    SELECT 1 FROM object_places WHERE agent = :agent AND held = 1
    AND object IN (SELECT value FROM json_each(:objects))"""
MAY_HAVE = """
    SELECT 1 FROM jobs j JOIN steps s ON s.id = j.step JOIN workflows w ON w.seq = s.workflow
    WHERE j.agent = :agent AND w.id = :workflow AND instr(s.inputs, :object)"""
POSITIONS = "SELECT acked_seq, taken_seq FROM peers WHERE peer = ?"
LAST_PUT = "SELECT max(seq) FROM outbox WHERE peer = ?"

LISTING_ALL, LISTING_ONE = FilesConfig(hosts=ALL_LISTED), FilesConfig(hosts=ALL_LISTED[:1])
WITH_A_BUCKET = FilesConfig(bucket=BucketConfig(url="s3://lab/d"))


class Federation:
    """Managers, agents, a broker, and users.

    Attributes:
        now: The simulated time.
        is_calm: Nothing goes wrong any more.
        chance: Decides all that is left to chance, outside of the nodes.
        managers: All managers, one of each id.
        agents: All agents, one of each id.
        twins: Nodes with the id of another.
        liars: Who has stolen a login, and lies; they are no members.
        users: Who wants workflows.
        once: Job types that may not be repeated by themselves.
        owed: Pairs of nodes, who lost and a peer, which must notice that something was lost.
        trace: Notes everything, if somebody wants to know.
        carrier: What carries the bytes of objects.
        has_files: Agents serve job types with large files.
    """

    def __init__(
        self,
        seed: object,
        *,
        managers: int = 1,
        agents: int = 2,
        slots: int = 2,
        deep: int = 0,
        fail: float = 0.0,
        most_queued: int = 1000,
        settings: ManagerConfig = PATIENT,
        once: frozenset[str] = frozenset(),
        say_running_after_s: float = 0.0,
        trace: Trace | None = None,
        broker: type[MemoryBroker] = MemoryBroker,
        has_files: bool = False,
        depots: int = 0,
        buckets: bool = False,
    ) -> None:
        """Make the nodes; all are down."""
        self.chance = Random(str(seed))
        self.file_chance, self.has_files = Random(f"files {seed}"), has_files
        self.now = 0.0
        self.is_calm = False
        self.broker = broker(self.chance, most_queued=most_queued)
        self.once, self.trace = once, trace
        self.carrier = Carrier(self.broker, self.file_chance)
        self.carrier.may_ask = self._may_ask
        self.managers = [self._manager(f"m{n}", settings) for n in range(managers)]
        self._room = {"slots": slots, "backlog": slots, "pending": slots, "backlog_most": deep, "pending_most": deep}
        self.agents = [self._agent(n, agents, fail) for n in range(agents)]
        of_depots: dict[str, Any] = {"depot": True, **({"files": WITH_A_BUCKET} if buckets else {})}
        self.agents += [self._member(f"d{n}", [], 0.0, **of_depots) for n in range(depots)]
        for agent in self.agents:
            agent.say_running_after_s = say_running_after_s
        self.twins: list[Member] = []
        self.liars: list[LyingMember] = []
        self.users = Users(self.managers)
        self.owed: dict[tuple[str, str], None] = {}

    def _manager(self, name: str, settings: ManagerConfig) -> Manager:
        def make_store() -> ManagerStore:
            store = ManagerStore(Peer("managers", name), self.carrier, self.file_chance)
            store.counts_on = lambda names: self._counting_on(self.manager(name), f"managers/{name}", names)
            return store

        return Manager(name, self.broker, self.chance, TEMPLATES, settings, make_store)

    def _agent(self, number: int, count: int, fail: float) -> Agent:
        # Every type is served by somebody; with more than one agent none serves all by necessity.
        names = [name for n, name in enumerate(TYPES) if n % count == number or number >= len(TYPES)]
        names += [name for name in TYPES if name not in names and self.chance.random() < 0.4]
        if self.has_files:
            names += [
                name for n, name in enumerate(FILE_TYPES) if n % count == number or self.file_chance.random() < 0.4
            ]
            # The first can do all that takes files from outside, and lists all hosts; others may not.
            names += [name for name in TAKE_FROM_OUTSIDE if not number and name not in names]
        return self._member(f"a{number}", names, fail, files=self._listing(number) if self.has_files else FilesConfig())

    def _listing(self, number: int) -> FilesConfig:
        """Return which hosts outside the owner of an agent lists."""
        return self.file_chance.choice((LISTING_ALL, LISTING_ONE, FilesConfig())) if number else LISTING_ALL

    def _member(self, name: str, names: list[str], fail: float, **settings: Any) -> Agent:
        """Make an agent, perhaps a depot, with these job types."""

        def make_store() -> Store:
            files = settings.get("files", FilesConfig())
            store = (DepotStore if files.bucket else Store)(Peer("agents", name), self.carrier, self.file_chance)
            store.counts_on = lambda names: self._counting_on(self.agent(name), name, names)
            store.located.hosts = files.hosts
            return store

        def make_host(store: Store) -> Host:
            host = Host(self.chance, result, fail, store)
            host.on_made = self._on_made
            return host

        types = job_types(names, self.once)
        return Agent(name, self.broker, self.chance, types, make_host, make_store, **self._room, **settings)

    def _on_made(self, manager: str, objects: Iterable[Object]) -> None:
        self.carrier.made |= {(manager, each.sha256) for each in objects}

    def _counting_on(self, holder: Member, place: str, names: Iterable[str]) -> list[str]:
        """Return the managers that count on one of some objects being at a place, of those that know what they say."""
        if holder.was_exempt:
            return []
        counting = [each for each in self.managers if not each.was_exempt]
        held = {"agent": place, "objects": as_text([f"sha256:{each}" for each in names])}
        return [each.name for each in counting if each.disk.database.conn.execute(HELD, held).fetchone()]

    def _may_ask(self, asker: Peer, ask: Ask) -> bool:
        """Tell whether a node may ask for an object: honest ones were told so, liars need a job that has it."""
        if not any(liar.name == asker.node for liar in self.liars):
            return True
        manager = next((each for each in self.managers if each.name == ask.manager), None)
        if manager is None:
            return True
        facts = {"agent": asker.node, "workflow": ask.workflow}
        names = (ask.object, *self._directories_with(ask.object))
        conn = manager.disk.database.conn
        return any(conn.execute(MAY_HAVE, {**facts, "object": name}).fetchone() for name in names)

    def _directories_with(self, name: str) -> list[str]:
        """Return the directories, wherever they lie, that have an object as a file."""
        lying = {each for agent in self.agents for each in agent.store.objects}
        return [f"sha256:{each}" for each in directories_with(sha256_of(ObjectId(name)), lying)]

    @property
    def members(self) -> list[Holder]:
        """All nodes, one of each id."""
        return [*self.managers, *self.agents]

    @property
    def processes(self) -> list[Member]:
        """All that may run."""
        return [*self.members, *self.twins, *self.liars]

    def manager(self, name: str) -> Manager:
        """Return a manager by its id."""
        return next(manager for manager in self.managers if manager.name == name)

    def agent(self, name: str) -> Agent:
        """Return an agent by its id."""
        return next(agent for agent in self.agents if agent.name == name)

    def peers_of(self, member: Member) -> list[Member]:
        """Return the nodes that a node talks to."""
        return [*self.agents] if isinstance(member, Manager) else [*self.managers]

    # Time

    def start(self) -> None:
        """Start all that is down, but for those that are to stay so."""
        for member in self.processes:
            if not member.up and not member.absent:
                with self._acts(member):
                    member.start(self.now)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time go on; return whether `until` came true."""
        end = self.now + seconds
        rounds_at_once = 0
        while self.now < end:
            everybody = self.processes
            self.users.pump(self.now)
            for member in everybody:
                if isinstance(member, Holder):
                    member.pump_host(self.now)
            self.broker.pump(self.now)
            for member in everybody:
                if member.next_due(self.now) <= self.now:
                    self._run(member)
            if until():
                return True
            following = min(max(self._next(), self.now), end)
            rounds_at_once = rounds_at_once + 1 if following == self.now else 0
            if rounds_at_once > MOST_ROUNDS_AT_ONCE:
                busy = [member.name for member in everybody if member.next_due(self.now) <= self.now]
                raise AssertionError(f"time stands still at {self.now}: {busy} always have something to do")
            self.now = following
        return until()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless all is calm by then."""
        self.broker.at(self.now + seconds, lambda: None if self.is_calm else action())

    def _next(self) -> float:
        everybody = self.processes
        hosts = [member.host_due(self.now) for member in everybody if isinstance(member, Holder)]
        dues = [member.next_due(self.now) for member in everybody]
        return min(self.broker.next_due(), self.users.next_due(), *hosts, *dues)

    def _run(self, member: Member) -> None:
        if self.trace is None:
            member.run(self.now)
            return
        with self._acts(member):
            self.trace.arrived(member.inbox)
            member.run(self.now)

    # Faults

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.note("from now on nothing goes wrong")
        self.is_calm = True
        self.broker.faults, self.carrier.line = Faults(), CALM
        self.carrier.web.calm()
        self.broker.start()
        for twin in [*self.twins]:
            self.end_twin(twin, instead=False)
        for member in self.members:
            member.fuse.calm()
            member.heal()
        for agent in self.agents:
            agent.host.fail, agent.host.slowness = 0.0, 1.0
        for member in self.members:
            member.store.is_full = False
        self._mend_black_holes()
        self.start()
        self.resume_agents()
        for manager in self.managers:
            if manager.was_exempt:
                self.users.ask_again(manager.name)

    def resume_agents(self) -> None:
        """Let no owner keep a host idle, and let all see that their disks are empty."""
        for agent in self.agents:
            agent.pause(on=False)
            if agent.is_drained:
                agent.drain(on=False)
            agent.say_free(MUCH_BYTES)

    def _mend_black_holes(self) -> None:
        """See to it that every job type can be run by somebody; who else fails always may go on to do so.

        But not with types that only users repeat: each time they ask, the black hole may be the first to offer.
        """
        for job_type in TYPES:
            serving = [agent for agent in self.agents if agent.serves(job_type)]
            if job_type in self.once or all(job_type in agent.host.fails_always for agent in serving):
                for agent in serving:
                    agent.host.fails_always -= {job_type}

    def lost(self, member: Member) -> None:
        """A node has another database than before: who has taken more from it than it knows to have said must notice.

        What it has forgotten to have taken may come again, for the broker may have kept that.
        """
        member.was_exempt = True
        for peer in self.peers_of(member):
            member.resets.discard(peer.name)
            peer.resets.discard(member.name)
            self.owed.pop((member.name, peer.name), None)
            if _last_put(member, peer.name) < _positions(peer, member.name)[1]:
                self.owed[member.name, peer.name] = None

    def add_twin(self, member: Member, *, fresh: bool) -> Member:
        """Let a second node with the id of `member` begin: a copy, or a `fresh` one."""
        member.was_exempt = True
        twin = member.twin(fresh=fresh)
        self.twins.append(twin)
        with self._acts(twin):
            twin.start(self.now)
        return twin

    def end_twin(self, twin: Member, *, instead: bool) -> None:
        """Let a twin end, or the one that it is a twin of, `instead` of it."""
        if twin not in self.twins:
            return
        self.twins.remove(twin)
        group: list[Member] = self.managers if isinstance(twin, Manager) else self.agents  # type: ignore[assignment]
        place = next(n for n, member in enumerate(group) if member.name == twin.name)
        gone = twin
        if instead:
            gone, group[place] = group[place], twin
        self.lost(group[place])
        gone.crash()
        gone.absent = True
        if isinstance(gone, Holder):
            gone.store.leave()

    # Liars

    def add_liar(self, role: Role) -> None:
        """Let somebody begin to lie with a login of its own."""
        liar = LyingMember(role, f"{role[0]}9", self.broker, self.chance)
        liar.known.managers += [each.name for each in self.managers]
        liar.known.agents += [each.name for each in self.agents]

        def listen() -> None:
            liar.known.jobs, liar.known.databases = overheard(each.disk.database.conn for each in self.managers)

        liar.listen = listen
        liar.store = LyingStore(Peer(role, liar.name), self.carrier, liar.chance, liar.known)
        self.liars.append(liar)
        with self._acts(liar):
            liar.start(self.now)

    def expel_liars(self) -> None:
        """Their logins are withdrawn, and owners forget them; the broker keeps nothing of what they have said."""
        for liar in self.liars:
            self.note(f"{liar.name} is expelled")
            liar.crash()
            liar.absent = True
        self.run(SETTLED_IN_S)
        for liar in self.liars:
            kept = [topic for topic in self.broker.retained if topic.endswith(f"/{liar.name}")]
            for topic in kept:
                self.broker.publish(topic, b"", 1, retain=True)
            for member in self.managers if liar.topics.role == "agents" else self.agents:
                self._forget(member, liar.name)
        self.run(SETTLED_IN_S)

    def _forget(self, member: Member, peer: str) -> None:
        member.tell(Call(lambda at: member.node.forgetting.forget(peer, at), keep=True))

    def note(self, text: str) -> None:
        """Note what the schedule does."""
        if self.trace is not None:
            self.trace.fault(self.now, text)

    @contextmanager
    def _acts(self, member: Member) -> Iterator[None]:
        """What happens now, happens to a node; note whether it crashes."""
        if self.trace is None:
            yield
            return
        crashes, started = member.crashes, len(member.host.started) if isinstance(member, Agent) else 0
        self.trace.now, self.trace.who = self.now, f"{member.name}{chr(39) * (member in self.twins)}"
        yield
        if isinstance(member, Agent):
            for job in [*member.host.started][started:]:
                self.trace.add(f"process of {job} started")
        if member.crashes > crashes:
            self.trace.add("crashed")


def _positions(member: Member, peer: str) -> tuple[int, int]:
    row = member.disk.database.conn.execute(POSITIONS, (peer,)).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _last_put(member: Member, peer: str) -> int:
    """Return the number of the last message that was put for a peer."""
    last: int | None = member.disk.database.conn.execute(LAST_PUT, (peer,)).fetchone()[0]
    return _positions(member, peer)[0] if last is None else last
