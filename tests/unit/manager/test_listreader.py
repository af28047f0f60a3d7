"""Large lists are read by a thread: those over a mebibyte by a process of its own."""

import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from caroni_edge.manager.holding import listreader
from caroni_edge.manager.holding.listreader import ListReader
from caroni_edge.manager.holding.storage import Closing
from caroni_edge.manager.workflows.listreading import Items, Reading
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type

PATIENCE_S = 120.0
LARGE = b"[" + b",".join(b"%d" % each for each in range(200_000)) + b"]"
SMALL = b"[1,2,3]"


class Store:
    """A storage that keeps what a test puts there."""

    def __init__(self, directory: Path) -> None:
        self.files = ObjectFiles(directory)

    def path(self, name: ObjectId) -> Path:
        return Path(self.files.path(name))

    def read(self, found: Object) -> bytes:
        return self.files.read(found)

    def is_right(self, found: Object) -> bool:
        return self.files.is_right(found)

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        return "giver", tuple(self.files.keep(each) for each in contents)


class Running:
    """A reader with its thread."""

    def __init__(self, directory: Path) -> None:
        self.store = Store(directory)
        self.items: SimpleQueue[Items] = SimpleQueue()
        self.reader = ListReader(self.store, self.items.put)  # type: ignore[arg-type]
        self.thread = Thread(target=self.reader.run)
        self.thread.start()

    def ask(self, content: bytes, *rows: tuple[int, ...], kind: Any = "int[]") -> Items:
        """Have items of a list read; return what is said."""
        found = Object(sha256(content).hexdigest(), len(content))
        self.reader.ask(Reading(1, 2, {"x": large_value(found, parse_type(kind))}, 0, rows))
        return self.items.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self.reader.close()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def running(tmp_path: Path) -> Any:
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize(("content", "said_bytes"), [(SMALL, 3), (SMALL, 100), (LARGE, 1_200_000), (LARGE, 5)])
def test_what_has_another_size_than_was_said_is_not_lost(running: Running, content: bytes, said_bytes: int) -> None:
    running.store.files.keep(content)
    lie = large_value(Object(sha256(content).hexdigest(), said_bytes), parse_type("int[]"))
    running.reader.ask(Reading(1, 2, {"x": lie}))
    items = running.items.get(timeout=PATIENCE_S)
    assert items.lost is None
    assert f"it has not the {said_bytes} bytes that were said" in str(items.problem)
    assert running.ask(content).lengths == {"x": content.count(b",") + 1}


@pytest.mark.parametrize(("content", "length"), [(SMALL, 3), (LARGE, 200_000)])
def test_a_list_is_counted_and_its_items_are_read(running: Running, content: bytes, length: int) -> None:
    running.store.files.keep(content)
    assert running.ask(content).lengths == {"x": length}
    found = running.ask(content, (0,), (length - 1,), (0,))
    assert (found.instances, found.items) == (3, {"x": {0: int(content[1:2]), length - 1: length - (content == LARGE)}})


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_what_is_no_such_list_is_said(running: Running, content: bytes) -> None:
    running.store.files.keep(content)
    said = running.ask(content, kind="string[]").problem
    assert said is not None
    assert said.startswith(f"input x: a value of {len(content)} bytes: [0]: expected string, got")


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_what_does_not_lie_here_is_said(running: Running, content: bytes) -> None:
    name = Object(sha256(content).hexdigest(), len(content)).id
    assert running.ask(content).lost == name
    running.store.files.keep(content)
    running.ask(content)
    running.store.path(name).unlink()
    assert running.ask(content, (0,)).lost == name


def test_a_process_that_fails_is_run_again_later(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.store.files.keep(LARGE)
    with monkeypatch.context() as patched:
        patched.setattr(listreader, "helper_command", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
        assert running.ask(LARGE).no_room == "the process that reads lists has failed (status 3)"
        patched.setattr(listreader, "helper_command", lambda: ["/no/such/program"])
        assert str(running.ask(LARGE).no_room).startswith("the process that reads lists cannot be started")
        kill = "import os, signal; os.kill(os.getpid(), signal.SIGXCPU)"
        patched.setattr(listreader, "helper_command", lambda: [sys.executable, "-c", kill])
        assert "it takes too long, or too much memory" in str(running.ask(LARGE).problem)
    assert running.ask(LARGE).lengths == {"x": 200_000}


def test_large_items_come_to_lie_here(running: Running) -> None:
    content = b"[[" + b",".join([b"7"] * 10_000) + b"],[8]]"
    running.store.files.keep(content)
    found = running.ask(content, (0,), (1,), kind={"type": "array", "items": "int[]"})
    (made,) = found.made
    assert found.items == {"x": {0: large_value(made, parse_type("int[]")), 1: [8]}}
    assert running.store.read(made) == content[1:-5]


def test_what_is_closed_reads_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(tmp_path)
    running.store.files.keep(LARGE)
    monkeypatch.setattr(listreader, "helper_command", lambda: [sys.executable, "-c", "import signal; signal.pause()"])
    found = Object(sha256(LARGE).hexdigest(), len(LARGE))
    running.reader.ask(Reading(1, 2, {"x": large_value(found, parse_type("int[]"))}))
    running.close()
    assert running.items.empty()
    with pytest.raises(Closing):
        running.reader.bounds(found, "int[]")


def test_so_many_items_are_remembered(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listreader, "REMEMBERED_ITEMS", 4)
    for content in (SMALL, b"[4,5,6]"):
        running.store.files.keep(content)
        running.ask(content)
    assert running.ask(SMALL, (1,)).items == {"x": {1: 2}}
