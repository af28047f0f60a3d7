"""The examples: what their READMEs say to type prints what they say, with the daemons that they configure."""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.cli import main
from caroni_edge.documents.documents import load
from tests.conftest import MakeMosquitto
from tests.e2e.daemons import PROGRAM, TOKEN, Daemon, Fleet
from tests.hooks import Hook
from tests.support import wait_until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
COMMAND = re.compile(r"^```sh\n(caroni-edge submit .*?)^```\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BROKER = "mqtt://127.0.0.1:1883"
WITHIN_S = 180
AUTOMATIC = ("triggers", "schedules", "notify")
"""What a manager of an example starts by itself, and whom it tells."""

OF_AGENTS = ("slots", "resources")
"""What an agent of an example has."""


@pytest.fixture
def fleet(tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[Fleet]:
    """Daemons on a mosquitto for trying things out: the examples' commands have no login."""
    running = Fleet(tmp_path, make_mosquitto().start())
    yield running
    running.close()


def start(fleet: Fleet, example: Path, **changes: Any) -> Daemon:
    """Start what the folder has configurations of, on the broker of the test, with changes of the manager's."""
    managers = []
    for path in sorted(example.glob("*.yaml"), reverse=True):
        config = load(path).value
        assert (config["id"], config["broker"]) == (path.stem, {"url": BROKER})
        if "templates" in config:
            automatic = {key: config[key] for key in AUTOMATIC if key in config} | changes
            managers.append(
                fleet.manager(path.stem, templates=str(example / config["templates"]), attempts=2, **automatic)
            )
        else:
            own = {key: config[key] for key in OF_AGENTS if key in config}
            fleet.agent(path.stem, job_types=str(moved(example / config["job_types"], fleet.directory)), **own)
    return managers[0]


def moved(job_types: Path, directory: Path) -> Path:
    """Return a copy of job types that leave in the directory of the test what they would in /var/tmp."""
    copied = directory / "job types" / job_types.name
    copied.mkdir(parents=True, exist_ok=True)
    for path in job_types.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("/var/tmp/example", f"{directory}/example")
        (copied / path.name).write_text(text, encoding="utf-8")
    return copied


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


def test_messages_of_a_sensor_cross_two_hosts_and_end_at_a_webhook(fleet: Fleet) -> None:
    """The one that fails is told, and so is the first that completes afterwards; what is not hot starts nothing."""
    hook, example = Hook(), EXAMPLES / "sensor-alarm"
    (entry,) = load(example / "m1.yaml").value["notify"]
    start(fleet, example, notify=[{**entry, "webhook": {"url": hook.url}}])
    for number, celsius in enumerate((50, 150, 95.5, 95.5)):
        body = json.dumps({"celsius": celsius, "sequence": min(number, 2)}).encode()
        fleet.client.publish("bearings/port/temperature", body)
        if celsius == 150:
            wait_until(lambda: hook.seen, WITHIN_S, "the webhook to be told")
    assert fleet.outputs("overheated-port-2") == {"message": "the valve of port is open at 95.5 degrees"}
    wait_until(lambda: len(hook.seen) == 2, WITHIN_S, "the webhook to be told of the recovery")
    failed, recovered = (json.loads(body) for _, body in hook.seen)
    assert (failed["type"], failed["subject"]) == ("caroni.workflow.failed", "overheated-port-1")
    assert (recovered["type"], recovered["data"]["workflow"]) == ("caroni.template.recovered", "overheated-port-2")
    assert [headers["webhook-id"] for headers, _ in hook.seen] == [failed["id"], recovered["id"]]
    hook.close()


def test_the_thumbnails_are_fetched_from_where_they_lie(fleet: Fleet) -> None:
    manager = start(fleet, EXAMPLES / "thumbnails")
    fleet.trigger({"template": "album", "inputs": {"count": 1, "width": 96}, "id": "w1"})
    fleet.outputs("w1", WITHIN_S)
    here = fleet.directory / "album"
    words = ["fetch", "w1", "--timeout", "5m", "--url", manager.url, "--token", TOKEN, "-o", str(here)]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (0, f"{here}/sea-1-small.ppm\n"), done.stderr
    header, pixels = (here / "sea-1-small.ppm").read_bytes().split(b"\n", 1)
    assert (header, len(pixels)) == (b"P6 96 72 255", 3 * 96 * 72)


def test_a_nightly_archive_is_kept_whole_with_its_checksums(fleet: Fleet) -> None:
    start(fleet, EXAMPLES / "nightly-archive")
    fleet.trigger({"template": "archive", "inputs": {"night": "2026-11-28"}, "id": "w1"})
    assert fleet.outputs("w1", WITHIN_S) == {"kept": "logs-2026-11-28.tar with 2 files"}
    kept, packed = fleet.directory / "example-archives", fleet.directory / "example-logs"
    assert sorted(path.name for path in kept.iterdir()) == ["logs-2026-11-28.sha256", "logs-2026-11-28.tar"]
    with tarfile.open(kept / "logs-2026-11-28.tar") as archive:
        names = [each.name for each in archive.getmembers() if each.isfile()]
        assert names == ["./bridge.log", "./engine.log"]
        for name in names:
            file = archive.extractfile(name)
            assert file is not None
            assert file.read() == (packed / name).read_bytes()


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
    assert len(NAMES) == 10
    assert all(f"[{name}]({name}/README.md)" in listed for name in NAMES)
