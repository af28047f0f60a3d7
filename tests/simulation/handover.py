"""Schedules in which agents hand outputs over while their manager is away, restored, or of another mind.

What a job gives names the job, so that no two attempts give the same. Agent and manager cover each other in much: where
one forgets its part the end is good all the same, only later. So what must hold between two batches is looked at too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.transport.memory_broker import Faults
from tests.configs import manager_config
from tests.simulation.checker import problems, status_of, unrest
from tests.simulation.federation import Federation
from tests.simulation.members import Manager, Member
from tests.simulation.plans import TYPES, job_types, result
from tests.simulation.restores import STEPS, put_back, repeated

LONG_S = 7200.0
CHAIN = ("s0", "s1", "s2")
TAKERS = "SELECT 1 FROM takers"
PENDING = "SELECT 1 FROM jobs WHERE state = 'pending'"
UNSAID = "SELECT 1 FROM outbox"

LEFT_BY_THEIR_GIVERS = """
    SELECT k.job || ' waits, and ' || t.giver || ' gives nothing' FROM takers t JOIN jobs k ON k.job = t.taker
    LEFT JOIN jobs g ON g.job = t.giver
    WHERE k.state = 'pending' AND (g.job IS NULL OR g.state IN ('failed', 'killed'))"""
NOT_TAKEN_BACK = """
    SELECT k.job || ' is not taken back, and ' || t.giver || ' is not the result of its step'
    FROM takers t JOIN jobs k ON k.job = t.taker JOIN steps ks ON ks.id = k.step AND ks.job = k.job
    LEFT JOIN jobs g ON g.job = t.giver LEFT JOIN steps gs ON gs.id = g.step
    WHERE k.open AND NOT k.asked
    AND (g.job IS NULL OR NOT (g.open OR (gs.status = 'completed' AND gs.job = g.job)))"""
NOT_WAITED_FOR = """
    SELECT j.job || ' is taken back, and its step does not wait for its end' FROM jobs j JOIN steps s ON s.id = j.step
    WHERE j.open AND j.asked AND NOT j.lost AND s.job IS NOT j.job"""
USED_UP = """
    SELECT s.path || ' has used up ' || s.tries || ' attempts' FROM steps s WHERE s.tries > (
    SELECT count(*) FROM jobs j WHERE j.step = s.id AND NOT (j.misfed OR j.asked) AND j.status = 'failed')"""
MISFED = "SELECT step FROM jobs WHERE misfed"
HANDED_OVER = "SELECT step, job FROM jobs WHERE inputs_from NOT NULL"


class Played:
    """A federation in which a chain of three was placed at one agent, and what is wrong between its batches.

    Attributes:
        federation: The federation.
        wrong: What was wrong, each once.
        all_is_known: No node is away for so long that it is given up, and none is restored: nothing is run in vain.
    """

    def __init__(
        self, seed: int, *, types: Sequence[Sequence[str]] = (TYPES,), all_is_known: bool = False, **facts: Any
    ) -> None:
        """Start it, with agents that serve these types, whose jobs take their time."""
        self.federation = Federation(f"handover {seed}", agents=len(types), **{"slots": 3, **facts})
        self.wrong: dict[str, None] = {}
        self.all_is_known = all_is_known
        self._misfed: set[int] = set()
        self._handed_over: set[str] = set()
        for agent, served in zip(self.federation.agents, types, strict=True):
            agent.types = job_types([*served], frozenset())
            agent.host._result = salted
            agent.host.slowness = 10.0
        self.federation.start()

    def place(self) -> None:
        """Submit a chain, and wait until an agent has a job of it that takes its inputs from another."""
        self.federation.users.submit("m0", "chain3")
        assert self.run(LONG_S, lambda: any(any_of(agent, TAKERS) for agent in self.federation.agents)), "not handed"
        self.run(1.0, lambda: not any_of(self.manager, UNSAID))

    @property
    def manager(self) -> Manager:
        """The manager."""
        return self.federation.managers[0]

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time go on, and look at all nodes between their batches; return whether `until` came true."""

        def look() -> bool:
            self.wrong.update(dict.fromkeys(self._look()))
            return until()

        return self.federation.run(seconds, look)

    def has_ended(self) -> bool:
        """Tell whether all jobs of the chain were run, and none runs any more."""
        ended = {order.step for agent in self.federation.agents for order in agent.host.history}
        return ended == set(CHAIN) and not any(agent.host.running() for agent in self.federation.agents)

    def end(self) -> list[str]:
        """Let all come to its end; return what is wrong."""
        self.run(LONG_S, lambda: not unrest(self.federation))
        return [*unrest(self.federation), *self.wrong, *inconsistent(self.federation)]

    def _look(self) -> Iterable[str]:
        for agent in self.federation.agents:
            yield from texts(agent, LEFT_BY_THEIR_GIVERS)
        yield from texts(self.manager, NOT_TAKEN_BACK)
        yield from texts(self.manager, NOT_WAITED_FOR)
        for step, job in found(self.manager, HANDED_OVER):
            if step in self._misfed and job not in self._handed_over:
                yield f"{job} takes inputs, as one did that had the wrong ones"
            self._handed_over.add(job)
        self._misfed.update(step for (step,) in found(self.manager, MISFED))
        if self.all_is_known:
            yield from texts(self.manager, USED_UP)
            orders = [each.host.started[job] for each in self.federation.agents for job in each.host.running()]
            runs = Counter((order.workflow, order.step) for order in orders)
            yield from (f"{workflow}/{step} is run twice at once" for (workflow, step), n in runs.items() if n > 1)


