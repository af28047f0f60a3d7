"""Whose the files of a job are that has a user id of its own: its own while it runs, and then ours again."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.disk import BLOCK_BYTES, COUNTED_FILES
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.records import OUTPUTS, RECORD


def hand_over(directory: str, user: int) -> None:
    """Give a job all that is in its directory but for its record, before its first process starts.

    The directory itself stays ours. The job may put more there, as its group, which nobody else is in, and replace what
    is its own.

    Args:
        directory: The job's.
        user: Its id; 0: it has none.

    Raises:
        OSError: It cannot be given.
    """
    if not user:
        return
    for path, _ in _below(directory):
        if path != f"{directory}/{RECORD}":
            os.chown(path, user, user, follow_symlinks=False)
    os.chown(directory, -1, user)
    os.chmod(directory, stat.S_ISVTX | stat.S_IRWXU | stat.S_IRWXG)  # noqa: S103 - the group is the job's own


def take_back(path: str, user: int) -> int | None:
    """Take what a job owns that has ended, so that the agent can read and delete it.

    Outputs that are not the job's own are deleted: it may have put another name of another's file there. A file with
    several names stays the job's, since one of them may be anywhere; and so does what is too much to look at.

    Args:
        path: The job's directory.
        user: Its id; 0: it has none.

    Returns:
        The space on disk that the directory takes; None where it had none, and the agent can see that.
    """
    if not user:
        return None
    try:
        with files.opened(path) as directory:
            _take_outputs(f"{directory}/{OUTPUTS}", user)
            taken = 0
            for found, about in _below(directory, COUNTED_FILES):
                taken += about.st_blocks * BLOCK_BYTES
                if about.st_uid == user and (stat.S_ISDIR(about.st_mode) or about.st_nlink == 1):
                    with suppress(OSError):
                        os.chown(found, os.getuid(), os.getgid(), follow_symlinks=False)
            return taken
    except OSError as error:
        note(f"{path}: what it owns cannot be had: {error}")
        return None


def _take_outputs(path: str, user: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if os.fstat(file).st_uid == user:
            os.chown(f"/proc/self/fd/{file}", os.getuid(), os.getgid())
        else:
            files.put_aside(path)
    finally:
        os.close(file)


def _below(directory: str, most: int | None = None) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what is below a directory, before what is in it in turn; no more than `most` files and directories."""
    to_look_at, count = [directory], 0
    while to_look_at:
        with suppress(OSError), os.scandir(to_look_at.pop()) as entries:
            for entry in entries:
                if most is not None and count >= most:
                    return
                count += 1
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode):
                    to_look_at.append(entry.path)
                yield entry.path, about
