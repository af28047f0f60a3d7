"""Schedules in which a database is lost or restored while there are jobs that may not be repeated: none runs twice."""

import sqlite3
from collections import Counter

from tests.simulation.federation import Federation
from tests.simulation.members import Agent, Member
from tests.simulation.plans import TYPES

SETTLED_IN_S = 10.0
LONG_S = 7200.0
CALM_S = 600.0
SLOW = 1e4
QUEUED = "SELECT 1 FROM jobs WHERE state = 'queued'"
STEPS = "SELECT 1 FROM steps"
HELD = "SELECT 1 FROM workflows WHERE status = 'held'"
AHEAD = "SELECT 1 FROM jobs WHERE NOT data_sent"


def agent_wiped_before_its_first_word(seed: int) -> list[str]:
    """An agent is installed anew, with all that is on its disk, before its manager has heard from it that it has a job.

    For the link it is the agent that has taken nothing yet: the acceptance comes again.
    """
    federation = Federation(seed, agents=1, once=frozenset(TYPES))
    (agent,), (manager,) = federation.agents, federation.managers
    federation.start()
    federation.users.submit("m0", "chain1")
    assert federation.run(LONG_S, lambda: _any(manager, "SELECT 1 FROM jobs")), "no job was placed"
    agent.transport.hold(LONG_S, up=True, down=False)
    assert federation.run(LONG_S, lambda: bool(agent.host.history)), "the job has not begun"
    agent.transport.kill(will=True)
    agent.crash()
    agent.disk.wipe()
    agent.host.wipe()
    federation.lost(agent)
    federation.start()
    federation.run(CALM_S)
    return repeated(federation)


def agent_restored_to_before_an_acceptance(seed: int) -> list[str]:
    """A backup of an agent is put back from before a job was accepted, which has begun since.

    That its agent has the job is all that its manager has heard.
    """
    federation = Federation(seed, agents=1, once=frozenset(TYPES), say_running_after_s=LONG_S)
    (agent,), (manager,) = federation.agents, federation.managers
    agent.host.slowness = 1e4
    federation.start()
    federation.run(SETTLED_IN_S)
    copy = agent.disk.copy()
    federation.users.submit("m0", "chain1")

    def is_taken() -> bool:
        return bool(agent.host.history) and not _any(manager, "SELECT 1 FROM outbox")

    assert federation.run(LONG_S, is_taken), "no job has begun"
    put_back(federation, agent, copy)
    return repeated(federation)


def agent_restored_to_before_a_start(seed: int) -> list[str]:
    """A backup of an agent is put back in which a job waits for a slot, that has had it since."""
    federation = Federation(seed, agents=1, slots=1, once=frozenset(TYPES))
    (agent,) = federation.agents
    agent.host.slowness = 100.0
    federation.start()
    federation.users.submit("m0", "chain1")
    federation.users.submit("m0", "chain1")
    assert federation.run(LONG_S, lambda: _any(agent, QUEUED)), "no job waits for a slot"
    copy = agent.disk.copy()
    assert federation.run(LONG_S, lambda: len(agent.host.history) == 2), "it has not begun"
    put_back(federation, agent, copy)
    return repeated(federation)


def manager_restored_while_a_job_runs(seed: int) -> list[str]:
    """A backup of a manager is put back from before a step was placed whose job runs.

    The agent that has the job answers first: for the manager the data of the step does not exist yet.
    """
    federation, manager = _chain(seed)
    assert federation.run(LONG_S, lambda: _any(manager, STEPS)), "the workflow has not come"
    copy = manager.disk.copy()
    giver, runner = _runs(federation, "s0"), _runs(federation, "s1", slow=True)
    if giver is runner:
        return []  # this seed shows nothing
    giver.isolate()
    put_back(federation, manager, copy, calm_s=60.0)
    giver.heal()
    federation.run(CALM_S)
    return repeated(federation, "s1")


