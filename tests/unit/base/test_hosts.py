"""Hosts as an owner lists them."""

import pytest

from caroni_edge.base.hosts import Host, hosts_said, how_listed, parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("data.example.org", Host("data.example.org")),
        ("DATA.Example.org", Host("data.example.org")),
        ("nas:8080", Host("nas", 8080)),
        ("*.example.com", Host(".example.com", None, is_pattern=True)),
        ("*.example.com:8443", Host(".example.com", 8443, is_pattern=True)),
        ("192.0.2.1:80", Host("192.0.2.1", 80)),
        ("[2001:DB8::0:1]:443", Host("2001:db8::1", 443)),
    ],
)
def test_an_entry_is_a_name_or_a_pattern_perhaps_with_a_port(text: str, host: Host) -> None:
    assert parse_host(text) == host
    assert parse_host(host.written) == host


def test_of_what_another_node_says_that_it_lists_what_is_no_host_is_left_out() -> None:
    assert hosts_said(["a.example.org", "", "https://b", "*.c.org:8443", "x" * 300]) == [
        Host("a.example.org"),
        Host(".c.org", 8443, is_pattern=True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "*.", "a b", "a/b", "https://a", "user@a", "a:0", "a:70000", "a:", "a..b", "-a", "a-", "b.*.c"),
        *(
            "[::1",
            "::1",
            "[192.0.2.1]",
            "[fe80::1%eth0]",
            "1.2.3",
            "256.1.1.1",
            "*.192.0.2.1",
            "ä.example.org",
            "a" * 64,
        ),
    ],
)
def test_what_is_no_host_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        parse_host(text)


@pytest.mark.parametrize(
    ("scheme", "name", "port", "listed"),
    [
        ("https", "data.example.org", 443, "named"),
        ("http", "data.example.org", 80, "named"),
        ("https", "data.example.org", 8443, None),
        ("https", "other.example.org", 443, None),
        ("https", "xdata.example.org", 443, None),
        ("https", "a.example.com", 443, "matched"),
        ("https", "a.b.example.com", 443, "matched"),
        ("https", "example.com", 443, None),
        ("https", "evilexample.com", 443, None),
        ("https", "www.example.com", 443, "named"),
        ("http", "nas", 8080, "named"),
        ("http", "nas", 80, None),
    ],
)
def test_a_host_is_listed_by_its_name_or_by_a_pattern_and_by_its_port(
    scheme: str, name: str, port: int, listed: str | None
) -> None:
    hosts = [parse_host(each) for each in ("data.example.org", "*.example.com", "www.example.com", "nas:8080")]
    assert how_listed(hosts, scheme, name, port) == listed
