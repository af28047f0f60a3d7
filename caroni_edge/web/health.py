"""What the doctor can find from within the running node: made when somebody asks, at most once a minute."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from threading import Lock, Thread
from typing import NamedTuple

from caroni_edge.doctor import clock, descriptors, disk, state_dir
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.web.site import Site

log = logging.getLogger(__name__)

AGAIN_S = 60.0
CHECK_DATABASE_S = 1.0
FIRST_WITHIN_S = 2.0
NOT_YET = warning("doctor", "the examination takes long", "Look again in a moment; the disk may hang.")


class Examined(NamedTuple):
    """What was found, and when."""

    date: float
    findings: tuple[Finding, ...]


class Health:
    """Examines the node in a thread of its own, since a disk that hangs must hold up no request for ever."""

    def __init__(self, site: Site, now: Callable[[], float] = time.monotonic) -> None:
        """Examine the node that `site` serves; `now` is monotonic."""
        self._site, self._now = site, now
        self._lock = Lock()
        self._found: Examined | None = None
        self._due = now()
        self._thread: Thread | None = None

    def look(self) -> Examined:
        """Return what was found last, with whether the node can work now."""
        with self._lock:
            if self._now() >= self._due and (self._thread is None or not self._thread.is_alive()):
                self._thread = Thread(target=self._examine, name="doctor", daemon=True)
                self._thread.start()
            thread = self._thread
        if self._found is None and thread is not None:
            thread.join(FIRST_WITHIN_S)
        found = self._found or Examined(time.time(), (NOT_YET,))
        return found._replace(findings=(self._readiness(), *found.findings))

    def _readiness(self) -> Finding:
        reason = self._site.node.why_not_ready()
        return ok("ready", "the node can work") if reason is None else problem("ready", reason, "Its log says more.")

    def _examine(self) -> None:
        try:
            found = tuple(self._findings())
        except (OSError, sqlite3.Error) as error:
            found = (problem("doctor", f"the examination has failed: {error}", "Look at the disk, and at the log."),)
            log.warning("%s", found[0].sentence, extra={"action": "examination_failed"})
        self._found, self._due = Examined(time.time(), found), self._now() + AGAIN_S

    def _findings(self) -> Iterator[Finding]:
        config = self._site.config()
        yield from state_dir.of_directory(self._site.state_dir)
        yield from disk.check(config)
        with self._site.readers.open() as conn:
            yield state_dir.of_database(conn, CHECK_DATABASE_S)
        yield from clock.check(self._site.dates(), time.time())
        yield descriptors.check()
        yield from self._site.findings()
