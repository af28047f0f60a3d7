"""What became of jobs that had a slot, and the killing (docs/protocol.md, "A kill")."""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.ahead import Ahead
from caroni_edge.agent.jobs.ledger import Ledger, ids
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.slottime import minutes
from caroni_edge.agent.jobs.unsaid import Unsaid
from caroni_edge.agent.lifecycle import JOB, JobEvent, JobState
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.shares import Shares
from caroni_edge.agent.processes.outcome import Completed, Failed, JobOutcome, Killed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.port import JobCollecting, JobEnded
from caroni_edge.agent.store.jobs import TRIAL, JobRow, Running
from caroni_edge.agent.store.slottime import MinuteOf
from caroni_edge.agent.store.versions import BegunBy
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.base.moment import Moment

log = logging.getLogger(__name__)


class Endings(Memory):
    """Takes back the slots of jobs that have ended, says how they did, and ends those that are not wanted."""

    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        shares: Shares,
        objects: JobObjects,
        refusals: Refusals,
        unsaid: Unsaid,
        ahead: Ahead,
    ) -> None:
        """Note in the deeds of `context` what is to be done; `unsaid` and `ahead` are those of the slots."""
        super().__init__(context.journal)
        self._store, self._ledger, self._shares, self._deeds = context.store, ledger, shares, context.deeds
        self._objects, self._refusals, self._unsaid, self._ahead = objects, refusals, unsaid, ahead
        self._ended: tuple[str, ...] = ()
        self._busy_s: MemoryDict[tuple[str, int], float] = MemoryDict(context.journal)  # of managers, by minute
        self._begun: MemoryDict[tuple[str, str], int] = MemoryDict(context.journal)  # by job type and version

    def take_ended(self) -> tuple[str, ...]:
        """Return, once, the jobs that have given back their slots."""
        ended, self._ended = self._ended, ()
        return ended

    def keep_counts(self) -> None:
        """Keep what was counted of jobs: once for all of a batch."""
        if self._busy_s:
            self._store.slot_time.add(MinuteOf(*key, busy_s) for key, busy_s in self._busy_s.items())
            self._busy_s.clear()
        if self._begun:
            self._store.versions.count(BegunBy(*key, jobs) for key, jobs in self._begun.items())
            self._begun.clear()

    def on_ended(self, ended: JobEnded, at: Moment) -> None:
        """End the job whose process has ended, or could not be started; a repeat changes nothing."""
        self._unsaid.drop(ended.job)
        self._ahead.remove(ended.job)
        row = self._store.jobs.by_job(ended.job)
        if row is None:
            log.warning("a job ended that nobody knows", extra={"action": "stale_job_ended", "job": ended.job})
            self._deeds.remove([ended.job])
            self._deeds.has_ended(ended.job)
            self._shares.hand_back(ended.job)
        else:
            self._end(row, ended, at)
        self._objects.on_ended(ended)

    def _end(self, row: JobRow, ended: JobEnded, at: Moment) -> None:
        if row.status is JobState.QUEUED and row.begun:
            since = None if isinstance(ended.outcome, NeverBegan) else ended.outcome.started
            row = self._found_started(row, since, ended.date, at)
        outcome = _as_wanted(row, ended.outcome)
        given_back = outcome if isinstance(outcome, NeverBegan) and (outcome.no_room or outcome.lacking) else None
        if given_back is not None and given_back.lacking:
            self._refusals.on_lacking(row.job_type, given_back.reason)
        used = row._replace(disk_bytes=ended.disk_bytes, cpu_s=ended.cpu_s, memory_bytes=ended.memory_bytes)
        if isinstance(outcome, Completed) and JobEvent.JOB_COMPLETED in JOB[row.status]:
            self._objects.on_completed(row, ended, at)
        done = self._ledger.end(used, outcome, ended.date, tell=given_back is None)
        if done is None:
            return
        if row.status is not JobState.COLLECTING:
            self._leave(done, ended.date)
        if given_back is not None:
            self._ledger.decline(row.manager, row, given_back.reason, at)
            self._deeds.remove([row.job])
        self._deeds.has_ended(row.job)
        if row.manager == TRIAL:
            return  # it may have been tried on any inputs
        match outcome:
            case Completed():
                self._refusals.on_completed(row.job_type)
            case Failed() | NeverBegan() if given_back is None:
                self._refusals.on_failed(row.job_type, row.version or "")

    def on_collecting(self, news: JobCollecting, at: Moment) -> None:
        """Take back the slot of a job whose process has ended, and whose files are being taken."""
        self._unsaid.drop(news.job)
        self._ahead.remove(news.job)
        row = self._store.jobs.by_job(news.job)
        if row is not None and row.status is JobState.QUEUED and row.begun:
            row = self._found_started(row, news.started, news.date, at)
        if row is not None and self._ledger.collect(row):
            self._leave(row, news.date)

    def _leave(self, row: JobRow, date: float) -> None:
        """Count the time that a job has held a slot, which it holds no more."""
        self._ended = (*self._ended, row.job)
        if row.started is not None:
            for minute, busy_s in minutes(row.started, date):
                key = row.manager, minute
                self._busy_s[key] = self._busy_s.get(key, 0.0) + busy_s

    def _found_started(self, row: JobRow, since: float | None, date: float, at: Moment) -> JobRow:
        """Return a job that was handed over, as it was when it had its slot; of most only the end is heard."""
        if since is None:
            self._shares.hand_back(row.job)
        else:
            self.has_slot(row, since, date, at.now)
        return self._ledger.started(row, since)

    def has_slot(self, row: JobRow, since: float, date: float, now: float) -> None:
        """Count the slot of a job that was handed over, from a date on until `date`, which is `now`."""
        self._shares.start(Running(row.job, row.manager, row.job_type), now - max(0.0, date - since))
        self.count(row)

    def count(self, row: JobRow) -> None:
        """Count a job that has got a slot, for the version of its job type."""
        if row.manager != TRIAL:
            key = row.job_type, row.version or ""
            self._begun[key] = self._begun.get(key, 0) + 1

    # Kill

    def kill(self, row: JobRow, reason: str, at: Moment) -> None:
        """End a job that is not wanted: at once when it has not begun, otherwise when its keeper has answered."""
        if row.status is JobState.COLLECTING:
            log.info("the kill of a job comes too late: %s", reason, extra={"action": "late_kill", **ids(row)})
        elif not row.begun or not JOB[row.status]:
            self._ledger.end(row, Killed(reason), at.date)
        elif row.killed is None:
            self._store.jobs.kill(row.id, reason)
            log.info("killing the job: %s", reason, extra={"action": "job_kill", **ids(row)})

    def order_kills(self) -> None:
        """Order the kills that are due."""
        for job, reason in self._store.jobs.killed():
            self._deeds.kill(job, reason)


def _as_wanted(row: JobRow, outcome: ProcessOutcome) -> JobOutcome:
    """Return how a job ended, of which the database knows whether it was to be killed.

    One that completes while it is being killed has completed: its result is a result.
    """
    if row.killed is None or isinstance(outcome, Completed):
        return outcome
    return Killed(row.killed, outcome if isinstance(outcome, Failed) else None)
