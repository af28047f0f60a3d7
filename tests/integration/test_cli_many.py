"""Commands on the workflows that people mean: by short ids, by filters, and as they change."""

import json
from collections.abc import Callable
from types import SimpleNamespace

import click
import pytest

from caroni_edge.cli import _filters, _ids, _output, _tables, main
from caroni_edge.cli._ids import complete_agent, complete_step, complete_template, complete_workflow
from caroni_edge.cli._watch import Seen, watch
from caroni_edge.web.server import WebServer
from tests.integration.conftest import Run
from tests.web_bench import TOKEN, Client, ManagerBench


def status_of(bench: ManagerBench, *workflows: str) -> list[str | None]:
    with bench.views() as views:
        found = [views.summary(workflow) for workflow in workflows]
    return [each["status"] if each else None for each in found]


def work_off(bench: ManagerBench) -> None:
    """Let the batches come in which commands on many workflows are worked off."""
    while bench.reactor.next_due() < 0:
        bench.service.call(lambda _at: None)


# --- Which workflow is meant -----------------------------------------------------------------------------------------


def test_an_id_may_be_short_and_the_whole_one_wins_over_beginnings(bench: ManagerBench, run: Run) -> None:
    for workflow in ("ab", "abc", "abd", "last-one", "x"):
        bench.trigger(workflow=workflow)
    assert run("cancel", "ab").stdout == "ab is cancelled\n"
    assert run("cancel", "abc").stdout == "abc is cancelled\n"
    assert run("cancel", "las").stdout == "last-one is cancelled\n"
    assert status_of(bench, "abd", "x") == ["initializing", "initializing"]
    assert run("why", "x/upper").stdout.startswith("x/upper is ")


def test_last_is_the_newest_but_where_an_id_begins_so(bench: ManagerBench, run: Run) -> None:
    assert "there is no workflow last" in run("why", "last").stderr
    bench.trigger(workflow="first")
    bench.trigger(workflow="newest")
    assert run("why", "last").stdout.startswith("newest is ")
    bench.trigger(workflow="last-one")
    bench.trigger(workflow="zz")
    assert run("why", "last").stdout.startswith("last-one is ")


def test_an_ambiguous_id_changes_nothing_and_says_what_it_may_be(bench: ManagerBench, run: Run) -> None:
    for nth in range(12):
        bench.trigger(workflow=f"w{nth:02}")
    answer = run("cancel", "w0")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert '"w0" may be w00, w01, w02, w03, w04, w05, w06, w07, w08, w09.' in answer.stderr
    assert "w09 and more" in run("cancel", "w").stderr
    assert set(status_of(bench, *(f"w{nth:02}" for nth in range(12)))) == {"initializing"}


@pytest.mark.parametrize("text", ["W", "%", "_", "{", "ü", "w_", "w{"])
def test_no_other_sign_is_a_beginning(bench: ManagerBench, run: Run, text: str) -> None:
    bench.trigger(workflow="w1")
    answer = run("cancel", text)
    assert (answer.exit_code, f"there is no workflow {text}" in answer.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("why", "cruise-24"), "cruise-42"),
        (("why", "cruise-42/uper"), "upper"),
        (("logs", "cruise-42/appendd"), "append"),
        (("cancle", "x"), "cancel"),
    ],
)
def test_what_is_unknown_names_the_nearest(bench: ManagerBench, run: Run, words: tuple[str, ...], meant: str) -> None:
    bench.trigger(workflow="cruise-42")
    answer = run(*words)
    assert answer.exit_code in (1, 2)
    assert f'(did you mean "{meant}"?)' in answer.stderr


def test_the_api_lists_ids_by_their_beginnings(bench: ManagerBench, server: WebServer) -> None:
    for workflow in ("b2", "b1", "c"):
        bench.trigger(workflow=workflow)
    with Client(server) as client:
        assert client.get("/api/ids").json() == {"ids": ["b1", "b2", "c"], "newest": "c", "nearest": None}
        assert client.get("/api/ids?begin=b&limit=1").json()["ids"] == ["b1"]
        assert client.get("/api/ids?begin=b11").json() == {"ids": [], "newest": "c", "nearest": "b1"}


