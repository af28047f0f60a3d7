"""What docs/failures.md does with a shell, done with a browser alone: the demo watched, a failure found and mended."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from caroni_edge.demo.stage import PASSWORD, USER, Stage
from tests.browser.conftest import OpenPage

WITHIN_MS = 120_000
"""The demo waits 10 s before the next attempt."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(fixed_ports=False) as stage:
        yield stage


def begin(page: Page, stage: Stage, run: str, message: str) -> None:
    """Start a workflow by the form of its template."""
    page.goto(stage.manager.url)
    page.get_by_role("navigation").get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="test_simple", exact=True).click()
    page.get_by_role("link", name="Start…").click()
    page.get_by_label("message").fill(message)
    page.get_by_label("Name of the run").fill(run)
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(f"**/runs/{run}")


def save(page: Page, stage: Stage, source: str) -> None:
    """Write the job type foojob2 on the page of its agent."""
    page.goto(f"{stage.players[1].url}/job-types/foojob2/edit")
    page.get_by_label("The file").fill(source)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/job-types/foojob2")


def test_a_failure_is_found_and_mended_without_a_command_line(stage: Stage, open_page: OpenPage) -> None:
    manager = open_page(stage.manager.url, user=(USER, PASSWORD))
    begin(manager, stage, "well", "caronirocks")
    expect(manager.locator("#facts")).to_contain_text("completed", timeout=WITHIN_MS)
    expect(manager.get_by_text("prepended CARONIROCKSappend").first).to_be_visible()

    agent = open_page(stage.players[1].url, user=(USER, PASSWORD))
    agent.goto(f"{stage.players[1].url}/job-types/foojob2/edit")
    right = agent.get_by_label("The file").input_value()
    save(agent, stage, right.replace("script: |\n", "script: |\n  echo 'no such sonde' >&2; exit 3\n", 1))

    begin(manager, stage, "broken", "hello")
    expect(manager.get_by_text("is asked for again").first).to_be_visible(timeout=WITHIN_MS)
    manager.get_by_role("link", name="append").first.click()
    expect(manager.locator("#attempts")).to_contain_text("no such sonde")
    expect(manager.locator("#attempts")).to_contain_text("a1")

    save(agent, stage, right)
    expect(manager.locator("#attempts")).to_contain_text("completed", timeout=WITHIN_MS)
    manager.goto(f"{stage.manager.url}/runs/broken")
    expect(manager.locator("#facts")).to_contain_text("completed")
    expect(manager.get_by_text(re.compile("prepended HELLO")).first).to_be_visible()
