"""Objects that a manager must look inside: they come here, and the steps that wait for that go on."""

import json
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.holding.copies import FAILED_FOR_S, WANTED_MAX
from caroni_edge.manager.lifecycle import StepEvent, StepState, WorkflowState
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.manager.templates.plan import Plan, PlanStep
from caroni_edge.manager.workflows.looks import FETCHED_AT_ONCE, LOOK_EVERY_S
from caroni_edge.objects.objects import Object, id_of
from caroni_edge.objects.transfer.effects import FetchId, PlaceFailed
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.keeping import ObjectsGone
from caroni_edge.protocol.objects import ObjectsCheck
from caroni_edge.values.carried import directory_value, object_value
from caroni_edge.values.directories import Entry, written
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type
from tests import scripts
from tests.kept import kept
from tests.unit.manager.bench import Bench, given, out
from tests.unit.manager.pages.test_why_branches import explain, sentences
from tests.unit.manager.workflows.test_branches import flow, leaf, nest, value

CONTENT = json.dumps([*range(10_000)], separators=(",", ":")).encode()
NUMBERS = Object(sha256(CONTENT).hexdigest(), len(CONTENT))
LARGE = large_value(NUMBERS, parse_type("int[]"))
TEXT = ("é" * 10_000).encode()
FILE = Object(sha256(TEXT).hexdigest(), len(TEXT))
KEEPS_TEXT = FileUse(load_contents=True)


def user(*inputs: Any, **facts: Any) -> PlanStep:
    """Return a step for the other job type."""
    return leaf("use", *inputs, job_type="lower", **facts)


def after(step: PlanStep, gives: Any = "int[]", name: str = "w", **takes: Any) -> Plan:
    """Return a plan in which a step takes what another one gives."""
    made = "result" if step.workflow else "out"
    return flow(name, leaf("make", gives=gives), step, result=out("use", made), takes={**takes, "values": "string[]?"})


READS = after(user(value("x", out("make"), type="int[]"), value("n", None, type="int", value_from="$(inputs.x[7])")))


def begun(plan: Plan = READS, given_value: Any = LARGE, **facts: Any) -> Bench:
    """Return a bench with a workflow, the first step of which has given something at a1."""
    bench = Bench(plan, **facts)
    for agent in ("a1", "a2"):
        bench.presence(agent)
    bench.start("w", inputs={})
    bench.complete(bench.place("a1"), "a1", out=given_value)
    return bench


def fetched(bench: Bench) -> list[Any]:
    """Return what is fetched now."""
    found: dict[str, Want] = {}
    for each in bench.storekeeper.fetched:
        if isinstance(each, Want):
            found[each.object.sha256] = each
        else:
            found.pop(each.sha256, None)
    return [*found.values()]


def lower(bench: Bench) -> list[Any]:
    return [each.inputs for each in bench.place_all("a2", "lower")]


def lose(bench: Bench) -> None:
    bench.send(ObjectsGone(objects=(NUMBERS.id,)))


def test_a_step_waits_until_the_value_is_here_and_begins_with_what_is_in_it() -> None:
    bench = begun()
    (want,) = fetched(bench)
    assert (want.object, want.places[0].workflow, want.places[0].holder) == (NUMBERS, "w1", Peer("agents", "a1"))
    assert bench.state("use") is StepState.CREATED
    assert not bench.is_ready("lower")
    assert bench.evaluations == []
    bench.bring(CONTENT)
    bench.evaluate()
    assert [each.inputs for each in bench.place_all("a1", "lower")] == [{"x": LARGE, "n": 7}]
    assert bench.rows("SELECT * FROM looks") == []
    assert bench.rows("SELECT * FROM evaluations") == []
    assert fetched(bench) == []
    assert "Evaluations.asked" not in kept(bench.reactor)


