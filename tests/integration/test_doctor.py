"""`caroni-edge doctor` on real brokers: what it finds, and that it leaves no trace."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from caroni_edge.cli import main
from caroni_edge.doctor import access
from caroni_edge.doctor.keepers import check as check_keepers
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Presence
from caroni_edge.storage.database import open_database
from caroni_edge.transport.base import Arrived
from tests.brokers import Mosquitto, RunningBroker, ShippedMosquitto, find
from tests.certificates import make_certificates
from tests.conftest import MakeClient, MakeMosquitto
from tests.e2e.daemons import CONFIG, Daemon
from tests.keepers import keepers
from tests.support import free_port

Examine = Callable[..., dict[str, tuple[str, str]]]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Examine a manager that does not run; return level and sentence of the worst finding of each name."""

    def run(url: str, exit_status: int | None = None, **broker: Any) -> dict[str, tuple[str, str]]:
        config = write(tmp_path, url, **broker)
        answer = CliRunner().invoke(main, ["doctor", "--config", str(config), "--json"], prog_name="caroni-edge")
        assert answer.exit_code == exit_status if exit_status is not None else answer.exit_code in (0, 1), answer.output
        return worst(json.loads(answer.stdout)["findings"])

    return run


def write(directory: Path, url: str, triggers: Mapping[str, Any] | None = None, **broker: Any) -> Path:
    facts = {
        "id": "m1",
        "state_dir": str(directory / "state"),
        "broker": {"url": url, "username": "m1", "password": "x", **broker},
        "templates": str(CONFIG / "templates"),
        "disk_floor": "1M",
        "web": False,
        "triggers": triggers or {},
    }
    path = directory / "manager.yaml"
    path.write_text(yaml.safe_dump(facts))
    return path


