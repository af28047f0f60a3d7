"""The graph of a workflow, what flows through it, and when."""

from typing import Any

import pytest

from caroni_edge.manager.pages import dataflows
from caroni_edge.manager.pages.dataflows import Dataflows
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.timeline import timeline
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.templates.plan import Link, StepInput
from tests.unit.manager.bench import Bench, given, out
from tests.unit.manager.workflows.test_branches import SPREAD, flow, leaf, nest, run_all, value

INNER = flow(
    "inner",
    leaf("a", value("text", given("text"))),
    leaf("b", value("text", out("a"))),
    result=out("b"),
    takes={"text": "string"},
)
NESTED = flow(
    "nested",
    nest("outer", INNER, value("text", given("text"))),
    result=out("outer", "result"),
    takes={"text": "string"},
)
MADE = flow(
    "made",
    leaf("s", value("text", given("values")), scatter=("text",)),
    leaf(
        "t",
        StepInput("text", "string", Link((given("title"), out("s")), merge="merge_nested"), value_from="$(self[0])"),
    ),
    result=out("t"),
    takes={"values": "string[]", "title": "string"},
)


EACH = flow(
    "each",
    nest("outer", INNER, value("text", given("values")), scatter=("text",)),
    result=out("outer", "result"),
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SPREAD, NESTED, MADE, EACH, attempts=1)
    bench.presence()
    return bench


def flows(bench: Bench, within: str | None = None) -> Dataflows:
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row("w1")
    assert row is not None
    step = views.step_row(row, within) if within else None
    assert (step is None) == (within is None)
    return Dataflows(views, row, step)


def shown(bench: Bench, limit: int = 100, after: int = 0, within: str | None = None) -> list[tuple[Any, ...]]:
    page = flows(bench, within).page(limit, after)
    return [
        (f"{each['source']}/{each['output']}", f"{each['target']}/{each['input']}", each["value"]["text"])
        for each in page["dataflows"]
    ]


# The graph


def test_a_graph_has_the_steps_and_what_each_takes_of_which(bench: Bench) -> None:
    bench.start("diamond")
    bench.complete(bench.place())
    graph = flows(bench).graph()
    assert [(node["name"], node["kind"], node["job_type"], node["status"]) for node in graph["nodes"]] == [
        ("top", "job", "upper", "completed"),
        ("left", "job", "lower", "fulfilling"),
        ("right", "job", "lower", "fulfilling"),
        ("end", "job", "upper", "fulfilling"),
    ]
    assert [(edge["source"], edge["target"], edge["flows"]) for edge in graph["edges"]] == [
        (None, "top", ["message → text"]),
        ("top", "left", ["out → text"]),
        ("top", "right", ["out → text"]),
        ("left", "end", ["out → one"]),
        ("right", "end", ["out → two"]),
        ("left", None, ["out → one"]),
        ("end", None, ["out → all"]),
    ]
    assert (graph["inputs"], graph["outputs"], graph["within"], graph["left_out"]) == (
        ["message"],
        ["one", "all"],
        None,
        0,
    )


def test_a_scatter_is_one_node_with_its_instances_by_state(bench: Bench) -> None:
    bench.start("spread", inputs={"values": ["v"] * 1200})
    first, second, third, fourth = bench.place_all(ready=4)
    bench.complete(first.job)
    bench.complete(second.job)
    (node,) = flows(bench).graph()["nodes"]
    assert (node["kind"], node["status"], node["parts"]) == (
        "scatter",
        "running",
        {"count": 1200, "made": 1000, "completed": 2},
    )
    assert node["instances"] == {"waiting": 1196, "running": 2, "completed": 2, "failed": 0, "cancelled": 0}
    bench.run(fourth.job)
    bench.fail(third.job)
    (node,) = flows(bench).graph()["nodes"]
    assert node["instances"] == {"waiting": 1196, "running": 1, "completed": 2, "failed": 1, "cancelled": 0}


def test_the_instances_of_a_cancelled_scatter_are_cancelled(bench: Bench) -> None:
    bench.start("spread", inputs={"values": ["v"] * 3})
    bench.complete(bench.place())
    bench.cancel()
    (node,) = flows(bench).graph()["nodes"]
    assert node["instances"] == {"waiting": 0, "running": 0, "completed": 1, "failed": 0, "cancelled": 2}


def test_a_held_workflow_has_a_graph_without_states(bench: Bench) -> None:
    bench.pause("one")
    bench.start("one")
    (node,) = flows(bench).graph()["nodes"]
    assert (node["name"], node["status"], node["parts"]) == ("a", None, None)


def test_a_nested_workflow_is_a_node_and_a_graph_of_its_own(bench: Bench) -> None:
    bench.start("nested", inputs={"text": "x"})
    (node,) = flows(bench).graph()["nodes"]
    assert (node["kind"], node["job_type"], node["parts"], node["instances"]) == (
        "workflow",
        None,
        {"count": 2, "made": 2, "completed": 0},
        None,
    )
    inner = flows(bench, "outer").graph()
    assert [(node["name"], node["path"], node["status"]) for node in inner["nodes"]] == [
        ("a", "outer/a", "fulfilling"),
        ("b", "outer/b", "fulfilling"),
    ]
    assert inner["within"] == "outer"
    with pytest.raises(KeyError):
        flows(bench, "outer/a")


