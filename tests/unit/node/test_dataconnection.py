"""The connection for the bytes of objects is made anew after it has ended, or could not be made."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from math import inf
from pathlib import Path

import pytest

from caroni_edge.config.hours import Hours
from caroni_edge.config.model import FilesConfig
from caroni_edge.node import dataconnection, datatransport, rivals
from caroni_edge.node.dataconnection import DataConnection, Surroundings
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer import window
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Keys, Peer
from caroni_edge.protocol.topics import Answered, Topics
from caroni_edge.protocol.transfers import decode_ask
from caroni_edge.transport.access import UnusableCaFile
from caroni_edge.transport.base import Arrived, Connected, Deliver, Subscribed, TransportEnded, Will, Writable
from tests.support import in_thread, wait_until

WANT = Want("m1", Object("a" * 64, 100), (Place(Peer("agents", "a2"), "w1", 1, "b" * 64),))
TOPICS = Topics("c", "agents", "a1")
WITHIN_S = 60.0
UNBOUNDED = FilesConfig()


class NobodysRights:
    def keys(self, manager: str) -> Keys | None:
        return None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return None


class DyingTransport:
    """One whose thread dies at once, unless nothing is wrong with it."""

    will: Will | None = None

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        self.is_stopped = False
        self.subscribed: list[str] = []

    def start(self, deliver: Deliver) -> None:
        if self.failure:
            deliver(TransportEnded(self.failure))
        else:
            deliver(Connected(1))

    def stop(self, leave_within_s: float = 0.0) -> None:
        self.is_stopped = True

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        self.subscribed += [topic for topic, _ in filters]

    def unsubscribe(self, filters: Sequence[str]) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        return 0

    def ack(self, message: Arrived) -> None:
        pass

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def disconnect(self, pause_s: float = 0.0) -> None:
        pass

    def retry_soon(self, connection: int) -> None:
        pass


class NarrowTransport(DyingTransport):
    """One that takes no more Asks than it has room for; what the node says to itself comes back."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.asked: list[str] = []

    def start(self, deliver: Deliver) -> None:
        self._deliver = deliver
        super().start(deliver)

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        super().subscribe(filters)
        self._deliver(Subscribed(filters[0][0], 1))

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        if TOPICS.read_objects(topic) == Answered("agents", "a1"):
            self._deliver(Arrived(topic, payload, connection=1))
            return 1
        if len(self.asked) == self.room:
            return 0
        self.asked.append(decode_ask(topic, payload).object)
        return 1

    def widen(self, room: int) -> None:
        self.room = room
        self._deliver(Writable(1))


def supervise(name: str, work: Callable[[], None]) -> threading.Thread:
    def body() -> None:
        with suppress(RuntimeError):  # a fault, of which a node ends
            work()

    return in_thread(name, body)


def opened(
    path: Path,
    connects: list[Callable[[], DyingTransport]],
    bounds: FilesConfig = UNBOUNDED,
    clock: Callable[[], float] = lambda: 0.0,
    wanted: Sequence[Want] = (WANT,),
) -> DataConnection:
    """Let something be fetched by the first connection of a list, then by the next one."""

    def connect() -> DyingTransport:
        return connects.pop(0)()

    around = Surroundings(
        connect=connect,
        rights=NobodysRights(),
        files=ObjectFiles(path),
        parts=path / "parts",
        tell=lambda _told, _path: None,
        bounds=bounds,
        clock=clock,
    )
    data = DataConnection(TOPICS, around)
    data.start(supervise, wanted)
    return data


def test_what_is_safe_is_looked_up_after_a_failure(tmp_path: Path) -> None:
    data = opened(tmp_path, [DyingTransport])
    data.stop()
    data._asker.forget(WANT.id)
    data._asker.fetch(WANT, b"\x01")
    assert data._asker.left_bytes(WANT.id) == 0
    data._disk_failed(WANT.id, OSError())
    assert data._asker.left_bytes(WANT.id) == WANT.object.size


def test_a_node_stops_whose_thread_for_files_has_died(tmp_path: Path) -> None:
    def broken() -> DyingTransport:
        raise RuntimeError("a fault")

    data = opened(tmp_path, [broken])
    stopping = supervise("stopping", data.stop)
    stopping.join(WITHIN_S)
    assert not stopping.is_alive()


