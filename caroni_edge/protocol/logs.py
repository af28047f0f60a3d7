"""What managers and agents say to each other about the logs of jobs."""

from caroni_edge.protocol.fields import Count, JobId
from caroni_edge.protocol.linkmessage import LinkMessage


class JobLogRequest(LinkMessage, frozen=True, tag=True):
    """A piece of a job's log, from `offset` (bytes), or, where more than `tail` bytes follow that, from there on.

    An older agent knows no `tail`; the answer says where it begins.
    """

    job: JobId
    offset: Count = 0
    tail: Count | None = None


class JobLog(LinkMessage, frozen=True, tag=True):
    """A piece of a job's log, 32 KiB at most; `end` says that nothing follows it for ever."""

    job: JobId
    offset: Count
    data: bytes
    end: bool = False
