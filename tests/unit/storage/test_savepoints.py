"""A part of a transaction can fail alone; a storage error ends all of it."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from caroni_edge.storage.database import Database, StorageFailed, memory_database, open_database


def add(database: Database, key: str) -> None:
    database.conn.execute("INSERT INTO facts (key, value) VALUES (?, '')", (key,))


def keys(database: Database) -> list[str]:
    return [key for (key,) in database.conn.execute("SELECT key FROM facts ORDER BY key")]


def add_and_bind_wrongly(database: Database) -> None:
    with database.savepoint():
        add(database, "b")
        database.conn.execute("SELECT ?", ())


def test_error_of_the_module_itself_takes_back_its_part_only() -> None:
    database = memory_database("agents")
    with database.immediate():
        add(database, "a")
        with pytest.raises(sqlite3.ProgrammingError):
            add_and_bind_wrongly(database)
        add(database, "c")
    assert keys(database) == ["a", "c"]


def lose_transaction(database: Database) -> None:
    with database.immediate():
        add(database, "a")
        with database.savepoint():
            database.conn.execute("ROLLBACK")  # SQLite does so by itself on a full disk
            raise ValueError("anything")


def test_transaction_that_sqlite_rolled_back_is_a_storage_failure() -> None:
    database = memory_database("agents")
    with pytest.raises(StorageFailed):
        lose_transaction(database)
    assert keys(database) == []


PAGES = 100
"""SQLite keeps 64 KiB of what a savepoint may put back in memory by itself, then it makes a file."""


def open_temporary_files() -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(os.readlink(descriptor))
    return [name for name in found if "etilqs_" in name]


def change_all_and_look(database: Database) -> list[str]:
    with database.savepoint():
        database.conn.execute("UPDATE facts SET value = 'b'")
        return open_temporary_files()


def test_savepoint_makes_no_file_for_what_it_may_put_back(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", "agents")
    with database.immediate():
        for number in range(PAGES):
            database.conn.execute("INSERT INTO facts (key, value) VALUES (?, ?)", (f"k{number}", "a" * 4096))
    with database.immediate():
        assert change_all_and_look(database) == []
    database.close()
