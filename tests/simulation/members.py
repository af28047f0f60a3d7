"""Nodes of the simulated federation: processes that crash at any point and start again on what they have left."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from math import inf
from random import Random
from typing import Any

import msgspec

from caroni_edge.agent.jobs.inputs import CannotRun
from caroni_edge.agent.jobs.trials import TrialRefused
from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.processes.port import JobNews, TakenOver
from caroni_edge.agent.reactor import AgentParts, AgentReactor
from caroni_edge.agent.store import Store as AgentStore
from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.daemon import make_reactor
from caroni_edge.manager.holding.port import StoreNews
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.workflows.evaluations import Evaluation, work_out
from caroni_edge.manager.workflows.listreading import Reading, take_apart
from caroni_edge.node.calls import Call
from caroni_edge.node.node import ASK_OPEN_PEERS_EVERY_S, Node, NodeParts
from caroni_edge.node.reactor import Reactor
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.topics import Role, Topics
from caroni_edge.storage.database import Database, StorageFailed
from caroni_edge.transport.base import Arrived, Deliver, Event, Will
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import MemoryBroker
from tests import scripts
from tests.configs import agent_config
from tests.simulation.holding import ManagerStore
from tests.simulation.hosts import DATE, Disk, Host
from tests.simulation.stores import Store

RECORDED = "SELECT 1 FROM jobs WHERE job = ? AND begun AND state IN ('queued', 'running')"
HELD_SAID = "SELECT body FROM outbox WHERE instr(body, '\"ObjectsHeld\"')"
HELPER_S = 0.2
"""So long at most it takes until JavaScript has been run, or a large list read."""
ROUNDING_S = 1e-6
"""What is due on one clock is due on the other, in spite of rounding."""


class Crash(BaseException):
    """The process is gone at this point; a BaseException, so that no handler takes it for its own."""


class Stumble(Exception):
    """Deciding has a bug that shows now and then."""


class Fuse:
    """Decides at each point of a batch what goes wrong there.

    Attributes:
        probability: How likely the process crashes at a point.
        disk_fails: How likely a transaction or a savepoint ends by a storage error.
        stumbles: How likely deciding fails, alone, when it is done.
    """

    def __init__(self, chance: Random) -> None:
        """Begin without trouble."""
        self._chance = chance
        self.probability = self.disk_fails = self.stumbles = 0.0

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.probability = self.disk_fails = self.stumbles = 0.0

    def burn(self) -> None:
        """Crash, if it is time."""
        if self.probability and self._chance.random() < self.probability:
            raise Crash

    def spoil(self, database: Database) -> None:
        """Fail as a full disk does, if it is time: at once, or when SQLite has rolled all back by itself."""
        if self.disk_fails and self._chance.random() < self.disk_fails:
            if self._chance.random() < 0.5:
                database.conn.execute("ROLLBACK")
                raise sqlite3.OperationalError("database or disk is full")
            raise StorageFailed(database.where, reason="disk full")

    def stumble(self) -> None:
        """Fail, if it is time."""
        if self.stumbles and self._chance.random() < self.stumbles:
            raise Stumble


class FragileDatabase(Database):
    """Crashes before or after a commit, and fails at each commit and at each end of a savepoint."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        """Use the rows of `database`."""
        super().__init__(database.conn)
        self._fuse = fuse

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """A transaction; the fuse may burn on both sides of its commit."""
        with super().immediate():
            yield
            self._fuse.burn()
            self._fuse.spoil(self)
        self._fuse.burn()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction; the disk may fail at its end."""
        with super().savepoint():
            yield
            self._fuse.spoil(self)


