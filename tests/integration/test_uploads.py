"""Files come to a manager by its API: whole and right or not at all, as far as there is room."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge.cli import main
from caroni_edge.manager.holding import storage
from caroni_edge.objects.objects import Object
from caroni_edge.values import directories
from caroni_edge.web.server import WebServer
from tests.support import wait_until
from tests.web_bench import TOKEN, Client, ManagerBench

DATA = bytes(range(256)) * 10_000
NAME = f"sha256:{sha256(DATA).hexdigest()}"

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {photo: File}
steps:
  look:
    run: {class: Operation, inputs: {image: File}, outputs: {stars: int}}
    hints: {caroni:JobType: {name: count}}
    in: {image: photo}
    out: [stars]
outputs: {stars: {type: int, outputSource: look/stars}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "look.cwl").write_text(TEMPLATE)
    with closing(ManagerBench(tmp_path, directory=tmp_path / "templates", disk_floor_bytes=0)) as bench:
        yield bench


def stored(bench: ManagerBench) -> list[str]:
    """Return the objects that lie on disk, and what is on its way."""
    state = bench.path.parent
    found = [*state.glob("objects/*/*"), *state.glob("part/*"), *state.glob("uploads/*")]
    return sorted(path.name for path in found)


def test_what_was_uploaded_a_workflow_may_name(bench: ManagerBench, client: Client) -> None:
    answer = client.put(f"/api/objects/{NAME}", content=DATA)
    checksum = f"sha1${sha1(DATA, usedforsecurity=False).hexdigest()}"
    assert (answer.status_code, answer.json()) == (201, {"object": NAME, "size": len(DATA), "checksum": checksum})
    assert bench.storage.path(NAME).read_bytes() == DATA  # type: ignore[arg-type]
    assert stored(bench) == [NAME.removeprefix("sha256:")]
    photo = {"class": "File", "location": f"caroni:{NAME}", "size": len(DATA), "basename": "m31.fits"}
    answer = client.post("/api/workflows", json={"template": "look", "inputs": {"photo": photo}, "id": "w1"})
    assert answer.status_code == 201
    assert client.get("/api/workflows/w1").json()["inputs"] == {"photo": photo}


FOLDER = TEMPLATE.replace("photo: File", "photo: Directory").replace("image: File", "image: Directory")
LIST = directories.written([directories.Entry("raw/m31.fits", False, Object(NAME.removeprefix("sha256:"), len(DATA)))])
LIST_NAME = f"sha256:{sha256(LIST).hexdigest()}"


def test_a_workflow_begins_with_a_directory_that_was_uploaded(bench: ManagerBench, client: Client) -> None:
    (bench.path.parent / "templates" / "folder.cwl").write_text(FOLDER)
    bench.reload_templates()
    night = {"class": "Directory", "location": f"caroni:{LIST_NAME}", "size": len(LIST), "basename": "night"}
    assert client.put(f"/api/objects/{LIST_NAME}?class=Directory", content=LIST).status_code == 201
    start = {"template": "folder", "inputs": {"photo": night}, "id": "w1"}
    answer = client.post("/api/workflows", json=start)
    assert (answer.status_code, "1 files of the directory" in answer.json()["error"]) == (422, True)
    assert client.put(f"/api/objects/{NAME}", content=DATA).status_code == 201
    assert client.post("/api/workflows", json=start).status_code == 201
    assert client.get("/api/workflows/w1").json()["inputs"] == {"photo": night}


def test_what_is_no_list_of_a_directory_is_not_kept_as_one(bench: ManagerBench, client: Client) -> None:
    answer = client.put(f"/api/objects/{NAME}?class=Directory", content=DATA)
    assert (answer.status_code, answer.json()["field"]) == (422, "class")
    assert stored(bench) == []


def test_a_workflow_that_names_what_was_not_uploaded_is_refused_with_its_field(client: Client) -> None:
    photo = {"class": "File", "location": f"caroni:{NAME}", "size": len(DATA)}
    answer = client.post("/api/workflows", json={"template": "look", "inputs": {"photo": photo}})
    assert (answer.status_code, answer.json()["field"]) == (422, "inputs.photo")


def test_an_empty_file_is_a_file(bench: ManagerBench, client: Client) -> None:
    name = f"sha256:{sha256(b'').hexdigest()}"
    assert client.put(f"/api/objects/{name}", content=b"").json()["size"] == 0
    assert stored(bench) == [name.removeprefix("sha256:")]


def test_the_same_file_twice_is_one(bench: ManagerBench, client: Client) -> None:
    assert [client.put(f"/api/objects/{NAME}", content=DATA).status_code for _ in range(2)] == [201, 201]
    assert stored(bench) == [NAME.removeprefix("sha256:")]


def test_bytes_that_do_not_match_their_name_are_not_kept(bench: ManagerBench, client: Client) -> None:
    answer = client.put(f"/api/objects/{NAME}", content=DATA + b"x")
    assert answer.status_code == 422
    assert "nothing is kept" in answer.json()["error"]
    assert stored(bench) == []


@pytest.mark.parametrize("name", ["1", "sha256:abc", "sha256:" + "A" * 64, "sha1:" + "a" * 40])
def test_what_is_no_name_of_a_file_is_nowhere(client: Client, name: str) -> None:
    assert client.put(f"/api/objects/{name}", content=b"x").status_code == 404


def test_who_does_not_say_how_much_comes_is_asked_to(bench: ManagerBench, client: Client) -> None:
    answer = client.put(f"/api/objects/{NAME}", content=iter([DATA]))
    assert (answer.status_code, "Content-Length" in answer.json()["error"]) == (411, True)
    assert stored(bench) == []


@contextmanager
def sending(server: WebServer, size: int) -> Iterator[socket.socket]:
    """Begin to upload a file of a size."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {size}\r\n"
        client.sendall(f"PUT /api/objects/{NAME} HTTP/1.1\r\n{head}\r\n".encode())
        yield client


