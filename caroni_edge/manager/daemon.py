"""The manager's daemon: starts, serves until it is told to stop, and closes what it has opened."""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from caroni_edge.base.moment import Moment
from caroni_edge.config import ManagerConfig, load_manager
from caroni_edge.manager.context import Context
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.holding.listreader import ListReader
from caroni_edge.manager.holding.port import NO_STORE, Storekeeper, StoreNews
from caroni_edge.manager.holding.storage import Storage
from caroni_edge.manager.listening.threads import Listening
from caroni_edge.manager.notifications.couriers import Couriers
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.questions import Questions
from caroni_edge.manager.questions.desk import Desk
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store import Store
from caroni_edge.manager.templates.library import Templates, load_templates
from caroni_edge.manager.workflows.evaluations import Ask
from caroni_edge.manager.workflows.evaluator import Evaluator
from caroni_edge.manager.workflows.listreading import AskList, no_lists
from caroni_edge.node.daemon import Daemon, say_errors
from caroni_edge.node.node import ASK_OPEN_PEERS_EVERY_S, Node
from caroni_edge.node.startup import connect, open_node, open_transfers, watch_disk
from caroni_edge.node.store import FactRows
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.transport.mqtt import MqttTransport
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.nodeview import NodeView
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import WebServer, serve_node

if TYPE_CHECKING:
    from caroni_edge.web.site import Site


class ManagerDaemon(Daemon[ManagerConfig]):
    """A workflow manager as a process."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Read the configuration (see `Daemon`)."""
        super().__init__(path, environ, load_manager)

    def open(self, opened: ExitStack) -> Node:
        """Put the manager together, and let it connect."""
        config = self.config
        node = self._node = open_node(config, opened, ask_every_s(config), self.access)
        self._templates = say_errors("template", load_templates(config.templates, None, config.roots))
        storage = Storage(config.state_dir, lambda: self._reactor.settings, self._on_files)
        storage.make_room = self._make_room
        evaluator = Evaluator(
            lambda outcome: self.service.tell(lambda at: self._reactor.on_evaluated(outcome, at)), storage.read
        )
        lists = ListReader(storage, lambda items: self.service.tell(lambda at: self._reactor.on_items(items, at)))
        self._reactor = make_reactor(node, config, self._templates, evaluator.ask, storage, lists.ask)
        node.attach(self._reactor)
        self.service.supervise("files", storage.work.run)
        opened.callback(storage.close)
        flow = Flow(config.files.up, config.files.down)
        serving = serve_node(config, node, self.service, partial(self._site, config, storage, flow))
        web = self._web = opened.enter_context(serving)
        node.dispatch.on_question = self._questions(web).take
        self.service.supervise("evaluator", evaluator.run)
        opened.callback(evaluator.close)
        self.service.supervise("lists", lists.run)
        opened.callback(lists.close)
        watch_disk(self.service, config.state_dir, opened, self._on_disk)
        self._listen(node, opened)
        self._tell_outside(opened)
        transfers = open_transfers(
            config,
            node,
            self.service,
            opened,
            self.access,
            storage.work.store,
            storage.arrivals.told,
            lambda _manager: node.topics.name,
            flow,
        )
        storage.arrivals.bringer = transfers
        connect(node, self.service, opened, transfers=transfers)
        return node

    def _site(
        self,
        config: ManagerConfig,
        storage: Storage,
        flow: Flow,
        view: NodeView,
        readers: Readers,
        commands: AuditedCommands,
    ) -> "Site":
        """Return what is served; loaded when somebody asks, with the configuration of the start."""
        from caroni_edge.manager.pages.api import ManagerApi  # noqa: PLC0415
        from caroni_edge.manager.pages.site import make_site  # noqa: PLC0415
        from caroni_edge.web.given import giving  # noqa: PLC0415

        reactor, name = self._reactor, self._node.topics.name
        reload = self._reload_templates
        api = ManagerApi(view, readers, commands, reactor, lambda: self._templates, reload, Plans(), storage)
        given = giving(config, readers, storage.work.store, flow, lambda _manager: name)
        return make_site(api, config.state_dir, given)

    def _questions(self, web: WebServer) -> Questions:
        """Return what has questions answered that people ask over the broker."""
        node, reactor = self._node, self._reactor

        def say(person: str, reply: str, payload: bytes) -> None:
            node.connection.answer(node.topics.reply_to(person, reply), payload)

        return Questions(Desk(lambda: reactor.settings.people, web.has_token), web, self.service, say)

    def _listen(self, node: Node, opened: ExitStack) -> None:
        """Have a session of its own for the messages that rules look at."""
        transport = MqttTransport(self.access, listening_client_id(node), is_further=True)
        self._listening = Listening(transport, self._reactor, self.service, opened)
        node.checks.append(self._listening.problem)
        self._listening.use(self.config.rules)

    def _tell_outside(self, opened: ExitStack) -> None:
        """Have notifications handed over to those whom `notify` names."""
        self._couriers = Couriers(self._reactor, self.service)
        self._reactor.notifications.wake = self._couriers.wake
        opened.callback(self._couriers.close)
        self._couriers.use(self.config.notify)

    def apply_config(self, config: ManagerConfig) -> None:
        """Take over templates and settings."""
        self._templates = say_errors("template", load_templates(config.templates, self._templates, config.roots))
        self._node.ask_every_s = ask_every_s(config)
        self._reactor.reload(config, self._templates)
        self._listening.use(config.rules)
        self._couriers.use(config.notify)

    def reconnect(self) -> None:
        """Connect anew, with both sessions."""
        super().reconnect()
        self._listening.reconnect()

    def _reload_templates(self) -> None:
        """Read the templates anew, and nothing else; for any thread. It returns when they are in force.

        Raises:
            CaroniError: Their directory cannot be read, or the node is busy; nothing has changed then.
        """
        before, settings = self._templates, self._reactor.settings
        found = load_templates(settings.templates, before, settings.roots)  # here, since it may take a while

        def take(_at: Moment) -> None:
            is_stale = self._templates is not before
            templates = load_templates(settings.templates, self._templates, settings.roots) if is_stale else found
            self._templates = say_errors("template", templates)
            self._reactor.take_templates(self._templates)

        self.service.call(take)

    def _on_files(self, news: StoreNews) -> None:
        """Take what there is to know of objects on disk; for any thread."""
        self.service.tell(lambda at: self._reactor.on_files(news, at))

    def _make_room(self, size: int, lacking: int, most: int) -> str | None:
        return self.service.call(lambda _at: self._reactor.holdings.make_room(size, lacking, most))

    def _on_disk(self, free_bytes: int, _disk_bytes: int) -> None:
        floor = self.config.disk_floor_bytes
        low = f"{free_bytes} bytes are free on the manager's disk, and disk_floor is {floor}"
        self._reactor.set_disk_problem(low if free_bytes < floor else None)
        self._reactor.holdings.on_disk(free_bytes)


