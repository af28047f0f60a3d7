"""Where a request comes from: only a proxy that is trusted may say so."""

from ipaddress import ip_network

import pytest

from caroni_edge.web.proxies import is_among, real_address

TRUSTED = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ([], "127.0.0.1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7", "10.1.2.3"], "192.0.2.7"),
        (["192.0.2.7", "10.1.2.3", "fd00::1"], "192.0.2.7"),
        (["10.1.2.3"], "10.1.2.3"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["2001:db8::1"], "2001:db8::1"),
        (["192.0.2.7", "unknown"], "127.0.0.1"),
        (["192.0.2.7", "unknown", "10.1.2.3"], "10.1.2.3"),
        (["192.0.2.7:4711"], "127.0.0.1"),
    ],
)
def test_each_trusted_proxy_is_believed_and_nobody_before_them(named: list[str], address: str) -> None:
    assert real_address("127.0.0.1", named, TRUSTED) == address


def test_who_is_trusted() -> None:
    assert is_among("10.255.0.1", TRUSTED)
    assert is_among("::ffff:10.255.0.1", TRUSTED)
    assert not is_among("11.0.0.1", TRUSTED)
    assert not is_among("", TRUSTED)
    assert not is_among("nonsense", TRUSTED)
