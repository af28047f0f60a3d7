"""What a job may use: the section `limits` of a job type's file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from caroni_edge.agent import jobtype_keys
from caroni_edge.agent.jobtype_keys import LOG_LIMIT_BYTES
from caroni_edge.config import duration, size
from caroni_edge.documents.documents import Findings
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.json import shown
from caroni_edge.values.large import LARGE_MAX_BYTES

SECTION = "limits"

_KEYS = jobtype_keys.names(SECTION)

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job of a type may use.

    Attributes:
        timeout_s: How long it may run; None: for ever.
        memory_bytes: Address space of each of its processes; None: no limit.
        output_bytes: Its outputs together, as JSON.
        log_bytes: Standard output and standard error, each.
        nice: From 0 to 19, the politest; None: as the agent.
    """

    timeout_s: float | None = None
    memory_bytes: int | None = None
    output_bytes: int = VALUES_LIMIT_BYTES
    log_bytes: int = LOG_LIMIT_BYTES
    nice: int | None = None


def read_limits(limits: Mapping[str, Any], findings: Findings) -> Limits:
    """Read the section; what is wrong is noted."""
    findings.unknown_keys(limits, _KEYS, SECTION)
    timeout_s = _limit(limits, "timeout", duration, findings)
    if timeout_s == 0:
        findings.error("timeout: 0 would end every job at once; leave it out for none", SECTION, "timeout")
    output_bytes = _limit(limits, "output", size, findings)
    if output_bytes is not None and output_bytes > LARGE_MAX_BYTES:
        what = f"output: at most {LARGE_MAX_BYTES >> 20}M; give larger data as a File"
        findings.error(what, SECTION, "output")
    log_bytes = _limit(limits, "log", size, findings)
    return Limits(
        timeout_s=timeout_s,
        memory_bytes=_limit(limits, "memory", size, findings),
        output_bytes=VALUES_LIMIT_BYTES if output_bytes is None else output_bytes,
        log_bytes=LOG_LIMIT_BYTES if log_bytes is None else log_bytes,
        nice=_limit(limits, "nice", _nice, findings),
    )


def _limit(limits: Mapping[str, Any], key: str, read: Callable[[object], Read], findings: Findings) -> Read | None:
    if limits.get(key) is None:
        return None
    try:
        return read(limits[key])
    except ValueError as error:
        findings.error(f"{key}: {error}", SECTION, key)
        return None


def _nice(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 19:
        raise ValueError(f"expected a number from 0 to 19, the politest, got {shown(value)}")
    return value
