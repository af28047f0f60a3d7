"""Takes the pictures of the README from the demo: `make screenshots`."""

import re
import sys
from pathlib import Path
from shutil import which

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from caroni_edge.demo.bustle import start_survey
from caroni_edge.demo.stage import PASSWORD, USER, Stage

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SURVEYS = 4
WAIT_MS = 60_000


def main() -> None:
    """Run the demo, break something, and take the pictures."""
    program = which("chromium")
    if program is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    with Stage(fixed_ports=False) as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        headers = {"Authorization": f"Bearer {stage.token}"}
        with httpx.Client(base_url=stage.manager.url, headers=headers, trust_env=False) as client:
            for number in range(1, SURVEYS + 1):
                start_survey(client, number)
        take(browser, stage)
        browser.close()


def take(browser: Browser, stage: Stage) -> None:
    """Take each picture when there is something to see on it."""
    manager = log_in(browser, stage.manager.url)
    expect(manager.locator("#runs")).to_contain_text("running", timeout=WAIT_MS)
    picture(manager, "runs")
    manager.goto(f"{stage.manager.url}/runs/survey-{SURVEYS}")
    expect(manager.locator("#facts")).to_contain_text(re.compile("measure [1-9]"), timeout=WAIT_MS)
    picture(manager, "run")
    manager.set_viewport_size({"width": 400, "height": 800})
    picture(manager, "run-narrow")
    agent = log_in(browser, stage.players[2].url, scheme="dark")
    picture(agent, "agent-dark")


def log_in(browser: Browser, url: str, scheme: str = "light") -> Page:
    """Open the pages of a node."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.fill("#username", USER)
    page.fill("#password", PASSWORD)
    page.click("button")
    return page


def picture(page: Page, name: str) -> None:
    """Take a picture of what the window shows."""
    page.screenshot(path=PICTURES / f"{name}.png")
    print(PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
