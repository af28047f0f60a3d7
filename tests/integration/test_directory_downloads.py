"""Directories of workflows are brought whole: nothing outside of them, nothing in the place of another file."""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge.cli import _bringing, main
from caroni_edge.manager.holding.port import Came
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.values.carried import directory_value, file_value
from caroni_edge.values.directories import Entry, written
from caroni_edge.values.json import canonical
from caroni_edge.web.server import WebServer
from tests.web_bench import TOKEN, Client, ManagerBench, serve_manager

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {}
steps:
  make:
    run: {class: Operation, inputs: {}, outputs: {all: "Directory[]"}}
    hints: {caroni:JobType: {name: make}}
    in: {}
    out: [all]
outputs:
  all: {type: "Directory[]", outputSource: make/all}
"""


def named(data: bytes) -> Object:
    return Object(sha256(data).hexdigest(), len(data))


PHOTO, SCRIPT = b"star" * 10_000, b"#!/bin/sh\necho ran\n"
LIST = written(
    [
        Entry("empty/deep/"),
        Entry("raw/m31.fits", False, named(PHOTO)),
        Entry("raw/nothing", False, named(b"")),
        Entry("run", True, named(SCRIPT)),
        Entry("twice.fits", False, named(PHOTO)),
    ]
)
NIGHT = directory_value("night", named(LIST))
SMALL: dict[str, Any] = {
    "class": "Directory",
    "basename": "night",
    "listing": [
        file_value("a.txt", b"one"),
        {"class": "Directory", "basename": "none", "listing": []},
        {"class": "Directory", "basename": "in", "listing": [file_value("a.txt", b"two")]},
    ],
}
AT_AGENT = {named(data).id: data for data in (PHOTO, SCRIPT, LIST, b"")}


class Site:
    """A manager with a workflow that has given directories, which lie at an agent."""

    def __init__(self, bench: ManagerBench, server: WebServer, directory: Path) -> None:
        self.bench, self.server, self.directory = bench, server, directory
        self.times_waited = 0

    def give(self, *values: dict[str, Any]) -> None:
        trigger = Trigger(template="make", inputs={}, id="w1")
        self.bench.service.call(lambda at: self.bench.reactor.start_workflow(trigger, at))
        job = self.bench.place("a1", "make").job
        self.bench.status("a1", job, "completed", begun=True, outputs={"all": list(values)}, ended=5.0)

    def arrive(self, *_: Any) -> None:
        """Let come what is asked for."""
        self.times_waited += 1
        for each in self.bench.service.call(lambda _at: self.bench.reactor._store.copies.all()):
            path = self.bench.storage.path(each.object)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(AT_AGENT[each.object])
            came = Came(named(path.read_bytes()))
            self.bench.service.call(partial(self.bench.reactor.on_files, came))

    def fetch(self, *words: str) -> Result:
        options = ["--url", self.server.url, "--token", TOKEN, "-o", str(self.directory)]
        return CliRunner().invoke(main, ["fetch", "w1", *options, *words])

    def found(self) -> dict[str, bytes | None]:
        """Return what is there: paths, and what is in the files."""
        return {
            str(path.relative_to(self.directory)): path.read_bytes() if path.is_file() else None
            for path in self.directory.rglob("*")
        }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "make.cwl").write_text(TEMPLATE)
    with (
        closing(ManagerBench(tmp_path, directory=tmp_path / "templates", disk_floor_bytes=0)) as bench,
        serve_manager(bench, tmp_path) as server,
    ):
        bench.see("a1", "make")
        site = Site(bench, server, tmp_path / "results")
        monkeypatch.setattr(_bringing, "sleep", site.arrive)
        yield site


WHOLE = {
    "night": None,
    "night/empty": None,
    "night/empty/deep": None,
    "night/raw": None,
    "night/raw/m31.fits": PHOTO,
    "night/raw/nothing": b"",
    "night/run": SCRIPT,
    "night/twice.fits": PHOTO,
}


def test_a_directory_comes_whole_and_again_nothing_of_it(site: Site) -> None:
    site.give(NIGHT)
    done = site.fetch()
    size = 2 * len(PHOTO) + len(SCRIPT)
    assert (done.exit_code, done.stderr) == (0, f"night: {size} bytes fetched\n")
    assert done.stdout == f"{site.directory}/night\n"
    assert site.found() == WHOLE
    assert (site.directory / "night/run").stat().st_mode & 0o700 == 0o700
    assert (site.directory / "night/raw/m31.fits").stat().st_mode & 0o111 == 0
    again = site.fetch("--json")
    assert (again.exit_code, again.stderr) == (0, "")
    assert json.loads(again.stdout) == [{"output": "all", "path": f"{site.directory}/night", "size": size}]


def test_a_small_one_comes_too_under_a_name_of_its_own(site: Site) -> None:
    site.give(NIGHT, SMALL)
    assert site.fetch().exit_code == 0
    small = {
        "night-2": None,
        "night-2/a.txt": b"one",
        "night-2/none": None,
        "night-2/in": None,
        "night-2/in/a.txt": b"two",
    }
    assert site.found() == WHOLE | small


def test_a_small_one_may_hold_a_large_one(site: Site) -> None:
    site.give({"class": "Directory", "basename": "all", "listing": [NIGHT]})
    assert site.fetch().exit_code == 0
    assert site.found() == {"all": None} | {f"all/{path}": data for path, data in WHOLE.items()}


def test_it_goes_on_where_it_broke_off(site: Site) -> None:
    site.give(NIGHT)
    (site.directory / "night/raw").mkdir(parents=True)
    (site.directory / "night/raw/m31.fits").write_bytes(PHOTO)
    (site.directory / f".{named(SCRIPT).sha256[:32]}.part").write_bytes(SCRIPT[:5])
    assert site.fetch().exit_code == 0
    assert site.found() == WHOLE


def test_files_come_together_and_not_one_after_the_other(site: Site) -> None:
    site.give(NIGHT)
    assert site.fetch().exit_code == 0
    assert site.times_waited == 2  # for the list, and for all that it names


def test_what_has_not_come_in_time_is_said(site: Site) -> None:
    site.give(NIGHT)
    done = site.fetch("--timeout", "1ms")
    assert (done.exit_code, "has not come in time: the file comes from agent a1" in done.stderr) == (3, True)
    assert site.found() == {}


def test_what_stands_in_the_way_is_said_before_anything_comes(site: Site) -> None:
    site.give(NIGHT)
    (site.directory / "night").mkdir(parents=True)
    (site.directory / "night/run").write_bytes(b"mine")
    done = site.fetch()
    assert (done.exit_code, f"there is another file {site.directory}/night/run" in done.stderr) == (1, True)
    assert site.found() == {"night": None, "night/run": b"mine"}


@pytest.mark.parametrize("link", ["night", "night/raw"])
def test_a_link_leads_nothing_elsewhere(site: Site, link: str, tmp_path: Path) -> None:
    site.give(NIGHT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (site.directory / link).parent.mkdir(parents=True)
    (site.directory / link).symlink_to(elsewhere)
    done = site.fetch()
    assert (done.exit_code, f"there is another file {site.directory}/{link}" in done.stderr) == (1, True)
    assert [*elsewhere.iterdir()] == []


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out", "a//b", "a\nb"])
def test_a_list_with_other_names_is_none(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = canonical([[path, False, 0, named(b"").id]]).encode()
    monkeypatch.setitem(AT_AGENT, named(data).id, data)
    site.give(directory_value("night", named(data)))
    done = site.fetch()
    assert (done.exit_code, "night cannot be brought: " in done.stderr) == (1, True)
    assert site.found() == {}


def test_what_is_not_in_a_directory_is_not_to_be_had_by_it(site: Site) -> None:
    site.give(NIGHT)
    with Client(site.server) as client:
        url = f"/api/objects/{named(SCRIPT).id}"
        inside = {"directory": named(LIST).id}
        assert client.get(url).status_code == 404
        assert client.get(url, params=inside).headers["Caroni-Left"] == str(len(LIST))
        site.arrive()
        assert client.get(url, params=inside).headers["Caroni-Left"] == str(len(SCRIPT))
        site.arrive()
        assert client.get(url, params=inside).content == SCRIPT
        other = f"/api/objects/sha256:{'0' * 64}"
        assert "has no file" in client.get(other, params=inside).json()["error"]
        none = client.get(other, params={"directory": named(SCRIPT).id})
        assert (none.status_code, "is no directory" in none.json()["error"]) == (404, True)
        assert client.get(other, params={"directory": "x"}).status_code == 404


def test_a_run_leads_to_its_directories_and_they_to_their_files(site: Site) -> None:
    site.give({"class": "Directory", "basename": "all", "listing": [NIGHT]})
    top, script = named(LIST).id, named(SCRIPT).id
    quoted = f"/directories/{top}?basename=night"
    with Client(site.server) as client:
        assert quoted in client.get("/runs/w1").text
        assert "It lies at agent a1" in client.get(quoted).text
        assert "The file comes from agent a1" in client.get(f"{quoted}&bring=true").text
        site.arrive()
        page = client.get(f"{quoted}&bring=true").text
        assert "4 files, 78.1 KiB" in page
        assert "raw/m31.fits" in page
        assert "empty/deep/ <small>empty folder" in page
        link = f"/files/{script}?basename=run&amp;directory={top.replace(':', '%3A')}"
        assert link in page
        link = link.replace("&amp;", "&")
        assert "It lies at agent a1" in client.get(link).text
        client.get(f"{link}&bring=true")
        site.arrive()
        page = client.get(link).text
        assert f'href="/api/objects/{script}?basename=run&amp;directory=' in page
        assert "echo ran" in page
        assert client.get(f"{quoted}&after=4").text.count("/files/") == 1
        assert client.get(f"/directories/{script}").status_code == 404
        assert client.get("/directories/x").status_code == 404