def test_why_says_what_is_waited_for_and_whom_it_comes_from() -> None:
    bench = begun()
    said = 'step use waits for the value "x" (0.0489 MB), which this manager fetches from agent a1'
    assert [each["condition"] for each in explain(bench, "use")] == ["looked_into"]
    assert sentences(explain(bench, "use")) == said
    bench.presence("a1", online=False)
    assert sentences(explain(bench, "use")).startswith(f"{said} (offline since ")
    bench.presence("a1")
    bench.bring(CONTENT)
    assert [each["condition"] for each in explain(bench, "use")] == ["large_value_read"]


def test_a_step_that_looks_into_what_is_small_is_not_kept_waiting() -> None:
    bench = begun(given_value=[*range(8)])
    assert lower(bench) == [{"x": [*range(8)], "n": 7}]
    assert fetched(bench) == []


def test_the_manager_is_a_place_of_what_it_has_looked_into() -> None:
    bench = begun()
    bench.bring(CONTENT)
    assert bench.store.places.of(1, NUMBERS.id) == ["a1", "managers/m1"]
    bench.evaluate()
    bench.complete(bench.place("a1", "lower"), "a1")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.store.objects.unneeded()[0].object == NUMBERS.id


def test_conditions_look_inside_and_skip() -> None:
    bench = begun(
        after(user(value("x", out("make"), type="boolean[]"), when="$(inputs.x[3])"), gives="boolean[]"),
        large_value(Object(sha256(b"[true,true,true,false]").hexdigest(), 22), parse_type("boolean[]")),
    )
    bench.bring(b"[true,true,true,false]")
    bench.evaluate()
    assert bench.state("use") is StepState.COMPLETED
    assert bench.step("use")["reason"] == "skipped: $(inputs.x[3]) is false"


def test_javascript_looks_inside() -> None:
    plan = after(
        user(value("x", out("make"), type=None), value("n", None, type="int", value_from="$(inputs.x[7] + 1)"))
    )
    scripted = replace(plan, steps=tuple(replace(each, library=0) for each in plan.steps), libraries=((),))
    bench = begun(scripted)
    bench.bring(CONTENT)
    bench.evaluate(lambda _where, _library, _script, inputs, _self: inputs["x"][7] + 1)
    assert lower(bench) == [{"n": 8}]


def test_javascript_that_names_other_inputs_waits_for_nothing() -> None:
    plan = after(
        user(
            value("x", out("make"), type="int[]"),
            value("go", None, type="boolean", default=True),
            when="$(inputs.go === true)",
        )
    )
    scripted = replace(plan, steps=tuple(replace(each, library=0) for each in plan.steps), libraries=((),))
    bench = begun(scripted, large_value(Object("b" * 64, 60_000_000), parse_type("int[]")))
    assert fetched(bench) == []
    bench.evaluate(scripts.run)
    assert bench.state("use") is StepState.FULFILLING


def test_the_text_of_a_file_is_loaded_from_its_agent() -> None:
    loads = user(
        value("f", out("make"), type="File", files=KEEPS_TEXT),
        value("n", None, value_from="$(inputs.f.contents)"),
    )
    bench = begun(after(loads, gives="File"), object_value("a.txt", FILE, "0" * 40))
    assert 'waits for the file "a.txt" (0.02 MB), which this manager' in sentences(explain(bench, "use"))
    bench.bring(TEXT)
    bench.evaluate()
    (job,) = bench.place_all("a1", "lower")
    assert job.inputs["n"] == TEXT.decode()
    assert "contents" not in job.inputs["f"]


def test_the_names_in_a_large_directory_come_from_its_agent_which_stays_its_only_place() -> None:
    content = written([Entry("m31.fits", object=NUMBERS)])
    listing = Object(sha256(content).hexdigest(), len(content))
    lists = user(
        value("f", out("make"), type="Directory", files=FileUse(load_listing="shallow_listing")),
        value("n", None, value_from="$(inputs.f.listing[0].basename)"),
    )
    bench = begun(after(lists, gives="Directory"), directory_value("night", listing))
    assert 'waits for the directory "night", which this manager fetches from agent a1' in sentences(
        explain(bench, "use")
    )
    bench.bring(content)
    bench.evaluate()
    (job,) = bench.place_all("a1", "lower")
    assert job.inputs == {"f": directory_value("night", listing), "n": "m31.fits"}
    assert bench.store.places.of(1, listing.id) == ["a1"]


