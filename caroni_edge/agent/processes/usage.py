"""What jobs use of the host while they run, as the kernel says (proc(5))."""

import os
from collections.abc import Mapping
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What the processes of a job use now.

    Attributes:
        cpu_s: Processor time, of those too that have ended and were waited for.
        memory_bytes: Their resident memory; what they share is counted for each.
    """

    cpu_s: float
    memory_bytes: int


def usage_of(leaders: Mapping[int, str]) -> dict[str, Usage]:
    """Look once at all processes of the host; return the usage of those jobs that have any.

    Args:
        leaders: Jobs by the first process of each, the leader of its session. A process that has begun a session of
            its own is not counted.
    """
    found: dict[str, Usage] = {}
    for name in os.listdir("/proc") if leaders else ():
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has just ended
            continue
        job = leaders.get(int(fields[3]))
        if job is not None:
            cpu_s, memory_bytes = found.get(job, Usage(0.0, 0))
            ticks = sum(int(field) for field in fields[11:15])
            found[job] = Usage(cpu_s + ticks / _TICKS_PER_S, memory_bytes + int(fields[21]) * _PAGE_BYTES)
    return found
