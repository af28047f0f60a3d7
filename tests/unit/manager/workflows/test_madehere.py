"""What a manager has made of large lists and has lost is made again: items of a scatter, merged lists, outputs."""

from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import Link, PlanOutput
from caroni_edge.objects.filework import ObjectsLost
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectsGone
from tests.unit.manager.bench import Bench, given, out
from tests.unit.manager.pages.test_why_branches import explain, sentences
from tests.unit.manager.pages.test_why_copies import copies
from tests.unit.manager.workflows.test_branches import flow, leaf, nest, value
from tests.unit.manager.workflows.test_largelists import (
    FEW,
    NUMBERS,
    begun,
    content,
    large,
    merged,
    merging,
    read_all,
    why_of,
    work,
)

CHUNKS = [[number] * 10_000 for number in range(3)]


def lose_here(bench: Bench, *found: Object) -> None:
    """Let objects lie at the manager no more."""
    for each in found:
        bench.contents.pop(each)
    bench.call(lambda at: bench.reactor.on_files(ObjectsLost(tuple(each.id for each in found)), at))
    bench.settle()


def object_with(values: Any) -> Object:
    return Object(sha256(content(values)).hexdigest(), len(content(values)))


@pytest.mark.parametrize("is_list_here", [True, False])
def test_an_item_that_is_lost_here_is_made_again(is_list_here: bool) -> None:
    kind = {"type": "array", "items": "int[]"}
    use = leaf("use", value("x", out("make"), type="int[]"), scatter=("x",), job_type="lower", gives="Any")
    takes = {"values": "string[]?", "few": "int[]?"}
    bench = begun(flow("w", leaf("make", gives=kind), use, result=out("use"), takes=takes), CHUNKS, kind)
    read_all(bench)
    if not is_list_here:
        lose_here(bench, object_with(CHUNKS))
    lose_here(bench, object_with(CHUNKS[1]))
    assert "which this manager has lost and makes again" in sentences(explain(bench, "use[1]"))
    if not is_list_here:
        bench.bring(content(CHUNKS))
    read_all(bench)
    jobs = bench.place_all("a2", "lower", ready=5)
    assert [each.inputs for each in jobs] == [{"x": large(each)} for each in CHUNKS]
    for each in jobs:
        bench.complete(each.job, "a2", out=0)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.rows("SELECT * FROM looks") == []


def test_what_was_merged_and_is_lost_here_is_merged_again() -> None:
    bench = merged(merging())
    bench.bring(content(FEW))
    bench.take_apart()
    assert bench.state("use") is StepState.FULFILLING
    lose_here(bench, object_with([*FEW, 40, 50]))
    assert not bench.is_ready("lower")
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs == {"x": large([*FEW, 40, 50])}
    assert bench.rows("SELECT * FROM looks") == []


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_step_that_is_scattered_over_what_was_merged_goes_on_when_that_is_lost(pieces: int) -> None:
    bench = merged(merging(kind="int", scatter=("x",)), large(NUMBERS))
    bench.bring(content(FEW))
    bench.bring(content(NUMBERS))
    for _ in range(pieces):
        bench.take_apart()
    lose_here(bench, object_with([*FEW, *NUMBERS]))
    assert [each["x"] for each in work(bench)] == [*FEW, *NUMBERS]
    assert bench.outputs() == {"result": [*FEW, *NUMBERS]}


# Outputs


FLAT = Link((out("make"), out("more")), "merge_flattened")
ALL = [*FEW, 40]


def nested(*steps: Any, settings: Any = None, **outputs: Any) -> Bench:
    """Return a bench where a workflow that is nested in another one has given a list that was merged here."""
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives="int[]")
    inner = flow("inner", *made, result=FLAT, kind="int[]", takes={"values": "string[]?"})
    deep = nest("deep", inner, value("values", given("values"), type="string[]?"))
    bench = Bench(flow("w", deep, *steps, takes={"values": "string[]?"}, **outputs), **(settings or {}))
    for agent in ("a1", "a2"):
        bench.presence(agent, types=("upper", "lower", "more", "slow"))
    bench.start("w", inputs={})
    bench.complete(bench.place("a1"), "a1", out=large(FEW))
    bench.complete(bench.place("a1", "more"), "a1", out=[40])
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.state("deep") is StepState.COMPLETED
    return bench


