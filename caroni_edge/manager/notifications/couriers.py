"""Hands notifications over: one thread for each target, one notification after the other, until each is taken."""

import base64
import hashlib
import hmac
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.moment import Moment
from caroni_edge.config.notify import Command, Notify, Topic, Webhook
from caroni_edge.config.secret import Secret
from caroni_edge.manager.notifications.notifications import Result
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store.notifications import NotificationRow
from caroni_edge.node.service import Service

log = logging.getLogger(__name__)

Given = TypeVar("Given")

AGAIN = Backoff(first_s=10.0, max_s=3600.0)
WITHIN_S = 30.0
"""So long a command may run, and a webhook may be silent."""
ENDS_WITHIN_S = 5.0
"""So long it may take until a command is gone that is killed."""
MAY_COME_LATER = frozenset({408, 425, 429})
"""Of the answers that refuse a request these may be others later on."""
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ")
_PREFIX = "whsec_"

for _talkative in ("httpx", "httpcore"):  # they log URLs and headers, which hold secrets
    logging.getLogger(_talkative).setLevel(logging.WARNING)


class Couriers:
    """The threads that hand over, as the configuration has targets. What one of them meets concerns no other."""

    def __init__(self, reactor: ManagerReactor, service: Service) -> None:
        """Hand over what `reactor` has."""
        self._reactor, self._service = reactor, service
        self._at_work: dict[str, Courier] = {}

    def use(self, entries: Iterable[Notify]) -> None:
        """Have couriers for the targets of these entries, and for no others; for the node's thread."""
        wanted = {each.target_key: each.target for each in entries if not isinstance(each.target, Topic)}
        for key in [*self._at_work]:
            if self._at_work[key].target != wanted.get(key):
                self._at_work.pop(key).close()
        for key, target in wanted.items():
            if key not in self._at_work and not isinstance(target, Topic):
                self._at_work[key] = Courier(key, target, self._reactor, self._service)

    def wake(self) -> None:
        """Something waits for somebody."""
        for courier in self._at_work.values():
            courier.wake.set()

    def close(self) -> None:
        """End all; what is on its way may come again at the next start."""
        for courier in self._at_work.values():
            courier.close()


class Courier:
    """Hands over to one target.

    Attributes:
        target: To whom.
        wake: Set when something may wait.
    """

    def __init__(self, key: str, target: Webhook | Command, reactor: ManagerReactor, service: Service) -> None:
        """Begin."""
        self.target, self.wake = target, threading.Event()
        self._key, self._reactor, self._service = key, reactor, service
        self._hands = Hands(target)
        self._closed = False
        threading.Thread(target=self._run, name=f"courier-{key}", daemon=True).start()

    def close(self) -> None:
        """Take no other notification."""
        self._closed = True
        self.wake.set()

    def _run(self) -> None:
        tries = 0
        while not self._closed:
            self.wake.clear()
            try:
                pause_s = self._hand_over_all()
                tries = 0
            except CaroniError as error:  # the node is busy, or its disk is full
                pause_s, tries = AGAIN.nth(tries), tries + 1
                log.warning("notifications wait: %s", error, extra={"action": "notifications_wait"})
            except Exception:
                pause_s, tries = AGAIN.nth(tries), tries + 1
                log.exception("handing over failed", extra={"action": "notification_failed"})
            if pause_s is None:
                self.wake.wait()
            else:
                self._rest(pause_s)

    def _rest(self, pause_s: float) -> None:
        """Wait before the next try; other notifications do not shorten it."""
        until = time.monotonic() + pause_s
        while not self._closed and (left_s := until - time.monotonic()) > 0:
            self.wake.wait(left_s)
            if not self._closed:
                self.wake.clear()

    def _hand_over_all(self) -> float | None:
        """Hand over until nothing waits, or something is not taken: then return how long to wait."""
        while not self._closed:
            row = self._ask(lambda _at: self._reactor.notifications.first(self._key))
            if row is None:
                return None
            result, said = self._hand_over(row)
            self._ask(partial(self._note, row.id, result, said))
            if result == "again":
                return AGAIN.nth(row.tries)
        return None

    def _hand_over(self, row: NotificationRow) -> tuple[Result, str]:
        try:
            return self._hands.hand_over(row, time.time())
        except Exception as error:  # a try that is not noted would never be the last
            log.exception("handing over failed", extra={"action": "notification_failed"})
            return "again", f"it cannot be handed over: {type(error).__name__} (the manager's log tells more)"

    def _note(self, number: int, result: Result, said: str, at: Moment) -> None:
        self._reactor.notifications.handed_over(number, self.target.name, result, said, at)

    def _ask(self, work: Callable[[Moment], Given]) -> Given:
        return self._service.call(work)


class Hands:
    """Hands over to one target, by one process at a time: none is started beside one that cannot be ended."""

    def __init__(self, target: Webhook | Command) -> None:
        """Hand over to `target`."""
        self._target = target
        self._left: subprocess.Popen[bytes] | None = None

    def hand_over(self, row: NotificationRow, date: float) -> tuple[Result, str]:
        """Hand a notification over once; return what became of it, and what there is to say, without secrets."""
        return _post(self._target, row, date) if isinstance(self._target, Webhook) else self._run(self._target, row)

    def _run(self, target: Command, row: NotificationRow) -> tuple[Result, str]:
        if self._left is not None and self._left.poll() is None:
            return "again", f"process {self._left.pid} of a try before still runs, and cannot be ended from here"
        self._left = None
        try:
            process = _begin(target, row)
        except OSError as error:
            return "again", f"it cannot be started: {error.strerror}"
        try:
            process.communicate(row.body, timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            said = f"it had not ended after {WITHIN_S:g} s"
            if not _end(process):
                self._left = process
                return "again", f"{said}, and process {process.pid} cannot be ended from here (another user's?)"
            if _has_left_others(process.pid):
                return "again", f"{said}, and what it runs as another user (process group {process.pid}) goes on"
            return "again", said
        status = process.returncode
        return ("taken", "") if status == 0 else ("again", f"it ended with status {status}")


def signature(secret: Secret, event: str, stamp: int, body: bytes) -> str:
    """Return the signature of Standard Webhooks: HMAC-SHA256 over id, time and body, in base64."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else text.encode()
    except ValueError:
        key = text.encode()
    signed = hmac.new(key, f"{event}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _post(target: Webhook, row: NotificationRow, date: float) -> tuple[Result, str]:
    import httpx  # noqa: PLC0415 - 5 MB, and few managers have a webhook

    stamp = int(date)
    headers = {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": row.event,
        "webhook-timestamp": str(stamp),
    }
    if target.secret is not None:
        headers["webhook-signature"] = signature(target.secret, row.event, stamp, row.body)
    try:
        with (
            httpx.Client(timeout=WITHIN_S, trust_env=False) as client,
            client.stream("POST", target.url, content=row.body, headers=headers) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return "again", f"it cannot be reached: {type(error).__name__}"  # the words may hold the URL
    if 200 <= status < 300:
        return "taken", ""
    is_final = 400 <= status < 500 and status not in MAY_COME_LATER
    return "never" if is_final else "again", f"it answers with status {status}"


def _begin(target: Command, row: NotificationRow) -> subprocess.Popen[bytes]:
    environ = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return subprocess.Popen(
        target.words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environ, "CARONI_EVENT": row.event},
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> bool:
    """Kill a command with what it has started, and tell whether it is gone: as another user (`sudo`) it stays."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _has_left_others(group: int) -> bool:
    """Tell whether all that is left of the process group of a command belongs to other users."""
    try:
        os.killpg(group, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return False
