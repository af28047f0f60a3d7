"""An agent's pages with a real browser: they follow what happens, and a job type is mended and tried as one types."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.unit.agent.bench import completed
from tests.web_bench import AgentBench

UPPER = """\
name: upper
inputs: {message: string}
outputs: {out: string}
script: echo out=X >> "$CARONI_OUTPUTS"
"""


@pytest.fixture
def directory(agent_bench: AgentBench, tmp_path: Path) -> Path:
    path = tmp_path / "jobtypes"
    path.mkdir()
    (path / "upper.yaml").write_text(UPPER)
    agent_bench.bench.reload(job_types=path)
    agent_bench.api.reload_types()
    return path


def test_a_job_type_is_checked_as_one_types_and_saved(directory: Path, agent: WebServer, open_page: OpenPage) -> None:
    page = open_page(agent.url)
    page.goto(f"{agent.url}/job-types")
    page.get_by_role("link", name="upper").first.click()
    page.get_by_role("link", name="Edit", exact=True).click()
    text = page.get_by_label("The file")
    text.fill(UPPER.replace("string}\nscript", "strng}\nscript"))
    expect(page.locator("#check")).to_contain_text("Line 3:")
    text.fill(UPPER.replace("out=X", "out=Y"))
    expect(page.locator("#check")).to_contain_text("It can be saved")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("The job type upper is saved")
    assert (directory / "upper.yaml").read_text() == UPPER.replace("out=X", "out=Y")


@pytest.mark.parametrize("script", [True, False])
def test_a_trial_without_and_with_javascript(
    agent_bench: AgentBench, directory: Path, agent: WebServer, open_page: OpenPage, script: bool
) -> None:
    page = open_page(agent.url, script=script)
    page.goto(f"{agent.url}/job-types/upper/try")
    page.get_by_label("message string").fill("caroni")
    page.get_by_role("button", name="Run it").click()
    expect(page.locator("main")).to_contain_text("The trial runs.")
    (order,) = agent_bench.bench.runner.started
    agent_bench.bench.end(order.job, completed({"out": "CARONI"}))
    page.reload()
    expect(page.locator("main")).to_contain_text("CARONI")
    expect(page.get_by_role("link", name="Try again")).to_be_visible()


def test_a_job_is_killed_after_a_question(agent_bench: AgentBench, agent: WebServer, open_page: OpenPage) -> None:
    (job,) = agent_bench.bench.place(agent_bench.bench.new_job())
    page = open_page(agent.url)
    page.locator("summary", has_text="Kill").click()
    page.get_by_role("button", name="Kill the job").click()
    expect(page.get_by_role("status").first).to_contain_text("ends as soon as its processes are gone")
    assert list(agent_bench.bench.runner.killed) == [job]
