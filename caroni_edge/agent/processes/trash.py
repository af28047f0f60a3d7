"""Deletes what is left of jobs, in a thread of its own: a job may have made a million files, and nobody waits."""

import logging
import os
from collections.abc import Callable
from queue import SimpleQueue

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.removal import delete, move

log = logging.getLogger(__name__)

TRASH = "trash"
"""Name of the directory in the state directory."""


class Trash:
    """A directory that is emptied by the thread of `empty`; all else is for any thread."""

    def __init__(self, directory: str, delete_others: Callable[[str], None] | None = None) -> None:
        """Use a directory; what a process of before has left there is deleted too.

        Args:
            directory: Its path.
            delete_others: Deletes what is another user's, and raises `OSError` where it cannot.
        """
        self._delete_others = delete_others
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
            move(path, in_trash)
        except FileNotFoundError:
            if os.path.lexists(path):  # what is gone is the place that it was to have here
                raise
            return
        self._left.put(in_trash)

    def empty(self) -> None:
        """Delete what is here and what comes, until `close`."""
        while (path := self._left.get()) is not None:
            try:
                self._delete(path)
            except OSError as error:
                log.warning("what is left of a job cannot be removed: %s", error, extra={"action": "trash_kept"})

    def _delete(self, path: str) -> None:
        try:
            delete(path)
        except PermissionError:
            if self._delete_others is None:
                raise
            for name in os.listdir(self._directory):
                if name.startswith(os.path.basename(path)):  # a part of it may lie beside it by now
                    self._delete_others(f"{self._directory}/{name}")

    def close(self) -> None:
        """Have `empty` return when it has deleted what is here by now."""
        self._left.put(None)
