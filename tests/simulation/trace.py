"""What happened in a schedule, in simulated time: what arrived, what was logged, faults and crashes."""

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from caroni_edge.node.calls import Call
from caroni_edge.transport.base import Arrived, Event

SHORT = 40
FAULT = "!"
IDS = ("workflow", "step", "job", "attempt", "peer", "offer")
NAMES = re.compile(r"\bw\d+\b|\b[a-z0-9]{16}\b")
"""How workflows and jobs are named in the simulation."""


class Happened(NamedTuple):
    """Something that happened to somebody; the text begins with `FAULT` when the schedule did it."""

    now: float
    who: str
    text: str

    def __str__(self) -> str:
        """Return a line for people."""
        return f"{self.now:12.3f}  {self.who:<6}  {self.text}"


class Trace(logging.Handler):
    """Everything that happened.

    Attributes:
        events: In order.
        now: The simulated time.
        who: Who acts now.
    """

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(logging.DEBUG)
        self.events: list[Happened] = []
        self.now, self.who = 0.0, ""

    def add(self, text: str) -> None:
        """Note that something happened to whoever acts."""
        self.events.append(Happened(self.now, self.who, text))

    def fault(self, now: float, text: str) -> None:
        """Note what the schedule does."""
        self.events.append(Happened(now, FAULT, f"{FAULT} {text}"))

    def emit(self, record: logging.LogRecord) -> None:
        """Note what the product logs."""
        said = ", ".join(f"{name} {getattr(record, name)}" for name in IDS if hasattr(record, name))
        error = f": {record.exc_info[1]!r}" if record.exc_info and record.exc_info[1] else ""
        self.add(f"{record.getMessage()}{error}{f' ({said})' if said else ''}")

    def arrived(self, items: Iterable[Event | Call]) -> None:
        """Note what a batch begins with."""
        for item in items:
            match item:
                case Arrived():
                    self.add(f"<- {_topic(item.topic)}{' retained' * item.retain}{_content(item.payload)}")
                case _:  # of connections the product tells, and acknowledgements tell nothing
                    pass

    def around(self, wrong: Sequence[str], most: int = SHORT) -> list[Happened]:
        """Return the last events about the workflows and jobs that are named in what is wrong, with all faults."""
        names = set(NAMES.findall(" ".join(wrong)))
        for event in self.events:
            found = set(NAMES.findall(event.text))
            # Only a placement names a workflow and its job; what is wrong may name either.
            if event.text.startswith("job placed") and found & names:
                names |= found
        if not names:
            return self.events[-most:]
        return [each for each in self.events if each.who == FAULT or names & set(NAMES.findall(each.text))][-most:]


def _topic(topic: str) -> str:
    return topic.removeprefix("caroni/")


def _content(payload: bytes) -> str:
    said: Any = msgspec.json.decode(payload) if payload else {}
    if not isinstance(said, dict) or "boot" not in said or "from" not in said:
        return f" {payload.decode()[:160]}"
    parts = [f"{word} {said[word]}" for word in ("ask", "answer") if said.get(word)]
    ack = said.get("ack")
    parts.append(f"ack {ack[0]}" if ack else "")
    for number, message in enumerate(said.get("messages", ()), start=said.get("first") or 0):
        facts = {key: value for key, value in message.items() if key not in ("id", "type", "v")}
        parts.append(f"{number}:{message.get('type')} {msgspec.json.encode(facts).decode()[:240]}")
    return " [" + "; ".join(part for part in parts if part) + "]"
