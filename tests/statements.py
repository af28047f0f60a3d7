"""The statements of the stores. None can be forgotten: each is a constant of a class that is made from `Rows`."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from caroni_edge.storage.rows import Rows
from tests.architecture.source import PACKAGE, sources, within

PARAMETER = re.compile(r":([a-z_]+)")


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        name: Its class and its constant, as in `JobRows.ADD`.
        sql: Its text.
    """

    name: str
    sql: str

    @property
    def nothing(self) -> dict[str, None]:
        """Return NULL for each parameter."""
        return dict.fromkeys(PARAMETER.findall(self.sql))

    def plan(self, conn: sqlite3.Connection) -> list[str]:
        """Return what SQLite says it would do, step by step."""
        return [detail for *_, detail in conn.execute(f"EXPLAIN QUERY PLAN {self.sql}", self.nothing)]


def store_classes(*rooms: str) -> Iterator[type[Rows]]:
    """Yield the classes with statements that stand in these packages or modules (named below the package)."""
    for source in sources(PACKAGE):
        if within(source.module, *rooms):
            module = import_module(f"{PACKAGE}.{source.module}")
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Rows) and value.__module__ == module.__name__:
                    yield value


def statements(*rooms: str) -> dict[str, Statement]:
    """Return the statements that stand in these packages or modules, by name."""
    found = [
        Statement(f"{kind.__name__}.{name}", sql)
        for kind in store_classes(*rooms)
        for name, sql in vars(kind).items()
        if name.isupper() and isinstance(sql, str)
    ]
    named = {statement.name: statement for statement in found}
    assert len(named) == len(found), "two classes have the same name"
    return named
