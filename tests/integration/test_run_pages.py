"""The manager's pages about runs, as a browser without JavaScript gets them."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from caroni_edge.manager.store.listed import LOOK_BACK_ROWS
from caroni_edge.manager.templates.library import load_templates
from tests.web_bench import Client, ManagerBench, serve_manager

HTML = {"Accept": "text/html,application/xhtml+xml"}
COPIES = """
    INSERT INTO workflows (id, template, plan, content, status, priority, inputs, steps_left, created)
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
    SELECT 'w1-' || n, template, plan, content, status, priority, inputs, steps_left, created
    FROM workflows, numbers WHERE id = 'w1'"""
"""Makes many workflows that are like `w1`."""


@pytest.fixture
def browser(bench: ManagerBench, tmp_path: Path) -> Iterator[Client]:
    with serve_manager(bench, tmp_path) as server, Client(server) as browser:
        browser.headers.update(HTML)
        yield browser


def runs_on(page: str) -> list[str]:
    """Return the runs of a list, in its order."""
    return re.findall(r'<tr id="run-([^"]+)"', page)


def links_on(page: str) -> dict[str, str]:
    """Return the addresses that a page leads to, by what the links say."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]*>", " ", text).split()): unescape(address) for address, text in found}


# The list


def test_the_list_says_how_far_each_run_is_and_why_it_does_not_go_on(bench: ManagerBench, browser: Client) -> None:
    bench.see("a1", "foojob0")
    bench.trigger(workflow="sunk")
    for _ in range(5):
        bench.fail("a1", "foojob0", reason="no file `sea.nc` was there")
    bench.trigger(workflow="afloat")
    page = browser.get("/").text
    assert runs_on(page) == ["afloat", "sunk"]
    assert page.count("0/3 steps") == 2
    assert "0/3 steps, 1 failed" in page
    assert "no file <code>sea.nc</code> was there" in page


def test_the_counts_by_state_lead_to_the_runs_in_it_and_keep_the_filter(bench: ManagerBench, browser: Client) -> None:
    for name in ("one", "two"):
        bench.trigger(workflow=name)
    bench.service.call(lambda at: bench.reactor.cancel("one", at))
    links = links_on(browser.get("/?template=test_simple").text)
    assert {"2 all", "1 cancelled", "1 initializing", "0 failed"} <= {*links}
    assert links["1 cancelled"] == "/?status=cancelled&template=test_simple"
    page = browser.get(links["1 cancelled"]).text
    assert runs_on(page) == ["one"]
    assert links_on(page)["2 all"] == "/?template=test_simple"


def test_a_filter_stays_as_it_was_chosen(bench: ManagerBench, browser: Client) -> None:
    bench.trigger(workflow="w1", message="the <sea>")
    page = browser.get("/?status=initializing&template=test_simple&text=%3CSEA%3E&since=3000d&agent=").text
    assert runs_on(page) == ["w1"]
    assert '<input type="hidden" name="status" value="initializing">' in page
    assert 'value="test_simple"' in page
    assert 'value="&lt;SEA&gt;"' in page
    assert '<option value="3000d" selected>since 3000d</option>' in page


def test_pages_of_a_list_keep_the_filter_and_lead_back(bench: ManagerBench, browser: Client) -> None:
    names = [f"w{nth:03}" for nth in range(60)]
    for name in names:
        bench.trigger(workflow=name)
    first = browser.get("/?template=test_simple").text
    older = browser.get(links_on(first)["Older"]).text
    assert runs_on(first) + runs_on(older) == names[::-1]
    assert "Older" not in links_on(older)
    assert links_on(older)["Newest"] == "/?template=test_simple"


@pytest.mark.parametrize(
    ("path", "said", "leads_to"),
    [
        ("/", "No run here yet", ""),
        ("/?status=failed", "No run fits", "/"),
        ("/?agent=a9&since=24h", "No run fits", "/"),
        ("/?after=1", "No older run fits", "/"),
    ],
)
def test_an_empty_list_says_what_to_do(browser: Client, path: str, said: str, leads_to: str) -> None:
    page = browser.get(path).text
    assert f"<strong>{said}</strong>" in page
    assert leads_to in {links_on(page).get("Show all"), links_on(page).get("To the newest"), ""}
    assert ("caroni-edge submit diamond" in page) == (path == "/")


def test_without_a_template_the_list_says_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    bench = ManagerBench(tmp_path, load_templates(tmp_path / "none"))
    with serve_manager(bench, tmp_path) as server, Client(server) as browser:
        assert "No template here yet" in browser.get("/", headers=HTML).text
    bench.close()


