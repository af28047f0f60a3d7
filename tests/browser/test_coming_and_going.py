"""Logging in and out, what viewers see, and pages that follow what happens."""

from playwright.sync_api import Route, expect

from caroni_edge.web.server import WebServer
from tests.browser.conftest import OpenPage
from tests.web_bench import ManagerBench


def test_a_person_logs_in_is_led_on_and_logs_out(manager: WebServer, open_page: OpenPage) -> None:
    page = open_page(f"{manager.url}/schema")
    assert page.url == f"{manager.url}/schema"
    page.click("text=Log out")
    expect(page.get_by_role("heading")).to_contain_text("Log in to manager m1")
    page.go_back()
    page.reload()
    expect(page.locator("#username")).to_be_visible()


def test_a_page_follows_what_happens(bench: ManagerBench, manager: WebServer, open_page: OpenPage) -> None:
    page = open_page(manager.url)
    expect(page.get_by_text("No run here yet")).to_be_visible()
    bench.trigger(workflow="came-later")
    expect(page.get_by_role("link", name="came-later")).to_be_visible()
    bench.problem = "not connected to the broker"
    expect(page.locator("#trouble")).to_contain_text("not connected to the broker")
    bench.problem = None
    expect(page.locator("#trouble")).to_be_hidden()


def test_what_is_committed_before_a_page_listens_is_shown(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage
) -> None:
    page = open_page(manager.url)

    def commit_first(route: Route) -> None:
        bench.trigger(workflow="came-between")
        route.continue_()

    page.route("**/live", commit_first, times=1)
    page.reload()
    expect(page.get_by_role("link", name="came-between")).to_be_visible()


def test_a_page_that_does_not_follow_says_so(bench: ManagerBench, manager: WebServer, open_page: OpenPage) -> None:
    page = open_page(manager.url)
    expect(page.get_by_text("ready")).to_be_visible()
    expect(page.get_by_text("not live")).to_be_hidden()
    page.route("**/live", lambda route: route.fulfill(status=204))
    page.reload()
    expect(page.get_by_text("not live")).to_be_visible()
    expect(page.get_by_text("ready")).to_be_hidden()
    bench.trigger(workflow="came-meanwhile")
    page.unroute("**/live")
    expect(page.get_by_role("link", name="came-meanwhile")).to_be_visible()
    expect(page.get_by_text("not live")).to_be_hidden()


def test_what_one_types_stays_while_the_page_follows(
    bench: ManagerBench, manager: WebServer, open_page: OpenPage
) -> None:
    page = open_page(manager.url)
    page.keyboard.press("/")
    page.keyboard.type("test_")
    bench.trigger(workflow="meanwhile")
    expect(page.get_by_role("link", name="meanwhile")).to_be_visible()
    page.keyboard.type("simple")
    assert page.input_value("#text") == "test_simple"


def test_all_works_without_javascript(bench: ManagerBench, manager: WebServer, open_page: OpenPage) -> None:
    bench.trigger(workflow="plain")
    page = open_page(manager.url, script=False)
    expect(page.get_by_role("link", name="plain")).to_be_visible()
    page.fill("#text", "caroni")
    page.click("text=Filter")
    expect(page.get_by_role("link", name="plain")).to_be_visible()
    page.get_by_role("link", name="0 failed").click()
    expect(page.get_by_role("link", name="plain")).to_have_count(0)
    page.click("text=Log out")
    expect(page.locator("#username")).to_be_visible()
