"""What is left of jobs is out of the way at once, and deleted by another thread."""

import os
from pathlib import Path

import pytest

from caroni_edge.agent.processes.trash import Trash


@pytest.fixture
def trash(tmp_path: Path) -> Trash:
    return Trash(str(tmp_path / "trash"))


def made(directory: Path) -> Path:
    (directory / "work").mkdir(parents=True)
    (directory / "work" / "file").touch()
    return directory


def emptied(trash: Trash) -> None:
    trash.close()
    trash.empty()


def test_what_is_taken_is_gone_from_its_place_and_deleted_later(tmp_path: Path, trash: Trash) -> None:
    for _ in range(2):
        trash.take(str(made(tmp_path / "job12345")))
        assert not (tmp_path / "job12345").exists()
    trash.take(str(tmp_path / "job12345"))
    assert len(os.listdir(tmp_path / "trash")) == 2
    emptied(trash)
    assert os.listdir(tmp_path / "trash") == []


def test_what_is_left_there_by_a_process_of_before_is_deleted(tmp_path: Path) -> None:
    made(tmp_path / "trash" / "job12345")
    emptied(Trash(str(tmp_path / "trash")))
    assert os.listdir(tmp_path / "trash") == []


def test_what_cannot_be_deleted_is_said_and_holds_up_nothing(
    tmp_path: Path, trash: Trash, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rmdir = os.rmdir

    def refuses(path: str) -> None:
        if "job00001" in path:
            raise OSError(5, "the disk is broken")
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", refuses)
    for job in ("job00001", "job00002"):
        (tmp_path / job).mkdir()
        trash.take(str(tmp_path / job))
    emptied(trash)
    (left,) = os.listdir(tmp_path / "trash")
    assert left.startswith("job00001")
    assert "the disk is broken" in caplog.text


def test_what_is_another_users_is_deleted_by_who_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of it may have been moved beside it by then."""
    trash = Trash(str(tmp_path / "trash"), lambda path: asked.append(path.removeprefix(f"{tmp_path}/trash/")))
    asked: list[str] = []
    made(tmp_path / "job12345")

    def refuses(path: str) -> None:
        raise PermissionError(1, f"{path} is another user's")

    monkeypatch.setattr(os, "rmdir", refuses)
    trash.take(str(tmp_path / "job12345"))
    emptied(trash)
    assert sorted(asked) == sorted(os.listdir(tmp_path / "trash"))
    assert len(asked) > 1


def test_what_cannot_be_moved_for_want_of_a_trash_is_said(tmp_path: Path, trash: Trash) -> None:
    job = made(tmp_path / "job12345")
    (tmp_path / "trash").rmdir()
    with pytest.raises(FileNotFoundError):
        trash.take(str(job))
    assert job.exists()
