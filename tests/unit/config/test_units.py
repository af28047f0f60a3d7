"""Durations, sizes and broker URLs: what is taken, and what is said of the rest."""

from collections.abc import Callable

import pytest

from caroni_edge.config import broker_url, duration, size
from caroni_edge.config.units import amount, amount_text


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("5m", 300), ("2h", 7200), ("90d", 7776000), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("0B", 0), ("64K", 65536), ("512M", 1 << 29), ("2G", 1 << 31), ("1.5K", 1536)]
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert size(text) == size_bytes


@pytest.mark.parametrize("read", [duration, size])
@pytest.mark.parametrize("value", [10, 1.5, "10", "", "s", "10 s", "-1s", "10x", "1e3s", "10s\n", None, True, [], "٣s"])
def test_what_is_no_duration_and_no_size(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match=r"no unit|expected a|no known unit"):
        read(value)


def test_a_bare_number_is_answered_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="write 10s"):
        duration(10)
    with pytest.raises(ValueError, match="write 64M"):
        size(64)


def test_what_is_too_much() -> None:
    with pytest.raises(ValueError, match="at most 36500d"):
        duration("36501d")
    with pytest.raises(ValueError, match="at most 1048576T"):
        size("1048577T")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtt://broker", "mqtt://broker:1883"),
        ("mqtts://broker", "mqtts://broker:8883"),
        ("mqtt://127.0.0.1:2883/", "mqtt://127.0.0.1:2883"),
        ("mqtts://[::1]", "mqtts://[::1]:8883"),
        ("ws://broker", "ws://broker:80/mqtt"),
        ("wss://broker/a?b=c", "wss://broker:443/a?…"),
    ],
)
def test_broker_urls(text: str, shown: str) -> None:
    assert str(broker_url(text)) == shown


def test_a_query_is_sent_and_not_shown() -> None:
    url = broker_url("wss://broker/a?token=c")
    assert url.path == "/a?token=c"
    assert "token" not in f"{url} {url!r}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("broker:1883", "write mqtt://"),
        ("broker", "write mqtt://"),
        ("tcp://broker", "write mqtt://"),
        ("ssl://broker", "write mqtts://"),
        ("mqtt://", "HOST"),
        ("mqtt://broker:0", "from 1 to 65535"),
        ("mqtt://broker:65536", "from 1 to 65535"),
        ("mqtt://broker:x", "from 1 to 65535"),
        ("mqtt://[::1", "HOST"),
        ("mqtt://broker/path", "goes on behind the port: write mqtt://broker$"),
        ("mqtt://bro ker", "spaces"),
        ("mqtt://broker\n", "control characters"),
    ],
)
def test_what_is_no_broker_url(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        broker_url(text)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"broker\.password_file") as caught:
        broker_url("mqtt://m1:hunter2@broker")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "count", "shown"), [(0, 0, "0"), (2, 2, "2"), ("4G", 4 << 30, "4G"), ("1536K", 1536 << 10, "1536K")]
)
def test_amounts(value: object, count: int, shown: str) -> None:
    assert amount(value) == count
    assert amount_text(count) == shown


@pytest.mark.parametrize("value", [-1, 1.5, True, None, [], "2", "x", 1 << 61])
def test_what_is_no_amount(value: object) -> None:
    with pytest.raises(ValueError, match=r"such as|from 0 to|no unit"):
        amount(value)
