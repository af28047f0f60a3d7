"""What systemd is told (sd_notify(3)): that the node is ready, how it is, that it reads its configuration, and lives.

A unit of `Type=notify` says where, and by `WatchdogSec` how often it wants to hear. All of it is said by the node's own
loop, so that systemd starts a node anew whose writer hangs. Without systemd nothing is said.
"""

import logging
import socket
from collections.abc import Mapping
from math import inf

from caroni_edge.base.text import on_one_line

log = logging.getLogger(__name__)

PINGS_IN_TIME = 3
"""So many pings fall into the time after which systemd takes the node for dead."""


class Systemd:
    """Systemd, if it has started this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Look who wants to be told.

        Args:
            environ: The environment of the process.
        """
        address, period_us = environ.get("NOTIFY_SOCKET", ""), environ.get("WATCHDOG_USEC", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_s = int(period_us) / 1e6 / PINGS_IN_TIME if address and period_us.isdigit() else inf
        self._due = -inf
        self._status: str | None = None

    def is_there(self) -> bool:
        """Tell whether anything needs to be said at all."""
        return bool(self._address)

    def next_due(self) -> float:
        """Return when the next ping is due, on the monotonic clock; infinity where nobody wants one."""
        return self._due if self._every_s < inf else inf

    def ready(self) -> None:
        """Say that the node serves, at its start and when it has read its configuration anew."""
        self._say("READY=1")

    def reloading(self, now: float) -> None:
        """Say that the node reads its configuration anew."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={int(now * 1e6)}")

    def stopping(self) -> None:
        """Say that the node ends."""
        self._say("STOPPING=1")

    def turn(self, status: str, now: float) -> None:
        """Say that the loop has turned: by a ping when one is due, and how the node is when that has changed.

        Args:
            status: How it is, for people.
            now: The monotonic time.
        """
        said = []
        if status != self._status:
            self._status = status
            said.append(f"STATUS={on_one_line(status)}")
        if now >= self.next_due():
            self._due = now + self._every_s
            said.append("WATCHDOG=1")
        if said:
            self._say(*said)

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as told:
                told.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", lines[0], error, extra={"action": "systemd_not_told"})


NOBODY = Systemd({})