def manager_away(seed: int) -> list[str]:
    """A manager is gone when its chain has been placed: the chain ends without it, and it hears so when it is back."""
    played = Played(seed)
    played.place()
    played.manager.crash()
    played.manager.absent = True
    played.run(LONG_S, played.has_ended)
    left = [] if played.has_ended() else ["the chain has not ended while its manager was away"]
    played.manager.absent = False
    played.federation.start()
    return [*left, *played.end(), *_repeated(played)]


def manager_restored(seed: int) -> list[str]:
    """A backup of a manager is put back from when a chain was placed, which has ended since: no step is run again."""
    played = Played(seed)
    played.place()
    copy = played.manager.disk.copy()
    played.run(LONG_S, played.has_ended)
    put_back(played.federation, played.manager, copy)
    return [*played.end(), *_repeated(played)]


def manager_restored_to_before_the_placing(seed: int) -> list[str]:
    """A backup of a manager is put back from before a chain was placed, whose agent goes on with it meanwhile."""
    played = Played(seed)
    (agent,) = played.federation.agents
    played.federation.users.submit("m0", "chain3")
    assert played.run(LONG_S, lambda: any_of(played.manager, STEPS)), "the workflow has not come"
    copy = played.manager.disk.copy()
    assert played.run(LONG_S, lambda: any_of(agent, TAKERS)), "none is handed over"
    placed = set(texts(agent, "SELECT job FROM jobs"))
    put_back(played.federation, played.manager, copy, calm_s=0.0)
    wrong = played.end()
    taken = set(texts(played.manager, "SELECT job FROM steps"))
    return [*wrong, *_repeated(played), *(f"{job} was not adopted" for job in sorted(placed - taken))]


def cancelled_meanwhile(seed: int) -> list[str]:
    """A workflow is cancelled while its agent, which is cut off, goes on with it."""
    played = Played(seed)
    played.place()
    (agent,) = played.federation.agents
    agent.isolate()
    played.federation.users.cancel(played.federation.users.asked[0])
    played.run(LONG_S, played.has_ended)
    agent.heal()
    played.run(LONG_S, lambda: not unrest(played.federation))
    return [*unrest(played.federation), *played.wrong, *problems(played.federation)]


def other_results(seed: int) -> list[str]:
    """An agent is cut off and ends a chain by itself; others have begun it anew, and their jobs give something else."""
    played = Played(seed, types=(TYPES, TYPES), settings=_patient(lost_after_s=15.0))
    played.place()
    gone = next(agent for agent in played.federation.agents if any_of(agent, TAKERS))
    gone.isolate()
    played.run(60.0 * played.federation.chance.random())
    gone.heal()
    return played.end()


