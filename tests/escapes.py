"""What jobs do to outlive their end, and what is left of them."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

FORKED_TWICE = """
import os, resource, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
if "unmarked" in sys.argv:
    resource.setrlimit(10, (-1, -1))
os.execve(sys.argv[1], [sys.argv[1], "600"], {})
"""
COMET = """
import fcntl, os, sys, time
ends = time.monotonic() + 60
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
os.setsid()
while time.monotonic() < ends:
    if os.fork():
        os._exit(0)
    os.setsid()
"""
BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(6):
    os.fork()
    os.setsid() if os.getpid() != os.getsid(0) else None
time.sleep(600)
"""
REAPER = """
import ctypes, os, sys
os.setsid()
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execve(sys.argv[1], [sys.argv[1], "600"], {})
os.wait()
os.execve(sys.argv[1], [sys.argv[1], "600"], {})
"""
NAMED = "grep -qszxF {} /proc/{}/cmdline"
"""Tells whether a process has a word; one of its own, since the shell that runs a script may have it within one."""
STOPPED = f"setsid $SLEEPER 600 & until {NAMED.format('$SLEEPER', '$!')} || ! kill -0 $!; do :; done; kill -STOP $!"
ATTACKS = {
    "in the background": "$SLEEPER 600 &",
    "a session": "setsid $SLEEPER 600 &",
    "a session for each of three": 'setsid bash -c "setsid bash -c \\"setsid $SLEEPER 600 & wait\\" & wait" $SLEEPER &',
    "a group": "set -m; $SLEEPER 600 &",
    "an empty environment": "env -i $SLEEPER 600 & env -i setsid $SLEEPER 600 &",
    "two forks, and an empty environment": "$PYTHON forked_twice $SLEEPER",
    "SIGTERM ignored": "(trap '' TERM HUP INT; setsid $SLEEPER 600 &)",
    "stopped": STOPPED,
    "many, each with a session": "$PYTHON bomb $SLEEPER &",
    "takes in its own orphans": "$PYTHON reaper $SLEEPER &",
    "holds standard output": "nohup setsid $SLEEPER 600 & disown",
}
HIDDEN = {
    "all marks taken off": "$PYTHON forked_twice $SLEEPER unmarked",
    "forks on before anybody looks": "$PYTHON comet $SLEEPER &",
}
"""What only the keeper finds whose sub-tree it is in."""
PROGRAMS = {"forked_twice": FORKED_TWICE, "comet": COMET, "bomb": BOMB, "reaper": REAPER}


def sleeper_in(directory: Path) -> Path:
    """Return a program that sleeps, by whose path all that a test has started is found; the others are beside it."""
    path = directory / "sleeper"
    shutil.copy(shutil.which("sleep") or "", path)
    for name, text in PROGRAMS.items():
        (directory / name).write_text(text)
    return path


def escape(sleeper: Path, what: str, python: str = sys.executable) -> str:
    """Return a script that does this, and says `ready` when what is to stay is there."""
    for name in PROGRAMS:
        what = what.replace(f"$PYTHON {name}", f"{python} {sleeper.parent / name}")
    what = what.replace("$SLEEPER", str(sleeper))
    is_there = f"{NAMED.format(sleeper, '[0-9]*')} || ! flock --nonblock {sleeper} true"  # the comet holds a lock of it
    return f"{what}\nuntil {is_there}; do sleep 0.01; done\necho ready\n"


FLEETING = 0
"""Stands for a process that has no number for long enough to be looked up."""


def survivors(sleeper: Path) -> list[int]:
    """Return what lives of all that a test has started, whatever became of it."""
    found = []
    with sleeper.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(FLEETING)
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.fsencode(sleeper) in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


def asleep(sleeper: Path) -> list[int]:
    """Return what lives of all that a test has started, once each of it has become the sleeper; until then nothing."""
    found = survivors(sleeper)
    for pid in found:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            return []
        if not words.startswith(os.fsencode(sleeper) + b"\0"):
            return []
    return found
