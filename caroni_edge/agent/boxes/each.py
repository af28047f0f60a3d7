"""A box for one job: programs, the public part of /etc, the job's own directory, and what its type names.

All of the job ends with its box: its processes have ids of their own, and the first of them is bubblewrap's. The box
ends with the keeper, and a signal that asks the job to end goes to the session that it was given (`--new-session`).
"""

import os
import stat
from collections.abc import Callable, Iterator

from caroni_edge.agent.boxes.shared import NOTHING, covered, settings_of_kernel
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.boxes.wanted import Sandbox

SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""What is beside /usr, or a link into it."""

PUBLIC = (
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "profile",
    "protocols",
    "python3",
    "resolv.conf",
    "rpc",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
"""What of /etc programs read, and everybody may know."""

COPIED_MAX_BYTES = 256 << 10
"""A larger file is mounted, so that it takes no memory."""

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - a box has its own

_SPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")


def arguments(
    bwrap: str,
    hidden: Hidden,
    sandbox: Sandbox,
    *,
    as_root: bool,
    calls: str,
    opened: Callable[[str], int],
    readable: tuple[str, ...],
    writable: tuple[str, ...],
    work: str,
) -> list[str]:
    """Return the command in front of what a job runs.

    Args:
        bwrap: The program.
        hidden: What is not to be seen even where a path that was asked for holds it.
        sandbox: What the job type asks for.
        as_root: The agent is root.
        calls: The file with the filter of system calls (`calls.py`); empty where there is none.
        opened: Returns the descriptor by which bubblewrap reads a file.
        readable: Files of the agent's that the job needs: its script and its inputs.
        writable: Those that it writes: its outputs, and the directory where it works.
        work: That directory.
    """
    words = [bwrap, *_SPACES, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    if not sandbox.network:
        words.append("--unshare-net")
    if calls:
        words += ["--seccomp", str(opened(calls))]
    words += [
        *_system(opened),
        "--proc",
        "/proc",
        *(settings_of_kernel() if as_root else ()),
        "--dev",
        "/dev",
        "--dir",
        "/run",
    ]
    for path in TEMPORARY:
        words += ["--perms", "1777", "--tmpfs", path]
    asked = [*((path, False) for path in sandbox.read), *((path, True) for path in sandbox.write)]
    for path, may_write in asked:
        words += [_bind(path, may_write=may_write), path, path]
    for path, _ in asked:
        words += _without(hidden.within(path))
    for path in readable:
        words += ["--ro-bind", path, path]
    for path in writable:
        words += ["--bind", path, path]
    return [*words, "--remount-ro", "/", "--chdir", work, "--"]


def _system(opened: Callable[[str], int]) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for path in SYSTEM:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
    for name in PUBLIC:
        path = f"/etc/{name}"
        if os.path.realpath(path).startswith("/usr/") and os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif _is_copied(path):
            yield from ("--perms", "0444", "--file", str(opened(path)), path)
        elif os.path.exists(path):
            yield from ("--ro-bind", path, path)


def _is_copied(path: str) -> bool:
    """Tell whether a box has a copy of a file: a mount costs the kernel five times as much."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    is_public = stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IROTH)
    return is_public and found.st_size <= COPIED_MAX_BYTES


def _bind(path: str, *, may_write: bool) -> str:
    if path.startswith("/dev/"):
        return "--dev-bind"
    return "--bind" if may_write else "--ro-bind"


def _without(hidden: Hidden) -> Iterator[str]:
    for directory in (*([hidden.state_dir] if hidden.state_dir else []), *hidden.directories):
        yield from covered(directory)
    for file in hidden.files:
        yield from ("--ro-bind", NOTHING, file)
