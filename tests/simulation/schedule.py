"""Schedules: what goes wrong in a federation, chosen by its seed, and when it ends."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from random import Random
from unittest.mock import patch

from caroni_edge.agent import retention
from caroni_edge.delivery import link
from caroni_edge.manager.peers import reconcile
from caroni_edge.protocol.topics import Role
from caroni_edge.transport.memory_broker import Faults
from tests.configs import manager_config
from tests.objects.network import Line
from tests.simulation.ahead import far_ahead
from tests.simulation.checker import held_up, problems, swollen, unrest, wedged
from tests.simulation.cramped import CRAMPED, PICTURES, large_files, let_makers_go, little_room
from tests.simulation.faults import FAULTS
from tests.simulation.federation import Federation
from tests.simulation.plans import ALL_TYPES, BOUND, FILED, PLANS, TYPES
from tests.simulation.rush import much_at_once, rush
from tests.simulation.stillness import BACKOFFS_S, Watch
from tests.simulation.trace import Trace

NETWORK = ("partition", "one way", "wipe broker", "stop broker", "restore broker")
CLOCKS = ("jump clock", "freeze", "slow jobs", "lag")
PROCESSES = ("crash", "vanish", "reboot", "black hole")
AGENTS = ("lose agent", "restore agent", "reboot", "crash")
MANAGERS = ("lose manager", "restore manager", "crash")
STORAGE = ("disk trouble", "bad decisions", "full disk")
USERS = ("cancel", "retry")
ACTING = ("pause", "resume", "rerun", "delete", "delete many")
LIARS = ("change temper",)
FILES = ("flip bit", "lose file", "full disk")
APART = ("partition", "freeze", "vanish")
OUTSIDE = ("host away", "host changes", "host slow", "hosts cut")

RUSH, RUSH_EVERY = "rush", 100
"""The kind in which nothing goes wrong and much is wanted; and in so many schedules of other kinds it is at the end."""

KINDS: Mapping[str, Sequence[str]] = {
    "all": tuple(name for name in FAULTS if name not in LIARS),
    "users": (*ACTING, *ACTING, *USERS, "crash", "disk trouble", "restore manager"),
    "crashes": ("crash", *USERS),
    "storage": (*STORAGE, "crash", *USERS),
    "network": (*NETWORK, "crash"),
    "time": (*CLOCKS, "crash"),
    "hosts": (*PROCESSES, *USERS),
    "silence": ("vanish", "freeze", "partition", "slow jobs", "retry"),
    "agents": AGENTS,
    "managers": MANAGERS,
    "clones": ("clone", "crash"),
    "files": (
        *FILES,
        *FILES,
        *OUTSIDE,
        "crash",
        "reboot",
        "partition",
        "freeze",
        "vanish",
        "cancel",
        "delete",
        "drain agent",
    ),
    "hostile": (*LIARS, *USERS, "crash", "freeze", "slow jobs"),
    CRAMPED: (*APART, "crash", "reboot", "flip bit", "lose file", "lag", "cancel", "delete", "stop broker"),
    RUSH: (),
}
"""Which faults a kind of schedule draws from; each seed leaves some of them out, so that each meets others."""

WITH_DEPOTS = ("files", "all")
LYING: Sequence[Sequence[Role]] = (("agents",), ("managers",), ("agents", "managers"))
MOST_AGENTS = 6
TIRED_PAUSE_S = 30.0
"""So long liars rest at last, while others still have work to do: that may go on for hours."""

TIGHT = (
    (link, "WAITING_MAX", 400),
    (link, "WEIGH_EVERY", 16),
    (reconcile, "UNKNOWN_MAX", 200),
    (retention, "NEVER_BEGAN_KEPT", 100),
)

ANY = (*PLANS, *FILED, *FILED)
"""Plans of all kinds; each of those with files comes twice as often."""

LOSSES = ("all", "agents", "managers")
"""Kinds with lost and restored databases."""
WAITS_S = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 600.0)
"""How long to wait between two looks: a node whose id was taken stays away for up to ten minutes."""
CALM_S = 7200.0


def play(kind: str, seed: int, trace: Trace | None = None, plans: Iterable[str] = ()) -> list[str]:
    """Run the schedule of a seed to its end; return what is wrong then. Its users want some of these plans."""
    with _traced(trace), _tight(kind), large_files() if kind == CRAMPED else nullcontext(), far_ahead():
        if kind == RUSH:
            return much_at_once(seed, trace)
        federation = make(kind, seed, trace)
        befall(federation, kind, [*(plans or _plans(kind))])
        wrong = end(federation)
        return wrong or (rush(federation, seed, waves=1) if seed % RUSH_EVERY == 0 else [])


def _plans(kind: str) -> Iterable[str]:
    """Return the plans of a kind of schedule."""
    if kind == CRAMPED:
        return PICTURES
    return FILED if kind == "files" else (*ANY, *(BOUND if kind == "hostile" else ()))


def make(kind: str, seed: int, trace: Trace | None = None) -> Federation:
    """Return the federation of a seed, all of it started: small in most cases."""
    if kind == CRAMPED:
        return _cramped(seed, trace)
    chance = Random(f"{kind} {seed}")
    large = chance.random() < 0.05
    trusted = _trusted(chance) if kind == "hostile" else {}
    depots, copies, likes_to_be_one = _depots(kind, Random(f"depots {kind} {seed}"))
    settings = manager_config(
        depots=tuple(f"d{number}" for number in range(depots)),
        copies=copies,
        trusted=trusted,
        lost_after_s=chance.choice((None, 15.0, 15.0, 300.0)),
        attempts=chance.choice((3, 50)),
        retry_delay_s=0.1,
        retention_s=None,
    )
    federation = Federation(
        f"{kind} {seed}",
        managers=chance.randint(2, 3) if large else chance.choice((1, 1, 1, 2)),
        agents=chance.randint(4, 6) if large else chance.choice((1, 2, 2, 3)),
        fail=chance.choice((0.0, 0.1, 0.3)),
        most_queued=chance.choice((3, 1000, 1000)),
        settings=settings,
        deep=(0, 8, 64)[seed // 6 % 3],
        once=_once(kind, seed, chance),
        say_running_after_s=0.05 * (seed % 2),
        trace=trace,
        has_files=True,
        depots=depots,
    )
    if likes_to_be_one:
        federation.agents[0].settings = replace(federation.agents[0].settings, depot=True)
    federation.carrier.line = _line(Random(f"line {kind} {seed}"))
    if chance.random() < 0.8:
        some = chance.random()
        federation.broker.faults = Faults(0.1 * some, 0.1 * some, 0.1 * some, 0.3, 0.02 * some, 0.002 * some)
    for member in federation.members:
        member.fuse.probability = chance.choice((0.0, 0.001, 0.003, 0.01))
    federation.start()
    if kind == "hostile":
        for role in chance.choice(LYING):
            federation.add_liar(role)
    return federation


def _cramped(seed: int, trace: Trace | None) -> Federation:
    """Return a federation with little room, all of it started, in which much is wanted at once."""
    settings = manager_config(attempts=50, retry_delay_s=0.1, retention_s=None)
    federation = little_room(f"{CRAMPED} {seed}", trace, settings)
    federation.start()
    let_makers_go(federation)
    for _ in range(6):
        want(federation, PICTURES)
    return federation


def _depots(kind: str, chance: Random) -> tuple[int, int, bool]:
    """Return how many depots and copies there are, and whether somebody says to be a depot whom nobody names."""
    if kind not in WITH_DEPOTS or chance.random() > 0.7:
        return 0, 1, False
    return chance.randint(1, 2), chance.choice((1, 2, 2, 3)), chance.random() < 0.5


def _line(chance: Random) -> Line:
    """Return what the lines are like that bytes take."""
    some = chance.choice((0.0, 0.05, 0.2)) * chance.random()
    return Line(
        delay_s=chance.choice((0.001, 0.02, 0.3)),
        jitter_s=chance.choice((0.0, 0.3)),
        rate=chance.choice((2e4, 1e6, 1e8)),
        drops=some,
        doubles=some,
        damages=some / 2,
    )


def _trusted(chance: Random) -> Mapping[str, tuple[str, ...]]:
    """Return which agents managers trust with which job types: all, or with some types or all of them no liar."""
    honest = tuple(f"a{number}" for number in range(MOST_AGENTS))
    likely = chance.choice((0.0, 0.3, 1.0))
    return {name: honest for name in ALL_TYPES if chance.random() < likely}


def _once(kind: str, seed: int, chance: Random) -> frozenset[str]:
    """Return the job types that may not be repeated: a few, and all in a third of the schedules with lost databases."""
    few = frozenset(name for name in ALL_TYPES if chance.random() < 0.15)
    return frozenset(TYPES) if kind in LOSSES and seed % 3 == 2 else few


def befall(federation: Federation, kind: str, plans: Sequence[str]) -> None:
    """Let users want workflows of these plans, and faults come, as the federation's chance has it."""
    chance = federation.chance
    names = [name for name in KINDS[kind] if chance.random() < 0.6] or list(KINDS[kind])
    weights = [FAULTS[name][0] for name in names]
    for _ in range(max(1, len(federation.members) // 2)):
        want(federation, plans)
    for name in chance.choices(names, weights, k=chance.randint(3, 8)):
        pass_time(federation, chance.choice((1.0, 5.0, 20.0, 100.0)))
        if chance.random() < 0.4:
            want(federation, plans)
            pass_time(federation, 2.0)
        FAULTS[name][1](federation)
    pass_time(federation, chance.choice((5.0, 20.0, 300.0)))


def want(federation: Federation, plans: Sequence[str]) -> None:
    """Let a user want some workflow of some manager."""
    federation.users.submit(federation.chance.choice(federation.managers).name, federation.chance.choice(plans))


def pass_time(federation: Federation, most_s: float) -> None:
    """Let some time pass, then start what has crashed meanwhile."""
    federation.run(federation.chance.random() * most_s)
    federation.start()


def end(federation: Federation) -> list[str]:
    """Let nothing go wrong any more, and return what is wrong when all is at rest."""
    federation.calm()
    said = _without_liars(federation) if federation.liars else []
    left = _rest(federation)
    if not left:
        left = wedged(federation, WAITS_S) or _rest(federation)
    return problems(federation) + said + left


def _without_liars(federation: Federation) -> list[str]:
    """Wait while liars go on, until all has ended that does not concern them, then expel them; return what is wrong."""
    deadline = federation.now + CALM_S
    waits = iter(WAITS_S)
    while (left := held_up(federation)) and federation.now < deadline:
        federation.run(next(waits, WAITS_S[-1]))
        federation.start()
        federation.users.retry_failed()
        federation.users.resume_all()
        federation.resume_agents()
        for liar in federation.liars:
            liar.pause_s = min(2 * liar.pause_s, TIRED_PAUSE_S)
    found = swollen(federation)
    federation.expel_liars()
    return [*found, *(f"{CALM_S:g} s after the last fault: {each}" for each in left)]


def _rest(federation: Federation) -> list[str]:
    """Wait until all is at rest, while users retry what failed; return what is not at rest after `CALM_S`."""
    begun, watch = federation.now, None
    waits = iter(WAITS_S)
    while left := unrest(federation):
        if federation.now >= begun + CALM_S:
            return [f"{CALM_S:g} s after the last fault: {each}" for each in left]
        if watch is None and federation.now >= begun + BACKOFFS_S:
            watch = Watch(federation)
        (watch or federation).run(next(waits, WAITS_S[-1]))
        federation.users.retry_failed()
        federation.users.resume_all()
        federation.resume_agents()
    return [*watch.wrong] if watch else []


@contextmanager
def _tight(kind: str) -> Iterator[None]:
    """Let liars meet bounds that are met elsewhere in days."""
    if kind != "hostile":
        yield
        return
    with ExitStack() as bounds:
        for module, name, bound in TIGHT:
            bounds.enter_context(patch.object(module, name, bound))
        yield


@contextmanager
def _traced(trace: Trace | None) -> Iterator[None]:
    """Let a trace have what the product logs; without one nothing is logged, which costs much."""
    product = logging.getLogger("caroni_edge")
    disabled, level, propagate = logging.root.manager.disable, product.level, product.propagate
    logging.disable(logging.NOTSET if trace else logging.CRITICAL)
    if trace:
        product.addHandler(trace)
        product.setLevel(logging.DEBUG)
        product.propagate = False
    try:
        yield
    finally:
        logging.disable(disabled)
        product.setLevel(level)
        product.propagate = propagate
        if trace:
            product.removeHandler(trace)
