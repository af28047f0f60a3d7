"""The ends of jobs: each is recorded, then told; where the disk has no space, it is tried again."""

import os
import time
from collections.abc import Callable
from math import inf

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.job import Event
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.records import Exit, Start, write_end
from caroni_edge.base.failpoints import failpoint

RECORD_AGAIN_S = 1.0


class Ends:
    """Records how jobs ended, and tells it.

    Attributes:
        due: When `settle` must be called, on the monotonic clock.
    """

    def __init__(self, places: Places, home: int, say: Callable[[Event], None], is_heard: Callable[[], bool]) -> None:
        """Record in a state directory.

        Args:
            places: Where files are.
            home: The keeper's own directory, open.
            say: Tells an event to the agents that are connected.
            is_heard: Tells whether an agent is connected.
        """
        self._places, self._home, self._say, self._is_heard = places, home, say, is_heard
        self._unrecorded: dict[str, tuple[Start, Exit]] = {}
        self.due = inf

    def names(self) -> list[str]:
        """Return the jobs whose end could not be recorded yet."""
        return list(self._unrecorded)

    def settle(self, now: float) -> None:
        """Record what could not be recorded before."""
        if self.due <= now:
            self.due = inf
            for start, end in list(self._unrecorded.values()):
                self.record(start, end)

    def record(self, start: Start, end: Exit) -> None:
        """Record how a job ended, then tell it; where the disk has no space, try again later.

        Where the job keeps us from recording it, an agent that is connected has heard it all the same.
        """
        end = end._replace(is_synced=not self._is_heard())
        failpoint("before-end-record")
        try:
            write_end(self._places.state_dir, start, end, self._places.home)
        except OSError as error:
            if end.job not in self._unrecorded:
                note(f"{end.job}: its end cannot be recorded yet: {error}")
            if self._is_homeless():
                note(f"{end.job}: its end is recorded nowhere, since the agent's state directory was deleted")
            elif error.errno in files.EXHAUSTED or not self._is_heard():
                self._unrecorded[end.job] = start, end
                self.due = time.monotonic() + RECORD_AGAIN_S
                return
        self._unrecorded.pop(end.job, None)
        failpoint("after-end-record")
        self._say({"event": "exited", **end._asdict()})

    def _is_homeless(self) -> bool:
        """Tell whether the state directory was deleted: nobody will ever ask for what would be recorded there."""
        return os.fstat(self._home).st_nlink == 0
