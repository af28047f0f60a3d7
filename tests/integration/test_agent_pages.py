"""The agent's pages, as a person with a browser that runs no scripts uses them."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.protocol.messages import OfferAccept
from tests.unit.agent.bench import completed
from tests.web_bench import PASSWORD, WEB, AgentBench, Client, serve_agent

UPPER = """\
name: upper
inputs: {message: string, times: "int?"}
outputs: {out: string}
script: echo out=X >> "$CARONI_OUTPUTS"
environment: {KEY: hidden-value}
"""
HTML = {"Accept": "text/html,application/xhtml+xml"}

LogIn = Callable[[str, str], Client]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "jobtypes"
    path.mkdir()
    (path / "upper.yaml").write_text(UPPER)
    return path


@pytest.fixture
def agent(directory: Path) -> AgentBench:
    bench = AgentBench(slots=1, backlog=60, job_types=directory, web=WEB)
    bench.api.reload_types()
    return bench


@pytest.fixture
def log_in(agent: AgentBench, tmp_path: Path) -> Iterator[LogIn]:
    """Log in as a person does; redirects are followed."""
    with ExitStack() as opened:
        server = opened.enter_context(serve_agent(agent, tmp_path))

        def log_in(name: str, password: str) -> Client:
            browser = opened.enter_context(Client(server, token=None))
            browser.headers.update(HTML)
            browser.follow_redirects = True
            assert browser.post("/login", data={"username": name, "password": password}).status_code == 200
            return browser

        yield log_in


@pytest.fixture
def browser(log_in: LogIn) -> Client:
    return log_in("admin", PASSWORD)


@pytest.fixture
def viewer(log_in: LogIn) -> Client:
    return log_in("viola", "looks")


def send(browser: Client, path: str, **data: str) -> httpx.Response:
    """Send a form with its CSRF token, as its page has it."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/").text)
    assert found
    return browser.post(path, data={"csrf": found[1], **data})


def place(agent: AgentBench, count: int = 1, manager: str = "m1") -> list[str]:
    return [agent.bench.place(agent.bench.new_job(), manager=manager)[0] for _ in range(count)]


def test_an_agent_with_nothing_to_do_says_what_comes_next(agent: AgentBench, browser: Client, directory: Path) -> None:
    page = browser.get("/").text
    assert "Nothing runs or waits here now" in page
    assert 'href="/job-types/upper/try"' in page
    (directory / "upper.yaml").unlink()
    agent.api.reload_types()
    for path in ("/", "/job-types"):
        page = browser.get(path).text
        assert "No job type here yet" in page
        assert 'href="/new-job-type"' in page


def test_the_first_page_shows_what_runs_and_waits_and_why_what_is_not_taken(agent: AgentBench, browser: Client) -> None:
    running, *_ = place(agent, 56)
    agent.bench.send(OfferAccept(offer="nooffer1", jobs=(agent.bench.new_job("none"),)))
    page = browser.get("/").text
    assert "<b>1 of 1</b> slot busy" in page
    assert f'action="/jobs/{running}/kill"' in page
    assert "5 more are queued" in page
    assert "the agent has no job type none" in page
    assert len(page) < 100_000
    assert browser.get("/?hours=24").status_code == 200
    assert browser.get("/?hours=0").status_code == 400


def test_a_job_is_killed_from_its_page(agent: AgentBench, browser: Client) -> None:
    (job,) = place(agent)
    agent.bench.runner.logs[job] = b"<b>bold</b>\n"
    page = browser.get(f"/jobs/{job}").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert f'data-log="/api/jobs/{job}/log" data-offset="12"' in page
    agent.bench.runner.logs[job] = b"".join(b"line %d\n" % number for number in range(10_000))
    page = browser.get(f"/jobs/{job}").text
    assert "line 9999\n" in page
    assert "line 1000\n" not in page
    assert ">\nline " in page
    assert f'data-offset="{len(agent.bench.runner.logs[job])}"' in page
    page = send(browser, f"/jobs/{job}/kill").text
    assert f"Job {job} ends as soon as its processes are gone." in page
    assert "It is being killed: killed by the owner of agent a1." in page
    agent.bench.end(job, Failed("killed", exit_code=-15))
    again = send(browser, f"/jobs/{job}/kill")
    assert again.status_code == 409
    assert f"The job {job} is killed already." in again.text
    assert browser.get("/jobs/none").status_code == 404


def test_jobs_are_listed_by_state_and_manager(agent: AgentBench, browser: Client) -> None:
    one, two = place(agent, 2)
    place(agent, manager="m2")
    page = browser.get("/jobs?manager=m1&status=queued").text
    assert f"/jobs/{two}" in page
    assert f"/jobs/{one}" not in page
    assert "No job fits" in browser.get("/jobs?manager=m3").text
    place(agent, 50)
    page = browser.get("/jobs").text
    older = re.search(r'href="(/jobs\?after=\d+)" rel="next"', page)
    assert older
    assert f"/jobs/{one}" in browser.get(older[1]).text


