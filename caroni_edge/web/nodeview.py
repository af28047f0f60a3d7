"""The node itself, as those see it who serve it: what is to be said of it, and what people may do to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from socket import gethostname
from time import monotonic, time
from typing import Any, Literal, Protocol

from caroni_edge import __version__
from caroni_edge.node.node import Node
from caroni_edge.node.reactor import Forgotten
from caroni_edge.web.audit import AuditedCommands


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
