"""Lists of workflows by filters, and how far each has come."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlite_utils import Database

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.filters import read_since
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.shapes import Progress, WorkflowPage
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store import listed
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.storage.migrations.manager import manager
from caroni_edge.web.problems import Problem
from tests.unit.manager.bench import DATE, Bench
from tests.unit.manager.workflows.test_branches import SPREAD


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SPREAD, attempts=1)
    bench.presence()
    return bench


def views(bench: Bench) -> ManagerViews:
    return ManagerViews(bench.database.conn, Plans())


def page(bench: Bench, after: str | None = None, **wanted: Any) -> WorkflowPage:
    return views(bench).workflows(WorkflowFilter(**wanted), 100, None if after is None else int(after))


def names(bench: Bench, **wanted: Any) -> list[str]:
    return [each["id"] for each in page(bench, **wanted)["workflows"]]


def test_those_of_an_agent_are_those_that_it_was_given_a_job_of(bench: Bench) -> None:
    bench.presence("a2")
    for workflow in ("w1", "w2", "w3"):
        bench.start("one", workflow)
    bench.fail(bench.place("a1"))
    bench.complete(bench.place("a2"), "a2")
    assert names(bench, agent="a1") == ["w1"]
    assert names(bench, agent="a2") == ["w2"]
    assert names(bench, agent="a1", status=WorkflowState.COMPLETED) == []
    assert names(bench, agent="a2", template="one", status=WorkflowState.COMPLETED) == ["w2"]


def test_those_of_an_older_database_are_found_by_their_agents(bench: Bench) -> None:
    bench.start("one", "w1")
    bench.place()
    conn = bench.database.conn
    conn.execute("DROP TABLE workflow_agents")
    conn.execute("DROP TRIGGER job_added")
    conn.execute("DROP INDEX steps_with_parts")
    conn.execute("DROP INDEX steps_failed")
    conn.execute("ALTER TABLE workflows DROP COLUMN started")
    conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'lists'")
    conn.commit()
    manager.apply(Database(conn))
    (found,) = page(bench, agent="a1")["workflows"]
    assert (found["id"], found["started"]) == ("w1", found["created"])


def test_text_is_found_in_names_and_values_whatever_its_case(bench: Bench) -> None:
    bench.start("one", "w1", inputs={"message": 'Say "Hi" Ölpumpe'})
    bench.start("one", "w2", inputs={"message": "other"})
    assert names(bench, text='say "hi"') == ["w1"]
    assert names(bench, text="ölPUMPE") == ["w1"]
    assert names(bench, text="message") == ["w2", "w1"]
    assert names(bench, text="{") == ["w2", "w1"]
    assert names(bench, text="nowhere") == []


def test_how_far_back_was_looked_is_said_and_the_next_page_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "LOOK_BACK_ROWS", 3)
    bench.start("one", "w0", inputs={"message": "sought"})
    for number in range(1, 6):
        bench.advance(60)
        bench.start("one", f"w{number}")
    first = page(bench, text="sought")
    assert (first["workflows"], first["looked_back_to"]) == ([], "2023-11-14T22:16:20.000Z")
    second = page(bench, text="sought", after=first["next"])
    assert [each["id"] for each in second["workflows"]] == ["w0"]
    assert (second["next"], second["looked_back_to"]) == (None, None)


def test_large_inputs_are_not_looked_at_for_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "LOOK_BACK_BYTES", 1000)
    for number in range(4):
        bench.start("one", f"w{number}", inputs={"message": "x" * 600})
    assert page(bench, text="sought")["next"] == "3"


@pytest.mark.parametrize(("age_s", "found"), [(0, 1), (59, 1), (60, 2), (150, 3), (1e9, 6)])
def test_those_since_a_date_are_found_by_it(bench: Bench, age_s: float, found: int) -> None:
    for number in range(6):
        bench.advance(60)
        bench.start("one", f"w{number}")
    assert len(names(bench, since=bench.date - age_s)) == found
    assert names(bench, since=bench.date + 1) == []
    assert names(bench, since=bench.date, text="nowhere") == []


def test_since_a_date_when_there_is_nothing(bench: Bench) -> None:
    assert names(bench, since=DATE) == []


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T13:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC).timestamp()),
        ("24h", DATE - 86400),
    ],
)
def test_since_is_a_date_or_an_age(text: str, date: float) -> None:
    assert read_since(text, DATE) == date


@pytest.mark.parametrize("text", ["yesterday", "24", "2026-13-01"])
def test_since_is_nothing_else(text: str) -> None:
    with pytest.raises(Problem, match="such as 24h"):
        read_since(text, DATE)


# Progress


def progress(bench: Bench, workflow: str = "w1") -> Progress:
    found = views(bench).summary(workflow)
    assert found is not None
    return found["progress"]


def test_progress_counts_steps(bench: Bench) -> None:
    bench.start("chain")
    assert progress(bench)["sentence"] == "0/3 steps"
    bench.complete(bench.place())
    assert progress(bench) == {"steps": 3, "completed": 1, "failed": 0, "parts": [], "sentence": "1/3 steps"}
    bench.fail(bench.place(job_type="lower"))
    assert progress(bench)["sentence"] == "1/3 steps, 1 failed"


def test_progress_counts_the_instances_of_a_scatter(bench: Bench) -> None:
    bench.start("spread", inputs={"values": ["v"] * 5})
    first, second, third, *_ = bench.place_all(ready=5)
    bench.complete(first.job)
    bench.complete(second.job)
    assert progress(bench)["sentence"] == "0/1 steps; s 2/5"
    bench.fail(third.job)
    found = progress(bench)
    assert found["parts"] == [{"step": "s", "count": 5, "completed": 2, "failed": 1}]
    assert found["sentence"] == "0/1 steps, 1 failed; s 2/5, 1 failed"


def test_a_workflow_lasts_from_its_start_to_its_end(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.advance(7)
    found = views(bench).summary("w1")
    assert found is not None
    assert (found["started"], found["duration_s"]) == (found["created"], None)
    bench.complete(job)
    found = views(bench).summary("w1")
    assert found is not None
    assert found["duration_s"] == 7.0
