"""What the broker carries and keeps: large messages, many messages, retained ones, sessions."""

from collections.abc import Iterator
from dataclasses import dataclass

from caroni_edge.base.chance import SystemChance
from caroni_edge.config import BrokerConfig
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.doctor.probe import Gone, Probe
from caroni_edge.protocol.codec import FRAME_LIMIT_BYTES

EVENT_BYTES = 132 * 1024
MESSAGES = 300
QUIET_S = 1.0


@dataclass(frozen=True)
class Sessions:
    """How the broker tells sessions apart.

    Attributes:
        broker: The broker.
        topic: Where the doctor says what it wants to hear.
        is_shared: By the login alone: all connections with it are one session.
        is_nodes: This session is the node's, which has been there before.
    """

    broker: BrokerConfig
    topic: str
    is_shared: bool
    is_nodes: bool


def check(probe: Probe, sessions: Sessions, *, is_manager: bool) -> Iterator[Finding]:
    """Probe the limits, on the doctor's own topic."""
    topic = sessions.topic
    probe.own_topic = topic
    probe.subscribe([(topic, 0)])
    if not _comes_back(probe, topic, b"hello"):
        hint = f"Let the node read and write {topic} to have them probed, as config/mosquitto/acl.conf does."
        yield warning("limits", "message size and queue length were not probed: the broker does not let us", hint)
        return
    yield of_size("a frame", FRAME_LIMIT_BYTES, comes=_passes(probe, topic, FRAME_LIMIT_BYTES))
    if is_manager:
        yield of_size("an event", EVENT_BYTES, comes=_passes(probe, topic, EVENT_BYTES))
    yield _retained(probe, topic)
    probe.unsubscribe(topic)
    if sessions.is_nodes:
        yield ok("queue", "its length was not probed: messages may wait in the node's own session")
    elif not sessions.is_shared:
        yield from _queue(probe, sessions)
    else:
        yield ok("queue", "its length was not probed: on this broker a login has one session only")


def of_size(what: str, size_bytes: int, *, comes: bool) -> Finding:
    """Judge whether a message of this size has come."""
    if comes:
        return ok("size", f"{what} of {size_bytes // 1024} KiB passes")
    hint = "Raise the broker's limit (mosquitto: message_size_limit and max_packet_size; RabbitMQ: max_message_size)."
    return problem("size", f"{what} of {size_bytes // 1024} KiB does not pass: the broker's limit is too low", hint)


def of_queue(kept: int, sent: int) -> Finding:
    """Judge how many messages the broker has kept for a session that was away."""
    if kept >= sent:
        return ok("queue", f"the broker keeps at least {sent} messages for a node that is away")
    said = (
        f"the broker keeps only {kept} of {sent} messages for a node that is away: nodes send again, which costs time;"
    )
    hint = "Raise the broker's queue (mosquitto: max_queued_messages)."
    return warning("queue", f"{said} workflows that people start meanwhile may be lost", hint)


def of_session(*, is_kept: bool) -> Finding:
    """Judge whether the broker has kept a session."""
    if is_kept:
        return ok("session", "the broker keeps sessions")
    return problem(
        "session",
        "the broker does not keep sessions: what is sent to a node that is away is lost",
        "Allow persistent sessions (clean session false) there.",
    )


def _comes_back(probe: Probe, topic: str, payload: bytes) -> bool:
    before = len(probe.hear(topic, within_s=0))
    try:
        return probe.publish(topic, payload) and len(probe.hear(topic, before + 1, QUIET_S)) > before
    except Gone:
        return False


def _passes(probe: Probe, topic: str, size_bytes: int) -> bool:
    passes = _comes_back(probe, topic, b"x" * size_bytes)
    probe.revive([(topic, 0)])
    return passes


def _retained(probe: Probe, topic: str) -> Finding:
    """Retain a message, and subscribe by a wildcard."""
    everybody = f"{topic.rpartition('/')[0]}/+"
    probe.publish(topic, b"kept", retain=True)
    try:
        probe.unsubscribe(topic)
        before = len(probe.hear(topic, within_s=0))
        probe.subscribe([(everybody, 0)])
        probe.hear(topic, before + 1, QUIET_S)
        comes = any(message.retain for message in probe.hear(topic, within_s=0)[before:])
        probe.unsubscribe(everybody)
    finally:
        probe.publish(topic, b"", retain=True)
    if comes:
        return ok("retained", "a subscription with a wildcard gets what is retained")
    said = "a subscription with a wildcard gets nothing that is retained: nodes say it again, which costs seconds"
    return warning("retained", said, "See docs/brokers.md.")


def _queue(publisher: Probe, sessions: Sessions) -> Iterator[Finding]:
    """Let a session go away, publish, and count what it gets when it is back."""
    broker, topic = sessions.broker, sessions.topic
    name = f"{topic.partition('/')[0]}-doctor-{SystemChance().new_id()}"
    with Probe(broker, name) as away:
        away.subscribe([(topic, 1)])
        publisher.publish(topic, b"before")
        away.own_topic = topic
        away.hear(topic)
    for number in range(MESSAGES):
        publisher.publish(topic, b"%d" % number)
    with Probe(broker, name, own_topic=topic) as back:
        yield of_session(is_kept=back.session_present)
        came = {message.payload for message in back.hear(topic, MESSAGES)} - {b"before"}
        yield of_queue(len(came), MESSAGES)
    with Probe(broker, name, clean=True):
        pass
