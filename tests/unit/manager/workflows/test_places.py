"""Steps go where the files lie that they take: files over 16 KiB, which do not travel."""

from typing import Any

import msgspec
import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import OfferReject
from caroni_edge.values.carried import file_value, object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

LARGE = object_value("m31.fits", Object("a" * 64, 5_000_000), "0" * 40)
OTHER = object_value("m42.fits", Object("b" * 64, 7_000_000), "0" * 40)
SMALL = file_value("m31.txt", b"small")


def giver(name: str, job_type: str = "upper") -> PlanStep:
    return step(name, job_type, {"file": "File"}, text=given("message"))


SHIFT = plan(
    "shift",
    giver("make"),
    step("use", "lower", {"file": "File"}, file=("File", out("make", "file"))),
    step("tell", "lower", file=("File", out("use", "file"))),
    outputs={"result": out("tell"), "file": ("File", out("make", "file"))},
)
PAIR = plan(
    "pair",
    giver("left"),
    giver("right", "lower"),
    step("both", "lower", one=("File", out("left", "file")), two=("File", out("right", "file"))),
)
ANYTHING = plan("anything", giver("make"), step("use", "lower", file=("Any", out("make", "file"))))


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SHIFT, PAIR, ANYTHING)
    bench.presence("a1")
    bench.presence("a2")
    return bench


def make(bench: Bench, value: Any = LARGE, agent: str = "a1") -> None:
    bench.complete(bench.place(agent), agent, file=value)


def bound(bench: Bench, path: str) -> Any:
    return bench.step(path)["agents"]


def test_a_step_goes_to_the_agent_that_has_its_file(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    assert bound(bench, "use") == '["a1"]'
    bench.offer("a2", "lower")
    bench.outbox.take(OfferReject, "a2")
    (placed,) = bench.place_all("a1", "lower")
    assert placed.inputs == {"file": LARGE}


def test_what_an_agent_makes_of_it_lies_there_too(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=OTHER)
    assert bound(bench, "tell") == '["a1"]'
    bench.complete(bench.place("a1", "lower"), "a1", out="7 MB")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": "7 MB", "file": LARGE}


def test_small_files_go_anywhere(bench: Bench) -> None:
    bench.start("shift")
    make(bench, SMALL)
    assert bound(bench, "use") is None
    assert bench.place_all("a2", "lower")[0].inputs == {"file": SMALL}


def test_agents_are_not_asked_before_it_is_known_where_a_file_lies(bench: Bench) -> None:
    bench.start("shift")
    assert bench.state("use") is StepState.CREATED


def test_files_on_two_hosts_do_not_come_together(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    assert bench.state("both") is StepState.FAILED
    assert bench.step("both")["reason"] == (
        'the file "m31.fits" (5000000 bytes) lies on a1, and the file "m42.fits" (7000000 bytes) lies on a2: '
        "files over 16 KiB do not go from host to host yet"
    )


def test_files_on_one_host_do(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=OTHER)
    assert bound(bench, "both") == '["a1"]'


def test_a_large_file_goes_to_inputs_of_type_file_alone(bench: Bench) -> None:
    bench.start("anything")
    make(bench)
    assert bench.state("use") is StepState.FAILED
    assert "goes to an input of type File alone, and this one takes Any" in bench.step("use")["reason"]


def test_a_step_that_is_bound_elsewhere_fails_in_words() -> None:
    there = step("use", "lower", file=("File", out("make", "file")))
    bench = Bench(plan("bound", giver("make"), PlanStep(**{**_fields(there), "agents": ("a2",)})))
    bench.presence("a1")
    bench.presence("a2")
    bench.start("bound")
    make(bench)
    assert bench.step("use")["reason"].startswith(
        'it is bound to a2, and the file "m31.fits" (5000000 bytes) lies on a1'
    )


def test_a_trigger_names_no_object(bench: Bench) -> None:
    bench = Bench(plan("takes", step("use", "lower", file=("File", given("file"))), inputs={"file": "File"}))
    bench.trigger(msgspec.json.encode({"template": "takes", "inputs": {"file": LARGE}}))
    refused = bench.take_event("caroni.workflow.rejected")
    assert "a file that lies elsewhere" in refused["data"]["reason"]


def test_an_agent_that_is_forgotten_has_nothing_any_more(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    assert bench.step("both")["reason"] == 'no agent has the file "m31.fits" (5000000 bytes) any more'


def test_the_places_of_a_workflow_go_with_it(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    assert len(bench.rows("SELECT * FROM object_places")) == 1
    bench.cancel()
    bench.delete()
    assert bench.rows("SELECT * FROM object_places") == []


def _fields(made: PlanStep) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__struct_fields__}


BY_LABEL = plan(
    "by_label",
    giver("make"),
    msgspec.structs.replace(step("use", "lower", file=("File", out("make", "file"))), agents=("site=north",)),
)


def test_a_step_that_asks_for_labels_goes_where_its_file_lies_if_they_are_there() -> None:
    bench = Bench(BY_LABEL)
    bench.presence("a1", labels={"site": "north"})
    bench.presence("a2", labels={"site": "south"})
    bench.start("by_label", "w1")
    bench.complete(bench.place("a1", labels={"site": "north"}), "a1", file=LARGE)
    assert bench.step("use")["agents"] == '["a1"]'
    bench.start("by_label", "w2")
    bench.complete(bench.place("a2", labels={"site": "south"}), "a2", file=OTHER)
    assert bench.workflow_state("w2") is WorkflowState.FAILED
    assert "it asks for an agent with the labels site=north, and the file" in bench.workflow("w2")["reason"]
