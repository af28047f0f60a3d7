"""What the kernel says, of processes that were waited for, that they have used of the host."""

import resource
from typing import NamedTuple


class Used(NamedTuple):
    """What processes have used of the host.

    Attributes:
        cpu_s: Processor time.
        memory_bytes: The most memory that one of them had.
    """

    cpu_s: float = 0.0
    memory_bytes: int = 0

    def and_by(self, used: resource.struct_rusage) -> "Used":
        """Return it with what the kernel says of a process that was waited for, and of what that has waited for."""
        cpu_s = used.ru_utime + used.ru_stime
        return Used(self.cpu_s + cpu_s, max(self.memory_bytes, used.ru_maxrss << 10))
