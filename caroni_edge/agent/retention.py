"""Finished jobs are deleted when they are old or take too much, and all jobs of a manager that was forgotten.

In small batches. Age is bounded by an allowance, since a clock may jump; size needs no clock.
"""

import logging
from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.store.jobs import JobKey
from caroni_edge.base.moment import Moment
from caroni_edge.node.allowance import Allowance
from caroni_edge.node.parts import Part

log = logging.getLogger(__name__)

BATCH_JOBS = 200
ON_THEIR_WAY_MAX = 5000
"""Of a manager to whom more than this is still to be said no job is deleted for its size."""
LOOK_AGAIN_S = 60.0
NEVER_BEGAN_KEPT, TRIM_EVERY_S = 1000, 10.0
"""So many jobs of a manager are kept that have ended without having begun: placing and killing costs it nothing."""

_FINISHED = tuple(status for status in JobState if not JOB[status])


class Retention(Part):
    """Deletes the rows of jobs, and orders to delete their directories."""

    def __init__(self, context: Context) -> None:
        """Look at what is in force."""
        super().__init__(context.journal)
        self._deeds = context.deeds
        self._store, self._in_force = context.store, context.in_force
        self._allowance = Allowance(context.journal)
        self._trim_due = -inf
        self._is_forgetting, self._excess_bytes = False, 0  # as of the last look
        self._shrink_due, self._shrink_after, self._has_shrunk = -inf, 0, False

    def settle(self, at: Moment) -> None:
        """Delete what has become due."""
        self._is_forgetting = self._forget_some()
        if self._allowance.is_due(at.now):
            self.prune(at)
        self._shrink(at)
        self._trim(at)

    def prune(self, at: Moment) -> None:
        """Delete a batch of the jobs that are older than `retention`."""
        allowed = self._allowance.grow(at, sum(self._store.load.total(status) for status in _FINISHED))
        retention_s = self._in_force.settings.retention_s
        if retention_s is None:
            return
        found = self._store.jobs.oldest_ended(at.date - retention_s, min(allowed, BATCH_JOBS))
        self._allowance.use(len(found))
        self._delete(found)

    def forget(self, manager: str) -> None:
        """Delete all jobs of a manager, none of which is live, from the next `settle` on."""
        last = self._store.jobs.last_of(manager)
        if last is not None:
            self._store.managers.leave(manager, last)

    def next_due(self) -> float:
        """Return when `settle` has something to delete."""
        if self._is_forgetting:
            return -inf
        if self._excess_bytes > 0:
            return min(self._shrink_due, self._age_due())
        return self._age_due()

    def _age_due(self) -> float:
        return inf if self._in_force.settings.retention_s is None else self._allowance.next_due()

    def _look_at_size(self) -> int:
        limit_bytes = self._in_force.settings.retention_bytes
        return 0 if limit_bytes is None else self._store.jobs.taken_bytes() - limit_bytes

    def _shrink(self, at: Moment) -> None:
        """Delete jobs of a batch, the oldest first, when all of them take more than they may.

        Not a job whose manager has not confirmed its end: should the link to it begin anew, it is asked for.
        """
        self._excess_bytes = excess_bytes = self._look_at_size()
        if excess_bytes <= 0:
            self._shrink_after = 0
        if excess_bytes <= 0 or at.now < self._shrink_due:
            return
        unsaid: dict[str, set[str] | None] = {}
        found: list[JobKey] = []
        batch = self._store.jobs.ended_after(self._shrink_after, BATCH_JOBS)
        for job in batch:
            if job.manager not in unsaid:
                unsaid[job.manager] = self._unsaid(job.manager)
            waiting = unsaid[job.manager]
            if excess_bytes > 0 and waiting is not None and job.job not in waiting:
                excess_bytes -= job.disk_bytes
                found.append(JobKey(job.id, job.job))
        self._has_shrunk |= bool(found)
        self._shrink_after = batch[-1].id if batch else 0
        if not batch:  # all have been looked at
            self._shrink_due, self._has_shrunk = -inf if self._has_shrunk else at.now + LOOK_AGAIN_S, False
        self._delete(found)

    def _trim(self, at: Moment) -> None:
        """Delete jobs that have ended without having begun, the oldest first, where a manager has too many.

        Whether it has heard of the end makes no difference: a job that is not known here never began.
        """
        if at.now < self._trim_due:
            return
        found: list[JobKey] = []
        for manager in self._store.load.over_managers(NEVER_BEGAN_KEPT):
            found += self._store.jobs.never_began(manager, NEVER_BEGAN_KEPT, BATCH_JOBS)
        self._trim_due = at.now if found else at.now + TRIM_EVERY_S
        self._delete(found)

    def _unsaid(self, manager: str) -> set[str] | None:
        """Return the jobs about which something is on its way to a manager; None for too many."""
        jobs = self._store.jobs.on_their_way(manager, ON_THEIR_WAY_MAX)
        return set(jobs) if len(jobs) < ON_THEIR_WAY_MAX else None

    def _forget_some(self) -> bool:
        """Delete some jobs of a manager that was forgotten; return whether there was one."""
        leaving = self._store.managers.leaving()
        if leaving is None:
            return False
        manager, upto = leaving
        found = self._store.jobs.oldest_of(manager, upto, BATCH_JOBS)
        if len(found) < BATCH_JOBS:
            self._store.managers.gone(manager)
        self._delete(found)
        return True

    def _delete(self, found: list[JobKey]) -> None:
        self._store.jobs.delete(key.id for key in found)
        if found:
            log.info("%d finished jobs deleted", len(found), extra={"action": "jobs_pruned"})
        self._deeds.remove(key.job for key in found)
