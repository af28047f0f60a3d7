"""Hosts outside with files at their addresses, and how an agent of the simulation fetches from there.

The threads of the real agent (`node/locationfetches.py`) cannot run on simulated time: what they promise is done here,
with what hosts do. What asks for a file, what waits for it and what comes of it is the real code.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha1, sha256
from random import Random
from typing import Any, Protocol

from caroni_edge.base.hosts import Host, how_listed, parse_host
from caroni_edge.node.locationfetches import AGAIN, ROOM_AGAIN_S, TRIES_MAX
from caroni_edge.objects.locations import LocationFailed, LocationFetched, LocationId, LocationSized, Sought
from caroni_edge.objects.objects import Object
from caroni_edge.values.remote import parse_address
from tests.simulation.contents import HOSTS, content_of, object_saying, text_at

ALL_LISTED = tuple(map(parse_host, HOSTS))
WITH_TAGS = HOSTS[0]
"""It says which version of a file it gives; the other one does not."""
FAST, SLOW = 1e7, 5e3
"""So many bytes come in a second."""


class Web:
    """The hosts.

    Attributes:
        down: Those that do not answer.
        changed: Those whose files have other bytes than they had, and will have.
        slow: Those that give little at a time.
        cuts: How likely an answer ends too early.
    """

    def __init__(self) -> None:
        """Begin without trouble."""
        self.down: set[str] = set()
        self.changed: set[str] = set()
        self.slow: set[str] = set()
        self.cuts = 0.0

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        for hosts in (self.down, self.changed, self.slow):
            hosts.clear()
        self.cuts = 0.0

    def content(self, location: str) -> bytes:
        """Return what lies at an address now."""
        text = text_at(location)
        if parse_address(location).authority in self.changed:
            text += " changed"
        object_saying(text)  # whoever is given it can tell what it says
        return content_of(text)


@dataclass(frozen=True, slots=True)
class Part:
    """What has come of a file, and the tag that its host gave to that version."""

    content: bytes = b""
    tag: str = ""


class Disk(Protocol):
    """A store of objects, as what fetches sees it.

    Attributes:
        is_full: It takes nothing.
        tell: Takes news.
    """

    is_full: bool
    tell: Callable[[Any], None]

    def take_located(self, said: LocationFetched, content: bytes) -> None:
        """Take what has come, in its turn, and tell it."""

    def in_a_while(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless the process has ended by then."""

    def wrong(self, what: str) -> None:
        """Note what must never be."""


class LocatedFetches:
    """What an agent fetches from addresses.

    Attributes:
        hosts: Those that its owner lists.
    """

    hosts: tuple[Host, ...] = ()

    def __init__(self, web: Web, store: Disk, chance: Random) -> None:
        """Fetch nothing yet."""
        self._web, self._store, self._chance = web, store, chance
        self._parts: dict[LocationId, Part] = {}
        self._tries: dict[LocationId, int] = {}
        self._turn: dict[LocationId, int] = {}
        self._turns = 0

    def ended(self) -> None:
        """The process is gone; what has come stays."""
        self._tries.clear()
        self._turn.clear()

    def wipe(self) -> None:
        """Lose what has come."""
        self._parts.clear()

    def begin(self, wanted: Iterable[Sought]) -> None:
        """Begin with what is wanted from before; what has come of anything else is deleted."""
        sought = list(wanted)
        self._parts = {each.id: self._parts[each.id] for each in sought if each.id in self._parts}
        for each in sought:
            self.fetch(each)

    def fetch(self, sought: Sought) -> None:
        """Fetch a file."""
        if sought.id not in self._tries:
            self._tries[sought.id] = 0
            self._try_later(sought.id, 0.0)

    def forget(self, sought: LocationId) -> None:
        """Nobody wants a file any more, or it was taken."""
        self._tries.pop(sought, None)
        self._turn.pop(sought, None)
        self._parts.pop(sought, None)

    def is_wanted(self, sought: LocationId) -> bool:
        """Tell whether a file is fetched, or was and nobody has said yet that it is kept."""
        return sought in self._tries

    def _try_later(self, sought: LocationId, wait_s: float) -> None:
        self._in_a_while(sought, wait_s, lambda: self._try(sought))

    def _in_a_while(self, sought: LocationId, wait_s: float, action: Callable[[], None]) -> None:
        turn = self._turns = self._turn[sought] = self._turns + 1
        self._store.in_a_while(wait_s, lambda: action() if self._turn.get(sought) == turn else None)

    def _try(self, sought: LocationId) -> None:
        """Ask for what is missing of a file."""
        address, web = parse_address(sought.location), self._web
        if how_listed(self.hosts, address.scheme, address.host, address.port) is None:
            self._store.wrong(f"{address.authority} is asked, which its owner does not list")
        if self._store.is_full:
            self._try_later(sought, ROOM_AGAIN_S)
            return
        if address.authority in web.down:
            self._failed(sought, "it does not answer")
            return
        content = web.content(sought.location)
        tag = sha256(content).hexdigest() if address.authority == WITH_TAGS else ""
        part = self._parts.get(sought, Part())
        was_resumed = bool(part.content) and (part.tag == tag if part.tag else bool(sought.checksum))
        begun = part.content[:-1] if was_resumed else b""
        self._store.tell(LocationSized(sought, len(content)))
        more = content[len(begun) :]
        is_cut = self._chance.random() < web.cuts
        came = begun + (more[: int(len(more) * self._chance.random())] if is_cut else more)
        takes_s = (len(came) - len(begun)) / (SLOW if address.authority in web.slow else FAST)

        def end() -> None:
            self._parts[sought] = Part(came, tag)
            if is_cut:
                self._tries[sought] = 0 if len(came) > len(part.content) else self._tries[sought]
                self._failed(sought, f"it has ended after {len(came)} of {len(content)} bytes")
            else:
                self._came(sought, came, was_resumed=was_resumed)

        self._in_a_while(sought, takes_s, end)

    def _failed(self, sought: LocationId, why: str, *, is_final: bool = False) -> None:
        self._tries[sought] += 1
        if is_final or self._tries[sought] >= TRIES_MAX:
            self._store.tell(LocationFailed(sought, why))
        else:
            self._try_later(sought, AGAIN.nth(self._tries[sought] - 1))

    def _came(self, sought: LocationId, content: bytes, *, was_resumed: bool) -> None:
        if not self.is_right(sought, content):
            del self._parts[sought]
            self._failed(sought, "it does not have its checksum", is_final=not was_resumed)
            return
        found = Object(sha256(content).hexdigest(), len(content))
        self._store.take_located(LocationFetched(sought, found, sha1(content).hexdigest()), content)

    def is_right(self, sought: LocationId, content: bytes) -> bool:
        """Tell whether what has come has the checksum that it must have."""
        return sought.checksum in ("", f"sha256${sha256(content).hexdigest()}")
