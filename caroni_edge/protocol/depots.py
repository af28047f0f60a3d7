"""What managers and agents say to each other so that objects are kept where their jobs have not made them.

Any agent keeps what lies there; an agent whose owner lets it be a depot fetches what does not.
"""

from typing import Annotated

from msgspec import Meta, Struct

from caroni_edge.protocol.fields import Segment
from caroni_edge.protocol.keeping import ObjectName, ObjectSize
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.objects import Holder, Places

SPEAKS_OF_DEPOTS = 3
"""Who speaks an older version of the messages is asked to keep nothing."""
KEPT_AT_ONCE = 40
"""So many objects are named in one message: any broker lets it through."""
OPEN, FULL = "open", "full: "
"""What the presence of a depot says of it: it takes more, or not, and why."""
DRAINED = "the agent is drained"
"""How the reason begins for which an agent refuses all that drains."""


class ObjectToKeep(Struct, frozen=True, omit_defaults=True):
    """An object in an `ObjectsKeep`; of a directory it is the list, and what that names is kept with it."""

    object: ObjectName
    size: ObjectSize
    directory: bool = False


class ObjectsKeep(LinkMessage, frozen=True, tag=True):
    """The agent is to keep objects for a workflow, and to fetch those that do not lie there, if it is a depot.

    Attributes:
        workflow: The workflow's id.
        objects: What is to be kept, beside what is kept for it already.
        places: Where all of them are, in the place of what was said of them before.
    """

    workflow: Segment
    objects: Annotated[tuple[ObjectToKeep, ...], Meta(max_length=KEPT_AT_ONCE)]
    places: Places = ()


class ObjectsHeld(LinkMessage, frozen=True, tag=True):
    """Objects that the manager wants to be kept lie at the agent now, and are kept for a workflow."""

    workflow: Segment
    objects: Annotated[tuple[ObjectName, ...], Meta(max_length=KEPT_AT_ONCE)]


class ObjectsRefused(LinkMessage, frozen=True, tag=True):
    """The agent does not get from a place what it is to keep; or it keeps it not, if no place is named.

    Attributes:
        workflow: The workflow's id.
        objects: Those that are meant.
        reason: Of a place as in `ObjectBad`; otherwise for people.
        place: The node that was asked.
    """

    workflow: Segment
    objects: Annotated[tuple[ObjectName, ...], Meta(max_length=KEPT_AT_ONCE)]
    reason: Annotated[str, Meta(max_length=400)]
    place: Holder | None = None


AboutKeeping = ObjectsKeep | ObjectsHeld | ObjectsRefused
