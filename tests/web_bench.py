"""Nodes behind their APIs, without broker and without loop: commands run at once, on a real database."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from caroni_edge.agent.jobtypes import load_job_types
from caroni_edge.agent.pages import site as agent_site
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.config import Secret, WebConfig, WebUser
from caroni_edge.delivery.events import Events
from caroni_edge.manager.context import Context
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.holding.storage import Storage
from caroni_edge.manager.pages import site as manager_site
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store import Store
from caroni_edge.manager.templates.library import Templates, load_templates
from caroni_edge.node.dispatch import UnknownLetter
from caroni_edge.node.reactor import Forgotten, Notices, UnknownPeer
from caroni_edge.node.store import AuditRows
from caroni_edge.protocol.codec import decode_notice, encode
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import (
    JobOffer,
    JobStatusUpdate,
    OfferAccept,
    Placement,
    Presence,
)
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.storage.database import Database, open_database
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.given import Giving
from caroni_edge.web.nodeview import NodeCommands, NodeView
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import WebServer, start
from tests.configs import manager_config
from tests.outbox import RecordingOutbox
from tests.support import in_thread
from tests.unit.agent.bench import Bench

Result = TypeVar("Result")

TEMPLATES = Path(__file__).parents[1] / "config" / "templates"
TOKEN = "the-token"
PASSWORD = "the password"
DATE = 1_700_000_000.0

WEB = WebConfig(
    host="127.0.0.1",
    port=0,
    username="admin",
    password=Secret(PASSWORD),
    token=Secret(TOKEN),
    users={"viola": WebUser(role="viewer", password=Secret("looks"))},
)


@dataclass
class DirectService:
    """Runs commands at once, as the node's loop would: in a transaction, with `settle` at its end.

    Attributes:
        database: The writing connection.
        settle: Decides at the end of a batch.
        now: The time, which only tests move.
        failure: Raised instead of running anything.
        committed: Does what was decided.
    """

    database: Database
    settle: Callable[[Moment], None]
    now: float = 1000.0
    failure: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    committed: Callable[[], None] = lambda: None

    @property
    def at(self) -> Moment:
        return Moment(self.now, DATE + self.now)

    def call(self, work: Callable[[Moment], Result], timeout_s: float = 10.0) -> Result:
        if self.failure is not None:
            raise self.failure
        with self.lock, self.database.immediate():
            with self.database.savepoint():
                result = work(self.at)
            self.settle(self.at)
        self.committed()
        return result

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        return told(lambda: self.call(work))

    def supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        return in_thread(name, work)


class ManagerBench:
    """A manager's reactor, its views, and agents that are played by the test.

    Attributes:
        problem: What the node says to why it is not ready.
    """

    def __init__(
        self,
        path: Path,
        templates: Templates | None = None,
        seed: str = "bench",
        directory: Path = TEMPLATES,
        **settings: Any,
    ) -> None:
        self.path = path / "state.db"
        self.database = open_database(self.path, "managers")
        self.database.conn.execute("PRAGMA synchronous = OFF")
        self.problem: str | None = None
        self.offers = 0
        self.outbox = RecordingOutbox("a1")
        self.templates = load_templates(directory) if templates is None else templates
        topics, chance = Topics("caroni", "managers", "m1"), SeededChance(seed)
        conn, journal = self.database.conn, self.database.journal
        context = Context(
            has_answered=lambda _agent: True,
            settings=manager_config(templates=directory, **settings),
            topics=topics,
            store=Store(conn),
            outbox=self.outbox,
            notices=Notices(journal),
            events=EventWriter(Events(conn, journal, chance), topics),
            chance=chance,
            silent_for=lambda _agent, _now: 0.0,
            journal=journal,
        )
        self.storage = Storage(path, lambda: self.reactor.settings, lambda _news: None)
        self.storage.make_room = lambda *asked: self.service.call(lambda _at: self.reactor.holdings.make_room(*asked))
        self.reactor = ManagerReactor(context, self.templates, lambda _evaluation: None, self.storage)
        self.service = DirectService(self.database, self.reactor.settle, committed=self.reactor.committed)
        self.service.call(self.reactor.on_start)
        self.readers = Readers(self.path)
        self.plans = Plans()
        node = NodeView("manager", "m1", "1.2.3", "here", lambda: self.problem, lambda: self.problem is None)
        commands = AuditedCommands(self.service, AuditRows(conn))
        self.api = ManagerApi(
            node,
            self.readers,
            commands,
            self.reactor,
            lambda: self.templates,
            self.reload_templates,
            self.plans,
            self.storage,
        )
        in_thread("files", self.storage.work.run)

    def reload_templates(self) -> None:
        """Read the templates of the settings' directory anew."""
        self.templates = load_templates(self.reactor.settings.templates, self.templates)
        self.service.call(lambda _at: self.reactor.take_templates(self.templates))

    # What happens to the manager

    def trigger(self, template: str = "test_simple", workflow: str = "w1", **inputs: Any) -> str:
        trigger = Trigger(template=template, inputs=inputs or {"message": "caronirocks"}, id=workflow)
        return self.service.call(lambda at: self.reactor.start_workflow(trigger, at))[0]

    def see(self, agent: str, *job_types: str, refuses: dict[str, str] | None = None, slots: int = 2) -> None:
        types = {name: JobTypeNotice(inputs={"message": "string"}) for name in job_types}
        notice = Presence(online=True, boot="b", job_types=types, slots=slots, refuses=refuses or {}, host="there")
        self.notice(agent, encode(notice))

    def lose(self, agent: str) -> None:
        self.notice(agent, encode(Presence(online=False, boot="b")))

    def notice(self, agent: str, payload: bytes) -> None:
        """Let an agent say this of itself."""
        said = decode_notice(Presence, agent, payload)
        self.service.call(lambda at: self.reactor.on_presence(agent, said, at))

    def place(self, agent: str, job_type: str, ready: int = 1, waiting: int = 0, *, repeat: bool = True) -> Placement:
        """Let an agent offer for a job type, and return the job that it gets."""
        self.offers += 1
        offer = f"offer{self.offers:06d}"
        self.message(
            agent,
            JobOffer(offer=offer, job_type=job_type, serial=1, ready=ready, waiting=waiting, repeat=repeat),
        )
        _, accepted = self.outbox.sent[-1]
        assert isinstance(accepted, OfferAccept)
        return accepted.jobs[0]

    def status(self, agent: str, job: str, status: Any, **facts: Any) -> None:
        self.service.now += 1
        self.message(agent, JobStatusUpdate(job=job, serial=int(self.service.now), status=status, **facts))

    def bring_log(self, agent: str, job: str, data: bytes, *, end: bool = False) -> None:
        """Let an agent answer the question for the beginning of a log."""
        self.service.call(lambda _at: self.reactor.request_log(job))
        self.message(agent, JobLog(job=job, offset=0, data=data, end=end))

    def message(self, agent: str, message: LinkMessage) -> None:
        self.service.call(lambda at: self.reactor.on_message(agent, message, at))  # type: ignore[arg-type]

    def fail(self, agent: str, job_type: str, reason: str = "its exit status was 3", **facts: Any) -> Placement:
        """Let an agent take a step and fail."""
        self.service.now += 100
        job = self.place(agent, job_type)
        date = DATE + self.service.now
        facts = {"exit_code": 3, "stderr": "no such file", "started": date, "ended": date + 1} | facts
        self.status(agent, job.job, "failed", begun=True, reason=reason, **facts)
        return job

    # What is seen of it

    def views(self) -> AbstractContextManager[ManagerViews]:
        return self.api.look()

    def close(self) -> None:
        self.storage.close()
        self.readers.close()
        with self.service.lock:  # a connection that is closed while a thread uses it ends the process
            self.database.close()


