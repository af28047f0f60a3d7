"""What `caroni-edge doctor` says of the connection by which an agent's large files come and go."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from caroni_edge.cli import main
from tests.brokers import Mosquitto, ShippedMosquitto
from tests.conftest import MakeMosquitto
from tests.e2e.daemons import CONFIG

Examine = Callable[..., tuple[str, str]]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Examine an agent that does not run; return level and sentence of what is said of files."""

    def run(url: str, **broker: Any) -> tuple[str, str]:
        path = tmp_path / "agent.yaml"
        facts = {
            "id": "a1",
            "state_dir": str(tmp_path / "state"),
            "broker": {"url": url, "username": "a1", "password": "x", **broker},
            "job_types": str(CONFIG / "jobtypes"),
            "disk_floor": "1M",
            "web": False,
        }
        path.write_text(yaml.safe_dump(facts))
        answer = CliRunner().invoke(main, ["doctor", "--config", str(path), "--json"], prog_name="caroni-edge")
        [found] = [each for each in json.loads(answer.stdout)["findings"] if each["name"] == "files"]
        return found["level"], found["sentence"]

    return run


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    broker = ShippedMosquitto(tmp_path / "broker", "a1")
    broker.start()
    yield broker
    broker.kill()


def test_what_comes_back_is_said(mosquitto: Mosquitto, examine: Examine) -> None:
    assert examine(mosquitto.url) == ("ok", "large files can come and go, 56 KiB at a time")


def test_where_a_login_connects_once_files_need_another_address(shipped: ShippedMosquitto, examine: Examine) -> None:
    level, said = examine(shipped.url)
    assert (level, "each login connect once only" in said) == ("warning", True)
    assert examine(shipped.url, data_url=shipped.people.url)[0] == "ok"


def test_a_broker_that_lets_less_through_is_said_to(make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    broker = make_mosquitto(settings="message_size_limit 20000\n").start()
    assert examine(broker.url) == ("ok", "large files can come and go, 16 KiB at a time")
    broker = make_mosquitto(settings="message_size_limit 5000\n").start()
    level, said = examine(broker.url)
    assert (level, "no chunk of 8 KiB comes back" in said) == ("warning", True)


def test_an_acl_of_before_is_noticed(tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite caroni/doctor/#\ntopic readwrite caroni/presence/#\n")
    broker = make_mosquitto(settings=f"acl_file {acl}\n").start()
    assert examine(broker.url)[0] == "warning"
