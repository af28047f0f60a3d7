"""All keepers of an agent: the one that new jobs go to, for each strength, and those of before that still have jobs."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from caroni_edge import __version__
from caroni_edge.agent.boxes import shared as shared_box
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.keeper.users import BOXES
from caroni_edge.agent.processes.homes import PLAIN, SHARED, START_TIMEOUT_S, BoxedHome, Home, names_of
from caroni_edge.agent.processes.keeperlink import Event, KeeperLink

_SUCCESSOR = f"{BOXES}/{PLAIN}{__version__}"
"""Where a keeper without a box serves beside one of another program."""


class Keepers:
    """The links to all keepers, each in a thread of its own while `run` runs.

    Attributes:
        plain: To the keeper without a box, which also starts jobs in boxes of their own.
        shared: To the keeper in the box that jobs share; None where there can be none.
    """

    def __init__(self, state_dir: Path, boxes: Boxes, take: Callable[[KeeperLink, Event], None]) -> None:
        """Find the places where keepers serve, or have served.

        Args:
            state_dir: The agent's; absolute.
            boxes: What this host can do.
            take: Called with each event and the link that it came by, in the thread of that link.
        """
        self._state_dir, self._take = state_dir, take
        self._ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._is_running = self._is_closed = False
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._hides = _identities(boxes.hidden.files)
        box = None if boxes.able.no_shared else _shared_home(state_dir, boxes, self._hides)
        self.shared = None if box is None else KeeperLink(box, take)
        self.plain = KeeperLink(Home(state_dir), take, wanted=box is None)
        self._links = {link.home.name: link for link in (self.plain, self.shared) if link is not None}
        for home in _homes(state_dir):
            if home.name not in self._links:
                retired = home.name != _SUCCESSOR
                self._links[home.name] = KeeperLink(home, take, wanted=False, retired=retired)

    def all(self) -> list[KeeperLink]:
        """Return all links; those that have nothing to do any more, too."""
        return list(self._links.values())

    def for_new(self, strength: Strength) -> KeeperLink:
        """Return the link by which a job of a strength is to be started."""
        if strength is Strength.SHARED and self.shared is not None:
            return self.shared
        self.plain.want()
        return self.plain

    def hide(self, boxes: Boxes, hidden: Hidden) -> Boxes:
        """Let new jobs go to another box where the one that they share does not hide all that is to be hidden by now.

        Args:
            boxes: What there was to make boxes with until now.
            hidden: What is to be hidden.

        Returns:
            The same, with what is hidden from now on.
        """
        is_hidden = {*hidden.directories} <= {*boxes.hidden.directories}
        if is_hidden and _identities(hidden.files).items() <= self._hides.items():
            return boxes
        boxes = boxes._replace(hidden=boxes.hidden.joined(hidden))
        self._hides = _identities(boxes.hidden.files)
        if self.shared is not None:
            retired, home = self.shared, _shared_home(self._state_dir, boxes, self._hides)
            retired.retire()
            with self._lock:
                self.shared = self._links[home.name] = KeeperLink(home, self._take)
                self._begin(self.shared)
            retired.send({"do": "list"})  # it ends when it has no job, which somebody must see
        return boxes

    def succeed(self, link: KeeperLink) -> None:
        """Let another keeper serve beside one without a box, which is of another program and still has jobs."""
        link.retire()
        if link is self.plain:
            with self._lock:
                if _SUCCESSOR not in self._links:
                    self._links[_SUCCESSOR] = KeeperLink(Home(self._state_dir, _SUCCESSOR), self._take, wanted=False)
                    self._begin(self._links[_SUCCESSOR])
                self.plain = self._links[_SUCCESSOR]
            if self.shared is None:
                self.plain.want()

    @property
    def trouble(self) -> str | None:
        """Why no job can be started, for people; None while all is well."""
        return next((link.trouble for link in self.all() if link.trouble), None)

    def run(self) -> None:
        """Serve all links until `close`; raise what goes wrong in one."""
        with self._lock:
            if self._is_closed:
                return
            self._is_running = True
            for link in self.all():
                self._begin(link)
        while self._is_running:
            failure = self._ended.get()
            if failure is not None:
                raise failure

    def close(self, *, end: bool) -> None:
        """Have `run` return. Whoever is being started is waited for, since nobody else would know of it.

        Args:
            end: Keepers are to end that have no job.
        """
        with self._lock:
            self._is_running, self._is_closed = False, True
            for link in self.all():
                link.close(end=end)
            threads = list(self._threads)
        for thread in threads:
            thread.join(START_TIMEOUT_S)
        self._ended.put(None)

    def send(self, request: dict[str, Any]) -> None:
        """Send a request to all keepers."""
        for link in self.all():
            link.send(request)

    def _begin(self, link: KeeperLink) -> None:
        """Serve a link while we run; `run` begins those that are there before."""
        if not self._is_running:
            return

        def work() -> None:
            try:
                link.run()
            except Exception as error:  # noqa: BLE001 - raised by `run`
                self._ended.put(error)
            with self._lock:
                self._threads.discard(threading.current_thread())
                if self._links.get(link.home.name) is link:
                    del self._links[link.home.name]
            link.dispose()

        thread = threading.Thread(target=work, name=f"keeper {link.home.name}", daemon=True)
        self._threads.add(thread)
        thread.start()


def _shared_home(state_dir: Path, boxes: Boxes, hides: Mapping[str, list[int]]) -> BoxedHome:
    has_ids = not boxes.able.no_ids
    box = shared_box.arguments(boxes.bwrap, boxes.hidden, as_root=os.geteuid() == 0, has_ids=has_ids)
    files = [hides[path] for path in boxes.hidden.files]
    made_of = json.dumps([__version__, box, boxes.ids.range, [_identity(boxes.bwrap), *files]])
    name = hashlib.sha256(made_of.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return BoxedHome(state_dir, f"{BOXES}/{SHARED}{name}", box, boxes.ids)


def _identities(files: Iterable[str]) -> dict[str, list[int]]:
    return {path: _identity(path) for path in files}


def _identity(path: str) -> list[int]:
    """Return what tells a file from one that is put in its place: a box hides the one that was there.

    The number of a file that is gone is given to another one, which has other times.
    """
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_dev, found.st_ino, found.st_ctime_ns]


def _homes(state_dir: Path) -> list[Home]:
    """Return the places of all keepers that may be there, or have been, but for the state directory itself."""
    names = names_of(state_dir)
    shared = f"{BOXES}/{SHARED}"
    return [BoxedHome(state_dir, name) if name.startswith(shared) else Home(state_dir, name) for name in names]