class FragileTransport(MemoryTransport):
    """Crashes between acknowledging and publishing, and may be cut off.

    Attributes:
        fuse: Decides about crashes.
        cut_off: No attempt to connect reaches the broker.
        is_started: It has begun to connect.
        events: Gets the events that are published, with their topic; a repeat is the same.
    """

    fuse: Fuse
    cut_off = is_started = False
    events: dict[bytes, str]

    def hold(self, seconds: float, *, up: bool, down: bool) -> None:
        """For a while nothing comes through in a direction; it comes later, unless the connection ends first."""
        until = self._broker.now + seconds
        self._up_due = max(self._up_due, until if up else 0.0)
        self._down_due = max(self._down_due, until if down else 0.0)

    def end(self, *, will: bool, is_sent: bool) -> None:
        """End with the process; what it had written is lost with the connection, or is still sent."""
        if is_sent:
            self._up(self._left, will)
            self._ended = True
        else:
            self.kill(will=will)

    def let_through(self) -> None:
        """The broker can be reached again; a transport that was not started yet begins to connect at its start."""
        self.cut_off = False
        if self.is_started:
            self._connect_later()

    def start(self, deliver: Deliver) -> None:
        """Begin to connect."""
        self.is_started = True
        super().start(deliver)

    def _connect(self) -> None:
        if not self.cut_off:
            super()._connect()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish, or crash first."""
        self.fuse.burn()
        if "/events/" in topic:
            self.events[payload] = topic
        return super().publish(topic, payload, qos=qos, retain=retain)

    def ack(self, message: Arrived) -> None:
        """Acknowledge, or crash first."""
        self.fuse.burn()
        super().ack(message)


class WatchedNode(Node):
    """Notes with whom the link began anew.

    Attributes:
        resets: Gets the peers.
    """

    resets: set[str]

    def _on_link_reset(self, peer: str) -> None:
        super()._on_link_reset(peer)
        self.resets.add(peer)


class Member(ABC):
    """A node over its lives.

    Attributes:
        name: Its id.
        up: Whether a process runs.
        absent: It does not start, for now.
        cut_off: It does not reach the broker, for now.
        lag_s: So long at most it pauses after each batch.
        date_shift_s: How wrong its wall clock is.
        ask_every_s: How often peers with open business are asked.
        crashes: How often one has crashed.
        was_exempt: Its database was wiped, restored or cloned: it is excused for what it has forgotten.
        resets: Peers with whom the link has begun anew since the last loss.
        events: What it has published as events, with their topics.
        failures: Why deciding has failed, though nobody has made it stumble.
    """

    ask_every_s = ASK_OPEN_PEERS_EVERY_S

    def __init__(self, role: Role, name: str, broker: MemoryBroker, chance: Random) -> None:
        """Prepare; `start` begins its first process."""
        self.topics, self.name = Topics("caroni", role, name), name
        self.disk = Disk(role)
        self.up = self.was_exempt = self.absent = self.cut_off = False
        self.lag_s = self.date_shift_s = 0.0
        self.crashes = 0
        self.resets: set[str] = set()
        self.events: dict[bytes, str] = {}
        self.failures: list[str] = []
        self.fuse = Fuse(chance)
        self._broker, self._chance = broker, chance
        self._inbox: list[Event | Call] = []
        self._offset = 0.0
        self._due = self._idle_until = self._frozen_until = -inf

    @abstractmethod
    def make_reactor(self, node: Node) -> Reactor:
        """Put the role's reactor together on a node."""

    def start(self, now: float) -> None:
        """Start a process: another boot, another monotonic clock."""
        self._offset = self._chance.random() * 1000.0
        self._inbox = []
        database = FragileDatabase(self.disk.open(), self.fuse)
        self.transport = self._transport()
        self.transport.fuse, self.transport.cut_off = self.fuse, self.cut_off
        self.transport.events = self.events
        self._idle_until = -inf
        try:
            self._begin(database, now)
        except (Crash, StorageFailed):
            self._gone()

    def _transport(self) -> FragileTransport:
        return FragileTransport(self._broker, self.topics.client_id)

    def _begin(self, database: Database, now: float) -> None:
        chance = SeededChance(f"{self._chance.random()}")
        self.up = True
        self.node = WatchedNode(
            NodeParts(self.topics, database, self.transport, chance, "0", self.name, self.ask_every_s)
        )
        self.node.resets = self.resets
        self.transport.will = Will(self.topics.presence, encode(self.node.will))
        self.node.attach(self._stumbling(self.make_reactor(self.node)))
        self.node.start(self.moment(now))
        self._connect()
        self._look_ahead()

    def _connect(self) -> None:
        self.transport.start(self._inbox.append)

    def _stumbling(self, reactor: Reactor) -> Reactor:
        settle = reactor.settle

        def settle_or_stumble(at: Moment) -> None:
            try:
                settle(at)
            except StorageFailed:
                raise
            except Exception as error:
                self.failures.append(repr(error))
                raise
            self.fuse.stumble()

        reactor.settle = settle_or_stumble  # type: ignore[method-assign]
        return reactor

    def moment(self, now: float) -> Moment:
        """Return the time as this process sees it."""
        return Moment(now + self._offset, DATE + now + self.date_shift_s)

    def next_due(self, now: float) -> float:
        """Return when it has something to do."""
        if not self.up:
            return inf
        due = now if self._inbox else self._due
        return max(due, self._idle_until)

    def tell(self, call: Call) -> bool:
        """Put a command into the process's inbox, if it listens; return whether it does."""
        if listens := self.up and self._idle_until <= self._broker.now:
            self._inbox.append(call)
        return listens

    @property
    def inbox(self) -> Sequence[Event | Call]:
        """What its next batch begins with."""
        return self._inbox

    def run(self, now: float) -> None:
        """Run a batch, if there is something to do."""
        if self.next_due(now) > now:
            return
        items: Sequence[Event | Call] = list(self._inbox)
        self._inbox.clear()
        if self.lag_s:
            self._idle_until = now + self.lag_s * self._chance.random()
        try:
            self.node.run_batch(items, self.moment(now))
            self._look_ahead()
        except Crash:
            self._gone()

    def crash(self) -> None:
        """End the process at once."""
        if self.up:
            self._gone()

    def freeze(self, until: float) -> None:
        """Run no more until then, with all that is in memory."""
        self._idle_until = self._frozen_until = until

    def isolate(self) -> None:
        """Cut it off from the broker, until `heal`."""
        self.cut_off = True
        if self.up:
            self.transport.cut_off = True
            self._broker.cut(self.topics.client_id)

    def heal(self) -> None:
        """Let it run and connect again, as fast as it can."""
        if self.up and self.transport.cut_off:
            self.transport.let_through()
        self.cut_off = self.absent = False
        self.lag_s, self._idle_until, self._frozen_until = 0.0, -inf, -inf

    def twin(self, *, fresh: bool) -> "Member":
        """Return another node with this one's id, which is down: a copy of this one, or a `fresh` one."""
        other = copy(self)
        other.disk = Disk(self.topics.role)
        if not fresh:
            other.disk.restore(self.disk.copy())
        other.up, other._inbox = False, []
        other.resets, other.events = set(), {}
        other.absent = other.cut_off = False
        return other

    def _look_ahead(self) -> None:
        """Note when something is to be done; until then only what arrives can change that."""
        self._due = self.node.next_due() - self._offset + ROUNDING_S

    def _gone(self) -> None:
        self.crashes += 1
        self.up = False
        self.transport.end(will=self._chance.random() < 0.5, is_sent=self._chance.random() < 0.5)


