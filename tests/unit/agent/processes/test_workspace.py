"""What is known of the directories of jobs without making any."""

import os
from pathlib import Path

import pytest

from caroni_edge.agent.jobtypes import parse_job_type
from caroni_edge.agent.keeper import disk
from caroni_edge.agent.keeper.disk import taken_bytes
from caroni_edge.agent.processes.staging import Lender
from caroni_edge.agent.processes.trash import TRASH, Trash
from caroni_edge.agent.processes.workspace import Workspaces
from caroni_edge.objects.disk import ObjectFiles


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


def test_an_input_whose_name_no_variable_can_have_is_in_the_file_alone(tmp_path: Path) -> None:
    types = "{a-b: string, a.b: int, 1st: boolean, ship: string, none: string?}"
    job_type = parse_job_type(f"name: see\ninputs: {types}\nscript: env\n", tmp_path / "see.yaml")
    inputs = {"a-b": "x", "a.b": 1, "1st": True, "ship": "Pequod", "none": None}
    launch = Workspaces(tmp_path, Trash(str(tmp_path / TRASH)), {}).make(
        "job12345", job_type, inputs, {}, Lender(ObjectFiles(tmp_path))
    )
    given = {name: text for name, text in launch.environment.items() if name.startswith("CARONI_ENV_")}
    assert given == {"CARONI_ENV_1st": "true", "CARONI_ENV_ship": "Pequod"}
    assert launch.notes == []
