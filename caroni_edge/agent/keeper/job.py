"""One job of a keeper, from the start of its process until all of it is gone."""

import select
from math import inf
from typing import Any

from caroni_edge.agent.keeper.logs import Log
from caroni_edge.agent.keeper.records import Start

Event = dict[str, Any]

ENDING_S = 10.0
"""So long the end of a job waits for the last of its processes, which have been killed."""
_FIRST_LOOK_AFTER_S = 0.001
_LOOK_AFTER_MAX_S = 0.1


class Job:
    """A job whose end is not recorded yet.

    Attributes:
        start: The record of its start.
        pidfd: Readable once its first process has ended (pidfd_open(2)).
        is_child: Whether that is a child of this keeper; the child of one that has died has no exit status for us.
        outputs: What marks it (see `trees.py`).
        log: What it writes to.
        is_grouped: The kernel keeps it to its bounds (`cgroups.py`).
        cause: Kind and reason of its end (see `Exit`), once it was asked to end.
        kill_due: When SIGKILL follows the SIGTERM, on the monotonic clock.
        is_over: Its first process has ended, and the others have been killed.
        look_due: When to look whether all of them are gone.
        give_up_due: When the end is recorded although they are not.
    """

    __slots__ = (
        "_look_after_s",
        "cause",
        "give_up_due",
        "is_child",
        "is_grouped",
        "is_over",
        "kill_due",
        "log",
        "look_due",
        "outputs",
        "pidfd",
        "start",
    )

    def __init__(
        self,
        start: Start,
        outputs: str,
        log: Log | None = None,
        *,
        is_child: bool,
        cause: tuple[str, str] | None = None,
    ) -> None:
        """Begin with a job whose first process is not watched yet."""
        self.outputs = outputs
        self.log = log or Log()
        self.start = start
        self.pidfd = -1
        self.is_child = is_child
        self.cause = cause
        self.kill_due = self.look_due = self.give_up_due = inf
        self.is_over = self.is_grouped = False
        self._look_after_s = _FIRST_LOOK_AFTER_S

    @property
    def due(self) -> float:
        """When its deadline is over, SIGKILL is due, or its rest is to be looked at, on the monotonic clock."""
        if self.is_over:
            return self.look_due
        if self.cause is not None:
            return self.kill_due
        return inf if self.start.deadline is None else self.start.deadline

    def has_ended(self) -> bool:
        """Tell whether its first process has ended."""
        if self.is_over:
            return True
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def look_later(self, now: float) -> bool:
        """Say when to look again whether the rest of it is gone; return False when it is time to give up."""
        if self.give_up_due == inf:
            self.give_up_due = now + ENDING_S
        if now >= self.give_up_due:
            return False
        self.look_due = now + self._look_after_s
        self._look_after_s = min(2 * self._look_after_s, _LOOK_AFTER_MAX_S)
        return True
