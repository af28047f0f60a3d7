"""Schedules: what goes wrong in a federation, chosen by its seed, and when it ends."""

import sqlite3
from collections.abc import Callable, Sequence

from caroni_edge.transport.memory import Faults
from tests.simulation.checker import is_quiet, problems
from tests.simulation.federation import PLANS, Federation
from tests.simulation.members import Member

BAD_BROKER = Faults(drop=0.1, double=0.1, reorder=0.1, late_s=0.3, cut=0.02, wipe=0.002)
CRASH = 0.003
CALM_S = 7200.0


def rough(seed: int) -> Federation:
    """Return a federation on a bad broker, whose processes crash at any point and whose jobs fail now and then."""
    federation = Federation(seed, managers=2, agents=3, fail=0.1)
    federation.broker.faults = BAD_BROKER
    for member in federation.members:
        member.fuse.probability = CRASH
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.submit(manager.name, template)
            pass_time(federation, 5)
    return federation


def pass_time(federation: Federation, most_s: float) -> None:
    """Let some time pass, then start what has crashed meanwhile."""
    federation.run(federation.chance.random() * most_s)
    federation.start()


def lose_databases(federation: Federation, victims: Sequence[Member]) -> None:
    """Wipe databases of some nodes, and put older copies back."""
    copies: list[tuple[Member, sqlite3.Connection]] = []
    for _ in range(15):
        pass_time(federation, 5)
        victim = federation.chance.choice(victims)
        fate = federation.chance.random()
        if fate < 0.15:
            victim.crash()
            victim.disk.wipe()
            victim.was_exempt = True
        elif fate < 0.4:
            copies.append((victim, victim.disk.copy()))
        elif fate < 0.55 and copies:
            victim, copy = federation.chance.choice(copies)
            victim.crash()
            victim.disk.restore(copy)
            victim.was_exempt = True
        federation.start()


def crashes(federation: Federation) -> None:
    """A bad broker, and crashes at any point."""
    for _ in range(10):
        pass_time(federation, 20)


def agents(federation: Federation) -> None:
    """Agents lose their databases as well."""
    lose_databases(federation, federation.agents)


def managers(federation: Federation) -> None:
    """Managers lose theirs; who wants a workflow asks for it again."""
    lose_databases(federation, federation.managers)
    federation.submit_again([manager.name for manager in federation.managers if manager.was_exempt])


KINDS: dict[str, Callable[[Federation], None]] = {"crashes": crashes, "agents": agents, "managers": managers}


def end(federation: Federation) -> list[str]:
    """Let nothing go wrong any more, and return what is wrong when all is quiet."""
    federation.calm()
    quiet = federation.run(CALM_S, lambda: is_quiet(federation))
    return problems(federation) + ([] if quiet else [f"not quiet {CALM_S:g} s after the last fault"])