def worst(findings: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    order = ("ok", "warning", "problem")
    found: dict[str, tuple[str, str]] = {}
    for each in sorted(findings, key=lambda finding: order.index(finding["level"])):
        found[each["name"]] = (each["level"], each["sentence"])
    return found


def passwords(directory: Path) -> Path:
    path = directory / "passwords"
    subprocess.run([find("mosquitto_passwd", "mosquitto"), "-b", "-c", path, "m1", "x"], check=True)
    return path


def secured(directory: Path, acl: str) -> str:
    """The settings of config/mosquitto/caroni.conf, but for TLS."""
    (directory / "acl").write_text(acl)
    return f"password_file {passwords(directory)}\nacl_file {directory / 'acl'}\nuse_username_as_clientid true\n"


def test_a_good_broker_is_healthy_and_keeps_nothing(
    mosquitto: Mosquitto, examine: Examine, make_client: MakeClient
) -> None:
    found = examine(mosquitto.url, 0)
    names = ("broker", "login", "topics", "identity", "presence", "size", "queue", "session", "retained", "disk")
    assert {name: found[name][0] for name in names} == dict.fromkeys(names, "ok"), found
    assert "at least 300" in found["queue"][1]
    client = make_client(mosquitto)
    client.connect()
    client.subscribe("#")
    client.publish("barrier", b"")
    client.wait_for(Arrived, lambda event: event.topic == "barrier")
    assert not [event.topic for event in client.find(Arrived) if event.topic.startswith("caroni")]


def test_triggers_need_somewhere_to_connect_to_where_a_login_connects_once(
    tmp_path: Path, mosquitto: Mosquitto, examine: Examine
) -> None:
    broker = ShippedMosquitto(tmp_path / "broker", "m1")
    broker.start()
    rules = {"hot": {"topic": "sensors/#", "template": "test_simple", "inputs": {"message": "hot"}}}
    try:
        level, said = examine(broker.url, 1, triggers=rules)["triggers"]
        assert (level, "connect once only" in said) == ("problem", True)
        assert examine(broker.url, triggers=rules, data_url=broker.people.url)["triggers"][0] == "ok"
        assert "triggers" not in examine(broker.url)
    finally:
        broker.kill()
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    assert examine(mosquitto.url, 1, triggers=rules, data_url=nowhere)["broker"][0] == "problem"


def test_what_cannot_be_reached_is_said(examine: Examine) -> None:
    assert examine(f"mqtt://127.0.0.1:{free_port()}", 1)["broker"][0] == "problem"
    level, said = examine("mqtt://nowhere.invalid", 1)["broker"]
    assert (level, "is not known" in said) == ("problem", True)


def test_a_wrong_password_is_said(tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    broker = make_mosquitto(settings=f"password_file {passwords(tmp_path)}\n", anonymous=False).start()
    assert examine(broker.url, 0)["login"][0] == "ok"
    assert examine(broker.url, 1, password="wrong")["broker"] == (
        "problem",
        'the broker refused the login of user "m1"',
    )


def test_certificates_are_looked_at(tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    good = make_certificates(tmp_path / "good", "IP:127.0.0.1")
    broker = make_mosquitto(settings=good.settings, tls=True).start()
    assert examine(broker.url, 0, ca_file=str(good.ca))["certificate"][0] == "warning"
    assert "not trusted" in examine(broker.url, 1)["broker"][1]
    old = make_certificates(tmp_path / "old", "IP:127.0.0.1", days=-1)
    expired = make_mosquitto(settings=old.settings, tls=True).start()
    assert "not valid now" in examine(expired.url, 1, ca_file=str(old.ca))["broker"][1]


def test_an_acl_that_forbids_the_presence_is_noticed(
    tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine
) -> None:
    settings = secured(tmp_path, "user m1\ntopic read caroni/#\n")
    found = examine(make_mosquitto(settings=settings, anonymous=False).start().url, 1)
    assert (found["presence"][0], found["limits"][0]) == ("problem", "warning")


def test_the_recommended_acl_is_healthy(tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    settings = secured(tmp_path, (CONFIG / "mosquitto" / "acl.conf").read_text())
    found = examine(make_mosquitto(settings=settings, anonymous=False).start().url, 0)
    assert (found["presence"][0], found["size"][0], found["retained"][0]) == ("ok", "ok", "ok")


@pytest.mark.parametrize("limit", ["message_size_limit 10000", "max_packet_size 10000"])
def test_a_low_limit_of_size_is_found(limit: str, make_mosquitto: MakeMosquitto, examine: Examine) -> None:
    broker = make_mosquitto(settings=f"{limit}\n").start()
    level, said = examine(broker.url, 1)["size"]
    assert (level, "does not pass" in said) == ("problem", True)


def test_a_short_queue_costs_time_only(make_mosquitto: MakeMosquitto, examine: Examine, tmp_path: Path) -> None:
    broker = make_mosquitto()
    path = broker.directory / "mosquitto.conf"
    path.write_text(path.read_text().replace("max_queued_messages 100000", "max_queued_messages 5"))
    level, said = examine(broker.start().url, 0)["queue"]
    assert (level, said.startswith("the broker keeps only")) == ("warning", True), said


def test_an_id_taken_twice_and_another_version_are_found(
    mosquitto: Mosquitto, examine: Examine, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "RETAINED_WITHIN_S", 60.0)
    client = make_client(mosquitto)
    client.connect()
    other, newer = Presence(online=True, boot="b", host="elsewhere"), Presence(online=True, boot="c", speaks=9)
    client.publish("caroni/presence/managers/m1", encode(other), retain=True)
    client.publish("caroni/presence/agents/a1", encode(newer), retain=True)
    found = examine(mosquitto.url, 1)
    assert found["identity"][0] == "problem"
    assert "id taken" in found["identity"][1]
    assert (found["version"][0], "speaks messages 9" in found["version"][1]) == ("warning", True)


def test_what_waits_for_a_stopped_node_is_still_there(
    tmp_path: Path, make_mosquitto: MakeMosquitto, examine: Examine, make_client: MakeClient
) -> None:
    acl = (CONFIG / "mosquitto" / "acl.conf").read_text() + "\nuser alice\ntopic write caroni/#\n"
    settings = secured(tmp_path, acl)
    broker = make_mosquitto(settings=settings, anonymous=False).start()
    subprocess.run([find("mosquitto_passwd", "mosquitto"), "-b", tmp_path / "passwords", "alice", "x"], check=True)
    broker.restart()
    node = make_client(broker, username="m1")
    node.connect()
    node.transport.subscribe([("caroni/managers/m1/workflows", 1)])
    node.publish("caroni/presence/managers/m1", b"")
    node.stop()
    alice = make_client(broker, username="alice")
    alice.connect()
    alice.publish("caroni/managers/m1/workflows", b"a trigger")
    assert "not probed" in examine(broker.url, 0)["queue"][1]
    back = make_client(broker, username="m1")
    assert back.connect().session_present
    assert back.wait_for(Arrived).payload == b"a trigger"


# The state


@pytest.fixture
def nowhere() -> str:
    """Nothing listens there: for what is looked at before the broker."""
    return f"mqtt://127.0.0.1:{free_port()}"


def test_a_newer_database_is_said(tmp_path: Path, examine: Examine, nowhere: str) -> None:
    path = tmp_path / "state" / "state.db"
    open_database(path, "managers").close()
    before = {each.name for each in path.parent.iterdir()}
    assert examine(nowhere)["database"] == ("ok", "it is whole")
    assert {each.name for each in path.parent.iterdir()} == before
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE _sqlite_migrations SET name = 'second' WHERE migration_set = 'manager' AND name = 'first'")
    level, said = examine(nowhere)["database"]
    assert (level, "newer release" in said) == ("problem", True)


@pytest.mark.parametrize("offset", [0, 8192])
def test_a_corrupt_database_is_said(offset: int, tmp_path: Path, examine: Examine, nowhere: str) -> None:
    path = tmp_path / "state" / "state.db"
    open_database(path, "managers").close()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 8192)
    level, said = examine(nowhere)["database"]
    assert (level, "corrupt" in said) == ("problem", True), said


@pytest.fixture
def daemon(tmp_path: Path, mosquitto: RunningBroker) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, "manager", "m1", mosquitto, templates=str(CONFIG / "templates"))
    yield daemon
    daemon.stop()


def test_a_keeper_says_how_surely_its_jobs_end_and_what_bounds_them(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with keepers() as make:
        assert make(state_dir).hello["ends"] == "children"
        found = list(check_keepers(SimpleNamespace(state_dir=state_dir)))  # type: ignore[arg-type]
    [finding] = found
    assert (finding.name, finding.level) == ("jobs", "ok")
    assert finding.sentence.startswith("a keeper: all of a job ends with it; ")
    assert list(check_keepers(SimpleNamespace(state_dir=tmp_path / "none"))) == []  # type: ignore[arg-type]


def test_a_node_that_runs_is_asked_and_stays_connected(daemon: Daemon) -> None:
    daemon.start()
    answer = CliRunner().invoke(main, ["doctor", "--config", str(daemon.config)], prog_name="caroni-edge")
    assert answer.exit_code == 0, answer.output
    assert f"it runs here (pid {daemon.pid})" in answer.stdout
    assert "the node says that it is ready" in answer.stdout
    assert "disconnected" not in daemon.log


def test_a_configuration_that_cannot_be_used_is_status_2(tmp_path: Path) -> None:
    path = tmp_path / "manager.yaml"
    path.write_text("id: m1\ntemplates: t\n")
    answer = CliRunner().invoke(main, ["doctor", "--config", str(path)], prog_name="caroni-edge")
    assert answer.exit_code == 2


def test_a_daemon_does_not_start_on_a_corrupt_database(tmp_path: Path, nowhere: str) -> None:
    config = write(tmp_path, nowhere)
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    command = [sys.executable, "-m", "caroni_edge", "manager", "--config", str(config)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (answer.returncode, "The state database is corrupt" in answer.stderr) == (2, True), answer.stderr
