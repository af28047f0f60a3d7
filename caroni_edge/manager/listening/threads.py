"""The threads of the rules: one has the messages looked at, one runs their JavaScript."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue

from caroni_edge.config.automation import Rule
from caroni_edge.javascript.engine import Answer, Engine, Script
from caroni_edge.manager.listening.listener import Listener
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.node.service import Service
from caroni_edge.transport.base import TransportEnded
from caroni_edge.transport.mqtt import MqttTransport

LEAVE_WITHIN_S = 2.0


class Listening:
    """Hears what rules look at, by a connection of its own, as long as there are rules."""

    def __init__(self, transport: MqttTransport, reactor: ManagerReactor, service: Service, opened: ExitStack) -> None:
        """Prepare; `opened` ends what is begun."""
        self._service = service
        self._todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._engine = Engine(lambda _name, answer: self._answers.put(answer))
        tell = partial(service.tell, keep=False)
        self._listener = Listener(transport, reactor, self._run, tell, self._todo.put, time.time)
        self._is_started = self._is_running_scripts = False
        self._opened = opened

    def problem(self) -> str | None:
        """Return why not all is heard that rules look at; any thread may ask."""
        return self._listener.problem()

    def use(self, rules: Sequence[Rule]) -> None:
        """Look at messages by these rules from now on; for the node's thread."""
        if not self._is_started:
            self._listener.use(rules)
            if self._listener.is_needed:
                self._is_started = True
                self._start()
        else:
            self._todo.put(lambda: self._listener.use(rules))

    def reconnect(self) -> None:
        """The broker is to be reached in another way from now on."""
        if self._is_started:
            self._todo.put(self._listener.transport.disconnect)

    def _start(self) -> None:
        transport = self._listener.transport
        self._service.supervise("triggers", self._work)
        transport.start(self._deliver)
        self._opened.callback(self._engine.close)
        self._opened.callback(transport.stop, LEAVE_WITHIN_S)

    def _deliver(self, event: object) -> None:
        if isinstance(event, TransportEnded):
            self._service.deliver(event)
        else:
            self._todo.put(lambda: self._listener.take(event))  # type: ignore[arg-type]

    def _work(self) -> None:
        while True:
            self._todo.get()()

    def _run(self, script: Script) -> Answer:
        """Run a script, and wait for what it gives."""
        if not self._is_running_scripts:
            self._is_running_scripts = True
            self._service.supervise("triggers-javascript", self._engine.run)
        self._engine.ask("", script)
        return self._answers.get()
