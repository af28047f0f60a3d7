"""Queues of work that needs JavaScript: a thread does one after the other, and delivers what each gives.

Who asks much has a queue of its own, and the queues have turns: so a hundred scripts of one, each as slow as it may be,
hold up those of another by one of them.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable
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
        self._asked: dict[Hashable, deque[Callable[[Run], Given]]] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def ask(self, work: Callable[[Run], Given], queue: Hashable = None) -> None:
        """Have something done that needs scripts, when it is its turn in a queue, and the queue's among all."""
        with self._changed:
            self._asked.setdefault(queue, deque()).append(work)
            self._changed.notify()

    def run(self) -> None:
        """Do what is asked for, until `close`."""
        try:
            while (work := self._next()) is not None:
                self._deliver(work(self._interpreter.answer))
        finally:
            self._interpreter.end()

    def _next(self) -> Callable[[Run], Given] | None:
        """Return what is to be done next, when there is anything; its queue is the last one then."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._is_closed)
            if self._is_closed:
                return None
            queue = next(iter(self._asked))
            waiting = self._asked.pop(queue)
            work = waiting.popleft()
            if waiting:
                self._asked[queue] = waiting
            return work

    def close(self) -> None:
        """Have `run` return; what has not been done will not be."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._interpreter.close()
