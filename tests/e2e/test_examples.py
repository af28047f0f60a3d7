"""The examples: what their READMEs say to type prints what they say, with the daemons that they configure."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from caroni_edge.cli import main
from tests.conftest import MakeMosquitto
from tests.e2e.daemons import Fleet

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
COMMAND = re.compile(r"^```sh\n(caroni-edge submit .*?)^```\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BROKER = "mqtt://127.0.0.1:1883"
WITHIN_S = 60


@pytest.fixture
def fleet(tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[Fleet]:
    """Daemons on a mosquitto for trying things out: the examples' commands have no login."""
    running = Fleet(tmp_path, make_mosquitto().start())
    yield running
    running.close()


def start(fleet: Fleet, example: Path) -> None:
    """Start what the folder has configurations of, on the broker of the test."""
    for path in sorted(example.glob("*.yaml"), reverse=True):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert (config["id"], config["broker"]) == (path.stem, {"url": BROKER})
        if "templates" in config:
            fleet.manager(path.stem, templates=str(example / config["templates"]))
        else:
            fleet.agent(path.stem, job_types=str(example / config["job_types"]))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_prints_what_its_readme_says(fleet: Fleet, name: str) -> None:
    example = EXAMPLES / name
    start(fleet, example)
    commands = COMMAND.findall((example / "README.md").read_text(encoding="utf-8"))
    assert commands
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command, printed in commands:
        done = subprocess.run(
            ["bash", "-euc", command.replace(BROKER, fleet.broker.url)],
            check=False,
            cwd=example,
            env=environ,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == json.loads(printed)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_to_be_said_of_the_files_of_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in (EXAMPLES / name).rglob("*") if path.suffix in {".yaml", ".cwl"}]
    with pytest.raises(SystemExit) as exit_:
        main(["check-config", *files])
    said = capsys.readouterr().out
    assert exit_.value.code == 0, said
    assert said.count(": ok (") == len(files)
    assert "warning" not in said


def test_all_examples_are_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert len(NAMES) == 6
    assert all(f"[{name}]({name}/README.md)" in listed for name in NAMES)
