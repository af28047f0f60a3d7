"""State tables: what comes from outside may fit no state, what the code decides must."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from caroni_edge.base.states import IllegalTransition, advance, require


class DoorState(StrEnum):
    OPEN = "open"
    SHUT = "shut"


class DoorEvent(StrEnum):
    PULLED = "PULLED"
    PUSHED = "PUSHED"


DOOR: Mapping[DoorState, Mapping[DoorEvent, DoorState]] = {
    DoorState.OPEN: {DoorEvent.PULLED: DoorState.SHUT},
    DoorState.SHUT: {},
}


def test_both_follow_an_arrow() -> None:
    assert advance(DOOR, DoorState.OPEN, DoorEvent.PULLED) is DoorState.SHUT
    assert require(DOOR, DoorState.OPEN, DoorEvent.PULLED) is DoorState.SHUT


def test_what_comes_from_outside_and_has_no_arrow_leads_nowhere() -> None:
    assert advance(DOOR, DoorState.SHUT, DoorEvent.PULLED) is None


def test_what_the_code_decides_and_has_no_arrow_is_an_error_that_names_all() -> None:
    with pytest.raises(IllegalTransition) as raised:
        require(DOOR, DoorState.SHUT, DoorEvent.PUSHED, house=7, door="back")
    assert str(raised.value) == "house 7, door back: A door that is shut takes no PUSHED."
    assert (raised.value.state, raised.value.event) == (DoorState.SHUT, DoorEvent.PUSHED)
    assert raised.value.ids == {"house": 7, "door": "back"}
    assert "report it" in raised.value.advice


def test_an_error_without_ids_begins_with_its_sentence() -> None:
    with pytest.raises(IllegalTransition, match=r"^A door that is shut takes no PULLED\.$"):
        require(DOOR, DoorState.SHUT, DoorEvent.PULLED)
