"""How both daemons begin: log, lock the state directory, open the database, make the node with its connection."""

import fcntl
import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

from caroni_edge import __version__
from caroni_edge.base import logs, private
from caroni_edge.base.chance import SystemChance
from caroni_edge.base.errors import CaroniError
from caroni_edge.config import NodeConfig
from caroni_edge.node.node import ASK_OPEN_PEERS_EVERY_S, Node, NodeParts
from caroni_edge.node.service import Service
from caroni_edge.node.transfers import Transfers
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.store.rights import StoredRights
from caroni_edge.objects.transfer.effects import Told
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.topics import Topics
from caroni_edge.storage.database import open_database, open_reader
from caroni_edge.transport.access import Access
from caroni_edge.transport.base import Event, Transport, Will
from caroni_edge.transport.mqtt import MqttTransport

log = logging.getLogger(__name__)

DATABASE = "state.db"
LOCK = "lock"
LOOK_AT_DISK_S = 10.0
LEAVE_WITHIN_S = 5.0


class AlreadyRunning(CaroniError):
    """Another process uses this state directory."""

    hint = "Stop it first, or give this node a state_dir of its own."
    exit_status = 2


class StateDirUnusable(CaroniError):
    """The state directory cannot be used: {reason}."""

    hint = "Make it writable for the user that runs the node, or set another state_dir."
    exit_status = 2


def open_node(
    config: NodeConfig,
    opened: ExitStack,
    ask_every_s: float = ASK_OPEN_PEERS_EVERY_S,
    access: Access | None = None,
    transport: Transport | None = None,
) -> Node:
    """Make a node that is ready to get its reactor.

    Args:
        config: Its configuration.
        opened: Closes what is opened here.
        ask_every_s: How often it asks peers with open business.
        access: How its broker is reached, where that may change.
        transport: Its connection, where that is not to the broker of its configuration.

    Raises:
        CaroniError: The state directory, the database or a certificate cannot be used.
    """
    logs.setup(config.name, config.log.format, config.log.level)
    _lock(config.state_dir, opened)
    database = open_database(config.state_dir / DATABASE, config.role)
    opened.callback(database.close)
    topics = Topics(config.topic_root, config.role, config.id)
    transport = transport or MqttTransport(access or Access(config.broker), topics.client_id)
    host, chance = socket.gethostname(), SystemChance()
    node = Node(NodeParts(topics, database, transport, chance, __version__, host, ask_every_s, config.forget_after_s))
    transport.will = Will(topics.presence, encode(node.will))
    facts = {"action": "starting", "version": __version__, "pid": os.getpid(), "boot": node.identity.boot}
    log.info("starting, broker %s, state in %s", config.broker.url, config.state_dir, extra=facts)
    return node


def connect(
    node: Node,
    service: Service,
    opened: ExitStack,
    when: "Future[None] | None" = None,
    transfers: Transfers | None = None,
) -> None:
    """Begin to connect, at once or when `when` is done; at the end say that the node leaves, and wait for the rest.

    What asks for bytes of objects goes to `transfers`, all else to the node's loop.
    """

    def deliver(event: Event) -> None:
        if transfers is None or not transfers.takes(event):
            service.deliver(event)

    def leave() -> None:
        node.say_goodbye()
        node.transport.stop(LEAVE_WITHIN_S)
        log.info("stopped", extra={"action": "stopped"})

    opened.callback(leave)
    if when is None:
        node.transport.start(deliver)
    else:
        when.add_done_callback(lambda _: node.transport.start(deliver))


def watch_disk(service: Service, state_dir: Path, opened: ExitStack, tell: Callable[[int, int], None]) -> None:
    """Tell the reactor now and then how many bytes are free where the state is, and how many the disk has."""
    ended = threading.Event()

    def look() -> "Future[None]":
        disk = shutil.disk_usage(state_dir)
        return service.tell(lambda _at: tell(disk.free, disk.total))

    def watch() -> None:
        told = look()
        while not ended.wait(LOOK_AT_DISK_S):
            if told.done():  # a database that cannot be written holds it up
                told = look()

    service.supervise("disk", watch)
    opened.callback(ended.set)


def open_transfers(
    config: NodeConfig,
    node: Node,
    service: Service,
    opened: ExitStack,
    access: Access,
    files: ObjectFiles,
    tell: Callable[[Told, Path | None], None],
    peer_of: Callable[[str], str] = str,
    flow: Flow | None = None,
) -> Transfers:
    """Prepare what fetches objects for a node and gives them (`peer_of`: see `StoredRights`, all else: `Transfers`)."""
    reader = open_reader(config.state_dir / DATABASE)
    opened.callback(reader.close)
    rights = StoredRights(reader, peer_of)
    transfers = Transfers(files, access, node.topics, rights, tell, service.supervise, config.files, flow)
    opened.callback(transfers.close)
    node.gives_objects = True
    return transfers


def _lock(state_dir: Path, opened: ExitStack) -> None:
    try:
        state_dir.mkdir(private.DIRECTORY_MODE, parents=True, exist_ok=True)
        handle = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private.FILE_MODE)
        opened.callback(os.close, handle)
    except OSError as error:
        raise StateDirUnusable(str(state_dir), reason=error.strerror or error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning(str(state_dir)) from None
    private.narrow(state_dir)