class AgentBench:
    """An agent's reactor behind its API; the test drives it by `bench`."""

    def __init__(self, **settings: Any) -> None:
        self.bench = Bench(**settings)
        self.readers = Snapshots(self.bench.database.conn)
        node = NodeView("agent", "a1", "1.2.3", "here", lambda: None, lambda: True)
        topic = Topics("caroni", "agents", "a1").inbox_of("{manager}")
        commands = AuditedCommands(self, AuditRows(self.bench.database.conn))
        self.api = AgentApi(
            node, self.readers, commands, self.bench.reactor, self._reload_types, self.bench.runner, topic, self._date
        )

    def call(self, work: Callable[[Moment], Result], timeout_s: float = 10.0) -> Result:
        result: Result = self.bench.call(work)
        return result

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        return told(lambda: self.call(work))

    def supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        return in_thread(name, work)

    def _date(self) -> float:
        return self.bench.date

    def _reload_types(self) -> None:
        settings = self.bench.reactor.settings
        types = load_job_types(settings.job_types, self.bench.reactor.job_types)
        self.call(lambda _at: self.bench.reactor.reload(settings, types))


class Snapshots(Readers):
    """Read-only connections to a copy of a database in memory, made for each request."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        super().__init__(Path(":memory:"))
        self._conn = conn

    def commits(self) -> int:
        return self._conn.total_changes

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(":memory:")) as copy:
            self._conn.backup(copy)
            yield copy


class Client(httpx.Client):
    """A client of a node's API, with its token."""

    def __init__(self, server: WebServer, token: str | None = TOKEN) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=server.url, headers=headers, trust_env=False, verify=False, timeout=60)


def metrics_of(client: httpx.Client) -> dict[str, float]:
    """Return the metrics of a node: values by names with their labels, as they stand in the text."""
    text = client.get("/metrics").text
    return {
        name: float(value) for line in text.splitlines() if line[:1] != "#" for name, value in [line.rsplit(" ", 1)]
    }


def _knows_no_peer(peer: str) -> Forgotten:
    raise UnknownPeer("", node="this bench", peer=peer)


def _knows_no_letter(letter: int) -> None:
    raise UnknownLetter("", number=letter)


ALONE = NodeCommands(forget=_knows_no_peer, retry_letter=_knows_no_letter, drop_letter=_knows_no_letter)
"""What may be done to a bench that has no node: it knows no peers, and has handled all messages."""


def serve_manager(bench: ManagerBench, path: Path, web: WebConfig | None = WEB) -> WebServer:
    """Serve the manager of a bench."""
    return start(web, path, lambda: replace(manager_site.make_site(bench.api, path), over_node=ALONE), bench.service)


def serve_agent(bench: AgentBench, path: Path, web: WebConfig = WEB, giving: Giving | None = None) -> WebServer:
    """Serve the agent of a bench."""
    return start(web, path, lambda: replace(agent_site.make_site(bench.api, path, giving), over_node=ALONE), bench)


def told(work: Callable[[], Any]) -> "Future[Any]":
    """Run `work` at once, and return its result as one that comes later."""
    done: Future[Any] = Future()
    try:
        done.set_result(work())
    except Exception as error:  # noqa: BLE001 - as the node's loop does
        done.set_exception(error)
    return done
