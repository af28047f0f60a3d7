"""Files that lie at an http or https address: which addresses may be given, and what is known of such a file.

Whoever starts a workflow gives the address, so it is read strictly: what two programs could read in two ways is none.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import unquote

from caroni_edge.base.hosts import DEFAULT_PORTS, host_name
from caroni_edge.values.json import json_objects_in, shown

ADDRESS_MAX_CHARS = 2048
DIRECT_MAX_CHARS = 300
"""So long may be what a node says of where it gives objects."""
REMOTE_MAX = 100
"""So many files of a job may lie at addresses."""
_SCHEMES = tuple(f"{scheme}://" for scheme in DEFAULT_PORTS)
_WRITTEN = re.compile(r"(https?)://(\[[0-9a-fA-F:.]+\]|[^/?#:@\[\]\\]+)(?::([0-9]{1,5}))?([/?][^#]*)?", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_NEVER = re.compile(r'[\\"<>^`{|}]')
_CHECKSUM = re.compile(r"sha1\$[0-9a-f]{40}|sha256\$[0-9a-f]{64}", re.ASCII)


class NoAddress(ValueError):
    """An address, or what stands beside it, is none; the message says why, for people."""


class Address(NamedTuple):
    """Where a file lies.

    Attributes:
        scheme: `http` or `https`.
        host: Name or address of the host, in lower case.
        port: Its port.
        target: Path and query, as the host is asked for them.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return host and port as an owner lists them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def is_remote(location: object) -> TypeGuard[str]:
    """Tell whether a location is an http or https address."""
    return isinstance(location, str) and location.lower().startswith(_SCHEMES)


def parse_address(location: str) -> Address:
    """Return where a file lies.

    Raises:
        NoAddress: That cannot be.
    """
    if len(location) > ADDRESS_MAX_CHARS:
        raise NoAddress(f'the "location" has more than {ADDRESS_MAX_CHARS} characters')
    if not _VISIBLE.fullmatch(location) or _NEVER.search(location):
        raise NoAddress(f"the address {shown(location)} has characters that stand in none: write them as %20")
    found = _WRITTEN.fullmatch(location)
    host = None if found is None else host_name(found[2])
    port = 0 if found is None else int(found[3] or DEFAULT_PORTS[found[1]])
    if found is None or host is None or not 1 <= port <= 65535:
        said = "write https://HOST[:PORT]/PATH, without a user, a password or a fragment"
        raise NoAddress(f"{shown(location)} is no address of a file: {said}")
    target = found[4] or "/"
    return Address(found[1], host, port, target if target.startswith("/") else f"/{target}")


def direct_address(text: str) -> Address | None:
    """Return the address by which a node says that it gives objects; None where it says none, or what is none."""
    if len(text) > DIRECT_MAX_CHARS:
        return None
    try:
        address = parse_address(text)
    except NoAddress:
        return None
    return address if address.scheme == "https" and address.target == "/" else None


def check_remote(value: Mapping[str, Any]) -> None:
    """Check the value of a file that lies at an address.

    Raises:
        NoAddress: It is not right.
    """
    parse_address(value["location"])
    size, checksum = value.get("size"), value.get("checksum")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise NoAddress(f'"size" is a number of bytes, and not {shown(size)}')
    if checksum is not None and not (isinstance(checksum, str) and _CHECKSUM.fullmatch(checksum)):
        said = "sha1$ with 40 digits, or sha256$ with 64: lower-case hexadecimal ones"
        raise NoAddress(f'the "checksum" of a file at an address is {said}, and not {shown(checksum)}')
    if value.get("contents") is not None or value.get("path") is not None:
        raise NoAddress('a file with an address as "location" has no "contents" and no "path" beside it')


def name_in(location: str) -> str:
    """Return the last name of the path of an address; nothing where it ends with none."""
    return unquote(location.partition("?")[0].partition("://")[2].partition("/")[2].rpartition("/")[2])


def remote_in(value: object) -> Iterator[dict[str, Any]]:
    """Yield the values of files that lie at addresses, wherever they stand."""
    for fields in json_objects_in(value):
        if fields.get("class") == "File" and is_remote(fields.get("location")):
            yield fields