def gone(bench: Bench, values: Any) -> None:
    """Let nobody have a value any more, neither here nor at the agent that gave it."""
    lose_here(bench, object_with(values))
    bench.send(ObjectsGone(objects=(object_with(values).id,)))


TAKES = leaf("use", value("x", out("deep", "result"), type="int[]"), job_type="lower", gives="Any")


@pytest.mark.parametrize("is_part_here", [True, False])
def test_what_a_nested_workflow_gave_is_merged_again_for_a_step(is_part_here: bool) -> None:
    bench = nested(TAKES, result=out("use"))
    if not is_part_here:
        gone(bench, FEW)
    lose_here(bench, object_with(ALL))
    assert "which this manager has lost and makes again" in sentences(explain(bench, "use"))
    if not is_part_here:
        assert bench.state("deep/make") is StepState.FULFILLING
        assert "no agent has any more" in why_of(bench)
        bench.restart()
        bench.complete(bench.place("a2"), "a2", out=large(FEW))
        assert ", to make again what it has lost" in why_of(bench)
        bench.bring(content(FEW))
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs == {"x": large(ALL)}
    bench.complete(job.job, "a2")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.rows("SELECT * FROM looks") == []


def test_a_workflow_ends_with_what_it_gives_and_not_before() -> None:
    bench = nested(leaf("slow", job_type="slow"), result=out("deep", "result"))
    gone(bench, FEW)
    lose_here(bench, object_with(ALL))
    bench.complete(bench.place("a1", "slow"), "a1")
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.restart()
    bench.complete(bench.place("a2"), "a2", out=large(FEW))
    bench.restart()
    bench.bring(content(FEW))
    read_all(bench)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": large(ALL)}
    assert bench.store.places.of(1, object_with(ALL).id) == ["managers/m1"]
    assert bench.rows("SELECT * FROM looks") == []


def test_one_that_has_failed_meanwhile_does_so_after_retry() -> None:
    bench = nested(leaf("slow", job_type="slow"), result=out("deep", "result"), settings={"attempts": 1})
    bench.fail(bench.place("a1", "slow"), "a1")
    lose_here(bench, object_with(ALL))
    assert bench.workflow_state() is WorkflowState.FAILED
    bench.retry()
    bench.complete(bench.place("a2", "slow"), "a2")
    read_all(bench)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.store.places.of(1, object_with(ALL).id) == ["managers/m1"]


def test_an_output_that_is_lost_while_another_one_is_put_together_is_made_again() -> None:
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives="int[]")
    plan = flow("w", *made, result=FLAT, takes={"values": "string[]?"})
    turned = Link((out("more"), out("make")), "merge_flattened")
    outputs = (PlanOutput("first", "int[]", FLAT), PlanOutput("second", "int[]", turned))
    bench = merged(replace(plan, outputs=outputs))
    bench.bring(content(FEW))
    bench.take_apart()
    lose_here(bench, object_with([*FEW, 40, 50]))
    read_all(bench)
    assert bench.outputs() == {"first": large([*FEW, 40, 50]), "second": large([40, 50, *FEW])}
    assert bench.store.places.of(1, object_with([*FEW, 40, 50]).id) == ["managers/m1"]


def test_who_is_to_look_into_it_waits_until_it_is_made_again() -> None:
    both = leaf("use", value("x", Link((out("deep", "result"), out("slow")), "merge_flattened"), type="int[]"))
    slow = leaf("slow", job_type="slow", gives="int[]")
    bench = nested(slow, replace(both, job_type="lower"), result=out("use"))
    lose_here(bench, object_with(ALL))
    bench.complete(bench.place("a1", "slow"), "a1", out=[50])
    bench.advance(0.0)
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs == {"x": large([*ALL, 50])}


def test_an_uploaded_part_that_is_lost_too_fails_the_workflow_in_words() -> None:
    inner = flow(
        "inner",
        leaf("more", job_type="more", gives="int[]"),
        result=Link((given("big"), out("more")), "merge_flattened"),
        kind="int[]",
        takes={"big": "int[]"},
    )
    deep = nest("deep", inner, value("big", given("big"), type="int[]"))
    bench = Bench(flow("w", deep, TAKES, result=out("use"), takes={"big": "int[]"}))
    bench.presence(types=("lower", "more"))
    bench.bring(content(FEW))
    bench.start("w", inputs={"big": large(FEW)})
    bench.complete(bench.place("a1", "more"), "a1", out=[40])
    read_all(bench)
    lose_here(bench, object_with(ALL), object_with(FEW))
    assert bench.workflow_state() is WorkflowState.FAILED
    assert "step deep: output result: no agent has" in bench.workflow()["reason"]


