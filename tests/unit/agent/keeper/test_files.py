"""What stands in the place of a file or a directory is opened only where it is one."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import files
from tests.support import ordinary_rights


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def loop(path: Path) -> None:
    path.symlink_to(path)


STRANGE: list[Callable[[Path], object]] = [os.mkfifo, Path.mkdir, link, loop]


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT])
@pytest.mark.parametrize("make", STRANGE)
def test_nothing_else_is_opened_as_a_file(tmp_path: Path, make: Callable[[Path], object], flags: int) -> None:
    make(tmp_path / "file")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"."):
        files.open_regular(str(tmp_path / "file"), flags)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("make", [*STRANGE, Path.touch])
def test_whatever_was_there_is_replaced(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "file")
    files.replace(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.filemode((tmp_path / "file").lstat().st_mode) == "-rw-------"
    assert Path("/etc/passwd").read_bytes() != b"new"


@pytest.mark.parametrize("make", [os.mkfifo, link, loop, Path.touch])
def test_nothing_else_is_opened_as_a_directory_but_made_one(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "directory")
    with pytest.raises(NotADirectoryError), files.opened(str(tmp_path / "directory")):
        pass
    with files.opened_or_made(str(tmp_path / "directory")) as directory:
        Path(directory, "file").touch()
    assert os.listdir(tmp_path / "directory") == ["file"]


def test_what_takes_the_place_of_a_directory_is_not_what_was_opened(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "directory").mkdir()
    with files.opened(str(tmp_path / "directory")) as directory:
        (tmp_path / "directory").rename(tmp_path / "moved")
        (tmp_path / "directory").symlink_to(tmp_path / "foreign")
        files.replace(f"{directory}/file", b"x")
    assert os.listdir(tmp_path / "foreign") == []
    assert os.listdir(tmp_path / "moved") == ["file"]


def test_rights_that_were_taken_away_are_taken_back(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_bytes(b"x")
    (tmp_path / "directory" / "file").chmod(0)
    (tmp_path / "directory").chmod(0)
    with ordinary_rights(), files.opened(str(tmp_path / "directory")) as directory:
        assert files.read_regular(f"{directory}/file", 10) == b"x"
        files.replace(f"{directory}/other", b"y")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert files.read_regular(str(tmp_path / "file"), 5) == b"12345"
    with pytest.raises(files.Unusable, match="it has 5 bytes, and no more than 4 are read"):
        files.read_regular(str(tmp_path / "file"), 4)
    assert not files.is_larger(str(tmp_path / "file"), 5)
    assert files.is_larger(str(tmp_path / "file"), 3, trim=True)
    assert (tmp_path / "file").read_bytes() == b"123"
