"""Files are fetched from addresses: resumed, checked, and never from where the owner does not want it."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from caroni_edge.base.hosts import parse_host
from caroni_edge.config.hours import Hours
from caroni_edge.config.model import FilesConfig
from caroni_edge.node import httpget, locationfetches
from caroni_edge.node.httpget import NotGot, Trust, get
from caroni_edge.node.locationfetches import AGAIN, SAVE_BYTES, TRIES_MAX, LocationFetches, Told
from caroni_edge.objects.locations import LocationFailed, LocationFetched, LocationId, LocationSized, Sought
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.rates import Bucket
from caroni_edge.values.remote import parse_address
from tests.certificates import make_certificates
from tests.filehost import FileHost, file_host
from tests.support import WITHIN_S, in_thread, wait_until

SMALL = b"spiral " * 100
LARGE = bytes(range(256)) * ((2 * SAVE_BYTES + 5000) // 256)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    """Return a host of files; what fails is tried again at once, and nobody is in a hurry."""
    monkeypatch.setattr(httpget, "CONNECT_WITHIN_S", WITHIN_S)
    monkeypatch.setattr(httpget, "SILENT_MAX_S", WITHIN_S)
    monkeypatch.setattr(locationfetches, "AGAIN", type(AGAIN)(first_s=0.0, max_s=0.0))
    with file_host() as found:
        found.files = {"/small": SMALL, "/large": LARGE}
        yield found


class Node:
    """A node that fetches, in a directory of its own."""

    def __init__(self, path: Path, host: FileHost, **bounds: Any) -> None:
        self.told: SimpleQueue[tuple[Told, Path | None]] = SimpleQueue()
        self.room_bytes, self.second_of_day = inf, 0.0
        self.threads: list[threading.Thread] = []
        facts = {"hosts": (parse_host(host.authority),), **bounds}
        self.fetches = LocationFetches(
            path / "located",
            FilesConfig(**facts),
            lambda said, where: self.told.put((said, where)),
            self._supervise,
            lambda: self.room_bytes,
            Bucket(facts.get("down")),
            lambda: self.second_of_day,
        )

    def _supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        self.threads.append(in_thread(name, work))
        return self.threads[-1]

    def hear(self) -> tuple[Told, Path | None]:
        """Return what is told next, but for sizes."""
        while isinstance((found := self.told.get(timeout=WITHIN_S))[0], LocationSized):
            pass
        return found

    def failure(self) -> str:
        said, _ = self.hear()
        assert isinstance(said, LocationFailed)
        return said.why

    def came(self) -> bytes:
        said, path = self.hear()
        assert isinstance(said, LocationFetched), said
        assert path is not None
        return path.read_bytes()

    def close(self) -> None:
        self.fetches.close()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def make(tmp_path: Path, host: FileHost) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def made(**bounds: Any) -> Node:
        nodes.append(Node(tmp_path, host, **bounds))
        return nodes[-1]

    yield made
    for node in nodes:
        node.close()


@pytest.fixture
def node(make: Callable[..., Node]) -> Node:
    return make()


def sought(host: FileHost, path: str, checksum: str = "", manager: str = "m1") -> Sought:
    return Sought(LocationId(manager, host.url(path), checksum))


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("path", ["/small", "/large"])
def test_a_file_comes_and_is_told_by_its_hash(host: FileHost, node: Node, path: str) -> None:
    data, wanted = host.files[path], sought(host, path, f"sha1${sha1(host.files[path])}")
    node.fetches.begin([])
    node.fetches.fetch(wanted)
    assert node.told.get(timeout=WITHIN_S) == (LocationSized(wanted.id, len(data)), None)
    said, found = node.hear()
    assert said == LocationFetched(wanted.id, Object(sha256(data), len(data)), sha1(data))
    assert found is not None
    assert found.read_bytes() == data
    assert (host.asked[0]["Accept-Encoding"], host.asked[0]["Host"]) == ("identity", host.authority)
    node.fetches.forget(wanted.id)
    assert not found.exists()
    assert node.fetches.moving().locations == {}


def test_what_was_cut_off_goes_on_where_it_is_safe(host: FileHost, node: Node) -> None:
    host.cuts = [SAVE_BYTES + 100_000]
    node.fetches.fetch(sought(host, "/large"))
    assert node.came() == LARGE
    assert len(host.asked) == 2
    begin = int(host.asked[1]["Range"].removeprefix("bytes=").removesuffix("-"))
    assert SAVE_BYTES - 1 <= begin < SAVE_BYTES + 100_000
    assert host.asked[1]["If-Range"] == f'"{hash(LARGE)}"'


def test_a_new_process_asks_for_one_byte_of_what_is_safe_already(host: FileHost, make: Callable[..., Node]) -> None:
    first, wanted = make(), sought(host, "/large")
    first.fetches.fetch(wanted)
    assert first.came() == LARGE
    first.close()
    second = make()
    second.fetches.begin([wanted])
    assert second.came() == LARGE
    assert host.asked[-1]["Range"] == f"bytes={len(LARGE) - 1}-"


def test_a_file_that_has_changed_meanwhile_comes_from_the_beginning(host: FileHost, node: Node) -> None:
    host.cuts = [SAVE_BYTES + 100_000]
    other = LARGE[::-1]

    class Changing(list[Any]):
        def append(self, item: Any) -> None:
            super().append(item)
            if len(self) == 2:
                host.files["/large"] = other

    host.asked = Changing()
    node.fetches.fetch(sought(host, "/large"))
    assert node.came() == other


def test_without_a_tag_only_what_has_a_checksum_goes_on(host: FileHost, node: Node) -> None:
    host.tagged = False
    host.cuts = [SAVE_BYTES + 100_000]
    node.fetches.fetch(sought(host, "/large"))
    assert node.came() == LARGE
    assert "Range" not in host.asked[-1]
    host.cuts = [SAVE_BYTES + 100_000]
    node.fetches.fetch(sought(host, "/large", f"sha256${sha256(LARGE)}"))
    assert node.came() == LARGE
    assert "Range" in host.asked[-1]


def test_other_bytes_than_the_checksum_says_fail_in_words(host: FileHost, node: Node) -> None:
    node.fetches.fetch(sought(host, "/small", f"sha256${'0' * 64}"))
    assert "does not have the checksum" in node.failure()
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (HTTPStatus.NOT_FOUND, {}, 'it answers 404 "Not Found"'),
        (HTTPStatus.FOUND, {"Location": "https://evil.example.org/"}, "redirects are not followed"),
        (HTTPStatus.FOUND, {}, "redirects are not followed"),
        (HTTPStatus.PARTIAL_CONTENT, {"Content-Range": "bytes 5-6/7"}, "another part than was asked for"),
        (HTTPStatus.OK, {"Content-Length": "10000000001"}, "10000000000 are allowed"),
    ],
)
def test_an_answer_that_is_no_file_fails_at_once(
    host: FileHost, node: Node, status: HTTPStatus, headers: dict[str, str], said: str
) -> None:
    host.answers = [(status, headers)]
    node.fetches.fetch(sought(host, "/small"))
    assert said in node.failure()
    assert len(host.asked) == 1


def test_what_may_work_later_is_tried_again_so_often_and_no_more(host: FileHost, node: Node) -> None:
    host.answers = [(HTTPStatus.SERVICE_UNAVAILABLE, {})] * (TRIES_MAX - 1)
    node.fetches.fetch(sought(host, "/small"))
    assert node.came() == SMALL
    host.answers = [(HTTPStatus.SERVICE_UNAVAILABLE, {})] * TRIES_MAX
    node.fetches.fetch(sought(host, "/large"))
    assert "it answers 503" in node.failure()


def test_a_host_that_says_no_size_is_believed_with_a_checksum_alone(host: FileHost, node: Node) -> None:
    host.sized = False
    node.fetches.fetch(sought(host, "/small"))
    assert "does not say how large it is" in node.failure()
    node.fetches.fetch(sought(host, "/small", f"sha1${sha1(SMALL)}"))
    assert node.came() == SMALL


def test_a_host_that_is_not_listed_any_more_is_not_asked_and_no_hour_is_waited_for(
    host: FileHost, make: Callable[..., Node]
) -> None:
    node = make(hosts=(), when=Hours(22 * 60, 6 * 60))
    node.fetches.begin([sought(host, "/small")])
    assert "is not listed in files.hosts" in node.failure()
    assert host.asked == []


def test_nothing_comes_outside_of_the_owners_hours(host: FileHost, make: Callable[..., Node]) -> None:
    node, wanted = make(when=Hours(22 * 60, 6 * 60)), sought(host, "/small")
    node.second_of_day = 21 * 3600.0
    node.fetches.fetch(wanted)
    wait_until(lambda: node.fetches.moving().locations[wanted.id].problem, what="it to wait")
    assert node.fetches.moving().locations[wanted.id].problem == "waits for 22:00 (files.when)"
    assert host.asked == []


def test_nothing_comes_that_there_is_no_room_for(host: FileHost, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locationfetches, "ROOM_AGAIN_S", 0.01)
    node.room_bytes = len(SMALL) - 1
    wanted = sought(host, "/small")
    node.fetches.fetch(wanted)
    wait_until(lambda: node.fetches.moving().locations[wanted.id].problem, what="it to wait")
    assert node.fetches.moving().locations[wanted.id].problem == "waits for room on the disk"
    node.room_bytes = len(SMALL)
    assert node.came() == SMALL


def test_what_nobody_wants_any_more_ends_and_leaves_nothing(host: FileHost, make: Callable[..., Node]) -> None:
    node, wanted = make(down=100_000), sought(host, "/large")
    node.fetches.fetch(wanted)
    wait_until(lambda: node.fetches.moving().locations[wanted.id].came_bytes, what="the first bytes")
    node.fetches.forget(wanted.id)
    wait_until(lambda: not node.fetches.moving().locations, what="it to be given up")
    assert list(node.fetches._parts._directory.iterdir()) == []
    assert node.told.get(timeout=WITHIN_S) == (LocationSized(wanted.id, len(LARGE)), None)


def test_of_a_manager_only_so_many_come_at_a_time(host: FileHost, make: Callable[..., Node]) -> None:
    node = make(down=100_000, at_once=1)
    first, second = sought(host, "/large"), sought(host, "/small")
    other = sought(host, "/large", manager="m2")
    for each in (first, second, other):
        node.fetches.fetch(each)
    coming = node.fetches.moving

    def both_come() -> bool:
        found = coming().locations
        return bool(found[first.id].came_bytes and found[other.id].came_bytes)

    wait_until(both_come, what="one file of each manager to come")
    assert {each[":path"] for each in host.asked} == {"/large"}
    node.fetches.forget(first.id)
    wait_until(lambda: any(each[":path"] == "/small" for each in host.asked), what="the next one's turn")


def test_part_files_that_nobody_wants_are_deleted_at_the_start(host: FileHost, make: Callable[..., Node]) -> None:
    first, wanted = make(), sought(host, "/small")
    first.fetches.fetch(wanted)
    _, path = first.hear()
    first.close()
    assert path is not None
    path.chmod(0o444)  # it was given to the store
    second = make()
    second.fetches.begin([wanted])
    assert second.came() == SMALL
    assert "Range" not in host.asked[-1]
    second.close()
    make().fetches.begin([])
    assert not path.parent.exists()


def test_https_is_checked_and_an_own_authority_may_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpget, "CONNECT_WITHIN_S", WITHIN_S)
    made = make_certificates(tmp_path / "certificates", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with file_host(context) as host:
        host.files = {"/a": SMALL}
        hosts, address = (parse_host(host.authority),), parse_address(host.url("/a"))
        with pytest.raises(NotGot, match="its certificate is not to be trusted"):
            get(address, Trust(hosts))
        got = get(address, Trust(hosts, made.ca))
        assert got.read(len(SMALL)) == SMALL
        got.close()


@pytest.mark.parametrize("found", ["127.0.0.1", "169.254.1.1", "::1", "fe80::1%1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
def test_a_pattern_leads_to_no_address_of_this_host(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    where = [(0, 0, 0, "", (found, 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_facts: where)
    trust = Trust((parse_host("*.example.com"),))
    with pytest.raises(NotGot, match="must list it by name") as raised:
        get(parse_address("http://a.example.com/"), trust)
    assert raised.value.final
