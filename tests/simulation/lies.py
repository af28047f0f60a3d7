"""Well-formed lies: messages of every type that one with a stolen login may say, of what is and of what never was.

All that is said passes the codec of those who hear it. What it means is left to chance: true, late, meant for somebody
else, or at the bounds of what a field can hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, get_args

import msgspec

from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.fields import DATE_MAX
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDecline,
    JobFulfillmentRequest,
    JobOffer,
    JobStatusUpdate,
    LinkReset,
    Message,
    MessageRejected,
    Placement,
)
from caroni_edge.protocol.objects import ObjectBad, ObjectPlace, ObjectsCheck
from caroni_edge.protocol.reconciling import JobHere, JobsHere
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import hash_of
from tests.simulation.plans import ALL_TYPES

KINDS: Sequence[type[LinkMessage]] = get_args(Message)
OF_AGENTS = (
    *(JobOffer, JobAccepted, JobLog, MessageRejected, LinkReset, ObjectsGone, ObjectsHere, ObjectBad),
    *(ObjectsHeld, ObjectsRefused),
    *(JobDecline, JobsHere) * 2,
    *(JobStatusUpdate,) * 4,
)
OF_MANAGERS = tuple(kind for kind in KINDS if kind not in OF_AGENTS or kind in (MessageRejected, LinkReset))
MOST_JOBS = 4
WRONG_DIRECTION = 0.03
STATUSES = ("pending", "queued", "running", "completed", "failed", "killed")
SERIAL_MAX = (1 << 53) - 1
COUNT_MAX = 1_000_000_000


class KnownJob(NamedTuple):
    """A job that somebody has, and what is to be said of it to be believed."""

    job: str
    workflow: str
    step: str
    attempt: int
    job_type: str
    inputs: dict[str, Any]


@dataclass
class Known:
    """What a liar knows.

    Attributes:
        jobs: Jobs of everybody.
        queries: By peer: the last reconcile query that came.
        offers: By peer: offers that came, or were made.
        serials: By peer: the last serial of a demand that came.
        databases: Names of databases.
        managers: Ids of managers.
        agents: Ids of agents.
        tickets: Those that came with jobs: manager, workflow, and where they open something.
    """

    jobs: list[KnownJob] = field(default_factory=list)
    queries: dict[str, str] = field(default_factory=dict)
    offers: dict[str, list[str]] = field(default_factory=dict)
    serials: dict[str, int] = field(default_factory=dict)
    databases: list[str] = field(default_factory=list)
    managers: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    tickets: list[tuple[str, str, ObjectPlace]] = field(default_factory=list)


class Liar:
    """Makes things up, by a seeded source of chance."""

    def __init__(self, chance: Random, known: Known) -> None:
        """Lie about what is `known`, and about what is not."""
        self._chance, self._known = chance, known

    def message(self, kinds: Sequence[type[LinkMessage]], peer: str) -> LinkMessage:
        """Return something to say to a peer: mostly of these kinds, now and then what none of its role says."""
        kind = self._chance.choice(KINDS if self._chance.random() < WRONG_DIRECTION else kinds)
        return self.of_kind(kind, peer)

    def of_kind(self, kind: type[LinkMessage], peer: str) -> LinkMessage:
        """Return a message of a kind."""
        if kind is JobsHere:
            return self._here(peer)
        if kind is ObjectsDrop:
            after, upto = self._choice(None, self._object()), self._choice(None, self._object())
            return ObjectsDrop(workflow=self._job().workflow, after=after, upto=upto, but=self._objects())
        if kind is ObjectsGone or kind is ObjectsCheck:
            return kind(objects=self._objects())
        if kind is ObjectsKeep or kind is ObjectsHeld or kind is ObjectsRefused:
            return self._about_keeping(kind)
        if kind is ObjectsHere:
            here = tuple(
                ObjectHere(workflow=self._job().workflow, object=each, size=self._count()) for each in self._objects()
            )
            return ObjectsHere(objects=here, first=self._yes(), last=self._yes())
        return kind(**self._facts(kind, peer))

    def _about_keeping(self, kind: type[LinkMessage]) -> LinkMessage:
        workflow, objects = self._job().workflow, self._objects()
        if kind is ObjectsKeep:
            asked = tuple(ObjectToKeep(object=each, size=self._count(), directory=self._yes()) for each in objects)
            return ObjectsKeep(workflow=workflow, objects=asked, places=self._places())
        if kind is ObjectsHeld:
            return ObjectsHeld(workflow=workflow, objects=objects)
        place, why = self._choice(None, "agents/a0", "managers/m0"), self._choice("ticket", "bad", self._word())
        return ObjectsRefused(workflow=workflow, objects=objects, reason=why, place=place)

    def presence(self, *, plausible: bool) -> dict[str, object]:
        """Return what the presence of an agent says of its job types and places."""
        names = list(ALL_TYPES) if plausible else [*self._some(ALL_TYPES), *(self._name() for _ in range(self._few()))]
        notices = {name: JobTypeNotice(repeat=self._chance.random() < 0.7, version=self._word()) for name in names}
        refused = self._some([*ALL_TYPES, "*", *self._known.managers, self._word()]) if not plausible else ()
        places = {name: self._chance.choice((1, 2, 4)) if plausible else self._count() for name in ("slots", "backlog")}
        labels = {} if plausible else _FIELDS["labels"](self)
        said = dict.fromkeys(refused, self._word())
        return {
            "job_types": notices,
            "refuses": said,
            "staging": said,
            "direct": self._word(),
            "labels": labels,
            "hosts": tuple(said),
            **places,
        }

    def demand(self, serial: int) -> JobFulfillmentRequest:
        """Return a demand for a job type."""
        chance = self._chance
        only = {",".join(self._some([*self._known.agents, self._word()])): chance.choice((-5, 1, 3, COUNT_MAX))}
        return JobFulfillmentRequest(
            serial=chance.choice((serial, serial, 0, SERIAL_MAX)),
            ready=self._count(),
            waiting=self._count(),
            only=only if chance.random() < 0.3 else {},
            priority=chance.randint(0, 9),
            spread=chance.choice((0.0, 0.0, 1.0, 1e10)),
        )

    def _facts(self, kind: type[msgspec.Struct], peer: str, job: KnownJob | None = None) -> dict[str, Any]:
        job = job or self._job()
        facts: dict[str, Any] = {}
        for each in msgspec.structs.fields(kind):
            if each.required or self._chance.random() < 0.7:
                facts[each.name] = self._value(kind, each.name, peer, job)
        return facts

    def _value(self, kind: type[msgspec.Struct], name: str, peer: str, job: KnownJob) -> Any:
        if name == "jobs":
            return self._jobs(kind, peer)
        if name in ("job", "workflow", "step", "attempt", "job_type") and self._chance.random() < 0.95:
            return getattr(job, name)
        if name == "inputs_hash":
            return hash_of(job.inputs) if self._chance.random() < 0.8 else self._id()
        if name == "inputs":
            return job.inputs if self._chance.random() < 0.8 else self._values()
        heard = {"offer": self._known.offers.get(peer), "wanted": self._known.queries.get(peer)}.get(name)
        if heard and self._chance.random() < 0.8:
            return heard if isinstance(heard, str) else self._chance.choice(heard)
        return _FIELDS[name](self)

    def _jobs(self, kind: type[msgspec.Struct], peer: str) -> tuple[Any, ...]:
        count = self._chance.randint(0, MOST_JOBS)
        if kind.__name__ != "OfferAccept":
            return tuple(self._job().job for _ in range(count))
        return tuple(Placement(**self._facts(Placement, peer)) for _ in range(count))

    def _here(self, peer: str) -> JobsHere:
        """Return a part of an answer, often of the last query; mostly without an end."""
        told = {job.job: job for job in (self._job() for _ in range(self._chance.randint(0, MOST_JOBS)))}
        jobs = tuple(
            JobHere(**{**self._facts(JobHere, peer, job), "job": job.job, "inputs_hash": hash_of(job.inputs)})
            for job in (told[name] for name in sorted(told))
        )
        query = self._known.queries.get(peer) if self._chance.random() < 0.8 else None
        upto = "" if self._chance.random() < 0.3 else self._id()
        after = "" if self._chance.random() < 0.8 else self._id()
        return JobsHere(wanted=query or self._id(), database=self._database(), after=after, upto=upto, jobs=jobs)

    # Values

    def _object(self) -> str:
        """Return the name of an object: of one that there is, or that there may be none of."""
        names = [name for job in self._known.jobs for name in objects_in(job.inputs)]
        return self._pick(names, lambda: f"sha256:{self._chance.choice('0af') * 64}")

    def _objects(self) -> tuple[str, ...]:
        return tuple(self._object() for _ in range(self._few()))

    def _job(self) -> KnownJob:
        """Return a job that somebody has, or one of its step that nobody has, or one of nothing."""
        if not self._known.jobs or self._chance.random() < 0.1:
            return KnownJob(
                self._id(), self._word(), self._word(), 1, self._chance.choice(ALL_TYPES), {"a": self._word()}
            )
        known = self._chance.choice(self._known.jobs)
        return known._replace(job=self._id()) if self._chance.random() < 0.3 else known

    def _id(self) -> str:
        return "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=self._chance.choice((8, 16, 40))))

    def _word(self) -> str:
        return self._chance.choice(("w0", "w1", "s0", "x", "a0", "m0", "z" * 40, "-", "_0"))

    def _name(self) -> str:
        """Return what a job type may not be called: only what is a segment is one."""
        return self._chance.choice(("x/y", "#", "+/+", "red/#", "\0", "", "é" * 100, self._word(), self._id()))

    def _database(self) -> str:
        return self._pick(self._known.databases, lambda: self._chance.choice(("", "x" * 100, self._id())))

    def _count(self) -> int:
        return self._chance.choice((0, 1, 2, 3, 5, 1000, COUNT_MAX))

    def _few(self) -> int:
        return self._chance.randint(0, 3)

    def _values(self) -> dict[str, Any]:
        lies: tuple[dict[str, Any], ...] = (
            {},
            {"out": "a lie"},
            {"out": 3},
            {"a": "x"},
            {"out": None, "more": ["x"] * 1000},
        )
        file = self.file() if self._chance.random() < 0.3 else None
        return self._chance.choice(lies) if file is None else {"file": file}

    def file(self) -> dict[str, Any] | None:
        """Return the value of a file that is somebody's, if one is known."""
        files = [value for job in self._known.jobs for value in objects_in(job.inputs).values()]
        return self._chance.choice(files) if files else None

    def _inputs_from(self) -> dict[str, Any]:
        specs = ("string", "string", "Any", "File", "no type", 7, {"type": "array"}, ["string"] * 50)
        giver = self._job().job
        return {name: (giver, self._choice("out", "more", ""), self._choice(*specs)) for name in self._some(["a", "b"])}

    def _text(self) -> str:
        return self._chance.choice(("", "because", "\x1b[31m", "x" * 2000))

    def _places(self) -> tuple[ObjectPlace, ...]:
        holders = self._some(["agents/a0", "agents/a1", "managers/m0"])
        return tuple(ObjectPlace(holder=each, generation=1, ticket=self._choice("0", "f") * 64) for each in holders)

    def _data(self) -> bytes:
        return self._chance.choice((b"", b"a line\n", b"x" * 32768))

    def _date(self) -> float:
        return self._chance.choice((0, 1.5, 1_700_000_000.0, DATE_MAX))

    def _pick(self, known: Sequence[str], other: Callable[[], str]) -> str:
        return self._chance.choice(known) if known and self._chance.random() < 0.8 else other()

    def _some(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._chance.random() < 0.5]

    def _yes(self) -> bool:
        return self._chance.random() < 0.5

    def _choice(self, *choices: Any) -> Any:
        return self._chance.choice(choices)


