"""A node's share in moving objects: its data connection, beside the connection by which it hears that it is asked.

What asks for bytes comes by the node's own connection, since the other one is open only while something flows. It
changes nothing here, so it goes past the node's loop.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from caroni_edge.config.model import FilesConfig
from caroni_edge.node.dataconnection import WAITING_MAX, DataConnection, Supervise, Surroundings
from caroni_edge.node.directfetches import DirectFetches
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.transfer.effects import FetchId, Told
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.holder import Rights
from caroni_edge.objects.transfer.progress import Moving
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import Unreadable
from caroni_edge.protocol.topics import Asked, Topics
from caroni_edge.protocol.transfers import decode_ask
from caroni_edge.transport.access import Access
from caroni_edge.transport.base import ENDED_BY_US, Arrived, Disconnected, Event, Transport
from caroni_edge.transport.mqtt import MqttTransport

log = logging.getLogger(__name__)

PARTS = "incoming"
"""The directory of what is on its way here, in the state directory. `part/` is cleared at each start; this is not."""


class Transfers:
    """Fetches objects for a node, and gives those that others may have. It begins with `begin`."""

    def __init__(
        self,
        files: ObjectFiles,
        access: Access,
        topics: Topics,
        rights: Rights,
        tell: Callable[[Told, Path | None], None],
        supervise: Supervise,
        bounds: FilesConfig,
        flow: Flow | None = None,
    ) -> None:
        """Prepare.

        Args:
            files: The objects of the node.
            access: How its broker is reached.
            topics: The node's.
            rights: What it may give.
            tell: Is called with what has come and its file, to be taken before `forget`, and with what failed.
            supervise: Runs something in a thread of a name.
            bounds: How much may flow, and when.
            flow: Lets it flow, also what goes other ways; None: as `bounds` has it.
        """
        self._topics, self._supervise = topics, supervise
        self._begun = False

        def connect() -> Transport:
            # Where a login connects twice, who knows a client id can take it over (docs/brokers.md).
            client_id = f"{topics.data_client_id}/{secrets.token_hex(8)}"
            return MqttTransport(access, client_id, clean_session=True, is_further=True, waiting_max=WAITING_MAX)

        parts = files.directory / PARTS
        around = Surroundings(connect, rights, files, parts, tell, bounds)
        self._flow = flow = flow or Flow(bounds.up, bounds.down)
        self._data = DataConnection(topics, around, flow)
        me = Peer(topics.role, topics.node)
        self._direct = DirectFetches(me, parts, bounds, tell, supervise, flow.down, self._data)

    def begin(self, wanted: Iterable[Want] = ()) -> None:
        """Begin with what is wanted from before; part files of anything else are deleted."""
        self._begun = True
        self._data.start(self._supervise, wanted, self._direct.fetch)

    def fetch(self, want: Want) -> None:
        """Fetch an object, or replace the places of one that is on its way."""
        self._direct.fetch(want)

    def forget(self, fetch: FetchId) -> None:
        """Nobody wants an object any more, or it was taken."""
        self._direct.forget(fetch)

    def close(self) -> None:
        """End; what is safe stays for the next start."""
        self._direct.close()
        if self._begun:
            self._data.stop()

    def moving(self) -> Moving:
        """Return what comes and goes."""
        moving, direct = self._data.moving(), self._direct.moving()
        return moving._replace(
            fetches={**moving.fetches, **direct.fetches},
            came_bytes=moving.came_bytes + direct.came_bytes,
            gave_bytes=moving.gave_bytes + self._flow.gave_bytes,
            rate=moving.rate + direct.rate,
        )

    def takes(self, event: Event) -> bool:
        """Take what asks for bytes, as it arrives; return whether it did."""
        if isinstance(event, Disconnected) and event.reason != ENDED_BY_US:
            self._data.own_was_cut_off()
        asked = self._topics.read_objects(event.topic) if isinstance(event, Arrived) else None
        if asked is None:
            return False
        assert isinstance(event, Arrived)
        if isinstance(asked, Asked) and self._begun:
            try:
                self._data.asked(Peer(asked.role, asked.asker), decode_ask(event.topic, event.payload))
            except Unreadable as error:
                log.debug("%s", error, extra={"action": "ask_unreadable"})
        return True