def history_forgotten(seed: int) -> list[str]:
    """A job has been sent what another gave; then its manager forgets that, and the other's agent has lost all too."""
    played = Played(seed, types=(("red", "blue"), TYPES), settings=_patient())
    federation = played.federation
    giver, runner = federation.agents
    federation.users.submit("m0", "chain3")
    assert played.run(LONG_S, lambda: any_of(runner, PENDING)), "nothing was placed ahead"
    played.run(1.0, lambda: not any_of(runner, UNSAID))
    copy = played.manager.disk.copy()
    assert played.run(LONG_S, lambda: bool(runner.host.history)), "it has not begun"
    giver.crash()
    giver.disk.wipe()
    giver.host.wipe()
    federation.lost(giver)
    put_back(federation, played.manager, copy, calm_s=0.0)
    return played.end()


def agent_restored(seed: int) -> list[str]:
    """A backup of an agent is put back in which a job waits for another, which has ended since, as that one has."""
    played = Played(seed)
    played.place()
    (agent,) = played.federation.agents
    copy = agent.disk.copy()
    played.run(LONG_S, played.has_ended)
    put_back(played.federation, agent, copy)
    return played.end()


def jobs_fail(seed: int) -> list[str]:
    """Jobs fail, agents give up some of what waits for them, and processes crash: the results still fit together."""
    lost_after_s = (None, 15.0)[seed % 2]
    settings = _patient(lost_after_s=lost_after_s)
    played = Played(seed, types=(TYPES,) * (1 + seed % 3), all_is_known=lost_after_s is None, settings=settings)
    played.place()
    federation = played.federation
    for agent in federation.agents:
        agent.host.fail = 0.4
    for member in federation.members:
        member.fuse.probability = 0.003
    for number in range(12):
        federation.users.submit("m0", ("chain3", "chain5", "diamond")[number % 3])
        played.run(10.0 * federation.chance.random())
        federation.start()
        if federation.chance.random() < 0.2:
            agent = federation.chance.choice(federation.agents)
            agent.isolate()
            federation.later(40.0 * federation.chance.random(), agent.heal)
    federation.calm()
    return played.end()


def givers_fail_before_their_takers_come(seed: int) -> list[str]:
    """Messages are slow, and jobs fail fast: what is to take from them comes when they have ended."""
    played = Played(seed, slots=1, all_is_known=True, settings=_patient())
    federation = played.federation
    (agent,) = federation.agents
    agent.host.fail, agent.host.slowness = 0.5, 0.3
    federation.broker.faults = Faults(late_s=2.0)
    for _ in range(12):
        federation.users.submit("m0", "chain3")
    played.run(120.0)
    federation.calm()
    return played.end()


def salted(order: JobOrder) -> dict[str, Any]:
    """What a job computes, and which one it was: no two give the same."""
    return {"out": f"{result(order)['out']}~{order.job}"}


def inconsistent(federation: Federation) -> list[str]:
    """Return what is wrong at the end: steps whose result is not that of what their giving steps gave, among that."""
    wrong = [each for each in problems(federation) if " gave " not in each]
    orders = {order.job: order for agent in federation.agents for order in agent.host.history}
    for manager in federation.managers:
        query = "SELECT workflow, path, job, inputs FROM steps WHERE status = 'completed'"
        for workflow, path, job, inputs in manager.disk.database.conn.execute(query):
            had = {k: v for k, v in orders[job].inputs.items() if v is not None} if job in orders else None
            if had is not None and had != msgspec.json.decode(inputs):
                wrong.append(f"{workflow}/{path} has the result of {job}, which had other inputs")
    for asked in federation.users.asked:
        if status_of(federation, asked) != "completed":
            wrong.append(f"{asked.workflow} has not completed")
    return wrong


def any_of(member: Member, query: str) -> bool:
    """Tell whether a query finds anything."""
    return bool(found(member, query))


def texts(member: Member, query: str) -> list[str]:
    """Return the first column of what a query finds."""
    return [row[0] for row in found(member, query)]


def found(member: Member, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in the committed rows of a node; nothing in the middle of a batch."""
    conn = member.disk.database.conn
    return [] if conn.in_transaction else conn.execute(query).fetchall()


def _patient(**facts: Any) -> Any:
    return manager_config(attempts=50, retry_delay_s=0.1, **facts)


def _repeated(played: Played) -> list[str]:
    return [each for step in CHAIN for each in repeated(played.federation, step)]
