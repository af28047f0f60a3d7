"""What asks for bytes of objects goes past the node's loop; all else goes through it."""

from pathlib import Path

import pytest

from caroni_edge.config import BrokerConfig, BrokerUrl
from caroni_edge.config.model import FilesConfig
from caroni_edge.node.transfers import Transfers
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.transfer.tickets import Keys
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import CHUNK_MIN, TRANSFER_VERSION, Ask
from caroni_edge.transport.access import Access
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event
from tests.support import in_thread, wait_until

TOPICS = Topics("c", "agents", "a1")
ASK = Ask(TRANSFER_VERSION, 7, "m1", "w1", 1, f"sha256:{'a' * 64}", "b" * 64, ((0, CHUNK_MIN),), CHUNK_MIN, "bytes")
ASK_TOPIC = "c/objects/agents/a1/ask/agents/a2"


class NotedRights:
    """Nobody may have anything; it is noted whose keys were looked for."""

    def __init__(self) -> None:
        self.looked_for: list[str] = []

    def keys(self, manager: str) -> Keys | None:
        self.looked_for.append(manager)
        return None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return None


UNBOUNDED = FilesConfig()


def transfers(path: Path, rights: NotedRights, bounds: FilesConfig = UNBOUNDED) -> Transfers:
    access = Access(BrokerConfig(urls=(BrokerUrl("127.0.0.1", 1, tls=False),)))  # where nothing listens
    return Transfers(ObjectFiles(path), access, TOPICS, rights, lambda _told, _path: None, in_thread, bounds)


def arrived(topic: str, payload: bytes = b"") -> Arrived:
    return Arrived(topic, payload, qos=0, packet_id=0, connection=1)


@pytest.mark.parametrize(
    ("event", "is_taken"),
    [
        (arrived(ASK_TOPIC, encode(ASK)), True),
        (arrived(ASK_TOPIC, b"no ask"), True),
        (arrived("c/objects/agents/a1/data/agents/a2", b"x"), True),
        (arrived("c/objects/agents/a7/ask/agents/a2", encode(ASK)), False),
        (arrived("c/agents/a1/inbox/managers/m1", b"x"), False),
        (Connected(1), False),
        (Disconnected(1, "the broker closed the connection"), False),
    ],
)
def test_what_is_about_objects_is_taken(tmp_path: Path, event: Event, is_taken: bool) -> None:
    assert transfers(tmp_path, NotedRights()).takes(event) is is_taken


def test_who_asks_is_judged_by_the_rights(tmp_path: Path) -> None:
    rights = NotedRights()
    begun = transfers(tmp_path, rights)
    begun.begin()
    begun.takes(arrived(ASK_TOPIC, b"no ask"))
    begun.takes(arrived(ASK_TOPIC, encode(ASK)))
    wait_until(lambda: rights.looked_for, 60.0, "the ask to be looked at")
    assert rights.looked_for == ["m1"]
    begun.close()


def test_what_the_owner_lets_flow_holds_for_both_ways(tmp_path: Path) -> None:
    made = transfers(tmp_path, NotedRights(), FilesConfig(up=1024, down=2048, at_once=5))
    asker, holder = made._data._asker, made._data._holder
    assert (holder.up.rate, asker.down.rate, asker.at_once) == (1024, 2048, 5)
