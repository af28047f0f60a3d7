"""Gives the files of a workflow to the manager that it is submitted to, over the broker, for as long as that lacks any.

A `Holder` as nodes have it, for one workflow and one asker: whoever else asks has no ticket.
"""

import os
import secrets
import threading
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from time import monotonic

from msgspec.structs import replace

from caroni_edge.base.chance import SystemChance
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import HolderEffect, MakeList, SayData, SayNo
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.partfiles import block_list
from caroni_edge.objects.transfer.tickets import KEY_BYTES, Key, Keys, Peer, make_ticket
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import Data, decode_ask, encode_data
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.base import Transport
from caroni_edge.values.carried import objects_in

GENERATION = 1
WAITING_MAX = 16
"""So many chunks may wait for the network: a trigger that is sent again must not wait long behind them."""

Files = Mapping[Object, Path | bytes]
"""What is given, and where it is; of a directory the list itself."""


class _Rights:
    def __init__(self, manager: str, workflow: str, key: Key, files: Files) -> None:
        self._whose, self._key = (manager, workflow), key
        self._sizes = {each.sha256: each.size for each in files}

    def keys(self, manager: str) -> Keys | None:
        return Keys(self._key) if manager == self._whose[0] else None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return self._sizes.get(sha256) if (manager, workflow) == self._whose else None


class Giver:
    """Gives files to one manager, for one workflow.

    Attributes:
        name: What this command is called in topics and in the trigger.
        was_asked: Whether the manager has asked for any of them.
        advance: Is called with each number of bytes that were given for the first time.
    """

    def __init__(self, topics: Topics, workflow: str, files: Files) -> None:
        """Be ready to give; `bind` says by which connection.

        Args:
            topics: Of the manager.
            workflow: Id of the workflow.
            files: What is given, of directories what is in them and the list of it.
        """
        self.name = f"submit-{SystemChance().new_id()}"
        self.was_asked = False
        self.advance: Callable[[int], object] = lambda _bytes: None
        self._topics, self._files = topics, files
        self._asker = Peer("managers", topics.node)
        key = Key(GENERATION, secrets.token_bytes(KEY_BYTES))
        self._ticket = make_ticket(key, workflow, self._asker)
        self._paths = {each.sha256: path for each, path in files.items()}
        self._left = {each.sha256: each.size for each in files}
        self._holder = Holder(_Rights(topics.node, workflow, key, files))
        self._refused: HolderEffect | None = None
        self._transport: Transport | None = None
        self._later: Callable[[Callable[[], None]], object] = lambda _work: None

    def named_in(self, trigger: Trigger) -> Trigger:
        """Return a trigger that says who has the files; what is in a directory its list names."""
        named = objects_in(trigger.inputs).keys()
        places = {each.id: self.name for each in self._files if each.id in named}
        return replace(trigger, places=places, ticket=self._ticket)

    @property
    def asks(self) -> str:
        """Where the manager asks."""
        return self._topics.ask_of_submit(self.name)

    @property
    def answers(self) -> str:
        """Where it is answered."""
        return self._topics.answer_of_submit(self.name)

    def bind(self, transport: Transport, later: Callable[[Callable[[], None]], object]) -> None:
        """Give by this connection.

        Args:
            transport: The connection.
            later: Lets something be done in the thread that calls all other methods.
        """
        self._transport, self._later = transport, later

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take what asks for bytes; return whether it did."""
        if topic != self.asks:
            return False
        try:
            ask = decode_ask(topic, payload)
        except Unreadable:
            return True
        self.was_asked = True
        self._holder.asked(self._asker, ask, monotonic())
        return True

    def writable(self) -> None:
        """The connection takes more."""
        refused, self._refused = self._refused, None
        if refused is not None:
            self._do(refused)

    def disconnected(self) -> None:
        """Who has asked asks again."""
        self._refused = None
        self._holder.disconnected()

    def give(self) -> None:
        """Give what was asked for, as long as the connection takes it."""
        while self._refused is None and (effect := self._holder.due(monotonic())) is not None:
            self._do(effect)

    def next_due(self) -> float:
        """Return when `give` should be called again because of the time alone."""
        return inf if self._refused is not None else self._holder.next_due(monotonic())

    def _do(self, effect: HolderEffect) -> None:
        match effect:
            case MakeList(sha256):
                threading.Thread(target=self._make_list, args=(sha256,), name="block-list", daemon=True).start()
            case SayNo(no=no):
                self._say(effect, encode(no))
            case SayData():
                self._give(effect)

    def _give(self, data: SayData) -> None:
        try:
            content = self._bytes_of(data)
        except OSError:
            content = b""
        if len(content) != data.length:  # the file is gone, or shorter than it was
            self._holder.unreadable(data)
        elif self._say(data, encode_data(Data(data.transfer, data.offset, content))) and data.part == "bytes":
            new = min(len(content), self._left[data.sha256])
            self._left[data.sha256] -= new
            self.advance(new)

    def _say(self, effect: HolderEffect, payload: bytes) -> bool:
        if self._transport is not None and self._transport.publish(self.answers, payload, qos=0):
            return True
        self._refused = effect
        return False

    def _bytes_of(self, data: SayData) -> bytes:
        if data.part == "blocks":
            return self._holder.list_of(data.sha256)[data.offset : data.offset + data.length]
        path = self._paths[data.sha256]
        if isinstance(path, bytes):
            return path[data.offset : data.offset + data.length]
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(file, data.length, data.offset)
        finally:
            os.close(file)

    def _make_list(self, sha256: str) -> None:
        path = self._paths[sha256]
        try:
            found = None if isinstance(path, bytes) else block_list(path, sha256)  # no list of a directory is so large
        except OSError:
            found = None
        self._later(lambda: self._holder.listed(sha256, found))
