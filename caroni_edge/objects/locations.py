"""Files that are fetched from an http or https address, of which nobody knows the hash before they have come."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from caroni_edge.objects.objects import Object


class LocationId(NamedTuple):
    """One file at an address, for one manager.

    Attributes:
        manager: For whom it is fetched.
        location: The address.
        checksum: What it must have, as `sha1$…` or `sha256$…`; empty where nobody says that.
    """

    manager: str
    location: str
    checksum: str


class Sought(NamedTuple):
    """A file that is to be fetched from an address.

    Attributes:
        id: Which.
        order: Of one manager's files those with a lesser number come first.
    """

    id: LocationId
    order: int = 0


class LocationFetched(NamedTuple):
    """A file that was fetched from an address lies here now, and no row says so yet; `sha1` is its SHA-1, in hex."""

    id: LocationId
    object: Object
    sha1: str


class LocationFailed(NamedTuple):
    """A file cannot be fetched from its address, and why, for people."""

    id: LocationId
    why: str


class LocationSized(NamedTuple):
    """A host has said how many bytes a file has, which is on its way here."""

    id: LocationId
    size: int


LocationNews = LocationFetched | LocationFailed | LocationSized


class LocationProgress(NamedTuple):
    """How far a file is.

    Attributes:
        came_bytes: So many bytes are here.
        size: How many it has; None while nobody knows.
        problem: Why nothing comes, for people; None when nothing is wrong.
    """

    came_bytes: int = 0
    size: int | None = None
    problem: str | None = None

    @property
    def left_bytes(self) -> int:
        """How many bytes are missing, as far as known."""
        return max(0, (self.size or 0) - self.came_bytes)


LocationsMoving = Mapping[LocationId, LocationProgress]
NONE_MOVING: LocationsMoving = MappingProxyType({})
