"""A database is checked for a bounded time."""

import sqlite3

import pytest

from caroni_edge.storage import database
from caroni_edge.storage.database import corruption


@pytest.fixture
def conn() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:")
    conn.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, text TEXT)")
    conn.execute("CREATE INDEX texts ON rows (text)")
    conn.executemany("INSERT INTO rows (text) VALUES (?)", [(f"row {number}",) for number in range(1000)])
    return conn


def test_all_of_it_is_looked_at_where_there_is_time(conn: sqlite3.Connection) -> None:
    assert corruption(conn, 60.0) == (None, True)


def test_it_ends_when_its_time_is_over(conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "STEPS_BETWEEN_LOOKS", 10)
    assert corruption(conn, -1.0) == (None, False)
    assert conn.execute("SELECT count(*) FROM rows").fetchone() == (1000,), "the connection goes on"


def test_what_is_wrong_is_said(conn: sqlite3.Connection) -> None:
    conn.execute("PRAGMA writable_schema = ON")
    conn.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'texts'")
    conn.execute("PRAGMA writable_schema = RESET")
    found, is_all = corruption(conn, 60.0)
    assert found is not None
    assert is_all
