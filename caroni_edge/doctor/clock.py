"""The clock: what the kernel says of it, and what dates of the past and of peers say against it."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from caroni_edge.doctor.findings import Finding, ok, problem, warning

OFF_S = 120.0
TIME_ERROR = 5
TIMEX_BYTES = 512
"""More than `struct timex` has on any machine; with its first member 0 nothing is set (adjtimex(2))."""
HINT = "Set the clock, and let a service keep it: systemd-timesyncd, chrony or ntpd."


@dataclass(frozen=True)
class Dates:
    """Dates in the database that tell whether clocks are right.

    Attributes:
        latest: The latest that this node has written down by its own clock.
        early: How long before its placing a job began, by the clock of each agent, in seconds.
    """

    latest: float = 0.0
    early: dict[str, float] = field(default_factory=dict)


def check(dates: Dates | None, now: float) -> Iterator[Finding]:
    """Compare the clock with the kernel's opinion and with the dates in the state database."""
    yield of_kernel(is_synchronised())
    if dates is not None:
        yield from of_dates(dates, now)


def is_synchronised() -> bool | None:
    """Ask the kernel whether a time service keeps the clock; None when it does not say."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state: int = libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR


def of_kernel(synchronised: bool | None) -> Finding:
    """Judge what the kernel says."""
    if synchronised:
        return ok("clock", "a time service keeps the clock (so the kernel says)")
    if synchronised is None:
        return warning("clock", "the kernel does not say whether a time service keeps the clock", HINT)
    where = "the host" if os.path.exists("/.dockerenv") else "this host"
    return warning("clock", f"no time service keeps the clock of {where} (so the kernel says)", HINT)


def of_dates(dates: Dates, now: float) -> Iterator[Finding]:
    """Judge the clock by what the node has written down, and the agents' clocks by what they have said."""
    ahead_s = dates.latest - now
    if ahead_s > OFF_S:
        said = f"the state database has a date {_minutes(ahead_s)} in the future: the clock is or was wrong"
        yield problem("clock", said, HINT)
    for agent, early_s in dates.early.items():
        if early_s > OFF_S:
            said = f"agent {agent} says that a job began {_minutes(early_s)} before it was placed: the clocks differ"
            yield warning("clock", said, f"Compare the clocks of the two hosts. {HINT}")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes"
