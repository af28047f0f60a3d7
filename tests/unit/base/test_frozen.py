"""What the program in one file does for itself; `tests/packaging` shows it whole."""

import fcntl
import os
from pathlib import Path

import pytest

from caroni_edge.base.frozen import RESOURCES, STANDARD_MODULES, remove_left, restore_environment

LONG_AGO, NOW = 1_000_000, 2_000_000


@pytest.mark.parametrize(
    ("given", "restored"),
    [
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1", "PATH": "/bin"}, {"PATH": "/bin"}),
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1:/opt", "LD_LIBRARY_PATH_ORIG": "/opt"}, {"LD_LIBRARY_PATH": "/opt"}),
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1", "LD_LIBRARY_PATH_ORIG": ""}, {"LD_LIBRARY_PATH": ""}),
        ({"_PYI_ARCHIVE_FILE": "/bin/x", "_PYI_PARENT_PROCESS_LEVEL": "1", "_PY": "mine"}, {"_PY": "mine"}),
    ],
)
def test_children_get_the_environment_that_there_was(given: dict[str, str], restored: dict[str, str]) -> None:
    restore_environment(given)
    assert given == restored


def folder(directory: Path, *names: str, name: str = "_MEI0001", date: int = LONG_AGO) -> Path:
    """Make what a program has unpacked."""
    made = directory / name
    (made / "lib").mkdir(parents=True)
    for file in (*names, "lib/x.so"):
        (made / file).touch()
    for each in (*made.rglob("*"), made):
        os.utime(each, (date, date))
    return made


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    for number, names in enumerate([(RESOURCES, STANDARD_MODULES), (RESOURCES,), ()]):
        folder(tmp_path, *names, name=f"_MEI{number}")
    empty = tmp_path / "_MEIempty"
    empty.mkdir()
    os.utime(empty, (LONG_AGO, LONG_AGO))
    remove_left(tmp_path, NOW)
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_still_uses_stays(tmp_path: Path) -> None:
    used = folder(tmp_path, RESOURCES, STANDARD_MODULES)
    handle = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        remove_left(tmp_path, NOW)
    finally:
        os.close(handle)
    assert (used / RESOURCES).exists()


def test_what_is_being_unpacked_stays(tmp_path: Path) -> None:
    begun = folder(tmp_path, date=NOW - 1)
    remove_left(tmp_path, NOW)
    assert (begun / "lib" / "x.so").exists()


def test_other_programs_and_links_are_left_alone(tmp_path: Path) -> None:
    other = folder(tmp_path, STANDARD_MODULES)
    elsewhere = folder(tmp_path, RESOURCES, STANDARD_MODULES, name="elsewhere")
    (tmp_path / "_MEIlink").symlink_to(elsewhere)
    remove_left(tmp_path, NOW)
    assert (other / STANDARD_MODULES).exists()
    assert (elsewhere / RESOURCES).exists()
