"""A manager's reactor on a bench: real SQLite in memory, simulated time, and everything around it recorded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.delivery.events import Events
from caroni_edge.manager.context import Context
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.holding.port import Came
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store import Store
from caroni_edge.manager.templates.library import Template, Templates
from caroni_edge.manager.templates.plan import Link, Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput, plan_hash
from caroni_edge.manager.workflows.evaluations import Evaluation, Outcome, work_out
from caroni_edge.manager.workflows.inputs import RunScript
from caroni_edge.manager.workflows.listreading import Items, Reading, take_apart
from caroni_edge.node.reactor import Notices
from caroni_edge.objects.disk import Damaged
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.protocol.codec import decode_notice, encode
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    MESSAGE_VERSION,
    JobAccepted,
    JobFulfillmentRequest,
    JobOffer,
    JobStatusUpdate,
    OfferAccept,
    Placement,
    Presence,
)
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.protocol.topics import Topics
from caroni_edge.storage.database import memory_database
from caroni_edge.transport.base import Arrived
from caroni_edge.values.json import hash_of
from caroni_edge.values.lists import bounds_of
from caroni_edge.values.parsing import parse_type
from tests import scripts
from tests.configs import manager_config
from tests.outbox import RecordingOutbox

Kind = TypeVar("Kind", bound=LinkMessage)
Result = TypeVar("Result")

TOPICS = Topics("caroni", "managers", "m1")
DATE = 1_700_000_000.0
MARK = "INSERT INTO peers (peer, reconcile) VALUES (?, 1) ON CONFLICT (peer) DO UPDATE SET reconcile = 1"


# Plans


def given(name: str) -> Source:
    """Take an input of the workflow."""
    return Source(workflow_input=name)


def out(step: str, output: str = "out") -> Source:
    """Take an output of a step."""
    return Source(step=step, output=output)


def link(source: Source | Link) -> Link:
    """Take one source as it is, unless it is a link already."""
    return source if isinstance(source, Link) else Link((source,))


def step(name: str, job_type: str | None = None, outputs: Mapping[str, Any] | None = None, **inputs: Any) -> PlanStep:
    """Make a step; an input is a source, (type, source) or (type, source, default)."""
    made = []
    for key, spec in inputs.items():
        kind, source, default = (*spec, None)[:3] if isinstance(spec, tuple) else ("string", spec, None)
        made.append(StepInput(name=key, type=kind, link=source and link(source), default=default))
    gives = dict(outputs if outputs is not None else {"out": "string"})
    return PlanStep(name=name, job_type=job_type or name, inputs=tuple(made), outputs=gives, out=tuple(gives))


def plan(
    name: str, *steps: PlanStep, inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, Any] | None = None
) -> Plan:
    """Make a plan; an input is a type or (type, default), an output a source or (type, source)."""
    takes = []
    for key, spec in (inputs if inputs is not None else {"message": "string"}).items():
        kind, default = spec if isinstance(spec, tuple) else (spec, None)
        takes.append(PlanInput(name=key, type=kind, default=default))
    gives = []
    for key, spec in (outputs or {}).items():
        kind, source = spec if isinstance(spec, tuple) else ("string", spec)
        gives.append(PlanOutput(name=key, type=kind, link=link(source)))
    return Plan(template=name, inputs=tuple(takes), outputs=tuple(gives), steps=steps)


ONE = plan("one", step("a", "upper", text=given("message")), outputs={"result": out("a")})
CHAIN = plan(
    "chain",
    step("a", "upper", text=given("message")),
    step("b", "lower", text=out("a")),
    step("c", "upper", text=out("b")),
    outputs={"result": out("c")},
)
PAIR = plan("pair", step("a", "upper", text=given("message")), step("b", "lower", text=given("message")))
DIAMOND = plan(
    "diamond",
    step("top", "upper", text=given("message")),
    step("left", "lower", text=out("top")),
    step("right", "lower", text=out("top")),
    step("end", "upper", one=out("left"), two=out("right")),
    outputs={"one": out("left"), "all": out("end")},
)


def template(made: Plan) -> Template:
    """Make a template that was loaded."""
    return Template(made.template, Path(f"{made.template}.cwl"), made, plan_hash(made), (), "")


class RecordingStorekeeper:
    """A storekeeper that notes what it is told.

    Attributes:
        stock: What has rows, as it was told at the last start.
        was_settled: What was brought and has rows now.
        discarded: What was to be deleted.
        verified: What was to be looked at.
        resumed: What was to be fetched on at the last start.
        fetched: What was to be fetched then, or to be fetched no more.
    """

    def __init__(self) -> None:
        self.stock: list[Object] = []
        self.was_settled: list[str] = []
        self.discarded: list[str] = []
        self.verified: list[Object] = []
        self.resumed: list[Want] = []
        self.fetched: list[Want | FetchId] = []

    def begin_fetches(self, wanted: Iterable[Want]) -> None:
        self.resumed = [*wanted]

    def fetch(self, want: Want) -> None:
        self.fetched.append(want)

    def forget_fetch(self, fetch: FetchId) -> None:
        self.fetched.append(fetch)

    def take_stock(self, known: Iterable[Object]) -> None:
        self.stock = [*known]

    def verify(self, objects: Iterable[Object]) -> None:
        self.verified += objects

    def settled(self, giver: str) -> None:
        self.was_settled.append(giver)

    def discard(self, objects: Iterable[ObjectId]) -> None:
        self.discarded += objects


class BenchTexts:
    """The text of large lists; it implements `Texts`."""

    def __init__(self, contents: dict[Object, bytes]) -> None:
        self._contents = contents

    def bounds(self, found: Object, spec: Any) -> Sequence[int]:
        return bounds_of(self._content(found), parse_type(spec))

    def read(self, found: Object, begin: int, end: int) -> bytes:
        return self._content(found)[begin:end]

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        made = tuple(Object(sha256(each).hexdigest(), len(each)) for each in contents)
        self._contents.update(zip(made, contents, strict=True))
        return "bench", made

    def _content(self, found: Object) -> bytes:
        if found not in self._contents:
            raise Damaged(found.id)
        return self._contents[found]


class Undone(Exception):
    """The batch is rolled back, as after a storage error."""


class Bench:
    """One manager, `m1`, and the agents and people that a test plays."""

    def __init__(self, *plans: Plan, seed: int = 1, **settings: Any) -> None:
        self.templates = Templates(
            loaded={each.template: template(each) for each in (ONE, CHAIN, PAIR, DIAMOND, *plans)}, errors={}
        )
        self.settings = manager_config(**settings)
        self.database = memory_database("managers")
        self.store = Store(self.database.conn)
        self.chance = SeededChance(seed)
        self.outbox, self.notices = RecordingOutbox("a1"), Notices(self.database.journal)
        self.silent: dict[str, float] = {}
        self.unheard: set[str] = set()
        self.connected_s = inf
        self.evaluations: list[Evaluation] = []
        self.readings: list[Reading] = []
        self.storekeeper = RecordingStorekeeper()
        self.contents: dict[Object, bytes] = {}
        self.now, self.date = 1000.0, DATE
        self._serials = count(1)
        self._packets = count(1)
        self.restart()

    @property
    def at(self) -> Moment:
        return Moment(self.now, self.date)

    # Driving it

    def restart(self) -> None:
        """Begin a new process on the same database."""
        self.events = Events(self.database.conn, self.database.journal, self.chance)
        context = Context(
            settings=self.settings,
            topics=TOPICS,
            store=self.store,
            outbox=self.outbox,
            notices=self.notices,
            events=EventWriter(self.events, TOPICS, self.settings.reply_to),
            chance=self.chance,
            connected_for=lambda _now: self.connected_s,
            silent_for=lambda agent, _now: self.silent.get(agent, 0.0),
            has_answered=lambda agent: agent not in self.unheard,
            journal=self.database.journal,
        )
        self.evaluations.clear()
        self.readings.clear()
        self.reactor = ManagerReactor(
            context, self.templates, self.evaluations.append, self.storekeeper, self.readings.append
        )
        with self.database.immediate():
            self.reactor.on_start(self.at)
        self.reactor.committed()
        self.settle()

    def call(self, work: Callable[[Moment], Result], *, commit: bool = True) -> Result:
        """Run something in a batch of its own, with all that follows."""
        try:
            with self.database.immediate():
                with self.database.savepoint():
                    result = work(self.at)
                self.reactor.settle(self.at)
                if not commit:
                    raise Undone
        except Undone:
            return result
        self.reactor.committed()
        return result

    def settle(self) -> None:
        """Run a batch without messages."""
        self.call(lambda _at: None)

    def connect(self, *, session_present: bool = True) -> None:
        """Let the broker take the manager in."""
        self.call(lambda at: self.reactor.on_connected(at, session_present=session_present))

    def send(self, *messages: LinkMessage, agent: str = "a1", commit: bool = True) -> None:
        """Let messages of one agent arrive in one batch."""

        def work(at: Moment) -> None:
            for message in messages:
                self.reactor.on_message(agent, message, at)  # type: ignore[arg-type]

        self.call(work, commit=commit)

    def reject(self, kind: str, *jobs: str, agent: str = "a1") -> None:
        """Let a message of an agent fail here."""
        self.call(lambda at: self.reactor.on_rejected_here(agent, kind, jobs, "no good", at))

    def advance(self, seconds: float) -> None:
        """Let time pass; `settle` runs whenever it is due."""
        until = self.now + seconds
        stands = 0
        while (due := self.reactor.next_due()) <= until:
            stands = stands + 1 if due <= self.now else 0
            assert stands < 100, f"settle stays due: {due} at {self.now}"
            self._go(max(due, self.now))
            self.settle()
        self._go(until)

    def _go(self, now: float) -> None:
        self.now, self.date = now, self.date + now - self.now

    # What is worked out outside

    def evaluate(self, run: RunScript = scripts.run) -> list[Outcome]:
        """Work out what was asked for, and let all of it arrive in one batch; return that."""
        outcomes = [work_out(each, run, self.read) for each in self.evaluations]
        self.evaluations.clear()
        self.arrive(*outcomes)
        return outcomes

    def read(self, found: Object) -> bytes:
        """Return what is in an object that lies at this manager."""
        if found not in self.contents:
            raise Damaged(found.id)
        return self.contents[found]

    def take_apart(self) -> list[Items]:
        """Read what is asked for of large lists, and let it arrive, each in a batch of its own; return that."""
        found = [take_apart(each, BenchTexts(self.contents)) for each in self.readings]
        self.readings.clear()
        for each in found:
            self.call(lambda at, each=each: self.reactor.on_items(each, at))  # type: ignore[misc]
        return found

    def bring(self, content: bytes) -> Object:
        """Let an object that is fetched lie at this manager; return it."""
        found = Object(sha256(content).hexdigest(), len(content))
        self.contents[found] = content
        self.call(lambda at: self.reactor.on_files(Came(found), at))
        return found

    def arrive(self, *outcomes: Outcome) -> None:
        """Let what came of expressions arrive in one batch."""

        def work(at: Moment) -> None:
            for outcome in outcomes:
                self.reactor.on_evaluated(outcome, at)

        self.call(work)

    # What people do

    def trigger(self, payload: bytes, **facts: Any) -> None:
        """Let something arrive on the topic that starts workflows."""
        self.call(lambda _at: self.trigger_in_batch(payload, **facts))

    def trigger_in_batch(self, payload: bytes, **facts: Any) -> None:
        """As `trigger`, within a batch."""
        facts = {"qos": 1, "packet_id": next(self._packets), "connection": 1, **facts}
        self.reactor.on_trigger(Arrived(TOPICS.triggers, payload, **facts), self.at)

    def start(self, template: str = "one", workflow: str = "w1", **facts: Any) -> str:
        """Start a workflow."""
        facts.setdefault("inputs", {"message": "x"})
        self.trigger(msgspec.json.encode({"template": template, "id": workflow, **facts}))
        return workflow

    def cancel(self, workflow: str = "w1") -> None:
        """Let somebody cancel a workflow."""
        self.call(lambda at: self.reactor.cancel(workflow, at))

    def retry(self, workflow: str = "w1") -> None:
        """Let somebody retry a workflow."""
        self.call(lambda at: self.reactor.retry(workflow, at))

    def delete(self, workflow: str = "w1") -> None:
        """Let somebody delete a workflow."""
        self.call(lambda at: self.reactor.delete(workflow, at))

    def rerun(self, workflow: str = "w1", new_id: str | None = None, **changed: Any) -> str:
        """Let somebody start another workflow like one; return its id."""
        return self.call(lambda at: self.reactor.rerun(workflow, changed, new_id, at))[0]

    def pause(self, template: str = "one") -> None:
        """Let somebody pause a template."""
        self.call(lambda at: self.reactor.pause(template, at))

    def resume(self, template: str = "one") -> None:
        """Let somebody resume a template."""
        self.call(lambda _at: self.reactor.resume(template))

    # What agents do

    def presence(
        self,
        agent: str = "a1",
        *,
        types: Iterable[str] = ("upper", "lower"),
        online: bool = True,
        repeat: bool = True,
        refuses: Mapping[str, str] | None = None,
        version: str = "",
        labels: Mapping[str, str] | None = None,
        staging: Mapping[str, str] | None = None,
        depot: str = "",
        direct: str = "",
        hosts: Sequence[str] | None = None,
        **places: int | None,
    ) -> None:
        """Let an agent show itself; unless a test says something else, it has room for all."""
        notices = {name: JobTypeNotice(inputs={}, outputs={}, repeat=repeat, version=version) for name in types}
        places = {"speaks": MESSAGE_VERSION, "slots": 2, "backlog": 10_000, "pending": 10_000, **places}
        about: dict[str, Any] = {"refuses": dict(refuses or {}), "labels": dict(labels or {}), **places}
        about["staging"] = dict(staging or {})
        about["depot"], about["direct"] = depot, direct
        about["hosts"] = None if hosts is None else tuple(hosts)
        said = Presence(online, boot="b", host="h", job_types=notices, **about)
        self.notice(agent, said)

    def notice(self, agent: str, said: Presence | None) -> None:
        """Let an agent say this of itself, as it comes out of the codec."""
        heard = said and decode_notice(Presence, agent, encode(said))
        self.call(lambda at: self.reactor.on_presence(agent, heard, at))

    def offer(self, agent: str = "a1", job_type: str = "upper", **facts: Any) -> str:
        """Let an agent offer places; return the offer's name."""
        made = self.make_offer(agent, job_type, **facts)
        self.send(made, agent=agent)
        return made.offer

    def make_offer(self, agent: str = "a1", job_type: str = "upper", **facts: Any) -> JobOffer:
        """Return an offer; without a count it is for one ready job."""
        if "ready" not in facts and "waiting" not in facts:
            facts["ready"] = 1
        facts = {"serial": 1, "database": f"db-{agent}", **facts}
        return JobOffer(offer=f"offer{next(self._serials):05d}", job_type=job_type, **facts)

    def place_all(self, agent: str = "a1", job_type: str = "upper", **facts: Any) -> list[Placement]:
        """Let an agent offer, and accept what it is given; return that."""
        offer = self.offer(agent, job_type, **facts)
        accepts = [self.outbox.take(OfferAccept, agent)]
        while not accepts[-1].last:
            accepts.append(self.outbox.take(OfferAccept, agent))
        assert {accept.offer for accept in accepts} == {offer}
        jobs = [placed for accept in accepts for placed in accept.jobs]
        self.send(JobAccepted(jobs=tuple(placed.job for placed in jobs)), agent=agent)
        return jobs

    def place(self, agent: str = "a1", job_type: str = "upper", **facts: Any) -> str:
        """As `place_all`, for one job."""
        (placed,) = self.place_all(agent, job_type, **facts)
        return placed.job

    def status(self, job: str, status: str, agent: str = "a1", **facts: Any) -> None:
        """Let an agent say the state of a job."""
        self.send(self.make_status(job, status, **facts), agent=agent)

    def make_status(self, job: str, status: Any, **facts: Any) -> JobStatusUpdate:
        """Return the next status of a job."""
        facts.setdefault("serial", next(self._serials))
        facts.setdefault("begun", status in {"running", "completed", "failed"})
        facts.setdefault("inputs_hash", self._hash_of_inputs(job) if facts["begun"] else "")
        return JobStatusUpdate(job=job, status=status, **facts)

    def _hash_of_inputs(self, job: str) -> str:
        """Return what an agent says of the inputs of a job, which are those of its step."""
        found = self.rows("SELECT s.inputs FROM jobs j JOIN steps s ON s.id = j.step WHERE j.job = ?", job)
        return hash_of(msgspec.json.decode(found[0]["inputs"])) if found else ""

    def run(self, job: str, agent: str = "a1") -> None:
        """Let a job begin."""
        self.status(job, "running", agent, started=self.date)

    def complete(self, job: str, agent: str = "a1", **outputs: Any) -> None:
        """Let a job complete; without outputs it gives `out`."""
        self.status(job, "completed", agent, outputs=outputs or {"out": "X"}, exit_code=0)

    def fail(self, job: str, agent: str = "a1", reason: str = "exit status 1", **facts: Any) -> None:
        """Let a job fail."""
        self.status(job, "failed", agent, reason=reason, exit_code=1, stderr="no luck", **facts)

    def reset(self, agent: str = "a1") -> JobsWanted:
        """Let the link to an agent begin anew; return what it is asked then."""
        self.call(lambda _at: self.database.conn.execute(MARK, (agent,)))
        return self.outbox.take(JobsWanted, agent)

    def answer(self, query: JobsWanted, *jobs: JobHere, agent: str = "a1", **facts: Any) -> None:
        """Let an agent say what it holds."""
        facts = {"database": f"db-{agent}", **facts}
        self.send(JobsHere(wanted=query.wanted, jobs=jobs, **facts), agent=agent)

    def here(self, job: str, status: Any, placed: Placement | None = None, **facts: Any) -> JobHere:
        """Return what an agent says of a job that it holds."""
        known: dict[str, Any] = {"workflow": "w1", "step": "a", "attempt": 1, "job_type": "upper"}
        if placed is not None:
            known = {name: getattr(placed, name) for name in known}
        facts.setdefault("serial", next(self._serials))
        return JobHere(job=job, status=status, **{**known, **facts})

    # Questions

    def is_ready(self, job_type: str) -> bool:
        """Tell whether a step with all its data wants an agent that has this type."""
        return self.store.unplaced.count(job_type, waiting=False, limit=1) > 0

    def step(self, path: str, workflow: str = "w1") -> dict[str, Any]:
        """Return the row of a step."""
        (row,) = self.rows(
            "SELECT s.* FROM steps s JOIN workflows w ON w.seq = s.workflow WHERE w.id = ? AND s.path = ?",
            workflow,
            path,
        )
        return row

    def state(self, path: str, workflow: str = "w1") -> StepState:
        """Return the state of a step."""
        return StepState(self.step(path, workflow)["status"])

    def workflow(self, workflow: str = "w1") -> dict[str, Any]:
        """Return the row of a workflow."""
        (row,) = self.rows("SELECT * FROM workflows WHERE id = ?", workflow)
        return row

    def workflow_state(self, workflow: str = "w1") -> WorkflowState:
        """Return the state of a workflow."""
        return WorkflowState(self.workflow(workflow)["status"])

    def outputs(self, workflow: str = "w1") -> Any:
        """Return the outputs of a workflow."""
        found = self.workflow(workflow)["outputs"]
        return None if found is None else msgspec.json.decode(found)

    def job(self, job: str) -> dict[str, Any]:
        """Return the row of a job."""
        (row,) = self.rows("SELECT * FROM jobs WHERE job = ?", job)
        return row

    def jobs(self) -> list[str]:
        """Return all jobs that there are."""
        return [row["job"] for row in self.rows("SELECT job FROM jobs ORDER BY placed, step, attempt")]

    def rows(self, sql: str, *facts: object) -> list[dict[str, Any]]:
        """Return rows by column."""
        found = self.database.conn.execute(sql, facts)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def dump(self) -> list[str]:
        """Return the whole database."""
        return list(self.database.conn.iterdump())

    def take_events(self, kind: str = "") -> list[dict[str, Any]]:
        """Take the events that wait, with the topic of each under `topic`; `kind`: only those of this type."""
        found = []
        for row in self.rows("SELECT seq, topic, body FROM events ORDER BY seq"):
            event = {"topic": row["topic"], **msgspec.json.decode(row["body"])}
            if not kind or event["type"] == kind:
                self.database.conn.execute("DELETE FROM events WHERE seq = ?", (row["seq"],))
                found.append(event)
        return found

    def take_event(self, kind: str) -> dict[str, Any]:
        """Take the one event of a type."""
        (event,) = self.take_events(kind)
        return event

    def demands(self) -> dict[str, JobFulfillmentRequest | None]:
        """Take the demand that was said since the last question, by job type."""
        said = self.notices.take()
        return {topic.split("/")[2]: request for topic, request in said.items()}  # type: ignore[misc]

    def set(self, **settings: Any) -> None:
        """Let the owner change the settings."""
        self.settings = replace(self.settings, **settings)
        self.reactor.reload(self.settings, self.templates)
