"""State tables as data: one function that applies them, one that draws them.

A table maps each state to its arrows, and each arrow (an event) to the next state. Terminal states are shown as ``{}``.
The tables themselves are in the ``lifecycle.py`` of each role.
"""

from collections.abc import Mapping
from typing import TypeVar

State = TypeVar("State")
Event = TypeVar("Event")


def advance(table: Mapping[State, Mapping[Event, State]], state: State, event: Event) -> State | None:
    """Return the next state, or None where the table has no arrow: change nothing then, and log it."""
    return table[state].get(event)


def mermaid(table: Mapping[State, Mapping[Event, State]]) -> str:
    """Return the Mermaid state diagram of a table, for the documentation."""
    arrows = [f"    {a} --> {b}: {e}" for a, row in table.items() for e, b in row.items()]
    ends = [f"    {state} --> [*]" for state, row in table.items() if not row]
    first = next(iter(table))
    return "\n".join(["stateDiagram-v2", f"    [*] --> {first}", *arrows, *ends])
