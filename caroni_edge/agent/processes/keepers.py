"""All keepers of an agent: the one that new jobs go to, for each strength, and those of before that still have jobs."""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from caroni_edge import __version__
from caroni_edge.agent.boxes import shared as shared_box
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.keeper.users import BOXES
from caroni_edge.agent.processes.homes import PLAIN, SHARED, BoxedHome, Home, names_of
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
        self._is_running = False
        box = None if boxes.able.no_shared else _shared_home(state_dir, boxes)
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

    def succeed(self, link: KeeperLink) -> None:
        """Let another keeper serve beside one without a box, which is of another program and still has jobs."""
        link.retire()
        if link is self.plain:
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
        self._is_running = True
        for link in self.all():
            self._begin(link)
        while self._is_running:
            failure = self._ended.get()
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Have `run` return."""
        self._is_running = False
        for link in self.all():
            link.close()
        self._ended.put(None)

    def send(self, request: dict[str, Any]) -> None:
        """Send a request to all keepers."""
        for link in self.all():
            link.send(request)

    def _begin(self, link: KeeperLink) -> None:
        def work() -> None:
            try:
                link.run()
            except Exception as error:  # noqa: BLE001 - raised by `run`
                self._ended.put(error)

        threading.Thread(target=work, name=f"keeper {link.home.name}", daemon=True).start()


def _shared_home(state_dir: Path, boxes: Boxes) -> BoxedHome:
    has_ids = not boxes.able.no_ids
    box = shared_box.arguments(boxes.bwrap, boxes.hidden, as_root=os.geteuid() == 0, has_ids=has_ids)
    made_of = json.dumps(
        [__version__, box, boxes.ids.range, [_identity(path) for path in (boxes.bwrap, *boxes.hidden.files)]]
    )
    name = hashlib.sha256(made_of.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return BoxedHome(state_dir, f"{BOXES}/{SHARED}{name}", box, boxes.ids)


def _identity(path: str) -> list[int]:
    """Return what tells a file from one that is put in its place: a box hides the one that was there."""
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_dev, found.st_ino]


def _homes(state_dir: Path) -> list[Home]:
    """Return the places of all keepers that may be there, or have been, but for the state directory itself."""
    names = names_of(state_dir)
    shared = f"{BOXES}/{SHARED}"
    return [BoxedHome(state_dir, name) if name.startswith(shared) else Home(state_dir, name) for name in names]
