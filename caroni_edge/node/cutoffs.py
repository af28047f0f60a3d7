"""Which publication a broker cuts us off for: it ends the connection, says nothing, and the same comes again for ever.

What was in flight at two cut-offs in a row, right after it was published, is suspect, and one message at a time is
published until all of that has been acknowledged or blamed. So the one that is in flight at the next ones is it; three
of them are asked for, because a bad line ends connections too, at moments of its own.
"""

from typing import NamedTuple

from caroni_edge.protocol.messages import Frame

SUSPECT_AT = 2
"""Cut-offs in a row, after which a message goes alone."""
STRIKES = SUSPECT_AT + 3
"""Cut-offs in a row, after which it is blamed."""
RIGHT_AFTER_S = 5.0
"""A connection that ends later than this after a publication did not end because of it."""


class Publication(NamedTuple):
    """What was published; the same comes again with the same topic and number.

    Attributes:
        topic: Where.
        number: An event's number, the seq of a frame's first message, 0 for others.
        size_bytes: Of its payload.
        frame: It was a frame with messages.
        is_event: It was an event.
    """

    topic: str
    number: int = 0
    size_bytes: int = 0
    frame: Frame | None = None
    is_event: bool = False


class CutOffs:
    """Counts, for what was in flight when a connection was lost, how often that was so without an acknowledgement."""

    def __init__(self) -> None:
        """Begin without a suspicion."""
        self._in_flight: dict[int, tuple[Publication, float]] = {}
        self._strikes: dict[tuple[str, int], int] = {}

    @property
    def suspects(self) -> bool:
        """Whether something is suspect, so that one message at a time is to be published."""
        return any(strikes >= SUSPECT_AT for strikes in self._strikes.values())

    @property
    def has_lost(self) -> bool:
        """Whether something was in flight at the last cut-off, right after it was published."""
        return bool(self._strikes)

    def sent(self, token: int, publication: Publication, now: float) -> None:
        """Note that something was published with QoS 1."""
        self._in_flight[token] = publication, now

    def acknowledged(self, token: int) -> None:
        """The broker has taken it: neither it nor what came before it in a frame to the same node is suspect."""
        publication, _ = self._in_flight.pop(token, (None, 0.0))
        if publication is not None and self._strikes:
            self._strikes = {
                (topic, number): strikes
                for (topic, number), strikes in self._strikes.items()
                if topic != publication.topic or number > publication.number
            }

    def cut_off(self, now: float) -> Publication | None:
        """The connection was lost; return what the broker has cut us off for, once that is certain."""
        lost = [publication for publication, at in self._in_flight.values() if now - at <= RIGHT_AFTER_S]
        self._in_flight.clear()
        self._strikes = {
            (each.topic, each.number): self._strikes.get((each.topic, each.number), 0) + 1 for each in lost
        }
        if len(lost) == 1 and self._strikes[lost[0].topic, lost[0].number] >= STRIKES:
            self._strikes.clear()
            return lost[0]
        return None

    def forget(self) -> None:
        """We ended the connection ourselves."""
        self._in_flight.clear()
