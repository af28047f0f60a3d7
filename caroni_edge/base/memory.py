"""Memory that goes back with the database: what a transaction undoes in the rows, it undoes here too.

What decides keeps something beside its rows: what was said, what is due, what is on its way. When SQLite rolls a
transaction or a savepoint back, that must be again what it was, or it tells of things that never were. So nobody writes
a roll-back by hand: in a class that inherits `Memory` each change of an attribute is noted in the database's `Journal`,
and what grows and shrinks is a `MemoryDict` or a `MemorySet`. A plain container is refused.
"""

from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    MutableMapping,
    MutableSet,
    ValuesView,
)
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

Key = TypeVar("Key")
Value = TypeVar("Value")
Default = TypeVar("Default")

_MISSING: Any = object()
_PLAIN = (dict, list, set, deque, bytearray)


class Journal:
    """How to undo each change of memory since the transaction began; outside of one, changes are for good."""

    def __init__(self) -> None:
        """Begin outside of a transaction."""
        self._undo: list[Callable[[], object]] | None = None

    def begin(self) -> None:
        """A transaction begins."""
        self._undo = []

    def end(self) -> None:
        """The transaction is over; what has changed stays."""
        self._undo = None

    def mark(self) -> int:
        """Return where a part of the transaction begins, for `go_back`."""
        return len(self._undo or ())

    def go_back(self, mark: int = 0) -> None:
        """Undo all that has changed since `mark`, the last change first."""
        noted, self._undo = self._undo or [], None  # undoing is no change to be undone
        while len(noted) > mark:
            noted.pop()()
        self._undo = noted

    def note(self, undo: Callable[[], object]) -> None:
        """Keep how to undo a change that is being made, while a transaction is open."""
        if self._undo is not None:
            self._undo.append(undo)


class Memory:
    """An object whose attributes go back with the transaction."""

    _journal: Journal

    def __init__(self, journal: Journal) -> None:
        """Note changes in `journal`, the one of the database that this memory belongs to."""
        object.__setattr__(self, "_journal", journal)

    if not TYPE_CHECKING:  # with it, every attribute would count as known

        def __setattr__(self, name: str, value: object) -> None:
            """Set an attribute, and note what it was.

            Raises:
                TypeError: A plain container can be changed without a note.
            """
            attributes = self.__dict__
            before = attributes.get(name, _MISSING)
            if before is value:
                return
            if isinstance(value, _PLAIN):
                raise TypeError(f"{name} would not go back with a transaction; use MemoryDict, MemorySet or a tuple")
            attributes["_journal"].note(partial(self._put_back, name, before))
            attributes[name] = value

    def _put_back(self, name: str, value: object) -> None:
        if value is _MISSING:
            object.__delattr__(self, name)
        else:
            object.__setattr__(self, name, value)


class MemoryDict(MutableMapping[Key, Value]):
    """A dict that goes back with the transaction; then its keys may have another order."""

    def __init__(self, journal: Journal) -> None:
        """Begin empty."""
        self._journal = journal
        self._items: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        return self._items[key]

    def __setitem__(self, key: Key, value: Value) -> None:
        if key in self._items:
            self._journal.note(partial(self._items.__setitem__, key, self._items[key]))
        else:
            self._journal.note(partial(self._items.__delitem__, key))
        self._items[key] = value

    def __delitem__(self, key: Key) -> None:
        self._journal.note(partial(self._items.__setitem__, key, self._items[key]))
        del self._items[key]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    # What `MutableMapping` makes of the above for reading takes several times as long.

    def keys(self) -> KeysView[Key]:
        """Return a view of the keys."""
        return self._items.keys()

    def values(self) -> ValuesView[Value]:
        """Return a view of the values."""
        return self._items.values()

    def items(self) -> ItemsView[Key, Value]:
        """Return a view of the pairs of key and value."""
        return self._items.items()

    @overload
    def get(self, key: Key, /) -> Value | None: ...
    @overload
    def get(self, key: Key, /, default: Value | Default) -> Value | Default: ...
    def get(self, key: Key, /, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        return self._items.get(key, default)


class MemorySet(MutableSet[Key]):
    """A set that goes back with the transaction."""

    def __init__(self, journal: Journal) -> None:
        """Begin empty."""
        self._journal = journal
        self._items: set[Key] = set()

    def add(self, value: Key) -> None:
        """Put a value in."""
        if value not in self._items:
            self._journal.note(partial(self._items.remove, value))
            self._items.add(value)

    def discard(self, value: Key) -> None:
        """Take a value out, if it is there."""
        if value in self._items:
            self._journal.note(partial(self._items.add, value))
            self._items.remove(value)

    def update(self, values: Iterable[Key]) -> None:
        """Put values in."""
        for value in values:
            self.add(value)

    def clear(self) -> None:
        """Take all values out."""
        for value in [*self._items]:
            self.discard(value)

    def __contains__(self, value: object) -> bool:
        return value in self._items

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @classmethod
    def _from_iterable(cls, values: Iterable[Key]) -> set[Key]:  # type: ignore[override]
        """Give operators such as `&` a plain set, which belongs to nobody's memory."""
        return set(values)
