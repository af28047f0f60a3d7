"""What an agent serves: its pages and its API, behind what every node has."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from caroni_edge.agent.pages import host, jobs, jobtypes, types
from caroni_edge.agent.pages.api import ROUTES, AgentApi, Logs
from caroni_edge.agent.pages.times import JobTimes
from caroni_edge.agent.reactor import AgentReactor
from caroni_edge.config import AgentConfig
from caroni_edge.doctor.boxes import of_boxes
from caroni_edge.doctor.bucket import of_bucket
from caroni_edge.node.node import Node
from caroni_edge.node.service import Service
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.given import Giving, giving
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import WebServer, serve_node
from caroni_edge.web.site import NodeView, Site

PAGES = (*jobs.PAGES, *types.PAGES)
MENU = (*jobs.MENU, *types.MENU)


def serve(
    config: AgentConfig,
    node: Node,
    service: Service,
    reactor: AgentReactor,
    logs: Logs,
    reload_types: Callable[[], None],
    files: ObjectFiles,
    flow: Flow,
) -> AbstractContextManager[WebServer]:
    """Serve pages and API of an agent as long as the context is open.

    Raises:
        CannotListen: The address or the port is not to be had.
        CredentialUnusable: A made password or token cannot be kept or read.
    """
    reply_topic = node.topics.inbox_of("{manager}")

    def site(view: NodeView, readers: Readers, commands: AuditedCommands) -> Site:
        api = AgentApi(view, readers, commands, reactor, reload_types, logs, reply_topic)
        return make_site(api, config.state_dir, giving(config, readers, files, flow))

    return serve_node(config, node, service, site)


def make_site(api: AgentApi, state_dir: Path, giving: Giving | None = None) -> Site:
    """Return the agent's part of what is served; passwords and tokens that are made are kept in `state_dir`."""
    times = JobTimes(api.readers)
    return Site(
        api.node,
        api.readers,
        state_dir,
        lambda: api.reactor.settings,
        api.commands,
        (*ROUTES, *host.ROUTES, *jobtypes.ROUTES, *PAGES),
        {"agent": api},
        menu=MENU,
        metrics=lambda: [*api.metrics(), *times.collect()],
        dates=api.dates,
        giving=giving,
        findings=lambda: [
            of_boxes(api.reactor.settings.sandbox, api.reactor.able, os.geteuid()),
            *of_bucket(api.reactor.settings.files.bucket, api.reactor.bucket_trouble),
        ],
    )
