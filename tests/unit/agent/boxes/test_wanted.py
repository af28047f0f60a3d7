"""What a job type's file may say of its box."""

from pathlib import Path

import pytest

from caroni_edge.agent.boxes.wanted import Sandbox
from caroni_edge.agent.jobtypes import JobType, parse_job_type
from caroni_edge.documents.documents import Problems

FILE = Path("/etc/caroni-edge/jobtypes/scan.yaml")


def read(text: str = "") -> JobType:
    return parse_job_type(f"name: scan\nscript: exit\n{text}", FILE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Sandbox()),
        ("sandbox: off", Sandbox(is_off=True)),
        ("sandbox: false", Sandbox(is_off=True)),
        ("sandbox: {}", Sandbox()),
        ("sandbox: {each: true}", Sandbox(each=True)),
        ("sandbox: {network: false}", Sandbox(each=True, network=False)),
        ("sandbox: {read: [/data]}", Sandbox(each=True, read=("/data",))),
        ("sandbox: {write: [out]}", Sandbox(each=True, write=("/etc/caroni-edge/jobtypes/out",))),
        ("sandbox: {each: false}", Sandbox()),
        ("sandbox: {processes: 256, disk: 2G}", Sandbox(processes=256, disk_bytes=2 << 30)),
    ],
)
def test_what_it_says(text: str, expected: Sandbox) -> None:
    assert read(text).sandbox == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sandbox: on", "expected off, or what a box is to be like"),
        ("sandbox: {each: 3}", "expected true or false, got 3"),
        ("sandbox: {read: /data}", "expected a list of paths"),
        ("sandbox: {read: [3]}", "expected a path, got 3"),
        ("sandbox: {each: false, network: false}", "need a box for each job"),
        ("sandbox: {processes: 0}", "processes: expected a whole number from 1 on, got 0"),
        ("sandbox: {processes: true}", "processes: expected a whole number from 1 on, got true"),
        ("sandbox: {disk: 5}", "disk: "),
        ("sandbox: {netwok: false}", 'unknown key "netwok"'),
    ],
)
def test_what_is_wrong(text: str, expected: str) -> None:
    with pytest.raises(Problems, match=expected):
        read(text)


def test_a_job_type_that_says_nothing_keeps_the_version_that_it_had_before_there_were_boxes() -> None:
    assert read("sandbox: {}").version == read().version == read("sandbox: {network: true}").version
    assert read("sandbox: off").version != read().version