def test_who_says_it_in_two_ways_is_asked_to(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        client.sendall(f"PUT /api/objects/{NAME} HTTP/1.1\r\n{head}\r\n9\r\nfar more.\r\n0\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 411 ")


def test_more_than_a_file_may_have_is_refused_before_it_comes(server: WebServer) -> None:
    with sending(server, 10_000_000_001) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_of_a_client_that_goes_away_nothing_is_kept(bench: ManagerBench, server: WebServer) -> None:
    with sending(server, len(DATA)) as client:
        client.sendall(DATA[:-1])
        wait_until(lambda: stored(bench), what="the file to begin")
    wait_until(lambda: not stored(bench), what="the file to be deleted")
    assert bench.storage.receive(1).size == 0


def test_so_many_come_at_a_time_and_others_are_told_to_wait(
    bench: ManagerBench, client: Client, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "AT_ONCE_MAX", 1)
    with sending(server, len(DATA)):
        wait_until(lambda: stored(bench), what="the file to begin")
        answer = client.put(f"/api/objects/{NAME}", content=DATA)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)

    def is_taken() -> bool:
        return client.put(f"/api/objects/{NAME}", content=DATA).status_code == 201

    wait_until(is_taken, what="the next file to be taken")


def change(bench: ManagerBench, **settings: Any) -> None:
    """Let the owner change settings."""
    changed = replace(bench.reactor.settings, **settings)
    bench.service.call(lambda _at: bench.reactor.reload(changed, bench.templates))


def test_there_is_room_for_so_much(bench: ManagerBench, client: Client) -> None:
    change(bench, files_store_bytes=len(DATA))
    other = b"other"
    assert client.put(f"/api/objects/{NAME}", content=DATA).status_code == 201
    answer = client.put(f"/api/objects/sha256:{sha256(other).hexdigest()}", content=other)
    assert answer.status_code == 507
    assert f"files.store is {len(DATA)} bytes" in answer.json()["error"]
    assert stored(bench) == [NAME.removeprefix("sha256:")]


def test_what_must_stay_free_of_the_disk_does(bench: ManagerBench, client: Client) -> None:
    change(bench, disk_floor_bytes=1 << 62)
    answer = client.put(f"/api/objects/{NAME}", content=DATA)
    assert (answer.status_code, "disk_floor" in answer.json()["error"]) == (507, True)


def test_a_disk_that_fails_is_said(bench: ManagerBench, client: Client) -> None:
    (bench.path.parent / "uploads").write_text("in the way")
    answer = client.put(f"/api/objects/{NAME}", content=DATA)
    assert answer.status_code == 507


def invoke(server: WebServer, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--url", server.url, "--token", TOKEN])


def test_submit_uploads_a_large_file_and_then_starts(
    bench: ManagerBench, client: Client, server: WebServer, tmp_path: Path
) -> None:
    path = tmp_path / "m31.fits"
    path.write_bytes(DATA)
    done = invoke(server, "submit", "look", "--id", "w1", "--file", f"photo={path}")
    assert (done.exit_code, done.stdout) == (0, "w1\n"), done.stderr
    assert done.stderr == f"m31.fits: {len(DATA)} bytes uploaded\n"
    assert stored(bench) == [NAME.removeprefix("sha256:")]
    photo = client.get("/api/workflows/w1").json()["inputs"]["photo"]
    assert (photo["location"], photo["basename"]) == (f"caroni:{NAME}", "m31.fits")


def test_submit_says_that_there_is_no_room_and_starts_nothing(
    bench: ManagerBench, client: Client, server: WebServer, tmp_path: Path
) -> None:
    change(bench, files_store_bytes=100_000)
    path = tmp_path / "m31.fits"
    path.write_bytes(DATA)
    done = invoke(server, "submit", "look", "--id", "w1", "--file", f"photo={path}")
    assert (done.exit_code, "files.store is 100000 bytes" in done.stderr) == (1, True), done.stderr
    assert client.get("/api/workflows/w1").status_code == 404