def manager_restored_when_a_job_has_failed(seed: int) -> list[str]:
    """A backup of a manager is put back from before a step was placed whose job has failed since."""
    federation, manager = _chain(seed, agents=1)
    assert federation.run(LONG_S, lambda: _any(manager, STEPS)), "the workflow has not come"
    copy = manager.disk.copy()
    (agent,) = federation.agents
    agent.host.fails_always = frozenset(TYPES)
    assert federation.run(LONG_S, lambda: bool(agent.host.history)), "the job has not begun"
    federation.run(CALM_S)
    agent.host.fails_always = frozenset()
    put_back(federation, manager, copy)
    return repeated(federation, "s0")


def manager_restored_while_an_agent_is_away(seed: int) -> list[str]:
    """A backup of a manager is put back in which the data of a job was not sent, that has begun since.

    Its agent is away, so it has not answered a question of this process when the data is there once more.
    """
    federation, manager = _chain(seed, agents=4)
    assert federation.run(LONG_S, lambda: _any(manager, AHEAD)), "nothing was placed ahead"
    copy = manager.disk.copy()
    giver, runner = _runs(federation, "s0"), _runs(federation, "s1", slow=True)
    if giver is runner:
        return []  # this seed shows nothing
    giver.isolate()
    manager.crash()
    runner.isolate()
    manager.disk.restore(copy)
    federation.lost(manager)
    federation.start()
    federation.run(SETTLED_IN_S)
    giver.heal()
    federation.run(60.0)
    runner.heal()
    federation.run(CALM_S)
    return repeated(federation, "s1")


def manager_restored_to_before_a_resume(seed: int) -> list[str]:
    """A backup of a manager is put back in which a workflow is held, a job of which runs."""
    federation = Federation(seed, agents=1, once=frozenset(TYPES))
    (manager,) = federation.managers
    federation.start()
    federation.users.pause(manager, "chain3")
    federation.run(SETTLED_IN_S)
    federation.users.submit("m0", "chain3")
    assert federation.run(LONG_S, lambda: _any(manager, HELD)), "it is not held"
    copy = manager.disk.copy()
    federation.users.resume(manager, "chain3")
    _runs(federation, "s0", slow=True)
    put_back(federation, manager, copy)
    left = ["it is held still"] if _any(manager, HELD) else []
    federation.users.resume_all()
    federation.run(CALM_S)
    return [*left, *repeated(federation)]


def _chain(seed: int, agents: int = 2) -> tuple[Federation, Member]:
    federation = Federation(seed, agents=agents, once=frozenset(TYPES))
    federation.start()
    federation.run(SETTLED_IN_S)
    federation.users.submit("m0", "chain3")
    return federation, federation.managers[0]


def _runs(federation: Federation, step: str, *, slow: bool = False) -> Agent:
    """Return the agent at which the job of a step has begun; it may take its time."""
    for agent in federation.agents:
        agent.host.slowness = SLOW if slow else 1.0

    def find() -> list[Agent]:
        return [each for each in federation.agents if step in {order.step for order in each.host.history}]

    assert federation.run(LONG_S, lambda: bool(find())), f"{step} has not begun"
    return find()[0]


def put_back(federation: Federation, member: Member, copy: sqlite3.Connection, calm_s: float = CALM_S) -> None:
    """Put a backup of a node back, and see what comes of it."""
    member.crash()
    member.disk.restore(copy)
    federation.lost(member)
    federation.start()
    federation.run(calm_s)


def repeated(federation: Federation, step: str = "s0") -> list[str]:
    """Tell where a step was run more than once, though nobody has asked for that."""
    history = [order for agent in federation.agents for order in agent.host.history if order.step == step]
    runs = Counter((order.workflow, order.step) for order in history)
    return [f"{workflow}/{step} was run {count} times" for (workflow, step), count in runs.items() if count > 1]


def _any(member: Member, query: str) -> bool:
    return member.disk.database.conn.execute(query).fetchone() is not None