class Holder(Member):
    """A node that keeps objects."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """Its objects."""

    def pump_host(self, now: float) -> None:
        """Let happen what is due on its host."""
        if now >= self._frozen_until:
            self.store.reach(is_reachable=self.up and not self.cut_off and self._broker.running)
            self.store.pump()
        else:
            self.store.reach(is_reachable=False)

    def host_due(self, now: float) -> float:
        """Return when something is due on its host."""
        due = self.store.next_due()
        return max(due, self._frozen_until) if now < self._frozen_until else due


class Manager(Holder):
    """A workflow manager."""

    def __init__(
        self,
        name: str,
        broker: MemoryBroker,
        chance: Random,
        templates: Templates,
        settings: ManagerConfig,
        make_store: Callable[[], ManagerStore],
    ) -> None:
        """Prepare a manager with these templates."""
        super().__init__("managers", name, broker, chance)
        self.settings = settings
        self.make_store = make_store
        self._store = make_store()
        if settings.lost_after_s is not None:
            self.ask_every_s = min(self.ask_every_s, settings.lost_after_s / 3)
        self._templates = templates

    def make_reactor(self, node: Node) -> ManagerReactor:
        """Put the manager's reactor together."""
        inbox, store = self._inbox, self._store

        def tell(news: StoreNews) -> None:
            inbox.append(Call(lambda at: self.reactor.on_files(news, at), keep=True))

        self.reactor = reactor = make_reactor(node, self.settings, self._templates, self._ask, store, self._ask_list)
        store.open(node.database.conn, tell)
        return reactor

    @property
    def store(self) -> ManagerStore:
        """Its objects."""
        return self._store

    def _ask(self, evaluation: Evaluation) -> None:
        """Have expressions worked out in a moment, by a helper that goes with the process."""
        reactor, read = self.reactor, self._store.whole

        def answer() -> Call:
            outcome = work_out(evaluation, scripts.run, read)
            return Call(lambda at: reactor.on_evaluated(outcome, at), keep=True)

        self._have_helped(answer)

    def _ask_list(self, reading: Reading) -> None:
        """Have large lists read in a moment."""
        reactor, store = self.reactor, self._store

        def answer() -> Call:
            items = take_apart(reading, store)
            return Call(lambda at: reactor.on_items(items, at), keep=True)

        self._have_helped(answer)

    def _have_helped(self, answer: Callable[[], Call]) -> None:
        inbox, crashes = self._inbox, self.crashes

        def help_() -> None:
            if self.up and self.crashes == crashes:
                inbox.append(answer())

        self._broker.at(self._broker.now + self._chance.random() * HELPER_S, help_)

    def twin(self, *, fresh: bool) -> "Manager":
        """Return another manager with this one's id, and with a copy of its objects."""
        other = super().twin(fresh=fresh)
        assert isinstance(other, Manager)
        other._store = self.make_store()
        if not fresh:
            self._store.copy_to(other._store)
        return other

    def _gone(self) -> None:
        super()._gone()
        self._store.ended()


