"""A full disk is said as one, with the path and what is free, by whatever word of SQLite it is noticed."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from caroni_edge.storage import database
from caroni_edge.storage.database import DiskFull, StorageFailed, open_database


class Usage(NamedTuple):
    free: int


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_free(free_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(free_bytes))

    return set_free


def error_of(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    return error


@pytest.mark.parametrize(
    ("name", "free_bytes", "is_full"),
    [
        ("SQLITE_FULL", 5 << 30, True),  # a quota
        ("SQLITE_IOERR_SHMSIZE", 4096, True),
        ("SQLITE_CANTOPEN", 0, True),
        ("SQLITE_IOERR_SHMSIZE", 5 << 30, False),
        ("SQLITE_READONLY", 0, False),
    ],
)
def test_which_errors_of_sqlite_are_a_full_disk(
    tmp_path: Path, free: Callable[[int], None], name: str, free_bytes: int, is_full: bool
) -> None:
    made = open_database(tmp_path / "state.db", "agents")
    free(free_bytes)
    failure = made.failure(error_of(name))
    made.close()
    assert type(failure) is (DiskFull if is_full else StorageFailed)
    assert (
        f"{tmp_path}/state.db: The disk of the state database is full, {free_bytes:,} bytes are free" in str(failure)
    ) is (is_full)
    assert f"disk I/O error ({name})" in str(failure)


def test_a_full_disk_at_the_start_is_said_as_one(
    tmp_path: Path, free: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    free(0)

    def full(*_given: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for failing in (full, lambda *_given: (_ for _ in ()).throw(error_of("SQLITE_IOERR_SHMSIZE"))):
        monkeypatch.setattr(database, "migrate", failing)
        with pytest.raises(DiskFull, match="is full, 0 bytes are free") as failure:
            open_database(tmp_path / "state.db", "agents")
        assert "Make room" in failure.value.hint