def test_what_is_no_text_fails_the_step() -> None:
    content = b"\xff" * 20_000
    loads = user(
        value("f", out("make"), type="File", files=KEEPS_TEXT), value("n", None, value_from="$(inputs.f.contents)")
    )
    bench = begun(after(loads, gives="File"), object_value("a", Object(sha256(content).hexdigest(), 20_000), "0" * 40))
    bench.bring(content)
    bench.evaluate()
    said = 'input f: "loadContents" asks for what is in the file "a" (20000 bytes), which is no text'
    assert bench.step("use")["reason"] == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'["a"' + b',"a"' * 10_000 + b"]", "[0]: expected int"),
        (b"[1" * 10_000, "it is no JSON"),
        (b"[NaN" + b",1" * 10_000 + b"]", "it is no JSON"),
    ],
)
def test_a_value_that_is_not_what_its_agent_said_fails_the_step(content: bytes, said: str) -> None:
    lies = large_value(Object(sha256(content).hexdigest(), len(content)), parse_type("int[]"))
    bench = begun(given_value=lies)
    bench.bring(content)
    bench.evaluate()
    assert bench.state("use") is StepState.FAILED
    assert bench.step("use")["reason"].startswith(f"input x: a value of {len(content)} bytes: {said}")


def test_a_value_of_another_size_than_its_agent_said_fails_the_step_and_stays_what_it_is() -> None:
    bench = begun(given_value={**LARGE, "size": 5})
    bench.bring(CONTENT)
    assert bench.step("use")["reason"] == f"input x: {NUMBERS.id} was to have 5 bytes, and it has {NUMBERS.size}"
    assert bench.evaluations == []
    assert bench.store.objects.of("m1", NUMBERS.id) is not None


def test_what_people_want_to_have_holds_up_no_look() -> None:
    bench = begun(given_value=7)
    for number in range(WANTED_MAX):
        name = id_of(f"{number:064x}")
        bench.store.places.add(1, name, "a1", 100)
        bench.call(lambda at, name=name: bench.reactor.copies.want(name, 0, at))  # type: ignore[misc]
    bench.start("w", "w2", inputs={})
    bench.complete(bench.place("a1"), "a1", out=LARGE)
    assert NUMBERS in [each.object for each in fetched(bench)]


def test_several_values_come_together_and_are_no_more_than_a_mebibyte() -> None:
    halves = [large_value(Object(digit * 64, 600_000), parse_type("int[]")) for digit in "bc"]
    both = after(
        user(value("x", out("make"), type="Any"), value("n", None, type="Any", value_from="$(inputs.x[0])")),
        gives={"type": "array", "items": "int[]"},
    )
    bench = begun(
        both,
        [LARGE, *halves],
    )
    assert bench.state("use") is StepState.FAILED
    assert "no expression looks into more than 1024 KiB together" in bench.step("use")["reason"]


def test_a_process_that_ends_in_between_goes_on() -> None:
    bench = begun()
    bench.restart()
    assert [each.object for each in bench.storekeeper.resumed] == [NUMBERS]
    bench.bring(CONTENT)
    assert len(bench.evaluations) == 1
    bench.restart()
    assert len(bench.evaluations) == 1
    bench.evaluate()
    assert bench.state("use") is StepState.FULFILLING


def test_nothing_is_asked_for_that_is_not_committed() -> None:
    bench = Bench(READS)
    bench.presence()
    bench.start("w", inputs={})
    job = bench.place("a1")
    before = bench.dump(), kept(bench.reactor)
    bench.send(bench.make_status(job, "completed", outputs={"out": LARGE}, serial=5), commit=False)
    assert bench.storekeeper.fetched == []
    assert (bench.dump(), kept(bench.reactor)) == before


