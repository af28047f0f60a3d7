"""One run from its beginning to its report: work, faults, calm, checks."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path

from tests.chaos.checker import check, unfinished
from tests.chaos.faults import Actor, BrokerActor, MemberActor
from tests.chaos.report import report
from tests.chaos.stage import Stage, open_stage
from tests.chaos.trace import Trace
from tests.chaos.work import Ear, User
from tests.support import wait_until

LOOK_EVERY_S = 0.25
STUCK_AFTER_S = 700.0
"""Longer than every timer of the program: who waits for the longest goes on within it."""
CALM_AT = 0.95
"""The faults end when so much of the work is done: the rest shows what they have left behind."""
PARTS_OF_A_PATH = 3
"""A manager, the broker and an agent must all be there for a job to come through."""


@dataclass(frozen=True)
class Plan:
    """What a run is to be like.

    Attributes:
        seed: Draws the faults.
        jobs: How many steps the workflows have together, at least.
        managers: How many there are.
        cut_off: For which share of the time an agent and a manager cannot reach each other.
        outage_s: How long a fault lasts, on average.
        most_open: Workflows that each user has unfinished at a time.
    """

    seed: int
    jobs: int
    managers: int = 2
    cut_off: float = 0.5
    outage_s: float = 3.0
    most_open: int = 300


@dataclass(frozen=True)
class Outcome:
    """How it was.

    Attributes:
        broken: All that is wrong, by what was promised not to be; without what is as it should be.
        report: The figures.
        trace: The file that says what happened when.
    """

    broken: dict[str, list[str]]
    report: str
    trace: Path


def run(plan: Plan, directory: Path) -> Outcome:
    """Run a plan in an empty directory."""
    trace = Trace(directory / "trace.txt")
    with ExitStack() as opened:
        stage = open_stage(directory, plan.managers, plan.jobs, opened)
        for member in stage.members:
            member.daemon.start(wait=not member.is_agent)
        ear = Ear(stage.broker)
        opened.callback(ear.stop)
        users = [User(m.daemon, ear, plan.jobs // plan.managers, plan.most_open) for m in stage.managers]
        stuck = _endure(stage, users, plan, trace)
        faults_ended = trace.note("", "faults end")
        stuck = stuck or _settle(stage, users)
        all_ended = trace.note("", "all work has ended")
        found = {"stuck": stuck, "ended by itself": trace.problems, **check(stage, users, ear)}
        broken = {promise: wrong for promise, wrong in found.items() if wrong}
        for promise, wrong in broken.items():
            for line in wrong:
                trace.note("", f"BROKEN {promise}: {line}")
        if broken:
            stage.keep_databases()
        kept = ", ".join(f"{promise} {len(wrong)}" for promise, wrong in found.items())
        figures = report(stage, users, trace, faults_ended, all_ended)
        return Outcome(broken, f"{kept}\n\n{figures}", trace.path)


def _endure(stage: Stage, users: list[User], plan: Plan, trace: Trace) -> list[str]:
    """Let users work and faults happen until nearly all is done, then end the faults; return what got stuck."""
    trace.note("", f"begin: {plan}")
    calm = threading.Event()
    members = [MemberActor(member, plan.seed, trace, calm) for member in stage.members]
    actors: list[Actor] = [BrokerActor(stage, plan.seed, trace, calm), *members]
    share = 1 - (1 - plan.cut_off) ** (1 / PARTS_OF_A_PATH)
    enough = CALM_AT * plan.jobs

    def is_enough() -> bool:
        _raise_failures(users, actors)
        return sum(user.ended() * user.jobs / max(1, len(user.expected)) for user in users) >= enough

    for actor in actors:
        actor.pace(plan.outage_s, share)
    for thread in (*users, *actors):
        thread.start()
    try:
        return _wait_while_it_goes_on(users, is_enough)
    finally:
        calm.set()
        for actor in actors:
            actor.join()
        for member in members:
            member.disarm()


def _settle(stage: Stage, users: list[User]) -> list[str]:
    """Wait for the end of all work, and until nothing is left to be said; return what got stuck."""

    def have_ended() -> bool:
        _raise_failures(users, [])
        return all(user.is_done and user.ended() >= len(user.expected) for user in users)

    def nothing_is_left() -> bool:
        return not any(unfinished(member) for member in stage.members)

    return _wait_while_it_goes_on(users, have_ended) or _wait_while_it_goes_on(users, nothing_is_left)


def _wait_while_it_goes_on(users: list[User], condition: Callable[[], bool]) -> list[str]:
    """Wait for a condition for as long as workflows end; return that none did, if so."""
    most, give_up_at = -1, 0.0

    def holds_or_nothing_happens() -> bool:
        nonlocal most, give_up_at
        ended, now = sum(user.ended() for user in users), time.monotonic()
        if ended > most:
            most, give_up_at = ended, now + STUCK_AFTER_S
        return condition() or now > give_up_at

    wait_until(holds_or_nothing_happens, inf, every_s=LOOK_EVERY_S)
    return [] if condition() else [f"for {STUCK_AFTER_S:g} s no workflow has ended, and {most} are done"]


def _raise_failures(users: list[User], actors: list[Actor]) -> None:
    for failure in [*(user.failure for user in users), *(actor.failure for actor in actors)]:
        if failure is not None:
            raise failure
