"""Between structs and bytes. What leaves it is well formed, or an error says why not."""

from typing import Any, TypeVar

import msgspec

from caroni_edge.base.errors import CaroniError
from caroni_edge.protocol.fields import is_job
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import LINK_VERSION, Frame, Message

FRAME_LIMIT_BYTES = 64 * 1024
FRAME_OVERHEAD_BYTES = 1024
"""Room in a frame for all but its messages."""
MESSAGE_LIMIT_BYTES = FRAME_LIMIT_BYTES - FRAME_OVERHEAD_BYTES
RAISE_LIMIT = "raise its limit (mosquitto: message_size_limit and max_packet_size; RabbitMQ: max_message_size)"
"""What to do about a broker that is too small, for people."""
TOGETHER_LIMIT_BYTES = 8 * 1024
"""A message about more than one job is no larger: what a small broker drops or cuts off is then one job's matter."""

Notice = TypeVar("Notice", bound=msgspec.Struct)


class Unreadable(CaroniError):
    """A message cannot be read: {reason}."""

    hint = "Look which program publishes to this topic; the broker's ACL can forbid it."


class OtherVersion(CaroniError):
    """The node {sender} speaks version {v} of the link, this one speaks version {ours}."""

    hint = "Bring both to the same release of Caroni Edge; nothing is lost meanwhile."


class MessageTooLarge(CaroniError):
    """A {message_type} of {size_bytes} bytes is larger than a frame can hold ({limit_bytes})."""

    hint = "Pass large values by reference: a URL, or a path that both hosts know."


class Envelope(msgspec.Struct, frozen=True):
    """What can be read of every link message."""

    id: str = msgspec.field()
    type: str = ""


class _Version(msgspec.Struct, frozen=True):
    v: int
    from_: str = msgspec.field(name="from", default="?")
    boot: str = "?"


_encoder = msgspec.json.Encoder()
_frame = msgspec.json.Decoder(Frame)
_version = msgspec.json.Decoder(_Version)
_envelope = msgspec.json.Decoder(Envelope)
_message = msgspec.json.Decoder(Message)
_notices: dict[type, msgspec.json.Decoder[Any]] = {}


def encode(value: object) -> bytes:
    """Return a notice or a frame as JSON."""
    return _encoder.encode(value)


def decode_frame(topic: str, payload: bytes) -> Frame:
    """Return a frame.

    Raises:
        OtherVersion: It is of another version of the link.
        Unreadable: It is no frame.
    """
    try:
        head = _version.decode(payload)
        if head.v != LINK_VERSION:
            raise OtherVersion(topic, sender=head.from_, v=head.v, ours=LINK_VERSION, boot=head.boot)
        frame = _frame.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(topic, reason=error) from error
    if bool(frame.messages) != (frame.first is not None and frame.prev is not None):
        raise Unreadable(topic, reason="messages come with `first` and `prev`, and only they do")
    if frame.messages and (frame.ask is not None or frame.answer is not None):
        raise Unreadable(topic, reason="a Hello and its answer carry no messages")
    return frame


def encode_message(message_id: str, message: LinkMessage) -> bytes:
    """Return a link message with its id, as it stands in frames and in the outbox.

    Raises:
        MessageTooLarge: No frame can hold it.
    """
    body = b'{"id":"%s",%s' % (message_id.encode(), _encoder.encode(message)[1:])
    if len(body) > MESSAGE_LIMIT_BYTES:
        kind = type(message).__name__
        raise MessageTooLarge("", message_type=kind, size_bytes=len(body), limit_bytes=MESSAGE_LIMIT_BYTES)
    return body


def decode_envelope(raw: bytes | msgspec.Raw) -> Envelope:
    """Return the id and the type of a link message; what cannot be read is empty."""
    try:
        return _envelope.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Envelope(id="")


def decode_message(raw: bytes | msgspec.Raw) -> Message:
    """Return a link message.

    Raises:
        Unreadable: It is of no type that this program knows, or not well formed.
    """
    try:
        message: Message = _message.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("", reason=error) from error
    return message


def decode_notice(kind: type[Notice], topic: str, payload: bytes) -> Notice:
    """Return a notice or a trigger.

    Raises:
        Unreadable: It is not one.
    """
    decoder = _notices.get(kind)
    if decoder is None:
        decoder = _notices[kind] = msgspec.json.Decoder(kind)
    try:
        notice: Notice = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(topic, reason=error) from error
    return notice


def jobs_named(raw: bytes | msgspec.Raw) -> tuple[str, ...]:
    """Return the ids of the jobs that a message names, as far as it can be read at all."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    if not isinstance(body, dict):
        return ()
    items = body.get("jobs")
    found = [body.get("job"), *(items if isinstance(items, list) else [])]
    names = [item.get("job") if isinstance(item, dict) else item for item in found]
    return tuple(name for name in names if isinstance(name, str) and is_job(name))
