"""Metrics in the text format of Prometheus, and those that both roles have."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from caroni_edge.delivery.events import EventRows
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.node.store import DeadLetterRows
from caroni_edge.storage.database import size_bytes

CONTENT_TYPE = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True)
class Metric:
    """A gauge, as Prometheus calls what goes up and down: its name, what it means, a value for each set of labels.

    Attributes:
        name: Without the prefix `caroni_`.
        help: What it says.
        samples: Its values, by labels.
    """

    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float]]


def single(name: str, text: str, value: float) -> Metric:
    """Return a metric that has one value and no labels."""
    return Metric(name, text, [({}, value)])


def by(label: str, counts: Mapping[str, float]) -> list[tuple[Mapping[str, str], float]]:
    """Return samples that differ in one label."""
    return [({label: key}, value) for key, value in counts.items()]


def common(conn: sqlite3.Connection, *, ready: bool, connected: bool) -> list[Metric]:
    """Return the metrics that both roles have."""
    waiting = [messages for messages in OutboxRows(conn).count_waiting() if messages]
    return [
        single("ready", "1 when the node can work.", ready),
        single("connected", "1 while the node is connected to the broker.", connected),
        single("outbox_messages", "Link messages that no peer has acknowledged yet.", sum(waiting)),
        single("outbox_peers", "Peers for whom link messages wait.", len(waiting)),
        single("events_waiting", "Events that the broker has not acknowledged yet.", EventRows(conn).count()),
        single("dead_letters", "Messages that could not be handled.", DeadLetterRows(conn).count()),
        single("database_bytes", "Size of the state database.", size_bytes(conn)),
    ]


def render(metrics: Iterable[Metric]) -> str:
    """Return metrics in the text format of Prometheus, version 0.0.4."""
    lines: list[str] = []
    for metric in metrics:
        name = f"caroni_{metric.name}"
        lines += [f"# HELP {name} {_escaped(metric.help)}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value, quote=True)}"' for name, value in labels.items()) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text
