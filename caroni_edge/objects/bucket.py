"""What is said about objects that lie in a bucket, too: what is to be done there, and what has become of it."""

from dataclasses import dataclass

from caroni_edge.objects.objects import Object, ObjectId


@dataclass(frozen=True, slots=True)
class Away:
    """At a start, before all else: what there is in the bucket.

    Attributes:
        objects: They lie there alone.
        holds: Whether there is anything by the rows of this node.
    """

    objects: tuple[ObjectId, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Put:
    """An object that lies here is to be put into the bucket."""

    object: Object


@dataclass(frozen=True, slots=True)
class Drop:
    """An object is to lie in the bucket no more."""

    name: ObjectId


@dataclass(frozen=True, slots=True)
class Leave:
    """Objects are to lie in the bucket alone, since their room is needed here."""

    objects: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class BringBack:
    """An object that lies in the bucket alone is to lie here too."""

    object: Object


BucketOrder = Away | Put | Drop | Leave | BringBack


@dataclass(frozen=True, slots=True)
class IsPut:
    """An object is in the bucket, as a whole."""

    name: ObjectId


@dataclass(frozen=True, slots=True)
class IsDropped:
    """An object is in the bucket no more."""

    name: ObjectId


@dataclass(frozen=True, slots=True)
class Needed:
    """Somebody needs objects here that lie in the bucket alone."""

    objects: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class IsBack:
    """An object that was in the bucket alone lies here too; its bytes are right."""

    name: ObjectId


@dataclass(frozen=True, slots=True)
class NotInBucket:
    """The bucket does not have an object that was put there, or other bytes; `why` is for people."""

    name: ObjectId
    why: str


@dataclass(frozen=True, slots=True)
class BucketTrouble:
    """Why the bucket cannot be used, for people; empty: it can."""

    why: str


BucketNews = IsPut | IsDropped | Needed | IsBack | NotInBucket | BucketTrouble