def test_an_outline_is_one_level_in_the_order_of_the_file(bench: ManagerBench, server: WebServer) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.fail("a1", "foojob0")
    with Client(server) as client:
        found = client.get("/api/workflows/w1/outline").json()
        assert [step["path"] for step in found["steps"]] == ["upper", "prepend", "append"]
        assert found["steps"][0]["reason"] == "tried again after: its exit status was 3"
        assert found["steps"][0]["duration_s"] == 1.0
        assert found["workflow"]["id"] == "w1"
        first = client.get("/api/workflows/w1/outline?limit=2").json()
        rest = client.get(f"/api/workflows/w1/outline?after={first['next']}").json()
        assert [step["path"] for step in rest["steps"]] == ["append"]
        assert client.get("/api/workflows/w1/outline?status=failed").json()["steps"] == []
        assert client.get("/api/workflows/w2/outline").status_code == 404
        assert "runs no workflow" in client.get("/api/workflows/w1/outline?within=upper").json()["error"]


# --- What fits a filter ----------------------------------------------------------------------------------------------


def test_only_what_has_failed(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger(workflow="w1")
    for _ in range(5):
        bench.fail("a1", "foojob0")
    bench.trigger(workflow="w2")
    assert [line.split()[0] for line in run("status", "--failed").stdout.splitlines()[1:]] == ["w1"]
    assert [line.split()[0] for line in run("status", "w1", "--failed").stdout.splitlines()[3:]] == ["upper"]
    assert run("status", "--failed", "--status", "running").exit_code == 2
    assert run("status", "w1", "--template", "test_simple").exit_code == 2
    assert run("status", "--since", "1h").stdout == "no workflows\n"  # the bench lives in 2023


def test_many_are_cancelled_only_when_that_is_confirmed(
    bench: ManagerBench, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workflow in ("w1", "w2"):
        bench.trigger(workflow=workflow)
    bench.trigger("diamond", "other", text="x")
    many = ("cancel", "--template", "test_simple")
    answer = run(*many)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "2 workflows would be cancelled, and nobody has confirmed that" in answer.stderr
    monkeypatch.setattr(_filters, "is_asked", lambda: True)
    refused = run(*many, answer="n\n")
    assert (refused.exit_code, "w1 (test_simple, initializing)" in refused.stderr) == (2, True)
    assert status_of(bench, "w1", "w2", "other") == ["initializing"] * 3
    assert run(*many, answer="y\n").stdout == "2 workflows are being cancelled, a few at a time\n"
    work_off(bench)
    assert status_of(bench, "w1", "w2", "other") == ["cancelled", "cancelled", "initializing"]


def test_many_are_deleted_and_retried_without_asking(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    for _ in range(5):
        bench.fail("a1", "foojob0")
    assert run("retry", "--status", "failed", "--yes").stdout == "1 workflow is being retried, a few at a time\n"
    work_off(bench)
    assert run("retry", "--status", "failed", "--yes").stdout == "there are no such workflows that could be retried\n"
    run("cancel", "w1")
    found = json.loads(run("delete", "--status", "cancelled", "--yes", "--json").stdout)
    work_off(bench)
    assert (found["begun"], status_of(bench, "w1")) == (True, [None])


def test_each_one_that_is_named_is_deleted_when_it_has_ended(bench: ManagerBench, run: Run) -> None:
    for workflow in ("w1", "w2", "w3"):
        bench.trigger(workflow=workflow)
    assert "only what has ended can be deleted" in run("delete", "w1").stderr
    run("cancel", "w1")
    run("cancel", "w2")
    assert run("delete", "w1", "w2", "w1").stdout == "w1 is deleted\nw2 is deleted\n"
    assert status_of(bench, "w1", "w2", "w3") == [None, None, "initializing"]


@pytest.mark.parametrize("words", [("cancel",), ("retry", "w1", "--status", "failed"), ("delete",)])
def test_a_command_is_about_one_or_about_a_filter(run: Run, words: tuple[str, ...]) -> None:
    answer = run(*words)
    assert (answer.exit_code, "name a workflow or" in answer.stderr) == (2, True)


# --- As it changes ---------------------------------------------------------------------------------------------------


def test_where_there_is_no_terminal_each_line_is_said_as_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    seen = [Seen(1, ["a", "b"], False), Seen(2, ["a", "b"], False), Seen(3, ["a", "c\x1b"], True)]
    assert watch(lambda _is_still: seen.pop(0), pause=lambda _seconds: None) == 3
    assert capsys.readouterr().out == "a\nb\nc\\x1b\n"


def test_a_workflow_is_watched_to_its_end(bench: ManagerBench, run: Run) -> None:
    bench.trigger()
    run("cancel", "w1")
    lines = run("status", "w1", "--watch").stdout.splitlines()
    assert lines[0].startswith("w1: cancelled (template test_simple, created 2023-")


def test_on_a_terminal_it_is_drawn_in_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caroni_edge.cli._watch.is_terminal", lambda err: not err)
    seen = [Seen(1, ["first"], False), Seen(2, ["second\x1b[2J"], True)]
    assert watch(lambda _is_still: seen.pop(0), pause=lambda _seconds: None) == 2
    shown = capsys.readouterr().out
    assert ("second" in shown, "\x1b[2J" in shown) == (True, False)


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False)],
)
def test_colours_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], coloured: bool
) -> None:
    monkeypatch.setattr(_output, "is_terminal", lambda: terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b" in _tables.table(("STATUS",), [["failed"]])[1]) == coloured


def test_what_has_no_room_on_a_terminal_is_cut_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "is_terminal", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: SimpleNamespace(columns=30))
    assert _tables.table(("A", ""), [["x", "y" * 60], ["x", "z"]])[1:] == [f"x  {'y' * 26}…", "x  z"]


