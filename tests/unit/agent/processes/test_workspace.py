"""What is known of the directories of jobs without making any."""

import os
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import disk
from caroni_edge.agent.keeper.disk import taken_bytes
from caroni_edge.agent.processes.workspace import _variables, unset_variables


def test_all_that_lies_in_a_directory_is_counted(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    before = taken_bytes(str(tmp_path))
    path = tmp_path / "deep" / "deeper" / "large"
    path.write_bytes(b"x" * 1_000_000)
    os.sync()
    assert taken_bytes(str(tmp_path)) - before >= 1_000_000


def test_links_are_not_followed_and_holes_take_nothing(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for directory in (outside, inside):
        directory.mkdir()
    (outside / "large").write_bytes(b"x" * 1_000_000)
    (inside / "link").symlink_to(outside)
    with (inside / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert taken_bytes(str(inside)) < 100_000


def test_counting_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / str(number)).write_bytes(b"x" * 4096)
    whole = taken_bytes(str(tmp_path))
    monkeypatch.setattr(disk, "COUNTED_FILES", 5)
    assert 0 < taken_bytes(str(tmp_path)) < whole


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert taken_bytes(str(tmp_path / "gone")) == 0


def test_an_input_whose_name_no_variable_can_have_is_in_the_file_alone() -> None:
    inputs = {"a-b": "x", "a.b": 1, "1st": True, "ship": "Pequod", "none": None}
    assert dict(_variables(inputs)) == {"CARONI_ENV_1st": "true", "CARONI_ENV_ship": "Pequod"}
    assert unset_variables(inputs) == []
