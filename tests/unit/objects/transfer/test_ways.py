"""Which way an object comes."""

import pytest

from caroni_edge.base.hosts import parse_host
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.ways import LEFT_OUT_S, Claim, Ways, object_at
from caroni_edge.values.remote import direct_address

A2, A3 = Peer("agents", "a2"), Peer("agents", "a3")
HOSTS = (parse_host("a2.example.org:8443"), parse_host("*.example.com"))
NEAR = Place(A2, "w1", 1, "2" * 64, "https://a2.example.org:8443")
FAR = Place(A3, "w1", 1, "3" * 64, "https://a3.example.com")
CLAIM = Claim("m1", "w1", Peer("agents", "a1"), 7, "2" * 64)


def test_a_place_is_asked_directly_where_its_host_is_listed() -> None:
    way = Ways(HOSTS).choose([Place(A3, "w1", 1, "3" * 64), NEAR, FAR], 0.0)
    assert way is not None
    assert (way.place, way.address.authority) == (NEAR, "a2.example.org:8443")
    assert object_at(way.address, "ab").target == "/objects/ab"


@pytest.mark.parametrize(
    "direct",
    [
        "",
        "https://a2.example.org",
        "https://a2.example.org:8444",
        "http://a2.example.org:8443",
        "https://evil.example.org:8443",
        "https://user@a2.example.org:8443",
        "https://a2.example.org:8443/path",
        "a2.example.org:8443",
        f"https://{'a' * 60}.{'a' * 60}.{'a' * 60}.{'a' * 60}.{'a' * 60}",
        "\n",
    ],
)
def test_otherwise_its_bytes_come_over_the_broker(direct: str) -> None:
    assert Ways(HOSTS).choose([NEAR._replace(direct=direct)], 0.0) is None
    assert Ways(()).choose([NEAR], 0.0) is None


def test_a_host_that_has_failed_is_left_out_for_a_while() -> None:
    ways = Ways(HOSTS)
    way = ways.choose([NEAR, FAR], 0.0)
    assert way is not None
    ways.failed(way, 0.0)
    other = ways.choose([NEAR, FAR], LEFT_OUT_S - 1)
    assert other is not None
    assert other.place == FAR
    ways.failed(other, LEFT_OUT_S - 1)
    assert ways.choose([NEAR, FAR], LEFT_OUT_S - 0.5) is None
    assert ways.choose([FAR, NEAR], LEFT_OUT_S) == way


def test_a_claim_is_read_as_it_was_said() -> None:
    assert Claim.of(CLAIM.headers) == CLAIM


@pytest.mark.parametrize("name", sorted(CLAIM.headers))
@pytest.mark.parametrize("value", ["", "ä"])
def test_a_claim_of_which_something_is_missing_or_odd_is_none_or_fits_nothing(name: str, value: str) -> None:
    assert Claim.of({**CLAIM.headers, name: value}) != CLAIM


@pytest.mark.parametrize("generation", ["", "-1", "1.0", "x", "²", "9" * 19])
def test_a_generation_is_a_number(generation: str) -> None:
    assert Claim.of({**CLAIM.headers, "Caroni-Generation": generation}) is None


def test_an_address_is_that_of_a_host_by_https() -> None:
    assert direct_address("https://a2.example.org:8443") == direct_address("https://a2.example.org:8443/")
