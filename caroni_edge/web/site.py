"""What a role gives to the machinery that serves its pages and its API."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caroni_edge.base.measures import LoopMeasures
from caroni_edge.config import Network, NodeConfig
from caroni_edge.doctor.clock import Dates
from caroni_edge.doctor.findings import Finding
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.given import Giving
from caroni_edge.web.metrics import Measured
from caroni_edge.web.nodeview import NodeCommands, NodeView
from caroni_edge.web.readers import Readers
from caroni_edge.web.templating import MenuItem


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
