"""Lies about bytes: one with a stolen login gives other bytes than it is asked for, and asks for what is not for it."""

from random import Random

from caroni_edge.objects.transfer.pieces import chunks_of
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.protocol.transfers import (
    CHUNK_MIN,
    TRANSFER_VERSION,
    Ask,
    Data,
    No,
    decode_ask,
    encode_data,
)
from caroni_edge.values.carried import objects_in
from tests.simulation.carrier import Carrier
from tests.simulation.lies import Known

ASKS = 0.3
"""So often it asks for something when it lies."""


class LyingStore:
    """The data connection of one that lies.

    Attributes:
        peer: Its role and id.
        connection: Number of its connection; 0 for none.
    """

    def __init__(self, peer: Peer, carrier: Carrier, chance: Random, known: Known) -> None:
        """Lie by what is `known`."""
        self.peer, self._carrier, self._chance, self._known = peer, carrier, chance, known
        self.connection = 0
        self._numbers = 0
        carrier.add(self)

    def connect(self) -> None:
        """Begin another connection."""
        self.connection = self._carrier.new_connection()

    def hear(self, sender: Peer, payload: bytes) -> None:
        """Answer what is asked for by anything."""
        try:
            ask = decode_ask("", payload)
        except Unreadable:
            return
        for piece in chunks_of(ask.ranges, ask.chunk):
            match self._chance.choice(("bytes", "bytes", "short", "elsewhere", "chunk", "unknown", "")):
                case "bytes":
                    said = encode_data(Data(ask.transfer, piece.offset, bytes(piece.length)))
                case "short":
                    said = encode_data(Data(ask.transfer, piece.offset, b"x"))
                case "elsewhere":
                    said = encode_data(Data(ask.transfer, piece.offset + 1, bytes(piece.length)))
                case "chunk":
                    said = encode(No(v=TRANSFER_VERSION, transfer=ask.transfer, reason="chunk", chunk=CHUNK_MIN))
                case "unknown" if self._chance.random() < 0.1:
                    said = encode(No(v=TRANSFER_VERSION, transfer=ask.transfer, reason="unknown"))
                case _:
                    return
            self._carrier.say(self, sender, said)

    def ask(self) -> None:
        """Ask an honest agent for something, now and then: with a ticket for something else, or with none."""
        names = [name for job in self._known.jobs for name in objects_in(job.inputs)]
        if not names or self._chance.random() >= ASKS:
            return
        job = self._chance.choice(self._known.jobs)
        manager, workflow = self._chance.choice(self._known.managers or ["m0"]), job.workflow
        holder = f"agents/{self._chance.choice(self._known.agents or ['a0'])}"
        place = ObjectPlace(holder=holder, generation=1, ticket="0" * 64)
        if self._known.tickets and self._chance.random() < 0.7:
            manager, workflow, place = self._chance.choice(self._known.tickets)
        self.ask_for(self._chance.choice(names), manager, workflow, place)

    def ask_for(self, name: str, manager: str, workflow: str, place: ObjectPlace) -> None:
        """Ask for an object."""
        self._numbers += 1
        ask = Ask(
            v=TRANSFER_VERSION,
            transfer=self._numbers,
            manager=manager,
            workflow=workflow,
            generation=place.generation,
            object=name,
            ticket=place.ticket,
            ranges=((0, self._chance.choice((1, 10_000))),),
            chunk=CHUNK_MIN,
            part=self._chance.choice(("bytes", "bytes", "blocks")),
        )
        role, _, node = place.holder.partition("/")
        self._carrier.say(self, Peer(role, node), encode(ask))
