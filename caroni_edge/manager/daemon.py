"""The manager's daemon: starts, serves until it is told to stop, and closes what it has opened."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from math import inf
from pathlib import Path

from caroni_edge.config import ManagerConfig, load_manager
from caroni_edge.errors import CaroniError
from caroni_edge.manager.context import Context, ManagerSettings
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store import Store
from caroni_edge.manager.templates import Templates, load_templates
from caroni_edge.node import ASK_OPEN_PEERS_EVERY_S, Node
from caroni_edge.service import Service
from caroni_edge.startup import connect, open_node, watch_disk

log = logging.getLogger(__name__)


class ManagerDaemon:
    """A workflow manager as a process."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Read the configuration.

        Args:
            path: The configuration file.
            environ: The process's environment, which overrides it.

        Raises:
            Problems: All that is wrong with the configuration.
        """
        self._path, self._environ = path, environ
        self._config = load_manager(path, environ)
        self._service = Service()

    def run(self) -> int:
        """Serve until a stop is asked or a thread ends; return the exit status."""
        with ExitStack() as opened:
            self._service.stop_on_signals()
            node = self._open(opened)
            return self._service.run(node, self._reload)

    def _open(self, opened: ExitStack) -> Node:
        config = self._config
        node = self._node = open_node(config, opened, ask_every_s(config))
        self._templates = _say_errors(load_templates(config.templates))
        self._reactor = make_reactor(node, settings(config), self._templates)
        node.attach(self._reactor)
        if config.web is not None:
            from caroni_edge.manager.api import serve  # noqa: PLC0415 - costs a fifth of a second and 30 MB

            opened.enter_context(serve(config, node, self._service, self._reactor, lambda: self._templates))
        watch_disk(self._service, config.state_dir, opened, self._on_disk)
        connect(node, self._service, opened)
        return node

    def _reload(self) -> None:
        """SIGHUP: take over what may change; what is broken keeps what was there, and is said."""
        try:
            config = load_manager(self._path, self._environ)
            templates = _say_errors(load_templates(config.templates, self._templates))
        except CaroniError as error:
            log.error("the configuration stays as it was: %s", error, extra={"action": "reload_failed"})
            return
        self._config, self._templates = config, templates
        self._node.ask_every_s = ask_every_s(config)
        self._reactor.reload(settings(config), templates)
        log.info("configuration read anew", extra={"action": "reloaded", "templates": len(templates.loaded)})

    def _on_disk(self, free_bytes: int) -> None:
        floor = self._config.disk_floor_bytes
        low = f"{free_bytes} bytes are free on the manager's disk, and disk_floor is {floor}"
        self._reactor.set_disk_problem(low if free_bytes < floor else None)


def ask_every_s(config: ManagerConfig) -> float:
    """Return how often agents with jobs are asked what they have: often enough to notice that one is silent."""
    return min(ASK_OPEN_PEERS_EVERY_S, inf if config.lost_after_s is None else config.lost_after_s / 3)


def settings(config: ManagerConfig) -> ManagerSettings:
    """Return what the reactor needs of a configuration."""
    return ManagerSettings(
        attempts=config.attempts,
        retry_delay_s=config.retry_delay_s,
        lost_after_s=config.lost_after_s,
        stalled_after_s=config.stalled_after_s,
        retention_s=config.retention_s,
    )


def make_reactor(node: Node, chosen: ManagerSettings, templates: Templates) -> ManagerReactor:
    """Put a manager's reactor together on a node."""
    context = Context(
        settings=chosen,
        topics=node.topics,
        store=Store(node.database.conn),
        outbox=node.links,
        notices=node.notices,
        events=EventWriter(node.events, node.topics),
        chance=node.chance,
        silent_for=node.silent_for,
        wanted=set(),
    )
    return ManagerReactor(context, templates)


def _say_errors(templates: Templates) -> Templates:
    for name, problems in templates.errors.items():
        kept = " (the version from before stays)" if templates.get(name) else ""
        for problem in problems:
            log.error("template %s: %s%s", name, problem, kept, extra={"action": "template_broken", "template": name})
    return templates
