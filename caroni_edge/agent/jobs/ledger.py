"""The one place where a job's state changes: by the table, counted, and told to its manager."""

import logging
from typing import Any

import msgspec

from caroni_edge.agent.lifecycle import DATA, JOB, Data, DataEvent, JobEvent, JobState
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.base.text import as_unicode
from caroni_edge.node.reactor import Outbox
from caroni_edge.protocol.messages import JobDecline, JobHere, JobStatusUpdate, Placement, Values
from caroni_edge.values.json import as_text
from caroni_edge.values.parsing import hash_of

log = logging.getLogger(__name__)

REASON_LIMIT_CHARS = 1000

_UNTOLD = {JobState.PENDING, JobState.QUEUED}
"""`JobAccepted` says as much, and `JobStatusRequest` asks."""


def ids(row: JobRow) -> dict[str, object]:
    """Return what names a job in a log record."""
    return {
        "peer": row.manager,
        "workflow": row.workflow,
        "step": row.step,
        "job": row.job,
        "attempt": row.attempt,
    }


def shortened(reason: str) -> str:
    """Return a reason for people, not longer than one wants to read, and without what UTF-8 cannot hold."""
    reason = as_unicode(reason)
    return reason if len(reason) <= REASON_LIMIT_CHARS else f"{reason[: REASON_LIMIT_CHARS - 1]}…"


def encode_values(values: Values) -> str:
    """Return values as they are kept."""
    return as_text(values)


def decode_values(text: str) -> Values:
    """Return values that were kept."""
    values: Values = msgspec.json.decode(text)
    return values


class Ledger:
    """Jobs and their states."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        """Keep states in `store` and tell them through `outbox`."""
        self._store, self._outbox = store, outbox

    def add(self, manager: str, placed: Placement, at: Moment) -> None:
        """Add a job that was accepted: queued when its inputs are all there, otherwise pending."""
        row = JobRow(
            id=0,
            job=placed.job,
            manager=manager,
            job_type=placed.job_type,
            workflow=placed.workflow,
            step=placed.step,
            attempt=placed.attempt,
            priority=placed.priority,
            state=JobState.QUEUED if placed.data_ready else JobState.PENDING,
            data=Data.DELIVERED if placed.data_ready else Data.AWAITING,
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
            inputs=encode_values(placed.inputs),
            outputs=None,
            disk_bytes=0,
        )
        self._store.jobs.add(row)
        log.info("job accepted, %s", row.state, extra={"action": "job_accepted", **ids(row)})

    def bring_data(self, row: JobRow, inputs: Values) -> None:
        """All inputs of a pending job have come, and fit."""
        data = advance(DATA, row.data, DataEvent.INPUTS_COME)
        if data is None:
            self.stale(row, JobEvent.DATA_READY)
            return
        self.change(row, JobEvent.DATA_READY, data=data, inputs=encode_values(inputs), inputs_hash=hash_of(inputs))

    def change(self, row: JobRow, event: JobEvent, *, tell: bool = True, **facts: Any) -> JobRow | None:
        """Let something happen to a job.

        Args:
            row: The job as it is.
            event: What happens.
            tell: Send a status update, if the new state is one that managers want to hear of.
            facts: Columns that change with it.

        Returns:
            The job as it is now, or None where its state knows no such event: nothing has changed then.
        """
        state = advance(JOB, row.state, event)
        if state is None:
            self.stale(row, event)
            return None
        row = row._replace(**facts, state=state, serial=self._store.facts.next_serial())
        self._store.jobs.save(row)
        if tell and state not in _UNTOLD:
            self.tell(row)
        said = f": {row.reason}" if row.reason else ""
        log.info("job %s%s", state, said, extra={"action": f"job_{state}", **ids(row)})
        return row

    def tell(self, row: JobRow) -> None:
        """Send a job's state to its manager."""
        self._outbox.put(row.manager, status_of(row))

    def end(self, row: JobRow, event: JobEvent, at: Moment, *, tell: bool = True, **facts: Any) -> JobRow | None:
        """Let a job end; as `change`, with the date and a reason of bearable length."""
        if facts.get("reason") is not None:
            facts["reason"] = shortened(facts["reason"])
        return self.change(row, event, tell=tell, **{"ended": at.date, "killed": None, **facts})

    def decline(self, manager: str, job: str, reason: str, *, final: bool = False) -> None:
        """Do not take a job, or give it back unbegun; `final`: asking again with the same inputs is useless."""
        self._outbox.put(manager, JobDecline(job=job, reason=shortened(reason), final=final))
        log.info("job declined: %s", reason, extra={"action": "job_declined", "peer": manager, "job": job})

    def stale(self, row: JobRow, event: str) -> None:
        """Log what does not fit a job's state."""
        record = {"action": f"stale_{event.lower()}", **ids(row)}
        log.warning("ignored: %s of a job that is %s", event, row.state, extra=record)


def status_of(row: JobRow) -> JobStatusUpdate:
    """Return the whole state of a job, as its manager hears it."""
    return JobStatusUpdate(job=row.job, **_state(row))


def here_of(row: JobRow) -> JobHere:
    """Return the whole state of a job, for reconciliation."""
    return JobHere(
        job=row.job,
        workflow=row.workflow,
        step=row.step,
        attempt=row.attempt,
        job_type=row.job_type,
        inputs_hash=row.inputs_hash,
        **_state(row),
    )


def _state(row: JobRow) -> dict[str, Any]:
    return {
        "serial": row.serial,
        "status": row.state.value,
        "begun": row.begun,
        "outputs": decode_values(row.outputs) if row.outputs is not None else None,
        "reason": row.reason,
        "exit_code": row.exit_code,
        "stderr": row.stderr,
        "started": row.started,
        "ended": row.ended,
        "version": row.version,
    }
