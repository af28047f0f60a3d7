"""The keeper's own log."""

import sys
import time


def note(text: str) -> None:
    """Write a line into the keeper's log (standard error); if that fails, the line is lost."""
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        sys.stderr.write(f"{date} keeper: {text}\n")
        sys.stderr.flush()
    except OSError:
        return
