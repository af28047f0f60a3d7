"""Steps that are scattered over large values: these come here, and are taken apart piece by piece."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.templates.plan import Link, Plan, PlanOutput
from caroni_edge.manager.workflows import listreading, scatters
from caroni_edge.manager.workflows.largelists import AGAIN_S, ASKED_MAX
from caroni_edge.manager.workflows.listreading import Items, Reading, take_apart
from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.keeping import ObjectsGone
from caroni_edge.values.large import large_value
from caroni_edge.values.lists import ANYTHING
from caroni_edge.values.parsing import parse_type
from tests.kept import kept
from tests.unit.manager.bench import Bench, BenchTexts, given, out
from tests.unit.manager.pages.test_why_branches import explain, sentences
from tests.unit.manager.workflows.test_branches import flow, leaf, nest, value


def content(values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def large(values: Any, kind: Any = "int[]") -> dict[str, Any]:
    """Return what stands in the place of a value."""
    data = content(values)
    return large_value(Object(sha256(data).hexdigest(), len(data)), parse_type(kind))


GROWTH = 20
NUMBERS = [*range(50)]
FEW = [10, 20, 30]


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few instances be made at a time."""
    monkeypatch.setattr(scatters, "GROWTH", GROWTH)
    monkeypatch.setattr(scatters, "UNTAKEN", GROWTH)


def scattered(*inputs: Any, gives: Any = "int[]", **facts: Any) -> Plan:
    """Return a plan in which a step is scattered over what another one gives."""
    facts = {"scatter": ("x",), **facts}
    use = leaf("use", value("x", out("make"), type="int"), *inputs, job_type="lower", gives="Any", **facts)
    return flow("w", leaf("make", gives=gives), use, result=out("use"), takes={"values": "string[]?", "few": "int[]?"})


PLAIN = scattered()


def begun(plan: Plan = PLAIN, values: Any = FEW, kind: Any = "int[]", **facts: Any) -> Bench:
    """Return a bench where the list has been made, and has come to the manager."""
    bench = Bench(plan, **facts)
    for agent in ("a1", "a2"):
        bench.presence(agent)
    bench.start("w", inputs={"values": ["a", "b"], "few": [1, 2]})
    bench.complete(bench.place("a1"), "a1", out=large(values, kind))
    bench.bring(content(values))
    return bench


def read_all(bench: Bench) -> list[Items]:
    """Let all be read that is asked for."""
    found = []
    while bench.readings:
        found += bench.take_apart()
    return found


def work(bench: Bench, agent: str = "a2") -> list[Any]:
    """Let agents do what there is; return what the jobs were given."""
    done: list[Any] = []
    while True:
        read_all(bench)
        jobs = bench.place_all(agent, "lower", ready=100) if bench.is_ready("lower") else []
        if not jobs:
            return done
        for job in jobs:
            done.append(job.inputs)
            bench.complete(job.job, agent, out=job.inputs["x"])


def test_each_instance_gets_its_item_and_what_they_give_is_gathered() -> None:
    bench = begun()
    assert bench.state("use") is StepState.CREATED
    assert [(each.begin, each.rows) for each in bench.readings] == [(0, ())]
    bench.take_apart()
    assert bench.state("use") is StepState.RUNNING
    assert [(each.begin, each.rows) for each in bench.readings] == [(0, ((0,), (1,), (2,)))]
    assert work(bench) == [{"x": each} for each in FEW]
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": FEW}
    assert bench.rows("SELECT * FROM looks") == []
    assert not {each for each in kept(bench.reactor) if each.startswith("LargeLists")}


def test_instances_are_made_a_few_at_a_time_as_agents_take_them() -> None:
    bench = begun(values=NUMBERS)
    pieces = read_all(bench)
    assert [(each.begin, each.instances) for each in pieces] == [(0, 0), (0, GROWTH)]
    assert len(bench.rows("SELECT 1 FROM steps WHERE parent > 0")) == GROWTH
    done = work(bench)
    assert [each["x"] for each in done] == NUMBERS
    assert bench.outputs() == {"result": NUMBERS}


