"""Deleting what a job has made: any number of files, and directories inside each other without end."""

import os
import stat

from caroni_edge.agent.keeper import files


def move(path: str, to: str) -> None:
    """Give a file or a directory another place; of a directory that is not ours to write into, that would fail.

    Raises:
        OSError: It cannot be moved.
    """
    if stat.S_ISDIR(os.lstat(path).st_mode):
        with files.opened(path):
            pass
    os.rename(path, to)


def delete(top: str, most: int | None = None) -> int:
    """Delete a file, or a directory with all in it; return how many files and directories that were.

    A job may have made any number of directories inside each other: each is moved beside the top before it is emptied,
    so that neither a path nor the stack gets longer.

    Args:
        top: What is to go.
        most: No more than so many are deleted; what is left is then beside the top, or in it. None: all.

    Raises:
        OSError: It cannot be deleted.
    """
    left, count = [top], 0
    while left and (most is None or count < most):
        path = left.pop()
        room = None if most is None else most - count
        count += 1
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            continue
        with files.opened(path) as directory:
            names = os.listdir(directory)
            for name in names[:room]:
                if stat.S_ISDIR(os.lstat(f"{directory}/{name}").st_mode):
                    left.append(files.beside(top))
                    move(f"{directory}/{name}", left[-1])
                else:
                    os.unlink(f"{directory}/{name}")
                    count += 1
        if room is None or len(names) <= room:
            os.rmdir(path)
    return count
