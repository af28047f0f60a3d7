"""How long workflows have taken, by template: read of the rows of those that have ended since it was last asked."""

import time
from collections.abc import Callable, Iterator
from threading import Lock

from caroni_edge.base.measures import LONG_S, Histograms
from caroni_edge.manager.store.shown import ShownWorkflowRows
from caroni_edge.web.metrics import Distribution, by_name
from caroni_edge.web.readers import Readers

READ_MAX = 100_000
"""So many workflows are looked at when asked; who asks more seldom than they end misses some."""


class WorkflowTimes:
    """Costs the work on workflows nothing."""

    def __init__(self, readers: Readers, clock: Callable[[], float] = time.time) -> None:
        """Begin with the workflows that end after the first look; `clock` tells Unix seconds."""
        self._readers, self._clock = readers, clock
        self._lock = Lock()
        self._took = Histograms(LONG_S)
        self._seen: float | None = None

    def collect(self) -> Iterator[Distribution]:
        """Yield what was measured since the first look."""
        with self._lock:
            self._read()
            text = "From the start of a workflow to its end, by template, since the first look."
            yield Distribution("workflow_seconds", text, by_name("template", self._took))

    def _read(self) -> None:
        with self._readers.open() as conn:
            rows = ShownWorkflowRows(conn)
            if self._seen is None:
                self._seen = rows.last_ended()
            after = min(self._seen, self._clock())  # a clock that went back must not hide what ends now
            for workflow in rows.ended_since(after, READ_MAX):
                self._took[workflow.template].observe(max(0.0, workflow.ended - workflow.created))
                self._seen = workflow.ended
