"""What a role gives to the machinery that serves its pages and its API."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from time import monotonic, time
from typing import Any, Literal, Protocol

from caroni_edge import __version__
from caroni_edge.base.measures import LoopMeasures
from caroni_edge.config import Network, NodeConfig
from caroni_edge.doctor.clock import Dates
from caroni_edge.doctor.findings import Finding
from caroni_edge.node.node import Node
from caroni_edge.node.reactor import Forgotten
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.given import Giving
from caroni_edge.web.metrics import Measured
from caroni_edge.web.readers import Readers
from caroni_edge.web.templating import MenuItem


class Supervisor(Protocol):
    """Runs a thread whose failure ends the daemon (`caroni_edge.node.service.Service`)."""

    def supervise(self, name: str, work: Callable[[], None]) -> Any:
        """Run `work` in a thread of this name, and return the thread."""


@dataclass(frozen=True)
class NodeView:
    """What pages and API say of the node itself.

    Attributes:
        role: `manager` or `agent`.
        id: Its id.
        version: Of the program.
        host: Where it runs.
        why_not_ready: Returns why it cannot work now, for people; None when it can.
        connected: Tells whether the broker is connected.
        unanswered_s: Returns for how long a question to a peer is open while we are connected.
        started: When the process began, in Unix seconds.
    """

    role: Literal["manager", "agent"]
    id: str
    version: str
    host: str
    why_not_ready: Callable[[], str | None]
    connected: Callable[[], bool]
    unanswered_s: Callable[[str], float] = lambda _peer: 0.0
    started: float = field(default_factory=time)

    @classmethod
    def of(cls, node: Node) -> "NodeView":
        """Return what there is to say of a node, now and later."""
        return cls(
            role="manager" if node.topics.role == "managers" else "agent",
            id=node.topics.node,
            version=__version__,
            host=gethostname(),
            why_not_ready=node.why_not_ready,
            connected=lambda: node.connection.connected,
            unanswered_s=lambda peer: node.silent_for(peer, monotonic()),
        )


@dataclass(frozen=True)
class NodeCommands:
    """What people may do to a node itself; all of it runs in the node's thread.

    Attributes:
        forget: Forgets a peer, by its id.
        retry_letter: Handles a dead letter again, by its number.
        drop_letter: Deletes one.
    """

    forget: Callable[[str], Forgotten]
    retry_letter: Callable[[int], None]
    drop_letter: Callable[[int], None]

    @classmethod
    def of(cls, node: Node, commands: AuditedCommands) -> "NodeCommands":
        """Return what may be done to `node`."""
        return cls(
            forget=lambda peer: commands.call(lambda at: node.forgetting.forget_known(peer, at)),
            retry_letter=lambda letter: commands.call(lambda at: node.dispatch.retry(letter, at)),
            drop_letter=lambda letter: commands.call(lambda _at: node.dispatch.drop(letter)),
        )


@dataclass(frozen=True)
class Site:
    """What a role gives to the server: its routes, what their handlers work with, and its metrics.

    Attributes:
        node: The node that is served.
        readers: Connections to its database.
        state_dir: Where made passwords and tokens are kept.
        config: Returns the configuration that is in force now.
        commands: Runs changes in the node's thread, and notes who wanted them.
        routes: Controllers and handlers of the role: its pages and its API.
        given: What handlers may ask for by the name of a parameter.
        menu: The role's pages, for the bar on top.
        metrics: Returns the metrics of the role.
        loop: What the node's loop has done.
        findings: Returns what the role alone knows of its health.
        dates: Returns what the role has written down that tells whether clocks are right.
        giving: What gives objects straight to other nodes; None where that is not wanted.
        over_node: What people may do to the node itself.
    """

    node: NodeView
    readers: Readers
    state_dir: Path
    config: Callable[[], NodeConfig]
    commands: AuditedCommands
    routes: Sequence[Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    menu: Sequence[MenuItem] = ()
    metrics: Callable[[], Iterable[Measured]] = tuple
    loop: LoopMeasures = field(default_factory=LoopMeasures)
    dates: Callable[[], Dates] = Dates
    findings: Callable[[], Iterable[Finding]] = tuple
    giving: Giving | None = None
    over_node: NodeCommands | None = None

    @property
    def trusted_proxies(self) -> Sequence[Network]:
        """Who is believed where a request came from."""
        web = self.config().web
        return web.trusted_proxies if web else ()

    @property
    def node_commands(self) -> NodeCommands:
        """What people may do to the node itself."""
        assert self.over_node is not None
        return self.over_node

    @property
    def may_edit(self) -> bool:
        """Whether pages and API may change files, by the configuration that is in force now."""
        web = self.config().web
        return web is None or web.edit
