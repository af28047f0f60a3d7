"""Liars say every message with every field: a new one must be known to them."""

from random import Random

import msgspec
import pytest

from caroni_edge.protocol.linkmessage import LinkMessage
from tests.simulation.lies import KINDS, OF_AGENTS, OF_MANAGERS, Known, Liar, is_sayable

TRIES = 200


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_lied_about_and_most_of_it_is_well_formed(kind: type[LinkMessage]) -> None:
    liar = Liar(Random(1), Known(managers=["m0"], agents=["a0"]))
    said = [liar.of_kind(kind, "m0") for _ in range(TRIES)]
    for each in msgspec.structs.fields(kind):
        if each.required or each.default is not msgspec.NODEFAULT:
            assert len({repr(getattr(message, each.name)) for message in said}) > 1, f"{each.name} is always the same"
    assert sum(map(is_sayable, said)) > TRIES / 4


def test_every_message_is_somebodys_lie() -> None:
    assert {*OF_AGENTS, *OF_MANAGERS} == {*KINDS}
