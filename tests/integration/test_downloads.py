"""Files of workflows are downloaded from the manager: by ranges, in safe headers, from agents where they lie there."""

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caroni_edge.cli import _bringing, main
from caroni_edge.manager.holding.port import Came
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId, PlaceFailed
from caroni_edge.objects.transfer.progress import Moving, Progress
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.values.carried import file_value, object_value
from caroni_edge.web.server import WebServer
from tests.web_bench import TOKEN, Client, ManagerBench

DATA = b"<script>alert(1)</script>" * 4_000
FOUND = Object(sha256(DATA).hexdigest(), len(DATA))
URL = f"/api/objects/{FOUND.id}"
VALUE = object_value("m31.html", FOUND, "0" * 40)
TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {}
steps:
  make:
    run: {class: Operation, inputs: {}, outputs: {all: "File[]", count: int}}
    hints: {caroni:JobType: {name: make}}
    in: {}
    out: [all, count]
outputs:
  all: {type: "File[]", outputSource: make/all}
  count: {type: int, outputSource: make/count}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    """Give a manager with a workflow, w1, that has a large file and two small ones, and one that goes on, w2."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "make.cwl").write_text(TEMPLATE)
    with closing(ManagerBench(tmp_path, directory=tmp_path / "templates", disk_floor_bytes=0)) as bench:
        bench.see("a1", "make")
        for workflow in ("w1", "w2"):
            start(bench, workflow)
            if workflow == "w1":
                files = [VALUE, file_value("a.txt", b"one"), file_value("a.txt", b"two")]
                job = bench.place("a1", "make").job
                bench.status("a1", job, "completed", begun=True, outputs={"all": files, "count": 3}, ended=5.0)
        yield bench


def start(bench: ManagerBench, workflow: str) -> None:
    trigger = Trigger(template="make", inputs={}, id=workflow)
    bench.service.call(lambda at: bench.reactor.start_workflow(trigger, at))


def arrive(bench: ManagerBench) -> None:
    """Let the file come from its agent."""
    path = bench.storage.path(FOUND.id)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    bench.service.call(lambda at: bench.reactor.on_files(Came(FOUND), at))


def test_what_lies_at_an_agent_comes_first(bench: ManagerBench, client: Client) -> None:
    answer = client.get(URL)
    assert (answer.status_code, answer.headers["Caroni-Left"]) == (503, str(len(DATA)))
    assert "Retry-After" in answer.headers
    assert f"comes from agent a1; {len(DATA)} bytes are missing" in answer.json()["error"]
    arrive(bench)
    answer = client.get(URL)
    assert (answer.status_code, answer.content) == (200, DATA)


def test_how_far_it_is_and_why_it_does_not_come_is_said(
    bench: ManagerBench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.lose("a1")
    far = {FetchId("m1", FOUND.sha256): Progress(7, None)}
    monkeypatch.setattr(bench.storage.arrivals, "moving", lambda: Moving(far))
    answer = client.get(URL)
    assert answer.headers["Caroni-Left"] == "7"
    assert "from agent a1 (offline" in answer.json()["error"]
    monkeypatch.setattr(bench.storage.arrivals, "moving", lambda: Moving(far, problem="the broker is deaf"))
    assert "the broker is deaf" in client.get(URL).json()["error"]


def test_nothing_of_it_runs_in_a_page(bench: ManagerBench, client: Client) -> None:
    arrive(bench)
    answer = client.get(URL, params={"basename": 'mé "31".html'})
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=\"m___31_.html\"; filename*=UTF-8''m%C3%A9%20%2231%22.html"


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(DATA)),
        ("bytes=-10", len(DATA) - 10, len(DATA)),
        ("bytes=-999999999", 0, len(DATA)),
        ("bytes=99999-999999999", 99_999, len(DATA)),
    ],
)
def test_a_range_is_served(bench: ManagerBench, client: Client, asked: str, begin: int, end: int) -> None:
    arrive(bench)
    answer = client.get(URL, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[begin:end])
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(end - begin)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-4", "lines=1-2", "bytes=-", "bytes=x"])
def test_what_is_no_range_is_the_whole(bench: ManagerBench, client: Client, asked: str) -> None:
    arrive(bench)
    answer = client.get(URL, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_of_another_file_no_range_is_taken(bench: ManagerBench, client: Client) -> None:
    arrive(bench)
    tag = client.get(URL).headers["ETag"]
    assert client.get(URL, headers={"Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    assert client.get(URL, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=-0"])
def test_what_is_beyond_the_end_is_not_there(bench: ManagerBench, client: Client, asked: str) -> None:
    arrive(bench)
    answer = client.get(URL, headers={"Range": asked})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


def test_what_no_workflow_has_is_not_there(client: Client) -> None:
    assert client.get(f"/api/objects/sha256:{'0' * 64}").status_code == 404
    assert client.get("/api/objects/passwd").status_code == 404


def test_a_viewer_may_read_what_workflows_have(bench: ManagerBench, server: WebServer) -> None:
    arrive(bench)
    with Client(server, token=None) as viewer:
        assert viewer.get(URL).status_code == 401
        viewer.post("/login", data={"username": "viola", "password": "looks"})
        assert viewer.get(URL).content == DATA


# The command line


def fetch(server: WebServer, *words: str) -> Result:
    return CliRunner().invoke(main, ["fetch", *words, "--url", server.url, "--token", TOKEN])


def test_fetch_brings_all_files_under_names_of_their_own(
    bench: ManagerBench, server: WebServer, tmp_path: Path
) -> None:
    arrive(bench)
    there = tmp_path / "results"
    done = fetch(server, "w1", "-o", str(there))
    assert (done.exit_code, done.stderr) == (0, f"m31.html: {len(DATA)} bytes fetched\n")
    assert done.stdout.splitlines() == [f"{there}/m31.html", f"{there}/a.txt", f"{there}/a-2.txt"]
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {
        "m31.html": DATA,
        "a.txt": b"one",
        "a-2.txt": b"two",
    }
    again = fetch(server, "w1", "all", "-o", str(there), "--json")
    assert (again.exit_code, again.stderr) == (0, "")
    assert [each["size"] for each in json.loads(again.stdout)] == [len(DATA), 3, 3]


def test_fetch_waits_for_a_file_and_goes_on_where_it_broke_off(
    bench: ManagerBench, server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f".{FOUND.sha256[:32]}.part").write_bytes(DATA[:1000])
    monkeypatch.setattr(_bringing, "sleep", lambda _s: arrive(bench))
    done = fetch(server, "w1", "make/all", "-o", str(tmp_path))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "m31.html").read_bytes() == DATA


def test_fetch_gives_up_when_it_is_time(server: WebServer, tmp_path: Path) -> None:
    done = fetch(server, "w1", "-o", str(tmp_path), "--timeout", "1ms")
    assert (done.exit_code, "has not come in time: the file comes from agent a1" in done.stderr) == (3, True)


def test_fetch_takes_no_other_file_s_place(bench: ManagerBench, server: WebServer, tmp_path: Path) -> None:
    arrive(bench)
    (tmp_path / "m31.html").write_text("mine")
    done = fetch(server, "w1", "-o", str(tmp_path))
    assert (done.exit_code, "there is another file" in done.stderr) == (1, True)
    assert (tmp_path / "m31.html").read_text() == "mine"


def test_fetch_throws_away_what_has_another_hash(bench: ManagerBench, server: WebServer, tmp_path: Path) -> None:
    arrive(bench)
    (tmp_path / f".{FOUND.sha256[:32]}.part").write_bytes(b"x" * 1000)
    done = fetch(server, "w1", "-o", str(tmp_path))
    assert (done.exit_code, "does not have its hash" in done.stderr) == (1, True)
    assert fetch(server, "w1", "-o", str(tmp_path)).exit_code == 0


def test_fetch_says_what_is_not_to_be_had(bench: ManagerBench, server: WebServer, tmp_path: Path) -> None:
    assert fetch(server, "w1", "-o", str(tmp_path), "--timeout", "1ms").exit_code == 3
    failed = PlaceFailed(FetchId("m1", FOUND.sha256), Peer("agents", "a1"), "unknown")
    bench.service.call(lambda at: bench.reactor.on_files(failed, at))
    done = fetch(server, "w1", "-o", str(tmp_path))
    assert (done.exit_code, "is not to be had from a1 any more" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("w1", "al"), 2, 'did you mean "all"'),
        (("w1", "mak/all"), 2, 'did you mean "make"'),
        (("w1", "count"), 1, "there are no files among these outputs"),
        (("w2",), 1, "has no outputs yet"),
        (("w3",), 1, "w3"),
    ],
)
def test_fetch_says_what_is_wrong(server: WebServer, words: tuple[str, ...], status: int, said: str) -> None:
    done = fetch(server, *words)
    assert (done.exit_code, said in done.stderr) == (status, True), done.stderr


# Pages


PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def put(client: Client, data: bytes) -> str:
    """Upload a file; return its name."""
    name = f"sha256:{sha256(data).hexdigest()}"
    assert client.put(f"/api/objects/{name}", content=data).status_code == 201
    return name


def test_a_run_leads_to_its_files_and_they_come_when_somebody_wants_them(bench: ManagerBench, client: Client) -> None:
    page = client.get("/runs/w1").text
    link = f"/files/{FOUND.id}?basename=m31.html"
    assert link.replace(":", "%3A") in page or link in page
    page = client.get(link).text
    assert "It lies at agent a1" in page
    assert not bench.service.call(lambda _at: bench.reactor._store.copies.all())
    page = client.get(f"{link}&bring=true").text
    assert f"The file comes from agent a1; {len(DATA)} bytes are missing." in page
    arrive(bench)
    page = client.get(f"{link}&bring=true").text
    assert f'href="/api/objects/{FOUND.id}?basename=m31.html"' in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_picture_is_shown_by_what_is_in_it(client: Client) -> None:
    name = put(client, PNG)
    assert f'src="/files/{name}/picture"' in client.get(f"/files/{name}").text
    answer = client.get(f"/files/{name}/picture")
    assert (answer.headers["Content-Type"], answer.content) == ("image/png", PNG)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("data", [b'<svg xmlns="http://www.w3.org/2000/svg"/>', b"\x00\x01", b"%PDF-1.4\n\xff"])
def test_nothing_else_is_a_picture(client: Client, data: bytes) -> None:
    name = put(client, data)
    assert "<img" not in client.get(f"/files/{name}").text
    assert client.get(f"/files/{name}/picture").status_code == 415


def test_of_a_long_text_the_beginning_is_shown(client: Client) -> None:
    name = put(client, "é".encode() * 40_000 + b"end")
    page = client.get(f"/files/{name}").text
    assert "ééé" in page
    assert "éend" not in page


def test_the_page_of_no_file_is_nowhere(client: Client) -> None:
    assert client.get(f"/files/sha256:{'0' * 64}").status_code == 404
    assert client.get("/files/x").status_code == 404
