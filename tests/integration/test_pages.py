"""What all pages have: how one comes to them, what they say of a change, how they follow what happens."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from caroni_edge.manager.pages import site as manager_site
from caroni_edge.node.reactor import Forgotten, UnknownPeer
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.messages import Presence
from caroni_edge.web.nodeview import NodeCommands
from caroni_edge.web.server import WebServer, start
from tests.web_bench import PASSWORD, WEB, AgentBench, Client, ManagerBench, serve_agent, serve_manager

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerBench]:
    bench = ManagerBench(tmp_path_factory.mktemp("state"))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def server(bench: ManagerBench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serve_manager(bench, tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def browser(server: WebServer) -> Iterator[Client]:
    """Log in as a person does; redirects are followed."""
    with Client(server, token=None) as browser:
        browser.headers.update(HTML)
        browser.follow_redirects = True
        answer = browser.post("/login", data={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 200
        yield browser


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def test_a_login_leads_to_the_page_that_was_asked_for(server: WebServer) -> None:
    with Client(server, token=None) as stranger:
        stranger.headers.update(HTML)
        sent_on = stranger.get("/schema?x=1").headers["Location"]
        assert sent_on == "/login?next=/schema%3Fx%3D1"
        assert 'name="next" value="/schema?x=1"' in stranger.get(sent_on).text
        right = {"username": "admin", "password": PASSWORD, "next": "/schema?x=1"}
        assert stranger.post("/login", data=right).headers["Location"] == "/schema?x=1"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\nb"])
def test_a_login_never_leads_elsewhere(server: WebServer, elsewhere: str) -> None:
    with Client(server, token=None) as stranger:
        stranger.headers.update(HTML)
        right = {"username": "admin", "password": PASSWORD, "next": elsewhere}
        assert stranger.post("/login", data=right).headers["Location"] == "/"


def test_a_form_is_sent_with_its_csrf_token_and_logs_out(browser: Client) -> None:
    page = browser.get("/").text
    refused = browser.post("/logout", data={"csrf": "guessed"})
    assert refused.status_code == 403
    assert "You may not do this" in refused.text
    assert "Log in to manager m1" in browser.post("/logout", data={"csrf": csrf_of(page)}).text


def test_the_original_address_leads_to_the_first_page(browser: Client) -> None:
    assert browser.get("/admin").url.path == "/"


def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(browser: Client) -> None:
    answer = browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing at /nowhere." in answer.text
    assert browser.get("/nowhere", headers={"Accept": "application/json"}).json()["error"]


def test_static_files_are_fetched_once(browser: Client) -> None:
    page = browser.get("/").text
    paths = re.findall(r'"(/static/[^"]+)"', page)
    assert {path.rpartition("/")[2] for path in paths} == {"icon.svg", "style.css", "live.js"}
    for path in paths:
        answer = browser.get(path)
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"].partition(";")[0] in ("image/svg+xml", "text/css", "text/javascript")
    assert browser.get("/static/other/style.css").headers["Cache-Control"] == "no-cache"
    assert browser.get("/static/other/none.css").status_code == 404


def test_a_page_has_nothing_that_its_policy_forbids(browser: Client) -> None:
    for path in ("/", "/schema", "/login", "/nowhere"):
        page = browser.get(path).text
        assert "<style" not in page
        assert not re.search(r'\s(style|on\w+)="', page)
        assert not re.search(r"<script(?! src=)", page)
        assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_page_shows_what_came_from_elsewhere_as_text(bench: ManagerBench, browser: Client) -> None:
    bench.problem = '<script>alert("x")</script>'
    try:
        page = browser.get("/").text
    finally:
        bench.problem = None
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_stream_says_that_there_is_something_new(bench: ManagerBench, browser: Client) -> None:
    with browser.stream("GET", "/live") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(line for line in lines if line) == ": listening"
        bench.trigger(workflow="seen-live")
        assert next(line for line in lines if line) == "event: change"
    assert "seen-live" in browser.get("/").text


def test_a_server_ends_though_somebody_listens(bench: ManagerBench, tmp_path: Path) -> None:
    server = serve_manager(bench, tmp_path)
    with Client(server) as listener, listener.stream("GET", "/live") as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        server.stop()
        assert not [line for line in lines if line]


def test_an_agent_has_its_own_first_page(tmp_path: Path) -> None:
    with serve_agent(AgentBench(), tmp_path) as server, Client(server) as program:
        page = program.get("/", headers=HTML).text
    assert "a1 <small>agent</small>" in page
    assert "Nothing runs or waits here now" in page


# --- The fleet -------------------------------------------------------------------------------------------------------


def test_the_fleet_says_who_is_there_and_who_serves_what(bench: ManagerBench, browser: Client) -> None:
    bench.see("ship1", "upper", "lower", slots=4)
    bench.see("ship2", "lower", refuses={"lower": "its last 10 jobs of this type have failed"})
    bench.lose("ship2")
    page = browser.get("/agents").text
    assert "1 online" in page
    assert "1 offline" in page
    assert "its last 10 jobs of this type have failed" in page
    of_type = browser.get("/agents?job_type=upper").text
    assert "/agents/ship1" in of_type
    assert "/agents/ship2" not in of_type
    assert "No agent has the job type uper" in browser.get("/agents?job_type=uper").text


def test_no_agent_fills_the_pages_of_the_fleet(tmp_path: Path) -> None:
    names = [f"type{number}" for number in range(1000)]
    with closing(ManagerBench(tmp_path)) as bench:
        for number in range(20):
            bench.see(f"loud{number}", *names, refuses=dict.fromkeys(names, "no, " * 200))
        with serve_manager(bench, tmp_path) as server, Client(server) as program:
            fleet, one = (program.get(path, headers=HTML).text for path in ("/agents", "/agents/loud1"))
    assert "… (1000)" in fleet
    assert "Likewise for 980 more" in one
    assert "and 900 more" in one
    assert max(len(fleet), len(one)) < 100_000


def test_an_agent_shows_what_it_has(bench: ManagerBench, browser: Client) -> None:
    bench.see("ship3", "foojob0")
    bench.trigger(workflow="aboard")
    job = bench.place("ship3", "foojob0")
    page = browser.get("/agents/ship3").text
    assert f"/runs/{job.workflow}/steps/upper" in page
    assert browser.get("/agents/none").status_code == 404
    bench.lose("ship3")
    assert "It is offline" in browser.get("/agents/ship3").text


def test_an_agent_is_forgotten_by_a_form(bench: ManagerBench, tmp_path: Path) -> None:
    forgotten: list[object] = []

    def forget(agent: str) -> Forgotten:
        if agent != "ship4":
            raise UnknownPeer("", node="m1", peer=agent)
        forgotten.append(agent)
        return Forgotten(rows=3, jobs=2, offers=0)

    site = replace(
        manager_site.make_site(bench.api, tmp_path), over_node=NodeCommands(forget, forgotten.remove, forgotten.remove)
    )
    bench.see("ship4", "foojob0")
    with start(WEB, site.state_dir, lambda: site, bench.service) as server, Client(server, token=None) as browser:
        browser.headers.update(HTML)
        browser.follow_redirects = True
        page = browser.post("/login", data={"username": "admin", "password": PASSWORD, "next": "/agents/ship4"}).text
        assert "Forget ship4?" in page
        assert browser.post("/agents/ship4/forget").status_code == 403
        form = {"csrf": csrf_of(page)}
        assert browser.post("/agents/none/forget", data=form).status_code == 404
        assert "Agent ship4 is forgotten, with 2 jobs" in browser.post("/agents/ship4/forget", data=form).text
        assert "is forgotten" not in browser.get("/agents").text
    assert forgotten == ["ship4"]


# --- Templates -------------------------------------------------------------------------------------------------------


def test_a_template_says_who_serves_it_and_is_paused_and_resumed(bench: ManagerBench, browser: Client) -> None:
    assert "/templates/test_simple" in browser.get("/templates").text
    page = browser.get("/templates/test_simple").text
    assert "no agent serves" in page
    form = {"csrf": csrf_of(page)}
    held = browser.post("/templates/test_simple/pause", data=form).text
    assert "its new runs are held until it is resumed" in held
    assert "Paused" in held
    bench.trigger(workflow="while-paused")
    assert "held (1)" in browser.get("/templates").text
    assert "is resumed" in browser.post("/templates/test_simple/resume", data=form).text
    for kind in ("pause", "resume"):
        assert browser.post(f"/templates/none/{kind}", data=form).status_code == 404
    assert browser.get("/templates/none").status_code == 404


def test_the_page_of_an_agent_names_the_secrets_of_its_job_types(bench: ManagerBench, browser: Client) -> None:
    types = {"call": JobTypeNotice(secrets=("API_KEY", "DB")), "plain": JobTypeNotice()}
    bench.notice("a1", encode(Presence(online=True, boot="b", job_types=types, slots=2)))
    assert "<small>secrets API_KEY, DB</small>" in browser.get("/agents/a1").text
    found = {
        name: each["secrets"] for name, each in browser.get("/api/agents").json()["agents"][0]["job_types"].items()
    }
    assert found == {"call": ["API_KEY", "DB"], "plain": []}


def test_a_broken_template_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "broken.cwl").write_text("class: Workflow\ncwlVersion: v1.2\nsteps: 3\n")
    with closing(ManagerBench(tmp_path, directory=folder)) as bench:
        site = manager_site.make_site(bench.api, tmp_path)
        with start(WEB, site.state_dir, lambda: site, bench.service) as server, Client(server) as program:
            assert "broken.cwl:1" in program.get("/templates", headers=HTML).text
            assert "line 3: " in program.get("/templates/broken", headers=HTML).text


def test_a_form_starts_a_workflow_once_and_says_which_field_is_wrong(bench: ManagerBench, browser: Client) -> None:
    page = browser.get("/templates/test_simple/start").text
    (workflow,) = re.findall(r'name="id"[^>]* value="([0-9a-f]{16})"', page)
    form = {"csrf": csrf_of(page), "id": workflow, "input-message": "from a form <&>"}
    wrong = browser.post("/templates/test_simple/start", data=form | {"id": "no/segment"})
    assert wrong.status_code == 422
    assert "from a form &lt;&amp;&gt;" in wrong.text
    assert 'aria-invalid="true"' in wrong.text
    first = browser.post("/templates/test_simple/start", data=form, follow_redirects=False)
    assert (first.status_code, first.headers["Location"]) == (303, f"/runs/{workflow}")
    again = browser.post("/templates/test_simple/start", data=form, follow_redirects=False)
    assert again.headers["Location"] == f"/runs/{workflow}"
    with bench.views() as views:
        shown = views.workflow(workflow)
    assert shown is not None
    assert shown["inputs"] == {"message": "from a form <&>"}
    other = browser.post("/templates/test_simple/start", data=form | {"input-message": "another"})
    assert other.status_code == 422
    assert browser.get("/templates/none/start").status_code == 404
    assert "from a form &lt;&amp;&gt;" in browser.get(f"/templates/test_simple/start?like={workflow}").text
    assert browser.get(f"/templates/diamond/start?like={workflow}").status_code == 404


SMALL = """\
cwlVersion: v1.2
class: Workflow
inputs: {text: string, times: int, loud: boolean, how: {type: {type: enum, symbols: [soft, hard]}}, names: "string[]"}
steps: {}
outputs: {}
"""


def test_a_template_is_written_checked_and_started_on_pages(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    with closing(ManagerBench(tmp_path, directory=folder)) as bench:
        site = manager_site.make_site(bench.api, tmp_path)
        with start(WEB, site.state_dir, lambda: site, bench.service) as server, Client(server, token=None) as browser:
            browser.headers.update(HTML)
            browser.follow_redirects = True
            right = {"username": "admin", "password": PASSWORD, "next": "/new-template"}
            csrf = {"csrf": csrf_of(browser.post("/login", data=right).text)}
            checked = browser.post("/check-template", data=csrf | {"name": "small", "source": "class: Workflow"})
            assert "cannot be saved" in checked.text
            wrong = browser.post("/new-template", data=csrf | {"name": "small", "source": "steps: 3"})
            assert wrong.status_code == 422
            assert "steps: 3" in wrong.text
            assert not list(folder.iterdir())
            for name in ("", "../small", ".small"):
                assert browser.post("/new-template", data=csrf | {"name": name, "source": SMALL}).status_code == 422
            made = browser.post("/new-template", data=csrf | {"name": "small", "source": SMALL.replace("\n", "\r\n")})
            assert "small is saved" in made.text
            assert (folder / "small.cwl").read_text() == SMALL
            page = browser.get("/templates/small/start").text
            for kind in ('inputmode="decimal"', 'type="checkbox"', "<option>hard", "<textarea"):
                assert kind in page
            page = browser.get("/templates/small/edit").text
            (mark,) = re.findall(r'name="mark" value="([^"]+)"', page)
            changed = {"source": SMALL.replace("soft", "softly"), "mark": mark}
            assert "is saved" in browser.post("/templates/small/edit", data=csrf | changed).text
            assert browser.post("/templates/small/edit", data=csrf | changed).status_code == 422
            assert "softly" in (folder / "small.cwl").read_text()


def test_many_runs_are_counted_shown_and_done(bench: ManagerBench, browser: Client) -> None:
    for number in range(3):
        bench.trigger("diamond", f"many-{number}", text="in bulk")
    page = browser.get("/?template=diamond&text=in+bulk").text
    assert "/many/cancel?template=diamond&amp;text=in+bulk" in page
    where = "/many/cancel?template=diamond&text=in+bulk"
    page = browser.get(where).text
    assert "Cancel 3 runs" in page
    form = {"csrf": csrf_of(page), "count": "3"}
    bench.trigger("diamond", "many-3", text="in bulk")
    assert browser.post(where, data=form).status_code == 409
    assert "4 runs are being cancelled" in browser.post(where, data=form | {"count": "4"}).text
    for wrong in ("", "-1", "x", "9" * 20):
        assert browser.post(where, data=form | {"count": wrong}).status_code == 400
    assert browser.get("/many/none").status_code == 404
    assert "None of them can be retried" in browser.get("/many/retry?template=none").text
