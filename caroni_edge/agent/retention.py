"""Finished jobs are deleted when they are old, and all jobs of a manager that was forgotten; in small batches."""

import logging
from math import inf

from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.reactor import Moment

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
BATCH_JOBS = 200
SHARE_A_DAY = 0.05
"""A clock may jump by years: age removes at most so much of the finished jobs a day."""
DAY_S = 86400.0

_FINISHED = tuple(state for state in JobState if not JOB[state])


class Retention:
    """Decides which jobs go. Returns their names: what is outside the database must go too."""

    def __init__(self, store: Store, in_force: InForce) -> None:
        """Look at what is in force."""
        self._store, self._in_force = store, in_force
        self._looked_at: float | None = None
        self._allowed = 0.0

    def settle(self, at: Moment) -> list[str]:
        """Delete what has become due, and return the names of the jobs."""
        gone = self._forget_some()
        if self._looked_at is None:
            self._looked_at = at.now
        elif at.now >= self._looked_at + LOOK_EVERY_S:
            gone += self.prune(at)
        return gone

    def prune(self, at: Moment) -> list[str]:
        """Delete a batch of the jobs that are older than `retention`, and return their names."""
        since_s = at.now - (self._looked_at if self._looked_at is not None else at.now)
        self._looked_at = at.now
        retention_s = self._in_force.settings.retention_s
        if retention_s is None:
            return []
        a_day = SHARE_A_DAY * sum(self._store.load.total(state) for state in _FINISHED)
        self._allowed = min(self._allowed + a_day * since_s / DAY_S, max(a_day, 1.0))
        found = self._store.jobs.oldest_ended(at.date - retention_s, min(int(self._allowed), BATCH_JOBS))
        self._allowed -= len(found)
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
        if self._looked_at is None or self._in_force.settings.retention_s is None:
            return inf
        return self._looked_at + LOOK_EVERY_S

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
