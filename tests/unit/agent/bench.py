"""An agent's reactor on a bench: real SQLite in memory, simulated time, and everything around it recorded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.jobtypes import JobType, JobTypes, Script
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.limits import Limits
from caroni_edge.agent.processes.outcome import Completed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.port import JobEnded, JobNews, JobOrder, JobRecalled, JobStarted, TakenOver
from caroni_edge.agent.processes.usage import Usage
from caroni_edge.agent.reactor import AgentParts, AgentReactor
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.node.identity import Identity
from caroni_edge.objects.bucket import BucketOrder
from caroni_edge.objects.locations import LocationId, Sought
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.quota import Quota
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.progress import Moving
from caroni_edge.protocol.codec import decode_notice, encode
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobFulfillmentRequest,
    JobOffer,
    OfferAccept,
    Placement,
    Presence,
)
from caroni_edge.protocol.topics import PresenceOf, Request, Topics
from caroni_edge.storage.database import Database, memory_database
from caroni_edge.values.json import canonical
from caroni_edge.values.parsing import parse_type
from tests.configs import agent_config
from tests.outbox import RecordingOutbox

Kind = TypeVar("Kind", bound=LinkMessage)

MARK = "INSERT INTO peers (peer, reconcile) VALUES (?, 1) ON CONFLICT (peer) DO UPDATE SET reconcile = 1"
DATE = 1_700_000_000.0


def job_type(
    name: str, inputs: Mapping[str, str] | None = None, script: str = "true", *, repeat: bool = True
) -> JobType:
    """Make a job type."""
    return JobType(
        name=name,
        inputs={key: parse_type(spec) for key, spec in (inputs or {"message": "string"}).items()},
        outputs={"out": parse_type("string")},
        runs=Script(script, ("/bin/sh",)),
        environment={},
        limits=Limits(),
        repeat=repeat,
        path=Path(f"{name}.yaml"),
    )


def job_types(*found: JobType) -> JobTypes:
    """Make a directory's content."""
    return JobTypes(loaded={each.name: each for each in found}, errors={})


def completed(outputs: Mapping[str, object]) -> Completed:
    """Make the end of a job that gives these outputs."""
    return Completed(canonical(outputs))


COMPLETED = completed({"out": "X"})


class FakeRunner:
    """Runs nothing; a test says when a job ends. What waits for its turn is started when a slot is free.

    Attributes:
        news: What it has to tell, which the bench lets the agent hear.
        is_silent: What it has to tell takes its time: the test calls `hear_news`.
        tells_started: It tells when a job is started whose turn has come; otherwise the end says as much.
    """

    able = Able("", "")

    def __init__(self) -> None:
        self.started: list[JobOrder] = []
        self.killed: dict[str, str] = {}
        self.removed: list[str] = []
        self.there: set[str] = set()
        self.recovered: list[str] = []
        self.waiting: list[str] = []
        self.logs: dict[str, bytes] = {}
        self.used: dict[str, Usage] = {}
        self.stock: list[Object] = []
        self.settled_jobs: list[str] = []
        self.discarded: list[ObjectId] = []
        self.quota = Quota()
        self.in_bucket: list[BucketOrder] = []
        self.verified: list[Object] = []
        self.fetching: dict[FetchId, Want] = {}
        self.seeking: dict[LocationId, Sought] = {}
        self.forgotten: list[FetchId | LocationId] = []
        self.moves = Moving()
        self.boot = ""
        self.handed_over: list[str] = []
        self.ahead: dict[str, JobOrder] = {}
        self.news: list[JobNews] = []
        self.recalls = 0
        self.tells_started = True
        self.is_silent = False
        self.date: Callable[[], float] = lambda: DATE

    def start(self, order: JobOrder) -> None:
        assert order.job not in self.ahead, "a job was handed over twice"
        self.ahead[order.job] = order
        if order.slots is None:
            self._start(self.ahead.pop(order.job))
        self.start_ahead()

    def start_ahead(self) -> None:
        """Start what waits, as far as there are slots for it."""
        for job, order in list(self.ahead.items()):
            assert order.slots is not None
            if len(self.there) >= order.slots:
                break
            self._start(self.ahead.pop(job))
            if self.tells_started:
                self.news.append(JobStarted(job, self.date()))

    def _start(self, order: JobOrder) -> None:
        assert order.job not in {earlier.job for earlier in self.started}, "a job was started twice"
        self.started.append(order)
        self.there.add(order.job)

    def kill(self, job: str, reason: str) -> None:
        assert job not in self.killed, "a job was killed twice"
        self.killed[job] = reason
        if self.ahead.pop(job, None) is not None:
            self.news.append(JobEnded(job, NeverBegan(reason), self.date()))

    def recover(
        self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str] = (), boot: str = ""
    ) -> None:
        self.recovered, self.waiting, self.handed_over, self.boot = list(running), list(waiting), list(ahead), boot
        self.ahead.clear()

    def recall(self) -> None:
        self.recalls += 1
        self.news += [JobRecalled(job) for job in self.ahead]
        self.ahead.clear()

    def remove(self, job: str) -> None:
        self.removed.append(job)
        self.there.discard(job)

    @property
    def files(self) -> "FakeRunner":
        return self

    @property
    def fetches(self) -> "FakeRunner":
        return self

    @property
    def bucket(self) -> "FakeRunner":
        return self

    def do(self, order: BucketOrder) -> None:
        self.in_bucket.append(order)

    def begin(self, wanted: Iterable[Want | Sought]) -> None:
        resumed = list(wanted)
        self.fetching = {want.id: want for want in resumed if isinstance(want, Want)}
        self.seeking = {want.id: want for want in resumed if isinstance(want, Sought)}

    def fetch(self, want: Want | Sought) -> None:
        if isinstance(want, Want):
            self.fetching[want.id] = want
        else:
            self.seeking[want.id] = want

    def forget(self, fetch: FetchId | LocationId) -> None:
        if isinstance(fetch, FetchId):
            self.fetching.pop(fetch, None)
        else:
            self.seeking.pop(fetch, None)
        self.forgotten.append(fetch)

    def take_stock(self, known: Iterable[Object]) -> None:
        self.stock = list(known)

    def settled(self, job: str) -> None:
        self.settled_jobs.append(job)

    def verify(self, objects: Iterable[Object]) -> None:
        self.verified += objects

    def discard(self, objects: Iterable[ObjectId]) -> None:
        self.discarded += objects

    def bound(self, quota: Quota) -> None:
        self.quota = quota

    def log_size(self, job: str) -> int:
        return len(self.logs.get(job, b""))

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        text = self.logs.get(job, b"")
        return text[offset : offset + limit], offset + limit >= len(text)

    def moving(self) -> Moving:
        return self.moves

    def usage(self, jobs: Iterable[str]) -> dict[str, Usage]:
        return {job: self.used[job] for job in jobs if job in self.used}

    def take_started(self) -> list[str]:
        """Return the jobs started since the last question."""
        started = [order.job for order in self.started[self._seen :]]
        self._seen = len(self.started)
        return started

    _seen = 0