def test_an_instance_that_is_a_workflow_has_a_graph_and_counts_as_failed_with_a_step_in_it(bench: Bench) -> None:
    bench.start("each", inputs={"values": ["v", "w", "x"]})
    first, second, third = bench.place_all(ready=3)
    assert [first.step, second.step] == ["outer[0]/a", "outer[1]/a"]
    bench.run(third.job)
    bench.complete(first.job)
    bench.fail(second.job)
    (node,) = flows(bench).graph()["nodes"]
    assert (node["kind"], node["job_type"]) == ("scatter", None)
    assert node["instances"] == {"waiting": 0, "running": 2, "completed": 0, "failed": 1, "cancelled": 0}
    inner = flows(bench, "outer[0]").graph()["nodes"]
    assert [(each["path"], each["status"]) for each in inner] == [
        ("outer[0]/a", "completed"),
        ("outer[0]/b", "created"),
    ]
    assert shown(bench, within="outer[0]")[:2] == [("None/text", "a/text", '"v"'), ("a/out", "b/text", '"X"')]


def test_a_graph_ends_at_its_bound(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataflows, "NODES_MAX", 2)
    bench.start("diamond")
    graph = flows(bench).graph()
    assert ([node["name"] for node in graph["nodes"]], graph["left_out"]) == (["top", "left"], 2)
    assert {(edge["source"], edge["target"]) for edge in graph["edges"]} == {
        (None, "top"),
        ("top", "left"),
        ("left", None),
    }


# What flows


def test_each_value_is_shown_where_it_went_as_soon_as_it_is_there(bench: Bench) -> None:
    bench.start("chain")
    bench.complete(bench.place(), out='a "b"')
    assert shown(bench) == [
        ("None/message", "a/text", '"x"'),
        ("a/out", "b/text", '"a \\"b\\""'),
        ("b/out", "c/text", None),
        ("c/out", "None/result", None),
    ]


def test_they_come_by_page(bench: Bench) -> None:
    bench.start("chain")
    page = flows(bench).page(3, 0)
    assert ([each["target"] for each in page["dataflows"]], page["next"]) == (["a", "b", "c"], "3")
    rest = flows(bench).page(3, 3)
    assert ([each["target"] for each in rest["dataflows"]], rest["next"]) == ([None], None)


def test_what_is_scattered_or_changed_on_its_way_says_so(bench: Bench) -> None:
    bench.start("made", inputs={"values": ["v", "w"], "title": "x"})
    found = [
        (each["output"], each["input"], each["scattered"], each["changed"])
        for each in flows(bench).page(9, 0)["dataflows"]
    ]
    assert found == [
        ("values", "text", True, False),
        ("title", "text", False, True),
        ("out", "text", False, True),
        ("out", "result", False, False),
    ]


def test_a_long_value_is_cut_and_a_large_one_not_looked_at(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start("chain", inputs={"message": "x" * 500})
    value = flows(bench).page(1, 0)["dataflows"][0]["value"]
    assert (value["text"], value["cut"]) == ('"' + 299 * "x", True)
    bench.complete(bench.place(), out="y" * 100)
    monkeypatch.setattr(dataflows, "VALUES_BYTES_MAX", 50)
    assert [each["value"] for each in flows(bench).page(2, 0)["dataflows"]] == [
        {"text": None, "cut": True, "bytes": 514},
        {"text": None, "cut": True, "bytes": 110},
    ]


def test_what_flows_in_a_nested_workflow_begins_with_what_its_step_was_given(bench: Bench) -> None:
    bench.start("nested", inputs={"text": "x"})
    run_all(bench)
    assert shown(bench, within="outer") == [
        ("None/text", "a/text", '"x"'),
        ("a/out", "b/text", '"X"'),
        ("b/out", "None/result", '"X"'),
    ]
    assert shown(bench)[-1] == ("outer/result", "None/result", '"X"')


# When


def test_a_timeline_says_when_each_attempt_was_placed_began_and_ended(bench: Bench) -> None:
    bench.start("chain")
    bench.advance(5)
    job = bench.place()
    bench.advance(5)
    bench.run(job)
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row("w1")
    assert row is not None
    found = timeline(views, row, 2, "")
    assert (found["started"], found["ended"], found["next"]) == ("2023-11-14T22:13:20.000Z", None, "b")
    first, second = found["steps"]
    assert (first["path"], first["status"], second["spans"]) == ("a", "running", [])
    assert first["spans"] == [
        {
            "attempt": 1,
            "agent": "a1",
            "status": "running",
            "placed": "2023-11-14T22:13:25.000Z",
            "started": "2023-11-14T22:13:30.000Z",
            "ended": None,
        }
    ]
    (last,) = timeline(views, row, 2, "b")["steps"]
    assert last["path"] == "c"
