"""What grows at an agent: its reactor on a database on disk, with managers that are played, and jobs that only end."""

from itertools import cycle
from pathlib import Path

from benchmarks.growth.curves import Axis, Subject
from caroni_edge.protocol.messages import JobOffer
from caroni_edge.storage.database import open_database
from tests.unit.agent.bench import Bench

JOBS_AT_ONCE = 10


class Managers(Subject):
    """An agent that so many managers have work for, all the time."""

    units = JOBS_AT_ONCE

    def __init__(self, path: Path, size: int) -> None:
        """Let them all say what they want."""
        self._bench = Bench(database=open_database(path / "state.db", "agents"))
        self.conn = self._bench.database.conn
        self._managers = [f"m{number}" for number in range(size)]
        for manager in self._managers:
            self._bench.presence(manager, online=True)
        self._turns = cycle(self._managers)
        for manager in self._managers:
            self._bench.want("upper", manager, ready=JOBS_AT_ONCE)

    def prepare(self) -> None:
        """Take away what managers would have taken."""
        self.conn.execute("PRAGMA synchronous = FULL")

    def work(self) -> None:
        """Let some jobs end, one after the other: each makes room for one that is asked for, placed and started."""
        bench = self._bench
        for _ in range(JOBS_AT_ONCE):
            self._place()
            bench.now, bench.date = bench.now + 1.0, bench.date + 1.0
            bench.end(min(bench.runner.there))

    def _place(self) -> None:
        """Let managers fill what they are offered, and say that they want more."""
        sent, self._bench.outbox.sent = self._bench.outbox.sent, []
        for manager, message in sent:
            if isinstance(message, JobOffer):
                jobs = [self._bench.new_job() for _ in range(message.ready)]
                self._bench.accept(message, *jobs, manager=manager)
                self._bench.want("upper", manager, ready=JOBS_AT_ONCE)

    def close(self) -> None:
        """Close the database."""
        self._bench.database.close()


AXES = (Axis("managers", "managers with work for one agent", "A job at its agent", (1, 2, 5, 10, 20, 50), Managers),)
