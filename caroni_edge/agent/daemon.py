"""The agent's daemon: starts, serves until it is told to stop, and closes what it has opened. Its jobs go on."""

import shutil
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from caroni_edge.agent.boxes.host import find_boxes
from caroni_edge.agent.boxes.view import Hidden, hidden
from caroni_edge.agent.fitness import why_not_here
from caroni_edge.agent.jobs.unsaid import SAY_RUNNING_AFTER_S
from caroni_edge.agent.jobtypes import JobType, JobTypes, load_job_types
from caroni_edge.agent.keeper.places import be_private
from caroni_edge.agent.processes.port import JobNews, TakenOver
from caroni_edge.agent.processes.runner import Runner
from caroni_edge.agent.reactor import AgentParts, AgentReactor
from caroni_edge.agent.secrets import files_of
from caroni_edge.agent.store import Store
from caroni_edge.base.moment import Moment
from caroni_edge.config import AgentConfig, load_agent
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.node.bucket import Bucket, owner_of
from caroni_edge.node.bucketwork import RETURNING, BucketWork
from caroni_edge.node.daemon import Daemon, say_errors
from caroni_edge.node.locationfetches import LOCATED, LocationFetches
from caroni_edge.node.node import Node
from caroni_edge.node.startup import connect, open_node, open_transfers, watch_disk
from caroni_edge.node.transfers import Transfers
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.nodeview import NodeView
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import serve_node

if TYPE_CHECKING:
    from caroni_edge.web.site import Site

NOT_TAKEN_OVER = "the keeper has not said yet which jobs run"


