"""A queue of work that needs JavaScript: a thread does one after the other, and delivers what each gives."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from caroni_edge.javascript.interpreter import Answer, Interpreter, Script

Run = Callable[[Script], Answer]
"""Has a script run, and returns what it gives."""

Given = TypeVar("Given")


class Engine(Generic[Given]):
    """Works through what is asked. `run` is the work of a thread; the rest may be called by any."""

    def __init__(self, deliver: Callable[[Given], Any], interpreter: Interpreter | None = None) -> None:
        """Prepare.

        Args:
            deliver: Gets what each work gives.
            interpreter: Runs the scripts.
        """
        self._deliver = deliver
        self._interpreter = interpreter or Interpreter()
        self._asked: SimpleQueue[Callable[[Run], Given] | None] = SimpleQueue()
        self._closed = threading.Event()

    def ask(self, work: Callable[[Run], Given]) -> None:
        """Have something done that needs scripts."""
        self._asked.put(work)

    def run(self) -> None:
        """Do what is asked for, until `close`."""
        try:
            while (work := self._asked.get()) is not None and not self._closed.is_set():
                self._deliver(work(self._interpreter.answer))
        finally:
            self._interpreter.end()

    def close(self) -> None:
        """Have `run` return; what has not been done will not be."""
        self._closed.set()
        self._asked.put(None)
        self._interpreter.close()