# --- Completion and errors -------------------------------------------------------------------------------------------


def test_a_shell_completes_what_the_manager_knows(
    bench: ManagerBench, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ids, "COMPLETED_WITHIN_S", 60.0)
    bench.see("a1", "foojob0")
    for workflow in ("w1", "w2", "x"):
        bench.trigger(workflow=workflow)
    context = click.Context(main)
    context.params = {"url": server.url, "token": TOKEN}

    def completed(complete: Callable[..., list[click.shell_completion.CompletionItem]], word: str) -> list[str]:
        return [item.value for item in complete(context, click.Argument(["x"]), word)]

    assert completed(complete_workflow, "") == ["w1", "w2", "x", "last"]
    assert completed(complete_workflow, "w") == ["w1", "w2"]
    assert completed(complete_step, "x/p") == ["x/prepend"]
    assert completed(complete_template, "test_s") == ["test_simple"]
    assert completed(complete_agent, "a") == ["a1"]
    context.params = {"url": "http://127.0.0.1:1"}
    assert completed(complete_workflow, "w") == []


@pytest.mark.parametrize(
    ("words", "status", "error", "hint"),
    [
        (("why", "none", "--json"), 1, "there is no workflow none", ""),
        (("why", "--json"), 2, "Missing argument", "--help"),
        (("why", "w1/", "--json"), 2, "lacks the name of the step", "status"),
    ],
)
def test_an_error_is_json_for_who_asks_for_that(
    run: Run, words: tuple[str, ...], status: int, error: str, hint: str
) -> None:
    answer = run(*words)
    assert (answer.exit_code, answer.stdout) == (status, "")
    found = json.loads(answer.stderr)
    assert (error in found["error"], hint in found["hint"], set(found)) == (True, True, {"error", "hint"})
