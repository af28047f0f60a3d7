"""Metrics in the text format of Prometheus, and those that both roles have."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

WAITING_BY_PEER = """
    SELECT (SELECT seq FROM outbox WHERE peer = p.peer ORDER BY seq DESC LIMIT 1)
    - (SELECT seq FROM outbox WHERE peer = p.peer ORDER BY seq LIMIT 1) + 1 AS messages FROM peers p"""
"""Rows of the outbox by peer; their numbers are without gaps, so that no row must be counted."""
EVENTS = """
    SELECT coalesce((SELECT seq FROM events ORDER BY seq DESC LIMIT 1)
    - (SELECT seq FROM events ORDER BY seq LIMIT 1) + 1, 0)"""
"""About: they leave nearly in their order."""
DEAD_LETTERS = "SELECT count(*) FROM dead_letters"

CONTENT_TYPE = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: Without the prefix `caroni_`.
        help: What it says.
        samples: Its values, by labels.
        kind: A gauge goes up and down, a counter only up.
    """

    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float]]
    kind: Literal["gauge", "counter"] = field(default="gauge")


def single(name: str, text: str, value: float, kind: Literal["gauge", "counter"] = "gauge") -> Metric:
    """Return a metric that has one value and no labels."""
    return Metric(name, text, [({}, value)], kind)


def by(label: str, counts: Mapping[str, float]) -> list[tuple[Mapping[str, str], float]]:
    """Return samples that differ in one label."""
    return [({label: key}, value) for key, value in counts.items()]


def common(conn: sqlite3.Connection, *, ready: bool, connected: bool) -> list[Metric]:
    """Return the metrics that both roles have."""
    waiting = [messages for (messages,) in conn.execute(WAITING_BY_PEER) if messages]
    pages, page_bytes = (conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return [
        single("ready", "1 when the node can work.", ready),
        single("connected", "1 while the node is connected to the broker.", connected),
        single("outbox_messages", "Link messages that no peer has acknowledged yet.", sum(waiting)),
        single("outbox_peers", "Peers for whom link messages wait.", len(waiting)),
        single(
            "events_waiting", "Events that the broker has not acknowledged yet.", conn.execute(EVENTS).fetchone()[0]
        ),
        single("dead_letters", "Messages that could not be handled.", conn.execute(DEAD_LETTERS).fetchone()[0]),
        single("database_bytes", "Size of the state database.", pages * page_bytes),
    ]


def render(metrics: Iterable[Metric]) -> str:
    """Return metrics as text."""
    lines: list[str] = []
    for metric in metrics:
        name = f"caroni_{metric.name}"
        lines += [f"# HELP {name} {_escaped(metric.help)}", f"# TYPE {name} {metric.kind}"]
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