def test_a_piece_has_a_mebibyte_and_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listreading, "PIECE_MAX_BYTES", 5)
    bench = begun(values=FEW)
    assert [(each.begin, each.instances) for each in read_all(bench)] == [(0, 0), (0, 3)]
    monkeypatch.setattr(listreading, "PIECE_MAX_BYTES", 4)
    bench = begun(values=FEW)
    assert [(each.begin, each.instances) for each in read_all(bench)] == [(0, 0), (0, 2), (2, 1)]
    assert [each["x"] for each in work(bench)] == FEW


def test_large_items_become_objects_that_lie_here_as_long_as_their_workflow() -> None:
    chunks = [[number] * 10_000 for number in range(5)]
    plan = flow(
        "w",
        leaf("make", gives={"type": "array", "items": "int[]"}),
        leaf("use", value("x", out("make"), type="int[]"), scatter=("x",), job_type="lower", gives="Any"),
        result=out("use"),
        takes={"values": "string[]?", "few": "int[]?"},
    )
    bench = begun(plan, chunks, {"type": "array", "items": "int[]"})
    read_all(bench)
    first = large(chunks[0])
    found = Object(sha256(content(chunks[0])).hexdigest(), len(content(chunks[0])))
    (job, *others) = bench.place_all("a2", "lower", ready=5)
    assert [each.inputs for each in (job, *others)] == [{"x": large(each)} for each in chunks]
    assert job.inputs == {"x": first}
    assert bench.store.places.of(1, found.id) == ["managers/m1"]
    assert job.places[0].holder == "managers/m1"
    assert bench.storekeeper.was_settled == ["bench"]
    for each in (job, *others):
        bench.complete(each.job, "a2", out=each.inputs["x"]["size"])
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert len(bench.store.objects.unneeded()) == 6


def test_an_item_that_does_not_fit_the_step_fails_it() -> None:
    bench = begun(scattered(gives="Any"), ["a", "b"], "string[]")
    read_all(bench)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert 'input x: expected int, got "a"' in bench.workflow()["reason"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b'[1,"a"]', '[1]: expected int, got "a"'), (b"[1,", "it is no JSON"), (b"{}", "it is no list")],
)
def test_a_list_that_is_none_fails_its_step(data: bytes, said: str) -> None:
    bench = Bench(PLAIN)
    bench.presence()
    bench.start("w", inputs={})
    lies = large_value(Object(sha256(data).hexdigest(), len(data)), parse_type("int[]"))
    bench.complete(bench.place("a1"), "a1", out=lies)
    bench.bring(data)
    bench.take_apart()
    assert bench.state("use") is StepState.FAILED
    assert bench.step("use")["reason"] == f"input x: a value of {len(data)} bytes: {said}"
    assert bench.rows("SELECT * FROM looks") == []


def test_an_empty_list_has_no_instances() -> None:
    bench = begun(values=[])
    bench.take_apart()
    assert bench.outputs() == {"result": []}
    assert bench.rows("SELECT * FROM looks") == []


@pytest.mark.parametrize(
    ("method", "pairs", "result"),
    [
        ("nested_crossproduct", [(x, f) for x in FEW for f in (1, 2)], [[10, 10], [20, 20], [30, 30]]),
        ("flat_crossproduct", [(x, f) for x in FEW for f in (1, 2)], [10, 10, 20, 20, 30, 30]),
    ],
)
def test_a_large_list_goes_together_with_others(method: Any, pairs: Any, result: Any) -> None:
    few = value("f", given("few"), type="int")
    bench = begun(scattered(few, scatter=("x", "f"), method=method))
    assert [(each["x"], each["f"]) for each in work(bench)] == pairs
    assert bench.outputs() == {"result": result}


