"""Files on disks that are full, and bytes that are not what was asked for: between nodes on a real broker."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from caroni_edge.config.model import FilesConfig
from caroni_edge.node.transfers import Transfers
from caroni_edge.objects.disk import NoRoom, ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer import asker
from caroni_edge.objects.transfer.effects import Fetched, PlaceFailed, Told
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.access import Access
from caroni_edge.transport.base import Connected, Event, Subscribed
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import Mosquitto, config_of
from tests.chaos.disk import SmallDisk, mounts_allowed
from tests.support import in_thread, wait_until

KEY = Key(1, b"k" * 32)
MEGABYTE = 1 << 20
BYTES = Random("files").randbytes(3 * MEGABYTE)
FILE = Object(hashlib.sha256(BYTES).hexdigest(), len(BYTES))
ME = Peer("agents", "asker")


class FileNode:
    """A node that has nothing but files: it gives what it has, and fetches what it is told to.

    Attributes:
        files: What it has.
        told: What has come, and what places do not give.
        came: The hash of what is in each file that has come.
    """

    def __init__(self, directory: Path, broker: Mosquitto, name: str) -> None:
        self.files = ObjectFiles(directory)
        self.told: list[Fetched | PlaceFailed] = []
        self.came: list[str] = []
        self._topics, self._hears = Topics("c", "agents", name), threading.Event()
        config = config_of(broker, username=name)
        access, bounds = Access(config), FilesConfig()
        self._transfers = Transfers(self.files, access, self._topics, self, self._tell, in_thread, bounds)
        self._transfers.begin()
        self._own = MqttTransport(config, self._topics.client_id)
        self._own.start(self._hear)
        assert self._hears.wait(60), "the node does not connect"

    def stop(self) -> None:
        self._own.stop(1)
        self._transfers.close()

    def keys(self, manager: str) -> Keys | None:
        return Keys(KEY)

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return FILE.size

    def fetch(self, *holders: str) -> None:
        """Fetch the file from these."""
        ticket = make_ticket(KEY, "w", ME)
        places = tuple(Place(Peer("agents", holder), "w", 1, ticket) for holder in holders)
        self._transfers.fetch(Want("m", FILE, places))

    def has(self, data: bytes) -> "FileNode":
        """Have these bytes in the place of the file."""
        path = Path(self.files.path(FILE.id))
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return self

    def _tell(self, told: Told, path: Path | None) -> None:
        if path is not None:
            self.came.append(hashlib.sha256(path.read_bytes()).hexdigest())
        if isinstance(told, Fetched | PlaceFailed):
            self.told.append(told)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Connected):
            self._own.subscribe([(self._topics.asks, 0)])
        elif isinstance(event, Subscribed):
            self._hears.set()
        self._transfers.takes(event)


MakeNode = Callable[..., FileNode]


@pytest.fixture
def make_node(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[MakeNode]:
    made: list[FileNode] = []

    def make(name: str, directory: Path | None = None) -> FileNode:
        made.append(FileNode(directory or tmp_path / name, mosquitto, name))
        return made[-1]

    yield make
    for node in made:
        node.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not mounts_allowed(tmp_path / "probe"):
        pytest.skip("this process may not mount file systems")
    disk = SmallDisk(tmp_path / "small", 16 * MEGABYTE)
    yield disk
    disk.close()


def test_what_finds_no_room_comes_when_there_is_some(
    make_node: MakeNode, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asker, "DISK_AGAIN_S", 0.1)
    make_node("holder").has(BYTES)
    node = make_node("asker", small_disk.path / "state")
    small_disk.fill()
    node.fetch("holder")
    wait_until(lambda: "an object cannot be written" in caplog.text, what="the disk to be full")
    assert not node.told
    small_disk.free()
    wait_until(lambda: node.came, what="the file")
    assert node.came == [FILE.sha256]


def test_a_holder_without_room_gives_what_it_has(make_node: MakeNode, small_disk: SmallDisk) -> None:
    make_node("holder", small_disk.path / "state").has(BYTES)
    small_disk.fill()
    node = make_node("asker")
    node.fetch("holder")
    wait_until(lambda: node.came, what="the file")
    assert node.came == [FILE.sha256]


def test_what_is_taken_on_a_full_disk_is_taken_when_there_is_room(small_disk: SmallDisk, tmp_path: Path) -> None:
    files, given = ObjectFiles(small_disk.path), tmp_path / "given"
    hopeful = ObjectFiles(small_disk.path, lambda: -FILE.size)  # others take the room in the middle of it
    given.write_bytes(BYTES)

    def take(files: ObjectFiles) -> Object:
        with given.open("rb") as source:
            return files.take(source).object

    small_disk.fill()
    with pytest.raises(NoRoom):
        take(files)
    small_disk.free()
    others = small_disk.path / "others"
    others.write_bytes(bytes(small_disk.size_bytes - 2 * MEGABYTE))
    with pytest.raises(OSError, match="No space left"):
        take(hopeful)
    assert [path for path in small_disk.path.rglob("*") if path.is_file()] == [others]
    others.unlink()
    assert take(files) == FILE
    assert Path(files.path(FILE.id)).read_bytes() == BYTES


@pytest.mark.parametrize("wrong", [bytes([BYTES[0] ^ 1]) + BYTES[1:], bytes(len(BYTES))], ids=["a bit", "a lie"])
def test_wrong_bytes_are_never_used_and_a_good_place_gives_the_right_ones(make_node: MakeNode, wrong: bytes) -> None:
    make_node("bad").has(wrong)
    make_node("good").has(BYTES)
    node = make_node("asker")
    node.fetch("bad")
    wait_until(lambda: node.told, what="the bytes to be found wrong")
    (failed,) = node.told
    assert isinstance(failed, PlaceFailed)
    assert (failed.holder, failed.why, node.came) == (Peer("agents", "bad"), "bad", [])
    node.fetch("bad", "good")
    wait_until(lambda: node.came, what="the file")
    assert node.came == [FILE.sha256]
    assert node.told[-1] == Fetched(failed.fetch)
