"""User ids for slots: whether this host has given an agent some, and the user namespace that they are used in.

They are those of subuid(5) and subgid(5): of the agent's own user, for whom newuidmap(1) puts them into a namespace,
or the agent itself, where its unit gives it the capabilities for that; or
where the agent is root, of the name `caroni-edge`, which is no user. So slots have ids only where the host's owner has
written them down for that: a job with an id of its own may not use what belongs to the agent's user alone. The ranges
that people who log in get by themselves are not meant for it, and their containers use them.
"""

import errno
import os
import pwd
import subprocess
from pathlib import Path
from typing import NamedTuple

from caroni_edge.agent.keeper.acting import NEEDED, USEFUL, let_go
from caroni_edge.agent.keeper.users import LENGTH_MIN, NO_IDS, Range

SUBUID, SUBGID = Path("/etc/subuid"), Path("/etc/subgid")
OF_ROOT = "caroni-edge"
"""Whose ids an agent has that is root, which has none by itself."""
PEOPLE = range(1000, 60000)
"""The user ids of those who log in (UID_MIN and UID_MAX of login.defs(5))."""
ID_MAX = (1 << 32) - 2

_FOR_MAPS = {"uid": NEEDED["CAP_SETUID"], "gid": NEEDED["CAP_SETGID"]}
"""By which capability of its own a process may map other ids than its own (user_namespaces(7))."""
WITHIN_S = 10.0


class NoIds(Exception):
    """Slots have no user ids; the message says why, for people."""


class SlotIds(NamedTuple):
    """The user ids that slots have.

    Attributes:
        range: Those; empty where there are none.
        namespace: A descriptor of the user namespace that they are in; -1: that of the agent itself.
    """

    range: Range = NO_IDS
    namespace: int = -1

    def within(self, box: list[str]) -> list[str]:
        """Return the command that makes a box, so that it has these ids; its program gets `namespace` passed on."""
        return box if self.namespace < 0 else [box[0], "--userns", str(self.namespace), *box[1:]]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Those that bubblewrap needs for it."""
        return () if self.namespace < 0 else (self.namespace,)


NO_SLOT_IDS = SlotIds()


def capable() -> list[str]:
    """Return the words by which what runs in a box has the capabilities of a keeper.

    Of an agent that is root, as far as that has them: asked for one that is not there, bubblewrap leaves it all others.
    """
    own = _own_capabilities() if os.geteuid() == 0 else -1
    given = [name for name, number in (*NEEDED.items(), *USEFUL.items()) if own >> number & 1]
    return [word for name in given for word in ("--cap-add", name)]


def _own_capabilities() -> int:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        return next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)


def delete_within(bwrap: str, ids: SlotIds, path: str) -> None:
    """Delete a file, or a directory with all in it, of which parts belong to ids of slots.

    Args:
        bwrap: The program.
        ids: Those.
        path: What is to go.

    Raises:
        OSError: It cannot be deleted.
    """
    rights = ("--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER")
    argv = [*ids.within([bwrap, *rights, "--dev-bind", "/", "/", "--"]), "rm", "-rf", "--one-file-system", "--", path]
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, pass_fds=ids.descriptors)
    if done.returncode:
        raise OSError(errno.EACCES, _last_line(done.stderr) or "it cannot be deleted", path)


def find_slot_ids(path: str | None, subuid: Path = SUBUID, subgid: Path = SUBGID) -> SlotIds:
    """Return the ids that this process has for slots.

    Capabilities that a unit may have given to an ordinary user for this are gone afterwards: jobs must not have them,
    and bubblewrap makes no box for such a user.

    Args:
        path: Where programs are looked for.
        subuid: Which users have which ids.
        subgid: Which users have which ids of groups.

    Raises:
        NoIds: It has none.
    """
    user = os.geteuid()
    try:
        if user == 0 and (
            missing := [name for name, number in NEEDED.items() if not _own_capabilities() >> number & 1]
        ):
            raise NoIds(f"the agent is root, but has not {missing[0]}")
        if user in PEOPLE:
            raise NoIds("the agent's user is one who logs in, and jobs are to use that user's files")
        names = {OF_ROOT} if user == 0 else {str(user), _name_of(user)}
        found = common(ranges_of(subuid, names), ranges_of(subgid, names))
        if found.length < LENGTH_MIN:
            raise NoIds(f"{subuid} and {subgid} have no common range for {min(names, key=str.isdecimal)}")
        return SlotIds(found, -1 if user == 0 else _make_namespace(found, path))
    finally:
        if user != 0:
            let_go(_FOR_MAPS.values())


def ranges_of(path: Path, names: set[str]) -> list[Range]:
    """Return the ranges that a file of subuid(5) has for a user; none where it cannot be read, or is wrong."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        name, _, rest = line.strip().partition(":")
        first, _, length = rest.partition(":")
        if name in names and first.isdecimal() and length.isdecimal():
            found.append(Range(int(first), int(length)))
    return [each for each in found if each.first > 0 and each.length > 0 and each.last <= ID_MAX]


def common(users: list[Range], groups: list[Range]) -> Range:
    """Return the longest range of ids that are both a user's and a group's; an empty one where there is none."""
    shared = [
        Range(first, min(user.last, group.last) - first + 1)
        for user in users
        for group in groups
        if (first := max(user.first, group.first)) <= min(user.last, group.last)
    ]
    return max(shared, key=lambda each: each.length, default=NO_IDS)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _make_namespace(ids: Range, path: str | None) -> int:
    """Make a user namespace in which this user and the ids of slots are the same as outside; return its descriptor.

    Raises:
        NoIds: That is not possible here.
    """
    environment = {"PATH": path or os.defpath}
    # It says by its echo that it is in the new namespace, and ends when the pipe is closed.
    held = ["unshare", "--user", "cat"]
    try:
        with subprocess.Popen(
            held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                process.stdin.write(b"\n")
                if not process.stdout.read(1):
                    raise NoIds(_last_line(process.stderr.read()) or "there are no user namespaces")
                for kind, own in (("uid", os.geteuid()), ("gid", os.getegid())):
                    _map(kind, process.pid, [Range(own, 1), ids], environment)
                return os.open(f"/proc/{process.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                process.stdin.close()
    except OSError as error:
        raise NoIds(f"no user namespace with them can be made: {error}") from None


def _map(kind: str, pid: int, ids: list[Range], environment: dict[str, str]) -> None:
    """Let ids be in the namespace of a process what they are outside."""
    same = [(each.first, each.first, each.length) for each in ids]
    if _own_capabilities() >> _FOR_MAPS[kind] & 1:
        text = "".join(f"{inside} {outside} {length}\n" for inside, outside, length in same)
        Path(f"/proc/{pid}/{kind}_map").write_text(text, encoding="ascii")
    else:
        _run([f"new{kind}map", str(pid), *(str(number) for each in same for number in each)], environment)


def _run(argv: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, timeout=WITHIN_S, env=environment)
    except FileNotFoundError:
        raise NoIds(f"{argv[0]} is not installed (uidmap)") from None
    except subprocess.TimeoutExpired:
        raise NoIds(f"{argv[0]} does not end") from None
    if done.returncode:
        raise NoIds(_last_line(done.stderr) or f"{argv[0]} ended with exit status {done.returncode}")


def _last_line(said: bytes) -> str:
    return said.decode(errors="replace").strip().rpartition("\n")[2]
