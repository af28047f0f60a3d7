"""How long jobs have waited and run, by job type: read of the rows of those that have ended since it was last asked."""

from collections.abc import Iterator
from threading import Lock

from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.agent.store.shown import ShownJobRows
from caroni_edge.base.measures import LONG_S, Histograms
from caroni_edge.web.metrics import Distribution, by_name
from caroni_edge.web.readers import Readers

READ_MAX = 100_000
"""So many jobs are looked at when asked; who asks more seldom than they end misses some."""


class JobTimes:
    """Costs the work on jobs nothing: each change of a job has a greater serial than those before."""

    def __init__(self, readers: Readers) -> None:
        """Begin with the jobs that end after the first look."""
        self._readers = readers
        self._lock = Lock()
        self._waited, self._ran = Histograms(LONG_S), Histograms(LONG_S)
        self._seen: int | None = None

    def collect(self) -> Iterator[Distribution]:
        """Yield what was measured since the first look."""
        with self._lock:
            self._read()
            yield Distribution(
                "job_seconds",
                "How long jobs ran, by type, since the first look.",
                by_name("job_type", self._ran),
            )
            yield Distribution(
                "job_wait_seconds",
                "From the placing of a job here to its start, by type, since the first look.",
                by_name("job_type", self._waited),
            )

    def _read(self) -> None:
        with self._readers.open() as conn:
            upto = AgentFactRows(conn).serial()
            after = upto if self._seen is None else self._seen
            for job in ShownJobRows(conn).begun_and_ended_since(after, READ_MAX):
                self._waited[job.job_type].observe(max(0.0, job.started - job.received))
                self._ran[job.job_type].observe(max(0.0, job.ended - job.started))
        self._seen = upto
