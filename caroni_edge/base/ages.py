"""How long ago something was, and how long it took, in words for people."""

import re
import time
from datetime import datetime
from typing import Final

_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86400.0

MOMENT: Final = re.compile(r"\b(?:(since|at) )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")
"""A moment within a sentence, with the word before it that decides how it is said."""


def age(stamp: str, now: float | None = None) -> str:
    """Say how long ago a moment was (RFC 3339), in its largest unit, as `live.js` does."""
    left_s = (time.time() if now is None else now) - datetime.fromisoformat(stamp).timestamp()
    since_s = abs(left_s)
    if since_s < _SECOND:
        return "now"
    for unit_s, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if since_s >= unit_s:
            text = f"{int(since_s // unit_s)} {unit}"
            break
    return f"in {text}" if left_s < 0 else f"{text} ago"


def lasting(stamp: str, now: float | None = None) -> str:
    """Say how long something has lasted that began at a moment (RFC 3339), as `live.js` does."""
    since_s = (time.time() if now is None else now) - datetime.fromisoformat(stamp).timestamp()
    return f"{max(0, int(since_s))} s" if since_s < _MINUTE else duration(since_s)


def duration(seconds: float | None) -> str:
    """Say how long something took, in its two largest units; nothing for None."""
    if seconds is None:
        return ""
    if seconds < _SECOND:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if seconds < _HOUR:
        return f"{whole // 60} min {whole % 60} s"
    if seconds < _DAY:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def with_ages(sentence: str) -> str:
    """Return a sentence with its moments as ages; after "since", as how long it has lasted."""

    def said(found: re.Match[str]) -> str:
        try:
            return f"for {lasting(found[2])}" if found[1] == "since" else age(found[2])
        except ValueError:  # a text of somebody's that only looks like a moment
            return found[0]

    return MOMENT.sub(said, sentence)
