"""Finished jobs are deleted when they are old, and all jobs of a manager that was forgotten; in small batches."""

import logging
from math import inf

from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.allowance import Allowance
from caroni_edge.reactor import Moment

log = logging.getLogger(__name__)

BATCH_JOBS = 200

_FINISHED = tuple(state for state in JobState if not JOB[state])


class Retention:
    """Decides which jobs go. Returns their names: what is outside the database must go too."""

    def __init__(self, store: Store, in_force: InForce) -> None:
        """Look at what is in force."""
        self._store, self._in_force = store, in_force
        self._allowance = Allowance()

    def settle(self, at: Moment) -> list[str]:
        """Delete what has become due, and return the names of the jobs."""
        gone = self._forget_some()
        if self._allowance.is_due(at.now):
            gone += self.prune(at)
        return gone

    def prune(self, at: Moment) -> list[str]:
        """Delete a batch of the jobs that are older than `retention`, and return their names."""
        allowed = self._allowance.grow(at, sum(self._store.load.total(state) for state in _FINISHED))
        retention_s = self._in_force.settings.retention_s
        if retention_s is None:
            return []
        found = self._store.jobs.oldest_ended(at.date - retention_s, min(allowed, BATCH_JOBS))
        self._allowance.use(len(found))
        return self._delete(found)

    def forget(self, manager: str) -> None:
        """Delete all jobs of a manager, none of which is live, from the next `settle` on."""
        last = self._store.jobs.last_of(manager)
        if last is not None:
            self._store.managers.leave(manager, last)

    def next_due(self) -> float:
        """Return when to look again."""
        if self._store.managers.leaving():
            return -inf
        return inf if self._in_force.settings.retention_s is None else self._allowance.next_due()

    def _forget_some(self) -> list[str]:
        leaving = self._store.managers.leaving()
        if leaving is None:
            return []
        manager, upto = leaving
        found = self._store.jobs.oldest_of(manager, upto, BATCH_JOBS)
        if len(found) < BATCH_JOBS:
            self._store.managers.gone(manager)
        return self._delete(found)

    def _delete(self, found: list[tuple[int, str]]) -> list[str]:
        self._store.jobs.delete(row_id for row_id, _ in found)
        if found:
            log.info("%d finished jobs deleted", len(found), extra={"action": "jobs_pruned"})
        return [job for _, job in found]
