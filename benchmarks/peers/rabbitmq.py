"""A RabbitMQ of one's own, on free ports of the loopback interface, as it is without settings."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_WITHIN_S = 120.0


@contextmanager
def rabbitmq(directory: Path) -> Iterator[str]:
    """Start one that keeps its data below a directory; yield the URL for AMQP, and end it."""
    program = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin")
    epmd = shutil.which("epmd")
    if program is None or epmd is None:
        sys.exit("RabbitMQ is not installed: apt-get install rabbitmq-server")
    port, epmd_port, node_port = (_free_port() for _ in range(3))
    settings = directory / "rabbitmq.conf"
    settings.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (directory / "plugins").write_text("[].\n")
    environ = {
        **os.environ,
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(epmd_port),
        "RABBITMQ_NODENAME": "peers@localhost",
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "logs"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
    }
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "env": environ}
    names = subprocess.Popen([epmd, "-address", "127.0.0.1", "-port", str(epmd_port)], **quiet)  # type: ignore[call-overload]
    broker = subprocess.Popen([program], **quiet)  # type: ignore[call-overload]
    try:
        _wait_for(port, broker)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        for process in (broker, names):
            process.terminate()
            process.wait()


def _wait_for(port: int, broker: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while broker.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    sys.exit("RabbitMQ has not started")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
