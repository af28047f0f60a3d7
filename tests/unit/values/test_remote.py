"""Files at http and https addresses: what may be given."""

from typing import Any

import pytest

from caroni_edge.values.carried import basename_of, misfit_of
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.remote import Address, NoAddress, parse_address

FILE = parse_type("File")


@pytest.mark.parametrize(
    ("location", "address", "authority"),
    [
        ("https://data.example.org/a/b.fits", Address("https", "data.example.org", 443, "/a/b.fits"), None),
        ("http://Data.Example.org:8080/a?b=%20&c", Address("http", "data.example.org", 8080, "/a?b=%20&c"), "+:8080"),
        ("https://data.example.org", Address("https", "data.example.org", 443, "/"), None),
        ("https://data.example.org?x", Address("https", "data.example.org", 443, "/?x"), None),
        ("http://[::1]:80/a", Address("http", "::1", 80, "/a"), "[::1]"),
    ],
)
def test_an_address_is_a_host_and_what_it_is_asked_for(location: str, address: Address, authority: str | None) -> None:
    assert parse_address(location) == address
    assert address.authority == (authority or address.host).replace("+", address.host)


@pytest.mark.parametrize(
    "location",
    [
        "https://user@data.example.org/a",
        "https://user:word@data.example.org/a",
        "https://data.example.org@evil.example.org/a",
        "https://data.example.org\\@evil.example.org/a",
        "https://data.example.org/a#b",
        "https://data.example.org/a b",
        "https://data.example.org/a\r\nHost: evil",
        "https://data.example.org/\x00",
        "https://data.example.org/ä",
        "https://däta.example.org/a",
        "https:///a",
        "https://:443/a",
        "https://data.example.org:0/a",
        "https://data.example.org:99999/a",
        "https://data.example.org:x/a",
        "https://data.example.org./a",
        "https://1.2.3/a",
        "https://[fe80::1%25eth0]/a",
        "HTTPS://data.example.org/a",
        "https://data.example.org/" + "a" * 2048,
        "file:///etc/passwd",
        "ftp://data.example.org/a",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_none(location: str) -> None:
    with pytest.raises(NoAddress):
        parse_address(location)


def at(location: str = "https://data.example.org/m31.fits", **more: Any) -> dict[str, Any]:
    return {"class": "File", "location": location, **more}


def test_a_file_at_an_address_is_served_where_somebody_fetches_it() -> None:
    value = at(size=5, checksum=f"sha256${'0' * 64}", secondaryFiles=[at("http://nas:8080/m31.idx")])
    assert misfit_of(FILE, value, objects=True) is None
    assert misfit_of(FILE, value, remote=True) is None
    assert "lies elsewhere" in str(misfit_of(FILE, value))
    assert "lies elsewhere" in str(misfit_of(FILE, value, objects=True, remote=False))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (at("https://user@data.example.org/a"), "without a user"),
        (at(size=-1), '"size" is a number of bytes'),
        (at(size=True), '"size" is a number of bytes'),
        (at(checksum="sha1$0"), 'the "checksum" of a file at an address'),
        (at(checksum=f"md5${'0' * 32}"), 'the "checksum" of a file at an address'),
        (at(checksum=5), 'the "checksum" of a file at an address'),
        (at(contents="x"), 'no "contents"'),
        (at(path="/a"), 'no "contents"'),
        (at("file:///etc/passwd"), "lies elsewhere"),
        (at(secondaryFiles=[at("file:///etc/passwd", basename="b")]), "lies elsewhere"),
        ({"class": "Directory", "location": "https://data.example.org/a/", "listing": None}, "expected File"),
    ],
)
def test_what_is_wrong_with_such_a_file_is_told(value: object, said: str) -> None:
    assert said in str(misfit_of(FILE, value, objects=True))


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("https://a.org/x/m31.fits", "m31.fits"),
        ("https://a.org/m%2031.fits?sig=/b/c", "m 31.fits"),
        ("https://a.org/", "file"),
        ("https://a.org", "file"),
        ("https://a.org/x/%2e%2e", "file"),
        ("https://a.org/a%2Fb", "file"),
    ],
)
def test_a_file_without_a_name_has_the_one_of_its_address(location: str, name: str) -> None:
    assert basename_of(at(location)) == name
    assert basename_of(at(location, basename="n")) == "n"
