"""Random walks over the link, for as long as one likes: ``python -m tests.link.walk --seeds 0:20000``.

A seed chooses what happens to two or three nodes and the broker between them: messages dropped, doubled, repeated and
reordered, processes that crash between any two steps, databases lost, restored and cloned. Then the faults stop, and
the promises are checked. The same seed gives the same trace; a failing one is made short and printed.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

from tests.link import schedule as schedules
from tests.link.checker import check
from tests.link.process import Violation
from tests.link.schedule import Schedule
from tests.link.world import World

CHUNK = 50
LINES_SHOWN = 80


@dataclass(frozen=True)
class Outcome:
    """What a walk showed.

    Attributes:
        seed: Its seed.
        problem: The promise that was broken, or nothing.
        trace: What happened.
        frames: Frames published in all.
        resets: How often a link was begun anew.
        cost: Frames published after the faults for each frame held and row left.
    """

    seed: int
    problem: str
    trace: tuple[str, ...]
    frames: int = 0
    resets: int = 0
    cost: float = 0.0


def walk(schedule: Schedule, *, traced: bool = False) -> Outcome:
    """Walk a schedule and check the promises."""
    cost, problem = 0.0, ""
    with schedules.small_limits(schedule.setting):
        world = World(schedule.setting)
        try:
            for operation in schedule.operations:
                schedules.apply(operation, world)
            cost = check(world, schedule.seed)
        except Violation as violation:
            problem = str(violation)
    trace = tuple(world.lines()) if traced else ()
    return Outcome(schedule.seed, problem, trace, world.broker.published, sum(world.resets.values()), cost)


def shorten(schedule: Schedule, most_walks: int = 400) -> Schedule:
    """Return a failing schedule with a plainer setting, and as many operations left out as possible."""
    for plain in ({"order": "kept"}, {"poison": 0.0}, {"faults": 0.0}, {"open_peers": False}):
        plainer = schedule._replace(setting=replace(schedule.setting, **plain))
        if walk(plainer).problem:
            schedule = plainer
    size = len(schedule.operations) // 2
    while size:
        start = 0
        while start < len(schedule.operations) and most_walks > 0:
            left = [*schedule.operations[:start], *schedule.operations[start + size :]]
            most_walks -= 1
            if walk(schedule._replace(operations=left)).problem:
                schedule = schedule._replace(operations=left)
            else:
                start += size
        size //= 2
    return schedule


def explain(schedule: Schedule) -> str:
    """Return what goes wrong in a failing schedule, as short as it can be made."""
    short = shorten(schedule)
    outcome = walk(short, traced=True)
    head = f"seed {schedule.seed}: {outcome.problem}", f"{short.setting}"
    left_out = len(outcome.trace) - LINES_SHOWN
    if left_out <= 0:
        return "\n".join([*head, *outcome.trace])
    middle = LINES_SHOWN // 2
    return "\n".join([*head, *outcome.trace[:middle], f"({left_out} lines)", *outcome.trace[-middle:]])


def walk_seeds(seeds: Sequence[int], nodes: int, long: bool) -> list[Outcome]:
    """Walk some seeds."""
    return [walk(schedules.make(seed, nodes=nodes, long=long)) for seed in seeds]


def walk_all(seeds: range, nodes: int, long: bool, processes: int) -> Iterator[Outcome]:
    """Walk seeds in several processes."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    work = partial(walk_seeds, nodes=nodes, long=long)
    if processes == 1:
        for chunk in chunks:
            yield from work(chunk)
        return
    with get_context("fork").Pool(processes) as pool:
        for outcomes in pool.imap(work, chunks):
            yield from outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk, print the figures and the first failures; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.link.walk", description="Random walks over the link.")
    parser.add_argument("--seeds", default="0:1000", help="from:to, or one seed, whose trace is printed")
    parser.add_argument("--nodes", type=int, default=2, choices=(2, 3, 4))
    parser.add_argument("--long", action="store_true", help="150 to 400 operations each")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--failures", type=int, default=3, help="how many failing seeds are explained")
    options = parser.parse_args(arguments)
    first, colon, end = options.seeds.partition(":")
    if not colon:
        return _show(schedules.make(int(first), nodes=options.nodes, long=options.long))
    began = time.monotonic()
    outcomes = list(walk_all(range(int(first), int(end)), options.nodes, options.long, options.processes))
    took_s = time.monotonic() - began
    failed = [outcome for outcome in outcomes if outcome.problem]
    for outcome in failed[: options.failures]:
        _say(explain(schedules.make(outcome.seed, nodes=options.nodes, long=options.long)), "")
    _say(
        f"{len(outcomes)} schedules of {options.nodes} nodes in {took_s:.1f} s "
        f"({len(outcomes) / took_s * 60:.0f} a minute): {len(failed)} violations, "
        f"{sum(outcome.frames for outcome in outcomes)} frames, {sum(outcome.resets for outcome in outcomes)} resets; "
        f"after the faults at most {max(outcome.cost for outcome in outcomes):.1f} frames for each held or put"
    )
    return 1 if failed else 0


def _show(schedule: Schedule) -> int:
    outcome = walk(schedule, traced=True)
    _say(str(schedule.setting), *outcome.trace, outcome.problem or "all promises hold")
    return 1 if outcome.problem else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
