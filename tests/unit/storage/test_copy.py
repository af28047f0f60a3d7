"""A copy of a state database is whole, of one commit, private, and replaces nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caroni_edge.storage.database import Database, DatabaseCorrupt, StorageFailed, copy_database, open_database

NOTE = "INSERT INTO facts (key, value) VALUES (?, '1')"
NOTED = "SELECT key FROM facts WHERE key LIKE 'note%' ORDER BY key"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open the database of a node that works, with a row that is only in its log."""
    opened = open_database(tmp_path / "state" / "state.db", "managers")
    with opened.immediate():
        opened.conn.execute(NOTE, ("note1",))
    yield opened
    opened.close()


def path_of(database: Database) -> Path:
    assert database.path is not None
    return database.path


def test_it_is_the_last_commit_and_the_writer_goes_on(database: Database, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    with database.immediate():
        database.conn.execute(NOTE, ("note2",))
        copied_bytes = copy_database(path_of(database), to)
    assert copied_bytes == to.stat().st_size
    assert to.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]
    with closing(sqlite3.connect(to)) as copy:
        assert copy.execute(NOTED).fetchall() == [("note1",)]
    assert database.conn.execute(NOTED).fetchall() == [("note1",), ("note2",)]


def test_a_node_starts_from_it(database: Database, tmp_path: Path) -> None:
    to = tmp_path / "other" / "state.db"
    to.parent.mkdir()
    copy_database(path_of(database), to)
    with closing(open_database(to, "managers")) as restored:
        assert restored.conn.execute(NOTED).fetchall() == [("note1",)]
        assert restored.conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_it_replaces_nothing(database: Database, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    to.write_text("mine")
    with pytest.raises(FileExistsError):
        copy_database(path_of(database), to)
    assert to.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("no database, but long enough to be taken for the beginning of one " * 20)
    with pytest.raises(DatabaseCorrupt):
        copy_database(tmp_path / "state.db", tmp_path / "copy.db")
    with pytest.raises(StorageFailed):
        copy_database(tmp_path / "nothing.db", tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_a_broken_database_is_called_that(database: Database, tmp_path: Path) -> None:
    database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page_bytes = database.conn.execute("PRAGMA page_size").fetchone()[0]
    with path_of(database).open("r+b") as file:
        file.seek(page_bytes * 2)
        file.write(b"\xff" * page_bytes)
    with pytest.raises(DatabaseCorrupt):
        copy_database(path_of(database), tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
