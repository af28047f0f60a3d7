"""Those who have stolen a login: nodes whose link is correct, and whose every word may be a lie (`lies.py`)."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from math import inf
from random import Random

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.node.node import Node
from caroni_edge.node.reactor import Forgotten
from caroni_edge.protocol.codec import Unreadable, decode_frame, encode
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    Frame,
    JobFulfillmentRequest,
    JobOffer,
    Message,
    OfferAccept,
    Placement,
    Presence,
)
from caroni_edge.protocol.reconciling import JobsWanted
from caroni_edge.protocol.topics import Request, Role
from caroni_edge.transport.base import Arrived
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.simulation.bytelies import LyingStore
from tests.simulation.lies import COUNT_MAX, OF_AGENTS, OF_MANAGERS, Known, KnownJob, Liar, is_sayable
from tests.simulation.members import FragileTransport, Member
from tests.simulation.plans import ALL_TYPES, TAKE_FILES

JOBS_OF_MANAGERS = """
    SELECT j.job, w.id, s.path, j.attempt, s.job_type, s.inputs FROM jobs j JOIN steps s ON s.id = j.step
    JOIN workflows w ON w.seq = s.workflow WHERE j.serial > 0 ORDER BY j.open DESC, j.placed DESC, j.job LIMIT 30"""
"""Jobs of which their agent has said something: nobody can know a random name before."""
STEPS = """
    SELECT 'nobodysjob', w.id, s.path, 1, s.job_type, s.inputs FROM steps s JOIN workflows w ON w.seq = s.workflow
    ORDER BY s.id DESC LIMIT 30"""
DATABASES = "SELECT DISTINCT database FROM agents WHERE database <> '' ORDER BY database"
STORM = 150
HONEST = 0.3
"""So often an offer or an acceptance is answered as an honest node might."""


class LyingTransport(FragileTransport):
    """Publishes frames, some with another acknowledgement, boot or question than the link has made them with.

    Attributes:
        chance: Decides which.
        withholds: It never acknowledges anything.
        garbles: How often something else is said.
    """

    chance: Random
    withholds = False
    garbles = 0.0

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish, changed or as it is."""
        if "/inbox/" in topic:
            with suppress(Unreadable):  # a number beyond the bounds, since it has lied about one to another liar
                payload = encode(self._garbled(decode_frame(topic, payload)))
        return super().publish(topic, payload, qos=qos, retain=retain)

    def _garbled(self, frame: Frame) -> Frame:
        if self.withholds:
            frame = msgspec.structs.replace(frame, ack=(0, ""))
        if self.chance.random() >= self.garbles:
            return frame
        word = "".join(self.chance.choices("abc", k=16))
        changes: list[dict[str, object]] = [
            {"ack": (self.chance.choice((0, 1, 5, 1 << 62)), self.chance.choice(("", word)))},
            {"boot": word},
        ]
        if not frame.messages:
            changes += [{"ask": word}, {"answer": word}, {"speaks": self.chance.choice((1, 1000))}]
        else:
            changes += [{"first": self.chance.choice((1, 7, 1 << 62))}, {"prev": word}]
        return msgspec.structs.replace(frame, **self.chance.choice(changes))


