"""Deletes what is left of jobs, in a thread of its own: a job may have made a million files, and nobody waits."""

import logging
import os
import stat
from queue import SimpleQueue

from caroni_edge.agent.keeper import files

log = logging.getLogger(__name__)

TRASH = "trash"
"""Name of the directory in the state directory."""


class Trash:
    """A directory that is emptied by the thread of `empty`; all else is for any thread."""

    def __init__(self, directory: str) -> None:
        """Use a directory; what a process of before has left there is deleted too."""
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._directory = directory
        self._left: SimpleQueue[str | None] = SimpleQueue()
        for name in os.listdir(directory):
            self._left.put(f"{directory}/{name}")

    def take(self, path: str) -> None:
        """Move a directory here at once, so that a crash leaves no half of it in its place; delete it later.

        Raises:
            OSError: It cannot be moved.
        """
        in_trash = files.beside(f"{self._directory}/{os.path.basename(path)}")
        try:
            _move(path, in_trash)
        except FileNotFoundError:
            return
        self._left.put(in_trash)

    def empty(self) -> None:
        """Delete what is here and what comes, until `close`."""
        while (path := self._left.get()) is not None:
            try:
                _delete(path)
            except OSError as error:
                log.warning("what is left of a job cannot be removed: %s", error, extra={"action": "trash_kept"})

    def close(self) -> None:
        """Have `empty` return when it has deleted what is here by now."""
        self._left.put(None)


def _move(path: str, to: str) -> None:
    """Give a file or a directory another place; of a directory that is not ours to write into, that would fail."""
    if stat.S_ISDIR(os.lstat(path).st_mode):
        with files.opened(path):
            pass
    os.rename(path, to)


def _delete(top: str) -> None:
    """Delete what is in the trash, with all in it.

    A job may have made any number of directories inside each other: each is moved to the top before it is emptied, so
    that neither a path nor the stack gets longer.

    Raises:
        OSError: It cannot be deleted.
    """
    left = [top]
    while left:
        path = left.pop()
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            continue
        with files.opened(path) as directory:
            for name in os.listdir(directory):
                if stat.S_ISDIR(os.lstat(f"{directory}/{name}").st_mode):
                    left.append(files.beside(top))
                    _move(f"{directory}/{name}", left[-1])
                else:
                    os.unlink(f"{directory}/{name}")
        os.rmdir(path)
