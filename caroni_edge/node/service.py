"""A daemon's one writer: the loop that takes what has arrived in batches, and what other threads may ask of it."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.measures import LoopMeasures
from caroni_edge.base.moment import Moment
from caroni_edge.base.systemd import NOBODY, Systemd
from caroni_edge.node.arrivals import Arrivals
from caroni_edge.node.calls import Call
from caroni_edge.node.node import Node
from caroni_edge.transport.base import Event, TransportEnded

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LOOK_AGAIN_S = 60.0
CONNECTED = "connected to the broker"


class Busy(CaroniError):
    """The node has not answered within {timeout_s} s."""

    hint = "It is busy, or its disk hangs; look at its log and at /readyz."


class Stopping(CaroniError):
    """The node is stopping."""

    hint = "Ask again when it is back."


@dataclass(frozen=True, slots=True)
class Stop:
    """Asks the loop to end; the process exits with this status."""

    exit_status: int


@dataclass(frozen=True, slots=True)
class Reload:
    """Asks for the configuration to be read anew (SIGHUP)."""


@dataclass(frozen=True, slots=True)
class ThreadEnded:
    """A supervised thread has ended while it was needed, by a failure or by itself."""

    name: str
    failure: BaseException | None


Item = Event | Call | Stop | Reload | ThreadEnded


class Service:
    """Runs a node until a stop is asked or a thread ends.

    Attributes:
        measures: How large its batches are, and how long they take.
    """

    def __init__(self, systemd: Systemd = NOBODY) -> None:
        """Begin with nothing arrived; `systemd` hears how the loop goes."""
        self._arrivals: Arrivals[Item] = Arrivals()
        self.measures = LoopMeasures()
        self._systemd = systemd

    # From any thread

    def deliver(self, item: Item) -> None:
        """Add something that has happened to what the loop takes."""
        self._arrivals.put(item)

    def call(self, work: Callable[[Moment], Result], timeout_s: float = 10.0) -> Result:
        """Run `work` in the node's thread, within a batch, and return its result when it is committed.

        Raises:
            Busy: It was not done in time; it may still be.
            Exception: Whatever `work` raised; it has had no effect.
        """
        call = Call(work)
        self.deliver(call)
        try:
            result: Result = call.done.result(timeout_s)
        except TimeoutError:
            raise Busy("", timeout_s=timeout_s) from None
        return result

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        """Run `work` within a batch (if it is kept: again after a storage error); return what tells that it is done."""
        call = Call(work, keep=keep)
        call.done.add_done_callback(_log_failure)
        self.deliver(call)
        return call.done

    def supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run `work` in a named thread; its end, in any way, ends the service."""

        def body() -> None:
            failure: BaseException | None = None
            try:
                work()
            except Exception as error:  # noqa: BLE001 - reported by the loop, which ends
                failure = error
            self.deliver(ThreadEnded(name, failure))

        thread = threading.Thread(target=body, name=name, daemon=True)
        thread.start()
        return thread

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP re-reads; a handler only leaves a note."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.deliver(Stop(0)))
        signal.signal(signal.SIGHUP, lambda *_: self.deliver(Reload()))

    # The loop

    def run(self, node: Node, reload: Callable[[], None]) -> int:
        """Serve until a stop is asked or a supervised thread ends; return the exit status."""
        node.start(now())
        self._systemd.ready()
        while True:
            if self._systemd.is_there():
                self._systemd.turn(node.why_not_ready() or CONNECTED, time.monotonic())
            items = self._take(node)
            stop = _find_stop(items)
            if stop is not None:
                self._systemd.stopping()
                self._refuse(items)
                return stop.exit_status
            if any(isinstance(item, Reload) for item in items):
                self._systemd.reloading(time.monotonic())
                reload()
                self._systemd.ready()
            self._run_batch(node, [item for item in items if not isinstance(item, Stop | Reload | ThreadEnded)])

    def _run_batch(self, node: Node, items: list[Event | Call]) -> None:
        at = now()
        node.run_batch(items, at)
        if items:
            self.measures.observe(time.monotonic() - at.now, len(items))

    def _refuse(self, items: list[Item]) -> None:
        """Tell those who wait for an answer that none will come."""
        for item in (*items, *self._arrivals.rest()):
            if isinstance(item, Call):
                item.done.set_exception(Stopping(""))

    def _take(self, node: Node) -> list[Item]:
        """Return what has arrived, at the latest when the node has something to do."""
        due = min(node.next_due(), self._systemd.next_due())
        wait_s = LOOK_AGAIN_S if due == inf else min(max(0.0, due - time.monotonic()), LOOK_AGAIN_S)
        return self._arrivals.take(node.topics, node.connection.receipts, wait_s)


def _find_stop(items: list[Item]) -> Stop | None:
    """Return why the loop must end, if it must."""
    for item in items:
        match item:
            case Stop():
                return item
            case ThreadEnded(name, failure):
                log.critical("thread %s has ended", name, extra={"action": "thread_ended"}, exc_info=failure)
                return Stop(1)
            case TransportEnded(failure):
                log.critical("the connection's thread has ended: %s", failure, extra={"action": "thread_ended"})
                return Stop(1)
    return None


def now() -> Moment:
    """Return the present time on both clocks."""
    return Moment(time.monotonic(), time.time())


def _log_failure(done: Any) -> None:
    error = done.exception()
    if error and not isinstance(error, Stopping):
        log.error("a command failed: %s", error, extra={"action": "command_failed"}, exc_info=error)
