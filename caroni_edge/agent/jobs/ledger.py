"""The one place where a job's status changes: as the table allows, with a new serial, and told to its manager."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec.structs import replace as replace_fields

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.takers import GIVER_ENDED, Takers
from caroni_edge.agent.jobs.telling import status_of
from caroni_edge.agent.lifecycle import DATA, JOB, DataEvent, DataState, JobEvent, JobState
from caroni_edge.agent.processes.outcome import (
    STDERR_LIMIT_BYTES,
    Completed,
    Failed,
    JobOutcome,
    Killed,
    NeverBegan,
)
from caroni_edge.agent.store.jobs import TRIAL, JobRow
from caroni_edge.agent.store.turnedaway import TurnedAway
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require
from caroni_edge.base.text import as_unicode, encoded, tail
from caroni_edge.protocol.messages import JobDataReady, JobDecline, Placement, Values
from caroni_edge.values.json import as_text, hash_of

log = logging.getLogger(__name__)

REASON_LIMIT_CHARS = 1000

_UNTOLD = {JobState.PENDING, JobState.STAGING, JobState.QUEUED, JobState.COLLECTING}
"""`JobAccepted` says as much of the first three, `JobStatusRequest` asks, and the last is `running` to managers."""

_EVENTS: Mapping[type[JobOutcome], JobEvent] = {
    Completed: JobEvent.JOB_COMPLETED,
    Failed: JobEvent.JOB_FAILED,
    NeverBegan: JobEvent.JOB_FAILED,
    Killed: JobEvent.JOB_KILLED,
}


def ids(row: JobRow) -> dict[str, object]:
    """Return the ids of a job's log records."""
    return {
        "peer": row.manager,
        "workflow": row.workflow,
        "step": row.step,
        "job": row.job,
        "attempt": row.attempt,
    }


def shortened(reason: str) -> str:
    """Return a reason for people: cut to what one wants to read, and without what UTF-8 cannot hold."""
    reason = as_unicode(reason)
    return reason if len(reason) <= REASON_LIMIT_CHARS else f"{reason[: REASON_LIMIT_CHARS - 1]}…"


