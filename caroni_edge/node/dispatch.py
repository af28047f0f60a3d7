"""From what arrived to the handler that it is for; what cannot be handled is said, kept, and stops nothing."""

import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.moment import Moment
from caroni_edge.base.text import as_unicode
from caroni_edge.delivery.links import Links
from caroni_edge.node.reactor import Reactor
from caroni_edge.node.store import DeadLetterRows
from caroni_edge.protocol.codec import (
    FRAME_LIMIT_BYTES,
    OtherVersion,
    Unreadable,
    decode_envelope,
    decode_frame,
    decode_message,
    decode_notice,
    jobs_named,
)
from caroni_edge.protocol.messages import LinkReset, MessageRejected, Presence
from caroni_edge.protocol.topics import Inbox, PresenceOf, QuestionOf, Request, Topics, Triggers
from caroni_edge.storage.database import Database, StorageFailed
from caroni_edge.transport.base import Arrived

log = logging.getLogger(__name__)

DEAD_LETTERS_KEPT = 1000
DEAD_LETTER_MAX_BYTES = 64 * 1024
"""So much is kept of what it said."""

Part = TypeVar("Part")


class UnknownLetter(CaroniError):
    """There is no dead letter {number}."""

    hint = "It was dropped, or retried, or newer ones have taken its place."


class FailedAgain(CaroniError):
    """The dead letter {number} could not be handled this time either: {reason}."""

    hint = "It stays. Mend what the reason names, or drop it."


