"""Fetches logs of jobs. A log stays at the agent of its job; pieces of it come here when somebody reads it."""

from typing import NamedTuple

from caroni_edge.base.memory import MemoryDict, MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.node.parts import Part
from caroni_edge.protocol.logs import JobLog, JobLogRequest

LOG_LIMIT_BYTES = 1 << 20
"""So much of a log is fetched, from its beginning, unless somebody wants all of it; its agent keeps all of it."""
WHOLE_LIMIT_BYTES = 256 << 20
"""So much of a log is fetched at most."""
TAIL_BYTES = 64 * 1024
"""So much of the end of a long log is fetched."""
KEPT_MAX = 100
"""Ends of so many logs are kept, and so many logs are fetched whole at a time."""


class Tail(NamedTuple):
    """The end of a long log as it was when somebody asked; kept in memory, for a moment.

    Attributes:
        offset: Where it begins.
        data: What has come of it.
        is_whole: All of it has come, as it was when it was asked for: a log may grow faster than its end comes.
        is_end: The log ends with it for ever.
    """

    offset: int
    data: bytes
    is_whole: bool
    is_end: bool


class JobLogs(Part):
    """Asks agents for pieces of logs (`JobLogRequest`) and keeps them; for each job one request is on its way."""

    def __init__(self, context: Context) -> None:
        """Keep pieces in the store of `context`."""
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        self._asked: MemoryDict[str, bool] = MemoryDict(context.journal)
        self._whole: MemorySet[str] = MemorySet(context.journal)
        self._tails: MemoryDict[str, Tail] = MemoryDict(context.journal)

    def request(self, job: str, *, whole: bool = False) -> None:
        """Ask the agent of a job for the next piece of its log, unless all that we keep has come.

        Args:
            job: Its name.
            whole: Keep all of it, not only the beginning of a long one.
        """
        if whole and len(self._whole) < KEPT_MAX:
            self._whole.add(job)
        size, is_end = self._store.jobs.log_end(job)
        if is_end or size >= self._limit(job):
            self._whole.discard(job)
            return
        self._ask(job, size)

    def request_tail(self, job: str) -> tuple[Tail | None, bool]:
        """Return the end of a job's log, if it is a long one and its end has come, and ask for it as it is now.

        Also returns whether an answer of the agent is waited for already.
        """
        known, is_waiting = self._tails.get(job), job in self._asked
        if known is None or (known.is_whole and not known.is_end):
            self._ask(job, self._store.jobs.log_end(job).size_bytes, TAIL_BYTES, for_tail=True)
        return known, is_waiting

    def on_log(self, agent: str, message: JobLog, at: Moment) -> None:
        """Keep a piece of a log that was asked for, if it is the one that follows, and ask for the next one."""
        job = self._store.jobs.by_id(message.job)
        if job is None or job.agent != agent or message.job not in self._asked:
            return
        for_tail = self._asked.pop(message.job)
        size, is_end = self._store.jobs.log_end(message.job)
        if message.offset > size and for_tail:
            self._keep_tail(message)
        if message.offset != size or is_end or size >= self._limit(message.job) or not (message.data or message.end):
            return
        self._store.jobs.add_log(message.job, message.offset, message.data, end=message.end)
        self.request(message.job)

    def ask_again(self) -> None:
        """Requests may have been lost with a reset of the link, or rejected: from now on the next reader asks again."""
        self._asked.clear()
        self._tails.clear()

    def _ask(self, job: str, offset: int, tail: int | None = None, *, for_tail: bool = False) -> None:
        row = self._store.jobs.by_id(job)
        if row is not None and job not in self._asked:
            self._asked[job] = for_tail
            self._context.outbox.put(row.agent, JobLogRequest(job=job, offset=offset, tail=tail))

    def _limit(self, job: str) -> int:
        return WHOLE_LIMIT_BYTES if job in self._whole else LOG_LIMIT_BYTES

    def _keep_tail(self, message: JobLog) -> None:
        """Keep a piece of the end of a log, and ask for the one behind it until nothing more is there."""
        known = self._tails.pop(message.job, None)
        offset, data = message.offset, message.data
        if known is not None and not known.is_whole and offset == known.offset + len(known.data):
            offset, data = known.offset, known.data + data
        is_whole = message.end or not message.data or len(data) >= TAIL_BYTES
        if len(self._tails) >= KEPT_MAX:
            del self._tails[next(iter(self._tails))]
        self._tails[message.job] = Tail(offset, data, is_whole, message.end)
        if not is_whole:
            self._ask(message.job, offset + len(data), for_tail=True)