class Bench:
    """One agent, `a1`, and the managers that a test plays."""

    def __init__(
        self,
        *,
        types: Iterable[JobType] | None = None,
        seed: int = 1,
        database: Database | None = None,
        say_running_after_s: float = 0.0,
        **settings: Any,
    ) -> None:
        self.settings = agent_config(**settings)
        self.say_running_after_s = say_running_after_s
        self.types = job_types(*(types or [job_type("upper"), job_type("lower")]))
        self.database = database or memory_database("agents")
        self.store = Store(self.database.conn, self.database.journal)
        self.outbox, self.chance, self.runner = RecordingOutbox("m1"), SeededChance(seed), FakeRunner()
        self.now, self.date = 1000.0, DATE
        self.runner.date = lambda: self.date
        self.serials = 0
        self.jobs_made = 0
        self.presences: list[Mapping[str, object]] = []
        self.restart()

    @property
    def at(self) -> Moment:
        return Moment(self.now, self.date)

    # Driving it

    def restart(self, found: TakenOver | None = TakenOver()) -> None:  # noqa: B008 - frozen
        """Begin a new process on the same database, as a node does; `found`: what its keeper says then, if anything."""
        Identity("agents/a1", self.store.facts, self.chance.new_id)
        topics = Topics("caroni", "agents", "a1")
        parts = AgentParts(
            self.settings,
            self.types,
            topics,
            self.store,
            self.outbox,
            self.chance,
            self.runner,
            self.database.journal,
            self.say_running_after_s,
        )
        self.reactor = AgentReactor(parts)
        with self.database.immediate():
            self.reactor.on_start(self.at)
        self.reactor.committed()
        self.settle()
        if found is not None:
            self.call(lambda at: self.reactor.on_taken_over(found, at))

    def batch(self, *arrived: tuple[str, LinkMessage], commit: bool = True) -> None:
        """Let messages of managers take effect in one transaction."""
        try:
            with self.database.immediate():
                for peer, message in arrived:
                    with self.database.savepoint():
                        self.reactor.on_message(peer, message, self.at)  # type: ignore[arg-type]
                self._settle()
                if not commit:
                    raise Undone
        except Undone:
            return
        self._committed()

    def send(self, *messages: LinkMessage, manager: str = "m1") -> None:
        """Let messages of one manager arrive in one batch."""
        self.batch(*((manager, message) for message in messages))

    def _settle(self) -> None:
        """Do what a node does at the end of each batch."""
        self.reactor.settle(self.at)
        if self.reactor.presence_changed():
            self.presences.append(self.reactor.presence())

    def settle(self) -> None:
        """Run a batch without messages."""
        self.batch()

    def call(self, work: Any) -> Any:
        """Run a command in a batch of its own."""
        with self.database.immediate():
            with self.database.savepoint():
                result = work(self.at)
            self._settle()
        self._committed()
        return result

    def _committed(self) -> None:
        """Do what is to be done after a commit."""
        self.reactor.committed()
        if not self.runner.is_silent:
            self.hear_news()

    def hear_news(self) -> None:
        """Let the agent hear what the runner has to tell."""
        news, self.runner.news = self.runner.news, []
        for each in news:
            self.call(lambda at, each=each: self.reactor.on_news(each, at))

    def advance(self, seconds: float) -> None:
        """Let time pass; `settle` runs whenever it is due."""
        until = self.now + seconds
        stands = 0
        while (due := self.reactor.next_due()) <= until:
            stands = stands + 1 if due <= self.now else 0
            assert stands < 100, f"settle stays due: {due} at {self.now}"
            step = max(0.0, due - self.now)
            self.now, self.date = self.now + step, self.date + step
            self.settle()
        self.date += until - self.now
        self.now = until

    # What managers do

    def want(self, job_type: str = "upper", manager: str = "m1", **facts: Any) -> int:
        """Let a manager say its demand; return the serial."""
        if "serial" not in facts:
            self.serials += 1
            facts["serial"] = self.serials
        self.notice(Request(job_type, manager), encode(JobFulfillmentRequest(**facts)))
        return int(facts["serial"])

    def want_nothing(self, job_type: str = "upper", manager: str = "m1") -> None:
        """Let a manager clear its demand."""
        self.notice(Request(job_type, manager), b"")

    def presence(self, manager: str = "m1", *, online: bool, boot: str = "b1") -> None:
        """Let a manager come or go."""
        self.notice(PresenceOf("managers", manager), encode(Presence(online=online, boot=boot)))

    def notice(self, topic: PresenceOf | Request, payload: bytes) -> None:
        """Let a notice arrive."""
        with self.database.immediate():
            with self.database.savepoint():
                if isinstance(topic, Request):
                    self.reactor.on_request(topic, payload, self.at)
                else:
                    said = decode_notice(Presence, topic.node, payload) if payload else None
                    self.reactor.on_presence(topic.node, said, self.at)
            self._settle()
        self._committed()

    def new_job(self, job_type: str = "upper", *, ready: bool = True, **facts: Any) -> Placement:
        """Make a job that fits."""
        self.jobs_made += 1
        inputs = {"message": "x"} if ready else {}
        made = Placement(
            job=f"job{self.jobs_made:06d}",
            attempt=1,
            job_type=job_type,
            workflow="w1",
            step=f"s{self.jobs_made}",
            data_ready=ready,
            inputs=inputs,
        )
        return replace_struct(made, **facts)

    def accept(self, offer: JobOffer, *jobs: Placement, manager: str = "m1", last: bool = True) -> None:
        """Let a manager place jobs for an offer."""
        self.send(OfferAccept(offer=offer.offer, jobs=jobs, last=last), manager=manager)

    def place(self, *jobs: Placement, manager: str = "m1") -> list[str]:
        """Let a manager place jobs that nobody offered for, and take them; return their names."""
        self.accept(JobOffer(offer="nooffer1", job_type="upper", serial=0), *jobs, manager=manager)
        accepted = self.outbox.take(JobAccepted, manager)
        assert accepted.jobs == tuple(job.job for job in jobs)
        return list(accepted.jobs)

    def end(self, job: str, outcome: ProcessOutcome = COMPLETED, *, disk_bytes: int = 0) -> None:
        """Let a job's process end; unless something else is said, it completes."""
        self.runner.there.discard(job)
        self.runner.start_ahead()
        ended = JobEnded(job, outcome, self.date, disk_bytes)
        self.call(lambda at: self.reactor.on_news(ended, at))

    def reset(self, manager: str = "m1") -> None:
        """Let the link to a manager begin anew."""
        self.database.conn.execute(MARK, (manager,))

    def reload(self, *types: JobType, **settings: Any) -> None:
        """Let the owner change something."""
        self.settings = replace(self.settings, **settings)
        if types:
            self.types = job_types(*types)
        self.reactor.reload(self.settings, self.types)

    # Questions

    def job(self, job: str) -> JobRow:
        """Return a job that is there."""
        row = self.store.jobs.by_job(job)
        assert row is not None, f"{job} is not there"
        return row

    def state(self, job: str) -> JobState:
        """Return the state of a job."""
        return self.job(job).status

    def states(self) -> dict[str, int]:
        """Count the jobs in each state."""
        found = self.database.conn.execute("SELECT state, count(*) FROM jobs GROUP BY state")
        return dict(found.fetchall())


class Undone(Exception):
    """The batch is rolled back, as after a storage error."""


def replace_struct(made: Placement, **facts: Any) -> Placement:
    """Return a placement with other facts."""
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return Placement(**{**fields, **facts})
