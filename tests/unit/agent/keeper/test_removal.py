"""What jobs have left is deleted, a bounded part at a time where others wait."""

import os
from pathlib import Path

from caroni_edge.agent.keeper.removal import delete


def made(top: Path, files: int) -> Path:
    for index in range(files):
        directory = top / f"d{index % 3}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / str(index)).touch()
    return top


def test_all_is_deleted_and_counted(tmp_path: Path) -> None:
    assert delete(str(made(tmp_path / "top", 10))) == 10 + 3 + 1
    assert os.listdir(tmp_path) == []


def test_no_more_is_deleted_than_is_wanted_and_the_rest_later(tmp_path: Path) -> None:
    made(tmp_path / "top", 50)
    rounds = 0
    while left := os.listdir(tmp_path):
        assert delete(str(tmp_path / left[0]), most=7) <= 7 + 1
        rounds += 1
        assert rounds < 50
    assert rounds >= 7


def test_a_link_is_deleted_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert delete(str(tmp_path / "link")) == 1
    assert os.listdir(tmp_path) == ["there"]