@pytest.mark.parametrize("end", ["cancel", "fail", "delete"])
def test_a_workflow_that_has_ended_waits_for_nothing(end: str) -> None:
    bench = begun()
    if end == "fail":
        row = bench.store.workflows.by_seq(1)
        step = bench.store.steps.by_path(1, "use")
        assert step is not None
        event = bench.reactor._engine.fail_step
        bench.call(lambda at: event(row, step, "no luck", at, event=StepEvent.VALUES_UNFIT))
    else:
        bench.cancel()
    if end == "delete":
        bench.delete()
    assert bench.rows("SELECT * FROM looks") == []
    bench.bring(CONTENT)
    assert bench.evaluations == []
    if end == "fail":
        bench.retry()
        assert len(bench.evaluations) == 1


def test_a_cancelled_workflow_ends_the_wish() -> None:
    bench = begun()
    assert [each.object for each in fetched(bench)] == [NUMBERS]
    bench.cancel()
    bench.advance(LOOK_EVERY_S)
    assert fetched(bench) == []
    assert bench.store.copies.all() == []


def test_a_late_outcome_changes_nothing() -> None:
    bench = begun()
    bench.bring(CONTENT)
    (asked,) = bench.evaluations
    bench.cancel()
    before = bench.dump()
    bench.evaluate()
    assert asked.looks == (NUMBERS,)
    assert bench.dump() == before


def test_a_value_that_nobody_has_any_more_is_made_again() -> None:
    bench = begun()
    lose(bench)
    assert "no agent has any more: the step that gave it makes it again" in sentences(explain(bench, "use"))
    assert bench.state("make") is StepState.FULFILLING
    bench.complete(bench.place("a2"), "a2", out=LARGE)
    bench.advance(LOOK_EVERY_S)
    assert [each.places[0].holder.node for each in fetched(bench)] == ["a2"]
    bench.bring(CONTENT)
    bench.evaluate()
    assert bench.state("use") is StepState.FULFILLING


def test_a_value_that_cannot_be_made_again_stalls_or_fails_its_workflow() -> None:
    bench = begun(attempts=1)
    lose(bench)
    assert bench.workflow_state() is WorkflowState.STALLED
    assert "no agent has a value of 48891 bytes any more" in bench.workflow()["reason"]


def test_a_value_that_is_damaged_here_comes_again() -> None:
    bench = begun()
    bench.bring(CONTENT)
    bench.contents.clear()
    bench.evaluate()
    assert bench.state("use") is StepState.CREATED
    assert bench.store.objects.of("m1", NUMBERS.id) is None
    assert [each.object for each in fetched(bench)] == [NUMBERS]
    bench.bring(CONTENT)
    bench.evaluate()
    assert bench.state("use") is StepState.FULFILLING


def test_a_holder_that_gives_nothing_is_asked_to_look_and_later_again() -> None:
    bench = begun()
    refused = PlaceFailed(FetchId("m1", NUMBERS.sha256), Peer("agents", "a1"), "unknown")
    bench.call(lambda at: bench.reactor.on_files(refused, at))
    assert bench.outbox.take(ObjectsCheck, "a1").objects == (NUMBERS.id,)
    assert fetched(bench) == []
    bench.advance(LOOK_EVERY_S)
    assert sentences(explain(bench, "use")).endswith(f"the file {NUMBERS.id} is not to be had from a1 any more")
    bench.advance(FAILED_FOR_S)
    assert [each.object for each in fetched(bench)] == [NUMBERS]
    assert "any more" not in sentences(explain(bench, "use"))


