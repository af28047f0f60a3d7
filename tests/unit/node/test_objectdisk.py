"""What is deleted of an object is gone before it is fetched anew."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from caroni_edge.node.objectdisk import ObjectDisk
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.transfer.effects import FetchId

FETCH = FetchId("m1", "a" * 64)


class Bench:
    """A disk whose thread, and the one that uses it, run when a test says so."""

    def __init__(self, path: Path) -> None:
        self.disk = ObjectDisk(path / "parts", ObjectFiles(path))
        self.todo: list[Callable[[], None]] = []
        self.begun: list[bytes] = []
        self.disk.parts.write(FETCH, 0, b"hello")
        self.disk.parts.save(FETCH, b"\x01")

    def begin(self) -> None:
        self.disk.begin(FETCH, self.begun.append)

    def remove(self) -> None:
        self.disk.remove(FETCH, self.todo.append)

    def run(self) -> None:
        self.disk.stop()
        self.disk.run()
        while self.todo:
            self.todo.pop(0)()


def test_what_is_safe_is_gone_on_with(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.begin()
    assert bench.begun == [b"\x01"]


def test_what_somebody_has_deleted_is_not_safe_and_is_written_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for each in sorted((tmp_path / "parts" / "m1").iterdir()):
        each.unlink()
    assert bench.disk.left(FETCH) == b""
    bench.disk.parts.write(FETCH, 0, b"again")
    assert bench.disk.parts.hash(FETCH, 0, 5) == sha256(b"again").digest()


def test_what_is_wanted_again_begins_when_all_of_it_is_gone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.remove()
    bench.begin()
    assert bench.begun == []
    bench.run()
    assert bench.begun == [b""]
    bench.begin()
    assert len(bench.begun) == 2


def test_what_is_forgotten_again_before_that_does_not_begin(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.remove()
    bench.begin()
    bench.remove()
    bench.run()
    assert bench.begun == []


def test_it_begins_where_nothing_can_be_deleted_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    part = tmp_path / "parts" / "m1" / f"{'a' * 64}.part"
    part.unlink()
    part.mkdir()
    bench.remove()
    bench.begin()
    bench.run()
    assert len(bench.begun) == 1
