"""What managers and agents say to each other about how long objects are kept, and which are lost."""

from typing import Annotated

from msgspec import Meta, Struct

from caroni_edge.protocol.fields import Segment
from caroni_edge.protocol.linkmessage import LinkMessage

ObjectName = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
ObjectSize = Annotated[int, Meta(ge=0, le=10_000_000_000)]


class ObjectsDrop(LinkMessage, frozen=True, tag=True):
    """The manager needs no object of a workflow any more, of those that the agent keeps for it.

    Attributes:
        workflow: The workflow's id.
        after: Only of objects with greater names.
        upto: Only of objects up to this name; empty for all that follow.
        but: These it needs.
    """

    workflow: Segment
    after: ObjectName | None = None
    upto: ObjectName | None = None
    but: tuple[ObjectName, ...] = ()


class ObjectsGone(LinkMessage, frozen=True, tag=True):
    """Objects that jobs of the manager have given are at the agent no more, or damaged."""

    objects: tuple[ObjectName, ...]


class ObjectHere(Struct, frozen=True, omit_defaults=True):
    """An object that an agent keeps for a workflow, in an `ObjectsHere`."""

    workflow: Segment
    object: ObjectName
    size: ObjectSize


class ObjectsHere(LinkMessage, frozen=True, tag=True):
    """Reconciliation: all objects that the agent keeps for workflows of the manager, in as many messages as needed.

    Attributes:
        objects: Some of them.
        first: None were named before them.
        last: These are the last ones. What no message has named since the first one is not there.
    """

    objects: tuple[ObjectHere, ...] = ()
    first: bool = True
    last: bool = True
