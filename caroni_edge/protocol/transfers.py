"""What nodes say to each other about the bytes of objects: an Ask, and as answers Data or a No.

They travel by topics and connections of their own, at QoS 0: each may be lost, doubled or late, and who asks puts that
right. Ask and No are JSON, Data is binary, since JSON would make it a third larger.
"""

import struct
from typing import Annotated, Literal, NamedTuple
from zlib import crc32

from msgspec import Meta, Struct

from caroni_edge.protocol.codec import Unreadable, decode_notice
from caroni_edge.protocol.fields import Count, Segment

TRANSFER_VERSION = 1
"""`v` of an Ask and of a No, and the first byte of Data."""
KIB = 1024
CHUNK_SIZES = (8 * KIB, 16 * KIB, 32 * KIB, 56 * KIB)
"""How many bytes of an object one Data may carry: which of them, the broker decides by what it lets through."""
CHUNK_MIN, CHUNK_MAX = CHUNK_SIZES[0], CHUNK_SIZES[-1]
ASKED_CHUNKS_MAX = 64
"""No Ask is for more."""
ASK_LIMIT_BYTES = 8 * KIB
"""An Ask or a No that is larger is none."""
LAST_OFFSET = (1 << 53) - 1

TransferNumber = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
Offset = Annotated[int, Meta(ge=0, le=LAST_OFFSET)]
Chunk = Annotated[int, Meta(ge=CHUNK_MIN, le=CHUNK_MAX)]
Range = tuple[Offset, Annotated[int, Meta(ge=1, le=ASKED_CHUNKS_MAX * CHUNK_MAX)]]
"""Where some bytes begin, and how many they are."""
Part = Literal["bytes", "blocks"]
"""The object itself, or its block list: the SHA-256 of each 4 MiB of it, one behind the other."""
Reason = Literal["unknown", "ticket", "busy", "rate", "chunk"]

_HEADER = struct.Struct(">BQQ")
_CRC = struct.Struct(">I")
DATA_OVERHEAD_BYTES = _HEADER.size + _CRC.size


class Ask(Struct, frozen=True, omit_defaults=True):
    """Some bytes of an object are asked for, from a node that holds it.

    Attributes:
        v: Version of what is said about bytes.
        transfer: Random number, which the answers bear.
        manager: The manager for whose workflow it is.
        workflow: That workflow.
        generation: Which of the manager's keys at this holder has made the ticket.
        object: Name of the object.
        ticket: What shows that the manager lets this node have what this workflow has there.
        ranges: Where the bytes begin, and how many; each is cut into chunks from its beginning.
        chunk: How many bytes one Data may carry.
        part: The object itself, or its block list.
        rate: So many bytes a second at most; 0: as fast as may be.
    """

    v: Annotated[int, Meta(ge=1)]
    transfer: TransferNumber
    manager: Segment
    workflow: Segment
    generation: Count
    object: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
    ticket: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    ranges: Annotated[tuple[Range, ...], Meta(min_length=1, max_length=ASKED_CHUNKS_MAX)]
    chunk: Chunk
    part: Part
    rate: Annotated[int, Meta(ge=0, le=LAST_OFFSET)] = 0


class No(Struct, frozen=True, omit_defaults=True):
    """A holder gives nothing for an Ask.

    Attributes:
        v: Version of what is said about bytes.
        transfer: The number of the Ask.
        reason: Why: it has no such object of that workflow; the ticket is none; it has too much to do; its owner lets
            no more leave now; its broker lets through no chunk of that size.
        retry_after: After so many seconds it may be asked again.
        chunk: With the reason `chunk`, the largest that passes.
    """

    v: Annotated[int, Meta(ge=1)]
    transfer: TransferNumber
    reason: Reason
    retry_after: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    chunk: Annotated[int, Meta(ge=0, le=CHUNK_MAX)] = 0


class Data(NamedTuple):
    """Some bytes of an object.

    Attributes:
        transfer: The number of the Ask that they answer; 0 is a probe of the broker.
        offset: Where they begin.
        content: The bytes.
    """

    transfer: int
    offset: int
    content: bytes


def encode_data(data: Data) -> bytes:
    """Return some bytes of an object as they are published: version, transfer, offset, CRC-32, bytes.

    The CRC is of all that it stands among: right bytes at a wrong place are wrong.
    """
    header = _HEADER.pack(TRANSFER_VERSION, data.transfer, data.offset)
    return b"".join((header, _CRC.pack(crc32(data.content, crc32(header))), data.content))


def decode_ask(topic: str, payload: bytes) -> Ask:
    """Return an Ask.

    Raises:
        Unreadable: It is none, of another version, or for more than may be asked for at a time.
    """
    _check_size(topic, payload)
    ask = decode_notice(Ask, topic, payload)
    _check_version(topic, ask.v)
    if sum(-(-length // ask.chunk) for _, length in ask.ranges) > ASKED_CHUNKS_MAX:
        raise Unreadable(topic, reason=f"more than {ASKED_CHUNKS_MAX} chunks are asked for")
    return ask


def decode_answer(topic: str, payload: bytes) -> Data | No:
    """Return what a holder says: Data, or a No.

    Raises:
        Unreadable: It is neither, damaged, or of another version.
    """
    if not payload.startswith(b"{"):
        return _decode_data(topic, payload)
    _check_size(topic, payload)
    no = decode_notice(No, topic, payload)
    _check_version(topic, no.v)
    return no


def _decode_data(topic: str, payload: bytes) -> Data:
    if not DATA_OVERHEAD_BYTES <= len(payload) <= DATA_OVERHEAD_BYTES + CHUNK_MAX:
        raise Unreadable(topic, reason=f"{len(payload)} bytes are no Data")
    version, transfer, offset = _HEADER.unpack_from(payload)
    _check_version(topic, version)
    (crc,) = _CRC.unpack_from(payload, _HEADER.size)
    content = payload[DATA_OVERHEAD_BYTES:]
    if crc != crc32(content, crc32(payload[: _HEADER.size])):
        raise Unreadable(topic, reason="it was damaged on its way")
    return Data(transfer, offset, content)


def _check_size(topic: str, payload: bytes) -> None:
    if len(payload) > ASK_LIMIT_BYTES:
        raise Unreadable(topic, reason=f"it is larger than {ASK_LIMIT_BYTES} bytes")


def _check_version(topic: str, version: int) -> None:
    if version != TRANSFER_VERSION:
        raise Unreadable(topic, reason=f"it is of version {version}, this node speaks version {TRANSFER_VERSION}")
