"""A real node behind its API, alone: what people do to it goes through its batches."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from caroni_edge.base.measures import LoopMeasures
from caroni_edge.base.moment import Moment
from caroni_edge.config import NodeConfig, WebConfig
from caroni_edge.node.calls import Call
from caroni_edge.node.store import AuditRows
from caroni_edge.storage.database import open_database
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.nodeview import NodeCommands, NodeView
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import WebServer, start
from caroni_edge.web.site import Site
from tests.configs import manager_config
from tests.support import WITHIN_S, in_thread
from tests.unit.node.bench import NodeBench
from tests.web_bench import WEB

Result = TypeVar("Result")


class ServedNode(NodeBench):
    """Manager m1's node on a real database, whose batches run when somebody asks for something.

    Attributes:
        config: What is in force; a test may change it, as SIGHUP does.
        loop: What its loop is said to have done.
    """

    def __init__(self, directory: Path, config: NodeConfig | None = None) -> None:
        self.directory = directory
        self.config = config or manager_config(state_dir=directory, web=WEB)
        self._lock = threading.Lock()
        self.path = directory / "state.db"
        super().__init__(open_database(self.path, "managers"))
        self.database.conn.commit()
        self.connect()
        self.readers = Readers(self.path)
        self.loop = LoopMeasures()

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        call = Call(work, keep=keep)
        with self._lock:
            self.inbox.append(call)
            self.run()
        return call.done

    def call(self, work: Callable[[Moment], Result], timeout_s: float = WITHIN_S) -> Result:
        result: Result = self.tell(work).result(timeout_s)
        return result

    def supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        return in_thread(name, work)

    def site(self) -> Site:
        """Return what is served of a node that has no role."""
        commands = AuditedCommands(self, AuditRows(self.database.conn))
        return Site(
            NodeView.of(self.node),
            self.readers,
            self.directory,
            lambda: self.config,
            commands,
            routes=(),
            over_node=NodeCommands.of(self.node, commands),
            loop=self.loop,
        )

    def serve(self, web: WebConfig | None = WEB) -> WebServer:
        return start(web, self.directory, self.site, self)

    def close(self) -> None:
        self.readers.close()
        with self._lock:
            self.database.close()
