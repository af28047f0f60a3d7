"""What the broker does not carry though it has taken us in: found out, done without, and said."""

import logging
from math import inf

from caroni_edge.base.moment import Moment
from caroni_edge.delivery.events import Events
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.passage import SURELY_PASSES_BYTES
from caroni_edge.node.connection import LEFT_OUT_FOR_S, Connection
from caroni_edge.node.cutoffs import Publication
from caroni_edge.protocol.codec import RAISE_LIMIT
from caroni_edge.protocol.topics import OTHER, Topics

log = logging.getLogger(__name__)

UNANSWERED_AFTER_S = 45.0
"""So long a peer that is online may take to answer a question: longer than the broker needs to notice that it hangs."""
LOOK_EVERY_S = 5.0


class Carriage:
    """Looks after messages that are too large for the broker, and after peers that it carries nothing to."""

    def __init__(self, topics: Topics, links: Links, events: Events, connection: Connection) -> None:
        """Look after what these send."""
        self._topics, self._links, self._events, self._connection = topics, links, events, connection
        self._look_due = -inf
        self._unanswered: tuple[str, ...] = ()

    def on_disconnected(self) -> None:
        """The connection is gone; if not because of what we published, the next broker may be another one."""
        if not self._connection.was_cut_off:
            self._links.other_broker()
            self._events.other_broker()

    def settle(self, at: Moment) -> None:
        """Do without what the broker cuts us off for; part of the batch's transaction."""
        if blamed := self._connection.blamed:
            self._connection.blamed = None
            self._leave_out(blamed)
        if at.now >= self._look_due:
            self._look_due = at.now + LOOK_EVERY_S
            self._look_for_unanswered(at.now)

    def next_due(self) -> float:
        """Return when to look again who answers nothing, on the monotonic clock."""
        return self._look_due if self._unanswered or self._links.owes_answers() else inf

    def problem(self) -> str | None:
        """Return why not all that is said arrives, for people; any thread may ask."""
        if self._links.carriage_problem or self._connection.problem():
            return self._links.carriage_problem or self._connection.problem()
        if not self._unanswered:
            return None
        peers, theirs = ", ".join(self._unanswered), self._topics.inbox_of(self._unanswered[0])
        return (
            f"no answer from {peers}, though online: the broker may drop what we publish to {theirs}, or what comes to "
            f"{self._topics.inboxes}; look at its ACL"
        )

    def _look_for_unanswered(self, now: float) -> None:
        connected = self._connection.connected
        found = self._links.unanswered(UNANSWERED_AFTER_S, since=self._connection.since) if connected else []
        unanswered = tuple(found)
        for peer in sorted(set(unanswered) - set(self._unanswered)):
            said = "%s is online and answers nothing; look at the ACL of the broker for %s"
            facts = {"action": "unanswered", "peer": peer}
            log.error(said, f"{OTHER[self._topics.role]}/{peer}", self._topics.inbox_of(peer), extra=facts)
        self._unanswered = unanswered

    def _leave_out(self, blamed: Publication) -> None:
        """Do without what the broker cuts us off for, or nothing else would ever leave."""
        if blamed.is_event:
            how = "its outputs are left out"
            if not self._events.leave_out(blamed.number):
                how = f"the event is dropped, as are others there for {LEFT_OUT_FOR_S / 60:g} min"
                # A trigger may have named the topic: that is no reason to call the node unfit.
                self._connection.leave_out(blamed.topic, is_problem=False)
        elif blamed.frame is not None and blamed.size_bytes > SURELY_PASSES_BYTES:
            self._links.cut_off(blamed.frame.to, blamed.number, len(blamed.frame.messages))
            how = "smaller frames are tried"
        elif blamed.topic != self._topics.presence:
            self._connection.leave_out(blamed.topic)
            how = f"nothing is published there for {LEFT_OUT_FOR_S / 60:g} min"
        else:
            return
        facts = {"action": "cut_off", "topic": blamed.topic, "size": blamed.size_bytes}
        log.error("the broker cuts us off for this; %s. Look at its ACL, or %s", how, RAISE_LIMIT, extra=facts)
