"""Gives managers the pieces of their jobs' logs that they ask for."""

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import JOB
from caroni_edge.agent.processes.port import JobRunner
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.logs import JobLog, JobLogRequest

CHUNK_BYTES = 32 * 1024
OVERHEAD_BYTES = 512
"""Room in a message with a piece of a log for all else."""


class JobLogs:
    """Says pieces of logs as the runner has them; it remembers nothing."""

    def __init__(self, context: Context, runner: JobRunner) -> None:
        """Read what `runner` has, of the jobs in the store of `context`."""
        self._store, self._outbox, self._runner = context.store, context.outbox, runner

    def on_request(self, manager: str, message: JobLogRequest, at: Moment) -> None:
        """Answer a manager that asks for a piece."""
        self.say(manager, message.job, message.offset, message.tail)

    def say(self, manager: str, job: str, offset: int, tail: int | None = None) -> None:
        """Say a piece of a job's log, as large as the broker lets through; an empty one where there is no such job.

        Args:
            manager: Who asks; it gets nothing of the jobs of others.
            job: Its name.
            offset: Where the piece begins.
            tail: Begin later where more bytes than these follow.
        """
        found = self._store.jobs.owner(job)
        data, is_end = b"", True
        if found is not None and found.manager == manager:
            if tail is not None:
                offset = max(offset, self._runner.log_size(job) - tail)
            most_bytes = CHUNK_BYTES
            if limit_bytes := self._outbox.refuses_over_bytes:
                most_bytes = min(most_bytes, (limit_bytes - OVERHEAD_BYTES) * 3 // 4)  # it travels as base64
            data, is_end = self._runner.log_chunk(job, offset, most_bytes)
            is_end = is_end and not JOB[found.status]
        self._outbox.put(manager, JobLog(job=job, offset=offset, data=data, end=is_end))
