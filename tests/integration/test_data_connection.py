"""Objects over a real broker, between processes that die and a broker that goes away."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from caroni_edge.objects.transfer.pieces import GRAIN
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import ASKED_CHUNKS_MAX, CHUNK_MAX
from caroni_edge.transport.base import Arrived, Event
from tests.brokers import Client, Mosquitto
from tests.support import wait_until

MIB = 1 << 20
ASKER = Topics("c", "agents", "a1")


class Stage:
    """A broker, an object, and the processes of its holder and its asker."""

    def __init__(self, directory: Path, broker: Mosquitto, size: int) -> None:
        self.directory, self.broker = directory, broker
        self.content = os.urandom(size)
        self.held = directory / "object"
        self.held.write_bytes(self.content)
        self.parts = directory / "parts"
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, what: str, *more: str) -> "subprocess.Popen[str]":
        path = self.held if what == "hold" else self.parts
        about = ["--sha256", sha256(self.content).hexdigest(), "--size", str(len(self.content)), "--path", str(path)]
        command = [sys.executable, "-m", "tests.objects.node", what, "--port", str(self.broker.port), *about, *more]
        root = str(Path(__file__).parents[2])
        environ = os.environ | {"PYTHONPATH": root}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environ)
        self._processes.append(process)
        return process

    def saved_blocks(self) -> int:
        """Return how many blocks of 256 KiB are safe at the asker."""
        return sum(byte.bit_count() for path in self.parts.glob("*/*.map") for byte in read(path))

    def arrived(self, asker: "subprocess.Popen[str]") -> bytes:
        """Wait for the asker to end, and return what it has got."""
        assert asker.stdout is not None
        said = json.loads(asker.stdout.readline() or "{}")
        assert said.get("said") == "Fetched", said
        assert asker.wait(60) == 0
        return Path(said["path"]).read_bytes()

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(60)
            if process.stdout:
                process.stdout.close()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # it has just become whole


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@contextmanager
def stage_of(directory: Path, broker: Mosquitto, size: int) -> Iterator[Stage]:
    stage = Stage(directory, broker, size)
    try:
        yield stage
    finally:
        stage.end()


@contextmanager
def counted(broker: Mosquitto) -> Iterator[Callable[[], int]]:
    """Count the bytes of Data that the broker carries to the asker."""
    watcher, total = Client.of(broker, "watcher"), 0

    def hear(event: Event) -> None:
        nonlocal total
        if isinstance(event, Arrived) and event.topic.startswith("c/objects/"):
            total += len(event.payload)
        else:
            watcher.events.append(event)

    watcher.transport.start(hear)
    wait_until(lambda: watcher.events)
    watcher.subscribe(ASKER.answers.replace("/+/+", "/agents/h1"), qos=0)
    try:
        yield lambda: total
    finally:
        watcher.stop()


def test_an_object_comes_whole_from_process_to_process(tmp_path: Path, broker: Mosquitto) -> None:
    with stage_of(tmp_path, broker, 5 * MIB + 17) as stage:
        stage.start("hold")
        assert stage.arrived(stage.start("fetch")) == stage.content
        assert [path.suffix for path in stage.parts.glob("*/*") if path.suffix != ".map"] == [".part"]


def test_an_object_of_no_bytes_comes_too(tmp_path: Path, broker: Mosquitto) -> None:
    with stage_of(tmp_path, broker, 0) as stage:
        stage.start("hold")
        assert stage.arrived(stage.start("fetch")) == b""


def test_a_large_one_comes_by_its_block_list(tmp_path: Path, broker: Mosquitto) -> None:
    with stage_of(tmp_path, broker, GRAIN.listed + 1) as stage:
        stage.start("hold")
        assert stage.arrived(stage.start("fetch")) == stage.content


def test_killed_ends_go_on_where_they_were(tmp_path: Path, broker: Mosquitto) -> None:
    with stage_of(tmp_path, broker, 40 * MIB) as stage, counted(broker) as count:
        slow = "--down", str(16 * MIB)
        holder, asker = stage.start("hold"), stage.start("fetch", *slow)
        wait_until(lambda: stage.saved_blocks() >= 32, what="8 MiB to be safe")
        asker.kill()
        asker.wait(60)
        assert 0 < stage.saved_blocks() < 160
        asker = stage.start("fetch", *slow)
        wait_until(lambda: stage.saved_blocks() >= 64, what="16 MiB to be safe")
        holder.kill()
        holder.wait(60)
        stage.start("hold")
        assert stage.arrived(asker) == stage.content
        lost_by_a_kill = GRAIN.save + ASKED_CHUNKS_MAX * CHUNK_MAX
        assert len(stage.content) <= count() <= 1.1 * len(stage.content) + lost_by_a_kill


def test_a_broker_that_goes_away_is_waited_for(tmp_path: Path, broker: Mosquitto) -> None:
    with stage_of(tmp_path, broker, 24 * MIB) as stage:
        stage.start("hold")
        asker = stage.start("fetch", "--down", str(8 * MIB))
        wait_until(lambda: stage.saved_blocks() >= 32, what="8 MiB to be safe")
        broker.kill()
        assert asker.poll() is None
        broker.start()
        assert stage.arrived(asker) == stage.content
