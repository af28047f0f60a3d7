"""The loop that both daemons share: a batch comes in, one transaction, then acknowledge and publish.

`Node.run_batch` is deterministic: events and the time are passed in, and it can be driven by a simulation. Whatever
happens in between, a crash means that something is sent again, never that it is lost (docs/architecture.md).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Any

from caroni_edge.base.failpoints import failpoint
from caroni_edge.base.moment import Chance, Moment
from caroni_edge.delivery.events import Events
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.node.calls import Call, Calls, answer
from caroni_edge.node.carriage import Carriage
from caroni_edge.node.connection import Connection
from caroni_edge.node.dispatch import Dispatch
from caroni_edge.node.forgetting import Forgetting
from caroni_edge.node.identity import Identity
from caroni_edge.node.reactor import Notices, Reactor
from caroni_edge.node.store import FactRows
from caroni_edge.protocol.messages import MESSAGE_VERSION, Presence
from caroni_edge.protocol.topics import Topics
from caroni_edge.storage.database import Database, StorageFailed
from caroni_edge.storage.trouble import StorageTrouble
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    Published,
    SubscriptionRefused,
    Transport,
)

log = logging.getLogger(__name__)

ASK_OPEN_PEERS_EVERY_S = 600.0
DELETE_EVENTS_WITHIN_S = 1.0
SETTLE_AGAIN_S = 5.0


@dataclass(frozen=True)
class NodeParts:
    """What a node is put together from."""

    topics: Topics
    database: Database
    transport: Transport
    chance: Chance
    version: str
    host: str
    ask_every_s: float = ASK_OPEN_PEERS_EVERY_S
    forget_after_s: float | None = None


class Node:
    """A manager or an agent on the wire: link, outbox, notices, events, and the reactor that decides.

    Attributes:
        ask_every_s: How often peers with open business are asked for their position (by a Hello).
        dispatch: Hands on what arrives; its `retry` and `drop` are commands.
        forgetting: Forgets peers, by commands too.
        checks: Each returns why the role cannot work now, or None.
        gives_objects: It hears who asks for bytes of objects (`node/transfers.py`).
    """

    def __init__(self, parts: NodeParts) -> None:
        """Open the node's rows. `attach` gives it its reactor, `start` begins."""
        self.topics, self.database, self.transport = parts.topics, parts.database, parts.transport
        self.chance = parts.chance
        conn, journal = parts.database.conn, parts.database.journal
        with parts.database.immediate():
            self.identity = Identity(parts.topics.name, FactRows(conn), parts.chance.new_id)
        rows = OutboxRows(conn)
        self.links = Links(parts.topics.node, self.identity.boot, rows, parts.chance, self._on_link_reset, journal)
        self.events = Events(conn, journal, parts.chance)
        self.notices = Notices(journal)
        self.connection = Connection(parts.transport, parts.topics, self.events)
        self.carriage = Carriage(parts.topics, self.links, self.events, self.connection)
        self.ask_every_s = parts.ask_every_s
        self._parts = parts
        self._trouble = StorageTrouble()
        self.checks: list[Callable[[], str | None]] = [self.carriage.problem]
        self.gives_objects = False
        self._calls = Calls(parts.database)
        self._connected_at = inf
        self._ask_due = inf
        self._events_due = inf
        self._settle_failed_until = -inf
        self._is_undecided = True
        self._is_session_new = False  # the broker had none at a connect, and no batch that knows it is committed yet

    def attach(self, reactor: Reactor) -> None:
        """Give the node the reactor of its role, which was made with `links`, `notices` and `events`."""
        self.reactor = reactor
        self.dispatch = Dispatch(self.database, self.links, reactor, self.topics)
        self.forgetting = Forgetting(self.topics, self.links, self.notices, reactor)

    def start(self, at: Moment) -> None:
        """The first batch of the process: durations begin anew, and links with open business ask for positions."""
        with self.database.immediate():
            self.links.begin(at.now)
            self.reactor.on_start(at)
            self.links.start(self.reactor.open_peers())
            self.links.set_timers()
        self.reactor.committed()
        self._ask_due = at.now + self.ask_every_s

    # Questions

    @property
    def will(self) -> Presence:
        """What is said for us when we vanish."""
        return Presence(online=False, boot=self.identity.boot)

    def why_not_ready(self) -> str | None:
        """Return why the node cannot work now, for people; None when it can."""
        if self._trouble.failure:
            return str(self._trouble.failure)
        if self.identity.taken_by:
            return f"id taken: {self.topics.name} is also running on {self.identity.taken_by}"
        # A role that cannot work may not even connect.
        return next((why for check in self.checks if (why := check())), None) or self.connection.why_not_ready()

    def silent_for(self, peer: str, now: float) -> float:
        """Return for how long a question to `peer` is open while we are connected, in seconds."""
        return max(0.0, now - max(self.links.asked_at(peer), self._connected_at))

    def connected_for(self, now: float) -> float:
        """Return for how many seconds we have been connected; 0 while we are not."""
        return max(0.0, now - self._connected_at)

    def next_due(self) -> float:
        """Return when a batch must run though nothing arrives, on the monotonic clock."""
        if self._trouble.failure:
            return self._trouble.again_due
        reactor_due = -inf if self._is_undecided else self.reactor.next_due()
        due = min(reactor_due, self._events_due, self._ask_due)
        due = max(due, self._settle_failed_until)
        if not self.connection.connected:
            return due
        links_due = self.links.next_due() if self.connection.capacity_for_frames > 0 else inf
        return min(due, links_due, self.identity.say_due, self.carriage.next_due(), self.connection.next_due())

    # A batch

    def run_batch(self, arrived: Sequence[Event | Call], at: Moment) -> None:
        """Let a batch take effect in one transaction; only then act, acknowledge and publish."""
        self.connection.now = at.now
        events = [event for event in arrived if not self._note(event, at)]
        # A `Connected` comes only once, so it is never held: if the database still fails, we disconnect again.
        if self._trouble.is_waiting(at.now) and not any(isinstance(event, Connected) for event in events):
            self._hold(events)
            return
        if not events and not self.links.held_back and at.now < self.next_due():
            self.connection.pump()
            return
        calls = self._calls.of(events)
        self._is_undecided |= bool(calls)
        results: list[tuple[Call, Any]] = []
        try:
            with self.database.immediate():
                self.links.begin(at.now)
                if self._trouble.failure:
                    self.identity.prove_writable()
                self._take_all(events, at)
                results = self._calls.run(calls, at)
                self._settle(at)
                frames = (
                    list(self.links.frames(self.connection.capacity_for_frames)) if self.connection.connected else []
                )
                self.links.set_timers()
                self.events.delete_acknowledged()
                failpoint("before-commit")
        except StorageFailed as failure:
            self._fail(failure, calls, at)
            return
        failpoint("after-commit")
        # A job begins sooner so: what goes to the broker wakes a thread, with which this one shares the interpreter.
        self.reactor.committed()
        failpoint("after-deeds")
        with self.transport.together():
            self._after_commit(events)
            failpoint("after-acks")
            self.connection.send(frames)
            self.connection.pump()
        failpoint("before-answer")
        for call, result in results:
            answer(call, result)

    def _note(self, event: Event | Call, at: Moment) -> bool:
        """Take what needs no transaction; return whether `event` was such."""
        if not isinstance(event, Published):
            return False
        if event.connection == self.connection.number:
            self.dispatch.settled(self.connection.on_published(event.token))
            if self.events.acknowledged:
                self._events_due = min(self._events_due, at.now + DELETE_EVENTS_WITHIN_S)
        return True

    def _take_all(self, events: Sequence[Event | Call], at: Moment) -> None:
        for are_triggers, some in groupby(events, self.dispatch.is_trigger):
            if are_triggers:
                self.dispatch.take_triggers([event for event in some if isinstance(event, Arrived)], at)
                self._is_undecided = True
                continue
            for event in some:
                self._take(event, at)

    def _take(self, event: Event | Call, at: Moment) -> None:
        match event:
            case Arrived():
                if event.topic == self.topics.presence:
                    self._found_own_presence(event, at)
                elif self.dispatch.take(event, at):
                    self._is_undecided = True
            case Connected():
                self._on_connected(event, at)
            case Disconnected():
                self._on_disconnected(event)
            case SubscriptionRefused():
                self.connection.on_refused(event)
            case _:
                pass

    def _settle(self, at: Moment) -> None:
        self.carriage.settle(at)
        if at.now >= self._ask_due:
            self._ask_due = at.now + self.ask_every_s
            self.links.ask(self.reactor.open_peers())
            self._forget_silent(at)
        if at.now >= self.identity.say_due:
            self._say_presence()
        self._is_undecided |= self.dispatch.tell_undeliverable(at)
        if at.now < self._settle_failed_until or not (self._is_undecided or at.now >= self.reactor.next_due()):
            return
        self._is_undecided = False  # a link that begins anew meanwhile is to be decided on
        try:
            with self.database.savepoint():
                self.reactor.settle(at)
        except StorageFailed:
            raise
        except Exception:
            self._settle_failed_until, self._is_undecided = at.now + SETTLE_AGAIN_S, True
            log.exception("deciding failed; trying again in %g s", SETTLE_AGAIN_S, extra={"action": "settle_failed"})
        self._is_undecided |= self.dispatch.tell_undeliverable(at)
        if self.reactor.presence_changed() and self.identity.say_due == inf:
            self._say_presence()

    def _after_commit(self, events: Sequence[Event | Call]) -> None:
        self._events_due = inf
        self._is_session_new = False
        self._calls.committed()
        if self._trouble.failure:
            log.warning("the state database works again", extra={"action": "storage_works"})
            self._trouble.failure = None
        for event in events:
            if isinstance(event, Arrived) and event.qos:
                self.connection.ack(event)
        self.connection.subscribe(self._subscriptions())
        self.connection.say(self.notices.take())

    def _fail(self, failure: StorageFailed, calls: Sequence[Call], at: Moment) -> None:
        """Go back to before the batch; nothing was acknowledged, so all of it comes again."""
        pause_s = self._trouble.begin(failure, at.now)
        log.error("%s Trying again in %g s.", failure, pause_s, extra={"action": "storage_failed"})
        self._ask_due = at.now
        self._is_undecided = True
        self._calls.undone(calls, failure)
        self.transport.disconnect(pause_s)

    def _hold(self, events: Sequence[Event | Call]) -> None:
        """While the storage cannot be used: keep what nobody would say again, refuse what somebody waits for."""
        for event in events:
            match event:
                case Call():
                    self._calls.hold(event, self._trouble.failure)
                case Disconnected():
                    self._on_disconnected(event)
                case _:
                    pass

    def _forget_silent(self, at: Moment) -> None:
        after_s = self._parts.forget_after_s
        if after_s is not None and self.connection.connected:
            self._is_undecided |= self.forgetting.forget_silent(self.ask_every_s, after_s, at)

    # Connection and identity

    def say_goodbye(self) -> None:
        """Say that the node leaves, as its will would."""
        self.connection.say({self.topics.presence: self.will})
        self.connection.pump()

    def _on_connected(self, event: Connected, at: Moment) -> None:
        self.connection.on_connected(event)
        self.identity.on_connected(at.now, was_said=self.connection.presence_known)
        self._connected_at = at.now
        self._is_undecided = True
        log.info("connected to the broker", extra={"action": "connected"})
        self._is_session_new |= not event.session_present
        self.reactor.on_connected(at, session_present=not self._is_session_new)
        self.links.connected()

    def _on_disconnected(self, event: Disconnected) -> None:
        if self.connection.on_disconnected(event):
            self._connected_at = inf
            self.identity.on_disconnected()
            self.carriage.on_disconnected()
            log.warning("disconnected: %s", event.reason, extra={"action": "disconnected"})

    def _subscriptions(self) -> list[tuple[str, int]]:
        base = [(self.topics.inboxes, 1), (self.topics.presence_of_peers, 0), *self.reactor.subscriptions()]
        if self.gives_objects:
            base.append((self.topics.asks, 0))
        return [*base, (self.topics.presence, 0)] if self.identity.say_due < inf else base

    def _found_own_presence(self, event: Arrived, at: Moment) -> None:
        presence = self.dispatch.read_presence(event)
        if presence and (pause_s := self.identity.found(presence, at.now)):
            self.transport.disconnect(pause_s)

    def _say_presence(self) -> None:
        self.identity.say_due = inf
        facts: dict[str, Any] = dict(self.reactor.presence())
        boot, version, host = self.identity.boot, self._parts.version, self._parts.host
        said = Presence(online=True, boot=boot, version=version, host=host, speaks=MESSAGE_VERSION, **facts)
        self.notices.say(self.topics.presence, said)

    def _on_link_reset(self, peer: str) -> None:
        self._is_undecided = True
        log.warning("the link begins anew; reconciling", extra={"action": "link_reset", "peer": peer})
