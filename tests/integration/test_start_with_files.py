"""The form that starts a workflow brings files of any size: all of them are kept when it is whole and right."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.manager.holding import storage
from caroni_edge.manager.pages import startfiles
from caroni_edge.web import streams
from caroni_edge.web.server import WebServer
from tests.support import wait_until
from tests.web_bench import PASSWORD, TOKEN, Client, ManagerBench, serve_manager

HTML = {"Accept": "text/html"}
LARGE = [bytes(range(256)) * 10_000, bytes(reversed(range(256))) * 5_000]
NAMES = [sha256(each).hexdigest() for each in LARGE]
FORM = "/templates/look/start/files"

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {photo: File, more: "File[]?", depth: int}
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


@pytest.fixture
def browser(server: WebServer) -> Iterator[Client]:
    with Client(server, token=None) as browser:
        browser.headers.update(HTML)
        browser.post("/login", data={"username": "admin", "password": PASSWORD})
        yield browser


def csrf_of(browser: Client) -> str:
    (found,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get("/templates/look/start").text))
    return str(found)


def stored(bench: ManagerBench) -> list[str]:
    """Return the objects that lie on disk, and what is on its way."""
    state = bench.path.parent
    found = [*state.glob("objects/*/*"), *state.glob("part/*"), *state.glob("uploads/*")]
    return sorted(path.name for path in found)


def inputs_of(bench: ManagerBench, workflow: str) -> dict[str, Any]:
    with bench.views() as views:
        shown = views.workflow(workflow)
    assert shown is not None
    return shown["inputs"]


def chosen(*files: tuple[str, bytes], field: str = "file-photo") -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, each) for each in files]


def large(data: bytes, basename: str) -> dict[str, Any]:
    """Return the value of a file that is an object."""
    return {
        "class": "File",
        "basename": basename,
        "size": len(data),
        "checksum": f"sha1${sha1(data, usedforsecurity=False).hexdigest()}",
        "location": f"caroni:sha256:{sha256(data).hexdigest()}",
    }


def test_the_form_of_a_person_brings_small_and_large_files(bench: ManagerBench, browser: Client) -> None:
    page = browser.get("/templates/look/start").text
    assert f'action="{FORM}" enctype="multipart/form-data"' in page
    assert 'type="file" id="f-input-photo" name="file-photo"' in page
    assert 'name="file-more" multiple' in page
    files = [
        *chosen(("C:\\pictures\\m31.fits", LARGE[0])),
        *chosen(("a.txt", b"hello\n"), ("b.bin", LARGE[1]), field="file-more"),
    ]
    data = {"csrf": csrf_of(browser), "id": "w1", "input-depth": "3", "input-photo": "", "labels": "cruise=42"}
    answer = browser.post(FORM, data=data, files=files)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs/w1")
    inputs = inputs_of(bench, "w1")
    assert (inputs["photo"], inputs["depth"]) == (large(LARGE[0], "m31.fits"), 3)
    assert (inputs["more"][0]["contents"], inputs["more"][1]) == ("hello\n", large(LARGE[1], "b.bin"))
    assert stored(bench) == sorted(NAMES)
    again = browser.post(FORM, data=data, files=files)
    assert again.headers["Location"] == "/runs/w1"
    assert stored(bench) == sorted(NAMES)


def test_where_no_file_is_chosen_what_is_written_counts(bench: ManagerBench, client: Client) -> None:
    files = chosen(("", b"")) + chosen(("", b""), field="file-more")
    photo = '{"class": "File", "basename": "a.txt", "contents": "x"}'
    data = {"id": "w1", "input-depth": "3", "input-photo": photo}
    assert client.post(FORM, data=data, files=files).status_code == 303
    assert inputs_of(bench, "w1")["photo"]["contents"] == "x"
    assert inputs_of(bench, "w1").get("more") is None


@pytest.mark.parametrize("csrf", [{"csrf": "wrong"}, {}, {"csrf": "x" * 5000}, {"id": "w1", "csrf": "RIGHT"}])
def test_of_a_form_without_its_token_in_front_nothing_is_kept(
    bench: ManagerBench, browser: Client, csrf: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = csrf_of(browser)
    monkeypatch.setattr(bench.storage, "receive", lambda *_: pytest.fail("a file was begun"))
    data = {name: value.replace("RIGHT", right) for name, value in csrf.items()} | {"input-depth": "3"}
    assert browser.post(FORM, data=data, files=chosen(("m31.fits", LARGE[0]))).status_code == 403
    assert stored(bench) == []


def test_the_token_may_come_by_the_header(bench: ManagerBench, browser: Client) -> None:
    headers = {"X-CSRF-Token": csrf_of(browser)}
    data = {"id": "w1", "input-depth": "3"}
    assert browser.post(FORM, data=data, files=chosen(("a", LARGE[0])), headers=headers).status_code == 303
    assert stored(bench) == NAMES[:1]


def test_viewers_and_strangers_bring_nothing(bench: ManagerBench, server: WebServer) -> None:
    for login, status in (({"username": "viola", "password": "looks"}, 403), (None, 401)):
        with Client(server, token=None) as other:
            if login:
                other.headers.update(HTML)
                other.post("/login", data=login)
            assert other.post(FORM, files=chosen(("a", LARGE[0]))).status_code == status
    assert stored(bench) == []


@pytest.mark.parametrize(
    ("data", "files", "words"),
    [
        ({"input-depth": "deep"}, chosen(("a", LARGE[0])), "must be a number"),
        ({"input-depth": "3"}, chosen(("a", LARGE[0]), ("b", LARGE[1])), "takes one file, and 2 were chosen"),
        ({"input-depth": "3"}, chosen(("a", LARGE[0]), field="file-depth"), "depth"),
        ({"input-depth": "3"}, chosen(("x" * 256, LARGE[0])), "has more than 255 bytes"),
        ({"input-depth": "3"}, chosen(("..", LARGE[0])), "is no name of a file"),
        ({"input-depth": "3"}, chosen(("a", LARGE[0]), field="file-none"), "photo"),
        ({"input-depth": "3", "labels": "none"}, chosen(("a", LARGE[0])), "choose the files again"),
        ({"input-depth": "3", "id": "no/segment"}, chosen(("a", LARGE[0])), "choose the files again"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_and_nothing_is_kept(
    bench: ManagerBench, client: Client, data: dict[str, str], files: Any, words: str
) -> None:
    answer = client.post(FORM, data=data, files=files, headers=HTML)
    assert (answer.status_code, words in answer.text) == (422, True)
    wait_until(lambda: not stored(bench), what="the files to be deleted")


def test_of_a_refused_start_stays_only_what_was_there_before(bench: ManagerBench, client: Client) -> None:
    data = {"id": "w1", "input-depth": "3"}
    assert client.post(FORM, data=data, files=chosen(("a", LARGE[0]))).status_code == 303
    files = chosen(("a", LARGE[0])) + chosen(("b", LARGE[1]), ("c", LARGE[1]), field="file-more")
    answer = client.post(FORM, data=data, files=files, headers=HTML)
    assert answer.status_code == 422  # another workflow has this name
    wait_until(lambda: stored(bench) == NAMES[:1], what="the other file to be deleted")
    assert client.post(FORM, data=data, files=chosen(("a", LARGE[0]))).headers["Location"] == "/runs/w1"


def part(name: str, filename: str, data: bytes) -> bytes:
    about = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return b"--cut\r\n" + about.encode() + data + b"\r\n"


def test_of_a_client_that_goes_away_nothing_is_kept(bench: ManagerBench, server: WebServer) -> None:
    body = part("file-photo", "a", LARGE[0]) + part("file-more", "b", LARGE[1])
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/form-data; boundary=cut\r\n"
        client.sendall(f"POST {FORM} HTTP/1.1\r\n{head}Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
        wait_until(lambda: stored(bench), what="the files to begin")
    wait_until(lambda: not stored(bench), what="the files to be deleted")
    assert bench.storage.receive(1).size == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (part("file-photo", "a", LARGE[0]), 400),
        (b"no form", 400),
        (b"", 400),
        (b"--cut\r\n" + b"x" * 5000, 413),
        (b'--cut\r\nContent-Disposition: form-data; name="id"\r\n\r\n\xff\r\n--cut--', 400),
    ],
)
def test_what_is_no_whole_form_is_refused_and_nothing_of_it_kept(
    bench: ManagerBench, client: Client, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    assert client.post(FORM, content=body, headers=headers).status_code == status
    assert stored(bench) == []


def test_what_follows_behind_the_end_of_a_form_is_nothing(
    bench: ManagerBench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PIECE_BYTES", 1)
    depth = b'--cut\r\nContent-Disposition: form-data; name="input-depth"\r\n\r\n3\r\n'
    body = depth + part("file-photo", "a", LARGE[0]) + b"--cut--" + b"\r\n" * 200_000
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    assert client.post(FORM, content=body, headers=headers).status_code == 303
    assert stored(bench) == NAMES[:1]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""])
def test_other_bodies_are_not_taken_there(client: Client, kind: str) -> None:
    assert client.post(FORM, content=b"input-depth=3", headers={"Content-Type": kind}).status_code == 415


def test_who_does_not_say_how_much_comes_is_asked_to(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    assert client.post(FORM, content=iter([b"--cut"]), headers=headers).status_code == 411


@pytest.mark.parametrize(
    ("where", "bound", "most"),
    [(streams, "PARTS_MAX", 2), (startfiles, "LARGE_MAX", 1), (startfiles, "SMALL_MAX_BYTES", 9)],
)
def test_what_a_form_brings_is_bounded(
    bench: ManagerBench, client: Client, monkeypatch: pytest.MonkeyPatch, where: Any, bound: str, most: int
) -> None:
    monkeypatch.setattr(where, bound, most)
    files = chosen(("a", LARGE[0]), ("b", LARGE[1]), ("c", b"0123456789"))
    assert client.post(FORM, files=files).status_code == 413
    wait_until(lambda: not stored(bench), what="the files to be deleted")


def test_the_files_of_a_form_are_one_upload_and_others_wait(
    bench: ManagerBench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "AT_ONCE_MAX", 1)
    data = {"id": "w1", "input-depth": "3"}
    files = chosen(("a", LARGE[0])) + chosen(("b", LARGE[1]), field="file-more")
    with_other = bench.storage.receive(1)
    answer = client.post(FORM, data=data, files=files)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    with_other.end()
    assert client.post(FORM, data=data, files=files).status_code == 303


def test_without_room_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "look.cwl").write_text(TEMPLATE)
    room = len(LARGE[0]) + 1000
    made = ManagerBench(tmp_path, directory=tmp_path / "templates", disk_floor_bytes=0, files_store_bytes=room)
    with closing(made) as bench, serve_manager(bench, tmp_path) as server, Client(server) as client:
        files = chosen(("a", LARGE[0])) + chosen(("b", LARGE[1]), field="file-more")
        assert client.post(FORM, data={"input-depth": "3"}, files=files).status_code == 507
        wait_until(lambda: not stored(bench), what="the files to be deleted")
        assert client.post(FORM, data={"input-depth": "3"}, files=chosen(("a", LARGE[0]))).status_code == 303
