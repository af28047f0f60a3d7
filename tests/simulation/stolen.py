"""Schedules with a stolen login and one lie each: what random ones (`--kind hostile`) show only now and then."""

from unittest.mock import patch

from caroni_edge.delivery import link
from caroni_edge.node.calls import Call
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import JobStatusUpdate, LinkReset
from caroni_edge.protocol.reconciling import JobHere, JobsHere
from caroni_edge.values.json import hash_of
from tests.simulation.checker import problems, status_of
from tests.simulation.federation import Federation
from tests.simulation.liars import LyingMember

SETTLED_IN_S = 10.0
LONG_S = 7200.0
SOON_S = 60.0
SLOW = 1e6
WANTED = 10
PLACES = 3
"""So many jobs an agent gets at most that shows one slot, and one place for each kind of job beside it."""
ROWS_MAX, WEIGH_EVERY = 100, 4
WAITING = "SELECT count(*) FROM outbox WHERE peer = ?"
OPEN_JOB = "SELECT job FROM jobs WHERE open AND agent = 'a0' AND serial > 0"


def more_than_it_shows(seed: int) -> list[str]:
    """An agent shows a few places, offers a thousand million and never answers: it gets a few steps."""
    federation, liar = _with_liar(seed, agents=2)
    liar.is_greedy = True
    liar.crash()
    federation.start()
    federation.run(SETTLED_IN_S)
    _want(federation, "chain1")
    federation.run(LONG_S, lambda: not _unfinished(federation))
    left = _unfinished(federation)
    return [f"{len(left)} workflows wait for it"] if len(left) > PLACES else []


def never_offers(seed: int) -> list[str]:
    """An agent says that it serves all, and offers nothing: what has failed on the only other one is tried again."""
    federation, _ = _with_liar(seed, agents=1, fail=0.3)
    _want(federation, "chain1")
    federation.run(LONG_S, lambda: not _unfinished(federation))
    return _unfinished(federation)


def never_answers(seed: int) -> list[str]:
    """The link of an agent begins anew, and it does not say what it holds: nobody else waits for that."""
    federation, liar = _with_liar(seed, agents=2)
    _say(federation, liar, LinkReset())
    federation.run(1.0)
    _want(federation, "chain1")
    federation.run(2 * SOON_S, lambda: not _unfinished(federation))
    return _unfinished(federation)


def result_of_another(seed: int) -> list[str]:
    """An agent says that the job of another has completed."""
    federation, liar = _with_liar(seed, agents=1)
    (agent,), (manager,) = federation.agents, federation.managers
    agent.host.slowness = SLOW
    _want(federation, "chain1", 1)
    conn = manager.disk.database.conn
    assert federation.run(LONG_S, lambda: conn.execute(OPEN_JOB).fetchone() is not None), "no job runs"
    (job,) = conn.execute(OPEN_JOB).fetchone()
    _say(federation, liar, JobStatusUpdate(job=job, serial=1000, status="completed", outputs={"out": "a lie"}))
    federation.run(SOON_S)
    return [
        f"{each.workflow} has completed" for each in federation.users.asked if status_of(federation, each) != "running"
    ]


def claim_of_a_step(seed: int) -> list[str]:
    """An agent says that it has a job of a step that its template gives to another one, which is away."""
    federation, liar = _with_liar(seed, agents=1)
    (agent,) = federation.agents
    agent.isolate()
    _want(federation, "bound", 1)
    _say(federation, liar, LinkReset())
    assert federation.run(SOON_S, lambda: "m0" in liar.known.queries), "it was not asked"
    here = JobHere(
        job="liesliesl",
        workflow="w0",
        step="s0",
        attempt=1,
        job_type="red",
        serial=1,
        status="completed",
        begun=True,
        inputs_hash=hash_of({"a": "v0"}),
        outputs={"out": "a lie"},
    )
    _say(federation, liar, JobsHere(wanted=liar.known.queries["m0"], database="a lie", jobs=(here,)))
    federation.run(SOON_S)
    agent.heal()
    federation.run(SOON_S)
    return problems(federation)


def never_acknowledges(seed: int) -> list[str]:
    """A manager provokes answers without end, and acknowledges none."""
    with patch.object(link, "WAITING_MAX", ROWS_MAX), patch.object(link, "WEIGH_EVERY", WEIGH_EVERY):
        federation, liar = _with_liar(seed, agents=1, role="managers")
        liar.withholds, liar.garbles, liar.pause_s, liar.is_silent = True, 0.0, 0.2, False
        liar.give_temper()
        _want(federation, "chain3", 1)
        federation.run(SOON_S)
    (agent,) = federation.agents
    (count,) = agent.disk.database.conn.execute(WAITING, (liar.name,)).fetchone()
    return [f"{count} messages wait for it"] if count > ROWS_MAX + WEIGH_EVERY else []


def _with_liar(seed: int, *, agents: int, fail: float = 0.0, role: str = "agents") -> tuple[Federation, LyingMember]:
    """Return a federation in which somebody has a stolen login, and says nothing by itself."""
    federation = Federation(seed, agents=agents, fail=fail)
    federation.start()
    federation.add_liar("managers" if role == "managers" else "agents")
    (liar,) = federation.liars
    liar.is_silent, liar.withholds, liar.garbles = True, False, 0.0
    liar.give_temper()
    federation.run(SETTLED_IN_S)
    return federation, liar


def _want(federation: Federation, template: str, count: int = WANTED) -> None:
    for _ in range(count):
        federation.users.submit("m0", template)


def _say(federation: Federation, liar: LyingMember, message: LinkMessage) -> None:
    liar.tell(Call(lambda _at: liar.node.links.put("m0", message)))
    federation.run(1.0)


def _unfinished(federation: Federation) -> list[str]:
    return [each.workflow for each in federation.users.asked if status_of(federation, each) != "completed"]
