"""What `caroni-edge doctor` says of the store of large files."""

import sqlite3
from pathlib import Path

import pytest

from caroni_edge.doctor.findings import Level
from caroni_edge.doctor.objects import check
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.store.rows import ObjectRows
from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations import Role

CONTENT = b"x" * 2_000_000


def stored(state_dir: Path) -> Object:
    """Put a file into the store."""
    source = state_dir / "source"
    source.write_bytes(CONTENT)
    with source.open("rb") as file:
        return ObjectFiles(state_dir).take(file).object


@pytest.fixture(params=["agents", "managers"])
def conn(request: pytest.FixtureRequest) -> sqlite3.Connection:
    role: Role = request.param
    return memory_database(role).conn


def said(conn: sqlite3.Connection, state_dir: Path, *, is_running: bool = False) -> list[tuple[Level, str]]:
    return [(each.level, each.sentence) for each in check(conn, state_dir, is_running=is_running)]


def test_of_an_empty_store_nothing_is_said_nor_where_an_earlier_release_made_the_database(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    assert said(conn, tmp_path) == []
    assert said(sqlite3.connect(":memory:"), tmp_path) == []


def test_what_rows_and_disk_agree_on_is_counted(conn: sqlite3.Connection, tmp_path: Path) -> None:
    ObjectRows(conn).add(stored(tmp_path), manager="m1", date=0.0)
    assert said(conn, tmp_path) == [(Level.OK, "1 large files, 2 MB")]


def test_what_is_not_there_is_named(conn: sqlite3.Connection, tmp_path: Path) -> None:
    gone = Object("a" * 64, 5_000_000)
    ObjectRows(conn).add(stored(tmp_path), manager="m1", date=0.0)
    ObjectRows(conn).add(gone, manager="m1", date=0.0)
    ((level, sentence),) = said(conn, tmp_path)
    assert (level, sentence) == (
        Level.WARNING,
        f"1 of 2 large files, 7 MB, are not there, or have another size: {gone.id}",
    )


def test_what_has_no_row_goes_at_the_next_start_and_may_be_on_its_way_while_the_node_runs(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    stored(tmp_path)
    assert said(conn, tmp_path) == [(Level.WARNING, "1 files, 2 MB, lie beside the 0 large files, 0 MB")]
    assert said(conn, tmp_path, is_running=True) == [(Level.OK, "0 large files, 0 MB")]
