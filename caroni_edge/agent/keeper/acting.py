"""Acting as the user of a job, for as long as one thing takes (credentials(7), capabilities(7)).

A keeper that gives slots user ids has the capabilities for it, and is the only process in its box that has any. What it
does in the place of a job it does without them, so that it can do there no more than the job.
"""

import ctypes
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

NEEDED = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""Capabilities of a keeper that starts processes of other users, ends them, and gives and takes their files."""
USEFUL = {"CAP_SYS_PTRACE": 19, "CAP_SYS_NICE": 23, "CAP_SYS_RESOURCE": 24}
"""Those by which it also sees all of them and limits them; where they are missing, it looks less closely."""

_KEPT = sum(1 << number for number in (*NEEDED.values(), *USEFUL.values()))
_CAPABILITY_VERSION_3 = 0x20080522
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 3, 4
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "armv7l": 311, "armv6l": 311, "i686": 288, "riscv64": 219}
_KEYCTL_JOIN_SESSION_KEYRING, _KEYCTL_CLEAR = 1, 7
_KEY_SPEC_USER_KEYRING = -4
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def prepare() -> None:
    """Keep those capabilities alone, and pass on none to what this process starts, nor the group of root.

    Other groups are passed on: by them jobs use devices, as the agent does.

    Raises:
        OSError: The kernel refuses.
    """
    if os.getuid() == 0:
        os.setgroups([group for group in os.getgroups() if group])
    _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    found = _capabilities()
    for each, kept in zip(found, (_KEPT, 0), strict=True):
        each.permitted &= kept
        each.effective, each.inheritable = each.permitted, 0
    _set_capabilities(found)


def let_go(capabilities: Collection[int]) -> None:
    """Give up these capabilities for good, in this thread and in what it starts.

    Raises:
        OSError: The kernel refuses.
    """
    rest = ~sum(1 << number for number in capabilities)
    for number in capabilities:
        _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, number, 0, 0))
    found = _capabilities()
    found[0].effective, found[0].permitted = found[0].effective & rest, found[0].permitted & rest
    found[0].inheritable &= rest
    _set_capabilities(found)


@contextmanager
def acting_as(user: int, *, real: int | None = None) -> Iterator[None]:
    """Act as another user within the block, without capabilities.

    Args:
        user: Its user id, and the id of its group; 0: change nothing. Groups beside that stay as they are.
        real: The real user id meanwhile: who has that may send this process signals. With that of the user, what is
            started is the user's alone. None: ours.

    Raises:
        OSError: This process may not.
    """
    if not user:
        yield
        return
    own, group = os.getuid(), os.getgid()
    os.setresgid(user if real == user else group, user, group)
    try:
        os.setresuid(own if real is None else real, user, own)
        try:
            _use_capabilities(on=False)
            yield
        finally:
            os.setresuid(own, own, own)
            _use_capabilities(on=True)
    finally:
        os.setresgid(group, group, group)


def take_new_keyrings() -> None:
    """Begin a session keyring of our own, and empty the one of the user that we fully act as (keyrings(7)).

    What is started next has both: neither holds what another job has put there, or the agent. Where the kernel or the
    host has no keyrings for us, there is nothing in them.
    """
    number = _SYS_KEYCTL.get(os.uname().machine)
    if number is not None:
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)
        _libc.syscall(number, _KEYCTL_CLEAR, ctypes.c_int(_KEY_SPEC_USER_KEYRING))


def _use_capabilities(*, on: bool) -> None:
    found = _capabilities()
    for each in found:
        each.effective = each.permitted if on else 0
    _set_capabilities(found)


def _capabilities() -> "ctypes.Array[_Set]":
    header, found = _Header(_CAPABILITY_VERSION_3, 0), (_Set * 2)()
    _check(_libc.capget(ctypes.byref(header), found))
    return found


def _set_capabilities(wanted: "ctypes.Array[_Set]") -> None:
    header = _Header(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(ctypes.byref(header), wanted))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