def test_an_instance_that_runs_a_workflow_gets_its_item_again_and_nothing_is_merged_of_half_of_it() -> None:
    kind = {"type": "array", "items": "int[]"}
    first = leaf("make", value("x", given("x"), type="int[]"), gives="int[]", job_type="lower")
    more = leaf("more", value("x", given("x"), type="int[]"), job_type="more", gives="int[]")
    inner = flow("inner", first, more, result=FLAT, takes={"x": "int[]"})
    inner = replace(inner, outputs=(PlanOutput("result", "int[]", FLAT),))
    each = nest("each", inner, value("x", out("make"), type="int[]"), scatter=("x",))
    takes = {"values": "string[]?", "few": "int[]?"}
    bench = Bench(flow("w", leaf("make", gives=kind), each, result=out("each", "result"), takes=takes))
    for agent in ("a1", "a2"):
        bench.presence(agent, types=("upper", "lower", "more"))
    bench.start("w", inputs={})
    bench.complete(bench.place("a1"), "a1", out=large(CHUNKS[:1], kind))
    bench.bring(content(CHUNKS[:1]))
    read_all(bench)
    bench.complete(bench.place("a1", "lower"), "a1", out=large(FEW))
    bench.bring(content(FEW))
    lose_here(bench, object_with(CHUNKS[0]))
    read_all(bench)
    (job,) = bench.place_all("a2", "more")
    assert job.inputs == {"x": large(CHUNKS[0])}
    bench.complete(job.job, "a2", out=[40])
    read_all(bench)
    assert bench.outputs() == {"result": [large(ALL)]}


# Copies


@pytest.mark.parametrize("is_output", [True, False])
def test_what_was_merged_lies_on_as_many_hosts_as_the_workflow_says(is_output: bool) -> None:
    made = leaf("make", gives="int[]"), leaf("more", job_type="more", gives="int[]")
    plan = flow("w", *made, result=FLAT, kind="int[]", takes={"values": "string[]?"}) if is_output else merging()
    bench = merged(replace(plan, copies=2), depots=("d1",))
    bench.presence("d1", types=(), depot="open")
    bench.outbox.take(ObjectsKeep, "d1")
    bench.bring(content(FEW))
    read_all(bench)
    every = object_with([*FEW, 40, 50])
    (why,) = copies(bench)
    assert why["sentence"].startswith(f"the value ({every.size / 1e6:.3g} MB) lies on 1 of 2 hosts (this manager): ")
    said = bench.outbox.take(ObjectsKeep, "d1")
    assert said.objects == (ObjectToKeep(object=every.id, size=every.size),)
    assert [each.holder for each in said.places] == ["managers/m1"]
    bench.send(ObjectsHeld(workflow="w1", objects=(every.id,)), agent="d1")
    lose_here(bench, every)
    assert not bench.readings
    assert bench.store.places.of(1, every.id) == ["d1"]
    if not is_output:
        (job,) = bench.place_all("a2", "lower")
        assert [each.holder for each in job.places] == ["agents/d1"]


def test_a_large_item_lies_on_as_many_hosts_as_the_workflow_says() -> None:
    kind = {"type": "array", "items": "int[]"}
    use = leaf("use", value("x", out("make"), type="int[]"), scatter=("x",), job_type="lower", gives="Any")
    takes = {"values": "string[]?", "few": "int[]?"}
    plan = replace(flow("w", leaf("make", gives=kind), use, result=out("use"), takes=takes), copies=2)
    bench = begun(plan, CHUNKS, kind, depots=("d1",))
    bench.presence("d1", types=(), depot="open")
    read_all(bench)
    asked = [each for _, said in bench.outbox.sent if isinstance(said, ObjectsKeep) for each in said.objects]
    assert {each.object for each in asked} >= {object_with(each).id for each in CHUNKS}