class Agent(Holder):
    """An agent on its host.

    Attributes:
        types: Its job types.
        settings: What its owner has configured.
        say_running_after_s: Of a job that runs for less its manager hears only the end.
        is_drained: Its owner has drained it.
    """

    say_running_after_s = 0.0
    is_drained = False

    def __init__(
        self,
        name: str,
        broker: MemoryBroker,
        chance: Random,
        types: JobTypes,
        make_host: Callable[[Store], Host],
        make_store: Callable[[], Store],
        **settings: Any,
    ) -> None:
        """Prepare an agent with these job types."""
        super().__init__("agents", name, broker, chance)
        self.make_store = make_store
        self.host, self.types = make_host(make_store()), types
        self.settings = agent_config(id=name, **settings)

    def serves(self, job_type: str) -> bool:
        """Tell whether it has a job type."""
        return self.types.get(job_type) is not None

    def make_reactor(self, node: Node) -> AgentReactor:
        """Put the agent's reactor together."""
        inbox = self._inbox

        def deliver(news: JobNews) -> None:
            inbox.append(Call(lambda at: self.reactor.on_news(news, at), keep=True))

        def take_over(found: TakenOver) -> None:
            transport = self.transport
            call = Call(lambda at: self.reactor.on_taken_over(found, at), keep=True)
            call.done.add_done_callback(lambda _: transport.start(inbox.append))
            inbox.append(call)

        self.host.deliver, self.host.say_known, self.host.is_noted = deliver, take_over, self._is_noted
        self.host.store.open(node.database.conn, deliver)
        parts = AgentParts(
            settings=self.settings,
            types=self.types,
            topics=node.topics,
            store=AgentStore(node.database.conn, node.database.journal),
            outbox=node.links,
            chance=node.chance,
            runner=self.host,
            journal=node.database.journal,
            say_running_after_s=self.say_running_after_s,
        )
        self.reactor = AgentReactor(parts)
        return self.reactor

    @property
    def store(self) -> Store:
        """Its objects."""
        return self.host.store

    def pump_host(self, now: float) -> None:
        """Let happen what is due on its host."""
        self.host.pump(now)
        super().pump_host(now)

    def host_due(self, now: float) -> float:
        """Return when something is due on its host."""
        return min(self.host.next_due(), super().host_due(now))

    def say_free(self, free_bytes: int) -> None:
        """Let it see how much of its disk is free, if it hears that now."""
        self.tell(Call(lambda _at: self.reactor.on_disk(free_bytes)))

    def pause(self, *, on: bool) -> None:
        """Let its owner pause or resume it, if it hears that now."""
        self.tell(Call(lambda _at: self.reactor.pause(on=on)))

    def drain(self, *, on: bool) -> None:
        """Let its owner drain it, or let it take work again, if it hears that now; where its disk fails it does not."""
        call = Call(lambda _at: self.reactor.drain(on=on))
        call.done.add_done_callback(lambda done: self._has_drained(on=on) if done.exception() is None else None)
        self.tell(call)

    def _has_drained(self, *, on: bool) -> None:
        self.is_drained = on

    def run(self, now: float) -> None:
        """Run a batch; what it says then that it holds is on its disk."""
        before = self._held_said()
        super().run(now)
        for body in self._held_said() - before:
            self.host.store.check_held(msgspec.json.decode(body)["objects"])

    def _held_said(self) -> set[bytes]:
        if not self.settings.depot or not self.up:
            return set()
        return {body for (body,) in self.disk.database.conn.execute(HELD_SAID)}

    def try_job_type(self, job_type: str) -> None:
        """Let its owner try a job type, if it knows yet what runs."""

        def attempt(at: Moment) -> None:
            with suppress(CannotRun, TrialRefused):
                self.reactor.try_job_type(job_type, {"a": "x"}, at)

        if self.up and self.reactor.is_taken_over:
            self.tell(Call(attempt))

    def _connect(self) -> None:
        """It connects when it has taken over what its host knows."""

    def twin(self, *, fresh: bool) -> "Agent":
        """Return another agent with this one's id, on a host of its own."""
        other = super().twin(fresh=fresh)
        assert isinstance(other, Agent)
        other.host = self.host.twin(self.make_store(), fresh=fresh)
        return other

    def _gone(self) -> None:
        super()._gone()
        self.host.agent_ended()
        self.host.unrecorded += [job for job in self.host.running() if not self._is_noted(job)]

    def _is_noted(self, job: str) -> bool:
        """Tell whether a job may run, as the database says; what that has forgotten is excused."""
        return self.was_exempt or self.disk.database.conn.execute(RECORDED, (job,)).fetchone() is not None