class AgentDaemon(Daemon[AgentConfig]):
    """An agent as a process."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Read the configuration (see `Daemon`)."""
        super().__init__(path, environ, load_agent)

    def open(self, opened: ExitStack) -> Node:
        """Put the agent together with its runner, and let it connect."""
        config = self.config
        node = self._node = open_node(config, opened, access=self.access)
        taken_over: Future[None] = Future()
        be_private()
        view = secrets_of(config, load_job_types(config.job_types), self.environ)
        self._runner = runner = Runner(
            config.state_dir,
            config.id,
            self._on_news,
            lambda found: self._on_taken_over(found, taken_over),
            boxes=find_boxes(view, self.environ),
            min_free_bytes=config.disk_floor_bytes,
        )
        types = self._load_types(config)
        self._reactor = make_reactor(node, config, types, runner)
        node.attach(self._reactor)
        node.checks.append(lambda: runner.trouble or (None if self._reactor.is_taken_over else NOT_TAKEN_OVER))
        self._use_bucket(config, runner, opened)
        files, flow = runner.files.store, Flow(config.files.up, config.files.down)
        web = serve_node(config, node, self.service, partial(self._site, config, files, flow))
        self._web = opened.enter_context(web)
        self.service.supervise("runner", runner.run)
        self.service.supervise("trash", runner.empty_trash)
        self.service.supervise("files", runner.work_on_files)
        opened.callback(runner.close)
        transfers = open_transfers(
            config, node, self.service, opened, self.access, files, runner.fetches.told, flow=flow
        )
        runner.fetches.bringer = transfers
        runner.fetches.locator = locator = LocationFetches(
            config.state_dir / LOCATED,
            config.files,
            runner.fetches.located,
            self.service.supervise,
            lambda: self._room_bytes(transfers),
            flow.down,
        )
        opened.callback(locator.close)
        watch_disk(self.service, config.state_dir, opened, self._reactor.on_disk)
        connect(node, self.service, opened, when=taken_over, transfers=transfers)
        return node

    def _site(
        self,
        config: AgentConfig,
        files: ObjectFiles,
        flow: Flow,
        view: NodeView,
        readers: Readers,
        commands: AuditedCommands,
    ) -> "Site":
        """Return what is served; loaded when somebody asks, with the configuration of the start."""
        from caroni_edge.agent.pages.api import AgentApi  # noqa: PLC0415
        from caroni_edge.agent.pages.site import make_site  # noqa: PLC0415
        from caroni_edge.web.given import giving  # noqa: PLC0415

        reply_topic = self._node.topics.inbox_of("{manager}")
        api = AgentApi(view, readers, commands, self._reactor, self._reload_types, self._runner, reply_topic)
        return make_site(api, config.state_dir, giving(config, readers, files, flow))

    def _use_bucket(self, config: AgentConfig, runner: Runner, opened: ExitStack) -> None:
        """Let what a depot keeps lie in its bucket, where it has one."""
        if config.files.bucket is None:
            return
        bucket = Bucket(config.files.bucket, owner_of(config))
        runner.bucket = work = BucketWork(
            bucket, runner.files, config.state_dir / RETURNING, self._on_news, config.disk_floor_bytes
        )
        work.start(self.service.supervise)
        opened.callback(work.close)

    def apply_config(self, config: AgentConfig) -> None:
        """Take over job types and settings."""
        types = self._load_types(config, self._reactor.job_types)
        self.service.tell(lambda _at: self._reactor.reload(config, types))

    def _room_bytes(self, transfers: Transfers) -> float:
        """Return how many bytes may come from addresses: room is kept for what comes from other nodes."""
        free_bytes = shutil.disk_usage(self.config.state_dir).free - self.config.disk_floor_bytes
        return free_bytes - sum(each.left_bytes for each in transfers.moving().fetches.values())

    def _reload_types(self) -> None:
        """Read the job types anew, and nothing else; for any thread. It returns when they are in force.

        Raises:
            CaroniError: Their directory cannot be read, or the node is busy; nothing has changed then.
        """

        def take(_at: Moment) -> None:
            settings = self._reactor.settings
            self._reactor.reload(settings, self._load_types(settings, self._reactor.job_types))

        self.service.call(take)

    def _load_types(self, config: AgentConfig, before: JobTypes | None = None) -> JobTypes:
        """Read the job types, and say what is wrong with them; one that cannot be boxed as it must be is left out."""
        types = load_job_types(config.job_types, before)
        self._runner.hide(secrets_of(config, types, self.environ))
        return say_errors("job type", types.only(lambda each: self._why_not(config, each)))

    def _why_not(self, config: AgentConfig, job_type: JobType) -> str:
        return why_not_here(job_type, config, self.environ.get(CREDENTIALS), self._runner.able)

    def _on_taken_over(self, found: TakenOver, taken_over: "Future[None]") -> None:
        """Let the agent connect when it has committed what its keeper knows: it says nothing before."""
        done = self.service.tell(lambda at: self._reactor.on_taken_over(found, at))
        done.add_done_callback(lambda done: None if done.exception() else taken_over.set_result(None))

    def _on_news(self, news: JobNews) -> None:
        self.service.tell(lambda at: self._reactor.on_news(news, at))


def secrets_of(config: AgentConfig, types: JobTypes, environ: Mapping[str, str]) -> Hidden:
    """Return what boxes are to hide: the agent's own files, and those that hold secrets of jobs."""
    of_jobs = [path for each in types.loaded.values() for path in files_of(each.secrets)]
    files = (config.path.absolute(), *config.secret_files, *of_jobs)
    return hidden(config.state_dir.absolute(), files, environ.get(CREDENTIALS))


def idle_node(config: AgentConfig, opened: ExitStack) -> Node:
    """Return an agent's node that neither serves nor connects, for a command on its database. It starts no job."""
    node = open_node(config, opened)
    runner = Runner(config.state_dir, config.id, lambda _ended: None, lambda _found: None)
    node.attach(make_reactor(node, config, load_job_types(config.job_types), runner))
    return node


def make_reactor(node: Node, config: AgentConfig, types: JobTypes, runner: Runner) -> AgentReactor:
    """Put an agent's reactor together on a node."""
    parts = AgentParts(
        settings=config,
        types=types,
        topics=node.topics,
        store=Store(node.database.conn, node.database.journal),
        outbox=node.links,
        chance=node.chance,
        runner=runner,
        journal=node.database.journal,
        say_running_after_s=SAY_RUNNING_AFTER_S,
    )
    return AgentReactor(parts)
