"""The base of all that is said to one node, in frames."""

from msgspec import Struct


class LinkMessage(Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of all that is said to one node."""
