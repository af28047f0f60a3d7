"""A broker that writes down what it is sent: a line for each MQTT message, in order, for people to read.

Ids are random, so each is called after what it is of and when it came first: `job1`, `offer2`, `question1`. Left out is
what tells a reader nothing, such as dates. All other fields are shown, and so is one that a message gets some day.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from caroni_edge.protocol.codec import decode_frame
from caroni_edge.protocol.messages import Frame
from caroni_edge.transport.memory_broker import MemoryBroker

ROOT = "caroni/"
PAUSE_S = 1.0
"""Pauses from this length on are said."""
MOST_CHARACTERS = 80

IDS = {
    "job": "job",
    "fed": "job",
    "jobs": "job",
    "after": "job",
    "upto": "job",
    "offer": "offer",
    "database": "database",
    "message": "message",
    "ask": "question",
    "answer": "question",
    "wanted": "question",
}
"""Fields that hold random ids, and what such a thing is called."""
PLAIN = ("job", "offer", "database", "wanted", "job_type", "workflow", "step", "agent", "status")
"""Fields whose value says enough; others are written as `name=value`."""
LEFT_OUT = (
    *("id", "type", "boot", "host", "version", "template", "inputs_hash", "spread", "valid_for", "expected_start"),
    *("started", "ended"),
)


class Wire(MemoryBroker):
    """The broker.

    Attributes:
        lines: What was written down.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin with nothing written down."""
        super().__init__(*arguments, **options)
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._last_s: float | None = None

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Write a message down: who says it, where, QoS (`r`: retained) and what. Then give it to its subscribers."""
        self._note_time(self.now)
        sender, where, said = self._read(topic, payload)
        head = f"{sender:<4} -> {where:<15} {qos}{'r' * retain}"
        for text in said:
            self.lines.append(f"{head:<26} {text}")
            head = ""
        super().publish(topic, payload, qos, retain)

    def note(self, now: float, text: str) -> None:
        """Write down what somebody does that goes over no wire."""
        self._note_time(now)
        self.lines.append(f"! {text}")

    def clear(self) -> None:
        """Forget what was written down, and the names of what it was about."""
        self.lines.clear()
        self._names.clear()
        self._last_s = None

    def _note_time(self, now: float) -> None:
        if self._last_s is not None and now - self._last_s >= PAUSE_S:
            self.lines.append(f". {now - self._last_s:.0f} s later")
        self._last_s = now

    def _read(self, topic: str, payload: bytes) -> tuple[str, str, list[str]]:
        """Return who says something, where, and what: for each link message of a frame a text of its own."""
        match topic.removeprefix(ROOT).split("/"):
            case [_, node, "inbox", _, sender]:
                return sender, node, [*self._frame(decode_frame(topic, payload))]
            case ["managers", manager, "workflows"]:
                return "user", f"{manager}/workflows", [payload.decode()]
            case ["managers", manager, "events", workflow]:
                return manager, f"events/{workflow}", [self._event(msgspec.json.decode(payload))]
            case ["presence", _, node]:
                return node, "presence", [self._notice(payload)]
            case ["requests", job_type, manager]:
                return manager, f"requests/{job_type}", [self._notice(payload)]
        raise AssertionError(f"nobody is to write to {topic}")

    def _frame(self, frame: Frame) -> Iterator[str]:
        ack = f"ack {frame.ack[0]}"
        if frame.ask is not None:
            yield f"Hello {self._name('ask', frame.ask)}, {ack}"
        elif frame.answer is not None:
            yield f"answer to {self._name('answer', frame.answer)}, {ack}"
        elif not frame.messages:
            yield ack
        left = len(frame.messages)
        for seq, raw in enumerate(frame.messages, start=frame.first or 0):
            message, left = msgspec.json.decode(raw), left - 1
            yield f"{seq} {message['type']} {self._facts(message)}".rstrip() + ("" if left else f"; {ack}")

    def _event(self, event: dict[str, Any]) -> str:
        about = {name: value for name, value in event["data"].items() if name not in ("workflow", "step")}
        return f"{event['type']} {event['subject']} {self._facts(about)}".rstrip()

    def _notice(self, payload: bytes) -> str:
        return self._facts(msgspec.json.decode(payload)) if payload else "cleared"

    def _facts(self, facts: dict[str, Any]) -> str:
        return " ".join(self._fact(name, value) for name, value in facts.items() if name not in LEFT_OUT)

    def _fact(self, name: str, value: Any) -> str:
        """Return a field of a message, as short as it can be understood."""
        match name, value:
            case _, True:
                return name
            case "jobs", list():
                return " ".join(
                    f"[{self._facts(job)}]" if isinstance(job, dict) else self._name(name, job) for job in value
                )
            case (("fed" | "inputs_from"), (list() | dict())):
                return f"{name}={','.join(self._takers(value))}"
            case "job_types", dict():
                return f"{name}={','.join(value)}"
        text = self._name(name, value) if name in IDS else value
        if name in PLAIN:
            return str(text)
        text = text if name in IDS else msgspec.json.encode(value).decode()
        return f"{name}={text if len(text) <= MOST_CHARACTERS else f'{text[:MOST_CHARACTERS]}...'}"

    def _takers(self, value: Any) -> Iterator[str]:
        """Yield what jobs are called that were given inputs, or by input from which output of which job it comes."""
        if isinstance(value, list):
            yield from (self._name("fed", job) for job in value)
        else:
            yield from (f"{name}:{self._name('job', job)}/{output}" for name, (job, output, _) in value.items())

    def _name(self, field: str, value: str) -> str:
        """Return what an id is called; an empty one means that there is none."""
        if value and value not in self._names:
            kinds = Counter(name.rstrip("0123456789") for name in self._names.values())
            self._names[value] = f"{IDS[field]}{kinds[IDS[field]] + 1}"
        return self._names.get(value, "none")
