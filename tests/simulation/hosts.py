"""What outlives a process in the simulation: a host with its jobs, and a state database with its backups."""

import heapq
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from functools import cache
from random import Random

from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.keeper.ahead import SAY_STARTED_AFTER_S
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.port import (
    JobBegun,
    JobCollecting,
    JobEnded,
    JobNews,
    JobOrder,
    JobRecalled,
    JobStarted,
    TakenOver,
)
from caroni_edge.objects.objects import Object
from caroni_edge.storage.database import Database, memory_database
from caroni_edge.storage.migrations import Role
from caroni_edge.values.json import canonical
from caroni_edge.values.remote import remote_in
from tests.simulation.contents import Gives, files_in, gives_of
from tests.simulation.stores import Damaged, NoRoom, Store

UNSEEN = Failed("nobody saw how it ended")
NOTHING = Gives((), (), {})
DATE = 1_700_000_000.0
"""When the simulation begins."""


class Host:
    """The processes of an agent's host; they outlive the agent, as the keeper does.

    Attributes:
        started: Every job that was started here, with its order, as the job directories say.
        was_wiped: Its job directories were lost, or others have been put in their place.
        history: The orders of all starts there ever were, whatever has become of the directories.
        twice: Jobs that were started a second time, which must never be.
        unrecorded: Jobs that were started, or ran when their agent crashed, and that may not as its database said.
        resources: What of it is there to be held.
        overtaken: Jobs that were started though others held what they need.
        unsynced: Jobs whose records a power cut has taken: they were started, and nothing here says so.
        boot: The present boot.
        fail: How likely a job fails.
        fails_always: Job types whose jobs all fail here.
        slowness: How many times longer than usual jobs take.
        deliver: Takes the end of a job, and what else there is to tell, while an agent is there.
        is_noted: Tells whether the database of its agent says that a job may be started.
        say_known: Takes all that is known when an agent has started.
        store: The large files.
        on_made: Hears which objects a job of which manager has made.
    """

    able = Able("", "")

    def __init__(
        self, chance: Random, result: Callable[[JobOrder], dict[str, object]], fail: float, store: Store
    ) -> None:
        """Prepare a host.

        Args:
            chance: Decides how long jobs take, and which fail.
            result: Computes the outputs of a job from its order.
            fail: How likely a job fails.
            store: The large files.
        """
        self.store = store
        self._chance, self._result = chance, result
        self.fail, self.slowness = fail, 1.0
        self.fails_always: frozenset[str] = frozenset()
        self.now = 0.0
        self.started: dict[str, JobOrder] = {}
        self.history: list[JobOrder] = []
        self.was_wiped = False
        self.twice: list[str] = []
        self.unrecorded: list[str] = []
        self.resources: dict[str, int] = {}
        self.overtaken: list[str] = []
        self.unsynced: set[str] = set()
        self.boot = "boot 0"
        self.deliver: Callable[[JobNews], None] | None = None
        self.is_noted: Callable[[str], bool] = lambda _job: True
        self.say_known: Callable[[TakenOver], None] | None = None
        self.on_made: Callable[[str, Iterable[Object]], None] = lambda _manager, _objects: None
        self._orders = ("", 0)
        self._running: dict[str, float] = {}
        self._ends: list[tuple[float, str]] = []
        self._ended: dict[str, ProcessOutcome] = {}
        self._ahead: dict[str, JobOrder] = {}
        self._untold: dict[str, float] = {}
        self._gives: dict[str, Gives] = {}  # in the directories of jobs
        self._staging: dict[str, str | None] = {}  # why it is to end
        self._collecting: set[str] = set()

    def next_due(self) -> float:
        """Return when the next job ends, or has run for a moment."""
        dues = [*self._untold.values(), *(due for due, _ in self._ends[:1])]
        return min(dues, default=float("inf"))

    def agent_ended(self) -> None:
        """The process of the agent is gone."""
        self.deliver = self.say_known = None
        self._staging.clear()
        self._collecting.clear()
        self.store.ended()

    def pump(self, now: float) -> None:
        """Let the jobs end that are due."""
        self.now = now
        while self._ends and self._ends[0][0] <= now:
            _, job = heapq.heappop(self._ends)
            if job in self._running:
                self._end(job, self._outcome(job))
        self._say_started(now)

    def reboot(self) -> None:
        """All processes are gone, and nobody saw their end; of some there is no record, since it was not synced."""
        self.boot = f"boot {int(self.boot.split()[1]) + 1}"
        self.store.reboot()
        self._forget_ahead()
        self._untold.clear()
        for job in list(self._running):
            del self._running[job]
            if self._chance.random() < 0.5:
                self._ended[job] = UNSEEN
            else:
                self.unsynced.add(job)

    def wipe(self) -> None:
        """All processes are gone, and all directories: nobody can know here what was started before."""
        self.store.wipe()
        self._gives.clear()
        self.started.clear()
        self._running.clear()
        self._ended.clear()
        self._forget_ahead()
        self._untold.clear()
        self._orders = ("", 0)
        self.was_wiped = True

    def twin(self, store: Store, *, fresh: bool) -> "Host":
        """Return a host with a copy of this one's directories, or a `fresh` one; no processes run there."""
        other = copy(self)
        other.store, other._gives = store, dict(self._gives)
        other._staging, other._collecting = {}, set()
        self.store.copy_to(store)
        other.started, other.twice, other.history = dict(self.started), [], []
        other.overtaken = []
        other.deliver = other.say_known = None
        other.was_wiped = self.was_wiped = True
        other._running, other._ends, other._ended = dict(self._running), [], dict(self._ended)
        other._ahead, other._untold, other.unsynced = {}, {}, set(self.unsynced)
        other.reboot()
        if fresh:
            other.wipe()
        return other

    def running(self) -> list[str]:
        """Return the jobs that run."""
        return list(self._running)

    # JobRunner

    def recover(
        self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str] = (), boot: str = ""
    ) -> None:
        """Take over what runs; say what has begun and what has ended."""
        self._forget_ahead()
        begun = [job for job in waiting if job in self.started.keys() - self.unsynced]
        is_another = boot not in {"", self.boot}
        named = [*running, *begun, *(job for job in ahead if is_another and job not in begun)]
        unknown = UNSEEN if is_another else NeverBegan("it was never started")
        there = [job for job in named if job not in self._running]
        for job in there:
            self._ended.setdefault(job, unknown)
        ended = [JobEnded(job, self._ended[job], DATE + self.now) for job in there if job not in self._gives]
        for job in [job for job in there if job in self._gives]:
            self._collect(job)
        if self.say_known is not None:
            dates = tuple(JobBegun(job, DATE + self.now) for job in begun)
            self.say_known(TakenOver(*self._orders, dates, tuple(ended), self.boot))
        for job in [job for job in self._running if job not in named]:
            self.kill(job, "it belongs to no job")

    def start(self, order: JobOrder) -> None:
        """Start a job, or have it wait for its turn; one that was started before is not started again."""
        for each in remote_in(order.inputs):
            self.store.wrong(f"{order.job} was started without what lies at {each['location']}")
        if order.objects:
            self._staging[order.job] = None
            self.store.put(lambda: self._stage(order))
        elif order.slots is not None and order.job not in self._ended:
            self._ahead.setdefault(order.job, order)
            self._start_ahead()
        else:
            self._start(order)

    def _stage(self, order: JobOrder) -> None:
        """Give a job its files, and start it."""
        reason, never = self._staging.pop(order.job), ""
        damaged = None
        if reason is None and order.job not in self.started.keys() | self._ended.keys():
            try:
                for found in order.objects:
                    for each in (found, *files_in(found.sha256)):
                        damaged = each.id
                        self.store.lend(each, order.manager)
            except (Damaged, NoRoom) as error:
                never = "a file is damaged" if isinstance(error, Damaged) else "the disk is full"
            if never and self.deliver is not None:
                no_room = never == "the disk is full"
                outcome = self._ended.setdefault(order.job, NeverBegan(never, no_room=no_room))
                news = JobEnded(order.job, outcome, DATE + self.now, damaged=None if no_room else damaged)
                self.deliver(news)
                return
        if reason is None:
            self._start(order)
        else:
            self.kill(order.job, reason)

    def _start_ahead(self) -> None:
        for job, order in list(self._ahead.items()):
            assert order.slots is not None
            if len(self._running) >= order.slots:
                break
            del self._ahead[job]
            self._start(order)
            if job in self._running:
                self._untold[job] = self.now + SAY_STARTED_AFTER_S

    def _forget_ahead(self) -> None:
        """Another connection of an agent has taken over, or there is no keeper any more."""
        self._ahead.clear()

    def _say_started(self, now: float) -> None:
        for job in [job for job, due in self._untold.items() if due <= now]:
            del self._untold[job]
            if self.deliver is not None:
                self.deliver(JobStarted(job, DATE + self._running[job]))

    def recall(self) -> None:
        """Start nothing that waits for its turn."""
        self._say_started(float("inf"))
        waiting = list(self._ahead)
        self._forget_ahead()
        for job in waiting:
            if self.deliver is not None:
                self.deliver(JobRecalled(job))

    def _start(self, order: JobOrder) -> None:
        if order.job in self._ended:
            self._say(order.job, self._ended[order.job])
            return
        if order.job in self.started:
            self.twice.append(order.job)
        if not self.is_noted(order.job):
            self.unrecorded.append(order.job)
        known_database, known_serial = self._orders
        is_same = order.database == known_database
        self._orders = (order.database, max(order.serial, known_serial) if is_same else order.serial)
        self.started[order.job] = order
        self.history.append(order)
        self._hold(order)
        usual_s = self._chance.choice((0.01, 0.1, 1.0, 5.0, 30.0)) * (0.5 + self._chance.random())
        self._running[order.job] = self.now
        heapq.heappush(self._ends, (self.now + usual_s * self.slowness, order.job))

    def _hold(self, order: JobOrder) -> None:
        job_type, running = order.job_type, [self.started[job].job_type for job in self._running]
        held = Counter(job_type.needs)
        for each in running:
            held.update(each.needs)
        same = 1 + sum(each.name == job_type.name for each in running)
        is_one_too_many = job_type.parallel is not None and same > job_type.parallel
        if is_one_too_many or any(count > self.resources.get(name, 0) for name, count in held.items()):
            self.overtaken.append(order.job)

    def kill(self, job: str, reason: str) -> None:
        """End a job."""
        self._ahead.pop(job, None)
        if job in self._staging:
            self._staging[job] = reason
        elif job in self._running:
            self._end(job, Failed(reason, exit_code=-15))
        elif job in self._ended:
            self._say(job, self._ended[job])
        else:
            self._ended[job] = NeverBegan(reason)
            self._say(job, self._ended[job])

    def log_size(self, job: str) -> int:
        """There are no logs here."""
        return 0

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """There are no logs here."""
        return b"", True

    def remove(self, job: str) -> None:
        """Delete what a job has given."""
        self._gives.pop(job, None)

    @property
    def files(self) -> Store:
        """Who keeps large files."""
        return self.store

    @property
    def fetches(self) -> Store:
        """Who fetches them."""
        return self.store

    @property
    def bucket(self) -> Store:
        """Who puts them into the bucket of a depot."""
        return self.store

    def _outcome(self, job: str) -> Completed | Failed:
        if self._chance.random() < self.fail or self.started[job].job_type.name in self.fails_always:
            return Failed("exit status 1", exit_code=1, stderr="no luck")
        order = self.started[job]
        outputs = self._result(order)
        if (gives := gives_of(outputs)).objects:
            self._gives[job] = gives
            self.on_made(order.manager, gives.contents)
        return Completed(canonical(outputs))

    def _end(self, job: str, outcome: Completed | Failed) -> None:
        outcome = replace(outcome, started=DATE + self._running.pop(job))
        self._untold.pop(job, None)
        self._ended[job] = outcome
        self._say(job, outcome)
        self._start_ahead()

    def _say(self, job: str, outcome: ProcessOutcome) -> None:
        if self.deliver is None:
            return
        if job in self._gives:
            self._collect(job)
        else:
            self.deliver(JobEnded(job, outcome, DATE + self.now))

    def _collect(self, job: str) -> None:
        """Have the files taken that a job has given; its end is delivered when they are on disk."""
        if job not in self._collecting:
            self._collecting.add(job)
            self._say_collecting(job)
            self.store.put(lambda: self._take_files(job))

    def _say_collecting(self, job: str) -> None:
        outcome = self._ended[job]
        if self.deliver is not None and isinstance(outcome, Completed):
            self.deliver(JobCollecting(job, outcome.started, DATE + self.now))

    def _take_files(self, job: str) -> None:
        self._say_collecting(job)  # before all was taken over, nobody listened
        gives = self._gives.get(job, NOTHING)
        self.store.take(job, gives.contents)
        self._collecting.discard(job)
        if self.deliver is not None:
            ended = JobEnded(job, self._ended[job], DATE + self.now)
            self.deliver(replace(ended, objects=gives.objects, directories=gives.directories))


class Disk:
    """A node's state database over its processes: committed rows last, and older copies can be put back."""

    def __init__(self, role: Role) -> None:
        """Begin empty."""
        self._role = role
        self.wipe()

    def open(self) -> Database:
        """Return the database as a new process finds it: without a transaction."""
        if self.database.conn.in_transaction:
            self.database.conn.execute("ROLLBACK")
        return Database(self.database.conn)

    def wipe(self) -> None:
        """Lose everything."""
        self.restore(_new(self._role))

    def copy(self) -> sqlite3.Connection:
        """Return a backup."""
        return _copy(self.database.conn)

    def restore(self, backup: sqlite3.Connection) -> None:
        """Go back to a backup."""
        self.database = Database(_copy(backup))


@cache
def _new(role: Role) -> sqlite3.Connection:
    """Return a database as a first start makes it; copies of it take less time than its migrations."""
    return memory_database(role).conn


def _copy(conn: sqlite3.Connection) -> sqlite3.Connection:
    other = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
    conn.backup(other)
    return other
