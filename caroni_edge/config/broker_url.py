"""The address of a broker: `mqtt://host[:port]` or `ws://host[:port][/path]`; with TLS `mqtts://` and `wss://`."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
WITH_TLS = ("mqtts", "wss")
DEFAULT_PATH = "/mqtt"
"""Where brokers serve MQTT over WebSocket, nearly all of them."""
_MEANT = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts"}


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where a broker listens, and how the connection is made.

    Attributes:
        host: Name or address.
        port: As given, else that of the scheme.
        tls: The connection is encrypted, and the broker's certificate is checked.
        path: Of MQTT over WebSocket; None for MQTT over TCP.
    """

    host: str
    port: int
    tls: bool
    path: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = ("mqtt" if self.path is None else "ws") + "s" * self.tls
        path, _, query = (self.path or "").partition("?")
        return f"{scheme}://{host}:{self.port}{path}{'?…' if query else ''}"  # some services take a token there


def broker_url(text: str) -> BrokerUrl:
    """Read a broker's address; the port is 1883 (mqtt), 8883 (mqtts), 80 (ws) or 443 (wss) unless it is given.

    Raises:
        ValueError: The text is no such address. The message never repeats it, since it may hold a password.
    """
    if "@" in text:
        raise ValueError("a user and password do not belong in the URL: write broker.username and broker.password_file")
    if not text.isprintable() or " " in text:
        raise ValueError("the URL holds spaces or control characters: write mqtt://HOST or mqtts://HOST")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f'"{text}" is no broker URL: write mqtt://HOST[:PORT], the port from 1 to 65535') from None
    if "://" not in text or parts.scheme not in DEFAULT_PORTS:
        meant = _MEANT.get(parts.scheme, "mqtt")
        raise ValueError(f'"{text}" is no broker URL: write {meant}://HOST[:PORT] ({_other(meant)} is served as well)')
    if not host or port == 0:
        raise ValueError(f'"{text}" is no broker URL: write {parts.scheme}://HOST[:PORT], the port from 1 to 65535')
    port = port or DEFAULT_PORTS[parts.scheme]
    if parts.scheme in {"ws", "wss"} and not parts.fragment:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return BrokerUrl(host, port, parts.scheme in WITH_TLS, path if path not in {"", "/"} else DEFAULT_PATH)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f'"{text}" goes on behind the port: write {parts.scheme}://{parts.netloc}')
    return BrokerUrl(host, port, parts.scheme in WITH_TLS)


def _other(scheme: str) -> str:
    return "mqtts://, with TLS," if scheme == "mqtt" else "mqtt://, without TLS,"
