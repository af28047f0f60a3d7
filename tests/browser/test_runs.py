"""What a person does with runs: looks for one, finds what is wrong, follows its log, cancels it."""

import re

import pytest
from playwright.sync_api import Page, expect

from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import JobAccepted
from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.web_bench import ManagerBench

LINES = 200


def say(bench: ManagerBench, job: str, offset: int, text: str, *, end: bool = False) -> int:
    """Let an agent send a piece of a log as soon as that is asked for; return where the next one begins."""
    bench.service.call(lambda _at: bench.reactor.request_log(job))
    bench.message("a1", JobLog(job=job, offset=offset, data=text.encode(), end=end))
    return offset + len(text.encode())


@pytest.fixture
def job(bench: ManagerBench) -> str:
    """Let a job of the run `w1` begin."""
    bench.see("a1", "foojob0", "foojob1", "foojob2")
    bench.trigger(workflow="w1")
    job = bench.place("a1", "foojob0").job
    bench.message("a1", JobAccepted(jobs=(job,)))
    bench.status("a1", job, "running", begun=True, started=1_700_000_000.0)
    return job


def test_a_log_is_followed_and_searched(bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str) -> None:
    text = "".join(f"line {nth}: all is well\n" for nth in range(LINES))
    offset = say(bench, job, 0, text)
    page = open_page(f"{manager.url}/runs/w1/steps/upper")
    log = page.locator("#log")
    expect(log).to_contain_text(f"line {LINES - 1}:")
    offset = say(bench, job, offset, "here is a needle in it\nand anoth")
    expect(log).to_contain_text("needle in it\nand anoth")
    assert is_at_end(page)
    say(bench, job, offset, "er NEEDLE\nthe end\n", end=True)
    expect(log).to_contain_text("and another NEEDLE\nthe end")
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "x"}, ended=1_700_000_009.0)
    expect(page.locator("#log-state")).to_have_text("That is all of it.")

    page.fill("#find", "needle")
    expect(page.locator("#found")).to_have_text("1 of 2")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_have_text("2 of 2")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#found")).to_have_text("1 of 2")
    page.fill("#find", "another needle")  # which came in two pieces
    expect(page.locator("#found")).to_have_text("1 of 1")
    page.fill("#find", "line 3:")
    expect(page.locator("#found")).to_have_text("1 of 1")
    assert not is_at_end(page)
    page.fill("#find", "whale")
    expect(page.locator("#found")).to_have_text("nowhere")


def is_at_end(page: Page) -> bool:
    """Tell whether the end of the log is seen."""
    return bool(
        page.evaluate("(at => at.scrollHeight - at.scrollTop - at.clientHeight < 40)(document.querySelector('#log'))")
    )


def test_a_reader_who_has_scrolled_up_stays_there(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str
) -> None:
    offset = say(bench, job, 0, "".join(f"line {nth}\n" for nth in range(LINES)))
    page = open_page(f"{manager.url}/runs/w1/steps/upper")
    expect(page.locator("#log")).to_contain_text(f"line {LINES - 1}\n")
    page.evaluate("document.querySelector('#log').scrollTop = 0")
    say(bench, job, offset, "something new\n")
    expect(page.locator("#log")).to_contain_text("something new")
    assert page.evaluate("document.querySelector('#log').scrollTop") == 0


def test_a_run_is_found_followed_and_cancelled(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str
) -> None:
    page = open_page(manager.url)
    page.get_by_role("link", name="w1").click()
    expect(page).to_have_title(re.compile("^running: w1"))
    node = page.locator("#node-upper")
    expect(node).to_have_class(re.compile("running"))
    node.evaluate("each => { each.same = true }")
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "x"}, ended=1_700_000_009.0)
    expect(node).to_have_class(re.compile("completed"))
    assert node.evaluate("each => each.same"), "the drawing was made anew, so that what was scrolled or focused is lost"
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_role("status")).to_have_text("w1 is cancelled.")
    expect(page).to_have_title(re.compile("^cancelled: w1"))
    expect(page.get_by_text("Cancel…")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 900, 1100])
def test_what_is_asked_can_be_read_at_every_width(
    manager: WebServer, open_page: OpenPage, job: str, width: int
) -> None:
    page = open_page(f"{manager.url}/runs/w1", width=width)
    for name in ("Cancel…", "Run again…"):
        page.get_by_text(name).click()
        box = page.locator("details[open] > .panel").bounding_box()
        page.get_by_text(name).click()
        assert box is not None
        assert (box["x"] >= 0, box["x"] + box["width"] <= width) == (True, True), name


def test_what_is_open_stays_open_while_the_page_follows(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str
) -> None:
    page = open_page(f"{manager.url}/runs/w1")
    page.get_by_text("Cancel…").click()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_visible()
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "x"}, ended=1_700_000_009.0)
    expect(page.locator("#node-upper")).to_have_class(re.compile("completed"))
    expect(page.get_by_role("button", name="Cancel the run")).to_be_visible()


def test_a_run_is_read_and_retried_without_javascript(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str
) -> None:
    bench.status("a1", job, "failed", begun=True, reason="its exit status was 3", exit_code=3, stderr="no such file")
    for _ in range(4):
        bench.fail("a1", "foojob0", stderr="no such file")
    page = open_page(f"{manager.url}/runs/w1", script=False)
    expect(page.locator("#why")).to_contain_text("its 5 attempts are used up")
    page.locator("#why").get_by_role("link", name="upper").click()
    expect(page.get_by_text("no such file").first).to_be_visible()
    page.get_by_role("button", name="Retry the run").click()
    expect(page.get_by_role("status")).to_have_text("What had failed gets fresh attempts.")
    expect(page).to_have_title(re.compile("^running: w1"))


def test_a_list_keeps_the_focus_while_others_come(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage, job: str
) -> None:
    page = open_page(manager.url)
    page.get_by_role("link", name="w1").focus()
    bench.trigger(workflow="w2")
    expect(page.locator("tbody tr").first).to_contain_text("w2")
    expect(page.get_by_role("link", name="w1")).to_be_focused()
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "x"}, ended=1_700_000_009.0)
    expect(page.locator("#run-w1")).to_contain_text("1/3 steps")
    expect(page.get_by_role("link", name="w1")).to_be_focused()
