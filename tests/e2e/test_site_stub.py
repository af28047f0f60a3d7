"""The stub of a web site, on real daemons: it prints the result, or says in a sentence why there is none."""

import os
import queue
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.brokers import ShippedMosquitto
from tests.e2e.daemons import Fleet
from tests.support import free_port, wait_until

STUB = Path(__file__).resolve().parents[2] / "examples" / "site_stub.py"


class Site:
    """A web site that has a login of its own."""

    def __init__(self, port: int) -> None:
        self.environ = {"MQTT_PORT": str(port), "MQTT_USERNAME": "site", "MQTT_PASSWORD": "x", "WITHIN_S": "60"}

    def start(self, *words: str, **environ: str) -> "subprocess.Popen[str]":
        """Start a workflow."""
        return subprocess.Popen(
            [sys.executable, STUB, *words],
            env={**os.environ, **self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words: str, **environ: str) -> tuple[int | None, str, str]:
        """Start a workflow, and return the exit status, the result, and what is said beside it."""
        process = self.start(*words, **environ)
        said, complained = process.communicate(timeout=120)
        return process.returncode, said, complained


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    """A mosquitto with the ACL that we ship."""
    broker = ShippedMosquitto(tmp_path / "broker", "m1", "a1", "site", "watcher")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def fleet(tmp_path: Path, broker: ShippedMosquitto) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, broker)
    yield fleet
    fleet.close()


@pytest.fixture
def site(broker: ShippedMosquitto) -> Site:
    return Site(broker.people.port)


def test_it_prints_the_result(fleet: Fleet, site: Site) -> None:
    fleet.manager()
    fleet.agent()
    assert site.ask("caronirocks") == (0, "prepended CARONIROCKSappend\n", "")
    assert site.ask('ein "Wort" für $HOME\n') == (0, 'prepended EIN "WORT" FÜR $HOME\nappend\n', "")


def test_it_says_why_there_is_no_result(tmp_path: Path, fleet: Fleet, site: Site) -> None:
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "foojob0.yaml").write_text(
        "{name: foojob0, inputs: {message: string}, outputs: {jobout: string}, script: 'exit 7'}"
    )
    fleet.manager(attempts=1)
    fleet.agent(job_types=str(tmp_path / "types"))
    status, said, complained = site.ask("x")
    assert (status, said) == (1, "")
    assert "The workflow is failed: " in complained
    assert "7" in complained


def test_a_manager_that_does_not_take_it_is_quoted(tmp_path: Path, fleet: Fleet, site: Site) -> None:
    (tmp_path / "none").mkdir()
    fleet.manager(templates=str(tmp_path / "none"))
    status, said, complained = site.ask("x")
    assert (status, said) == (1, "")
    assert complained.startswith("The manager has not taken it: ")
    assert "test_simple" in complained


def test_a_broker_that_is_away_or_does_not_know_it_is_said(site: Site) -> None:
    port = str(free_port())
    status, said, complained = site.ask("x", MQTT_PORT=port)
    assert (status, said) == (1, "")
    assert complained.startswith(f"The broker 127.0.0.1:{port} cannot be reached: ")
    status, said, complained = site.ask("x", MQTT_PASSWORD="wrong")
    assert (status, said, complained) == (1, "", "The broker does not let site in: Not authorized.\n")


class Connection(NamedTuple):
    """What the stub asks its client of MQTT when its time is up."""

    is_up: bool

    def is_connected(self) -> bool:
        return self.is_up


@pytest.mark.parametrize(
    ("is_up", "heard", "said"),
    [
        (True, [], "Nobody has answered within 0 s. Is the manager m1 up?"),
        (True, ["caroni.workflow.started"], "It runs, but has not ended within 0 s. Are agents up?"),
        (False, ["caroni.workflow.started"], "The connection to the broker was lost, and is not back. Is it up?"),
    ],
)
def test_what_keeps_it_waiting_is_said(
    monkeypatch: pytest.MonkeyPatch, is_up: bool, heard: list[str], said: str
) -> None:
    monkeypatch.setenv("WITHIN_S", "0")
    stub = runpy.run_path(str(STUB))
    events: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
    for kind in heard:
        events.put((kind, {}))
    with pytest.raises(stub["NoResult"], match=re.escape(said)):
        stub["wait_for_end"](Connection(is_up), events)


def test_what_is_not_said_or_cannot_be_sent_is_said(fleet: Fleet, site: Site) -> None:
    usage = 'Say what the workflow is to work on: python site_stub.py "some words"\n'
    assert site.ask() == (2, "", usage)
    assert site.ask("two", "words") == (2, "", usage)
    assert site.ask("x" * 66_000) == (1, "", "That is too much: a manager takes 64 KiB.\n")
    fleet.manager()
    fleet.agent()
    assert site.ask(os.fsdecode(b"\xff")) == (0, "prepended \N{REPLACEMENT CHARACTER}append\n", "")


def test_who_is_tired_of_waiting_ends_it(broker: ShippedMosquitto, site: Site) -> None:
    process = site.start("x")
    wait_until(lambda: "caroni-site-" in broker.log, what="the site to connect")
    process.send_signal(signal.SIGINT)
    assert (*process.communicate(timeout=120), process.returncode) == ("", "", 130)
