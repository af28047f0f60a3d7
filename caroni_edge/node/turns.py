"""Threads that fetch files, one each at a time: whose turn it is, and what ends since nobody wants it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from threading import Condition
from time import monotonic
from typing import Generic, TypeVar

from caroni_edge.node.dataconnection import Supervise

WORKERS = 4
"""So many files come at a time, of all managers together."""
LOOK_EVERY_S = 60.0


@dataclass(slots=True, kw_only=True)
class Task:
    """A file that is wanted.

    Attributes:
        manager: For whom.
        order: Of one manager's files those with a lesser number come first.
        not_before: It is not tried sooner.
        is_active: A thread is at it.
        is_done: It was told what has become of it.
        is_unwanted: Nobody wants it any more.
    """

    manager: str
    order: int
    not_before: float = field(default=-inf)
    is_active: bool = field(default=False)
    is_done: bool = field(default=False)
    is_unwanted: bool = field(default=False)


Name = TypeVar("Name")
AnyTask = TypeVar("AnyTask", bound=Task)


class Turns(Generic[Name, AnyTask]):
    """Gives each file its turn; threads begin with the first one.

    Attributes:
        changed: Held by whoever looks at tasks or changes them; waits end when they have changed.
        tasks: What is wanted, by name.
        is_closed: Nothing begins any more.
    """

    def __init__(self, name: str, supervise: Supervise, at_once: int, work: Callable[[AnyTask], None]) -> None:
        """Prepare.

        Args:
            name: Of the threads.
            supervise: Runs something in a thread of a name.
            at_once: So many files of a manager come at a time.
            work: Fetches one, in a thread, as far as that goes.
        """
        self._name, self._supervise, self._at_once, self._work = name, supervise, at_once, work
        self.changed = Condition()
        self.tasks: dict[Name, AnyTask] = {}
        self._has_threads = self.is_closed = False

    def add(self, name: Name, task: AnyTask) -> None:
        """Let a file have its turn."""
        with self.changed:
            self.tasks[name] = task
            has_threads, self._has_threads = self._has_threads, True
            self.changed.notify_all()
        for number in () if has_threads else range(WORKERS):
            self._supervise(f"{self._name}-{number + 1}", self._run)

    def close(self) -> None:
        """End as soon as may be."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()

    def wait(self, task: AnyTask, wait_s: Callable[[float], float]) -> bool:
        """Wait as long as `wait_s` says at a moment; return False where nobody wants more of a file."""
        with self.changed:
            while not (self.is_closed or task.is_unwanted) and (left_s := wait_s(monotonic())):
                self.changed.wait(left_s)
            return not (self.is_closed or task.is_unwanted)

    def _run(self) -> None:
        while (task := self._next()) is not None:
            self._work(task)

    def _next(self) -> AnyTask | None:
        """Wait for a file whose turn it is; None at the end."""
        with self.changed:
            while not self.is_closed:
                now = monotonic()
                busy = [each.manager for each in self.tasks.values() if each.is_active]
                waiting = [each for each in self.tasks.values() if not (each.is_active or each.is_done)]
                free = [each for each in waiting if busy.count(each.manager) < self._at_once]
                due = [each for each in free if each.not_before <= now]
                if due:
                    task = min(due, key=lambda each: (busy.count(each.manager), each.order))
                    task.is_active = True
                    return task
                wait_s = min((each.not_before - now for each in free), default=LOOK_EVERY_S)
                self.changed.wait(min(wait_s, LOOK_EVERY_S))
        return None
