"""A part of a transaction can fail alone; a storage error ends all of it."""

import sqlite3

import pytest

from caroni_edge.storage.database import Database, StorageFailed, memory_database


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
