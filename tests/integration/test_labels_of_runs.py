"""Labels of workflows: given with a trigger, shown, and filtered by in lists, pages and commands on many."""

import pytest
from click.testing import Result

from caroni_edge.web.server import WebServer
from tests.integration.conftest import Run
from tests.web_bench import Client, ManagerBench


def start(run: Run, workflow: str, *labels: str) -> Result:
    words = [word for label in labels for word in ("--label", label)]
    return run("submit", "test_simple", "-i", "message=x", "--id", workflow, *words)


def names(answer: Result) -> list[str]:
    return [line.split()[0] for line in answer.stdout.splitlines()[1:]]


def test_lists_and_pages_are_filtered_by_label(bench: ManagerBench, server: WebServer, run: Run) -> None:
    start(run, "w1", "cruise=42", "leg=a")
    start(run, "w2", "cruise=42")
    start(run, "w3", "cruise=43")
    start(run, "w4")
    assert names(run("status", "--label", "cruise=42")) == ["w2", "w1"]
    assert run("status", "--label", "cruise=4").stdout == "no workflows\n"
    assert ", cruise=42, leg=a; 0/3 steps)" in run("status", "w1").stdout
    run("cancel", "w2")
    assert names(run("status", "--label", "cruise=42", "--status", "cancelled")) == ["w2"]
    assert run("status", "--label", "cruise=42", "--agent", "a1").stdout == "no workflows\n"
    bench.see("a1", "foojob0")
    bench.place("a1", "foojob0")  # of w1
    assert names(run("status", "--label", "cruise=42", "--agent", "a1")) == ["w1"]
    with Client(server) as client:
        found = client.get("/api/workflows?label=leg=a").json()["workflows"]
        assert [(each["id"], each["labels"]) for each in found] == [("w1", {"cruise": "42", "leg": "a"})]
        page = client.get("/?label=cruise=43", headers={"Accept": "text/html"}).text
        assert ('id="run-w3"' in page, 'id="run-w1"' in page) == (True, False)
        assert "cruise=42</a>" in client.get("/runs/w1", headers={"Accept": "text/html"}).text
        assert client.get("/api/workflows?label=cruise").status_code == 400


def test_many_are_cancelled_by_label_and_a_deleted_one_leaves_none(bench: ManagerBench, run: Run) -> None:
    start(run, "w1", "cruise=42")
    start(run, "w2", "cruise=43")
    assert run("cancel", "--label", "cruise=42", "--yes").stdout == "1 workflow is being cancelled, a few at a time\n"
    while bench.reactor.next_due() < 0:
        bench.service.call(lambda _at: None)
    assert names(run("status", "--status", "cancelled")) == ["w1"]
    run("delete", "w1")
    labels = bench.database.conn.execute("SELECT label FROM workflow_labels").fetchall()
    assert [tuple(row) for row in labels] == [("cruise=43",)]


def test_a_known_id_keeps_its_labels_and_another_one_like_it_has_them(run: Run) -> None:
    start(run, "w1", "cruise=42")
    assert start(run, "w1", "cruise=43").exit_code == 0
    assert run("rerun", "w1", "--id", "w2").exit_code == 0
    assert names(run("status", "--label", "cruise=42")) == ["w2", "w1"]
    assert run("status", "--label", "cruise=43").stdout == "no workflows\n"


@pytest.mark.parametrize("label", ["cruise", "Cruise=1", "=1", "a=b,c", "a=b=c", "a=ü", f"a={'x' * 101}", "a=b\n"])
def test_what_is_no_label_is_told(run: Run, label: str) -> None:
    answer = start(run, "w1", label)
    assert (answer.exit_code, "a label is written NAME=VALUE" in answer.stderr) == (2, True)


def test_a_trigger_has_16_labels_at_most(run: Run, server: WebServer) -> None:
    many = [f"l{nth}=x" for nth in range(17)]
    assert "16 labels are allowed" in start(run, "w1", *many).stderr
    with Client(server) as client:
        body = {"template": "test_simple", "inputs": {"message": "x"}, "labels": {f"l{nth}": "x" for nth in range(17)}}
        answer = client.post("/api/workflows", json=body)
        assert (answer.status_code, "16 labels at most" in answer.json()["error"]) == (400, True)


def test_the_form_takes_labels_shows_those_of_a_run_like_it_and_says_what_is_wrong(
    bench: ManagerBench, server: WebServer, run: Run
) -> None:
    start(run, "w1", "cruise=42", "leg=a b")
    with Client(server) as client:
        html = {"Accept": "text/html"}
        page = client.get("/templates/test_simple/start?like=w1", headers=html).text
        assert "cruise=42\nleg=a b</textarea>" in page
        form = {"input-message": "x", "id": "w2", "labels": " cruise=43\r\n\r\nleg=a b\r\n"}
        wrong = client.post("/templates/test_simple/start", data=form | {"labels": "cruise"}, headers=html)
        assert (wrong.status_code, "a label is written NAME=VALUE" in wrong.text) == (422, True)
        many = client.post(
            "/templates/test_simple/start", data=form | {"labels": "\n".join(f"n{i}=" for i in range(17))}, headers=html
        )
        assert (many.status_code, "16 labels are allowed" in many.text) == (422, True)
        assert client.get("/api/workflows/w2").status_code == 404
        client.post("/templates/test_simple/start", data=form, headers=html)
        assert client.get("/api/workflows/w2").json()["labels"] == {"cruise": "43", "leg": "a b"}
