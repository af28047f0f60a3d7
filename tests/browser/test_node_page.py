"""The page of the node, which both roles have, in a browser."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caroni_edge.protocol.messages import JobAccepted, JobKill
from caroni_edge.web import node_page
from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.browser.test_all_pages import NARROW_PX, look
from tests.node_bench import ServedNode

PAGES = ["/node", "/node/audit", "/node/dead-letters/1"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    """Make a node with something of everything that its page shows."""
    with closing(ServedNode(tmp_path)) as node:
        node.node.checks.append(lambda: "the keeper is gone, and that is a sentence that needs more than one line")
        node.reactor.on[JobAccepted] = refuse
        node.send(JobAccepted(jobs=("job000001",)))
        node.call(lambda _at: node.node.links.put("a2-with-a-name-as-long-as-they-get", JobKill("job000001", "no")))
        yield node


def refuse(_message: object) -> None:
    raise ValueError("no such luck: " + "x" * 200)


@pytest.fixture
def server(node: ServedNode) -> Iterator[WebServer]:
    with node.serve() as server:
        yield server


def test_every_page_is_looked_at() -> None:
    asked = [path for page in node_page.PAGES if "GET" in page.http_methods for path in page.paths]
    assert len(asked) == len(PAGES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_read_by_everybody(server: WebServer, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{server.url}/login?next=/node", scheme=scheme)
    for path in PAGES:
        for width in (NARROW_PX, 1100):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(server.url + path)
            page.evaluate("for (const each of document.querySelectorAll('details:not(.ask)')) each.open = true")
            look(page)
            assert page.locator("h1").count() == 1


def test_a_dead_letter_is_retried_by_a_press(node: ServedNode, server: WebServer, open_page: OpenPage) -> None:
    page = open_page(f"{server.url}/login?next=/node")
    node.reactor.on.clear()
    page.get_by_role("button", name="Retry").click()
    page.wait_for_url(re.compile("/node$"))
    assert page.get_by_role("status").first.inner_text() == "Dead letter 1 was handled."
    assert page.get_by_text("Every message could be handled.").is_visible()


def test_a_peer_is_forgotten_after_a_question(server: WebServer, open_page: OpenPage) -> None:
    page = open_page(f"{server.url}/login?next=/node", script=False)
    page.locator("details.ask summary").first.click()
    page.get_by_role("button", name="Forget agents/a1").click()
    assert "agents/a1 is forgotten" in page.get_by_role("status").first.inner_text()
