"""What can go on goes on: a watch over a federation in which nothing is wrong, and whose last backoff has run out.

The checker looks at what comes to an end, however late. Here is looked how long something stands still that could go
on, and how much is said while nothing goes on. Whatever the product says for why it waits is not asked: a place that is
kept free for an offer which nobody answers is a free place.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.simulation.federation import Federation
from tests.simulation.members import Agent, Manager

BACKOFFS_S = 600.0
"""So long after the last fault somebody may still wait because of it: a node whose id was taken does, and an agent that
is offered for in vain for half of that."""
STILL_S = 5.0
"""So long may stand still what could go on. Whoever is asked answers at once, what is dropped is said again within 5 s
only where something was lost, and a job that was declined waits for 1 s."""
LOOK_EVERY_S = 1.0

SAID_PER_JOB, SAID_PER_S = 10, 2
"""So many messages are for each job that begins, and in each second for each manager and agent of it."""
SAID_AHEAD_S = 250.0
"""So many seconds' messages may come at once."""

UNPLACED = """
    SELECT s.job_type, s.agents FROM steps s
    WHERE s.status = 'fulfilling' AND s.retry_due IS NULL AND s.in_doubt IS NULL AND s.missing = 0
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.status = 'failed') GROUP BY s.job_type, s.agents"""
"""A step that has failed somewhere waits for others."""
OVERDUE = "SELECT path FROM steps WHERE status = 'fulfilling' AND retry_due < :now AND in_doubt IS NULL"
PLACED = "SELECT count(*) FROM jobs"
DATA_NOT_SENT = """
    SELECT j.job, j.agent FROM jobs j JOIN steps s ON s.job = j.job
    WHERE j.open AND NOT j.data_sent AND s.missing = 0"""
OPEN = "SELECT job, agent FROM jobs WHERE open AND NOT asked"
STATE = "SELECT state FROM jobs WHERE job = ?"
OVER = ("completed", "failed", "killed")
WAITING = "SELECT state, count(*) FROM jobs WHERE state IN ('staging', 'queued', 'collecting') GROUP BY state"
FAILING = "SELECT job_type FROM records WHERE failures > 0"
"""Of such types one place a minute is offered, where nothing but failures has been seen."""


class Watch:
    """Sees what stands still, and what is said in vain.

    Attributes:
        wrong: What was seen, each once.
    """

    def __init__(self, federation: Federation) -> None:
        """Begin to watch."""
        self._federation = federation
        self._since: dict[str, tuple[float, Any]] = {}
        self._seen = self._now = 0.0
        self._done, self._said, self._left = 0, 0, 0.0
        self.wrong: dict[str, None] = {}
        self._count()
        self._left = self._most()

    def run(self, seconds: float) -> None:
        """Let time go on, and look now and then."""
        end = self._federation.now + seconds
        while self._federation.now < end:
            self._federation.run(min(LOOK_EVERY_S, end - self._federation.now))
            self.look()

    def look(self) -> None:
        """Look what could go on, and since when; and how much was said."""
        now = self._federation.now
        since: dict[str, tuple[float, Any]] = {}
        for what, done in self._could():
            begun, before = self._since.get(what, (now, done))
            since[what] = (begun, done) if done == before else (now, done)
            if now - since[what][0] > STILL_S:
                self.wrong[f"{what}, and for {STILL_S:g} s nothing comes of it"] = None
        self._since = since
        self._count()
        if self._left < 0:
            self.wrong[f"much is said in vain: {-self._left:.0f} messages more than what is done calls for"] = None
            self._left = self._most()

    def _could(self) -> Iterator[tuple[str, object]]:
        """Yield what could go on, each with something that is another when it has."""
        for agent in self._federation.agents:
            yield from _could_start(agent)
        for manager in self._federation.managers:
            yield from self._could_be_placed(manager)
            yield from self._could_be_said(manager)

    def _could_be_placed(self, manager: Manager) -> Iterator[tuple[str, object]]:
        conn = manager.disk.database.conn
        for job_type, names in conn.execute(UNPLACED).fetchall():
            bound = None if names is None else msgspec.json.decode(names)
            for agent in self._federation.agents:
                if (bound is None or agent.name in bound) and _takes(agent, job_type):
                    done = conn.execute(PLACED).fetchone()[0], len(agent.host.history)
                    yield f"{manager.name} has steps of {job_type} for which {agent.name} has places", done
        for (path,) in conn.execute(OVERDUE, {"now": manager.moment(self._federation.now).now}).fetchall():
            yield f"{manager.name} is to try {path} again", 0

    def _could_be_said(self, manager: Manager) -> Iterator[tuple[str, object]]:
        conn, agents = manager.disk.database.conn, {agent.name: agent for agent in self._federation.agents}
        for job, name in conn.execute(DATA_NOT_SENT).fetchall():
            if name in agents:
                yield f"{manager.name} has the data of {job}, for which {name} waits", 0
        for job, name in conn.execute(OPEN).fetchall():
            row = agents[name].disk.database.conn.execute(STATE, (job,)).fetchone() if name in agents else None
            if row is not None and row[0] in OVER:
                yield f"{job} has ended at {name}, which {manager.name} does not know", 0

    # What is said

    def _count(self) -> None:
        federation = self._federation
        done = sum(len(agent.host.history) for agent in federation.agents)
        said, now = federation.broker.seen["published"], federation.now
        more = SAID_PER_JOB * (done - self._done) + self._most() / SAID_AHEAD_S * (now - self._now)
        self._left = min(self._left + more, self._most()) - (said - self._said)
        self._done, self._said, self._now = done, said, now

    def _most(self) -> float:
        pairs = len(self._federation.managers) * len(self._federation.agents)
        return SAID_AHEAD_S * SAID_PER_S * pairs


def _could_start(agent: Agent) -> Iterator[tuple[str, object]]:
    waiting, free = _waiting(agent), agent.settings.slots - len(agent.host.running())
    if waiting.get("queued") and free > 0 and _is_well(agent):
        yield f"{agent.name} has jobs that are queued, and a free slot", len(agent.host.history)


def _takes(agent: Agent, job_type: str) -> bool:
    """Tell whether an agent has a slot for a job of this type, and nothing else that could have it."""
    if not agent.serves(job_type) or not _is_well(agent):
        return False
    is_failing = (job_type,) in agent.disk.database.conn.execute(FAILING).fetchall()
    return not is_failing and len(agent.host.running()) + sum(_waiting(agent).values()) < agent.settings.slots


def _waiting(agent: Agent) -> dict[str, int]:
    return dict(agent.disk.database.conn.execute(WAITING).fetchall())


def _is_well(agent: Agent) -> bool:
    return agent.up and not agent.cut_off and not agent.is_drained and not agent.host.store.is_full
