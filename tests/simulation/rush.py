"""Much is wanted at once of a federation in which nothing is wrong: nobody stands still, and nobody speaks in vain.

What is wrong with the way from a step to an agent shows only where there are many short jobs, and nodes that are late:
then messages meet that seldom meet elsewhere.
"""

from random import Random

from caroni_edge.transport.memory_broker import NO_FAULTS, Faults
from tests.simulation.ahead import far_ahead
from tests.simulation.checker import problems, unrest
from tests.simulation.federation import Federation
from tests.simulation.plans import PLAIN
from tests.simulation.stillness import Watch
from tests.simulation.trace import Trace

WAVES, WAVE_SIZES = 8, (1, 4, 25)
WAVE_EVERY_S = 2.0
LONG_S = 3600.0
LATE_S = (0.0, 0.0, 0.02)
LAGS_S = (0.0, 0.0, 0.3)
"""So late at most a message is, and so late a node handles what has come: it has much to do."""
SLOWNESS = (0.001, 0.01, 0.1, 1.0)


def rush(federation: Federation, seed: object, waves: int) -> list[str]:
    """Let users want many short workflows of a federation that is at rest; return what is wrong then."""
    chance = Random(f"rush {seed}")
    watch = Watch(federation)
    federation.broker.faults = Faults(late_s=chance.choice(LATE_S))
    for member in federation.members:
        member.lag_s = chance.choice(LAGS_S)
    for agent in federation.agents:
        agent.host.fails_always = frozenset()
        agent.host.slowness = chance.choice(SLOWNESS)
    plans = chance.sample([*PLAIN], chance.randint(1, 2))
    for _ in range(waves):
        for _ in range(chance.choice(WAVE_SIZES)):
            federation.users.submit(chance.choice(federation.managers).name, chance.choice(plans))
        watch.run(chance.random() * WAVE_EVERY_S)
        for agent in federation.agents:
            if chance.random() < 0.4:
                agent.host.slowness = chance.choice(SLOWNESS)
    deadline = federation.now + LONG_S
    while federation.now < deadline and unrest(federation):
        watch.run(1.0)
    federation.broker.faults = NO_FAULTS
    for member in federation.members:
        member.lag_s = 0.0
    return [*watch.wrong, *(f"{LONG_S:g} s after a rush: {each}" for each in unrest(federation)), *problems(federation)]


def much_at_once(seed: int, trace: Trace | None = None) -> list[str]:
    """A few managers have many short jobs for a few agents, which take more of them than they have slots."""
    with far_ahead():
        deep = (8, 8, 64)[seed // 6 % 3]
        federation = Federation(f"much {seed}", managers=1 + seed % 2, agents=1 + seed % 3, deep=deep, trace=trace)
        federation.start()
        federation.run(10.0)
        return rush(federation, seed, WAVES)


def offers_that_meet(seed: int) -> list[str]:
    """A manager is late, and has short jobs for one agent again and again: what it is offered waits for it together."""
    with far_ahead():
        federation = Federation(f"meet {seed}", agents=1, deep=8)
        (manager,), (agent,) = federation.managers, federation.agents
        federation.start()
        federation.run(10.0)
        chance, watch = Random(f"meet {seed}"), Watch(federation)
        federation.broker.faults = Faults(late_s=0.02)
        manager.lag_s, agent.host.slowness = 0.5, 0.01
        for _ in range(20):
            for _ in range(chance.choice((3, 12))):
                federation.users.submit("m0", chance.choice(("chain1", "chain3")))
            watch.run(3.0 * chance.random())
        while not watch.wrong and unrest(federation):
            watch.run(1.0)
        return [*watch.wrong]
