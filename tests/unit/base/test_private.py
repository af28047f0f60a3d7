"""What is its owner's alone: made so whatever the umask, and narrowed where it was wider."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.base import private


@pytest.fixture(autouse=True)
def _generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_file_that_is_made_is_private(tmp_path: Path) -> None:
    with open(tmp_path / "made", "w", opener=private.opener, encoding="utf-8") as file:
        file.write("x")
    assert mode(tmp_path / "made") == 0o600


def test_what_is_wider_is_narrowed_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").mkdir(0o755)
    for name, rights in (("state.db", 0o644), ("tool", 0o777), ("closed", 0o400)):
        (tmp_path / "state" / name).touch(rights)
    (tmp_path / "state" / "jobs").mkdir(0o750)
    (tmp_path / "elsewhere").touch(0o644)
    (tmp_path / "state" / "link").symlink_to(tmp_path / "elsewhere")
    private.narrow(tmp_path / "state")
    modes = {path.name: mode(path) for path in (tmp_path / "state").iterdir() if path.name != "link"}
    assert modes == {"state.db": 0o600, "tool": 0o700, "closed": 0o400, "jobs": 0o700}
    assert (mode(tmp_path / "state"), mode(tmp_path / "elsewhere")) == (0o700, 0o644)
    (record,) = caplog.records
    assert record.getMessage().startswith("others could use state, jobs, state.db, tool in ")
    caplog.clear()
    private.narrow(tmp_path / "state")
    assert not caplog.records


def test_a_directory_for_everybody_is_not_taken_from_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "somebody's").touch(0o644)
    private.narrow(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "somebody's")) == (0o1777, 0o644)
    assert "give the node a state_dir of its own" in caplog.text


def test_what_cannot_be_narrowed_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    caplog.set_level(logging.WARNING)
    (tmp_path / "state").mkdir(0o755)
    private.narrow(tmp_path / "state")
    assert "that cannot be changed: Operation not permitted" in caplog.text
