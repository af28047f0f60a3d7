"""What managers are told of the state of their jobs, when it changes and when they reconcile."""

from typing import Any, TypeVar

from msgspec.structs import replace

from caroni_edge.agent.jobs.takers import inputs_from
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import JobStatusUpdate
from caroni_edge.protocol.reconciling import JobHere
from caroni_edge.values.json import from_text

Slim = TypeVar("Slim", JobStatusUpdate, JobHere)

_TOLD_AS = {JobState.STAGING: JobState.QUEUED, JobState.COLLECTING: JobState.RUNNING}


def status_of(row: JobRow) -> JobStatusUpdate:
    """Return the message that tells a manager the whole state of its job."""
    return JobStatusUpdate(job=row.job, **_state(row))


def here_of(row: JobRow, *, repeat: bool | None) -> JobHere:
    """Return the whole state of a job as a reconciliation names it; `repeat`: that of its job type, if known."""
    return JobHere(
        job=row.job,
        workflow=row.workflow,
        step=row.step,
        attempt=row.attempt,
        job_type=row.job_type,
        inputs_from=inputs_from(row),
        repeat=repeat,
        **_state(row),
    )


def slim(state: Slim) -> Slim:
    """Return the state of a job without what may be too large for the broker; its agent keeps that."""
    if state.outputs is not None:
        return replace(state, outputs=None, outputs_left_out=len(encode(state.outputs)))
    return replace(state, stderr=None)


def _state(row: JobRow) -> dict[str, Any]:
    return {
        "serial": row.serial,
        "status": _TOLD_AS.get(row.status, row.status).value,
        "begun": row.begun,
        "outputs": from_text(row.outputs) if row.outputs is not None else None,
        "reason": row.reason,
        "exit_code": row.exit_code,
        "stderr": row.stderr,
        "started": row.started,
        "ended": row.ended,
        "version": row.version,
        "final": row.final,
        "box": row.box,
        "inputs_hash": row.inputs_hash,
    }
