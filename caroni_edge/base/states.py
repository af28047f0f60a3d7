"""State tables as data: what applies them, and what draws them.

A table maps each state to its arrows, and each arrow (an event) to the next state. Terminal states are shown as ``{}``.
The tables themselves are in the ``lifecycle.py`` of each role.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from caroni_edge.base.errors import CaroniError

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class IllegalTransition(CaroniError):
    """A {kind} that is {state} takes no {event}."""

    hint = "This is a mistake in Caroni Edge: nothing was changed by it. Please report it, with the log around it."

    def __init__(self, state: StrEnum, event: StrEnum, **ids: object) -> None:
        """Name the state, the event, and by their ids the things that were to change."""
        self.state, self.event, self.ids = state, event, ids
        where = ", ".join(f"{name} {value}" for name, value in ids.items())
        super().__init__(where, kind=type(state).__name__.lower().removesuffix("state"), state=state, event=event)


def advance(table: Mapping[State, Mapping[Event, State]], state: State, event: Event) -> State | None:
    """Return the next state, or None where the table has no arrow.

    For what comes from outside, and may come late or twice: without an arrow it changes nothing.
    """
    return table[state].get(event)


def require(table: Mapping[State, Mapping[Event, State]], state: State, event: Event, **ids: object) -> State:
    """Return the next state; for what the caller has decided itself, so that there is an arrow.

    Args:
        table: Where the arrows are.
        state: The state now.
        event: What happens.
        ids: What it happens to, named as in log records, for the error.

    Raises:
        IllegalTransition: There is none: the caller is wrong.
    """
    following = advance(table, state, event)
    if following is None:
        raise IllegalTransition(state, event, **ids)
    return following


def states_before(table: Mapping[State, Mapping[Event, State]], event: Event) -> tuple[State, ...]:
    """Return the states in which an event may happen."""
    return tuple(state for state, arrows in table.items() if event in arrows)


def state_after(table: Mapping[State, Mapping[Event, State]], event: Event) -> State:
    """Return the state that an event leads to; it must be the same from all states in which it may happen."""
    (state,) = {arrows[event] for arrows in table.values() if event in arrows}
    return state


def mermaid(table: Mapping[State, Mapping[Event, State]]) -> str:
    """Return the Mermaid state diagram of a table, for the documentation."""
    arrows = [f"    {a} --> {b}: {e}" for a, row in table.items() for e, b in row.items()]
    ends = [f"    {state} --> [*]" for state, row in table.items() if not row]
    first = next(iter(table))
    return "\n".join(["stateDiagram-v2", f"    [*] --> {first}", *arrows, *ends])
