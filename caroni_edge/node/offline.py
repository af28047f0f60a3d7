"""What is done to a node whose daemon is stopped: on its database, under its lock, and on its own connection."""

from queue import Empty, SimpleQueue
from time import monotonic

from caroni_edge.node.node import Node
from caroni_edge.node.reactor import Forgotten
from caroni_edge.node.service import now
from caroni_edge.node.store import THE_HOST, AuditRows
from caroni_edge.protocol.topics import OTHER
from caroni_edge.transport.base import Connected, Disconnected, Event, Published, TransportEnded

CLEAR_WITHIN_S = 5.0
LEAVE_WITHIN_S = 2.0


def forget(node: Node, peer: str) -> tuple[Forgotten, str | None]:
    """Forget a peer; return what was deleted, and why the broker could not be asked to do so too, None if it was.

    Raises:
        UnknownPeer: There is nothing to forget.
        StorageFailed: The database cannot be used.
    """
    at = now()
    with node.database.immediate():
        node.links.begin(at.now)
        gone = node.forgetting.forget_known(peer, at)
        named = f"{OTHER[node.topics.role]}/{peer}"
        AuditRows(node.database.conn).add(
            date=at.date, who=THE_HOST, address="", action="forget", about={"peer": named}
        )
        node.links.set_timers()
    node.notices.take()
    return gone, _clear(node, gone.retained)


def _clear(node: Node, topics: tuple[str, ...]) -> str | None:
    """Clear what is retained on these topics. Other messages of our session are not acknowledged: the daemon gets them.

    Returns:
        Why the broker could not be asked to; None when it has.
    """
    heard: SimpleQueue[Event] = SimpleQueue()
    transport = node.transport
    transport.will = None
    transport.start(heard.put)
    try:
        give_up_at = monotonic() + CLEAR_WITHIN_S
        open_tokens: set[int] | None = None
        while open_tokens is None or open_tokens:
            match heard.get(timeout=max(0.0, give_up_at - monotonic())):
                case Connected():
                    tokens = [transport.publish(topic, b"", qos=1, retain=True) for topic in topics]
                    open_tokens = {token for token in tokens if token}
                case Published(token=token) if open_tokens is not None:
                    open_tokens.discard(token)
                case Disconnected(reason=reason) | TransportEnded(failure=reason):
                    return reason
                case _:
                    pass
    except Empty:
        return f"the broker did not answer within {CLEAR_WITHIN_S:g} s"
    finally:
        transport.stop(LEAVE_WITHIN_S)
    return None
