"""A real Chromium, and nodes whose pages it looks at; a page that complains on its console fails its test."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from caroni_edge.web.server import WebServer
from tests.brokers import find
from tests.web_bench import PASSWORD, AgentBench, ManagerBench, serve_agent, serve_manager

OpenPage = Callable[..., Page]

WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium. Without it the test is skipped, in CI it fails.

    It ends with the module: as long as Playwright is there no other test of this process can run an event loop.
    """
    program = find("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def _where(said: ConsoleMessage) -> str:
    """Return what a page said on its console, with the address that it said it of."""
    return f"{said.text} ({said.location['url']}, on {said.page.url if said.page else 'no page'})"


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Open windows, each with its own cookies: `open_page(url, user=…, width=…, scheme=…, script=…)`."""
    opened: list[Page] = []
    complaints: list[str] = []

    def open_(
        url: str,
        *,
        user: tuple[str, str] | None = ("admin", PASSWORD),
        width: int = 1100,
        scheme: str = "light",
        script: bool = True,
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
        )
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(_where(said)) if said.type == "error" else None)
        opened.append(page)
        page.goto(url)
        if user is not None:
            page.fill("#username", user[0])
            page.fill("#password", user[1])
            page.click("button")
            page.wait_for_url(lambda at: "/login" not in at)
        return page

    yield open_
    for page in opened:
        page.context.close()
    assert not complaints


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    """Make a manager that the test drives."""
    with closing(ManagerBench(tmp_path)) as bench:
        yield bench


@pytest.fixture
def manager(bench: ManagerBench, tmp_path: Path) -> Iterator[WebServer]:
    """Serve the pages of that manager."""
    with serve_manager(bench, tmp_path) as server:
        yield server


@pytest.fixture
def agent_bench() -> AgentBench:
    """Make an agent that the test drives."""
    return AgentBench()


@pytest.fixture
def agent(agent_bench: AgentBench, tmp_path: Path) -> Iterator[WebServer]:
    """Serve the pages of that agent."""
    with serve_agent(agent_bench, tmp_path / "agent") as server:
        yield server
