"""The systemd journal: takes records with their facts as fields, so that `journalctl CARONI_WORKFLOW=w1` finds them."""

import os
import re
import socket
from collections.abc import Mapping
from typing import Final, TextIO

SOCKET: Final = "/run/systemd/journal/socket"
STREAM: Final = "JOURNAL_STREAM"
IDENTIFIER: Final = "caroni-edge"

_NO_NAME: Final = re.compile(r"[^A-Z0-9_]")


def takes(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream ends in the journal, which then can be told more than lines (systemd.exec(5))."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is no file at all
        return False
    return environ.get(STREAM) == f"{there.st_dev}:{there.st_ino}"


def entry(message: str, priority: int, facts: Mapping[str, str]) -> bytes:
    """Return an entry in the journal's own form, which text from elsewhere cannot add fields to.

    Args:
        message: What people read.
        priority: As syslog(3) counts: 3 is an error, 7 is for debugging.
        facts: The other fields; each name gets `CARONI_` before it.
    """
    fields = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": IDENTIFIER}
    fields |= {f"CARONI_{_NO_NAME.sub('_', name.upper())}": value for name, value in facts.items()}
    return b"".join(_field(name, value.encode(errors="replace")) for name, value in fields.items())


def send(data: bytes, address: str = SOCKET) -> None:
    """Give an entry to the journal.

    Raises:
        OSError: It is not there, or the entry is too large for it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(data, address)


def _field(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