def test_pause_and_drain_by_their_buttons(agent: AgentBench, browser: Client) -> None:
    place(agent, 2)
    page = send(browser, "/pause", on="1").text
    assert "The agent is paused. What runs goes on; what waited was given back." in page
    assert "<strong>Paused.</strong>" in page
    page = send(browser, "/pause", on="0").text
    assert "The agent starts jobs again." in page
    assert "<strong>Paused.</strong>" not in page
    assert "<strong>Drained.</strong>" in send(browser, "/drain", on="1").text
    assert "The agent takes work again." in send(browser, "/drain", on="0").text


def test_a_job_type_is_mended_on_its_page(agent: AgentBench, browser: Client, directory: Path) -> None:
    page = browser.get("/job-types/upper/edit").text
    mark = re.search(r'name="mark" value="(\w+)"', page)
    assert mark
    wrong = UPPER.replace("out: string", "out: strng").replace("\n", "\r\n")
    answer = send(browser, "/job-types/upper/edit", source=wrong, mark=mark[1])
    assert answer.status_code == 422
    assert "<b>Line 3:</b>" in answer.text
    assert "strng" in answer.text
    assert (directory / "upper.yaml").read_text() == UPPER
    right = UPPER.replace("out=X", "out=Y")
    answer = send(browser, "/job-types/upper/edit", source=right.replace("\n", "\r\n"), mark=mark[1])
    assert answer.url.path == "/job-types/upper"
    assert "The job type upper is saved, and in force" in answer.text
    assert (directory / "upper.yaml").read_text() == right
    version = agent.bench.reactor.job_types.loaded["upper"].version
    assert version in answer.text


def test_what_was_written_meanwhile_is_shown_and_only_then_replaced(browser: Client, directory: Path) -> None:
    theirs, mine = UPPER + "# theirs\n", UPPER + "# mine\n"
    mark = re.search(r'name="mark" value="(\w+)"', browser.get("/job-types/upper/edit").text)
    assert mark
    (directory / "upper.yaml").write_text(theirs)
    answer = send(browser, "/job-types/upper/edit", source=mine, mark=mark[1])
    assert answer.status_code == 409
    assert "# theirs" in answer.text
    assert "# mine" in answer.text
    assert (directory / "upper.yaml").read_text() == theirs
    mark = re.search(r'name="mark" value="(\w+)"', answer.text)
    assert mark
    assert send(browser, "/job-types/upper/edit", source=mine, mark=mark[1]).status_code == 200
    assert (directory / "upper.yaml").read_text() == mine


def test_what_is_not_saved_says_so_on_top(browser: Client) -> None:
    shown = browser.get("/job-types/upper/edit").text
    mark = re.search(r'name="mark" value="(\w+)"', shown)
    assert mark
    assert "Nothing was saved" not in shown
    answer = send(browser, "/job-types/upper/edit", source="name: upper", mark=mark[1])
    assert answer.text.index("Nothing was saved") < answer.text.index("<textarea")


def test_what_is_typed_is_checked(browser: Client) -> None:
    text = send(browser, "/job-types/upper/check", source="name: upper").text
    assert "It cannot be saved like this" in text
    assert "nothing to run" in text
    assert "It can be saved: <code>upper</code>" in send(browser, "/job-types/upper/check", source=UPPER).text
    long = UPPER + "# größer\n" * 10_000
    assert "It can be saved" in send(browser, "/job-types/upper/check", source=long).text
    assert send(browser, "/job-types/upper/check", source=long * 10).status_code == 413
    text = send(browser, "/new-job-type/check", source=UPPER).text
    assert "is the name of upper.yaml already" in text


def test_a_new_job_type_is_made_and_deleted(browser: Client, directory: Path) -> None:
    starter = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", browser.get("/new-job-type").text, re.DOTALL)
    assert starter
    answer = send(browser, "/new-job-type", source=UPPER, mark="")
    assert (answer.status_code, "is the name of upper.yaml already" in answer.text) == (422, True)
    answer = send(browser, "/new-job-type", source=UPPER.replace("name: upper", "name: lower"), mark="")
    assert answer.url.path == "/job-types/lower"
    mark = re.search(r'name="mark" value="(\w+)"', answer.text)
    assert mark
    assert send(browser, "/job-types/lower/delete", mark="wrong").status_code == 409
    assert (directory / "lower.yaml").exists()
    answer = send(browser, "/job-types/lower/delete", mark=mark[1])
    assert "The job type lower is deleted." in answer.text
    assert not (directory / "lower.yaml").exists()


def test_an_earlier_version_can_be_looked_at_and_taken_up_again(
    agent: AgentBench, browser: Client, directory: Path
) -> None:
    before = agent.bench.reactor.job_types.loaded["upper"].version
    (directory / "upper.yaml").write_text(UPPER.replace("out=X", "out=Y"))
    agent.api.reload_types()
    assert "out=X" in browser.get(f"/job-types/upper/versions/{before}").text
    assert "out=X" in browser.get(f"/job-types/upper/edit?version={before}").text
    assert browser.get("/job-types/upper/versions/none").status_code == 404
    for path in ("/job-types/none", "/job-types/none/edit", "/job-types/none/try"):
        assert browser.get(path).status_code == 404


