"""The parts that a reactor is put together from, each with one thing to decide.

All methods but `committed` run inside the transaction of a batch. What a part keeps in memory goes back by itself when
the batch, its deciding, or one message is undone (`base/memory.py`); no part has a roll-back of its own.
"""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

from caroni_edge.base.memory import Memory
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.messages import Message

Handler = Callable[[str, Any, Moment], None]
"""Takes a link message: of which peer, the message, the time."""


class Part(Memory):
    """One concern of a reactor. None of these methods does anything here: a part overrides those that it needs."""

    def on_start(self, at: Moment) -> None:
        """The process has started: durations begin anew, and memory is read from the rows."""

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """The broker took us in; without our session it has forgotten what it was to send again."""

    def settle(self, at: Moment) -> None:
        """Decide once for the whole batch, and for all that has become due."""

    def next_due(self) -> float:
        """Return when `settle` must run again because of the time alone; asked right after it."""
        return inf

    def committed(self) -> None:
        """The batch is committed: do outside the database what it has decided."""


class Assembly(Part):
    """Parts that decide one after the other; what the earlier ones have settled the later ones see.

    Attributes:
        handlers: What takes each kind of link message.
    """

    handlers: Mapping[type, Handler] = MappingProxyType({})
    _whose = "a node"
    _parts: tuple[Part, ...] = ()
    _due = -inf

    def on_start(self, at: Moment) -> None:
        """The process has started."""
        for part in self._parts:
            part.on_start(at)

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """The broker took us in."""
        for part in self._parts:
            part.on_connected(at, session_present=session_present)

    def on_message(self, peer: str, message: Message, at: Moment) -> None:
        """Take a link message.

        Raises:
            TypeError: No peer says such a thing to this role.
        """
        handler = self.handlers.get(type(message))
        if handler is None:
            raise TypeError(f"{self._whose} takes no {type(message).__name__}")
        handler(peer, message, at)

    def settle(self, at: Moment) -> None:
        """Let each part decide."""
        for part in self._parts:
            part.settle(at)
        self._due = min((part.next_due() for part in self._parts), default=inf)

    def next_due(self) -> float:
        """Return when `settle` must run again at the latest."""
        return self._due

    def hurry(self) -> None:
        """Something has changed that the parts do not know of yet: `settle` is due."""
        self._due = -inf

    def committed(self) -> None:
        """The batch is committed."""
        for part in self._parts:
            part.committed()