_FIELDS: dict[str, Callable[[Liar], Any]] = {
    "after": Liar._id,
    "attempt": lambda liar: liar._choice(1, 2, 1_000_000),
    "begun": Liar._yes,
    "box": lambda liar: liar._choice(None, "shared", "none: why", "x" * 100),
    "data": Liar._data,
    "data_ready": lambda liar: liar._choice(True, True, False),
    "database": Liar._database,
    "end": Liar._yes,
    "ended": Liar._date,
    "exit_code": lambda liar: liar._choice(0, 1, -9, -(1 << 31), (1 << 32) - 1),
    "expected_start": lambda liar: liar._choice(0.0, 1e10),
    "fed": lambda liar: tuple(liar._job().job for _ in range(liar._few())),
    "final": lambda liar: liar._choice(True, False, False),
    "id": Liar._id,
    "inputs_from": Liar._inputs_from,
    "job": Liar._id,
    "job_type": lambda liar: liar._choice(*ALL_TYPES, "x"),
    "labels": lambda liar: liar._choice({}, {}, {"site": "north"}, {liar._word(): "x" * 60}),
    "generation": lambda liar: liar._choice(0, 1, 2, COUNT_MAX),
    "known": lambda liar: liar._choice(0, 1, 100, SERIAL_MAX),
    "last": Liar._yes,
    "message_type": lambda liar: liar._choice("JobOffer", "JobsHere", ""),
    "object": Liar._object,
    "objects": Liar._yes,
    "offer": Liar._id,
    "offset": lambda liar: liar._choice(0, 1, 7, COUNT_MAX),
    "outputs": Liar._values,
    "outputs_left_out": lambda liar: liar._choice(0, 0, 1, COUNT_MAX),
    "place": lambda liar: liar._choice("agents/a0", "managers/m0", f"agents/{liar._word()}"),
    "places": Liar._places,
    "priority": lambda liar: liar._choice(0, 4, 9),
    "ready": Liar._count,
    "reason": Liar._text,
    "repeat": Liar._yes,
    "secret": lambda liar: liar._choice(b"k" * 32, b"0" * 32),
    "serial": lambda liar: liar._choice(0, 1, 5, 50, 1000, SERIAL_MAX),
    "stands": Liar._yes,
    "started": Liar._date,
    "status": lambda liar: liar._choice(*STATUSES),
    "stderr": Liar._text,
    "step": Liar._word,
    "tail": lambda liar: liar._choice(0, 1, COUNT_MAX),
    "valid_for": lambda liar: liar._choice(0.0, 10.0, 1e10),
    "version": lambda liar: liar._choice("", "1", "x" * 100),
    "waiting": Liar._count,
    "wanted": Liar._id,
    "workflow": Liar._word,
}
"""What each field of a message may say, beside what is known of a job or a peer."""


def is_sayable(message: LinkMessage) -> bool:
    """Tell whether the codec of who hears it lets a message pass."""
    try:
        msgspec.json.decode(encode(message), type=type(message))
    except msgspec.ValidationError:
        return False
    return True
