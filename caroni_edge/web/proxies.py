"""Requests that come by a proxy in front of the page: their real address, which only a trusted proxy may name."""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from litestar.types import ASGIApp, Receive, Scope, Send

from caroni_edge.config import Network

FORWARDED_FOR, FORWARDED_PROTO = b"x-forwarded-for", b"x-forwarded-proto"


class BehindProxies:
    """Lets all behind it see who has sent a request to the outermost trusted proxy, and whether that was encrypted."""

    def __init__(self, app: ASGIApp, trusted: Callable[[], Sequence[Network]]) -> None:
        """Go before `app`; `trusted` returns the proxies that are believed now."""
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        client = scope.get("client")
        trusted = self._trusted()
        if client and trusted and is_among(client[0], trusted):
            address = real_address(client[0], listed(scope, FORWARDED_FOR), trusted)
            if address != client[0]:
                scope["client"] = (address, 0)
            if listed(scope, FORWARDED_PROTO)[-1:] == ["https"]:
                scope["scheme"] = "https"
        await self._app(scope, receive, send)


def real_address(peer: str, named: Iterable[str], trusted: Sequence[Network]) -> str:
    """Return the address that a request began at: each trusted proxy has added the one that it was spoken to from.

    Args:
        peer: Who has connected to us, a trusted proxy.
        named: The addresses of `X-Forwarded-For`; the last one was added by `peer`.
        trusted: Whose word counts. What an untrusted one has said before is not believed.
    """
    address = peer
    for each in reversed([*named]):
        found = parsed(each)
        if found is None:
            break
        address = str(found)
        if not is_among(address, trusted):
            break
    return address


def is_among(text: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address belongs to one of these networks."""
    address = parsed(text)
    return address is not None and any(address in network for network in networks)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; None when the text is none. One of IPv4 that is written as IPv6 is the same."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def listed(scope: Scope, name: bytes) -> list[str]:
    """Return the items of a header that may come several times."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [item.strip() for value in found for item in value.split(",") if item.strip()]
