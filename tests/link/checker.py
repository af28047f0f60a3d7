"""The promises of the link, checked after the faults have stopped (docs/protocol.md)."""

from itertools import permutations

from tests.link.calm import MOST_FRAMES, directions, running, say_something, settle, stop_faults
from tests.link.process import Process, Violation
from tests.link.world import World

FRAMES_EACH, FRAMES_MORE, FRAMES_MORE_SMALL = 6.0, 12, 200
RESETS_AT_MOST = 4


def check(world: World, seed: int) -> float:
    """Let the faults stop, and check that all promises hold.

    Returns:
        Frames published for each frame held and row left; 0 where the broker does not keep the order.

    Raises:
        Violation: One does not.
    """
    world.random_source.seed(seed)
    stop_faults(world)
    say_something(world)
    held = world.broker.held() + sum(process.outbox() for process in running(world))
    published, put, resets = world.broker.published, world.rows_put, dict(world.resets)
    settle(world, most_frames=2 * _frames_allowed(world, held) + MOST_FRAMES / 10)
    _check_lists(world)
    frames, held = world.broker.published - published, held + world.rows_put - put
    if frames > _frames_allowed(world, held):
        raise Violation(f"{frames} frames for {held} held and put")
    for name, count in world.resets.items():
        if count - resets[name] > RESETS_AT_MOST * (len(world.names) - 1):
            raise Violation(f"{name} was reset {count - resets[name]} times after the faults had stopped")
    _check_health(world)
    return frames / max(10, held) if world.setting.order == "kept" else 0.0


def _frames_allowed(world: World, held: int) -> float:
    each = FRAMES_EACH
    if world.setting.order != "kept":
        # A broker that never keeps the order may have a whole window sent again for each frame that is taken.
        each += 2 * min(world.setting.window, held)
    # Finding out that the broker is too small takes half a minute, in which gaps are asked about once a second.
    more = FRAMES_MORE_SMALL if world.setting.small else FRAMES_MORE
    return each * held + more * len(directions(world))


def _check_lists(world: World) -> None:
    for process, peer in directions(world):
        other = world.nodes[peer].process
        assert other is not None
        if process.outbox():
            raise Violation(f"the outbox of {process.name} is not empty")
        said, heard = process.list_of("said", peer), other.list_of("heard", process.name)
        if not world.may_reset(process.name, peer):
            if said != heard:
                raise Violation(f"{process.name} said {said} to {peer}, who heard {heard}")
        elif _since_reset(said, heard) != _since_reset(heard, said):
            raise Violation(f"since the last reset {process.name} said {said} to {peer}, who heard {heard}")
        _check_told(process, other)


def _since_reset(those: list[str], others: list[str]) -> list[str]:
    """Return what follows the last `LinkReset` (named `i…` or `-`) that both sides have."""
    known = set(others)
    marks = [index for index, what in enumerate(those) if what[0] in "i-" and what in known]
    return those[marks[-1] + 1 :] if marks else those


def _check_told(process: Process, other: Process) -> None:
    for node, peer in permutations((process, other)):
        lists = [*node.list_of("said", peer.name), *node.list_of("heard", peer.name)]
        marked = node.database.conn.execute("SELECT reconcile FROM peers WHERE peer = ?", (peer.name,)).fetchone()
        if any(what[0] in "i-" for what in lists) and marked != (1,):
            raise Violation(f"{node.name} knows of a reset, and {peer.name} is not marked")


def _check_health(world: World) -> None:
    """In a healthy federation a message arrives without a question and without a reset, in two frames."""
    world.log("all is well, and all say something once more")
    hellos, published, resets = world.broker.hellos, world.broker.published, dict(world.resets)
    say_something(world)
    settle(world)
    _check_lists(world)
    pairs = len(directions(world))
    if world.broker.hellos != hellos or world.resets != resets:
        raise Violation("something is asked though all is well")
    if world.broker.published - published > 2 * pairs:
        raise Violation(f"{world.broker.published - published} frames for {pairs} messages")
