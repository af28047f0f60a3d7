"""Which way an object comes: straight from the host of a node that has it, or over the broker.

A sans-IO decision. A node says an address of its own (`direct`), and the owner of this one lists the host, or the bytes
come over the broker, which is always possible. What does not answer is left out for a while.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from caroni_edge.base.hosts import Host, how_listed
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.values.remote import Address, direct_address

LEFT_OUT_S = 600.0
"""What did not give what it was to give is asked for nothing for so long."""
PATH = "/objects/"
"""Where a node gives objects, by their hashes."""
MANAGER, WORKFLOW, ASKER, GENERATION, TICKET = (
    f"Caroni-{name}" for name in ("Manager", "Workflow", "Asker", "Generation", "Ticket")
)
_DIGITS_MAX = 18


class Claim(NamedTuple):
    """Who asks for an object, and by which right: the same as an Ask over the broker says.

    Attributes:
        manager: Whose workflow has it.
        workflow: The workflow's id.
        asker: Who asks.
        generation: Which key of the manager and the holder has made the ticket.
        ticket: The ticket.
    """

    manager: str
    workflow: str
    asker: Peer
    generation: int
    ticket: str

    @property
    def headers(self) -> dict[str, str]:
        """How it is said."""
        return {
            MANAGER: self.manager,
            WORKFLOW: self.workflow,
            ASKER: str(self.asker),
            GENERATION: str(self.generation),
            TICKET: self.ticket,
        }

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Claim | None":
        """Return what the headers of a request claim; None where one is missing, or is none."""
        manager, workflow, ticket = (headers.get(name, "") for name in (MANAGER, WORKFLOW, TICKET))
        role, _, node = headers.get(ASKER, "").partition("/")
        generation = headers.get(GENERATION, "")
        is_number = generation.isascii() and generation.isdecimal() and len(generation) <= _DIGITS_MAX
        if not (manager and workflow and node and ticket.isascii() and is_number):
            return None
        return cls(manager, workflow, Peer(role, node), int(generation), ticket)


class Way(NamedTuple):
    """A place that can be asked directly, and where."""

    place: Place
    address: Address


class Ways:
    """The places that can be asked directly."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Ask those that are listed, and no others."""
        self._hosts = hosts
        self._left_out: dict[str, float] = {}

    def choose(self, places: Iterable[Place], now: float) -> Way | None:
        """Return the first of the places that can be asked directly; None: the bytes come over the broker."""
        for place in places:
            address = direct_address(place.direct)
            if address is None or self._left_out.get(address.authority, now) > now:
                continue
            if how_listed(self._hosts, address.scheme, address.host, address.port) is not None:
                return Way(place, address)
        return None

    def failed(self, way: Way, now: float) -> None:
        """Leave a host out for a while."""
        self._left_out = {name: until for name, until in self._left_out.items() if until > now}
        self._left_out[way.address.authority] = now + LEFT_OUT_S


def object_at(address: Address, sha256: str) -> Address:
    """Return where a node gives an object."""
    return address._replace(target=f"{PATH}{sha256}")
