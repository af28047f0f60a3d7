"""Hosts that a node may ask for bytes, as its owner lists them: `data.example.org`, `*.example.org`, with a port."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Literal, NamedTuple

Listed = Literal["named", "matched"]
"""How a host is listed: by its very name, or by a pattern."""
DEFAULT_PORTS = {"http": 80, "https": 443}
HOSTS_MAX = 1000
HOST_MAX_CHARS = 270
"""As long as an entry of the list is at most."""
HOSTS_SAID_MAX = 100
"""So many hosts an agent says that it may ask; of a longer list it says nothing."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", re.ASCII)
_WRITTEN = re.compile(r"(\*\.)?(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?", re.ASCII)


class Host(NamedTuple):
    """An entry of the list.

    Attributes:
        name: The host; of a pattern what stands behind `*`, with its dot.
        port: The port; None for those of http and https.
        is_pattern: All names that end with it are meant, and not itself.
    """

    name: str
    port: int | None = None
    is_pattern: bool = False

    @property
    def written(self) -> str:
        """The entry as an owner writes it."""
        name = f"*{self.name}" if self.is_pattern else f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"

    def has(self, scheme: str, name: str, port: int) -> bool:
        """Tell whether a host and a port are meant."""
        if port != (self.port or DEFAULT_PORTS[scheme]):
            return False
        return name.endswith(self.name) if self.is_pattern else name == self.name


def how_listed(hosts: Sequence[Host], scheme: str, name: str, port: int) -> Listed | None:
    """Return how a host is listed; None when it is not."""
    found = [each for each in hosts if each.has(scheme, name, port)]
    if not found:
        return None
    return "matched" if all(each.is_pattern for each in found) else "named"


def parse_host(text: str) -> Host:
    """Return an entry that somebody has written.

    Raises:
        ValueError: It is none.
    """
    found = _WRITTEN.fullmatch(text.lower())
    name = None if found is None else host_name(found[2])
    port = None if found is None or found[3] is None else int(found[3])
    is_pattern = found is not None and found[1] is not None
    if name is None or (port is not None and not 1 <= port <= 65535) or (is_pattern and is_address(name)):
        raise ValueError(f"{text!r} is no host: write data.example.org, *.example.org or data.example.org:8443")
    return Host(f".{name}" if is_pattern else name, port, is_pattern)


def hosts_said(texts: Iterable[str]) -> list[Host]:
    """Return the entries of a list that another node has said; what is none is left out."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(parse_host(text))
    return found


def host_name(text: str) -> str | None:
    """Return the name or the address of a host as all others of the same host are written; None for what is none."""
    if text.startswith("[") and text.endswith("]"):
        address = _address(text[1:-1])
        return None if address is None or ":" not in address else address
    name = text.lower()
    if re.fullmatch(r"[0-9.]+", name):
        return _address(name)
    return name if _NAME.fullmatch(name) else None


def is_address(name: str) -> bool:
    """Tell whether a host is named by its address."""
    return _address(name) is not None


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text)) if "%" not in text else None
    except ValueError:
        return None
