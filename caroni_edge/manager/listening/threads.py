"""The thread of the rules: it has messages looked at, one after the other, and their JavaScript run."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue

from caroni_edge.config.automation import Rule
from caroni_edge.javascript.interpreter import Interpreter
from caroni_edge.manager.listening.listener import Listener
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.node.service import Service
from caroni_edge.transport.base import Event, TransportEnded
from caroni_edge.transport.mqtt import MqttTransport

LEAVE_WITHIN_S = 2.0


class Listening:
    """Hears what rules look at, by a connection of its own, from the first rule on."""

    def __init__(self, transport: MqttTransport, reactor: ManagerReactor, service: Service, opened: ExitStack) -> None:
        """Prepare; `opened` ends what is begun."""
        self._service, self._opened = service, opened
        self._todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._interpreter = Interpreter()
        tell = partial(service.tell, keep=False)
        self._listener = Listener(transport, reactor, self._interpreter.answer, tell, self._todo.put, time.time)
        self._is_started = False

    def problem(self) -> str | None:
        """Return why not all is heard that rules look at; any thread may ask."""
        return self._listener.problem()

    def use(self, rules: Sequence[Rule]) -> None:
        """Look at messages by these rules from now on; for the node's thread."""
        if self._is_started:
            self._todo.put(lambda: self._listener.use(rules))
            return
        self._listener.use(rules)
        if self._listener.is_needed:
            self._is_started = True
            self._start()

    def reconnect(self) -> None:
        """The broker is to be reached in another way from now on."""
        if self._is_started:
            self._todo.put(self._listener.transport.disconnect)

    def _start(self) -> None:
        transport = self._listener.transport
        self._service.supervise("triggers", self._work)
        transport.start(self._deliver)
        self._opened.callback(self._interpreter.close)
        self._opened.callback(transport.stop, LEAVE_WITHIN_S)

    def _deliver(self, event: Event) -> None:
        if isinstance(event, TransportEnded):
            self._service.deliver(event)
        else:
            self._todo.put(lambda: self._listener.take(event))

    def _work(self) -> None:
        while True:
            self._todo.get()()
