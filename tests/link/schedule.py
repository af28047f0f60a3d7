"""What happens in a walk: a setting and a list of operations, all chosen by a seed."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from caroni_edge.delivery import link
from tests.link.calm import chatter
from tests.link.world import Setting, World

JUMPS_S = (0.01, 0.06, 0.06, 0.5, 1.1, 6.0, 6.0, 30.0, 400.0)
SHORT, LONG = (20, 120), (150, 400)

Do = Callable[[World, str, Random], None]
"""What an operation does in a world, to a node, by chance."""


class Operation(NamedTuple):
    """One operation: its name, and a seed for all that it chooses."""

    name: str
    seed: int


class Schedule(NamedTuple):
    """A walk before it is walked; any part of `operations` is a schedule too."""

    seed: int
    setting: Setting
    operations: Sequence[Operation]


def _of_one(method: Callable[[World, str], None]) -> Do:
    return lambda world, name, _random: method(world, name)


def _advance(world: World, _name: str, random: Random) -> None:
    world.now += random.choice(JUMPS_S)


def _put(world: World, name: str, random: Random) -> None:
    world.put(name, random.choice(world.peers_of(name)), world.kinds())


def _deliver(world: World, name: str, random: Random) -> None:
    world.now += 0.001
    waiting = [each for each in world.names if world.broker.queues[each]]
    world.deliver(random.choice(waiting or [name]), random.choice((1, 1, 1, 2, 5)))


def _flow(world: World, name: str, random: Random) -> None:
    """For a moment all is well: states are reached that lie behind acknowledgements and answers."""
    for _ in range(random.choice((5, 15))):
        _deliver(world, name, random)
        for each in world.names:
            world.tick(each)
        if not any(world.broker.queues.values()):
            world.now += 0.06


def _chatter(world: World, name: str, random: Random) -> None:
    if random.random() < 0.5:
        world.ask(name)
        world.lose_queues()
    chatter(world)


def _start(world: World, name: str, random: Random) -> None:
    down = [each for each in world.names if each not in world.broker.online]
    name = random.choice(down or [name])
    world.start(name)
    if random.random() < 0.9:
        world.connect(name)


# Name: how often, and what it does. Those of FAULTS are left out of some walks, so that each meets others.
ORDINARY: dict[str, tuple[float, Do]] = {
    "put": (14, _put),
    "deliver": (30, _deliver),
    "flow": (7, _flow),
    "chatter": (0.6, _chatter),
    "tick": (8, _of_one(World.tick)),
    "advance": (6, _advance),
    "start": (16, _start),
}
FAULTS: dict[str, tuple[float, Do]] = {
    "drop": (4, _of_one(World.drop)),
    "double": (4, _of_one(World.double)),
    "replay": (4, _of_one(World.replay)),
    "old_presence": (2, _of_one(World.old_presence)),
    "cut": (3, _of_one(World.cut)),
    "crash": (3, _of_one(World.crash)),
    "ask": (1, _of_one(World.ask)),
    "lose_session": (1, _of_one(World.lose_session)),
    "wipe_broker": (0.7, _of_one(World.wipe_broker)),
}
LOSSES: dict[str, tuple[float, Do]] = {
    "backup": (4, _of_one(World.backup)),
    "restore": (5, _of_one(World.restore)),
    "wipe": (1.5, _of_one(World.wipe)),
    "forget": (1, _of_one(World.forget)),
    "clone": (2, _of_one(World.clone)),
    "switch": (6, _of_one(World.switch)),
    "take_snapshot": (1.5, _of_one(World.take_snapshot)),
    "resume_snapshot": (1.5, _of_one(World.resume_snapshot)),
}
ALL = {**ORDINARY, **FAULTS, **LOSSES}


def make(seed: int, *, nodes: int = 2, long: bool = False, **fixed: object) -> Schedule:
    """Return the schedule of a seed; `fixed` overrides parts of its setting."""
    random = Random(seed)
    facts: dict[str, object] = {
        "nodes": nodes,
        "window": random.choice((2, 4, 32)),
        "frame_bytes": random.choice((1, 150, 63 * 1024)),
        "order": random.choice(("kept", "kept", "kept", "any", "newest", "questions")),
        "presence": random.random() < 0.6,
        "open_peers": random.random() < 0.4,
        "faults": random.choice((0.0, 0.03, 0.1, 0.2)),
        "poison": random.choice((0.0, 0.0, 0.1)),
    }
    kinds = {**ORDINARY, **_some(FAULTS, random)}
    if random.random() < 0.7:
        kinds |= _some(LOSSES, random)
    weights = [weight for weight, _ in kinds.values()]
    names = ["start"] * nodes + random.choices(list(kinds), weights, k=random.randint(*(LONG if long else SHORT)))
    setting = Setting(**{**facts, **fixed})  # type: ignore[arg-type]
    return Schedule(seed, setting, [Operation(name, random.getrandbits(32)) for name in names])


def run(schedule: Schedule) -> World:
    """Do what the schedule says, up to the moment when the faults stop."""
    world = World(schedule.setting)
    for operation in schedule.operations:
        apply(operation, world)
    return world


def apply(operation: Operation, world: World) -> None:
    """Do one operation."""
    world.random_source.seed(operation.seed)
    name = world.names[int(world.random() * len(world.names))]
    ALL[operation.name][1](world, name, world.random_source)


def small_limits(setting: Setting) -> ExitStack:
    """Let windows and frames be as the setting has them, until the returned context ends."""
    stack = ExitStack()
    stack.enter_context(patch.object(link, "WINDOW_FRAMES", setting.window))
    stack.enter_context(patch.object(link, "MESSAGE_LIMIT_BYTES", setting.frame_bytes))
    return stack


def _some(kinds: dict[str, tuple[float, Do]], random: Random) -> dict[str, tuple[float, Do]]:
    return {name: kind for name, kind in kinds.items() if random.random() < 0.6}