def test_lists_of_a_dotproduct_must_have_one_length() -> None:
    bench = begun(scattered(value("f", given("few"), type="int"), scatter=("x", "f")))
    bench.take_apart()
    assert "the lists of a dotproduct must have one length: x has 3, f has 2" in bench.step("use")["reason"]


def test_two_large_lists_are_read_together() -> None:
    other = value("y", out("make"), type="int")
    bench = begun(scattered(other, scatter=("x", "y"), method="flat_crossproduct"))
    assert [(each["x"], each["y"]) for each in work(bench)] == [(x, y) for x in FEW for y in FEW]


def test_a_process_that_ends_in_between_goes_on() -> None:
    bench = begun(values=NUMBERS)
    bench.restart()
    assert len(bench.readings) == 1
    bench.take_apart()
    bench.restart()
    assert [each.begin for each in bench.readings] == [0]
    bench.take_apart()
    done = work(bench)
    bench.restart()
    assert [each["x"] for each in done] == NUMBERS
    assert bench.outputs() == {"result": NUMBERS}


def test_a_repeated_answer_changes_nothing() -> None:
    bench = begun()
    (counted,) = bench.take_apart()
    bench.call(lambda at: bench.reactor.on_items(counted, at))
    items, _again = bench.take_apart()
    before = bench.dump()
    bench.call(lambda at: bench.reactor.on_items(items._replace(made=(Object("c" * 64, 9),), giver="g"), at))
    assert bench.dump() == before
    assert bench.storekeeper.was_settled == ["g"]
    assert bench.storekeeper.discarded == [Object("c" * 64, 9).id]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_workflow_that_has_ended_reads_nothing(is_deleted: bool) -> None:
    bench = begun()
    bench.cancel()
    if is_deleted:
        bench.delete()
    before = bench.dump()
    bench.take_apart()
    assert bench.dump() == before
    assert bench.readings == []


def test_a_failed_one_goes_on_by_retry() -> None:
    bench = begun(values=NUMBERS, attempts=1)
    read_all(bench)
    job = bench.place("a2", "lower")
    bench.fail(job, "a2")
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.rows("SELECT * FROM looks") == []
    bench.retry()
    assert len(work(bench, "a1")) == len(NUMBERS)
    assert bench.outputs() == {"result": NUMBERS}


def test_a_list_that_is_damaged_here_comes_again_in_the_middle() -> None:
    bench = begun(values=NUMBERS)
    bench.take_apart()
    bench.contents.clear()
    bench.take_apart()
    assert bench.state("use") is StepState.RUNNING
    assert "which this manager fetches from agent a1" in sentences(explain(bench, "use"))
    bench.bring(content(NUMBERS))
    assert [each["x"] for each in work(bench)] == NUMBERS


def test_a_list_that_is_nowhere_is_made_again_in_the_middle() -> None:
    bench = begun(values=NUMBERS)
    bench.take_apart()
    bench.contents.clear()
    bench.send(ObjectsGone(objects=(Object(sha256(content(NUMBERS)).hexdigest(), 0).id,)))
    bench.take_apart()
    assert bench.state("make") is StepState.FULFILLING
    bench.complete(bench.place("a2"), "a2", out=large(NUMBERS))
    bench.bring(content(NUMBERS))
    assert [each["x"] for each in work(bench)] == NUMBERS


def test_without_room_for_large_items_it_waits_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: BenchTexts, _contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        raise NoRoom("files.store is 1 byte")

    chunks = [[number] * 10_000 for number in range(2)]
    plan = flow(
        "w",
        leaf("make", gives="Any"),
        leaf("use", value("x", out("make"), type="int[]"), scatter=("x",), job_type="lower", gives="Any"),
        result=out("use"),
        takes={"values": "string[]?", "few": "int[]?"},
    )
    bench = begun(plan, chunks, {"type": "array", "items": "int[]"})
    with monkeypatch.context() as patched:
        patched.setattr(BenchTexts, "make", full)
        read_all(bench)
    assert "files.store is 1 byte" in sentences(explain(bench, "use"))
    assert bench.readings == []
    bench.advance(AGAIN_S)
    read_all(bench)
    assert len(bench.place_all("a2", "lower", ready=5)) == 2
    assert "files.store" not in sentences(explain(bench, "use"))


