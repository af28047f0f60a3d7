"""The pages of one run and of its steps, as a browser without JavaScript gets them."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from caroni_edge.manager.templates.library import load_templates
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import JobAccepted, JobDecline
from tests.integration.test_run_pages import HTML, links_on
from tests.web_bench import DATE, PASSWORD, Client, ManagerBench, serve_manager

JOB = "{class: Operation, inputs: {p: string}, outputs: {y: string}, hints: {JobType: {name: measure}}}"
PROBE = JOB.replace("measure", "probe")
INNER = f"""\
cwlVersion: v1.2
class: Workflow
inputs: {{p: string}}
outputs: {{y: {{type: string, outputSource: second/y}}}}
steps:
  first: {{in: {{p: p}}, out: [y], run: {PROBE}}}
  second: {{in: {{p: first/y}}, out: [y], run: {PROBE}}}
"""
SURVEY = f"""\
cwlVersion: v1.2
class: Workflow
requirements: {{ScatterFeatureRequirement: {{}}, SubworkflowFeatureRequirement: {{}}}}
inputs: {{samples: "string[]", site: string}}
outputs: {{all: {{type: "string[]", outputSource: sample/y}}, deep: {{type: string, outputSource: deep/y}}}}
steps:
  sample: {{in: {{p: samples}}, scatter: p, out: [y], run: {JOB}}}
  deep: {{in: {{p: site}}, out: [y], run: inner.cwl}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "inner.cwl").write_text(INNER)
    (folder / "survey.cwl").write_text(SURVEY)
    steps = "\n".join(f"  s{nth}: {{in: {{p: site}}, out: [y], run: {JOB}}}" for nth in range(90))
    (folder / "many.cwl").write_text(
        f"cwlVersion: v1.2\nclass: Workflow\ninputs: {{site: string}}\noutputs: {{}}\nsteps:\n{steps}\n"
    )
    (folder / "nothing.cwl").write_text(
        "cwlVersion: v1.2\nclass: Workflow\ninputs: {site: string}\noutputs: {}\nsteps: {}\n"
    )
    bench = ManagerBench(tmp_path, load_templates(folder))
    bench.see("a1", "measure", "probe", slots=4)
    bench.trigger("survey", workflow="w1", samples=["a", "b", "c", "d"], site="`<sea>`")
    yield bench
    bench.close()


@pytest.fixture
def browser(bench: ManagerBench, tmp_path: Path) -> Iterator[Client]:
    with serve_manager(bench, tmp_path) as server, Client(server) as browser:
        browser.headers.update(HTML)
        yield browser


def complete(bench: ManagerBench, value: str = "x") -> None:
    """Let the next job complete."""
    job = bench.place("a1", "measure")
    bench.status("a1", job.job, "completed", begun=True, outputs={"y": value}, started=1.0, ended=3.5)


def words(page: str) -> str:
    """Return what people read of a page."""
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", page.partition("<main")[2]).split()))


# A run


def test_a_run_says_how_it_is_and_what_is_awaited(bench: ManagerBench, browser: Client) -> None:
    page = browser.get("/runs/w1").text
    assert '<title id="title" data-live>initializing: w1 · m1</title>' in page
    why = browser.get("/api/workflows/w1/why", headers={"Accept": "*/*"}).json()["why"]
    assert len(why) > 2
    for reason in why:
        assert " ".join(reason["sentence"].split()).lower() in words(page).lower()
    assert links_on(page)["sample[0]"] == "/runs/w1/steps/sample%5B0%5D"
    assert "site `<sea>`" in words(page)


def test_the_graph_folds_what_there_are_many_of(bench: ManagerBench, browser: Client) -> None:
    complete(bench)
    page = browser.get("/runs/w1").text
    graph = page[page.index('<svg class="graph"') : page.index("Inputs</h2>")]
    assert re.findall(r'id="node-([^"]+)" href="([^"]+)"', graph) == [
        ("sample", "/runs/w1/steps?within=sample"),
        ("deep", "/runs/w1?within=deep"),
    ]
    assert "sample: running; 1 of 4 completed (measure)" in graph
    assert "deep: running; 0 of 2 completed" in graph


def test_the_graph_of_a_nested_workflow_is_a_page_of_its_own(browser: Client) -> None:
    page = browser.get("/runs/w1?within=deep").text
    assert re.findall(r'id="node-([^"]+)"', page) == ["deep/first", "deep/second"]
    assert "first to second: y → p" in page
    assert links_on(page)["w1"] == "/runs/w1"


