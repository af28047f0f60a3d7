"""What starts workflows by itself, as the API, the page and the command show it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from caroni_edge.cli import main
from caroni_edge.config.automation import AtMost, Rule, Schedule
from caroni_edge.config.automation_kinds import CONDITION
from caroni_edge.config.kinds import Place
from caroni_edge.config.notify import Notify, Topic, Webhook
from caroni_edge.config.timing import Cron, Every
from caroni_edge.javascript.texts import read_text
from caroni_edge.manager.triggers.evaluation import Evaluated, Outcome, Reading
from caroni_edge.web.server import WebServer
from tests.web_bench import DATE, TOKEN, Client, ManagerBench, metrics_of, serve_manager

HOT = Rule(
    name="hot",
    topic="sensors/+/t",
    when=CONDITION.read("$(message.c > 40)", Place(Path(), {})),  # type: ignore[arg-type]
    template="test_simple",
    inputs={},
    id=read_text("hot-$(message.n)", ["message"]),
    at_most=AtMost(runs=3, per_s=600, for_each=read_text("$(topic[1])", ["topic"])),
)
NIGHTLY = Schedule(
    name="nightly", template="test_simple", timing=Cron("30 2 * * *", "Europe/Prague"), inputs={"message": "x"}
)
BROKEN = Schedule(name="broken", template="nothing", timing=Every(60), inputs={})
HOOK = Notify(("trigger-refused",), (), Webhook("https://user:pass@hooks.example/a-token", None))
ALARMS = Notify(("failed", "recovered"), ("night-*",), Topic("ship/alarms"))
LOST = Rule(name="lost", topic="other/#", template="nothing", inputs={})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    bench = ManagerBench(tmp_path, rules=(HOT, LOST), schedules=(NIGHTLY, BROKEN), notify=(HOOK, ALARMS))
    bench.service.call(lambda at: bench.reactor.on_listening(["sensors/#"], at, is_session_new=True))
    take(bench, "hot-1")
    take(bench, "hot-1")
    take(bench, None, Outcome.UNREAD, "it is no JSON: <b>x</b>")
    bench.service.now += 86400.0
    bench.service.call(lambda _at: None)
    yield bench
    bench.close()


def take(bench: ManagerBench, workflow: str | None, outcome: Outcome = Outcome.FITS, said: str = "") -> None:
    reading = Reading("sensors/ida/t", b"{}", DATE)
    found = Evaluated(HOT, reading, outcome, said, {"message": "x"}, workflow)
    bench.service.call(lambda at: bench.reactor.on_reading([found], at))


def test_the_api_lists_triggers_with_what_they_did(server: WebServer) -> None:
    with Client(server) as client:
        hot, lost = client.get("/api/triggers").json()["triggers"]
    assert (hot["name"], hot["topic"], hot["template"]) == ("hot", "sensors/+/t", "test_simple")
    assert (hot["when"], hot["id"]) == ("$(message.c > 40)", "hot-$(message.n)")
    assert hot["at_most"] == "3 in 600 s for each $(topic[1])"
    assert hot["listens_since"] == "2023-11-14T22:30:00.000Z"
    assert hot["workflow"] == "hot-1"
    assert {what: each["times"] for what, each in hot["counts"].items()} == {"started": 1, "known": 1, "unread": 1}
    assert hot["problem"] == "could not be read: sensors/ida/t: it is no JSON: <b>x</b>"
    assert (lost["listens_since"], lost["workflow"], lost["counts"]) == (None, None, {})
    assert lost["problem"] == "there is no template nothing that can be started"


def test_the_page_shows_them(server: WebServer) -> None:
    with Client(server) as client:
        page = client.get("/triggers").text
    assert '<a href="/runs/hot-1">hot-1</a>' in page
    assert "it is no JSON: &lt;b&gt;x&lt;/b&gt;" in page
    assert "1 had an id that is known" in page


def test_the_command_prints_them(server: WebServer) -> None:
    done = CliRunner().invoke(main, ["triggers", "--utc", "--url", server.url], env={"CARONI_TOKEN": TOKEN})
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "hot: sensors/+/t starts test_simple"
    assert lines[1] == "  started 1, last 2023-11-14T22:30:00.000Z: hot-1"
    assert "  it does not listen yet: the broker has no subscription of it" in lines
    assert lines[-1] == "  look at this: there is no template nothing that can be started"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("triggers", r"  started 1, last \d+ d ago: hot-1"),
        ("triggers", r"  unread 1, last \d+ d ago: .*it is no JSON.*"),
        ("schedules", r"  next (in \d+ (s|min|h)|now)(, in \d+ (s|min|h|d)){2}"),
        ("schedules", r"  \d+ d ago started nightly-20231115t013000z"),
        ("schedules", r"  missed \d+, last \d+ d ago: there is no template nothing"),
    ],
)
def test_the_commands_say_ages(server: WebServer, command: str, line: str) -> None:
    done = CliRunner().invoke(main, [command, "--url", server.url], env={"CARONI_TOKEN": TOKEN})
    assert any(re.fullmatch(line, each) for each in done.stdout.splitlines()), done.stdout


def test_messages_are_counted_for_prometheus(server: WebServer) -> None:
    with Client(server) as client:
        found = metrics_of(client)
    assert found['caroni_trigger_messages{trigger="hot",what="started"}'] == 1


def test_without_any_it_says_how_to_have_one(tmp_path: Path) -> None:
    bench = ManagerBench(tmp_path)
    with serve_manager(bench, tmp_path) as server, Client(server) as client:
        assert "No message starts a workflow by itself" in client.get("/triggers").text
        done = CliRunner().invoke(main, ["triggers", "--url", server.url], env={"CARONI_TOKEN": TOKEN})
        assert done.stdout.startswith("no message starts a workflow by itself")
    bench.close()


def test_the_api_lists_schedules_with_what_comes_and_what_was_missed(server: WebServer) -> None:
    with Client(server) as client:
        nightly, broken = client.get("/api/schedules").json()["schedules"]
    assert (nightly["timing"], nightly["timezone"], nightly["problem"]) == ("30 2 * * *", "Europe/Prague", None)
    workflow = "nightly-20231115t013000z"
    assert nightly["last"] == [{"slot": "2023-11-15T01:30:00.000Z", "workflow": workflow, "waiting": False}]
    assert len(nightly["next"]) == 3
    assert (broken["timing"], broken["last"]) == ("every 60 s", [])
    assert broken["missed"] > 0
    assert broken["missed_why"] == "there is no template nothing"
    assert broken["problem"] == "there is no template nothing that can be started"


def test_the_page_shows_schedules(server: WebServer) -> None:
    with Client(server) as client:
        page = client.get("/triggers").text
    assert '<a href="/runs/nightly-20231115t013000z">nightly-20231115t013000z</a>' in page
    assert "there is no template nothing" in page


def test_the_command_prints_schedules_and_tries_a_time(server: WebServer) -> None:
    done = CliRunner().invoke(main, ["schedules", "--utc", "--url", server.url], env={"CARONI_TOKEN": TOKEN})
    lines = done.stdout.splitlines()
    assert lines[0] == "nightly: 30 2 * * * Europe/Prague starts test_simple"
    assert "  2023-11-15T01:30:00.000Z started nightly-20231115t013000z" in lines
    tried = CliRunner().invoke(main, ["schedules", "--test", "30 2 * * *"])
    assert [line[10:] for line in tried.stdout.splitlines()] == ["T02:30:00.000Z"] * 10
    wrong = CliRunner().invoke(main, ["schedules", "--test", "61 * * * *"])
    assert (wrong.exit_code, "bad minute" in wrong.output) == (2, True)


def test_missed_slots_are_counted_for_prometheus(server: WebServer) -> None:
    with Client(server) as client:
        assert metrics_of(client)['caroni_schedule_slots_missed{schedule="nightly"}'] == 0


def test_the_api_lists_who_is_told_and_no_secret_of_an_address(server: WebServer, bench: ManagerBench) -> None:
    notifications = bench.reactor.notifications
    number = notifications.first(HOOK.target_key)
    assert number is not None
    bench.service.call(lambda at: notifications.handed_over(number.id, "it", "again", "it answers with status 500", at))
    with Client(server) as client:
        hook, alarms = client.get("/api/notify").json()["notify"]
        page, config = client.get("/triggers").text, client.get("/node").text
        waiting = metrics_of(client)['caroni_notifications_waiting{target="webhook https://hooks.example"}']
    assert (hook["to"], hook["on"], hook["templates"]) == ("webhook https://hooks.example", ["trigger-refused"], [])
    assert (hook["waiting"], hook["taken"], hook["said"]) == (waiting, 0, "it answers with status 500")
    assert waiting > 0
    assert (alarms["to"], alarms["waiting"], alarms["said"]) == ("topic ship/alarms", 0, None)
    assert "webhook https://hooks.example" in page
    assert "a-token" not in page + config


def test_the_doctor_says_what_somebody_should_look_at(server: WebServer) -> None:
    with Client(server) as client:
        page = client.get("/node").text
    assert "trigger lost: there is no template nothing that can be started" in page
    assert "schedule broken: there is no template nothing that can be started" in page
