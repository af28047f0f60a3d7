"""Fetches logs of jobs. A log stays at the agent of its job; pieces of it come here when somebody reads it."""

from caroni_edge.base.memory import MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.node.parts import Part
from caroni_edge.protocol.messages import JobLog, JobLogRequest

LOG_LIMIT_BYTES = 1 << 20
"""So much of a log is fetched, from its beginning; its agent keeps all of it."""


class JobLogs(Part):
    """Asks agents for pieces of logs (`JobLogRequest`) and keeps them; for each job one request is on its way."""

    def __init__(self, context: Context) -> None:
        """Keep pieces in the store of `context`."""
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        self._asked: MemorySet[str] = MemorySet(context.journal)

    def request(self, job: str) -> None:
        """Ask the agent of a job for the next piece of its log, unless all that we keep has come."""
        row = self._store.jobs.by_id(job)
        size, is_end = self._store.jobs.log_end(job)
        if row is None or is_end or size >= LOG_LIMIT_BYTES or job in self._asked:
            return
        self._asked.add(job)
        self._context.outbox.put(row.agent, JobLogRequest(job=job, offset=size))

    def on_log(self, agent: str, message: JobLog, at: Moment) -> None:
        """Keep a piece of a log, if it is the one that follows, and ask for the next one."""
        job = self._store.jobs.by_id(message.job)
        if job is None or job.agent != agent:
            return
        self._asked.discard(message.job)
        size, _ = self._store.jobs.log_end(message.job)
        if message.offset != size or not (message.data or message.end):
            return
        self._store.jobs.add_log(message.job, message.offset, message.data, end=message.end)
        self.request(message.job)

    def ask_again(self) -> None:
        """Requests may have been lost with a reset of the link, or rejected: from now on the next reader asks again."""
        self._asked.clear()