def test_without_room_it_waits_and_that_is_said() -> None:
    bench = begun(files_store_bytes=1000)
    assert fetched(bench) == []
    assert "there is no room for the file: files.store is 1000 bytes" in sentences(explain(bench, "use"))
    bench.set(files_store_bytes=1_000_000)
    bench.advance(LOOK_EVERY_S)
    assert [each.object for each in fetched(bench)] == [NUMBERS]


def test_those_whose_holders_are_away_hold_up_nobody() -> None:
    bench = Bench(READS)
    for agent in ("a1", "a2"):
        bench.presence(agent)
    names = [Object(f"{number:064x}", 50_000) for number in range(FETCHED_AT_ONCE + 5)]
    for number, found in enumerate(names):
        bench.start("w", f"w{number}", inputs={})
        bench.complete(bench.place("a1"), "a1", out=large_value(found, parse_type("int[]")))
    assert len(fetched(bench)) == FETCHED_AT_ONCE
    bench.presence("a1", online=False)
    bench.start("w", "last", inputs={})
    bench.complete(bench.place("a2"), "a2", out=LARGE)
    assert NUMBERS in [each.object for each in fetched(bench)]


def test_what_a_step_has_begun_with_is_not_looked_into_again_by_retry() -> None:
    bench = begun(attempts=1)
    bench.bring(CONTENT)
    bench.evaluate()
    bench.fail(bench.place("a1", "lower"), "a1")
    assert bench.workflow_state() is WorkflowState.FAILED
    bench.retry()
    assert (bench.evaluations, bench.rows("SELECT * FROM looks")) == ([], [])
    assert [each.inputs for each in bench.place_all("a1", "lower")] == [{"x": LARGE, "n": 7}]


def test_a_holder_that_only_seems_to_be_away_is_asked_too() -> None:
    """Its presence may be lost: nothing but speed depends on it."""
    bench = Bench(READS)
    bench.presence("a1")
    bench.start("w", inputs={})
    job = bench.place("a1")
    bench.presence("a1", online=False)
    bench.complete(job, "a1", out=LARGE)
    assert [each.object for each in fetched(bench)] == [NUMBERS]


def test_it_comes_once_for_all_that_look_into_it() -> None:
    bench = Bench(READS)
    bench.presence("a1")
    for name in ("w1", "w2"):
        bench.start("w", name, inputs={})
        bench.complete(bench.place("a1"), "a1", out=LARGE)
    assert len(fetched(bench)) == 1
    bench.bring(CONTENT)
    assert len(bench.evaluations) == 2
    bench.start("w", "w3", inputs={})
    bench.complete(bench.place("a1"), "a1", out=LARGE)
    assert len(bench.evaluations) == 3


def test_a_step_at_a_gate_keeps_what_was_worked_out() -> None:
    each = user(
        value("t", given("values"), type="string"),
        value("x", out("make"), type=None),
        value("n", None, type="int", value_from="$(inputs.x[7])"),
        scatter=("t",),
        parallel=1,
    )
    bench = Bench(after(each, name="w"))
    bench.presence("a1")
    bench.start("w", inputs={"values": ["a", "b"]})
    bench.complete(bench.place("a1"), "a1", out=LARGE)
    bench.bring(CONTENT)
    bench.evaluate()
    assert len(bench.rows("SELECT * FROM evaluations WHERE evaluated IS NOT NULL")) == 1
    for _ in range(2):
        (job,) = bench.place_all("a1", "lower", ready=5)
        assert job.inputs["n"] == 7
        bench.complete(job.job, "a1")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.evaluations == []


def test_in_a_nested_workflow_it_may_come_from_outside() -> None:
    step = leaf("s", value("x", given("x"), type=None), value("n", None, type="int", value_from="$(inputs.x[7])"))
    inner = flow("inner", step, result=out("s"), takes={"x": "int[]"})
    bench = begun(after(nest("use", inner, value("x", out("make"), type="int[]")), name="w"))
    bench.bring(CONTENT)
    bench.evaluate()
    assert [each.inputs for each in bench.place_all("a1", "upper")] == [{"n": 7}]
