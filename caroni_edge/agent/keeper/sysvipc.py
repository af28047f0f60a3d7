"""System V memory, semaphores and message queues, which stay when the processes have ended that made them."""

import ctypes
from collections.abc import Callable, Iterator

_IPC_RMID = 0
_libc = ctypes.CDLL(None, use_errno=True)
_KINDS: tuple[tuple[str, str, Callable[[int], int]], ...] = (
    ("shm", "shmid", lambda number: int(_libc.shmctl(number, _IPC_RMID, None))),
    ("sem", "semid", lambda number: int(_libc.semctl(number, 0, _IPC_RMID, None))),
    ("msg", "msqid", lambda number: int(_libc.msgctl(number, _IPC_RMID, None))),
)
"""Of each kind: its list in /proc/sysvipc, the name of the numbers there, and what removes one."""


def remove_all(user: int) -> None:
    """Remove all that a user has made, or owns; memory is gone when the last process that uses it has ended.

    Args:
        user: Its id; we act as that user.
    """
    for kind, name, remove in _KINDS:
        for row in _rows(kind):
            if str(user) in {row["uid"], row["cuid"]}:
                remove(int(row[name]))


def _rows(kind: str) -> Iterator[dict[str, str]]:
    try:
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            names = file.readline().split()
            for line in file:
                yield dict(zip(names, line.split(), strict=False))
    except OSError:  # a kernel without them
        return
