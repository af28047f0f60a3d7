"""What is read of the record of a job, which the job can reach."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.keeper import reasons
from caroni_edge.agent.keeper.records import (
    EXITED,
    JOBS,
    RUNNING,
    Exit,
    Start,
    boot_id,
    claim,
    read,
    read_running,
    write_end,
)
from caroni_edge.agent.processes.recorded import unseen

START = Start("job12345", boot_id(), 5.0, timeout_s=3.0, about={"any": "thing"})
END = Exit("job12345", boot_id(), 6.0, EXITED, 4, "", 5.0)


@pytest.fixture
def state_dir(tmp_path: Path) -> str:
    for directory in (RUNNING, f"{JOBS}/job12345"):
        (tmp_path / directory).mkdir(parents=True)
    return str(tmp_path)


def record_of(state_dir: str) -> Path:
    return Path(state_dir, JOBS, "job12345", "record")


def forge(state_dir: str, line: str, **facts: Any) -> None:
    with record_of(state_dir).open("a") as file:
        file.write(json.dumps({line: facts}) + "\n")


def test_what_was_written_is_read(state_dir: str) -> None:
    os.close(claim(state_dir, START))
    assert read(state_dir, "job12345") == read_running(state_dir, "job12345") == (START, None)
    write_end(state_dir, START, END)
    assert read(state_dir, "job12345") == (START, END)
    assert os.listdir(f"{state_dir}/{RUNNING}") == []
    assert record_of(state_dir).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "facts",
    [
        {"deadline": "soon"},
        {"deadline": float("nan")},
        {"deadline": float("-inf")},
        {"deadline": 10**400},
        {"timeout_s": [1]},
        {"log_bytes": -1},
        {"log_bytes": 1e9},
        {"about": ["no", "mapping"]},
        {"pid": -1},
        {"pid": 1 << 40},
        {"pid": "1"},
        {"ticks": 0.5},
        {"never": True},
        {"a later release": "says more"},
    ],
)
def test_a_field_that_a_job_has_forged_does_not_count(state_dir: str, facts: dict[str, Any]) -> None:
    forge(state_dir, "start", **{"boot": boot_id(), "date": 5.0, **facts})
    assert read(state_dir, "job12345").start == Start("job12345", boot_id(), 5.0)


@pytest.mark.parametrize("facts", [{"kind": 3}, {"boot": None}, {"date": "today"}, {"date": float("inf")}])
def test_an_end_that_makes_no_sense_is_none(state_dir: str, facts: dict[str, Any]) -> None:
    forge(state_dir, "end", **{**END._asdict(), **facts})
    assert read(state_dir, "job12345").end is None


def test_a_record_is_about_the_job_whose_it_is(state_dir: str) -> None:
    forge(state_dir, "start", **{**START._asdict(), "job": "another1"})
    forge(state_dir, "end", **{**END._asdict(), "job": "another1", "status": "0"})
    assert read(state_dir, "job12345") == (START, END._replace(status=None))


@pytest.mark.parametrize("line", [b"[" * 100_000, b"\xff\xfe", b'{"end": 3}', b"3", b'{"end": {"date": 1e999}}'])
def test_a_line_that_is_no_json_is_left_out(state_dir: str, line: bytes) -> None:
    os.close(claim(state_dir, START))
    with record_of(state_dir).open("ab") as file:
        file.write(line + b"\n")
    assert read(state_dir, "job12345") == (START, None)


def test_a_record_without_end_is_not_read(state_dir: str) -> None:
    with record_of(state_dir).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="no more than"):
        read(state_dir, "job12345")


def test_what_a_job_has_deleted_is_read_by_its_second_name(state_dir: str) -> None:
    os.close(claim(state_dir, START))
    record_of(state_dir).unlink()
    assert read(state_dir, "job12345") == (None, None)
    assert read_running(state_dir, "job12345") == (START, None)


def test_a_record_of_which_nothing_was_written_says_no_boot_of_the_host(state_dir: str) -> None:
    record_of(state_dir).touch()
    start = read(state_dir, "job12345").start
    assert start is not None
    assert unseen(start).reason == reasons.UNSEEN_UNWRITTEN
    assert unseen(START).reason == reasons.UNSEEN_SAME_BOOT
    assert unseen(START._replace(boot="another")).reason == reasons.UNSEEN_REBOOT
