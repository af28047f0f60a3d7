"""Objects come straight from the hosts of nodes that have them, or else over the broker."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from caroni_edge.base.hosts import parse_host
from caroni_edge.config.hours import Hours
from caroni_edge.config.model import FilesConfig
from caroni_edge.node import directfetches, httpget
from caroni_edge.node.directfetches import DirectFetches
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Fetched, FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.partfiles import PartFiles
from caroni_edge.objects.transfer.pieces import GRAIN
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.ways import Claim
from tests.certificates import Certificates, make_certificates
from tests.filehost import FileHost, file_host
from tests.support import WITHIN_S, in_thread, wait_until

DATA = bytes(range(256)) * (5 * GRAIN.block // 256) + b"rest"
A1, A2 = Peer("agents", "a1"), Peer("agents", "a2")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls") / "ours", "IP:127.0.0.1")


@pytest.fixture
def host(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    monkeypatch.setattr(httpget, "CONNECT_WITHIN_S", WITHIN_S)
    monkeypatch.setattr(httpget, "SILENT_MAX_S", WITHIN_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with file_host(context) as found:
        yield found


class Asking:
    """A node that fetches, and what its broker is asked for."""

    def __init__(self, path: Path, host: FileHost, ca: Path, **bounds: Any) -> None:
        self.host, self.parts = host, path / "incoming"
        self.told: SimpleQueue[tuple[Fetched, Path]] = SimpleQueue()
        self.left: SimpleQueue[Want | FetchId] = SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.second_of_day = 0.0
        facts = {"hosts": (parse_host(host.authority),), "ca_file": ca, **bounds}
        self.direct = DirectFetches(
            A1,
            self.parts,
            FilesConfig(**facts),
            lambda said, where: self.told.put((said, where)),
            self._supervise,
            Bucket(facts.get("down")),
            self,
            lambda: self.second_of_day,
        )

    def _supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        self.threads.append(in_thread(name, work))
        return self.threads[-1]

    def fetch(self, want: Want) -> None:
        """Be the data connection."""
        self.left.put(want)

    def forget(self, fetch: FetchId) -> None:
        """Be the data connection."""
        self.left.put(fetch)

    def want(self, data: bytes = DATA, *, served: bytes | None = None, url: str | None = None) -> Want:
        """Let the host have an object; return what is wanted then."""
        found = Object(hashlib.sha256(data).hexdigest(), len(data))
        self.host.files[f"/objects/{found.sha256}"] = data if served is None else served
        direct = self.host.url("").removesuffix("/") if url is None else url
        return Want("m1", found, (Place(A2, "w1", 7, "2" * 64, direct),))

    def came(self) -> bytes:
        _, path = self.told.get(timeout=WITHIN_S)
        return path.read_bytes()

    def leaves(self) -> Want | FetchId:
        return self.left.get(timeout=WITHIN_S)

    def close(self) -> None:
        self.direct.close()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def make(tmp_path: Path, host: FileHost, certificates: Certificates) -> Iterator[Callable[..., Asking]]:
    made: list[Asking] = []

    def asking(**bounds: Any) -> Asking:
        made.append(Asking(tmp_path, host, certificates.ca, **bounds))
        return made[-1]

    yield asking
    for each in made:
        each.close()


@pytest.fixture
def asking(make: Callable[..., Asking]) -> Asking:
    return make()


def test_an_object_comes_by_a_ticket_and_nobody_asks_the_broker(asking: Asking) -> None:
    want = asking.want()
    asking.direct.fetch(want)
    assert asking.came() == DATA
    (asked,) = asking.host.asked
    assert Claim.of(dict(asked.items())) == Claim("m1", "w1", A1, 7, "2" * 64)
    asking.direct.forget(want.id)
    assert asking.leaves() == want.id
    assert asking.left.empty()


def test_only_what_is_missing_is_asked_for(asking: Asking) -> None:
    want, parts = asking.want(), PartFiles(asking.parts)
    for block in (0, 2):
        parts.write(want.id, block * GRAIN.block, DATA[block * GRAIN.block : (block + 1) * GRAIN.block])
    parts.save(want.id, bytes([0b00000101]))
    parts.close()
    asking.direct.fetch(want)
    assert asking.came() == DATA
    second, fourth = GRAIN.block, 3 * GRAIN.block
    ranges = [asked["Range"] for asked in asking.host.asked]
    assert ranges == [f"bytes={second}-{2 * second - 1}", f"bytes={fourth}-"]


def test_other_bytes_are_thrown_away_and_the_host_is_left_out(asking: Asking) -> None:
    want = asking.want(served=DATA[::-1])
    asking.direct.fetch(want)
    assert asking.leaves() == want
    assert PartFiles(asking.parts).saved(want.id) == b""
    other = asking.want(b"other")
    asking.direct.fetch(other)
    assert asking.leaves() == other
    assert len(asking.host.asked) == 1


@pytest.mark.parametrize(
    ("status", "is_left_out"),
    [(HTTPStatus.UNAUTHORIZED, True), (HTTPStatus.FOUND, True), (HTTPStatus.SERVICE_UNAVAILABLE, False)],
)
def test_what_is_not_given_comes_over_the_broker(asking: Asking, status: HTTPStatus, *, is_left_out: bool) -> None:
    asking.host.answers = [(status, {})]
    want, other = asking.want(), asking.want(b"other")
    asking.direct.fetch(want)
    assert asking.leaves() == want
    asking.direct.fetch(other)
    if is_left_out:
        assert asking.leaves() == other
    else:
        assert asking.came() == b"other"


def test_the_broker_goes_on_with_what_has_come(asking: Asking) -> None:
    asking.host.cuts = [3 * GRAIN.block + 7]
    want = asking.want()
    asking.direct.fetch(want)
    assert asking.leaves() == want
    assert PartFiles(asking.parts).saved(want.id) == bytes([0b00000111])
    again = want._replace(places=(*want.places, Place(A1, "w1", 1, "1" * 64)))
    asking.direct.fetch(again)
    assert asking.leaves() == again
    assert len(asking.host.asked) == 1


def test_an_object_of_another_size_is_not_believed(asking: Asking) -> None:
    want = asking.want(served=DATA + b"more")
    asking.direct.fetch(want)
    assert asking.leaves() == want


@pytest.mark.parametrize("url", ["", "https://127.0.0.1:1", "http://127.0.0.1"])
def test_what_says_no_address_that_is_listed_is_not_asked(asking: Asking, url: str) -> None:
    want = asking.want(url=url)
    asking.direct.fetch(want)
    assert asking.leaves() == want
    assert asking.threads == []


def test_a_host_whose_certificate_is_not_trusted_gets_no_ticket(make: Callable[..., Asking]) -> None:
    asking = make(ca_file=None)
    want = asking.want()
    asking.direct.fetch(want)
    assert asking.leaves() == want
    assert asking.host.asked == []


def test_a_host_where_nothing_listens_is_left_out(make: Callable[..., Asking]) -> None:
    asking = make(hosts=(parse_host("127.0.0.1:1"),))
    want = asking.want(url="https://127.0.0.1:1")
    asking.direct.fetch(want)
    assert asking.leaves() == want


def test_what_nobody_wants_any_more_is_forgotten_and_then_wanted_anew(make: Callable[..., Asking]) -> None:
    asking = make(down=10_000)
    want = asking.want()
    asking.direct.fetch(want)
    wait_until(lambda: asking.direct.moving().fetches[want.id].left_bytes < len(DATA), what="the first bytes")
    moving = asking.direct.moving()
    assert (moving.fetches[want.id].holder, moving.fetches[want.id].is_direct) == (A2, True)
    assert moving.came_bytes > 0
    asking.direct.forget(want.id)
    asking.direct.fetch(want)
    assert asking.leaves() == want.id
    assert asking.leaves() == want
    assert asking.told.empty()


def test_a_new_ticket_counts_for_what_waits_for_its_turn(
    make: Callable[..., Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asking, "_supervise", lambda *_: None)  # nothing gets its turn
    asking = make()
    want = asking.want()
    asking.direct.fetch(want)
    renewed = want._replace(places=(want.places[0]._replace(generation=8, ticket="8" * 64),))
    asking.direct.fetch(renewed)
    assert asking.direct._turns.tasks[want.id].way.place == renewed.places[0]


def test_nothing_comes_outside_of_the_owners_hours(
    make: Callable[..., Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directfetches, "LOOK_EVERY_S", 0.01)
    asking = make(when=Hours(22 * 60, 6 * 60))
    asking.second_of_day = 21 * 3600.0
    want, looked = asking.want(), threading.Event()
    real = asking.direct._wait_s

    def wait_s() -> float:
        looked.set()
        return real()

    monkeypatch.setattr(asking.direct, "_wait_s", wait_s)
    asking.direct.fetch(want)
    assert looked.wait(WITHIN_S)
    assert asking.host.asked == []
    asking.second_of_day = 23 * 3600.0
    assert asking.came() == DATA
