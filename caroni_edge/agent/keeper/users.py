"""The user ids of slots: jobs that run at the same time have different ones, and so cannot touch each other.

An agent may have a range of ids for this (`boxes/slotids.py`). Each id that is used stands, with its manager, in the
file `ids` of the keeper's directory, until the agent deletes that: then the keeper's box is gone, and all that ran in
it. So keepers that serve beside each other never use the same id, nor do jobs of different managers.

An id is free when no job that runs has it. Before the next job gets it, what the last one has left with it is gone: its
processes, what it has in memory that all processes share, and its files where everybody may write. What a job leaves
elsewhere, or among more files than can be looked through, the next job of that manager which gets the id may find.
"""

import errno
import fcntl
import hashlib
import json
import os
import signal
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from caroni_edge.agent.keeper import files, sysvipc
from caroni_edge.agent.keeper.acting import acting_as
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.proc import user_ids
from caroni_edge.agent.keeper.removal import delete

IDS = "ids"
BOXES = "boxes"
"""Where keepers have their directories."""
LOCK = "ids.lock"

COMMON = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 - nothing is put there
"""Where everybody may write, and what is there may be memory."""
CLEARED_AT_ONCE = 2000
"""So many files of one id are deleted before another id is tried, so that other jobs do not wait."""

LOOKED_AT_MAX = 20_000
_LIMIT_BYTES = 8 << 20
_SETTLED_NS = 100_000_000
"""What was changed so lately may be changed again without another date."""


class Range(NamedTuple):
    """User ids, and group ids of the same numbers, that are there for slots.

    Attributes:
        first: The lowest.
        length: How many there are; 0: slots have none of their own.
    """

    first: int = 0
    length: int = 0

    @property
    def last(self) -> int:
        """The highest, which no job gets."""
        return self.first + self.length - 1


NO_IDS = Range()
LENGTH_MIN = 2


class Users:
    """Gives jobs the ids of a range."""

    def __init__(self, places: Places, ids: Range) -> None:
        """Begin in a box in which nothing runs."""
        self._places, self._range = places, ids
        self._boxes = f"{places.state_dir}/{BOXES}"
        self._managers = dict(_read(f"{places.home}/{IDS}")) if ids.length else {}
        self._unended: set[int] = set()
        self._clean: dict[int, dict[str, int]] = {}

    def pick(self, manager: str, taken: Collection[int]) -> int:
        """Return the id for a job that is to be started; 0 where the agent has none for its slots.

        Args:
            manager: Whose job it is.
            taken: The ids of all jobs that run.

        Raises:
            OSError: None is left, or which one it is cannot be written down.
        """
        if self._range.length < LENGTH_MIN:
            return 0
        own = [user for user, owner in self._managers.items() if owner == manager]
        user = self._first_clear(own, taken, manager) or self._take_unused(manager)
        if not user and (user := self._first_clear(self._managers, taken, manager)):
            self._note(user, manager)
        if not user:
            raise OSError(errno.EAGAIN, "no user id is left for it")
        return user

    def end_all(self, user: int) -> None:
        """Kill all processes of an id at once, so that none can start another one meanwhile."""
        if user:
            # The real id is the one that no job gets: with ours, or with theirs, we could meet others than these.
            with suppress(ProcessLookupError, PermissionError), acting_as(user, real=self._range.last):
                os.kill(-1, signal.SIGKILL)

    def note_unended(self, user: int) -> None:
        """Use an id no more as long as a process has it that could not be ended."""
        if user:
            self._unended.add(user)

    def _first_clear(self, users: Iterable[int], taken: Collection[int], manager: str) -> int:
        return next((user for user in users if user not in taken and self._is_clear(user, manager)), 0)

    def _is_clear(self, user: int, manager: str) -> bool:
        """Clear away what is left of an id, for a job of a manager; tell whether nothing is.

        Raises:
            OSError: It may have been another manager's, and there is too much to be looked through.
        """
        if user in self._unended:
            if _has_processes(user):
                return False
            self._unended.discard(user)
        with acting_as(user):
            sysvipc.remove_all(user)
            known = self._clean.pop(user, None)
            if known is None or known != {path: _changed(path) for path in known}:
                now = time.time_ns()
                known, left, is_all = _look(user)
                if left and not _delete(left, user):
                    return False
                if not is_all and self._managers.get(user) != manager:
                    raise OSError(
                        errno.EAGAIN, f"over {LOOKED_AT_MAX} files lie where everybody may write ({COMMON[0]})"
                    )
                if left or not is_all or any(now - changed < _SETTLED_NS for changed in known.values()):
                    return True
            self._clean[user] = known
        return True

    # Which are whose

    def _take_unused(self, manager: str) -> int:
        """Return an id that no keeper of this agent uses; 0 when there is none.

        Agents of the same range begin in different places of it.
        """
        first, count = self._range.first, self._range.length - 1
        place = int.from_bytes(hashlib.sha256(self._places.seen.encode("utf-8", "surrogateescape")).digest()[:8], "big")
        with self._locked():
            used = {user for name in os.listdir(self._boxes) for user, _ in _read(f"{self._boxes}/{name}/{IDS}")}
            every = (first + (place + step) % count for step in range(count))
            user = self._first_clear(every, used | self._managers.keys(), manager)
            if user:
                self._note(user, manager)
        return user

    def _note(self, user: int, manager: str) -> None:
        if self._managers.get(user) != manager:
            self._managers[user] = manager
            text = json.dumps(list(self._managers.items()))
            files.replace(f"{self._places.home}/{IDS}", text.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        file = files.open_regular(f"{self._boxes}/{LOCK}", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


# What an id has left


def _look(user: int) -> tuple[dict[str, int], list[str], bool]:
    """Look through what lies where everybody may write.

    Returns:
        The directories, each with when something was last put there; what is the user's there; and whether that is all:
        a job that makes files without end keeps others from starting no longer than it takes to look at so many.
    """
    changed: dict[str, int] = {}
    own: list[str] = []
    count = 0
    to_look_at = [(path, True) for path in COMMON]
    for directory, is_top in to_look_at:
        changed[directory] = _changed(directory)
        with suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                count += 1
                if count > LOOKED_AT_MAX:
                    return changed, own, False
                with suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    if about.st_uid == user:
                        own.append(entry.path)
                    elif is_top and about.st_mode & stat.S_IWOTH and stat.S_ISDIR(about.st_mode):
                        to_look_at.append((entry.path, False))
    return changed, own, True


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _delete(paths: Iterable[str], user: int) -> bool:
    """Delete what is left of a user; tell whether all of it is."""
    room, is_all = CLEARED_AT_ONCE, True
    for path in paths:
        short = f"{os.path.dirname(path)}/.caroni-{os.urandom(8).hex()}"
        try:
            os.rename(path, short)  # to a name that leaves room for more
            room -= delete(short, room)
        except OSError as error:
            note(f"what user {user} has left cannot be deleted yet: {path}: {error}")
            is_all = False
        if room <= 0:
            return False
    return is_all


def _has_processes(user: int) -> bool:
    return any(user in user_ids(name) for name in os.listdir("/proc") if name.isdigit())


def _read(path: str) -> list[tuple[int, str]]:
    """Return the ids of a keeper, each with its manager; none where it has none."""
    try:
        said = json.loads(files.read_regular(path, _LIMIT_BYTES))
        return [(int(user), str(manager)) for user, manager in said]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (ValueError, TypeError):  # cut off by a power cut, which has ended all that had them
        return []
