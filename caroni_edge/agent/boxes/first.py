"""Process 1 of a box: who it is, and that it is gone.

When it ends, the kernel first ends all that is in the box, and only then says that it has ended. So while it is there,
something of the box may be. Which process it is, by its number outside the box, is written down before the first job
is ordered: no job is in a box of which that is not known.
"""

import json
import os
import select
import signal
import socket
import struct
from pathlib import Path

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.processes import began, open_process
from caroni_edge.agent.keeper.records import boot_id

FIRST = "first"
"""Name of the file in the keeper's directory."""

ENDS_WITHIN_S = 5.0
KILLED_WITHIN_S = 25.0

_LIMIT_BYTES = 4096
_CREDENTIALS = struct.Struct("3i")


def note_first(directory: Path, connected: socket.socket) -> int:
    """Write down who is process 1 of the box whose keeper is at the other end of a connection; return its pid.

    Raises:
        OSError: It cannot be found out, or not be written.
    """
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid = _first_of(_CREDENTIALS.unpack(found)[0])
    said = {"boot": boot_id(), "pid": pid, "ticks": began(pid)}
    files.replace(str(directory / FIRST), json.dumps(said).encode())
    return pid


def outlive(directory: Path) -> str:
    """Wait until process 1 of the last box is gone, and end it if that takes long; return why it is not.

    Args:
        directory: The keeper's.
    """
    try:
        pid, pidfd = _open_first(directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"nobody knows whether the box before has ended: {directory / FIRST}: {error}"
    if pidfd is None:
        return ""
    try:
        if not _ends(pidfd, ENDS_WITHIN_S):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            if not _ends(pidfd, KILLED_WITHIN_S):
                return f"process {pid}, the first of the box before, does not end"
    except OSError as error:
        return f"process {pid}, the first of the box before, cannot be ended: {error}"
    finally:
        os.close(pidfd)
    return ""


def _open_first(directory: Path) -> tuple[int, int | None]:
    """Return process 1 of the last box and its pidfd; None where it is gone, or there was none.

    Raises:
        OSError, ValueError, KeyError, TypeError: What is written down cannot be read.
    """
    try:
        said = json.loads(files.read_regular(str(directory / FIRST), _LIMIT_BYTES))
    except FileNotFoundError:
        return 0, None
    pid, ticks = int(said["pid"]), int(said["ticks"])
    return pid, open_process(pid, ticks) if said["boot"] == boot_id() else None


def inside(first: int) -> dict[int, int]:
    """Return the children of process 1 of a box: their numbers outside, by those inside."""
    try:
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    except OSError:
        return {}
    found = {}
    for child in children:
        numbers = _numbers(int(child))
        if numbers:
            found[numbers[-1]] = int(child)
    return found


def _ends(pidfd: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _first_of(pid: int) -> int:
    """Return process 1 of the namespace of a keeper: itself, or the one that has unpacked its program.

    Raises:
        OSError: There is none.
    """
    while pid > 1:
        numbers = _numbers(pid)
        if len(numbers) > 1 and numbers[-1] == 1:
            return pid
        pid = _parent(pid)
    raise ProcessLookupError("the keeper is in no box")


def _numbers(pid: int) -> list[int]:
    """Return the numbers of a process in each namespace of process ids that it is in, from ours inwards."""
    return [int(number) for number in _status(pid, "NSpid:").split()]


def _parent(pid: int) -> int:
    return int(_status(pid, "PPid:") or 0)


def _status(pid: int, field: str) -> str:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return next((line.removeprefix(field) for line in file if line.startswith(field)), "")
    except OSError:
        return ""