def test_a_list_that_looks_for_something_rare_says_how_far_it_looked(bench: ManagerBench, browser: Client) -> None:
    bench.trigger(workflow="rare", message="needle")
    bench.trigger(workflow="w1")
    with bench.database.immediate():
        bench.database.conn.execute(COPIES, {"count": LOOK_BACK_ROWS})
    page = browser.get("/?text=needle").text
    assert "No run fits so far" in page
    assert "Looked back to" in page
    assert runs_on(browser.get(links_on(page)["Older"]).text) == ["rare"]


def test_a_page_for_a_wall_has_no_forms_and_stays_one(bench: ManagerBench, browser: Client) -> None:
    for nth in range(20):
        bench.trigger(workflow=f"w{nth}")
    page = browser.get("/?wall=1&status=initializing").text
    assert 'class="filters"' not in page
    assert runs_on(page)[0] == "w19"
    links = links_on(page)
    assert links["20 all"] == "/?wall=1"
    assert links["As a page"] == "/?status=initializing"


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        ("template=test_simple", {"Cancel…", "Retry…", "Delete…"}),
        ("status=initializing", {"Cancel…"}),
        ("status=failed", {"Retry…", "Delete…"}),
        ("status=completed", {"Delete…"}),
        ("", set()),
    ],
)
def test_only_what_can_be_done_to_all_is_offered(browser: Client, query: str, offered: set[str]) -> None:
    assert {name for name in links_on(browser.get(f"/?{query}").text) if name.endswith("…")} == offered


def test_a_wrong_filter_is_told(browser: Client) -> None:
    answer = browser.get("/?since=yesterdayish")
    assert answer.status_code == 400
    assert "Since must be a date" in answer.text


def test_a_run_that_is_held_leads_to_the_template_that_is_paused(bench: ManagerBench, browser: Client) -> None:
    bench.service.call(lambda at: bench.reactor.pause("test_simple", at))
    bench.trigger(workflow="held")
    page = browser.get("/runs/held").text
    sentence = 'It is held until its template <a href="/templates/test_simple">test_simple</a> is resumed, which was'
    assert sentence in page


def test_from_a_run_one_comes_to_its_agents_and_to_who_serves_a_job_type(bench: ManagerBench, browser: Client) -> None:
    bench.see("a1", "foojob0")
    bench.trigger(workflow="sunk")
    for _ in range(5):
        bench.fail("a1", "foojob0", reason="no sea")
    run = browser.get("/runs/sunk").text
    assert links_on(run)["a1"] == "/agents/a1"
    assert not re.search(r">[^<]*\d{4}-\d\d-\d\dT", run)
    step = next(address for text, address in links_on(run).items() if address.startswith("/runs/sunk/steps/"))
    links = links_on(browser.get(step).text)
    assert (links["a1"], links["foojob0"]) == ("/agents/a1", "/agents?job_type=foojob0")
    assert links_on(browser.get("/runs/sunk/steps").text)["a1"] == "/agents/a1"
    for address in ("/agents/a1", "/agents?job_type=foojob0"):
        assert browser.get(address).status_code == 200


def test_a_step_that_is_an_expression_is_called_so_and_has_no_parts(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "sums.cwl").write_text(
        "cwlVersion: v1.2\nclass: Workflow\ninputs: {n: int}\noutputs: {n: {type: int, outputSource: add/n}}\n"
        "requirements: {InlineJavascriptRequirement: {}}\nsteps:\n"
        "  add: {in: {n: n}, out: [n], run: {class: ExpressionTool, inputs: {n: int}, outputs: {n: int},\n"
        '    expression: "$({n: inputs.n + 1})"}}\n'
    )
    bench = ManagerBench(tmp_path, load_templates(folder))
    bench.trigger("sums", "w1", n=3)
    with serve_manager(bench, tmp_path) as server, Client(server) as browser:
        browser.headers.update(HTML)
        steps = browser.get("/runs/w1/steps").text
        assert ">expression</span>" in steps
        step = browser.get("/runs/w1/steps/add").text
        assert "waits for an expression: its JavaScript is being worked out" in step
        assert "Steps within it" not in step
        assert "expression" in browser.get("/templates/sums").text
        graph = browser.get("/api/workflows/w1/graph", headers={"Accept": "application/json"}).json()
    assert [node["kind"] for node in graph["nodes"]] == ["expression"]
    bench.close()