def test_so_many_steps_are_asked_for_at_a_time() -> None:
    bench = Bench(PLAIN)
    bench.presence("a1")
    for number in range(ASKED_MAX + 3):
        bench.start("w", f"w{number}", inputs={})
        bench.complete(bench.place("a1"), "a1", out=large(FEW))
    bench.bring(content(FEW))
    assert len(bench.readings) == ASKED_MAX
    first, *others = bench.readings
    bench.readings[:] = [first]
    bench.take_apart()
    assert len(bench.readings) == 1
    assert {each.workflow for each in (*others, *bench.readings)} == {*range(2, ASKED_MAX + 2)}


def test_a_nested_workflow_is_scattered_too() -> None:
    inner = flow(
        "inner",
        leaf("s", value("x", given("x"), type="int"), job_type="lower", gives="int"),
        result=out("s"),
        takes={"x": "int"},
    )
    plan = flow(
        "w",
        leaf("make", gives="int[]"),
        nest("use", inner, value("x", out("make"), type="int"), scatter=("x",)),
        result=out("use", "result"),
        takes={"values": "string[]?", "few": "int[]?"},
    )
    bench = begun(plan)
    assert [each["x"] for each in work(bench)] == FEW
    assert bench.outputs() == {"result": FEW}


def test_expressions_of_instances_look_into_large_items() -> None:
    chunks = [[number] * 10_000 for number in range(2)]
    plan = flow(
        "w",
        leaf("make", gives="Any"),
        leaf(
            "use",
            value("c", out("make"), type=None),
            value("x", None, type="int", value_from="$(inputs.c[3])"),
            scatter=("c",),
            job_type="lower",
            gives="Any",
        ),
        result=out("use"),
        takes={"values": "string[]?", "few": "int[]?"},
    )
    bench = begun(plan, chunks, {"type": "array", "items": "int[]"})
    read_all(bench)
    bench.evaluate()
    assert work(bench) == [{"x": 0}, {"x": 1}]


def test_an_instance_that_an_agent_has_and_nobody_has_made_is_not_waited_for() -> None:
    bench = begun(values=NUMBERS)
    read_all(bench)
    row = bench.store.workflows.by_seq(1)
    found = bench.call(lambda at: bench.reactor._engine.find(row, "use[45]", at))
    assert found is None


def test_other_workflows_cost_the_same_beside_it() -> None:
    """What one batch does is bounded, however long the list is."""
    bench = begun(values=[*range(10_000)])
    read_all(bench)
    assert len(bench.rows("SELECT 1 FROM steps WHERE parent > 0")) == GROWTH
    largest = max(len(each["inputs"]) for each in bench.rows("SELECT inputs FROM scattered"))
    assert largest < 300
    statements: list[str] = []
    bench.database.conn.set_trace_callback(statements.append)
    bench.start("one", "other")
    bench.complete(bench.place("a1"), "a1")
    bench.database.conn.set_trace_callback(None)
    assert bench.workflow_state("other") is WorkflowState.COMPLETED
    assert len(statements) < 200
    assert max(map(len, statements)) < 5000


def test_nothing_is_read_where_nobody_reads() -> None:
    asked = take_apart(Reading(1, 2, {"x": large(FEW)}), BenchTexts({}))
    assert asked.lost == Object(sha256(content(FEW)).hexdigest(), 0).id


FLAT = Link((out("make"), out("more")), "merge_flattened")


