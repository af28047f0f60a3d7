"""Schedules with one purpose each: what random ones leave out, as their faults end, or their users ask twice."""

from random import Random
from unittest.mock import patch

from caroni_edge.agent.peers import answering, reconcile
from caroni_edge.node.calls import Call
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport import memory_broker
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.configs import manager_config
from tests.simulation.checker import problems, status_of, unrest
from tests.simulation.federation import Federation
from tests.simulation.members import Agent
from tests.simulation.plans import PLAIN, TYPES, job_types
from tests.simulation.users import Asked

SETTLED_IN_S = 10.0
LONG_S = 7200.0
CALM_S = 600.0
SAME_TRIGGERS = 10
SAY_AFTER_S = 0.05
WANTED = 20
KEPT = 3 * 2
"""What an agent with two slots keeps whatever happens: those that run, a backlog, and as many that were pending."""
ALL_MADE = f"SELECT 1 WHERE (SELECT count(*) FROM steps) = {WANTED}"
PENDING = "SELECT job FROM jobs WHERE state = 'pending' ORDER BY id"


def agent_gone_for_good(seed: int) -> list[str]:
    """An agent vanishes with jobs that run, and never comes back: the others do its work after `lost_after`."""
    federation, agent = _busy(seed)
    agent.crash()
    agent.absent = True
    federation.run(LONG_S, lambda: not _unfinished(federation))
    return _unfinished(federation)


def endless_attempt(seed: int) -> list[str]:
    """An agent is cut off with jobs that would run for years; others do them, and it is told when it is back."""
    federation, agent = _busy(seed)
    agent.isolate()
    federation.run(LONG_S, lambda: not _unfinished(federation))
    agent.heal()
    agent.host.slowness = 1.0
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def agent_that_forgot_the_data(seed: int) -> list[str]:
    """A backup of an agent is put back in which a job waits for its data, which has come since; it waits for a slot."""
    federation = Federation(seed, agents=1, slots=1)
    (agent,) = federation.agents
    federation.start()
    for _ in range(2):
        federation.users.submit("m0", "chain3")

    def pending() -> list[str]:
        return [job for (job,) in agent.disk.database.conn.execute(PENDING)]

    assert federation.run(LONG_S, lambda: bool(pending())), "no job waits for its data"
    (job,), copy = pending(), agent.disk.copy()
    assert federation.run(LONG_S, lambda: job not in pending()), "the data have not come"
    assert job not in agent.host.started, "it has got a slot at once"
    agent.crash()
    agent.disk.restore(copy)
    federation.lost(agent)
    federation.start()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def crashes_all_the_time(seed: int) -> list[str]:
    """Processes crash at every twentieth point of a batch; the broker is a good one."""
    federation = Federation(seed)
    for member in federation.members:
        member.fuse.probability = 0.05
    for template in PLAIN:
        federation.users.submit("m0", template)
    for _ in range(50):
        federation.start()
        federation.run(federation.chance.random())
    federation.calm()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def disks_fail_all_the_time(seed: int) -> list[str]:
    """Every twentieth commit and savepoint fails, and deciding too, while processes go on with what is in memory."""
    federation = Federation(seed, say_running_after_s=SAY_AFTER_S)
    federation.start()
    for member in federation.members:
        member.fuse.disk_fails = member.fuse.stumbles = 0.05
    for template in PLAIN:
        federation.users.submit("m0", template)
    federation.run(LONG_S, lambda: not unrest(federation))
    federation.calm()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def same_trigger_again(seed: int) -> list[str]:
    """A user wants the same again and again, by triggers without ids, while the manager's disk fails.

    The broker sends one message at a time, all with the same packet id, and loses its memory once.
    """
    with patch.object(memory_broker, "LAST_PACKET_ID", 1):
        federation = Federation(seed, broker=OneAtATime)
        federation.start()
        (manager,) = federation.managers
        user = MemoryTransport(federation.broker, "user", reliable=True)
        user.start(lambda _event: None)
        trigger = encode(Trigger(template="chain1", inputs={"x": "v"}))
        for _ in range(2):
            federation.run(SETTLED_IN_S)
            manager.fuse.disk_fails = 0.1
            for _ in range(SAME_TRIGGERS):
                user.publish(manager.topics.triggers, trigger, qos=1)
                federation.run(5.0 * federation.chance.random())
            manager.fuse.calm()
            federation.run(CALM_S)
            federation.broker.wipe()
    count = manager.disk.database.conn.execute("SELECT count(*) FROM workflows").fetchone()[0]
    return [] if count == 2 * SAME_TRIGGERS else [f"{2 * SAME_TRIGGERS} triggers have started {count} workflows"]


class OneAtATime(MemoryBroker):
    """A broker that waits for each acknowledgement."""

    def __init__(self, chance: Random, *, most_queued: int) -> None:
        super().__init__(chance, most_queued=most_queued, most_unacknowledged=1)


