"""What an agent has handed over before a slot is free: the keeper starts the next of it the moment that one is.

So no slot idles while an agent commits that a job has ended, and asks for another. What waits here is on no disk: it
goes with this process, and as soon as another connection takes over, since the agent hands it over anew, or has other
plans. A job has begun when its start is recorded, as ever; until then it can be recalled.
"""

import time
from collections.abc import Callable
from math import inf

from caroni_edge.agent.keeper.job import Event

SAY_STARTED_AFTER_S = 0.05
"""So long a job runs before its agent is told that it was started: most end sooner, and their end says as much."""

SAY_ENDED_AFTER_S = 0.1
"""So long the end of a job waits for the next ones while more wait for their turn than have ended: an agent commits
them together, and hands over others before none waits any more."""


class Ahead:
    """Start orders that wait for their turn, in the order in which they came; and what is not told yet."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        """Begin with none; `tell` tells an event to the agents that are connected."""
        self._tell_now = tell
        self._waiting: dict[str, Event] = {}
        self._begun: set[str] = set()
        self._untold: dict[str, tuple[float, Event]] = {}
        self._ends: list[Event] = []
        self._ends_due = inf

    def names(self) -> list[str]:
        """Return the jobs that wait."""
        return list(self._waiting)

    def next_due(self) -> float:
        """Return when `settle` must be called, on the monotonic clock."""
        return min(self._ends_due, next((due for due, _ in self._untold.values()), inf))

    def add(self, order: Event) -> None:
        """Let a job wait for its turn, unless it does already.

        Raises:
            ValueError, TypeError, KeyError: The order does not say which job it is, or for how many slots.
        """
        self._waiting.setdefault(str(order["job"]), {**order, "slots": int(order["slots"])})

    def take(self, running: int) -> Event | None:
        """Return the order that is next, if it may be carried out beside so many jobs; it does not wait any more."""
        for job, order in self._waiting.items():
            if running >= order["slots"]:
                break
            self._begun.add(job)
            return self._waiting.pop(job)
        return None

    def kill(self, job: str, reason: str) -> bool:
        """Take a job out of the queue, and say `unstarted`; return False where it does not wait."""
        if self._waiting.pop(job, None) is None:
            return False
        self._tell({"event": "unstarted", "job": job, "reason": reason})
        return True

    def recall(self) -> None:
        """Start nothing that waits; say what was started of all that was handed over, then what was not."""
        self.settle(inf)
        self._tell({"event": "recalled", "jobs": self.clear()})

    def clear(self) -> list[str]:
        """Empty the queue, and return what was in it; ends that are not told yet are dropped: they are on disk."""
        names = self.names()
        self._waiting.clear()
        self._ends, self._ends_due = [], inf
        return names

    def say(self, event: Event) -> None:
        """Tell an event; but that a job was started whose turn has come, only when it has run for a moment.

        The ends of jobs are told together, in one event, while more wait for their turn than have ended.
        """
        job = event.get("job", "")
        if job in self._begun:
            self._begun.discard(job)
            if event["event"] == "started":
                self._untold[job] = time.monotonic() + SAY_STARTED_AFTER_S, event
                return
        self._untold.pop(job, None)
        if event["event"] == "exited" and self._waiting:
            self._ends.append(event)
            self._ends_due = min(self._ends_due, time.monotonic() + SAY_ENDED_AFTER_S)
            return
        self._tell(event)

    def _tell(self, event: Event) -> None:
        self.tell_ends()
        self._tell_now(event)

    def tell_ends(self) -> None:
        """Tell the ends that are not told yet."""
        if self._ends:
            ends, self._ends, self._ends_due = self._ends, [], inf
            self._tell_now({"event": "ended", "ends": ends})

    def settle(self, now: float) -> None:
        """Tell which jobs were started, if they run still, and which have ended."""
        if self._ends_due <= now or len(self._ends) >= len(self._waiting):
            self.tell_ends()
        for due, event in list(self._untold.values()):
            if due <= now:
                del self._untold[event["job"]]
                self._tell(event)
