"""What holds for every page of both nodes: people can read it, by eye, by ear and on a telephone."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from litestar.handlers import HTTPRouteHandler
from playwright.sync_api import Page

from caroni_edge.agent.pages import site as agent_site
from caroni_edge.manager.pages import site as manager_site
from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.web_bench import ManagerBench

LONG = "a2-with-a-name-as-long-as-they-get"
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
    "/agents",
    "/agents?job_type=none",
    "/agents/a1",
    f"/agents/{LONG}",
]
EMPTY = ["/", "/templates/test_simple", "/agents"]
AGENT = ["/", "/schema"]
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
    bench.see("a1", "foojob0", "foojob1", "foojob2", slots=4)
    bench.see(LONG, "foojob0", refuses={"*": "drained", "foojob0": "its last 10 jobs of this type have failed"})
    bench.lose(LONG)
    for workflow in ("done", "failed-at-last", "x" * 64):
        bench.trigger(workflow=workflow)
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_an_agent(agent: WebServer, open_page: OpenPage, scheme: str) -> None:
    page = open_page(agent.url, scheme=scheme)
    for path in AGENT:
        for width in (NARROW_PX, 1100):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(agent.url + path)
            look(page)


def test_pages_without_anything_to_show(manager: WebServer, open_page: OpenPage) -> None:
    page = open_page(manager.url)
    for path in EMPTY:
        page.goto(manager.url + path)
        look(page)