def test_a_trial_by_a_form_whose_errors_stand_at_their_fields(agent: AgentBench, browser: Client) -> None:
    typed = {"input-message": "two\r\nlines", "input-times": "many"}
    answer = send(browser, "/job-types/upper/try", **typed)
    assert answer.status_code == 422
    assert 'id="e-input-times">must be a number; it takes int?' in answer.text
    assert "two\nlines</textarea>" in answer.text
    assert agent.bench.runner.started == []
    answer = send(browser, "/job-types/upper/try", **typed | {"input-times": ""})
    (order,) = agent.bench.runner.started
    assert order.inputs == {"message": "two\nlines", "times": None}
    assert answer.url.path == f"/jobs/{order.job}"
    assert "No manager hears of it." in answer.text
    again = send(browser, "/job-types/upper/try", **typed | {"input-times": "3"})
    assert again.status_code == 409
    assert "another trial runs" in again.text
    agent.bench.end(order.job, completed({"out": "LINES"}))
    page = browser.get(f"/jobs/{order.job}").text
    assert "LINES" in page
    assert f"/job-types/upper/try?job={order.job}" in page
    assert "two\nlines</textarea>" in browser.get(f"/job-types/upper/try?job={order.job}").text


def test_a_viewer_sees_no_form_and_no_text_and_changes_nothing(
    agent: AgentBench, viewer: Client, directory: Path
) -> None:
    (job,) = place(agent)
    version = agent.bench.reactor.job_types.loaded["upper"].version
    for path in ("/", "/jobs", f"/jobs/{job}", "/job-types", "/job-types/upper", "/job-types/upper/try",
                 "/new-job-type", f"/job-types/upper/versions/{version}"):  # fmt: skip
        page = viewer.get(path)
        assert page.status_code == 200
        assert set(re.findall(r'<form method="post" action="([^"]+)"', page.text)) == {"/logout"}
        assert "hidden-value" not in page.text
    assert viewer.get("/job-types/upper/edit").status_code == 403
    changes = ["/pause", "/drain", f"/jobs/{job}/kill", "/new-job-type", "/new-job-type/check"]
    for path in [*changes, *(f"/job-types/upper/{change}" for change in ("edit", "check", "delete", "try"))]:
        assert send(viewer, path, source="x", mark="x").status_code == 403
    assert agent.bench.states() == {"running": 1}
    assert (directory / "upper.yaml").read_text() == UPPER


def test_strangers_are_led_to_the_login_and_forms_need_their_token(browser: Client, agent: AgentBench) -> None:
    with httpx.Client(base_url=browser.base_url, headers=HTML, trust_env=False, timeout=60) as stranger:
        for path in ("/jobs", "/job-types", "/job-types/upper/edit", "/new-job-type"):
            assert stranger.get(path).headers["Location"] == f"/login?next={path}"
    assert browser.post("/pause", data={"on": "1"}).status_code == 403
    assert agent.bench.store.facts.paused() is False


def test_where_nothing_may_be_edited_pages_say_why(agent: AgentBench, browser: Client) -> None:
    agent.bench.reload(web=replace(WEB, edit=False))
    for path in ("/job-types", "/job-types/upper", "/job-types/upper/edit", "/new-job-type"):
        page = browser.get(path).text
        assert "web.edit: false" in page
        assert "<textarea" not in page
    answer = send(browser, "/job-types/upper/edit", source=UPPER + "\n", mark="x")
    assert answer.status_code == 403


def test_a_broken_file_is_on_top_with_its_lines(agent: AgentBench, browser: Client, directory: Path) -> None:
    (directory / "broken.yaml").write_text("name: broken\n")
    (directory / "upper.yaml").write_text("name: upper\n")
    agent.api.reload_types()
    page = browser.get("/job-types").text
    assert page.count("cannot be taken as its file is now") == 2
    assert page.count("the version from before stays in force") == 1
    assert "So no job of it runs." in browser.get("/job-types/broken").text
    assert "The version from before stays in force." in browser.get("/job-types/upper").text


def test_a_viewer_learns_no_value_of_an_environment_by_what_is_wrong_with_it(
    agent: AgentBench, directory: Path, log_in: LogIn
) -> None:
    viewer = log_in("viola", "looks")
    for environment, said in (("{KEY: 987654321}", "value of KEY"), ("KEY=987654321", "expected variables")):
        wrong = UPPER.replace("upper", "wrong").replace("{KEY: hidden-value}", environment)
        (directory / "wrong.yaml").write_text(wrong)
        agent.api.reload_types()
        for path in ("/job-types", "/job-types/wrong", "/api/job-types", "/api/job-types/wrong"):
            page = viewer.get(path).text
            assert said in page
            assert "987654321" not in page
