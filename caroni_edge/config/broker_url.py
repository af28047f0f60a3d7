"""The address of a broker: `mqtt://host[:port]` or `mqtts://host[:port]`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MEANT = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts"}


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where a broker listens, and whether the connection is encrypted."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def broker_url(text: str) -> BrokerUrl:
    """Read a broker's address; the port is 1883 (mqtt) or 8883 (mqtts) unless it is given.

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
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f'"{text}" goes on behind the port: write {parts.scheme}://{parts.netloc}')
    return BrokerUrl(host, port or DEFAULT_PORTS[parts.scheme], parts.scheme == "mqtts")


def _other(scheme: str) -> str:
    return "mqtts://, with TLS," if scheme == "mqtt" else "mqtt://, without TLS,"
