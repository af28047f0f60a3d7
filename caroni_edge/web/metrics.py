"""Metrics by the Prometheus client library: what rows and the node tell when asked, and how long requests take."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Histogram as HttpHistogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from caroni_edge.base.measures import SHORT_S, Histogram
from caroni_edge.delivery.events import EventRows
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.node.store import DeadLetterRows
from caroni_edge.storage.database import size_bytes

# Dates of no use, in as many lines again.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
PREFIX: Final = "caroni_"
STREAMS: Final = ("/live",)
"""What answers for as long as somebody listens."""

Labels = Mapping[str, str]


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
    samples: Iterable[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram since the start of the process.

    Attributes:
        name: Without the prefix `caroni_`; its unit is the end of it.
        help: What it says.
        samples: What was measured, by labels.
    """

    name: str
    help: str
    samples: Iterable[tuple[Labels, Histogram]]


Measured = Metric | Distribution


def single(name: str, text: str, value: float) -> Metric:
    """Return a metric that has one value and no labels."""
    return Metric(name, text, [({}, value)])


def by(label: str, counts: Mapping[str, float]) -> list[tuple[Labels, float]]:
    """Return samples that differ in one label."""
    return [({label: key}, value) for key, value in counts.items()]


def by_name(label: str, histograms: Mapping[str, Histogram]) -> list[tuple[Labels, Histogram]]:
    """Return histograms that differ in one label."""
    return [({label: name}, histogram) for name, histogram in [*histograms.items()]]


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


class Metrics:
    """The metrics of one node, in a registry of their own."""

    def __init__(self, collect: Callable[[], Iterable[Measured]]) -> None:
        """Ask `collect` each time somebody asks us; the process and Python are measured by the library."""
        self._registry = CollectorRegistry()
        self._registry.register(_Asked(collect))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._requests = HttpHistogram(
            f"{PREFIX}http_request_seconds",
            "How long requests took, by route; streams left out.",
            ("method", "route", "status"),
            registry=self._registry,
            buckets=SHORT_S,
        )

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus, version 0.0.4."""
        return generate_latest(self._registry)

    def timed(self, app: ASGIApp) -> ASGIApp:
        """Return `app` with its requests measured."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            began, status = time.perf_counter(), "500"

            async def send_noting_status(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, send_noting_status)
            finally:
                route = str(scope.get("path_template") or "(none)")
                if route not in STREAMS:
                    method = str(scope.get("method") or "")
                    self._requests.labels(_known(method), route, status).observe(time.perf_counter() - began)

        return measured


def _known(method: str) -> str:
    """Return a method that there is; a stranger may send any word as one."""
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "(other)"


class _Asked(Collector):
    """Makes metrics of what a node tells."""

    def __init__(self, collect: Callable[[], Iterable[Measured]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        """Yield each metric as the library wants it."""
        for each in self._collect():
            samples = list(each.samples)
            names = list(samples[0][0]) if samples else []
            if isinstance(each, Metric):
                gauge = GaugeMetricFamily(f"{PREFIX}{each.name}", each.help, labels=names)
                for labels, value in each.samples:
                    gauge.add_metric(_values(labels, names), float(value))
                yield gauge
            else:
                histogram = HistogramMetricFamily(f"{PREFIX}{each.name}", each.help, labels=names)
                for labels, measured in each.samples:
                    buckets = [
                        ("+Inf" if bound == inf else str(bound), float(count)) for bound, count in measured.cumulative()
                    ]
                    histogram.add_metric(_values(labels, names), buckets, measured.total)
                yield histogram


def _values(labels: Labels, names: Sequence[str]) -> list[str]:
    return [str(labels[name]) for name in names]
