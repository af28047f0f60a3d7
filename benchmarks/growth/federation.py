"""What grows around a manager: a real one on a database on disk, a real agent, and a broker in memory between them."""

import time
from itertools import count
from pathlib import Path

from benchmarks.growth.curves import Axis, Subject
from caroni_edge.node.calls import Call
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.messages import MESSAGE_VERSION, Presence
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.storage.database import Database, open_database
from caroni_edge.storage.migrations import Role
from caroni_edge.transport.base import Event
from caroni_edge.transport.memory import MemoryTransport
from tests.simulation.federation import PATIENT, Federation
from tests.simulation.hosts import Disk
from tests.simulation.members import Manager, Member

TENS = (10, 100, 1000, 10_000)
LONG_S = 1e6
SLOW = 1000.0
"""So many times longer the first jobs take, so that none ends while others are placed."""
TYPES = ("red", "green", "blue")
ENDED = "SELECT count(*) FROM workflows WHERE status = 'completed'"


class File(Disk):
    """A state database on disk."""

    def __init__(self, path: Path, role: Role) -> None:
        """Keep it there."""
        super().__init__(role)
        self._path, self._role = path, role

    def open(self) -> Database:
        """Return it as a new process finds it."""
        self.database = open_database(self._path, self._role)
        return self.database


class Nodes(Federation):
    """A manager and an agent, and what processor time the manager has used.

    Attributes:
        manager_s: The processor time, in its batches and its starts.
    """

    def __init__(self, path: Path, backlog: int = 2) -> None:
        """Make them, and let them meet; `backlog`: so many jobs the agent keeps beside those that run."""
        super().__init__("growth", agents=1, most_queued=1_000_000, settings=PATIENT)
        (self.first,) = self.managers
        self._room["backlog"] = backlog
        self.agents = [self._agent(0, 1, 0.0)]
        for member in self.members:
            member.disk = File(path / f"{member.name}.db", member.topics.role)
        self.manager_s = 0.0
        self.start()
        assert self.run(LONG_S, lambda: self.count_online() > 0)

    def count_online(self) -> int:
        """Return how many agents the manager sees."""
        found: int = self.first.node.database.conn.execute("SELECT count(*) FROM agents WHERE online").fetchone()[0]
        return found

    @property
    def completed(self) -> int:
        """How many workflows have completed."""
        found: int = self.first.node.database.conn.execute(ENDED).fetchone()[0]
        return found

    def trigger(self, name: str, template: str = "chain1") -> None:
        """Start a workflow."""
        reactor, trigger = self.first.reactor, Trigger(template, {"x": "text"}, name)
        self.first.tell(Call(lambda at: reactor.start_workflow(trigger, at)))

    def run_until_completed(self, count: int) -> None:
        """Let time go on until so many workflows have completed."""
        assert self.run(LONG_S, lambda: self.completed >= count), f"{self.completed} of {count} have completed"

    def _run(self, member: Member) -> None:
        begun = time.process_time()
        super()._run(member)
        if isinstance(member, Manager):
            self.manager_s += time.process_time() - begun


class Agents(Subject):
    """A manager that knows so many agents, one of which does the work; its own processor time counts."""

    def __init__(self, path: Path, size: int) -> None:
        """Let them all show themselves."""
        self._nodes = Nodes(path)
        self._names = count()
        others = MemoryTransport(self._nodes.broker, "others", reliable=True)
        heard: list[Event] = []
        others.start(heard.append)
        assert self._nodes.run(LONG_S, lambda: others.connected)
        for number in range(size - 1):
            self._show(others, f"b{number}")
            self._nodes.run(0.1)
        self.conn = self._nodes.first.node.database.conn
        assert self._nodes.run(LONG_S, lambda: self._nodes.count_online() == size)

    def _show(self, others: MemoryTransport, agent: str) -> None:
        topics = Topics("caroni", "agents", agent)
        types = {name: JobTypeNotice(inputs={}, outputs={}) for name in TYPES}
        presence = Presence(True, f"boot of {agent}", speaks=MESSAGE_VERSION, job_types=types, slots=2)
        others.publish(topics.presence, encode(presence), qos=0)

    def prepare(self) -> None:
        """Let what is left over be done."""
        self._nodes.run(10.0)

    def work(self) -> float:
        """Bring one workflow of one step from its trigger to its end."""
        before_s, completed = self._nodes.manager_s, self._nodes.completed
        self._nodes.trigger(f"w{next(self._names)}", "chain3")
        self._nodes.run_until_completed(completed + 1)
        return self._nodes.manager_s - before_s


class Queued(Subject):
    """An agent that has ended so many jobs while its manager was away; it comes back, and its processor time counts."""

    def __init__(self, path: Path, size: int) -> None:
        """Let the agent take so many jobs."""
        self.units = size
        nodes = self._nodes = Nodes(path, backlog=size)
        agent = nodes.agents[0]
        agent.host.slowness = SLOW
        for number in range(size):
            nodes.trigger(f"w{number}")
        assert nodes.run(LONG_S, lambda: _count(agent, "1") >= size)
        nodes.first.crash()
        agent.host.slowness = 1.0
        assert nodes.run(LONG_S, lambda: _count(agent, "ended IS NOT NULL") >= size)
        assert _count(nodes.first, "ended IS NOT NULL") == 0

    def work(self) -> float:
        """Start the manager, and let it take all that has waited for it."""
        begun = time.process_time()
        self._nodes.start()
        self._nodes.manager_s = time.process_time() - begun
        self._nodes.run_until_completed(self.units)
        return self._nodes.manager_s


def _count(member: Member, which: str) -> int:
    found: int = member.disk.database.conn.execute(f"SELECT count(*) FROM jobs WHERE {which}").fetchone()[0]
    return found


AXES = (
    Axis("agents", "agents that one manager sees", "A workflow of three steps", (1, *TENS), Agents),
    Axis("queued", "queued results", "A result that has waited", TENS, Queued, rounds=1, each=1, is_counted=False),
)
