"""Takes large lists apart, in a thread and by a process: what is asked for, one after the other."""

import json
import logging
import os
import signal
import subprocess
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock
from typing import Any

from caroni_edge.base.frozen import is_frozen, program
from caroni_edge.manager.holding.storage import Closing, Storage
from caroni_edge.manager.workflows.listreading import Items, Reading, take_apart
from caroni_edge.objects.disk import Damaged, NoRoom
from caroni_edge.objects.objects import Object
from caroni_edge.values.lists import SUBCOMMAND, NoList, bounds_of
from caroni_edge.values.parsing import parse_type

log = logging.getLogger(__name__)

IN_PROCESS_MAX_BYTES = 1 << 20
"""A larger text is read in a process of its own."""
REMEMBERED_ITEMS = 2_000_000
"""Of lists with so many items together it is remembered where each of these lies (16 bytes an item)."""
_PASSED_ON = ("PATH", "TMPDIR")
_ENDED_BY_KERNEL = (-signal.SIGKILL, -signal.SIGXCPU)


def helper_command() -> list[str]:
    """Return what starts the process that reads a list."""
    return [*program(), SUBCOMMAND] if is_frozen() else program("caroni_edge.values.lists")


class ListReader:
    """Takes lists apart. `run` is the work of a thread; any may call others. It implements `Texts`."""

    def __init__(self, storage: Storage, deliver: Callable[[Items], object]) -> None:
        """Read what lies in `storage`, and give what was read to `deliver`."""
        self._storage, self._deliver = storage, deliver
        self._asked: SimpleQueue[Reading | None] = SimpleQueue()
        self._known: OrderedDict[tuple[Object, str], array[int]] = OrderedDict()
        self._lock = Lock()
        self._helper: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def ask(self, reading: Reading) -> None:
        """Have lists taken apart."""
        self._asked.put(reading)

    def run(self) -> None:
        """Do what is asked for, until `close`."""
        while (reading := self._asked.get()) is not None and not self._is_closed:
            try:
                found = take_apart(reading, self)
            except Closing:
                return
            if not self._is_closed:
                self._deliver(found)

    def close(self) -> None:
        """Have `run` return; what has not been read is asked for again by the next process."""
        with self._lock:
            self._is_closed = True
            if self._helper is not None:
                self._helper.kill()
        self._asked.put(None)

    # The texts

    def bounds(self, found: Object, spec: Any) -> Sequence[int]:
        """Return where the items of a list are (see `Texts`)."""
        key = found, json.dumps(spec)
        bounds = self._known.pop(key, None)
        if bounds is None:
            bounds = self._bounds_of_what_is_right(found, spec)
        self._known[key] = bounds
        while len(self._known) > 1 and sum(map(len, self._known.values())) > 2 * REMEMBERED_ITEMS:
            self._known.popitem(last=False)
        return bounds

    def _bounds_of_what_is_right(self, found: Object, spec: Any) -> "array[int]":
        try:
            return self._bounds(found, spec)
        except Damaged:
            if not self._storage.is_right(found):
                raise
            raise NoList(f"it has not the {found.size} bytes that were said") from None

    def _bounds(self, found: Object, spec: Any) -> "array[int]":
        if found.size <= IN_PROCESS_MAX_BYTES:
            return bounds_of(self._storage.read(found), parse_type(spec))
        path = str(self._storage.path(found.id))
        said, numbers = self._helped([path, found.sha256, str(found.size), json.dumps(spec)])
        if said.get("is_damaged"):
            raise Damaged(found.id)
        if "problem" in said:
            raise NoList(said["problem"])
        bounds = array("Q")
        bounds.frombytes(numbers)
        return bounds

    def _helped(self, asked: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        """Return what the process says of a list, and what it has written behind that.

        Raises:
            NoRoom: It cannot be run now.
        """
        try:
            helper = self._start(asked)
        except OSError as error:
            raise NoRoom(f"the process that reads lists cannot be started: {error.strerror}") from None
        said, words = helper.communicate()
        self._helper = None
        if helper.returncode in _ENDED_BY_KERNEL:
            return {"problem": "it takes too long, or too much memory, to be taken apart"}, b""
        if helper.returncode:
            facts = {"action": "list_reader_failed", "stderr": words.decode(errors="replace")[-1000:]}
            log.error("the process that reads lists has failed (status %d)", helper.returncode, extra=facts)
            raise NoRoom(f"the process that reads lists has failed (status {helper.returncode})")
        line, _, numbers = said.partition(b"\n")
        return json.loads(line), numbers

    def _start(self, asked: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = {
            name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("PYTHON")
        }
        with self._lock:
            if self._is_closed:
                raise Closing("")
            self._helper = subprocess.Popen(
                [*helper_command(), *asked],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
            return self._helper

    def read(self, found: Object, begin: int, end: int) -> bytes:
        """Return some of a text (see `Texts`)."""
        try:
            with open(self._storage.path(found.id), "rb") as file:
                data = os.pread(file.fileno(), end - begin, begin)
        except OSError as error:
            raise Damaged(found.id) from error
        if len(data) < end - begin:
            raise Damaged(found.id)
        return data

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        """Let bytes lie here as objects (see `Texts`)."""
        return self._storage.make(contents)
