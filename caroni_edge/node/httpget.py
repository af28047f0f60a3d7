"""Gets a file by http or https from a host that the owner of this node lists, and from no other one.

Redirects are not followed, no proxy is used, and the address is resolved once: what was looked at is connected to.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from caroni_edge import __version__
from caroni_edge.base.hosts import Host, how_listed
from caroni_edge.values.json import shown
from caroni_edge.values.remote import Address

CONNECT_WITHIN_S = 3.0
SILENT_MAX_S = 30.0
ADDRESSES_MAX = 4
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers of which another try may say something else."""


class NotGot(Exception):
    """A file was not got; the text says why, for people.

    Attributes:
        final: Nor would it be if it was tried again.
        status: What the host has answered in its place; 0 for nothing.
    """

    def __init__(self, why: str, *, final: bool = False, status: int = 0) -> None:
        """Say why."""
        super().__init__(why)
        self.final, self.status = final, status


class PartRefused(NotGot):
    """The file has other bytes than those that are here, or fewer: it is to be asked for from the beginning."""


class Trust(NamedTuple):
    """Whom this node may ask.

    Attributes:
        hosts: Those that its owner lists.
        ca_file: Certificates to trust; None for those of the system.
    """

    hosts: Sequence[Host] = ()
    ca_file: Path | None = None


class Begin(NamedTuple):
    """From where on a file is asked for.

    Attributes:
        offset: The first byte that is wanted.
        end: The byte after the last one; None for all.
        tag: The strong entity tag of what is here already; empty where nobody knows one.
    """

    offset: int = 0
    end: int | None = None
    tag: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """How that is asked for [RFC 9110, sections 13.1.5 and 14.2]."""
        if not self.offset and self.end is None:
            return {}
        last = "" if self.end is None else str(self.end - 1)
        return {"Range": f"bytes={self.offset}-{last}"} | ({"If-Range": self.tag} if self.tag else {})


FROM_THE_BEGINNING = Begin()


class Got:
    """A file that comes; to be closed.

    Attributes:
        offset: Where what comes begins.
        size: How many bytes the whole file has; None where the host does not say it.
        tag: Its strong entity tag; empty for none.
        ends_surely: Without a size, too, the host says where it ends.
    """

    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, asked: Begin) -> None:
        """Look at what a host has answered.

        Raises:
            NotGot: It does not give the file.
        """
        self._connection, self._answer = connection, answer
        tag = answer.getheader("ETag", "")
        self.tag = tag if tag.startswith('"') and len(tag) <= 200 and tag.isprintable() else ""
        self.offset, self.size, self.ends_surely = 0, answer.length, bool(answer.chunked)
        if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
            found = _RANGE.fullmatch(answer.getheader("Content-Range", ""))
            if found is None or int(found[1]) != asked.offset:
                raise NotGot("it sends another part than was asked for", final=True)
            self.offset, self.size = asked.offset, int(found[3])
        elif answer.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and asked.offset:
            raise PartRefused("it has no such part")
        elif answer.status != http.HTTPStatus.OK:
            raise NotGot(_said(answer), final=answer.status not in _AGAIN, status=answer.status)

    def read(self, most: int) -> bytes:
        """Return what has come, nothing at the end.

        Raises:
            NotGot: Nothing comes any more.
        """
        try:
            return self._answer.read1(most)
        except (OSError, http.client.HTTPException) as error:
            raise NotGot(f"it has stopped sending: {_words(error)}") from None

    def read_all(self, size_bytes: int) -> bytes:
        """Return so many bytes.

        Raises:
            NotGot: Not so many come.
        """
        found = bytearray()
        while len(found) < size_bytes:
            piece = self.read(size_bytes - len(found))
            if not piece:
                raise NotGot("it has stopped sending")
            found += piece
        return bytes(found)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def check_listed(address: Address, trust: Trust) -> str:
    """Return how the owner lists the host of an address (`how_listed`).

    Raises:
        NotGot: Nothing may be fetched from there.
    """
    listed = how_listed(trust.hosts, address.scheme, address.host, address.port)
    if listed is None:
        raise NotGot(f"{address.authority} is not listed in files.hosts of this node", final=True)
    return listed


def get(
    address: Address, trust: Trust, begin: Begin = FROM_THE_BEGINNING, headers: Mapping[str, str] | None = None
) -> Got:
    """Ask for a file.

    Args:
        address: Where it lies.
        trust: Whom this node may ask.
        begin: From where on it is wanted.
        headers: What is said beside that.

    Raises:
        NotGot: It does not come.
    """
    connection = _Connection(address, trust, is_named=check_listed(address, trust) == "named")
    try:
        said = {"User-Agent": f"caroni-edge/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        connection.request("GET", address.target, headers={**said, **begin.headers, **(headers or {})})
        return Got(connection, connection.getresponse(), begin)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise NotGot(f"its certificate is not to be trusted: {error.verify_message}", final=True) from None
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise NotGot(f"it does not answer: {_words(error)}") from None
    except NotGot:
        connection.close()
        raise


class _Connection(http.client.HTTPConnection):
    """A connection to an address of a host that was looked at."""

    def __init__(self, address: Address, trust: Trust, *, is_named: bool) -> None:
        super().__init__(address.host, address.port)
        self._address, self._trust, self._is_named = address, trust, is_named
        if address.scheme == "https":
            self.default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """Connect to the first of the host's addresses that answers.

        Raises:
            NotGot: None of them may be connected to, or the certificates to trust cannot be read.
            OSError: None answers.
        """
        sock = self._dial()
        if self._address.scheme == "https":
            sock = self._encrypted(sock)
        sock.settimeout(SILENT_MAX_S)
        self.sock = sock

    def _dial(self) -> socket.socket:
        found = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)
        allowed = [each for each in found if self._is_named or not _is_inside(str(each[4][0]))]
        if not allowed:
            said = f"{self._address.host} is this very host, or one beside it, by its address"
            raise NotGot(f"{said}; files.hosts must list it by name, and not by a pattern", final=True)
        failure = OSError("it has no address")
        for family, kind, protocol, _, where in allowed[:ADDRESSES_MAX]:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(CONNECT_WITHIN_S)
                sock.connect(where)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure

    def _encrypted(self, sock: socket.socket) -> socket.socket:
        try:
            ca_file = self._trust.ca_file
            context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            sock.close()
            raise NotGot(f"files.ca_file cannot be used: {_words(error)}") from None
        try:
            return context.wrap_socket(sock, server_hostname=self._address.host)
        except OSError:
            sock.close()
            raise


def _is_inside(text: str) -> bool:
    """Tell whether an address leads to this host, to one on the same wire by that alone, or to many."""
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


def _said(answer: http.client.HTTPResponse) -> str:
    """Return what a host has said in the place of a file, for people."""
    said = f"it answers {answer.status} {shown(answer.reason)}"
    if 300 <= answer.status < 400:
        to = answer.getheader("Location")
        return f"{said}, and redirects are not followed" + (f": it names {shown(to)}" if to else "")
    return said


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