def merging(*inputs: Any, kind: Any = "int[]", more: Any = "int[]", **facts: Any) -> Plan:
    """Return a plan in which what two steps give flows to one place as one list."""
    use = leaf("use", value("x", FLAT, type=kind), *inputs, job_type="lower", gives="Any", **facts)
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives=more)
    return flow("w", *made, use, result=out("use"), takes={"values": "string[]?"})


def merged(plan: Plan, more: Any = (40, 50), **facts: Any) -> Bench:
    """Return a bench where both have given what they give, of which the first is a large value."""
    bench = Bench(plan, **facts)
    for agent in ("a1", "a2"):
        bench.presence(agent, types=("upper", "lower", "more"))
    bench.start("w", inputs={})
    bench.complete(bench.place("a1"), "a1", out=large(FEW))
    bench.complete(bench.place("a1", "more"), "a1", out=[*more] if isinstance(more, tuple) else more)
    return bench


def test_large_values_are_merged_into_one_that_lies_here() -> None:
    bench = merged(merging())
    assert bench.state("use") is StepState.CREATED
    bench.bring(content(FEW))
    bench.take_apart()
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs == {"x": large([*FEW, 40, 50])}
    assert [each.holder for each in job.places] == ["managers/m1"]
    assert [*bench.contents.values()][-1] == content([*FEW, 40, 50])
    bench.complete(job.job, "a2")
    assert bench.rows("SELECT * FROM looks") == []


def test_a_step_is_scattered_over_what_was_merged() -> None:
    bench = merged(merging(kind="int", scatter=("x",)))
    bench.bring(content(FEW))
    assert [each["x"] for each in work(bench)] == [*FEW, 40, 50]
    assert bench.outputs() == {"result": [*FEW, 40, 50]}


def test_a_process_that_ends_in_between_merges_them_again() -> None:
    bench = merged(merging(kind="int", scatter=("x",)))
    bench.restart()
    bench.bring(content(FEW))
    bench.restart()
    assert [each.merge is not None for each in bench.readings] == [True]
    bench.take_apart()
    bench.restart()
    assert [each["x"] for each in work(bench)] == [*FEW, 40, 50]


def test_two_large_ones_and_one_that_is_no_list_are_merged() -> None:
    bench = merged(merging(kind="Any", more="int"), 7)
    bench.bring(content(FEW))
    (found,) = bench.take_apart()
    assert found.merged == ("x", {**large([*FEW, 7]), "type": "Any"})
    bench = merged(merging(kind="Any", more="int[]"), large([8, 9]))
    bench.bring(content(FEW))
    bench.bring(content([8, 9]))
    (found,) = bench.take_apart()
    assert found.merged == ("x", {**large([*FEW, 8, 9]), "type": "Any"})


def test_expressions_see_what_was_merged() -> None:
    bench = merged(merging(value("n", None, type="int", value_from="$(inputs.x[4])")))
    bench.bring(content(FEW))
    bench.take_apart()
    bench.evaluate()
    assert [each.inputs["n"] for each in bench.place_all("a2", "lower")] == [50]


def test_what_was_merged_has_the_type_of_the_input() -> None:
    bench = merged(merging(kind="string[]"))
    bench.bring(content(FEW))
    bench.take_apart()
    assert bench.step("use")["reason"] == "input x: merge_flattened: [0]: expected string, got 10"
    assert len(bench.storekeeper.discarded) == 1


def test_there_is_a_bound_for_what_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listreading, "LARGE_MAX_BYTES", 10)
    bench = merged(merging())
    bench.bring(content(FEW))
    bench.take_apart()
    assert "together they have more than the 10 bytes that are allowed" in bench.step("use")["reason"]


SPARSE, MAYBE = [None, 10, None, 20], "int?[]"


