"""Ask, Data and No on the wire."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.topics import Answered, Asked, Topics
from caroni_edge.protocol.transfers import (
    ASKED_CHUNKS_MAX,
    CHUNK_MAX,
    CHUNK_MIN,
    DATA_OVERHEAD_BYTES,
    TRANSFER_VERSION,
    Ask,
    Data,
    No,
    decode_answer,
    decode_ask,
    encode_data,
)

ASK = Ask(
    v=TRANSFER_VERSION,
    transfer=7,
    manager="m1",
    workflow="w1",
    generation=1,
    object="sha256:" + "a" * 64,
    ticket="b" * 64,
    ranges=((0, 100_000), (262_144, 8)),
    chunk=CHUNK_MIN,
    part="bytes",
)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(ASK), **fields})


def test_an_ask_is_read_as_it_was_written() -> None:
    assert decode_ask("t", encode(ASK)) == ASK


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        changed(v=TRANSFER_VERSION + 1),
        changed(transfer=0),
        changed(object="sha256:" + "A" * 64),
        changed(object="sha256:" + "a" * 64 + "\n"),
        changed(ticket=""),
        changed(ranges=[]),
        changed(ranges=[[0, 0]]),
        changed(ranges=[[-1, 5]]),
        changed(ranges=[[0, 1 << 60]]),
        changed(ranges=[[0, CHUNK_MIN * ASKED_CHUNKS_MAX], [1 << 30, 1]]),
        changed(chunk=CHUNK_MIN - 1),
        changed(chunk=CHUNK_MAX + 1),
        changed(part="all"),
        changed(manager="m1/+"),
        encode(ASK) + b" " * 10_000,
    ],
)
def test_what_is_no_ask_is_refused(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_ask("t", payload)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.binary(max_size=200))
def test_data_is_read_as_it_was_written(transfer: int, offset: int, content: bytes) -> None:
    data = Data(transfer, offset, content)
    payload = encode_data(data)
    assert len(payload) == DATA_OVERHEAD_BYTES + len(content)
    assert decode_answer("t", payload) == data


@given(st.binary(min_size=1, max_size=50), st.data())
def test_data_with_a_bit_turned_round_is_refused(content: bytes, data: st.DataObject) -> None:
    payload = bytearray(encode_data(Data(5, 1000, content)))
    bit = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        decode_answer("t", bytes(payload))


@pytest.mark.parametrize("length", [0, DATA_OVERHEAD_BYTES - 1, DATA_OVERHEAD_BYTES + CHUNK_MAX + 1])
def test_data_of_no_possible_size_is_refused(length: int) -> None:
    with pytest.raises(Unreadable):
        decode_answer("t", b"\x01" * length)


def test_a_no_is_told_from_data() -> None:
    no = No(v=TRANSFER_VERSION, transfer=7, reason="busy", retry_after=2.5)
    assert decode_answer("t", encode(no)) == no
    with pytest.raises(Unreadable):
        decode_answer("t", b'{"v":1,"transfer":7,"reason":"because"}')
    with pytest.raises(Unreadable, match="version 2"):
        decode_answer("t", b'{"v":2,"transfer":7,"reason":"busy"}')


def test_asker_and_holder_meet_at_the_same_topics() -> None:
    asker, holder = Topics("c", "agents", "a1"), Topics("c", "managers", "m1")
    assert holder.read_objects(asker.ask_of("managers", "m1")) == Asked("agents", "a1")
    assert asker.read_objects(holder.answer_to("agents", "a1")) == Answered("managers", "m1")


@pytest.mark.parametrize(
    "topic",
    [
        "c/objects/agents/a2/ask/agents/a3",
        "c/objects/managers/a1/ask/agents/a3",
        "c/objects/agents/a1/ask/people/a3",
        "c/objects/agents/a1/ask/agents/A",
        "c/objects/agents/a1/data/agents/a3/more",
        "d/objects/agents/a1/data/agents/a3",
    ],
)
def test_other_topics_mean_nothing(topic: str) -> None:
    assert Topics("c", "agents", "a1").read_objects(topic) is None
