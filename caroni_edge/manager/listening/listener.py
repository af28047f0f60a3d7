"""The session of its own by which a manager hears what its rules look at.

So readings never hold up the frames of agents. A message is acknowledged when what it starts, or the decision
that it starts nothing, is committed; until then the broker would send it again.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Any

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.moment import Moment
from caroni_edge.config.automation import Rule
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.triggers.evaluation import Ask, Evaluated, Outcome, Reading, evaluate
from caroni_edge.protocol.topics import covers, holds
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    Subscribed,
    SubscriptionRefused,
    Transport,
)

log = logging.getLogger(__name__)

UNDECIDED_MAX = 1000
"""So many messages of QoS 0 wait for their decision; those that come meanwhile are dropped, and that is said."""
AGAIN_AFTER_S = 5.0

Tell = Callable[[Callable[[Moment], Any]], "Future[Any]"]
"""Has something run in the node's thread, and returns what tells that it is committed."""


class Listener:
    """Takes what the session delivers, one event after the other, and acknowledges what was decided on.

    All methods but `problem` are called by one thread.

    Attributes:
        transport: The session.
    """

    def __init__(
        self,
        transport: Transport,
        reactor: ManagerReactor,
        ask: Ask,
        tell: Tell,
        acknowledge: Callable[[Callable[[], None]], None],
        date: Callable[[], float],
    ) -> None:
        """Listen to nothing yet.

        Args:
            transport: The session; somebody else starts it.
            reactor: Decides on what comes.
            ask: Runs the JavaScript of rules.
            tell: Has something decided in the node's thread.
            acknowledge: Has something run in the thread of this object, when a decision is committed.
            date: Returns the time of the wall clock.
        """
        self.transport = transport
        self._reactor, self._ask, self._tell, self._acknowledge = reactor, ask, tell, acknowledge
        self._date = date
        self._rules: Sequence[Rule] = ()
        self._known: Collection[str] = reactor.listened()
        self._wanted: tuple[str, ...] = ()
        self._missing: frozenset[str] = frozenset()
        self._refused: frozenset[str] = frozenset()
        self._connection: int | None = None
        self._is_session_new = False
        self._undecided = self._dropped = 0
        self._reason = "not connected yet"

    @property
    def is_needed(self) -> bool:
        """Whether there is something to subscribe to, or to end a subscription of."""
        return bool(self._wanted or self._known)

    def problem(self) -> str | None:
        """Return why not all is heard that rules look at, for people; any thread may ask."""
        if not self._wanted:
            return None
        if self._connection is None:
            return f"triggers are not connected to the broker: {self._reason}"
        if self._refused:
            topics = ", ".join(sorted(self._refused))
            return f"the broker does not let triggers subscribe to {topics}; look at its ACL"
        if self._missing:
            return f"the broker has not taken the subscription of triggers to {', '.join(sorted(self._missing))} yet"
        return None

    def use(self, rules: Sequence[Rule]) -> None:
        """Let messages be looked at by these rules from now on, and by no others."""
        self._rules = rules
        filters = [rule.topic for rule in rules]
        self._wanted = tuple(
            sorted({each for each in filters if not any(each != other and holds(other, each) for other in filters)})
        )
        if self._connection is not None:
            self._subscribe()

    def take(self, event: Event) -> None:
        """Take what has happened to the session."""
        match event:
            case Connected(connection=connection, session_present=is_present):
                self._connection, self._is_session_new = connection, not is_present
                self._subscribe()
            case Disconnected(connection=connection, reason=reason):
                self._reason = reason
                if connection == self._connection:
                    self._connection = None
                    log.warning("triggers: disconnected: %s", reason, extra={"action": "disconnected"})
            case Subscribed(connection=connection, topic_filter=topic) if connection == self._connection:
                self._missing -= {topic}
                if not self._missing:
                    self._note_subscribed()
            case SubscriptionRefused(connection=connection, topic_filter=topic) if connection == self._connection:
                self._refused |= {topic}
                facts = {"action": "subscription_refused", "topic": topic}
                log.error("the broker refuses the subscription of triggers to %s", topic, extra=facts)
            case Arrived():
                self._arrived(event)
            case _:
                pass

    def _subscribe(self) -> None:
        """Bring the subscriptions of the session to what is wanted; in one that was kept, others may still be there."""
        self._missing, self._refused = frozenset(self._wanted), frozenset()
        if stale := sorted(set(self._known) - set(self._wanted)):
            self.transport.unsubscribe(stale)
        self.transport.subscribe([(each, 1) for each in self._wanted])
        if not self._wanted:
            self._note_subscribed()

    def _note_subscribed(self) -> None:
        filters, is_new, self._is_session_new = self._wanted, self._is_session_new, False
        self._known = filters
        self._tell(lambda at: self._reactor.on_listening(filters, at, is_session_new=is_new))

    def _arrived(self, event: Arrived) -> None:
        if event.connection != self._connection:
            return
        if not event.qos and self._undecided >= UNDECIDED_MAX:
            self._dropped += 1
            return
        if self._dropped:
            said = "%d messages of QoS 0 were dropped: they came faster than triggers could decide on them"
            log.warning(said, self._dropped, extra={"action": "readings_dropped"})
            self._dropped = 0
        reading = Reading(event.topic, event.payload, self._date(), is_retained=event.retain)
        matching = [rule for rule in self._rules if covers(rule.topic, event.topic)]
        found = [self._evaluate(rule, reading) for rule in matching]
        self._undecided += 1
        decided = self._tell(lambda at: self._reactor.on_reading(found, at))
        decided.add_done_callback(lambda done: self._acknowledge(lambda: self._decided(event, done)))

    def _evaluate(self, rule: Rule, reading: Reading) -> Evaluated:
        try:
            return evaluate(rule, reading, self._ask)
        except Exception as error:
            log.exception("a message could not be looked at", extra={"action": "failed", "topic": reading.topic})
            return Evaluated(rule, reading, Outcome.FAILED, f"a fault of the program: {error!r}")

    def _decided(self, event: Arrived, done: "Future[Any]") -> None:
        self._undecided -= 1
        if isinstance(done.exception(), CaroniError):  # the storage failed, or the node stops
            if event.connection == self._connection:
                self.transport.disconnect(AGAIN_AFTER_S)  # so it comes again
        else:
            self.transport.ack(event)