def picked(link: Link, kind: Any, first: Any, second: Any = None) -> Bench:
    """Return a bench where two steps have given this, and what is picked of it flows to a third one."""
    use = leaf("use", value("x", link, type=kind), job_type="lower", gives="Any")
    made = leaf("make", gives=ANYTHING), leaf("more", job_type="more", gives=ANYTHING)
    bench = Bench(flow("w", *made, use, result=out("use"), takes={"values": "string[]?"}))
    for agent in ("a1", "a2"):
        bench.presence(agent, types=("upper", "lower", "more"))
    bench.start("w", inputs={})
    bench.complete(bench.place("a1"), "a1", out=first)
    bench.complete(bench.place("a1", "more"), "a1", out=second)
    return bench


def taken(bench: Bench) -> Any:
    """Return what the third step is given, once what must be looked into is here."""
    for each in (SPARSE, FEW, [None], [[1] * 10_000, None]):
        bench.bring(content(each))
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    return job.inputs["x"]


BOTH, ALONE = (out("make"), out("more")), (out("make"),)


@pytest.mark.parametrize("pick", ["first_non_null", "the_only_non_null", "all_non_null"])
def test_a_large_value_is_no_null_and_nobody_looks_into_it_for_that(pick: Any) -> None:
    bench = picked(Link(BOTH, "merge_nested", pick), "Any", large(FEW))
    assert not bench.readings
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs["x"] == ([large(FEW)] if pick == "all_non_null" else large(FEW))


def test_of_a_list_without_nulls_all_are_taken_as_they_are() -> None:
    bench = picked(Link(ALONE, None, "all_non_null"), "int[]", large(FEW))
    (job,) = bench.place_all("a1", "lower")
    assert job.inputs["x"] == large(FEW)


@pytest.mark.parametrize(
    ("link", "kind", "second", "found"),
    [
        (Link(ALONE, None, "all_non_null"), "int[]", None, large([10, 20])),
        (Link(ALONE, None, "first_non_null"), "int", None, 10),
        (Link(BOTH, "merge_flattened", "all_non_null"), "int[]", [None, 7], large([10, 20, 7])),
        (Link(BOTH, "merge_flattened", "first_non_null"), "int", 7, 10),
        (Link(BOTH[::-1], "merge_flattened", "first_non_null"), "int", 7, 7),
        (Link(BOTH[::-1], "merge_flattened", "first_non_null"), "int", None, 10),
        (Link(BOTH[::-1], "merge_flattened"), MAYBE, None, {**large([None, *SPARSE]), "type": MAYBE}),
    ],
)
def test_items_of_large_lists_are_picked(link: Link, kind: Any, second: Any, found: Any) -> None:
    assert taken(picked(link, kind, large(SPARSE, MAYBE), second)) == found


def test_a_large_item_that_is_picked_is_a_large_value() -> None:
    lists = {"type": "array", "items": ["null", "int[]"]}
    bench = picked(Link(ALONE, None, "the_only_non_null"), "int[]", large([[1] * 10_000, None], lists))
    assert taken(bench) == large([1] * 10_000)


def test_what_is_no_list_is_picked_as_it_is() -> None:
    bench = picked(Link(BOTH, "merge_flattened", "all_non_null"), "Any", large({"a": 1}, "Any"), large(FEW))
    bench.bring(content({"a": 1}))
    bench.bring(content(FEW))
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs["x"] == {**large([{"a": 1}, *FEW]), "type": "Any"}


def test_large_values_within_a_list_are_merged_as_what_they_are() -> None:
    bench = picked(Link(BOTH, "merge_flattened"), "Any", [large(FEW), 1], large(SPARSE, MAYBE))
    for each in (FEW, SPARSE):
        bench.bring(content(each))
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs["x"] == {**large([FEW, 1, *SPARSE]), "type": "Any"}


def test_what_is_no_json_within_a_list_fails_the_step_that_it_is_merged_for() -> None:
    data = b"[1,"
    lies = large_value(Object(sha256(data).hexdigest(), len(data)), parse_type("int[]"))
    bench = picked(Link(BOTH, "merge_flattened"), "Any", [lies, 1], large(FEW))
    bench.bring(data)
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.step("use")["reason"] == "input x: merge_flattened: it is no JSON"


