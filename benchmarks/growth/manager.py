"""What grows at a manager: its reactor on a database on disk, with agents that are played."""

import gc
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.growth.curves import Axis, Subject
from benchmarks.million import CHAIN, fill_manager
from benchmarks.scatter import TEMPLATE as SCATTER
from caroni_edge.config.automation import AtMost, Rule
from caroni_edge.manager.templates.library import load_templates
from caroni_edge.manager.triggers.evaluation import Evaluated, Outcome, Reading
from caroni_edge.protocol.messages import JobStatusUpdate, OfferAccept, Placement
from caroni_edge.protocol.triggers import Trigger
from tests.web_bench import DATE, TEMPLATES, ManagerBench

VALUE_SIZES = (10, 100, 1000, 10_000, 48_000)
TENS = (10, 100, 1000, 10_000)
AT_ONCE = 50
"""So many jobs of a scatter are placed, and end, in one batch."""
TIME_BETWEEN_S = 0.2
"""Demand is said anew after a tenth of a second."""


class Manager(Subject):
    """A manager with one agent that takes all."""

    def __init__(self, path: Path, directory: Path = TEMPLATES, **more: Any) -> None:
        """Open its database, in which there may be something."""
        self.bench = ManagerBench(
            path, seed="growth", directory=directory, retention_s=None, waiting_workflows=100_000, **more
        )
        self.conn = self.bench.database.conn
        self._names = count()
        self.message = "caronirocks"

    def prepare(self) -> None:
        """Take away what an agent and a broker would have taken; from the first unit on each commit is synced."""
        self.bench.outbox.sent.clear()
        self.bench.reactor._context.notices.take()
        self.conn.execute("DELETE FROM events")
        self.conn.execute("PRAGMA synchronous = FULL")

    def start(self, template: str = "test_simple", priority: int = 4, **inputs: Any) -> str:
        """Start a workflow."""
        name = f"more{next(self._names)}"
        trigger = Trigger(template, inputs or {"message": self.message}, name, priority)
        self.bench.service.call(lambda at: self.bench.reactor.start_workflow(trigger, at))
        return name

    def work(self) -> float | None:
        """Bring one more workflow of three steps from its trigger to its end, before all others."""
        name = self.start(priority=9)
        for job_type in CHAIN:
            self.bench.service.now += TIME_BETWEEN_S
            self.end(self.bench.place("a1", job_type))
        found = self.conn.execute("SELECT status FROM workflows WHERE id = ?", (name,)).fetchone()
        assert found == ("completed",), found
        return None

    def end(self, placed: Placement) -> None:
        """Let the agent run a job."""
        self.bench.status("a1", placed.job, "running", begun=True)
        facts = {"started": DATE, "ended": DATE + 1}
        self.bench.status("a1", placed.job, "completed", begun=True, outputs={"jobout": self.message}, **facts)

    def close(self) -> None:
        """Close the database."""
        self.bench.close()


def _made(path: Path, **more: Any) -> Manager:
    made = Manager(path, **more)
    made.bench.see("a1", *CHAIN)
    return made


def finished(path: Path, size: int) -> Manager:
    """Make a manager with so many finished workflows."""
    fill_manager(path, size)
    return _made(path)


class Starting(Subject):
    """A manager that is started again and again."""

    def __init__(self, path: Path, size: int) -> None:
        """Fill its database."""
        fill_manager(path, size)
        self._path, self._templates = path, load_templates(TEMPLATES)
        self._bench: ManagerBench | None = None

    def prepare(self) -> None:
        """End the process before."""
        if self._bench is not None:
            self._bench.close()
        gc.collect()

    def work(self) -> None:
        """Start it: open the database, look for migrations, and let the reactor begin."""
        self._bench = ManagerBench(self._path, self._templates, retention_s=None)
        self.conn = self._bench.database.conn

    def close(self) -> None:
        """End the last process."""
        self.prepare()


def live(path: Path, size: int) -> Manager:
    """Make a manager with so many workflows that wait for an agent."""
    made = _made(path)
    for _ in range(size):
        made.start()
    return made