def test_a_graph_of_too_many_steps_is_a_list(bench: ManagerBench, browser: Client) -> None:
    bench.trigger("many", workflow="w2", site="x")
    page = browser.get("/runs/w2").text
    assert "These 90 steps are too many for a drawing" in page
    assert '<svg class="graph"' not in page
    following = browser.get(links_on(page)["Next"]).text
    assert [*re.findall(r'id="step-([^"]+)"', page), *re.findall(r'id="step-([^"]+)"', following)] == [
        f"s{nth}" for nth in range(90)
    ]


def test_a_workflow_without_steps_says_so(bench: ManagerBench, browser: Client) -> None:
    bench.trigger("nothing", workflow="w2", site="x")
    assert "This workflow has no steps" in browser.get("/runs/w2").text
    assert "Nothing flows here" in browser.get("/runs/w2/dataflows").text
    assert "all its steps were completed" in words(browser.get("/runs/w2").text).lower()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/runs/none", "There is no run none"),
        ("/runs/w1?within=sample", "the step sample has instances: name one of them"),
        ("/runs/w1?within=deep/first", "the step deep/first runs no workflow"),
        ("/runs/w1?within=nowhere", "has no step nowhere"),
        ("/runs/w1?within=%2F%2F", "has no step //"),
        ("/runs/w1/steps?within=nowhere", "has no step nowhere"),
        ("/runs/w1/steps/nowhere", "has no step nowhere"),
        ("/runs/w1/steps/sample%5B99%5D", "or it is not made yet"),
        ("/runs/w1/steps/deep/first?attempt=3", "the step has no attempt 3"),
    ],
)
def test_what_is_not_there_is_told(browser: Client, path: str, said: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert said.lower() in answer.text.lower()


# Its steps


def test_steps_are_listed_level_by_level(bench: ManagerBench, browser: Client) -> None:
    complete(bench)
    page = browser.get("/runs/w1/steps").text
    assert re.findall(r'id="step-([^"]+)"', page) == ["sample", "deep"]
    assert "measure, for each item" in page
    assert "1 of 4 completed" in page
    instances = browser.get("/runs/w1/steps?within=sample").text
    assert re.findall(r'id="step-([^"]+)"', instances) == [f"sample[{nth}]" for nth in range(4)]
    assert "2.5 s" in instances
    nested = browser.get("/runs/w1/steps?within=deep").text
    assert re.findall(r'id="step-([^"]+)"', nested) == ["deep/first", "deep/second"]
    assert "for the outputs of deep/first" in nested


def test_steps_in_a_state_are_found_wherever_they_are(bench: ManagerBench, browser: Client) -> None:
    complete(bench)
    page = browser.get("/runs/w1/steps?status=fulfilling").text
    expected = ["deep/first", "deep/second", "sample[1]", "sample[2]", "sample[3]"]
    assert re.findall(r'id="step-([^"]+)"', page) == expected
    assert re.findall(r'id="step-([^"]+)"', browser.get("/runs/w1/steps?status=completed").text) == ["sample[0]"]
    assert "No step of this run is failed" in browser.get("/runs/w1/steps?status=failed").text
    assert browser.get("/runs/w1/steps?status=sunk").status_code == 400


def test_instances_come_in_their_order_page_by_page(bench: ManagerBench, browser: Client) -> None:
    bench.trigger("survey", workflow="w2", samples=["x"] * 70, site="y")
    found, at = [], "/runs/w2/steps?within=sample"
    while at:
        page = browser.get(at).text
        found += re.findall(r'id="step-([^"]+)"', page)
        at = links_on(page).get("Next", "")
    assert found == [f"sample[{nth}]" for nth in range(len(found))]
    assert len(found) > 50


# What flows, and when


def test_dataflows_say_which_output_went_where(bench: ManagerBench, browser: Client) -> None:
    complete(bench, "3 fathoms")
    said = words(browser.get("/runs/w1/dataflows").text)
    assert 'input samples sample / p each item to one instance ["a","b","c","d"]' in said
    assert 'input site deep / p "`<sea>`"' in said
    assert "sample / y output all not there yet" in said
    page = browser.get("/runs/w1/dataflows?within=deep").text
    assert "first / y second / p not there yet" in words(page)
    assert links_on(page)["second"] == "/runs/w1/steps/deep/second"


def test_a_timeline_shows_each_attempt(bench: ManagerBench, browser: Client) -> None:
    assert "fulfilling" in words(browser.get("/runs/w1/timeline?within=deep").text)
    job = bench.place("a1", "probe")
    date = DATE + bench.service.now
    bench.status("a1", job.job, "failed", begun=True, reason="no", exit_code=1, started=date + 2, ended=date + 4)
    page = browser.get("/runs/w1/timeline?within=deep").text
    assert "Attempt 1 on a1: failed, ran 2.0 s" in page
    assert page.count('<rect class="waited"') == 1
    assert links_on(browser.get("/runs/w1/timeline").text)["0 of 4 parts completed"].endswith("?within=sample")


# What people may do


def test_a_run_is_cancelled_and_retried_by_its_buttons(bench: ManagerBench, browser: Client, tmp_path: Path) -> None:
    with serve_manager(bench, tmp_path) as server, Client(server, token=None) as person:
        person.headers.update(HTML)
        person.follow_redirects = True
        person.post("/login", data={"username": "admin", "password": PASSWORD})
        page = person.get("/runs/w1").text
        assert 'action="/runs/w1/cancel"' in page
        assert 'action="/runs/w1/retry"' not in page
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        page = person.post("/runs/w1/cancel", data={"csrf": token}).text
        assert "w1 is cancelled." in page
        assert "cancelled: w1" in page
        assert 'action="/runs/w1/cancel"' not in page
        assert "w1 is cancelled." not in person.get("/runs/w1").text
        again = person.post("/runs/w1/cancel", data={"csrf": token})
        assert again.status_code == 409
        assert "The workflow w1 is cancelled, so it cannot be cancelled." in again.text


def test_what_failed_is_retried(bench: ManagerBench, browser: Client) -> None:
    for _ in range(5):
        job = bench.place("a1", "probe")
        bench.status(
            "a1", job.job, "failed", begun=True, reason="its exit status was `3`", exit_code=3, stderr="so sad"
        )
        bench.service.now += 100
    page = browser.get("/runs/w1/steps/deep/first").text
    assert "its exit status was <code>3</code>" in page
    assert page.count("so sad") == 5
    assert 'action="/runs/w1/retry"' in browser.get("/runs/w1").text
    assert browser.post("/runs/w1/retry").headers["Location"] == "/runs/w1"
    assert '<title id="title" data-live>running: w1' in browser.get("/runs/w1").text


def test_a_run_is_run_again_with_its_inputs(bench: ManagerBench, browser: Client) -> None:
    change = links_on(browser.get("/runs/w1").text)["Change the inputs first"]
    assert "`&lt;sea&gt;`" in browser.get(change).text
    leads_to = browser.post("/runs/w1/rerun").headers["Location"]
    assert re.fullmatch("/runs/[a-z0-9]+", leads_to)
    page = browser.get(leads_to).text
    assert "site `<sea>`" in words(page)


def test_a_run_is_deleted_once_it_has_ended(bench: ManagerBench, browser: Client) -> None:
    assert 'action="/runs/w1/delete"' not in browser.get("/runs/w1").text
    assert browser.post("/runs/w1/delete").status_code == 409
    browser.post("/runs/w1/cancel")
    assert 'action="/runs/w1/delete"' in browser.get("/runs/w1").text
    assert browser.post("/runs/w1/delete").headers["Location"] == "/"
    assert browser.get("/runs/w1").status_code == 404


def test_a_viewer_sees_no_button_and_may_press_none(bench: ManagerBench, tmp_path: Path) -> None:
    with serve_manager(bench, tmp_path) as server, Client(server, token=None) as viewer:
        viewer.headers.update(HTML)
        viewer.follow_redirects = True
        viewer.post("/login", data={"username": "viola", "password": "looks"})
        page = viewer.get("/runs/w1").text
        assert "Cancel" not in page.partition("<main")[2]
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        for action in ("cancel", "retry", "rerun", "delete"):
            assert viewer.post(f"/runs/w1/{action}", data={"csrf": token}).status_code == 403
        assert "initializing: w1" in viewer.get("/runs/w1").text


# A step, and its log


def test_a_step_shows_its_attempts_values_and_log(bench: ManagerBench, browser: Client) -> None:
    job = bench.place("a1", "measure").job
    bench.message("a1", JobAccepted(jobs=(job,)))
    bench.status("a1", job, "running", begun=True, started=1.0)
    text = "sounding…\n<3 fathoms>\n".encode()
    browser.get("/runs/w1/steps/sample%5B0%5D")  # which asks for it
    bench.message("a1", JobLog(job=job, offset=0, data=text))
    page = browser.get("/runs/w1/steps/sample%5B0%5D").text
    assert "running: sample[0] of w1" in page
    assert "step sample[0] runs on agent a1" in words(page)
    assert "p a" in words(page)
    assert "sounding…\n&lt;3 fathoms&gt;\n</pre>" in page
    at = "/api/workflows/w1/steps/sample%5B0%5D/log?attempt=1"
    assert f'data-log="{at}" data-offset="{len(text)}"' in page
    assert "More is on its way" in page


def test_a_page_of_a_step_has_the_end_of_a_long_log(bench: ManagerBench, browser: Client) -> None:
    job = bench.place("a1", "measure").job
    bench.status("a1", job, "running", begun=True, started=1.0)
    lines = b"".join(b"line %06d\n" % nth for nth in range(3000))
    browser.get("/runs/w1/steps/sample%5B0%5D")
    for offset in range(0, len(lines), 6000):
        bench.message("a1", JobLog(job=job, offset=offset, data=lines[offset : offset + 6000]))
    page = browser.get("/runs/w1/steps/sample%5B0%5D").text
    assert "line 002999\n</pre>" in page
    assert "line 000000" not in page
    assert "What is before this is left out." in page
    assert len(page) < 40_000


def test_a_step_with_parts_leads_to_them(bench: ManagerBench, browser: Client) -> None:
    page = browser.get("/runs/w1/steps/sample").text
    assert links_on(page)["Show them"] == "/runs/w1/steps?within=sample"
    assert "0 of 4 completed" in page
    assert 'id="log"' not in page
    deep = links_on(browser.get("/runs/w1/steps/deep").text)
    assert deep["Their graph"] == "/runs/w1?within=deep"
    assert links_on(browser.get("/runs/w1/steps/deep/first").text)["deep"] == "/runs/w1/steps/deep"


def test_large_values_are_shown_in_part(bench: ManagerBench, browser: Client) -> None:
    bench.trigger("survey", workflow="w2", samples=["sample of the sea"] * 2000, site="x" * 9000)
    page = browser.get("/runs/w2").text
    assert "… 1,800 more" in page
    assert "(9,000 characters)" in page
    assert len(page) < 60_000


def test_what_is_in_doubt_is_retried_where_it_is_said(bench: ManagerBench, browser: Client) -> None:
    job = bench.place("a1", "probe", repeat=False).job
    bench.message("a1", JobAccepted(jobs=(job,)))
    bench.status("a1", job, "running", begun=True, started=1.0)
    bench.message("a1", JobDecline(job=job, reason="not known here", begun=True))
    for path in ("/runs/w1", "/runs/w1/steps/deep/first"):
        page = browser.get(path).text
        assert "is not run again by itself" in words(page)
        assert "<code>caroni-edge retry w1</code>" in page
        assert 'action="/runs/w1/retry"' in page


@pytest.mark.parametrize("page", ["", "/steps", "/timeline", "/dataflows"])
@pytest.mark.parametrize(
    "query",
    [
        "within=%00",
        "within=sample%5B",
        "within=sample%5B0%5D%5B0%5D",
        "within=deep%2F..%2Fdeep",
        "within=" + "deep/" * 500,
        "after=" + "9" * 5000,
        "after=" + "9" * 17,
        "after=-1",
        "after=%00",
        "status=%F0%9F%90%A0",
        "within=sample&after=" + "9" * 17,
    ],
)
def test_what_nobody_would_ask_is_answered(browser: Client, page: str, query: str) -> None:
    assert browser.get(f"/runs/w1{page}?{query}").status_code in (200, 400, 404)


@pytest.mark.parametrize("path", ["%00", "..%2F..", "%F0%9F%90%A0/steps/x", "w1/steps/%00", "w1/steps/a//b"])
def test_a_run_or_step_that_nobody_would_name_is_not_there(browser: Client, path: str) -> None:
    assert browser.get(f"/runs/{path}").status_code == 404
