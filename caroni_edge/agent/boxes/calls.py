"""What a job in a box of its own may ask of the kernel: a filter of system calls (seccomp(2)), assembled here.

It takes away what no job needs and what kernels have been broken by: to change mounts and namespaces, to load code into
the kernel, keys, clocks, raw hardware, and protocols that hardly anybody uses. A program is told that the call is not
allowed, or, where programs are used to doing without, that there is none. All else is allowed; a filter of what *is*
needed would break programs that nobody has tried, at each new release of the C library.

`ptrace` is allowed: a job traces its own processes alone, as its box shows it no others, and debuggers, crash reporters
and sanitizers live by it. Programs of another word size or architecture are ended: their calls have other numbers.
"""

import errno
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple


class Machine(NamedTuple):
    """An architecture.

    Attributes:
        audit: What the kernel calls it (AUDIT_ARCH in linux/audit.h).
        column: Where the numbers of its calls stand.
    """

    audit: int
    column: int


MACHINES: Final[Mapping[str, Machine]] = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}
LATEST: Final = 469
"""The last call of Linux 6.17, on all architectures: of newer ones nobody could say here what they do."""

Numbers = tuple[int, int | None]

FORBIDDEN: Final[Mapping[str, Numbers]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "fanotify_init": (300, 262),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "lookup_dcookie": (212, 18),
    "syslog": (103, 116),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "acct": (163, 89),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
"""They are answered by EPERM, whatever their arguments; by their numbers on each machine, None where there is none."""

MISSING: Final[Mapping[str, Numbers]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""They are answered by ENOSYS: whoever uses them falls back to older calls, which a filter can look into."""

CLONE: Final[Numbers] = (56, 220)
UNSHARE: Final[Numbers] = (272, 97)
IOCTL: Final[Numbers] = (16, 29)
SOCKET: Final[Numbers] = (41, 198)

NEW_SPACES: Final = 0x7E020000
"""CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET."""
NEW_TIME: Final = 0x80
"""CLONE_NEWTIME; of clone(2) these bits are a signal."""
TO_TERMINALS: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX type into a terminal what its owner's shell reads."""
FAMILIES: Final = (1, 2, 10, 16, 29, 31)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_CAN, AF_BLUETOOTH. AF_VSOCK, for one, would go past `network: false`."""

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
"""Where they stand in struct seccomp_data."""
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
"""Classic BPF: BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_K with BPF_JEQ, BPF_JGT and BPF_JSET, BPF_RET|BPF_K."""


class Instruction(NamedTuple):
    """One step of classic BPF.

    Attributes:
        code: What it does.
        value: With which number.
        over_if: How many steps a comparison that holds goes over.
        over_else: And one that does not.
    """

    code: int
    value: int
    over_if: int = 0
    over_else: int = 0

    def packed(self) -> bytes:
        """Return it as struct sock_filter."""
        return struct.pack("=HBBI", self.code, self.over_if, self.over_else, self.value)


Program = list[Instruction]


def filter_here() -> bytes | None:
    """Return the filter for programs like this one; None where no numbers of calls are known."""
    if sys.maxsize < 1 << 32:  # 32-bit programs on a 64-bit kernel
        return None
    machine = MACHINES.get(os.uname().machine)
    return None if machine is None else b"".join(step.packed() for step in program_for(machine))


def program_for(machine: Machine) -> Program:
    """Return the steps of the filter on a machine."""
    forbidden = _answer(errno.EPERM)
    return [
        Instruction(_LOAD, _ARCH),
        Instruction(_EQUAL, machine.audit, over_if=1),
        Instruction(_RETURN, _KILL),
        Instruction(_LOAD, _NUMBER),
        *_if(_GREATER, LATEST, _answer(errno.ENOSYS)),
        *_each(machine, FORBIDDEN.values(), forbidden),
        *_each(machine, MISSING.values(), _answer(errno.ENOSYS)),
        *_of_call(machine, CLONE, 0, _if(_ANY_BIT, NEW_SPACES, forbidden)),
        *_of_call(machine, UNSHARE, 0, _if(_ANY_BIT, NEW_SPACES | NEW_TIME, forbidden)),
        *_of_call(machine, IOCTL, 1, [step for each in TO_TERMINALS for step in _if(_EQUAL, each, forbidden)]),
        *_of_call(machine, SOCKET, 0, _no_other_family()),
        Instruction(_RETURN, _ALLOW),
    ]


def _answer(number: int) -> Program:
    return [Instruction(_RETURN, _ERRNO | number)]


def _if(compare: int, value: int, then: Program) -> Program:
    return [Instruction(compare, value, over_else=len(then)), *then]


def _each(machine: Machine, calls: Iterable[Numbers], then: Program) -> Iterator[Instruction]:
    for numbers in calls:
        number = numbers[machine.column]
        if number is not None:
            yield from _if(_EQUAL, number, then)


def _of_call(machine: Machine, call: Numbers, argument: int, steps: Program) -> Program:
    """Return steps that look at an argument of a call, at the 32 bits of it that the kernel looks at."""
    number = call[machine.column]
    assert number is not None
    low_word = _ARGUMENTS + 8 * argument  # both machines are little-endian
    return _if(_EQUAL, number, [Instruction(_LOAD, low_word), *steps, Instruction(_RETURN, _ALLOW)])


def _no_other_family() -> Program:
    allowed = [step for family in FAMILIES for step in _if(_EQUAL, family, [Instruction(_RETURN, _ALLOW)])]
    return [*allowed, *_answer(errno.EAFNOSUPPORT)]
