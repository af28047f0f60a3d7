"""What the fields of messages may hold: their types, with the bounds that the codec checks."""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta

from caroni_edge.base.hosts import HOST_MAX_CHARS, HOSTS_SAID_MAX
from caroni_edge.values.remote import DIRECT_MAX_CHARS

NAME_MAX_CHARS = 400
"""So many characters may a template's name have, and a step's path."""

DATE_MAX = 253402300799
"""The end of the year 9999: people's calendars, and the programs that print dates, go no further."""

# `$` alone would let a trailing newline through, and these names become topics, paths and URLs.
SEGMENT_PATTERN = r"^[a-z0-9_-]{1,40}$(?!\n)"
JOB_PATTERN = r"^[a-z0-9]{8,40}$(?!\n)"

_segment = re.compile(SEGMENT_PATTERN)
_job = re.compile(JOB_PATTERN)


def is_segment(text: str) -> bool:
    """Tell whether `text` may be a segment of a topic: 1 to 40 of `a-z 0-9 _ -`."""
    return _segment.match(text) is not None


def is_job(text: str) -> bool:
    """Tell whether `text` may name a job."""
    return _job.match(text) is not None


Segment = Annotated[str, Meta(pattern=SEGMENT_PATTERN, description="A topic segment: id of a node, job type, workflow")]
JobId = Annotated[str, Meta(pattern=JOB_PATTERN, description="Random name of one attempt of one step")]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_MAX_CHARS)]
Nonce = Annotated[str, Meta(min_length=1, max_length=40)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Serial = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Date = Annotated[float, Meta(ge=0, le=DATE_MAX)]
ExitCode = Annotated[int, Meta(ge=-(1 << 31), lt=1 << 32)]
DatabaseName = Annotated[str, Meta(max_length=100)]
Direct = Annotated[
    str, Meta(max_length=DIRECT_MAX_CHARS, description="Where a node gives files by https; empty for nowhere")
]
SaidHosts = Annotated[
    tuple[Annotated[str, Meta(max_length=HOST_MAX_CHARS)], ...],
    Meta(max_length=HOSTS_SAID_MAX, description="Hosts as `files.hosts` lists them"),
]
Priority = Annotated[int, Meta(ge=0, le=9)]
Attempt = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
Status = Literal["pending", "queued", "running", "completed", "failed", "killed"]
InputFrom = tuple[JobId, Annotated[str, Meta(max_length=NAME_MAX_CHARS)], Any]
"""Where an input comes from: a job at the same agent, one of its outputs, and the CWL type that this must have."""
Position = tuple[Annotated[int, Meta(ge=0, le=(1 << 62))], Annotated[str, Meta(max_length=40)]]
"""A place in one direction of a link: `[seq, id]`; `[0, ""]` is the beginning."""