def test_one_that_has_ended_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datatransport, "OPENED_AGAIN_S", 0.0)
    connects = [lambda: DyingTransport("a fault"), DyingTransport]
    data = opened(tmp_path, connects)
    wait_until(lambda: not connects, WITHIN_S, "the second connection")
    assert data.moving().problem == "a fault"
    data.stop()


def test_one_that_has_ended_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datatransport, "OPENED_AGAIN_S", inf)
    connects = [lambda: DyingTransport("a fault"), DyingTransport]
    data = opened(tmp_path, connects)
    wait_until(lambda: data.moving().problem, WITHIN_S, "the end of the connection")
    data.stop()
    assert len(connects) == 1


def test_what_the_network_has_no_room_for_is_asked_for_when_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "TIMEOUT_UNKNOWN_S", inf)
    monkeypatch.setattr(window, "TIMEOUT_MAX_S", inf)
    made = NarrowTransport(room=2)
    wanted = [WANT._replace(object=Object(f"{number:064x}", 100)) for number in range(6)]
    data = opened(tmp_path, [lambda: made], wanted=wanted)
    wait_until(lambda: len(made.asked) == 2, WITHIN_S, "the first Asks")
    made.widen(3)
    wait_until(lambda: len(made.asked) == 3, WITHIN_S, "the next one")
    made.widen(9)
    wait_until(lambda: len(made.asked) == 6, WITHIN_S, "the rest")
    assert made.asked == [want.object.id for want in wanted]
    data.stop()


def test_certificates_that_cannot_be_read_are_said_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datatransport, "OPENED_AGAIN_S", 0.0)
    monkeypatch.setattr(dataconnection, "CLOSED_AFTER_S", 0.01)  # so often it looks at the time

    def unusable() -> DyingTransport:
        raise UnusableCaFile("ca.pem", reason="it is not there")

    connects = [unusable, DyingTransport]
    data = opened(tmp_path, connects)
    wait_until(lambda: not connects, WITHIN_S, "the connection")
    assert "ca.pem" in str(data.moving().problem)
    data.stop()


def test_one_that_cuts_off_the_nodes_own_connection_stays_closed_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "WITHIN_S", inf)
    monkeypatch.setattr(rivals, "CERTAIN_AFTER", 1)
    made = DyingTransport()
    data = opened(tmp_path, [lambda: made])
    wait_until(lambda: made.subscribed, WITHIN_S, "the connection")
    assert data.moving().problem is None
    data.own_was_cut_off()
    wait_until(lambda: made.is_stopped, WITHIN_S, "the end of the connection")
    assert "broker.data_url" in str(data.moving().problem)
    data.stop()


def test_the_nodes_own_connection_may_end_for_other_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "WITHIN_S", -inf)
    monkeypatch.setattr(rivals, "CERTAIN_AFTER", 1)
    made = DyingTransport()
    data = opened(tmp_path, [lambda: made])
    wait_until(lambda: made.subscribed, WITHIN_S, "the connection")
    data.own_was_cut_off()
    data.stop()
    assert data.moving().problem is None


def test_outside_of_the_owners_hours_it_is_closed_and_says_until_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataconnection, "CLOSED_AFTER_S", 0.01)  # so often it looks at the time
    made, hour = [DyingTransport(), DyingTransport()], [21.5]
    connects: list[Callable[[], DyingTransport]] = [lambda: made[0], lambda: made[1]]
    nightly = FilesConfig(when=Hours(22 * 60, 6 * 60))
    data = opened(tmp_path, connects, nightly, lambda: hour[0] * 3600)
    wait_until(lambda: data.moving().problem, WITHIN_S, "what it waits for")
    assert data.moving().problem == "waits for 22:00 (files.when)"
    assert len(connects) == 2
    hour[0] = 22.0
    wait_until(lambda: made[0].subscribed, WITHIN_S, "the connection")
    assert data.moving().problem is None
    hour[0] = 6.0
    wait_until(lambda: made[0].is_stopped, WITHIN_S, "its end")
    assert data.moving().problem == "waits for 22:00 (files.when)"
    hour[0] = 23.0
    wait_until(lambda: made[1].subscribed, WITHIN_S, "the next connection")
    data.stop()
