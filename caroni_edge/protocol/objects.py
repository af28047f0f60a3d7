"""What managers and agents say to each other so that objects are fetched: where they are, and what opens them.

The bytes themselves go by connections and topics of their own (`protocol/transfers.py`).
"""

from typing import Annotated

from msgspec import Meta, Struct

from caroni_edge.protocol.fields import SEGMENT_PATTERN, Count, Direct, JobId
from caroni_edge.protocol.keeping import ObjectName
from caroni_edge.protocol.linkmessage import LinkMessage

_SEGMENT = SEGMENT_PATTERN.removeprefix("^")
Holder = Annotated[str, Meta(pattern=rf"^(managers|agents)/{_SEGMENT}", description="A node: its role and its id")]
CHECKED_AT_ONCE = 100
PLACES_MAX = 16
"""So many places are named for the files of a job at most."""


class ObjectPlace(Struct, frozen=True, omit_defaults=True):
    """A node that has files of a job, and what opens them to the agent that has the job.

    Attributes:
        holder: The node.
        generation: Which key of the manager and the holder has made the ticket.
        ticket: What shows the holder that this agent may have what the workflow has there.
        objects: Those that it has; empty for all that are among the job's inputs.
        direct: Where it gives them straight to who shows that, `https://HOST[:PORT]`; empty: over the broker alone.
    """

    holder: Holder
    generation: Count
    ticket: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    objects: tuple[ObjectName, ...] = ()
    direct: Direct = ""


Places = Annotated[tuple[ObjectPlace, ...], Meta(max_length=PLACES_MAX)]


class ObjectKey(LinkMessage, frozen=True, tag=True):
    """From now on the manager makes its tickets for what lies at this agent by this key; the one before counts still.

    Attributes:
        generation: Names the key.
        secret: 32 random bytes.
    """

    generation: Count
    secret: Annotated[bytes, Meta(min_length=32, max_length=32)]


class ObjectsWanted(LinkMessage, frozen=True, tag=True):
    """From now on these are the places of the files of a job, in the place of those that came with it."""

    job: JobId
    places: Places = ()


class ObjectsCheck(LinkMessage, frozen=True, tag=True):
    """Somebody did not get objects rightly: the agent looks at its own, and says which are gone or damaged.

    A directory is gone with any of its files.
    """

    objects: Annotated[tuple[ObjectName, ...], Meta(max_length=CHECKED_AT_ONCE)]


class ObjectBad(LinkMessage, frozen=True, tag=True):
    """The agent of a job does not get one of its files from a place.

    Attributes:
        job: The job.
        object: The file, or the directory that it is in: what the inputs of the job name.
        place: The node that was asked.
        reason: `ticket`: it does not take the ticket; `unknown`: it has no such object of that workflow; `bad`: what
            came from there are other bytes.
    """

    job: JobId
    object: ObjectName
    place: Holder
    reason: Annotated[str, Meta(max_length=20)]