class Dispatch:
    """Reads topics and payloads, and calls handlers in savepoints: what one has done that raises goes back alone.

    Attributes:
        other_versions: Peers that speak another version of the link: their boot and what to say about it.
        on_question: Takes what a person asks: who it is, the question, the time. It changes nothing here.
    """

    def __init__(self, database: Database, links: Links, reactor: Reactor, topics: Topics) -> None:
        """Hand frames to `links`, and all else to `reactor`."""
        self.other_versions: dict[str, tuple[str, str]] = {}
        self.on_question: Callable[[str, bytes, Moment], None] | None = None
        self._database, self._links, self._reactor, self._topics = database, links, reactor, topics
        self._dead_letters = DeadLetterRows(database.conn)

    def take(self, event: Arrived, at: Moment) -> bool:
        """Let one message from the broker take effect; bad input of any kind is logged, and changes nothing.

        Returns:
            False where the reactor was surely told nothing, so that there is nothing new to decide on.
        """
        try:
            return self._take(event, at)
        except StorageFailed:
            raise
        except Unreadable as error:
            log.warning("%s", error, extra={"action": "unreadable", "topic": event.topic})
        except Exception as error:
            log.exception("a message could not be handled", extra={"action": "failed", "topic": event.topic})
            self._bury(event.topic, "", event.payload, error, at)
        return True

    def is_trigger(self, event: object) -> bool:
        """Tell whether somebody starts a workflow: a thousand may come at once, and `take_triggers` is for them."""
        return isinstance(event, Arrived) and event.topic == self._topics.triggers

    def take_triggers(self, events: Sequence[Arrived], at: Moment) -> None:
        """Let triggers take effect that have come one after the other."""
        self._take_together(
            events, lambda event: self._reactor.on_trigger(event, at), lambda event: self.take(event, at)
        )

    def retry(self, letter: int, at: Moment) -> None:
        """Handle a dead letter as if it had come now; then it is none any more.

        Raises:
            UnknownLetter: It is not there.
            FailedAgain: It could not be handled; the caller undoes what it has done, so it stays as it is.
        """
        found = self._dead_letters.get(letter)
        if found is None:
            raise UnknownLetter("", number=letter)
        try:
            if "/" in found.peer:
                self._take(Arrived(found.peer, found.body), at)
            else:
                self._handle(found.peer, found.body, at)
        except StorageFailed:
            raise
        except Exception as error:
            reason = as_unicode(str(error)[:500]) or type(error).__name__
            raise FailedAgain("", number=letter, reason=reason) from error
        self._dead_letters.delete(letter)
        log.info("a dead letter was handled", extra={"action": "letter_retried", "peer": found.peer})

    def drop(self, letter: int) -> None:
        """Delete a dead letter.

        Raises:
            UnknownLetter: It is not there.
        """
        if not self._dead_letters.delete(letter):
            raise UnknownLetter("", number=letter)

    def tell_undeliverable(self, at: Moment) -> bool:
        """Tell the reactor of its messages that the broker is too small for; return whether there were any."""
        found = self._links.take_undeliverable()
        for peer, body in found:
            message = decode_message(body)
            reason = f"a {type(message).__name__} of {len(body)} bytes cannot be sent: {self._links.carriage_problem}"
            log.error("%s", reason, extra={"action": "undeliverable", "peer": peer})
            try:
                with self._database.savepoint():
                    self._reactor.on_undeliverable(peer, message, reason, at)
            except StorageFailed:
                raise
            except Exception:
                # What it was about is found when the two reconcile.
                log.exception("that could not be handled", extra={"action": "undeliverable_failed", "peer": peer})
                self._links.was_reset(peer)
        return bool(found)

    def settled(self, packet_ids: Iterable[int]) -> None:
        """The broker cannot repeat the messages that had these packet ids."""
        for packet_id in packet_ids:
            self._reactor.on_trigger_settled(packet_id)

    def read_presence(self, event: Arrived) -> Presence | None:
        """Return the presence that a message says; None when it is empty, or cannot be read."""
        try:
            return decode_notice(Presence, event.topic, event.payload) if event.payload else None
        except Unreadable as error:
            log.warning("%s", error, extra={"action": "unreadable", "topic": event.topic})
            return None

    def _take(self, event: Arrived, at: Moment) -> bool:
        topic = self._topics.read(event.topic)
        if len(event.payload) > FRAME_LIMIT_BYTES and not isinstance(topic, Triggers):
            raise Unreadable(
                event.topic, reason=f"it has {len(event.payload)} bytes, and {FRAME_LIMIT_BYTES} are allowed"
            )
        match topic:
            case Inbox(sender):
                return self._take_frame(sender, event, at)
            case Triggers():
                with self._database.savepoint():
                    self._reactor.on_trigger(event, at)
            case PresenceOf():
                with self._database.savepoint():
                    self._take_presence(topic, event, at)
            case Request():
                with self._database.savepoint():
                    self._reactor.on_request(topic, event.payload, at)
            case QuestionOf(person):
                if self.on_question is not None and not event.retain:  # what is retained would be asked for ever
                    self.on_question(person, event.payload, at)
                return False
            case None:
                log.warning("a message on an unknown topic", extra={"action": "ignored", "topic": event.topic})
        return True

    def _take_presence(self, topic: PresenceOf, event: Arrived, at: Moment) -> None:
        if topic.role == self._topics.role:
            return  # some brokers send what nobody has subscribed to
        presence = decode_notice(Presence, event.topic, event.payload) if event.payload else None
        if presence is not None:
            self._links.heard_presence(topic.node, presence.boot, online=presence.online)
        self._reactor.on_presence(topic.node, presence, at)

    def _take_frame(self, sender: str, event: Arrived, at: Moment) -> bool:
        if event.retain:
            log.warning("a retained frame is ignored", extra={"action": "ignored", "topic": event.topic})
            return False
        try:
            frame = decode_frame(event.topic, event.payload)
        except OtherVersion as error:
            self._say_once(sender, str(error.facts["boot"]), str(error))
            return False
        if frame.from_ != sender or frame.to != self._topics.node:
            raise Unreadable(event.topic, reason=f"it says that it is from {frame.from_} to {frame.to}")
        self.other_versions.pop(sender, None)
        messages = self._links.receive(frame)
        if messages:
            self._take_together(
                messages,
                lambda raw: self._handle(sender, raw, at),
                lambda raw: self._take_message(sender, raw, at),
            )
        return bool(messages)

    def _take_together(
        self, parts: Sequence[Part], take: Callable[[Part], None], take_alone: Callable[[Part], object]
    ) -> None:
        """Take what has come together in one savepoint; only where a part fails, all are taken anew in one each."""
        try:
            with self._database.savepoint():
                for part in parts:
                    take(part)
        except StorageFailed:
            raise
        except Exception:  # noqa: BLE001 - which part it was is found, and said, when it is taken alone
            for part in parts:
                take_alone(part)

    def _take_message(self, peer: str, raw: msgspec.Raw, at: Moment) -> None:
        try:
            with self._database.savepoint():
                self._handle(peer, raw, at)
        except StorageFailed:
            raise
        except Exception as error:  # noqa: BLE001 - kept in dead_letters, and answered
            self._reject(peer, raw, error, at)

    def _handle(self, peer: str, raw: bytes | msgspec.Raw, at: Moment) -> None:
        message = decode_message(raw)
        if isinstance(message, LinkReset):
            self._links.was_reset(peer)
        else:
            self._reactor.on_message(peer, message, at)

    def _reject(self, peer: str, raw: msgspec.Raw, error: Exception, at: Moment) -> None:
        head = decode_envelope(raw)
        ids = {"action": "message_rejected", "peer": peer, "message_type": head.type}
        log.error("a %s was rejected: %s", head.type or "message", error, extra=ids, exc_info=error)
        self._bury(peer, head.type, bytes(raw), error, at)
        if head.type == MessageRejected.__name__:
            return  # or two nodes could reject each other's rejections for ever
        jobs, reason = jobs_named(raw)[:100], as_unicode(str(error)[:500]) or type(error).__name__
        answer = MessageRejected(id=head.id, message_type=head.type[:80], jobs=jobs, reason=reason)
        self._links.put(peer, answer)
        try:
            with self._database.savepoint():
                self._reactor.on_rejected_here(peer, head.type, jobs, reason, at)
        except StorageFailed:
            raise
        except Exception:
            # The messages behind it are taken, so they must be handled; reconciling finds what is missed here.
            log.exception("a rejection could not be handled", extra={**ids, "action": "rejection_failed"})
            self._links.was_reset(peer)

    def _bury(self, peer: str, kind: str, body: bytes, error: Exception, at: Moment) -> None:
        text = as_unicode("".join(traceback.format_exception(error)))
        self._dead_letters.add(date=at.date, peer=peer, kind=kind, body=body[:DEAD_LETTER_MAX_BYTES], traceback=text)
        self._dead_letters.trim(DEAD_LETTERS_KEPT)

    def _say_once(self, peer: str, boot: str, what: str) -> None:
        if self.other_versions.get(peer, ("", ""))[0] != boot:
            log.error("%s", what, extra={"action": "other_version", "peer": peer})
        self.other_versions[peer] = (boot, what)
