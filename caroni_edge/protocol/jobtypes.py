"""What agents say of their job types."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from caroni_edge.protocol.fields import Name

SECRETS_MAX = 32
"""So many secrets a job gets."""


class JobTypeNotice(Struct, frozen=True, omit_defaults=True):
    """A job type as its agent announces it: the types of its inputs and outputs, as CWL writes them.

    Attributes:
        repeat: Whether it may be run again by itself once it may have begun.
        version: Hash of its content, by which jobs name what they ran; empty where an older agent does not say it.
        secrets: Names of the secrets that its jobs get there, for people; what they hold never leaves the host.
    """

    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    repeat: bool = True
    version: str = ""
    secrets: Annotated[tuple[Name, ...], Meta(max_length=SECRETS_MAX)] = ()
