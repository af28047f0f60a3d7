"""The box that an agent's keeper and jobs share: the host as the agent's user sees it, but for what is the agent's.

The keeper is process 1 of the box, so that nothing in the box outlives it, and nothing in it can end it by a signal
that it does not take. It works on the state directory by a descriptor that it has brought along; jobs see an empty
directory in its place, with their own directories and, read-only, their scripts.
"""

import os

from caroni_edge.agent.boxes.slotids import capable
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.processes.workspace import SCRIPTS

NOTHING = "/dev/null"

_OF_ROOT = ("/proc/sys", "/proc/sysrq-trigger")
"""Files of the kernel that belong to root, whatever its capabilities."""


def arguments(bwrap: str, hidden: Hidden, *, as_root: bool, has_ids: bool = False) -> list[str]:
    """Return the command in front of what is to run in the box as its process 1.

    Args:
        bwrap: The program.
        hidden: What is not to be seen.
        as_root: The agent is root.
        has_ids: Its process 1 gives slots user ids, and has the capabilities for that.
    """
    state = hidden.state_dir
    words = [bwrap, "--unshare-pid", "--as-pid-1", "--cap-drop", "ALL", *(capable() if has_ids else ())]
    words += ["--dev-bind", "/", "/", "--proc", "/proc"]
    if as_root:
        words += settings_of_kernel()
    for directory in hidden.directories:
        words += covered(directory)
    words += ["--perms", "0755", "--tmpfs", state]
    words += ["--bind", f"{state}/{JOBS}", f"{state}/{JOBS}", "--ro-bind", f"{state}/{SCRIPTS}", f"{state}/{SCRIPTS}"]
    words += ["--remount-ro", state]
    for file in hidden.files:
        words += ["--ro-bind", NOTHING, file]
    for path in session_sockets(os.getuid()):
        words += ["--ro-bind-try", NOTHING, path]
    return [*words, "--"]


def settings_of_kernel() -> list[str]:
    """Return the words that keep an agent's root from changing the kernel's settings, after those for /proc."""
    return [word for path in _OF_ROOT for word in ("--ro-bind-try", path, path)]


def covered(directory: str) -> list[str]:
    """Return the words that put an empty directory in the place of another one."""
    return ["--perms", "0755", "--tmpfs", directory, "--remount-ro", directory]


def session_sockets(uid: int) -> list[str]:
    """Return the sockets by which a user's own service manager would start a program outside the box."""
    found = [f"/run/user/{uid}/bus", f"/run/user/{uid}/systemd/private"]
    return [path for path in found if os.path.exists(path)]
