"""Which running jobs their managers have not heard of yet."""

from collections.abc import Iterable
from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.base.moment import Moment

SAY_RUNNING_AFTER_S = 0.05
"""So long a job runs before its manager is told: most end sooner, and cost it one message and one commit less."""


class Unsaid(Memory):
    """Tells managers that their jobs run, of those that have run for a moment."""

    def __init__(self, context: Context, ledger: Ledger, after_s: float) -> None:
        """Tell it through `ledger` when a job has run for `after_s`; 0: whoever starts it tells it."""
        super().__init__(context.journal)
        self._store, self._ledger, self._after_s = context.store, ledger, after_s
        self._jobs: MemoryDict[str, float] = MemoryDict(context.journal)  # and when their managers hear of them

    @property
    def waits(self) -> bool:
        """Whether it is told here, and not where a job is started."""
        return self._after_s > 0

    @property
    def due(self) -> float:
        """When the next manager is to hear of a job."""
        return min(self._jobs.values(), default=inf)

    def found(self, running: Iterable[str]) -> None:
        """Tell at once of jobs that were found running: nobody knows whether that was told."""
        if self.waits:
            self._jobs.update(dict.fromkeys(running, -inf))

    def begun(self, job: str, now: float) -> None:
        """Note that a job runs from now on."""
        if self.waits:
            self._jobs[job] = now + self._after_s

    def drop(self, job: str) -> None:
        """Note that a job runs no more: its end says enough."""
        self._jobs.pop(job, None)

    def say(self, at: Moment) -> None:
        """Tell managers of the jobs that have run for long enough."""
        for job in sorted((job for job, due in self._jobs.items() if due <= at.now), key=self._jobs.__getitem__):
            del self._jobs[job]
            row = self._store.jobs.by_job(job)
            if row is not None and row.status is JobState.RUNNING:
                self._ledger.tell(row)
