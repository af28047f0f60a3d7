"""What a manager serves: its pages and its API, behind what every node has."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from caroni_edge.config import ManagerConfig
from caroni_edge.manager.holding.storage import Storage
from caroni_edge.manager.pages import (
    api,
    api_acting,
    api_automation,
    api_flows,
    api_objects,
    api_outline,
    api_templates,
    files,
    fleet,
    many,
    run,
    run_acting,
    runs,
    step,
    templates,
)
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.questions import Questions
from caroni_edge.manager.pages.times import WorkflowTimes
from caroni_edge.manager.questions.desk import Desk
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.templates.library import Templates
from caroni_edge.node.node import Node
from caroni_edge.node.service import Service
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.given import Giving, giving
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import WebServer, serve_node
from caroni_edge.web.site import NodeView, Site

ROUTES = (
    *api.ROUTES,
    *api_acting.ROUTES,
    *api_flows.ROUTES,
    *api_objects.ROUTES,
    *api_outline.ROUTES,
    *api_templates.ROUTES,
    *api_automation.ROUTES,
    *files.ROUTES,
)
PAGES = (
    *runs.PAGES,
    *many.PAGES,
    *run.PAGES,
    *run_acting.PAGES,
    *step.PAGES,
    *files.PAGES,
    *templates.PAGES,
    *api_automation.PAGES,
    *fleet.PAGES,
)
MENU = (*runs.MENU, *templates.MENU, *api_automation.MENU, *fleet.MENU)


def serve(
    config: ManagerConfig,
    node: Node,
    service: Service,
    reactor: ManagerReactor,
    templates: Callable[[], Templates],
    reload_templates: Callable[[], None],
    storage: Storage,
    flow: Flow,
) -> AbstractContextManager[WebServer]:
    """Serve pages and API of a manager as long as the context is open.

    Raises:
        CannotListen: The address or the port is not to be had.
        CredentialUnusable: A made password or token cannot be kept or read.
    """

    def site(view: NodeView, readers: Readers, commands: AuditedCommands) -> Site:
        api = ManagerApi(view, readers, commands, reactor, templates, reload_templates, Plans(), storage)
        given = giving(config, readers, storage.work.store, flow, lambda _manager: node.topics.name)
        return make_site(api, config.state_dir, given)

    return serve_node(config, node, service, site)


def make_questions(node: Node, web: WebServer, service: Service, reactor: ManagerReactor) -> Questions:
    """Return what has questions answered that people ask over the broker."""

    def say(person: str, reply: str, payload: bytes) -> None:
        node.connection.answer(node.topics.reply_to(person, reply), payload)

    return Questions(Desk(lambda: reactor.settings.people, web.has_token), web, service, say)


def make_site(api: ManagerApi, state_dir: Path, giving: Giving | None = None) -> Site:
    """Return the manager's part of what is served; made passwords and tokens are kept in `state_dir`."""
    times = WorkflowTimes(api.readers)
    return Site(
        api.node,
        api.readers,
        state_dir,
        lambda: api.reactor.settings,
        api.commands,
        (*ROUTES, *PAGES),
        {"manager": api},
        menu=MENU,
        metrics=lambda: [*api.metrics(), *times.collect()],
        dates=api.dates,
        giving=giving,
        findings=lambda: api_automation.find_problems(api),
    )
