"""Outputs that are too large to be told: the largest values become objects, always the same ones."""

from collections.abc import Mapping

from caroni_edge.objects.disk import Taker
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, Values
from caroni_edge.values.carried import objects_in
from caroni_edge.values.files import file_in
from caroni_edge.values.json import canonical
from caroni_edge.values.large import LARGE_MIN_BYTES, large_value
from caroni_edge.values.types import Type


def with_objects(values: Values, types: Mapping[str, Type], store: Taker) -> tuple[Values, list[Object]]:
    """Return outputs that can be told, if that can be, and the objects that some of them have become.

    Those over 16 KiB become objects, and then the largest of the others, as long as the rest is too large; of two that
    have one size that with the lesser name. Values with files never do.

    Args:
        values: Outputs by name, which fit.
        types: Their types.
        store: Takes the objects.

    Raises:
        NoRoom: The disk has no room for one.
        OSError: One cannot be written.
    """
    sizes = {name: len(canonical(value).encode()) for name, value in values.items()}
    told, found = dict(values), []
    by_size = sorted(
        (name for name in types if _may_be_object(types[name], values[name])), key=lambda n: (-sizes[n], n)
    )
    for name in by_size:
        if sizes[name] <= LARGE_MIN_BYTES and len(canonical(told).encode()) <= VALUES_LIMIT_BYTES:
            break
        kept = store.keep(canonical(values[name]).encode())
        told[name] = large_value(kept, types[name])
        found.append(kept)
    return told, found


def _may_be_object(kind: Type, value: object) -> bool:
    return value is not None and file_in(kind) is None and not objects_in(value)