class LyingReactor:
    """Says what it likes, when it likes; it implements `caroni_edge.node.reactor.Reactor`."""

    def __init__(self, liar: "LyingMember", node: Node) -> None:
        """Speak by a node's outbox and notices."""
        self._liar, self._node = liar, node
        self._chance, self._known = liar.chance, liar.known
        self._due = -inf

    def on_start(self, at: Moment) -> None:
        """Begin to lie."""
        self._due = at.now

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """Say nothing by itself."""

    def on_presence(self, peer: str, presence: Presence | None, at: Moment) -> None:
        """Care about nobody."""

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> None:
        """Remember what is demanded."""
        if payload:
            is_willing = self._chance.random() < HONEST or self._liar.is_greedy
            request = msgspec.json.decode(payload, type=JobFulfillmentRequest)
            self._known.serials[topic.manager] = request.serial
            if is_willing and (self._liar.is_greedy or not self._liar.is_silent):
                self._offer(topic.manager, topic.job_type, request)

    def on_message(self, peer: str, message: Message, at: Moment) -> None:
        """Remember what may be of use, and now and then do what is expected."""
        match message:
            case JobsWanted(wanted=query):
                self._known.queries[peer] = query
            case JobOffer(offer=offer) if self._liar.topics.role == "managers":
                self._known.offers.setdefault(peer, []).append(offer)
                if self._chance.random() < HONEST and not self._liar.is_silent:
                    self._place(peer, message)
            case OfferAccept(jobs=jobs) if self._liar.topics.role == "agents":
                self._known.tickets += [(peer, each.workflow, place) for each in jobs for place in each.places]
            case _:
                pass

    def on_rejected_here(self, peer: str, message_type: str, jobs: tuple[str, ...], reason: str, at: Moment) -> None:
        """Care about nothing."""

    def on_undeliverable(self, peer: str, message: Message, reason: str, at: Moment) -> None:
        """Care about nothing."""

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        """Start nothing."""

    def on_trigger_settled(self, packet_id: int) -> None:
        """Care about nothing."""

    def forget_peer(self, peer: str, at: Moment) -> Forgotten:
        """Keep all."""
        return Forgotten()

    def settle(self, at: Moment) -> None:
        """Lie to somebody, if it is time."""
        if at.now < self._due or self._liar.is_silent:
            self._due = max(self._due, at.now + 5.0)
            return
        self._due = at.now + self._liar.pause_s * (0.5 + self._chance.random())
        self._liar.listen()
        self._say_notice(at)
        self._liar.store.ask()
        peers = self._known.managers if self._liar.topics.role == "agents" else self._known.agents
        peer = self._chance.choice(peers)
        kinds = OF_AGENTS if self._liar.topics.role == "agents" else OF_MANAGERS
        if self._chance.random() < 0.05:
            kind = self._chance.choice(kinds)
            for _ in range(self._chance.randint(STORM // 2, STORM)):
                self._say(peer, self._liar.lies.of_kind(kind, peer))
        else:
            for _ in range(self._chance.randint(1, 5)):
                self._say(peer, self._liar.lies.message(kinds, peer))

    def next_due(self) -> float:
        """Return when to lie again."""
        return self._due

    def open_peers(self) -> Iterable[str]:
        """Ask everybody for their position."""
        return [*self._known.managers, *self._known.agents]

    def subscriptions(self) -> Iterable[tuple[str, int]]:
        """Hear the demand, as an agent may."""
        topics = self._liar.topics
        return [(topics.requests_for(name), 0) for name in ALL_TYPES] if topics.role == "agents" else []

    def presence(self) -> Mapping[str, object]:
        """Say anything."""
        if self._liar.topics.role == "managers":
            return {}
        said = self._liar.lies.presence(
            plausible=self._liar.is_greedy or self._liar.is_silent or self._chance.random() < 0.7
        )
        return {**said, "slots": 1, "backlog": 1, "pending": 1} if self._liar.is_greedy else said

    def presence_changed(self) -> bool:
        """Say another presence now and then."""
        return not self._liar.is_silent and self._chance.random() < 0.05

    def committed(self) -> None:
        """Do nothing."""

    def _say(self, peer: str, message: LinkMessage) -> None:
        if not is_sayable(message) and self._chance.random() < 0.9:
            return
        self._node.links.put(peer, message)

    def _say_notice(self, at: Moment) -> None:
        topics = self._liar.topics
        if topics.role == "managers" and self._chance.random() < 0.5:
            self._liar.serial += 1
            name = self._chance.choice(ALL_TYPES)
            said = self._liar.lies.demand(self._liar.serial) if self._chance.random() < 0.9 else None
            self._node.notices.say(topics.request(name), said)

    def _offer(self, manager: str, job_type: str, request: JobFulfillmentRequest) -> None:
        """Offer as an honest agent might: jobs come, of which lies can be told."""
        name = self._node.chance.new_id()
        self._known.offers.setdefault(manager, []).append(name)
        places = COUNT_MAX if self._liar.is_greedy else 2
        offer = JobOffer(
            offer=name, job_type=job_type, serial=request.serial, ready=places, waiting=places, database="a lie"
        )
        self._node.links.put(manager, offer)

    def _place(self, agent: str, offer: JobOffer) -> None:
        """Place jobs of its own, as an honest manager might."""
        count = min(offer.ready, 3)
        jobs = tuple(
            Placement(
                job=self._node.chance.new_id(),
                attempt=1,
                job_type=offer.job_type,
                workflow="w0",
                step=f"s{number}",
                data_ready=True,
                inputs={"a": self._liar.lies.file() or "x" if offer.job_type in TAKE_FILES else "x"},
            )
            for number in range(count)
        )
        self._node.links.put(agent, OfferAccept(offer=offer.offer, jobs=jobs, database=offer.database))


class LyingMember(Member):
    """A login that was stolen.

    Attributes:
        is_silent: It says nothing for now.
        is_greedy: It offers far more places than it shows.
        withholds: It acknowledges nothing for now.
        pause_s: So long it rests between two lies.
        garbles: How often a frame of its is another than the link has made.
        serial: Of its last demand.
        known: What it knows.
        listen: Brings that up to date.
        store: Its lies about bytes.
    """

    listen: Callable[[], None]
    store: LyingStore
    is_greedy = False

    def __init__(self, role: Role, name: str, broker: MemoryBroker, chance: Random) -> None:
        """Prepare a liar with a temper of its own."""
        super().__init__(role, name, broker, chance)
        self.chance, self.known = Random(f"{name} {chance.random()}"), Known()
        self.lies = Liar(self.chance, self.known)
        self.serial = 0
        self.change_temper()

    def change_temper(self) -> None:
        """Become another: silent, slow or fast, one that acknowledges or does not."""
        self.is_silent = self.chance.random() < 0.1
        self.withholds = self.chance.random() < 0.2
        self.pause_s = self.chance.choice((0.2, 1.0, 5.0))
        self.garbles = self.chance.choice((0.0, 0.0, 0.1))
        if self.up:
            self.give_temper()

    def make_reactor(self, node: Node) -> LyingReactor:
        """Put the lies together with a node, whose transport may garble them."""
        return LyingReactor(self, node)

    def start(self, now: float) -> None:
        """Start a process, which has another boot."""
        super().start(now)
        if self.up:
            self.give_temper()
            self.store.connect()

    def _gone(self) -> None:
        super()._gone()
        self.store.connection = 0

    def _transport(self) -> FragileTransport:
        return LyingTransport(self._broker, self.topics.client_id)

    def give_temper(self) -> None:
        """Let its transport be as it is."""
        assert isinstance(self.transport, LyingTransport)
        self.transport.chance = self.chance
        self.transport.withholds, self.transport.garbles = self.withholds, self.garbles


def overheard(databases: Iterable[sqlite3.Connection]) -> tuple[list[KnownJob], list[str]]:
    """Return jobs and steps of managers, and names of databases: more than one with a stolen login can know."""
    jobs: list[KnownJob] = []
    names: list[str] = []
    for conn in databases:
        for statement in (JOBS_OF_MANAGERS, STEPS):
            jobs += [KnownJob(*row)._replace(inputs=msgspec.json.decode(row[-1])) for row in conn.execute(statement)]
        names += [name for (name,) in conn.execute(DATABASES)]
    return jobs, names
