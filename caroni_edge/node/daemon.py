"""A node as a process: it reads its configuration, serves until it is told to stop, and closes what it has opened."""

import gc
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.systemd import Systemd
from caroni_edge.config import NodeConfig, WebConfig
from caroni_edge.documents.documents import Problem
from caroni_edge.node.node import Node
from caroni_edge.node.service import Service
from caroni_edge.transport.access import Access

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=NodeConfig)

AT_START = {
    "id": "id",
    "state_dir": "state_dir",
    "topic_root": "topic_root",
    "listens": "web: {host, port}, or whether it is on and encrypted,",
    "log": "log",
    "forget_after_s": "forget_after",
    "files": "files: {up, down, at_once, when, hosts, ca_file, url, bucket}",
}
"""What is looked at when the node starts, and then no more, with what people call it."""


class Web(Protocol):
    """The pages and the API (`caroni_edge.web.server.WebServer`)."""

    def prepared(self, config: WebConfig | None) -> Callable[[], None]:
        """Read what may change while they are served, and return what takes it over."""


class Daemon(ABC, Generic[Config]):
    """What a manager's and an agent's process have in common.

    Attributes:
        config: What is in force.
        environ: The process's environment.
        service: The inbox and the loop.
        access: How the broker is reached now.
    """

    _node: Node
    _web: "Web"

    def __init__(
        self, path: Path, environ: Mapping[str, str], load: Callable[[Path, Mapping[str, str]], Config]
    ) -> None:
        """Read the configuration.

        Args:
            path: The configuration file.
            environ: The process's environment, which overrides it.
            load: Reads the two.

        Raises:
            Problems: All that is wrong with the configuration.
        """
        self._load: Callable[[], Config] = partial(load, path, environ)
        self.config, self.environ = self._load(), environ
        self.service = Service(Systemd(environ))
        self.access = Access(self.config.broker)

    def run(self) -> int:
        """Serve until a stop is asked or a thread ends; return the exit status."""
        with ExitStack() as opened:
            self.service.stop_on_signals()
            self._node = self.open(opened)
            # What is there now stays as long as the process: to search it for garbage again and again, and at the end
            # once more, took a third of what a start and a stop take.
            gc.freeze()
            gc.enable()
            return self.service.run(self._node, self._reload)

    @abstractmethod
    def open(self, opened: ExitStack) -> Node:
        """Put the node together and let it connect; `opened` closes what was opened, last first."""

    @abstractmethod
    def apply_config(self, config: Config) -> None:
        """Take over what may change while the node runs.

        Raises:
            CaroniError: Nothing has changed.
        """

    def reconnect(self) -> None:
        """Connect anew: the broker is to be reached in another way."""
        self._node.transport.disconnect()

    def _reload(self) -> None:
        """Read the configuration anew (SIGHUP); when it is broken, all stays as it was, and the log says why."""
        try:
            config = self._load()
            access = Access(config.broker)
            change_web = self._web.prepared(config.web)
            self.apply_config(config)
        except CaroniError as error:
            log.error("the configuration stays as it was: %s", error, extra={"action": "reload_failed"})
            return
        for name, called in AT_START.items():
            if getattr(config, name) != getattr(self.config, name):
                words = "%s has changed in the configuration, which counts from the next start on"
                log.warning(words, called, extra={"action": "restart_needed"})
        self.config = config
        change_web()
        log.info("configuration read anew", extra={"action": "reloaded"})
        if self.access.change_to(access):
            log.info("the broker's settings have changed: connecting anew", extra={"action": "broker_changed"})
            self.reconnect()


class Loaded(Protocol):
    """What was read from a directory: templates or job types."""

    @property
    def errors(self) -> Mapping[str, tuple[Problem, ...]]:
        """What is wrong with the files that could not be taken, by the names of what they describe."""

    def get(self, name: str) -> object | None:
        """Return what has this name: as its file is now, or as it was before the file broke."""


Found = TypeVar("Found", bound=Loaded)


def say_errors(kind: str, loaded: Found) -> Found:
    """Log what is wrong with templates or job types (`kind` names one), and return them."""
    for name, problems in loaded.errors.items():
        kept = " (the version from before stays)" if loaded.get(name) else ""
        for problem in problems:
            log.error("%s %s: %s%s", kind, name, problem, kept, extra={"action": "file_broken", "broken": name})
    return loaded
