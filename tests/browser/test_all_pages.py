"""What holds for every page of both nodes: people can read it, by eye, by ear and on a telephone."""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from litestar.handlers import HTTPRouteHandler
from playwright.sync_api import Page

from caroni_edge.agent.pages import site as agent_site
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.manager.holding.port import Came
from caroni_edge.manager.pages import site as manager_site
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.protocol.messages import OfferAccept
from caroni_edge.values.directories import Entry, written
from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.web_bench import AgentBench, ManagerBench

LONG = "a2-with-a-name-as-long-as-they-get"
LIST = written([Entry("empty/"), *(Entry(f"{'long' * 40}/{n}", n % 2 == 0, Object(f"{n:064}", n)) for n in range(300))])
NIGHT = Object(sha256(LIST).hexdigest(), len(LIST))
MANAGER = [
    "/",
    "/schema",
    "/runs/failed-at-last",
    "/runs/failed-at-last/steps",
    "/runs/failed-at-last/timeline",
    "/runs/failed-at-last/dataflows",
    "/runs/failed-at-last/steps/upper",
    "/runs/done/steps/upper",
    "/templates",
    "/templates/diamond",
    "/templates/diamond/start",
    "/templates/diamond/edit",
    "/new-template",
    "/files/sha256:" + "a" * 64,
    f"/directories/{NIGHT.id}",
    "/triggers",
    "/many/cancel",
    "/many/delete?template=none",
    "/agents",
    "/agents?job_type=none",
    "/agents/a1",
    f"/agents/{LONG}",
]
EMPTY = ["/", "/templates/test_simple", "/triggers", "/agents"]
AGENT = [
    "/",
    "/?hours=24",
    "/schema",
    "/jobs",
    "/jobs?status=failed",
    "/jobs/job000001",
    "/jobs/job000002",
    "/job-types",
    "/job-types/upper",
    "/job-types/broken",
    "/job-types/upper/versions/{version}",
    "/job-types/upper/edit",
    "/job-types/broken/edit",
    "/job-types/upper/try",
    "/new-job-type",
]
"""The pages that are looked at, as `busy` has filled them; a page that is missing here fails a test."""
NARROW_PX, BYTES_MAX = 320, 100_000

axe = Axe()


def paths_of(page: Any) -> list[str]:
    """Return where one reads a page: a handler, or a controller that has one."""
    if isinstance(page, type):
        handlers = [each for each in vars(page).values() if isinstance(each, HTTPRouteHandler)]
        return [str(vars(page)["path"])] if any("GET" in each.http_methods for each in handlers) else []
    return [*page.paths] if "GET" in page.http_methods else []


@pytest.mark.parametrize(("pages", "paths"), [(manager_site.PAGES, MANAGER), (agent_site.PAGES, AGENT)])
def test_every_page_is_looked_at(pages: Sequence[Any], paths: list[str]) -> None:
    asked = [path for page in pages for path in paths_of(page)]
    assert asked
    lost = [path for path in asked if not any(re.fullmatch(re.sub(r"{[^}]+}", "[^?]+", path), each) for each in paths)]
    assert not lost, f"nobody looks at {', '.join(lost)}"


def look(page: Page) -> None:
    """Check what a page looks like now."""
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"it is {wide} px wider than its window"
    assert len(page.content()) < BYTES_MAX


@pytest.fixture
def busy(bench: ManagerBench) -> ManagerBench:
    """Give the manager something of everything that its pages show."""

    def lay_list() -> None:
        path = bench.storage.path(NIGHT.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LIST)

    bench.see("a1", "foojob0", "foojob1", "foojob2", slots=4)
    bench.see(LONG, "foojob0", refuses={"*": "drained", "foojob0": "its last 10 jobs of this type have failed"})
    bench.lose(LONG)
    for workflow in ("done", "failed-at-last", "x" * 64):
        bench.trigger(workflow=workflow)
    bench.service.call(lambda _at: bench.reactor._store.places.add(1, ObjectId("sha256:" + "a" * 64), "a1", 5_000_000))
    bench.storage.do(lay_list)  # behind the stock that is taken at the start, which deletes what has no row
    bench.service.call(lambda at: bench.reactor.on_files(Came(NIGHT), at))
    job = bench.place("a1", "foojob0")
    bench.status("a1", job.job, "running", started=1_700_000_000.0)
    bench.fail("a1", "foojob0", stderr="<b>no such file</b>\n" + "long" * 100)
    return bench


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_a_manager(busy: ManagerBench, manager: WebServer, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{manager.url}/login", user=None, scheme=scheme)
    look(page)
    page = open_page(manager.url, scheme=scheme)
    for path in MANAGER:
        for width in (NARROW_PX, 1100):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(manager.url + path)
            look(page)


UPPER = """\
name: upper
inputs: {message: string, times: "int?", mode: {type: enum, symbols: [fast, slow]}, tags: "string[]?"}
outputs: {out: string}
script: |
  echo "a line that is wider than any telephone: out=$CARONI_ENV_message, $CARONI_ENV_times times" >> "$CARONI_OUTPUTS"
"""


@pytest.fixture
def busy_agent(agent_bench: AgentBench, tmp_path: Path) -> AgentBench:
    """Give the agent something of everything that its pages show."""
    directory = tmp_path / "jobtypes"
    directory.mkdir()
    (directory / "upper.yaml").write_text(UPPER)
    (directory / "broken.yaml").write_text("name: broken\ninputs: {message: strng}\n")
    bench = agent_bench.bench
    bench.reload(job_types=directory)
    agent_bench.api.reload_types()
    inputs = {"message": "x" * 300, "mode": "fast"}
    for manager in ("m1", "a-manager-with-a-name-as-long-as-they-get"):
        jobs = [bench.new_job(inputs=inputs, step="outer[12345]/" + "step" * 20) for _ in range(2)]
        bench.place(*jobs, manager=manager)
    bench.advance(600.0)
    bench.runner.logs["job000001"] = b"long" * 100 + b"\n"
    bench.end("job000001", Failed("exit status 3: " + "long" * 100, exit_code=3, stderr="no such file"))
    bench.send(OfferAccept(offer="nooffer1", jobs=(bench.new_job("none"),)))
    bench.call(lambda _: bench.reactor.drain(on=True))
    return agent_bench


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_an_agent(busy_agent: AgentBench, agent: WebServer, open_page: OpenPage, scheme: str) -> None:
    version = busy_agent.bench.reactor.job_types.loaded["upper"].version
    page = open_page(agent.url, scheme=scheme)
    for path in AGENT:
        for width in (NARROW_PX, 1100):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(agent.url + path.format(version=version))
            look(page)


def test_pages_of_an_agent_without_anything_to_show(agent: WebServer, open_page: OpenPage) -> None:
    page = open_page(agent.url)
    for path in ("/", "/jobs", "/job-types"):
        page.goto(agent.url + path)
        look(page)


def test_pages_without_anything_to_show(manager: WebServer, open_page: OpenPage) -> None:
    page = open_page(manager.url)
    for path in EMPTY:
        page.goto(manager.url + path)
        look(page)
