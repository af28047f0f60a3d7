"""What was done to whom and when: a file for people, and the same as data for the report."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outage:
    """A fault, from its beginning to its end.

    Attributes:
        who: The broker or a node.
        fault: What happened to it.
        begin: Unix seconds.
        end: Unix seconds.
        cuts: Meanwhile nobody could reach it.
    """

    who: str
    fault: str
    begin: float
    end: float
    cuts: bool


class Trace:
    """Any thread may add to it.

    Attributes:
        path: The file.
        begun: Unix seconds.
        outages: All that have ended.
        problems: Promises that were seen broken on the way.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.begun = path, time.time()
        self.outages: list[Outage] = []
        self.problems: list[str] = []
        self._lock = threading.Lock()
        path.touch()

    def note(self, who: str, what: str) -> float:
        """Write a line; return the time in it."""
        now = time.time()
        with self._lock, self.path.open("a") as file:
            file.write(f"{now - self.begun:9.3f} {who:8} {what}\n")
        return now

    def problem(self, who: str, what: str) -> None:
        """Note a broken promise."""
        self.problems.append(f"{who}: {what}")
        self.note(who, f"PROBLEM {what}")

    def ended(self, who: str, fault: str, begin: float, *, cuts: bool) -> None:
        """Note the end of a fault."""
        self.outages.append(Outage(who, fault, begin, self.note(who, f"end of: {fault}"), cuts))
