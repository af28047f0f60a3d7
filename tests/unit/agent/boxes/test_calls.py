"""The filter of system calls, run by a small machine of our own; `tests/integration/test_boxes.py` has the kernel's."""

import errno
import os
import re
import socket
import struct
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from caroni_edge.agent.boxes import calls
from caroni_edge.agent.boxes.calls import FORBIDDEN, MACHINES, MISSING, Machine, filter_here, program_for

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
X86, ARM = MACHINES["x86_64"], MACHINES["aarch64"]
BOTH = pytest.mark.parametrize("machine", [X86, ARM], ids=["x86_64", "aarch64"])
HEADERS = {
    X86: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM: Path("/usr/include/asm-generic/unistd.h"),
}
NEWUSER, NEWTIME, THREAD = 0x10000000, 0x80, 0x003D0F00
"""CLONE_NEWUSER, CLONE_NEWTIME, and the flags by which glibc starts a thread."""


def answer(machine: Machine, number: int, *arguments: int, audit: int | None = None) -> int:
    """Return what the filter answers to a call, as the kernel would run it."""
    words = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, machine.audit if audit is None else audit, 0, *words)
    program, at, held = program_for(machine), 0, 0
    while True:
        step = program[at]
        match step.code:
            case 0x20:
                (held,) = struct.unpack_from("<I", data, step.value)
            case 0x06:
                return step.value
            case code:
                holds = {0x15: held == step.value, 0x25: held > step.value, 0x45: bool(held & step.value)}[code]
                at += step.over_if if holds else step.over_else
        at += 1


def error(number: int) -> int:
    return 0x00050000 | number


def numbers_in(header: Path) -> Mapping[str, int]:
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


@BOTH
def test_what_no_job_needs_is_refused(machine: Machine) -> None:
    for known, expected in ((FORBIDDEN, errno.EPERM), (MISSING, errno.ENOSYS)):
        for name, numbers in known.items():
            number = numbers[machine.column]
            assert number is None or answer(machine, number) == error(expected), name


@BOTH
def test_all_else_is_allowed_but_what_is_newer_than_this_list(machine: Machine) -> None:
    refused = {numbers[machine.column] for numbers in (*FORBIDDEN.values(), *MISSING.values())}
    socket_call = calls.SOCKET[machine.column]
    for number in range(calls.LATEST + 1):
        if number not in refused | {socket_call}:
            assert answer(machine, number) == ALLOWED, number
    assert answer(machine, calls.LATEST + 1) == error(errno.ENOSYS)
    assert answer(machine, 0x40000000) == error(errno.ENOSYS), "a call by the x32 way"


@BOTH
def test_programs_of_another_architecture_are_ended(machine: Machine) -> None:
    assert answer(machine, 1, audit=0x40000003) == KILLED


@BOTH
def test_processes_and_threads_begin_but_no_namespaces(machine: Machine) -> None:
    clone, unshare = calls.CLONE[machine.column] or 0, calls.UNSHARE[machine.column] or 0
    assert answer(machine, clone, 17) == answer(machine, clone, THREAD) == ALLOWED
    assert answer(machine, unshare, 0x400) == ALLOWED, "CLONE_FILES"
    assert answer(machine, clone, NEWUSER | 17) == answer(machine, unshare, NEWUSER) == error(errno.EPERM)
    assert answer(machine, unshare, NEWTIME) == error(errno.EPERM)
    assert answer(machine, clone, NEWTIME) == ALLOWED, "there it is part of a signal"


@BOTH
def test_nothing_is_typed_into_terminals_whatever_the_upper_half_of_the_request_is(machine: Machine) -> None:
    ioctl = calls.IOCTL[machine.column] or 0
    assert answer(machine, ioctl, 0, termios.TIOCSTI) == error(errno.EPERM)
    assert answer(machine, ioctl, 0, termios.TIOCSTI | 1 << 32) == error(errno.EPERM)
    assert answer(machine, ioctl, 0, termios.TIOCGWINSZ) == ALLOWED


@BOTH
def test_only_usual_families_of_addresses_are_there(machine: Machine) -> None:
    number = calls.SOCKET[machine.column] or 0
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_CAN):
        assert answer(machine, number, family) == ALLOWED
    for rare in (socket.AF_VSOCK, socket.AF_PACKET, socket.AF_ALG, 0):
        assert answer(machine, number, rare) == error(errno.EAFNOSUPPORT)


@BOTH
def test_the_numbers_are_those_of_the_kernel(machine: Machine) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip("the kernel's headers are not installed: linux-libc-dev")
    known = numbers_in(header)
    looked_into = {"clone": calls.CLONE, "unshare": calls.UNSHARE, "ioctl": calls.IOCTL, "socket": calls.SOCKET}
    ours = {**FORBIDDEN, **MISSING, **looked_into}
    newer = {name for name in ours if name not in known}
    assert newer <= {"open_tree_attr", "iopl", "ioperm", "modify_ldt"}
    for name in ours.keys() - newer:
        assert ours[name][machine.column] == known[name], name


def test_the_filter_is_made_for_the_machine_that_it_is_made_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "a", "6.1", "#1", "aarch64")))
    made = filter_here()
    assert made is not None
    assert len(made) == 8 * len(program_for(ARM))
    monkeypatch.setattr(sys, "maxsize", (1 << 31) - 1)
    assert filter_here() is None, "32-bit programs on a 64-bit kernel"


def test_elsewhere_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "a", "6.1", "#1", "riscv64")))
    assert filter_here() is None
