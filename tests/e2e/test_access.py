"""Daemons whose way to the broker changes while they run."""

import signal
from pathlib import Path

from tests.brokers import ShippedMosquitto
from tests.e2e.daemons import Daemon
from tests.support import wait_until


def test_a_new_password_is_used_at_sighup(tmp_path: Path) -> None:
    broker = ShippedMosquitto(tmp_path / "broker", "m1")
    broker.start()
    manager = Daemon(tmp_path, "manager", "m1", broker, templates=str(tmp_path))
    right = manager.config.read_text()
    manager.config.write_text(right.replace("password: x", "password: old", 1))
    try:
        manager.start(wait=False)
        wait_until(lambda: "refused the login" in manager.log, 30, "the refusal")
        manager.config.write_text(right + "topic_root: other\n")
        manager.signal(signal.SIGHUP)
        wait_until(lambda: manager.ready() == 200, 30, "a connection")
        assert "topic_root has changed in the configuration, which counts from the next start on" in manager.log
        assert "connecting anew" in manager.log
    finally:
        manager.kill()
        broker.kill()
