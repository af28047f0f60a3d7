"""How stores run their statements: parameters by name, and rows as named tuples."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

T = TypeVar("T")

NEWEST = 1 << 62
"""Where a list by falling keys begins: no row has a key as great."""


class Page(NamedTuple, Generic[T]):
    """Some rows of a list, and the `after` of those that follow; None when there are no more."""

    rows: list[T]
    next: str | None


class Rows:
    """The base of every class of a store: statements about rows of one kind.

    A statement is a constant of the class, right above the one method that runs it. The method names the statement's
    parameters (`job=…` for `:job`) and the type of what comes back: a named tuple, whose fields have the names and the
    order of the columns, or the type of the only column. SQLite knows neither enums nor booleans: fields (and single
    values) of such a type are made from what it gives. A field that is a named tuple itself takes as many columns as
    it has fields.

    All of it runs in the transaction that is open on the connection.
    """

    def __init__(self, conn: sqlite3.Connection, note: Callable[[Mapping[str, object]], None] | None = None) -> None:
        """Work on `conn`.

        Args:
            conn: The connection.
            note: Is told the parameters of each change, where something of these rows is kept in memory too.
        """
        self._conn, self._note = conn, note

    def _run(self, sql: str, /, **given: object) -> int:
        """Change rows, and return how many."""
        if self._note is not None:
            self._note(given)
        return self._conn.execute(sql, given).rowcount

    def _run_each(self, sql: str, given: Iterable[Mapping[str, object]], /) -> None:
        """Run a statement once for each set of parameters."""
        self._conn.executemany(sql, given)

    def _insert(self, sql: str, /, **given: object) -> int:
        """Add a row, and return the number that it was given as its key."""
        key = self._conn.execute(sql, given).lastrowid
        assert key is not None
        return key

    def _one(self, kind: type[T], sql: str, /, **given: object) -> T | None:
        """Return the first row; None when there is none, or when its single value is NULL."""
        found = self._conn.execute(sql, given).fetchone()
        return None if found is None else _reader(kind)(found)

    def _only(self, kind: type[T], sql: str, /, **given: object) -> T:
        """Return the first row of those statements that always have one.

        Raises:
            LookupError: There is none after all.
        """
        found = self._one(kind, sql, **given)
        if found is None:
            raise LookupError(f"there is no row for {given}: {sql.strip()}")
        return found

    def _all(self, kind: type[T], sql: str, /, **given: object) -> list[T]:
        """Return all rows."""
        return list(self._each(kind, sql, **given))

    def _each(self, kind: type[T], sql: str, /, **given: object) -> Iterator[T]:
        """Return the rows one by one: who stops early has not read the others."""
        return map(_reader(kind), self._conn.execute(sql, given))

    def _page(self, kind: type[T], sql: str, key: str, limit: int, /, **given: object) -> Page[T]:
        """Return one page of a list.

        Args:
            kind: The type of the rows.
            sql: The statement. Its `:limit` is given here: one row more than a page has, to see whether there are more.
            key: The field by which the rows are ordered, and which `:after` means.
            limit: How many rows a page has at most.
            given: The other parameters.
        """
        found = self._all(kind, sql, **given, limit=limit + 1)
        rows = found[:limit]
        return Page(rows, str(getattr(rows[-1], key)) if len(found) > limit else None)


def columns(kind: type, table: str = "", /, **named: str) -> str:
    """Return the columns of a named tuple, to be selected.

    Args:
        kind: The named tuple.
        table: The name that the table has in the statement, where there are several.
        named: Those columns that have other names than their fields, by field.
    """
    before = f"{table}." if table else ""
    fields = get_type_hints(kind)
    return ", ".join(f"{before}{named[field]} AS {field}" if field in named else before + field for field in fields)


def parameters(kind: type) -> str:
    """Return the parameters for all fields of a named tuple."""
    return ", ".join(f":{field}" for field in get_type_hints(kind))


_readers: dict[Any, Callable[[Sequence[Any]], Any]] = {}


def _reader(kind: type[T]) -> Callable[[Sequence[Any]], T]:
    """Return what makes a `kind` of a row as SQLite gives it."""
    found = _readers.get(kind)
    if found is None:
        found = _readers[kind] = _row_reader(kind) if hasattr(kind, "_fields") else _value_reader(kind)
    return found


def _row_reader(kind: Any) -> Callable[[Sequence[Any]], Any]:
    hints = list(get_type_hints(kind).values())
    if any(hasattr(hint, "_fields") for hint in hints):
        return _nested_reader(kind, hints)
    converters = [(nth, made) for nth, hint in enumerate(hints) if (made := _converter(hint))]
    if not converters:
        make: Callable[[Sequence[Any]], Any] = kind._make
        return make

    def read(found: Sequence[Any]) -> Any:
        values = list(found)
        for nth, convert in converters:
            values[nth] = convert(values[nth])
        return kind._make(values)

    return read


def _nested_reader(kind: Any, hints: list[Any]) -> Callable[[Sequence[Any]], Any]:
    """Return what reads a row with rows in it: each takes as many columns as it has fields."""
    parts = []
    first = 0
    for hint in hints:
        after = first + len(getattr(hint, "_fields", ("the value",)))
        parts.append((slice(first, after), _reader(hint)))
        first = after
    return lambda found: kind._make([read(found[part]) for part, read in parts])


def _value_reader(kind: Any) -> Callable[[Sequence[Any]], Any]:
    convert = _converter(kind | None)  # a single value may be NULL, whatever its type (`_one`)
    return (lambda found: convert(found[0])) if convert else (lambda found: found[0])


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    """Return what makes a value of this type (or None) from one of SQLite's; None where they are the same."""
    kinds = [kind for kind in get_args(hint) or (hint,) if isinstance(kind, type) and issubclass(kind, Enum | bool)]
    if not kinds:
        return None
    (kind,) = kinds
    known: dict[Any, Any] = {0: False, 1: True} if kind is bool else {member.value: member for member in kind}
    return known.__getitem__ if kind is hint else {**known, None: None}.__getitem__