class Ledger:
    """Changes jobs, and tells their managers.

    Attributes:
        takers: The pending jobs that are given their inputs, or end, when others end.
    """

    def __init__(self, context: Context) -> None:
        """Keep states in the store of `context`, and tell them through its outbox."""
        self._store, self._outbox = context.store, context.outbox
        self.takers = Takers(context.store)

    def add(self, manager: str, placed: Placement, at: Moment, *, lacks_files: bool = False) -> None:
        """Add a job that was accepted: queued, or staging, when its inputs are all there, otherwise pending."""
        ready = JobState.STAGING if lacks_files else JobState.QUEUED
        row = JobRow(
            id=0,
            job=placed.job,
            manager=manager,
            job_type=placed.job_type,
            workflow=placed.workflow,
            step=placed.step,
            attempt=placed.attempt,
            priority=placed.priority,
            status=ready if placed.data_ready else JobState.PENDING,
            data=DataState.DELIVERED if placed.data_ready else DataState.AWAITING,
            serial=self._store.facts.next_serial(),
            begun=False,
            killed=None,
            inputs_hash=hash_of(placed.inputs) if placed.data_ready else "",
            version=None,
            exit_code=None,
            received=at.date,
            started=None,
            ended=None,
            reason=None,
            stderr=None,
            inputs=as_text(placed.inputs),
            outputs=None,
            disk_bytes=0,
            final=False,
            cpu_s=None,
            memory_bytes=None,
            box=None,
            holds=None,
            inputs_from=None if placed.data_ready else self.takers.add(placed.job, placed.inputs_from),
        )
        self._store.jobs.add(row)
        log.info("job accepted, %s", row.status, extra={"action": "job_accepted", **ids(row)})

    def take_given(self, job: str) -> None:
        """Queue a job that was just added, if those that it takes its inputs from have completed already."""
        row = self._store.jobs.by_job(job)
        if row is not None and row.inputs_from is not None and (inputs := self.takers.inputs(row)) is not None:
            self.bring_data(row, inputs)

    def bring_data(self, row: JobRow, inputs: Values, *, lacks_files: bool = False) -> None:
        """Queue a pending job, all of whose inputs have come and fit, or let it wait for its files."""
        event = JobEvent.FILES_LACK if lacks_files else JobEvent.DATA_READY
        status = require(JOB, row.status, event, **ids(row))
        data = require(DATA, row.data, DataEvent.INPUTS_COME, **ids(row))
        self._change(row._replace(status=status, data=data, inputs=as_text(inputs), inputs_hash=hash_of(inputs)))

    def bring_files(self, row: JobRow) -> None:
        """Queue a job, all of whose files have come."""
        self._change(row._replace(status=require(JOB, row.status, JobEvent.FILES_CAME, **ids(row))))

    def fill(self, row: JobRow, inputs: Values, *, is_last: bool) -> None:
        """Let a file that has come take its place in the inputs of a job; queue it, if that was the last one.

        What its manager has sent is what it goes on to be known by.
        """
        filled = row._replace(inputs=as_text(inputs))
        if is_last:
            self.bring_files(filled)
        else:
            self._store.jobs.save(filled)

    def begin(self, row: JobRow, version: str, box: str, holds: str | None, at: Moment, *, tell: bool) -> JobRow:
        """Give a queued job a slot: its process may be started from now on.

        Args:
            row: The job.
            version: Of its job type.
            box: What it is locked into.
            holds: What it holds of the host's resources, as JSON.
            at: Now.
            tell: Send a status update.
        """
        status = require(JOB, row.status, JobEvent.SLOT_GIVEN, **ids(row))
        begun = row._replace(status=status, begun=True, started=at.date, version=version, box=shortened(box))
        return self._change(begun._replace(holds=holds), tell=tell)

    def hand_over(self, row: JobRow, version: str, box: str) -> None:
        """Note that a queued job waits at its keeper from now on, so that its process may be started (see `begin`)."""
        self._store.jobs.hand_over(row.id, version, shortened(box))

    def recalled(self, row: JobRow) -> JobRow:
        """Note that a job that was handed over to its keeper was not started, and will not be."""
        return self._change(row._replace(begun=False, version=None, box=None), tell=False)

    def started(self, row: JobRow, date: float | None) -> JobRow:
        """Return a job that was handed over as it is now that it was started; nothing is kept or told of that yet."""
        return row._replace(status=require(JOB, row.status, JobEvent.SLOT_GIVEN, **ids(row)), started=date)

    def say_started(self, row: JobRow, date: float) -> None:
        """Note that a job was started that was handed over, and tell it."""
        self._change(self.started(row, date))

    def collect(self, row: JobRow) -> bool:
        """Note that a job has given its slot back, and that its files are being taken; return whether that is new."""
        status = advance(JOB, row.status, JobEvent.PROCESS_ENDED)
        if status is not None:
            self._change(row._replace(status=status, killed=None))
        return status is not None

    def find_begun(self, row: JobRow, date: float, holds: str | None) -> None:
        """Note that a job was started, at this date, of which the database has forgotten that, and what it holds."""
        status = advance(JOB, row.status, JobEvent.FOUND_BEGUN)
        if status is None:
            self.stale(row, JobEvent.FOUND_BEGUN)
        else:
            self._change(row._replace(status=status, begun=True, started=date or None, holds=holds))

    def refuse(self, row: JobRow, event: JobEvent, reason: str, at: Moment, *, tell: bool) -> None:
        """Let a job fail that cannot run here; `event` says whether its inputs or its start was refused."""
        status = require(JOB, row.status, event, **ids(row))
        self._change(_ended(row, NeverBegan(reason), at.date)._replace(status=status), tell=tell)

    def give_back(self, row: JobRow, reason: str, at: Moment) -> None:
        """Let a manager have a queued job back that others may run: it uses up no attempt."""
        self.refuse(row, JobEvent.START_REFUSED, reason, at, tell=False)
        self.decline(row.manager, row, reason, at)

    def end(self, row: JobRow, outcome: JobOutcome, date: float, *, tell: bool = True) -> JobRow | None:
        """Let a job end, if it has not ended before.

        Args:
            row: The job as it is, with what it has used.
            outcome: How it ended.
            date: When, Unix seconds.
            tell: Send a status update.

        Returns:
            The job as it is now, or None where its state does not allow that: nothing has changed then.
        """
        event = _EVENTS[type(outcome)]
        status = advance(JOB, row.status, event)
        if status is None:
            self.stale(row, event)
            return None
        return self._change(_ended(row, outcome, date)._replace(status=status), tell=tell)

    def tell(self, row: JobRow, fed: Sequence[str] = ()) -> None:
        """Send a job's state to its manager, if it has one, and which jobs have taken their last input from it."""
        if row.manager != TRIAL:
            self._outbox.put(row.manager, replace_fields(status_of(row), fed=tuple(fed)) if fed else status_of(row))

    def _change(self, changed: JobRow, *, tell: bool = True) -> JobRow:
        """Keep a job whose status has changed, and return it.

        Args:
            changed: The job with all that changes, but for its serial.
            tell: Send a status update, if the status is one that managers want to hear of.
        """
        row = self._keep(changed)
        fed = self._feed(row) if row.status is JobState.COMPLETED else ()
        if tell and row.status not in _UNTOLD:
            self.tell(row, fed)
        if row.status in (JobState.FAILED, JobState.KILLED):
            self._end_takers(row)
        return row

    def _keep(self, changed: JobRow) -> JobRow:
        row = changed._replace(serial=self._store.facts.next_serial())
        if row.inputs_from is not None and row.status is not JobState.PENDING:
            self.takers.drop(row.job)
            row = row._replace(inputs_from=None)
        self._store.jobs.save(row)
        said = f": {row.reason}" if row.reason else ""
        log.info("job %s%s", row.status, said, extra={"action": f"job_{row.status}", **ids(row)})
        return row

    def _feed(self, giver: JobRow) -> list[str]:
        """Queue the pending jobs that have waited for the outputs of a job alone; return them."""
        given = [(taker, self.takers.inputs(taker)) for taker in self.takers.of(giver.job)]
        fed = [(taker, inputs) for taker, inputs in given if inputs is not None]
        for taker, inputs in fed:
            self.bring_data(taker, inputs)
        return [taker.job for taker, _ in fed]

    def _end_takers(self, giver: JobRow) -> None:
        """End the pending jobs that wait for a job which has ended without outputs, and those that wait for them."""
        ended = [giver]
        while ended:
            for taker in self.takers.of(ended.pop().job):
                status = require(JOB, taker.status, JobEvent.GIVER_ENDED, **ids(taker))
                date = giver.ended if giver.ended is not None else taker.received
                row = self._keep(_ended(taker, NeverBegan(GIVER_ENDED), date)._replace(status=status))
                self._decline(row.manager, row, GIVER_ENDED, date)
                ended.append(row)

    def decline(
        self,
        manager: str,
        job: Placement | JobRow | JobDataReady,
        reason: str,
        at: Moment,
        *,
        final: bool = False,
        begun: bool = False,
    ) -> None:
        """Tell a manager that its job will not run here, and note it for people; a trial is nobody's.

        Args:
            manager: Whose job it is.
            job: The job as it came, or as it is known.
            reason: Why, for people.
            at: Now.
            final: Nor would it if it were placed here again.
            begun: It may have run here before, and nobody knows.
        """
        if manager != TRIAL:
            self._decline(manager, job, reason, at.date, final=final, begun=begun)

    def _decline(
        self,
        manager: str,
        job: Placement | JobRow | JobDataReady,
        reason: str,
        date: float,
        *,
        final: bool = False,
        begun: bool = False,
    ) -> None:
        reason = shortened(reason)
        self._outbox.put(manager, JobDecline(job=job.job, reason=reason, final=final, begun=begun))
        what = ("", "", "") if isinstance(job, JobDataReady) else (job.job_type, job.workflow, job.step)
        self._store.turned_away.add(TurnedAway(date, manager, job.job, *what, reason))
        log.info("job declined: %s", reason, extra={"action": "job_declined", "peer": manager, "job": job.job})

    def stale(self, row: JobRow, event: str) -> None:
        """Log an event that changes nothing, since the job's state knows none of its kind."""
        record = {"action": f"stale_{event.lower()}", **ids(row)}
        log.warning("ignored: %s of a job that is %s", event, row.status, extra=record)


def _ended(row: JobRow, outcome: JobOutcome, date: float) -> JobRow:
    """Return a job's row with all that is kept of its outcome, but for the state that follows from it."""
    row = row._replace(ended=date, killed=None)
    match outcome:
        case Completed(outputs, started):
            return row._replace(begun=True, exit_code=0, outputs=outputs, started=started or row.started)
        case Failed(reason, exit_code, stderr, started, final):
            if stderr is not None:
                # What cannot be decoded takes more bytes in a message than it took on disk.
                stderr = tail(encoded(stderr), STDERR_LIMIT_BYTES)
            row = row._replace(begun=True, exit_code=exit_code, stderr=stderr, started=started or row.started)
            return row._replace(reason=shortened(reason), final=final)
        case NeverBegan(reason):
            return row._replace(begun=False, started=None, box=None, reason=shortened(reason))
        case Killed(reason, process):
            return _ended(
                row, NeverBegan(reason) if process is None else replace(process, reason=reason, final=False), date
            )
