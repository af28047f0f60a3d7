"""Reconciliation: after a lost or restored database on either side, the manager is told what is here.

The rules are in docs/protocol.md, "Reconciliation". An answer may be long, so it goes piece by piece, a few
in each batch, and survives a restart; all of it is repeatable.
"""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.telling import here_of, slim
from caroni_edge.agent.offers.open import OpenOffers
from caroni_edge.agent.peers.answering import Answering
from caroni_edge.agent.store.answers import OpenAnswer
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.codec import MESSAGE_LIMIT_BYTES, TOGETHER_LIMIT_BYTES, encode
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted

log = logging.getLogger(__name__)

OVERHEAD_BYTES = 512
JOBS_AT_ONCE = 500


class Reconciliation(Answering[OpenAnswer]):
    """Voids offers and answers when a link began anew, and answers the `JobsWanted` that follows."""

    def __init__(self, context: Context, offers: OpenOffers) -> None:
        """Begin with the answers that are on their way, as the store of `context` has them."""
        super().__init__(context)
        self._store, self._in_force, self._chance = context.store, context.in_force, context.chance
        self._offers = offers

    def settle(self, at: Moment) -> None:
        """Void what belongs to links that began anew, and put the next pieces of the answers into the outbox."""
        for manager in self._store.managers.marked():
            self._forget(manager, at)
        super().settle(at)

    def open_answers(self) -> list[OpenAnswer]:
        """Return the answers that are not complete."""
        return self._store.answers.open()

    def on_jobs_wanted(self, manager: str, message: JobsWanted, at: Moment) -> None:
        """Begin an answer: the jobs of a manager that have not ended, or have changed after what it knows."""
        if self._store.managers.is_marked(manager):
            # This query came after the reset: forgetting later would void the answer to it.
            self._forget(manager, at)
        self._store.answers.end(manager)
        is_ours = message.database == self._store.facts.database_for(manager)
        if is_ours and message.known > self._store.facts.serial():
            # We were restored from an older copy, or it claims what never was: for it this is another database.
            self._store.facts.rename_database_for(manager, self._chance.new_id())
            is_ours = False
        self._store.answers.begin(manager, message.wanted, message.known if is_ours else -1)
        if message.objects:
            self._store.object_answers.begin(manager)
        log.warning("a manager asks what is here", extra={"action": "jobs_wanted", "peer": manager})

    def say_next(self, answer: OpenAnswer) -> OpenAnswer | None:
        """Name the next jobs."""
        manager, query, after = answer
        database = self._store.facts.database_for(manager)
        jobs, is_end = self._next(manager, after)
        upto = "" if is_end else jobs[-1].job
        self._outbox.put(manager, JobsHere(wanted=query, database=database, after=after, upto=upto, jobs=jobs))
        if is_end:
            self._store.answers.end(manager)
            self._offers.go_on(manager)
            log.warning("a manager was told what is here", extra={"action": "jobs_said", "peer": manager})
            return None
        self._store.answers.said(manager, upto)
        return OpenAnswer(manager, query, upto)

    def _next(self, manager: str, after: str) -> tuple[tuple[JobHere, ...], bool]:
        """Return as many of the next jobs as a message can hold, and whether they are the last."""
        rows = self._store.answers.next(manager, after, JOBS_AT_ONCE)
        jobs: list[JobHere] = []
        most_bytes = (self._outbox.refuses_over_bytes or MESSAGE_LIMIT_BYTES) - OVERHEAD_BYTES
        left_bytes = min(TOGETHER_LIMIT_BYTES - OVERHEAD_BYTES, most_bytes)
        for row in rows:
            job_type = self._in_force.types.get(row.job_type)
            here = here_of(row, repeat=job_type.repeat if job_type else None)
            if len(encode(here)) > most_bytes:
                here = slim(here)
            left_bytes -= len(encode(here)) + 1
            if jobs and left_bytes < 0:
                return tuple(jobs), False
            jobs.append(here)
        return tuple(jobs), len(rows) < JOBS_AT_ONCE

    def _forget(self, manager: str, at: Moment) -> None:
        self._offers.void(manager, at)
        self._store.answers.end(manager)
        self._store.object_answers.end(manager)
        self._store.managers.unmark(manager)
