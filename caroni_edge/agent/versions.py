"""Notes which version of each job type is in force, for people: since when, from which text, for how many jobs."""

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

KEPT_CHARS = 64 * 1024


class Versions(Part):
    """Keeps rows of what comes into force."""

    def __init__(self, context: Context) -> None:
        """Look at what is in force."""
        super().__init__(context.journal)
        self._store, self._in_force = context.store, context.in_force
        self._noted: JobTypes | None = None

    def on_start(self, at: Moment) -> None:
        """Note what is in force at the start."""
        self._note(at)

    def settle(self, at: Moment) -> None:
        """Note what has come into force since the last look."""
        if self._noted is not self._in_force.types:
            self._note(at)

    def _note(self, at: Moment) -> None:
        self._noted = types = self._in_force.types
        for name, job_type in types.loaded.items():
            if self._store.versions.latest(name) != job_type.version:
                source = job_type.source if len(job_type.source) <= KEPT_CHARS else ""
                self._store.versions.add(name, job_type.version, at.date, source)