class Scattered(Manager):
    """A manager that runs scatters of so many instances, from beginning to end."""

    def __init__(self, path: Path, size: int) -> None:
        """Make templates and agent."""
        (path / "templates").mkdir()
        (path / "templates" / "big.cwl").write_text(SCATTER)
        super().__init__(path, directory=path / "templates")
        self.bench.see("a1", "tiny", slots=1000)
        self.units = size

    def work(self) -> float | None:
        """Run one."""
        name = self.start("big", left=list(range(self.units // 10)), right=list(range(10)))
        done = 0
        while done < self.units:
            self.bench.service.now += TIME_BETWEEN_S
            placed = self._place()
            assert placed, done
            self.bench.service.call(partial(self._end_all, placed))
            self.prepare()
            done += len(placed)
        found = self.conn.execute("SELECT status FROM workflows WHERE id = ?", (name,)).fetchone()
        assert found == ("completed",), found
        return None

    def _place(self) -> Sequence[Placement]:
        self.bench.place("a1", "tiny", ready=AT_ONCE)
        said = [message for _, message in self.bench.outbox.sent if isinstance(message, OfferAccept)]
        return [placed for accepted in said for placed in accepted.jobs]

    def _end_all(self, placed: Sequence[Placement], at: Any) -> None:
        for each in placed:
            self.bench.reactor.on_message("a1", _completed(each.job, next(self._names)), at)


def _completed(job: str, serial: int) -> JobStatusUpdate:
    return JobStatusUpdate(
        job=job, serial=serial + 1, status="completed", begun=True, outputs={"out": "x"}, started=DATE, ended=DATE + 1
    )


class Triggered(Manager):
    """A manager with a trigger that counts by keys, of which it keeps so many."""

    def __init__(self, path: Path, size: int) -> None:
        """Keep that many."""
        self._rule = Rule(
            name="hot",
            topic="sensors/#",
            template="test_simple",
            inputs={},
            at_most=AtMost(runs=5, per_s=3600.0, for_each=None),
        )
        super().__init__(path, rules=(self._rule,))
        self.conn.executemany(
            "INSERT INTO rule_runs (rule, key, dates, last) VALUES ('hot', ?, '[1.0]', ?)",
            ((f"key{number}", number / size) for number in range(size)),
        )

    def work(self) -> float | None:
        """Take a message with a new key, which starts a workflow."""
        number = next(self._names)
        reading = Reading(f"sensors/{number}", b"{}", DATE)
        found = Evaluated(self._rule, reading, Outcome.FITS, "", {"message": "x"}, f"by{number}", f"new{number}")
        self.bench.service.call(lambda at: self.bench.reactor.on_reading([found], at))
        found_status = self.conn.execute("SELECT status FROM workflows WHERE id = ?", (f"by{number}",)).fetchone()
        assert found_status is not None
        return None

    def prepare(self) -> None:
        """End what was started, since a trigger may not have too many workflows."""
        super().prepare()
        self.conn.execute("UPDATE workflows SET ended = 1.0, status = 'completed'")


def values(path: Path, size: int) -> Manager:
    """Make a manager whose values have so many bytes."""
    made = _made(path)
    made.message = "x" * size
    return made


WORKFLOW = "A workflow of three steps"
AXES = (
    Axis("finished", "finished workflows", WORKFLOW, (*TENS, 100_000, 1_000_000), finished),
    Axis(
        "start",
        "finished workflows",
        "Start of a manager",
        (*TENS, 100_000, 1_000_000),
        Starting,
        each=1,
        is_counted=False,
    ),
    Axis("live", "live workflows", WORKFLOW, TENS, live),
    Axis(
        "scatter",
        "instances of the step",
        "An instance of a scattered step",
        (*TENS, 100_000),
        Scattered,
        rounds=1,
        each=1,
        is_counted=False,
    ),
    Axis("keys", "keys that are kept", "A message that a trigger takes", TENS, Triggered),
    Axis("values", "bytes of each value", WORKFLOW, VALUE_SIZES, values),
)