@pytest.mark.parametrize(
    ("pick", "first", "said"),
    [
        ("the_only_non_null", SPARSE, "input x: the_only_non_null finds 2 values that are not null"),
        ("first_non_null", [None], "input x: first_non_null finds nothing that is not null"),
    ],
)
def test_what_cannot_be_picked_fails_the_step(pick: Any, first: Any, said: str) -> None:
    bench = picked(Link(ALONE, None, pick), "int", large(first, MAYBE))
    bench.bring(content(first))
    read_all(bench)
    assert bench.step("use")["reason"] == said


# Outputs of workflows


def giving(**outputs: Any) -> Bench:
    """Return a bench where all steps of a workflow have completed, the outputs of which are put together."""
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives="int[]")
    plan = flow("w", *made, result=FLAT, takes={"values": "string[]?"})
    return merged(replace(plan, outputs=tuple(PlanOutput(name, *each) for name, each in outputs.items())))


def why_of(bench: Bench) -> str:
    """Return why the workflow is where it is."""
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row("w1")
    assert row is not None
    return sentences(Explainer(views, ManagerNow("m1", None, bench.now)).workflow(row)["why"])


def test_an_output_of_a_workflow_is_merged_of_them() -> None:
    bench = giving(result=("int[]", FLAT), first=("int", Link((out("make"),), None, "first_non_null")))
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert "it waits for the value " in why_of(bench)
    bench.restart()
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": large([*FEW, 40, 50]), "first": 10}
    made = Object(sha256(content([*FEW, 40, 50])).hexdigest(), 16)
    assert bench.store.places.of(1, made.id) == ["managers/m1"]
    assert bench.rows("SELECT * FROM looks") == []


def test_an_output_that_cannot_be_put_together_fails_the_workflow() -> None:
    bench = giving(result=("string[]", FLAT))
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"] == "output result: merge_flattened: [0]: expected string, got 10"


def test_a_workflow_that_is_cancelled_before_puts_nothing_together() -> None:
    bench = giving(result=("int[]", FLAT))
    bench.bring(content(FEW))
    bench.cancel()
    read_all(bench)
    assert (bench.workflow_state(), len(bench.storekeeper.discarded)) == (WorkflowState.CANCELLED, 1)
    assert bench.rows("SELECT * FROM combined_outputs") == []


def test_an_output_of_which_a_part_is_nowhere_any_more_is_made_again() -> None:
    bench = giving(result=("int[]", FLAT))
    bench.send(ObjectsGone(objects=(large(FEW)["location"].removeprefix("caroni:"),)))
    assert bench.state("make") is StepState.FULFILLING
    bench.complete(bench.place("a1"), "a1", out=large(FEW))
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.outputs() == {"result": large([*FEW, 40, 50])}


@pytest.mark.parametrize("scatter", [(), ("n",)])
def test_what_a_nested_workflow_gives_is_merged_too(scatter: tuple[str, ...]) -> None:
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives="int[]")
    inner = flow("inner", *made, takes={"n": "Any"}, result=FLAT, kind="int[]")
    outer = nest("deep", inner, value("n", given("values"), type="Any"), scatter=scatter)
    bench = Bench(flow("w", outer, result=out("deep", "result"), takes={"values": "string[]?"}))
    for agent in ("a1", "a2"):
        bench.presence(agent, types=("upper", "lower", "more"))
    bench.start("w", inputs={"values": ["a"]})
    bench.complete(bench.place("a1"), "a1", out=large(FEW))
    bench.complete(bench.place("a1", "more"), "a1", out=[40])
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.bring(content(FEW))
    read_all(bench)
    found = large([*FEW, 40])
    assert bench.outputs() == {"result": [found] if scatter else found}