def running_is_heard(seed: int) -> list[str]:
    """The disk of an agent fails just when its manager is to hear that a job runs, which then goes on for years."""
    federation, agent = _busy(seed, say_running_after_s=SAY_AFTER_S)
    federation.run(0.9 * SAY_AFTER_S)
    agent.fuse.disk_fails = 1.0
    federation.run(2 * SAY_AFTER_S)
    agent.fuse.calm()
    federation.run(CALM_S)
    (manager,) = federation.managers
    known = {job for (job,) in manager.disk.database.conn.execute("SELECT job FROM jobs WHERE status = 'running'")}
    return [f"nobody has told the manager that {job} runs" for job in agent.host.running() if job not in known]


def manager_forgotten(seed: int) -> list[str]:
    """An agent forgets a manager whose job runs, and deciding fails in the same batch: the process ends."""
    federation, agent = _busy(seed)
    before = {*agent.host.running()}
    agent.fuse.stumbles = 1.0
    agent.tell(Call(lambda at: agent.node.forgetting.forget("m0", at)))
    federation.run(1.0)
    agent.fuse.calm()
    federation.run(SETTLED_IN_S)
    return [f"{job} runs on, and its agent knows nothing of it" for job in before & {*agent.host.running()}]


def triggers_said_once(seed: int) -> list[str]:
    """A user publishes triggers and never asks again, while the manager crashes: what the broker took is not lost."""
    federation = Federation(seed)
    federation.start()
    federation.run(SETTLED_IN_S)
    user = MemoryTransport(federation.broker, "user", reliable=True)
    user.start(lambda _event: None)
    federation.run(SETTLED_IN_S)
    manager = federation.managers[0]
    manager.fuse.probability = 0.05
    for number in range(10):
        asked = Asked(f"w{number}", manager.name, "chain1", f"v{number}")
        federation.users.asked.append(asked)
        trigger = Trigger(template=asked.template, inputs={"x": asked.value}, id=asked.workflow)
        user.publish(manager.topics.triggers, encode(trigger), qos=1)
        federation.run(federation.chance.random())
        federation.start()
    federation.calm()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def answer_in_pieces(seed: int) -> list[str]:
    """A manager is restored to before its jobs were placed, and hears slowly of one after the other, as they end."""
    with patch.object(reconcile, "TOGETHER_LIMIT_BYTES", 1), patch.object(answering, "MESSAGES_AT_ONCE", 1):
        federation = Federation(seed, agents=1, slots=WANTED)
        (agent,), (manager,) = federation.agents, federation.managers
        federation.start()
        for _ in range(WANTED):
            federation.users.submit("m0", "chain1")
        assert federation.run(LONG_S, lambda: bool(manager.disk.database.conn.execute(ALL_MADE).fetchone()))
        copy = manager.disk.copy()
        agent.host.slowness = 3.0
        federation.run(1.0, lambda: len(agent.host.running()) == WANTED)
        manager.crash()
        manager.disk.restore(copy)
        federation.lost(manager)
        agent.lag_s = 5.0
        federation.start()
        federation.run(CALM_S)
        agent.lag_s = 0.0
        federation.run(LONG_S, lambda: not unrest(federation))
        return [*unrest(federation), *problems(federation)]


def late_agent(seed: int) -> list[str]:
    """An agent has taken many short jobs; they become endless, and another agent comes, which could do them at once."""
    federation = Federation(seed, agents=2, deep=32)
    first, late = federation.agents
    for agent in federation.agents:
        agent.types = job_types([*TYPES], frozenset())
        agent.host.slowness = 0.001
    late.absent = True
    federation.start()
    for _ in range(80):
        federation.users.submit("m0", "chain1")
    assert federation.run(LONG_S, lambda: len(_unfinished(federation)) < 55)
    first.host.slowness = 1e8
    late.absent = False
    federation.start()
    federation.run(60.0, lambda: len(_unfinished(federation)) <= KEPT)
    left = _unfinished(federation)
    return left if len(left) > KEPT else problems(federation)


def _busy(seed: int, *, say_running_after_s: float = 0.0) -> tuple[Federation, Agent]:
    """Return a federation, and an agent of it whose jobs run for years; others can do them too."""
    settings = manager_config(lost_after_s=30.0, attempts=50, retry_delay_s=0.1)
    federation = Federation(seed, agents=4, settings=settings, say_running_after_s=say_running_after_s)
    *_, agent = federation.agents
    agent.host.slowness = 1e8
    federation.start()
    for _ in range(4):
        federation.users.submit("m0", "chain3")
    assert federation.run(LONG_S, lambda: bool(agent.host.running())), "it has got no job"
    return federation, agent


def _unfinished(federation: Federation) -> list[str]:
    return [each.workflow for each in federation.users.asked if status_of(federation, each) != "completed"]
