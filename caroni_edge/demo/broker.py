"""The embedded broker (amqtt) for the demo and for tests; never for production.

It forgets everything when it ends, never repeats a message that was not acknowledged, and sends no will for a client
that hangs. It asks for a user name, any one, because it queues nothing for anonymous clients that are away.
"""

import asyncio
import logging
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from caroni_edge.base.errors import CaroniError

log = logging.getLogger(__name__)

START_WITHIN_S = 10.0
END_WITHIN_S = 5.0
PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}}


class BrokerNotStarted(CaroniError):
    """The embedded broker cannot listen: {reason}."""

    hint = "Give a free port with --port; 0 takes any."


class EmbeddedBroker:
    """A broker in a thread of its own. It lets everybody in, so it listens on 127.0.0.1 only. Use it in a `with`.

    Attributes:
        host: Where it listens.
        port: The port it got.
        failure: Why it ended by itself; None while it has not.
        ended: Set when it has ended, whyever.
    """

    def __init__(self, port: int = 0) -> None:
        """Prepare a broker; the context (`with`) starts it.

        Args:
            port: 0 takes any free one.
        """
        self.host, self.port = "127.0.0.1", port
        self.failure: BaseException | None = None
        self.ended = threading.Event()
        self._started: Future[int] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)

    @property
    def url(self) -> str:
        """The URL that reaches it."""
        return f"mqtt://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        """Start, and wait until it listens.

        Raises:
            BrokerNotStarted: The port is taken, most likely.
        """
        self._thread.start()
        try:
            self.port = self._started.result(START_WITHIN_S)
        except Exception as error:
            raise BrokerNotStarted(f"{self.host}:{self.port}", reason=_cause(error)) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it, within a bound."""
        self.stop()

    def stop(self) -> None:
        """End it, within a bound; it may have ended already."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(2 * END_WITHIN_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.failure = error
            if not self._started.done():
                self._started.set_exception(error)
            else:
                log.exception("the embedded broker failed", extra={"action": "broker_failed"})
        finally:
            self.ended.set()

    async def _serve(self) -> None:
        # Imported here: it costs 0.1 s and 28 MB, and few commands need it.
        from amqtt.broker import Broker  # type: ignore[import-untyped]  # noqa: PLC0415

        # Its complaints are about clients (a port that is only probed is an "error"), which say the same themselves.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_about_a_client)
        listeners = {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}}
        broker = Broker({"listeners": listeners, "plugins": PLUGINS})
        await broker.start()
        # amqtt does not tell which port it got; tests pin this way of asking.
        sockets = broker._servers["default"].instance.sockets
        self._started.set_result(sockets[0].getsockname()[1])
        await self._stop.wait()
        try:
            await asyncio.wait_for(broker.shutdown(), END_WITHIN_S)
        except TimeoutError:
            log.warning("the embedded broker did not end in time", extra={"action": "broker_stuck"})


def _about_a_client(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.debug("in the embedded broker: %s", context.get("exception"), extra={"action": "broker_complains"})


def _cause(error: BaseException) -> str:
    """Return the words of the operating system where there are some; amqtt wraps them."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__
    return str(error) or type(error).__name__
