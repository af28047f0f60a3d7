"""What goes on while nothing goes wrong: nodes talk, the broker delivers, the time passes."""

from dataclasses import replace
from functools import partial
from math import inf

from tests.link.process import PLAIN, Process, Violation
from tests.link.world import World

GIVE_UP_AFTER_S = 1000.0
MOST_FRAMES = 10_000
CHATTER_S, CHATTER_EVERY_S = 24.0, 2.0
REPEATED_WITHIN_S = 7.0


def running(world: World) -> list[Process]:
    """Return the processes that run."""
    return [node.process for node in world.nodes.values() if node.process]


def directions(world: World) -> list[tuple[Process, str]]:
    """Return who may speak to whom."""
    return [(process, peer) for process in running(world) for peer in world.peers_of(process.name)]


def stop_faults(world: World) -> None:
    """From now on nothing goes wrong, and every node runs."""
    world.log("the faults stop")
    world.setting = replace(world.setting, faults=0.0)
    for name in world.names:
        world.start(name)
        world.connect(name)


def say_something(world: World) -> None:
    """Let every node put a message for each other."""
    for process, peer in directions(world):
        process.run_batch(work=partial(Process.put, peer=peer, kind=PLAIN))


def settle(world: World, until: float = inf, most_frames: float = MOST_FRAMES) -> None:
    """Deliver all that is on its way, and let the time pass, until nothing is left to do.

    Raises:
        Violation: It does not end.
    """
    give_up_at, storm_at = world.now + GIVE_UP_AFTER_S, world.broker.published + most_frames
    while world.now < until:
        world.now += 0.001
        world.deliver_next()
        for name in world.names:
            world.tick(name)
        if not world.broker.can_deliver() and not _pass_time(world, until):
            return
        if world.now > give_up_at:
            raise Violation("nothing settles")
        if world.broker.published > storm_at:
            raise Violation("a storm of frames")


def chatter(world: World) -> None:
    """Let all nodes talk every two seconds: a question to a peer that is heard must be repeated, and be answered.

    Raises:
        Violation: One does.
    """
    world.log("for a while all talk")
    faults, world.setting = world.setting.faults, replace(world.setting, faults=0.0)
    world.heard_since.clear()
    until = world.now + CHATTER_S
    while world.now < until:
        say_something(world)
        settle(world, world.now + CHATTER_EVERY_S)
    world.setting = replace(world.setting, faults=faults)
    for process, peer in directions(world):
        asked_at, heard_since = process.links.asked_at(peer), world.heard_since.get((process.name, peer), inf)
        both_online = {process.name, peer} <= world.broker.online.keys()
        if both_online and asked_at <= heard_since < world.now - REPEATED_WITHIN_S:
            raise Violation(f"{process.name} hears {peer} and repeats no question")


def _pass_time(world: World, until: float) -> bool:
    """Go to the next moment when a node is due; return whether there is one."""
    online = [process for process in running(world) if process.online]
    if len(online) < len(running(world)):
        world.now += 1.0  # who was cut off connects again
        return True
    due = min((-inf if process.links.held_back else process.links.next_due() for process in online), default=inf)
    moment = min(due, until)
    if moment == inf:
        return False
    world.now = max(world.now, moment)
    return True
