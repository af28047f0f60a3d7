"""The workflows of GitHub, as far as they can be checked without it: what they run is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(path: Path) -> dict[Any, Any]:
    """Return a workflow as YAML 1.1 reads it, to which the key `on` is true."""
    read = yaml.safe_load(path.read_text())
    assert isinstance(read, dict)
    return read


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in workflow(path)["jobs"].values():
        yield from job["steps"]


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the words of each command, and of each in a pipe."""
    for step in steps(path):
        for line in step.get("run", "").splitlines():
            for command in re.split(r"\||&&", line):
                yield shlex.split(command)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_runs_is_there(path: Path) -> None:
    missing = []
    for words in commands(path):
        if words[:1] == ["make"]:
            named = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
            missing += [word for word in named if word not in targets()]
        missing += [word for word in words if word.startswith("tools/") and not (ROOT / word).exists()]
        if words[:3] == ["docker", "compose", "-f"] and not (ROOT / words[3]).exists():
            missing.append(words[3])
    assert not missing


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_little_and_ends(path: Path) -> None:
    assert workflow(path)["permissions"] == {"contents": "read"}
    for name, job in workflow(path)["jobs"].items():
        assert job["timeout-minutes"] <= 60, name
        assert set(job.get("permissions", {})) <= {"contents", "id-token", "attestations"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_others_actions_are_githubs_own_in_a_named_version(path: Path) -> None:
    for step in steps(path):
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        else:
            assert step["run"]


def test_a_tag_is_what_publishes() -> None:
    release = workflow(ROOT / ".github" / "workflows" / "release.yml")
    assert release[True]["push"] == {"tags": ["v*"]}
    publish = release["jobs"]["publish"]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert set(publish["needs"]) == release["jobs"].keys() - {"publish"}
    writing = {name for name, job in release["jobs"].items() if "permissions" in job}
    assert writing == {"publish"}
