"""Daemons whose way to the broker changes while they run."""

import signal
from pathlib import Path

import httpx

from tests.brokers import ShippedMosquitto
from tests.certificates import make_certificates
from tests.conftest import MakeMosquitto
from tests.e2e.conftest import MakeShipped
from tests.e2e.daemons import Daemon, Fleet
from tests.support import wait_until


def test_a_new_password_is_used_at_sighup(tmp_path: Path) -> None:
    broker = ShippedMosquitto(tmp_path / "broker", "m1")
    broker.start()
    manager = Daemon(tmp_path, "manager", "m1", broker, templates=str(tmp_path))
    right = manager.config.read_text()
    manager.config.write_text(right.replace("password: x", "password: old", 1))
    try:
        manager.start(wait=False)
        wait_until(lambda: "refused the login" in manager.log, what="the refusal")
        manager.config.write_text(right + "topic_root: other\n")
        manager.signal(signal.SIGHUP)
        wait_until(lambda: manager.ready() == 200, what="a connection")
        assert "topic_root has changed in the configuration, which counts from the next start on" in manager.log
        assert "connecting anew" in manager.log
    finally:
        manager.kill()
        broker.kill()


def test_a_broker_with_client_certificates_and_a_new_ca_at_sighup(
    tmp_path: Path, make_mosquitto: MakeMosquitto
) -> None:
    ours, others = (make_certificates(tmp_path / name, "IP:127.0.0.1") for name in ("ours", "others"))
    broker = make_mosquitto(settings=ours.settings + "require_certificate true\n", tls=True).start()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(others.ca.read_bytes())
    access = {"url": broker.url, "username": "m1", "password": "x", "ca_file": str(ca_file)}
    access |= {"cert_file": str(ours.certificate), "key_file": str(ours.key)}
    manager = Daemon(tmp_path, "manager", "m1", broker, templates=str(tmp_path), broker=access)
    try:
        manager.start(wait=False)
        wait_until(lambda: "not trusted" in manager.log, what="the certificate to be refused")
        ca_file.write_bytes(ours.ca.read_bytes())
        manager.signal(signal.SIGHUP)
        manager.wait_ready()
    finally:
        manager.kill()


def test_people_log_in_anew_when_their_password_has_changed(tmp_path: Path, make_shipped: MakeShipped) -> None:
    fleet = Fleet(tmp_path, make_shipped())
    try:
        manager = fleet.manager()
        right = manager.config.read_text()
        with httpx.Client(base_url=manager.url, trust_env=False) as person:
            log_in = {"username": "admin", "password": "x"}
            assert person.post("/login", data=log_in).status_code == 200
            manager.config.write_text(right.replace("password: x", "password: another", 2))
            manager.signal(signal.SIGHUP)
            wait_until(lambda: person.get("/api/session").status_code == 401, what="the session to end")
            assert person.post("/login", data=log_in).status_code == 401
        assert "counts from the next start on" not in manager.log
        manager.config.write_text(right.replace(f"port: {manager.url.rpartition(':')[2]}", "port: 1"))
        manager.signal(signal.SIGHUP)
        wait_until(lambda: "web: {host, port}" in manager.log, what="what needs a restart to be said")
    finally:
        fleet.close()


def test_nodes_go_to_the_next_broker_of_their_list(tmp_path: Path, make_shipped: MakeShipped) -> None:
    first, second = make_shipped(), make_shipped()
    fleet = Fleet(tmp_path, first)
    urls = [first.url, second.url]
    try:
        manager = fleet.manager(broker={"url": urls, "username": "m1", "password": "x"})
        fleet.agent(broker={"url": urls, "username": "a1", "password": "x"})
        for number, ending in enumerate((None, first)):
            if ending is not None:
                ending.stop()
                wait_until(lambda: manager.ready() == 503, what="the connection to be gone", every_s=0.02)
            workflow = f"w{number}"
            trigger = {"template": "test_simple", "inputs": {"message": "x"}, "id": workflow}
            assert manager.post("/api/workflows", trigger).status_code == 201
            page = f"/api/workflows/{workflow}"
            wait_until(lambda p=page: manager.get(p)["status"] == "completed", what="the workflow to complete")  # type: ignore[misc]
    finally:
        fleet.close()
