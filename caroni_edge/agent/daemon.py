"""The agent's daemon: starts, serves until it is told to stop, and closes what it has opened. Its jobs go on."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from caroni_edge.agent.jobtypes import JobTypes, load_job_types
from caroni_edge.agent.reactor import AgentParts, AgentReactor
from caroni_edge.agent.runner import JobEnded, Runner
from caroni_edge.agent.settings import AgentSettings
from caroni_edge.agent.store import Store
from caroni_edge.config import load_agent
from caroni_edge.errors import CaroniError
from caroni_edge.node import Node
from caroni_edge.service import Service
from caroni_edge.startup import connect, open_node, watch_disk

log = logging.getLogger(__name__)


class AgentDaemon:
    """An agent as a process."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Read the configuration.

        Args:
            path: The configuration file.
            environ: The process's environment, which overrides it.

        Raises:
            Problems: All that is wrong with the configuration.
        """
        self._path, self._environ = path, environ
        self._config = load_agent(path, environ)
        self._service = Service()

    def run(self) -> int:
        """Serve until a stop is asked or a thread ends; return the exit status."""
        with ExitStack() as opened:
            self._service.stop_on_signals()
            node = self._open(opened)
            return self._service.run(node, self._reload)

    def _open(self, opened: ExitStack) -> Node:
        config = self._config
        node = open_node(config, opened)
        self._types = _say_errors(load_job_types(config.job_types))
        runner = Runner(config.state_dir, config.id, self._on_ended)
        self._reactor = make_reactor(node, AgentSettings.of(config), self._types, runner)
        node.attach(self._reactor)
        node.checks.append(lambda: runner.trouble)
        if config.web is not None:
            from caroni_edge.agent.api import serve  # noqa: PLC0415 - costs a fifth of a second and 30 MB

            opened.enter_context(serve(config, node, self._service, self._reactor, runner, lambda: self._types))
        self._service.supervise("runner", runner.run)
        opened.callback(runner.close)
        watch_disk(self._service, config.state_dir, opened, self._reactor.on_disk)
        connect(node, self._service, opened)
        return node

    def _on_ended(self, ended: JobEnded) -> None:
        self._service.tell(lambda at: self._reactor.on_job_ended(ended, at))

    def _reload(self) -> None:
        """SIGHUP: take over what may change; what is broken keeps what was there, and is said."""
        try:
            config = load_agent(self._path, self._environ)
            types = _say_errors(load_job_types(config.job_types, self._types))
        except CaroniError as error:
            log.error("the configuration stays as it was: %s", error, extra={"action": "reload_failed"})
            return
        self._config, self._types = config, types
        chosen = AgentSettings.of(config)
        self._service.tell(lambda _at: self._reactor.reload(chosen, types))
        log.info("configuration read anew", extra={"action": "reloaded", "job_types": len(types.loaded)})


def make_reactor(node: Node, chosen: AgentSettings, types: JobTypes, runner: Runner) -> AgentReactor:
    """Put an agent's reactor together on a node."""
    parts = AgentParts(
        settings=chosen,
        types=types,
        topics=node.topics,
        store=Store(node.database.conn),
        outbox=node.links,
        chance=node.chance,
        runner=runner,
    )
    return AgentReactor(parts)


def _say_errors(types: JobTypes) -> JobTypes:
    for name, problems in types.errors.items():
        kept = " (the version from before stays)" if types.get(name) else ""
        for problem in problems:
            log.error("job type %s: %s%s", name, problem, kept, extra={"action": "job_type_broken", "job_type": name})
    return types