def listening_client_id(node: Node) -> str:
    """Return the client id of the session that triggers have.

    Where a login may connect more than once, who knows a client id takes over its session (docs/brokers.md). So it ends
    in what the database alone holds: as long as that lasts, the session is found again.
    """
    facts = FactRows(node.database.conn)
    with node.database.immediate():
        if not facts.session_secret():
            facts.keep_session_secret(secrets.token_hex(16))
        return f"{node.topics.rules_client_id}/{facts.session_secret()}"


def idle_node(config: ManagerConfig, opened: ExitStack) -> Node:
    """Return a manager's node that neither serves nor connects, for a command on its database. No JavaScript runs."""
    node = open_node(config, opened)
    templates = load_templates(config.templates, None, config.roots)
    node.attach(make_reactor(node, config, templates, lambda _evaluation: None))
    return node


def ask_every_s(config: ManagerConfig) -> float:
    """Return how often agents with jobs are asked what they have: often enough to notice that one is silent."""
    return min(ASK_OPEN_PEERS_EVERY_S, inf if config.lost_after_s is None else config.lost_after_s / 3)


def make_reactor(
    node: Node,
    config: ManagerConfig,
    templates: Templates,
    ask: Ask,
    storekeeper: Storekeeper = NO_STORE,
    ask_list: AskList = no_lists,
) -> ManagerReactor:
    """Put a manager's reactor together on a node (`ask`, `storekeeper`, `ask_list`: see there)."""
    context = Context(
        settings=config,
        topics=node.topics,
        store=Store(node.database.conn),
        outbox=node.links,
        notices=node.notices,
        events=EventWriter(node.events, node.topics, config.reply_to),
        chance=node.chance,
        silent_for=node.silent_for,
        has_answered=node.links.has_answered,
        journal=node.database.journal,
        connected_for=node.connected_for,
    )
    return ManagerReactor(context, templates, ask, storekeeper, ask_list)
