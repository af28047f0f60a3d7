"""People who start workflows by `caroni-edge submit`: real daemons, and mosquitto as we ship it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemons import CONFIG, Fleet
from tests.support import wait_until


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("x")
    return path


def command(fleet: Fleet, password_file: Path, workflow: str, *more: str, login: str = "alice") -> list[str]:
    words = ["submit", "test_simple", "-i", "message=x", "--id", workflow, "--manager", "m1", "--wait"]
    words += ["--broker", fleet.people.url, "--username", login, "--password-file", str(password_file), *more]
    return [sys.executable, "-m", "caroni_edge", *words]


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def begin(words: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_trigger_before_the_first_connection_of_its_manager_is_said_again(fleet: Fleet, password_file: Path) -> None:
    waiting = begin(command(fleet, password_file, "w1"))
    assert waiting.stderr is not None
    said = next(line for line in waiting.stderr if "not taken within" in line)
    assert "nothing keeps this trigger" in said
    fleet.manager()
    fleet.agent()
    status, out, err = finish(waiting)
    assert (status, json.loads(out)) == (0, {"result": "prepended Xappend"}), err


def test_a_wrong_password_ends_it(fleet: Fleet, password_file: Path) -> None:
    fleet.manager()
    password_file.write_text("wrong")
    status, _, err = finish(begin(command(fleet, password_file, "w1")))
    assert (status, 'refused the login of user "alice"' in err) == (2, True)


def test_nobody_throws_off_anybody(fleet: Fleet, password_file: Path) -> None:
    """Two commands of one person, and one with the login of an agent that runs."""
    agent, manager = fleet.agent(), fleet.manager()
    commands = [begin(command(fleet, password_file, f"w{number}")) for number in range(2)]
    stolen = begin(command(fleet, password_file, "w9", "--timeout", "3s", login="a1"))
    for each in commands:
        status, _, err = finish(each)
        assert (status, "disconnected" in err) == (0, False)
    status, _, err = finish(stolen)
    assert (status, "lets you write to caroni/managers/m1/workflows" in err) == (3, True)
    assert "disconnected" not in agent.log + manager.log
    assert len(manager.get("/api/workflows")["workflows"]) == 2


def test_a_job_cannot_command_the_terminal_by_its_log(fleet: Fleet, tmp_path: Path) -> None:
    types = tmp_path / "types"
    types.mkdir()
    for file in (CONFIG / "jobtypes").iterdir():
        (types / file.name).write_bytes(file.read_bytes())
    text = (types / "foojob0.yaml").read_text()
    (types / "foojob0.yaml").write_text(
        text.replace("script: |\n", "script: |\n  printf '\\033]0;owned\\a' >&2\n  exit 3\n")
    )
    manager, _ = fleet.manager(attempts=1), fleet.agent(job_types=str(types))
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    wait_until(lambda: fleet.of("w1", "caroni.workflow.failed"), what="the workflow to fail")
    words = [sys.executable, "-m", "caroni_edge", "logs", "w1/upper", "--config", str(manager.config)]
    raw = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert "\x1b]0;owned\a" in raw.stdout
    shown = subprocess.run(
        ["script", "-qec", " ".join(words), "/dev/null"], capture_output=True, timeout=120, check=True
    )
    assert b"owned" in shown.stdout
    assert b"\x1b" not in shown.stdout


TWICE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {image: File}
steps:
  twice:
    run: {class: Operation, inputs: {image: File}, outputs: {stars: int}}
    hints: {caroni:JobType: {name: twice}}
    in: {image: image}
    out: [stars]
outputs:
  stars: {type: int, outputSource: twice/stars}
"""
TWICE_JOB = """\
name: twice
inputs: {image: File}
outputs: {stars: int}
script: |
  echo "stars=$(cat "$CARONI_ENV_image" "$CARONI_ENV_image" | grep --count star)" >> "$CARONI_OUTPUTS"
"""


def test_a_large_file_goes_to_a_manager_that_comes_later_by_the_broker_alone(
    fleet: Fleet, password_file: Path, tmp_path: Path
) -> None:
    for name, text in (("templates/twice.cwl", TWICE), ("types/twice.yaml", TWICE_JOB)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "m31.fits").write_bytes(b"star\n" * 300_000)
    words = ["submit", "twice", "--id", "w1", "--manager", "m1", "--wait", "--file", f"image={tmp_path}/m31.fits"]
    words += ["--broker", fleet.people.url, "--username", "alice", "--password-file", str(password_file)]
    submitting = begin([sys.executable, "-m", "caroni_edge", *words])
    assert submitting.stderr is not None
    assert next(line for line in submitting.stderr if "nothing was heard of a manager m1" in line)
    fleet.manager(templates=str(tmp_path / "templates"))
    fleet.agent(job_types=str(tmp_path / "types"))
    status, out, err = finish(submitting)
    assert (status, json.loads(out or "null")) == (0, {"stars": 600_000}), err
    assert "w1: waits for a file from submit-" in err
    assert "m31.fits: 1500000 bytes fetched by m1" in err


LOOK = """\
cwlVersion: v1.2
class: Workflow
inputs: {night: Directory}
steps:
  look:
    run: {class: Operation, inputs: {night: Directory}, outputs: {found: string}}
    hints: {caroni:JobType: {name: look}}
    in: {night: night}
    out: [found]
outputs: {found: {type: string, outputSource: look/found}}
$namespaces: {caroni: "urn:caroni:cwl#"}
"""
LOOK_JOB = """\
name: look
inputs: {night: Directory}
outputs: {found: string}
script: |
  cd "$CARONI_ENV_night"
  echo "found=$(find . | sort | tr '\\n' ' ')$(cat raw/* | wc -c) $(./run)" >> "$CARONI_OUTPUTS"
"""


def test_a_directory_goes_to_a_manager_by_the_broker_alone(fleet: Fleet, password_file: Path, tmp_path: Path) -> None:
    for name, text in (("templates/look.cwl", LOOK), ("types/look.yaml", LOOK_JOB)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    night = tmp_path / "night"
    for path in (night / "raw", night / "empty"):
        path.mkdir(parents=True)
    for number in range(30):
        (night / "raw" / f"{number:02}.fits").write_bytes(f"star {number}\n".encode() * 5000)
    (night / "run").write_text("#!/bin/sh\necho ran")
    (night / "run").chmod(0o755)
    fleet.manager(templates=str(tmp_path / "templates"))
    fleet.agent(job_types=str(tmp_path / "types"))
    words = ["submit", "look", "--id", "w1", "--manager", "m1", "--wait", "--file", f"night={night}"]
    words += ["--broker", fleet.people.url, "--username", "alice", "--password-file", str(password_file)]
    status, out, err = finish(begin([sys.executable, "-m", "caroni_edge", *words]))
    files = " ".join(f"./raw/{number:02}.fits" for number in range(30))
    size = sum(path.stat().st_size for path in (night / "raw").iterdir())
    assert (status, json.loads(out or "null")) == (0, {"found": f". ./empty ./raw {files} ./run {size} ran"}), err
    assert "31 files" in err
