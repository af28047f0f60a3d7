"""Steps go where the files lie that they take; where nobody has all of them, the files go to the step."""

from typing import Any

import msgspec
import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.manager.jobs.files import SAY_AGAIN_S
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.peers.away import AWAY_S
from caroni_edge.manager.peers.reconcile import ASK_AGAIN_S
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows.drops import BUT_MAX
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.messages import OfferReject
from caroni_edge.protocol.objects import ObjectBad, ObjectKey, ObjectsCheck, ObjectsWanted
from caroni_edge.protocol.reconciling import JobsWanted
from caroni_edge.values.carried import file_value, object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

LARGE = object_value("m31.fits", Object("a" * 64, 5_000_000), "0" * 40)
OTHER = object_value("m42.fits", Object("b" * 64, 7_000_000), "0" * 40)
NAME, OTHER_NAME = Object("a" * 64, 0).id, Object("b" * 64, 0).id
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
ARCHIVE = msgspec.structs.replace(SHIFT, template="archive", keeps_all=True)
PAIR = plan(
    "pair",
    giver("left"),
    giver("right", "lower"),
    step("both", "lower", one=("File", out("left", "file")), two=("File", out("right", "file"))),
)
ANYTHING = plan("anything", giver("make"), step("use", "lower", file=("Any", out("make", "file"))))


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SHIFT, ARCHIVE, PAIR, ANYTHING)
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


def test_files_on_two_hosts_come_together_on_a_third(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    assert bound(bench, "both") is None
    bench.presence("a3")
    (placed,) = bench.place_all("a3", "lower")
    keys = {agent: bench.outbox.take(ObjectKey, agent) for agent in ("a1", "a2")}
    assert [(each.holder, each.objects) for each in placed.places] == [
        ("agents/a1", ("sha256:" + "a" * 64,)),
        ("agents/a2", ("sha256:" + "b" * 64,)),
    ]
    for each, key in zip(placed.places, keys.values(), strict=True):
        made = Keys(Key(key.generation, key.secret))
        assert made.admit(each.ticket, each.generation, placed.workflow, Peer("agents", "a3"))
        assert not made.admit(each.ticket, each.generation, placed.workflow, Peer("agents", "a1"))


def test_an_agent_is_told_where_others_give_files_straight(bench: Bench) -> None:
    bench.presence("a1", direct="https://a1.example.org:8443")
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    bench.presence("a3")
    (placed,) = bench.place_all("a3", "lower")
    assert [each.direct for each in placed.places] == ["https://a1.example.org:8443", ""]


@pytest.mark.parametrize("direct", ["http://a1.example.org", "x", f"https://a1.example.org/{'x' * 300}"])
def test_what_is_no_address_is_told_to_nobody(bench: Bench, direct: str) -> None:
    bench.presence("a1", direct=direct)
    assert bench.store.agents.direct("a1") == ""


def test_an_agent_that_has_some_of_the_files_gets_the_others(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    (placed,) = bench.place_all("a1", "lower")
    assert [(each.holder, each.objects) for each in placed.places] == [("agents/a2", ("sha256:" + "b" * 64,))]


def test_one_key_opens_all_that_an_agent_has(bench: Bench) -> None:
    for name in ("w1", "w2"):
        bench.start("shift", name)
        make(bench)
    assert len(bench.outbox.take_all(ObjectKey, "a1")) == 1


def test_an_agent_that_knows_no_files_of_other_hosts_gets_none(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    bench.outbox.versions["a3"] = 1
    bench.presence("a3", speaks=1)
    bench.offer("a3", "lower")
    bench.outbox.take(OfferReject, "a3")
    bench.presence("a3")
    assert len(bench.place_all("a3", "lower")) == 1


def test_a_ticket_that_is_not_taken_is_said_again_with_its_key_now_and_then(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    (placed,) = bench.place_all("a1", "lower")
    key = bench.outbox.take(ObjectKey, "a2")
    bad = ObjectBad(job=placed.job, object="sha256:" + "b" * 64, place="agents/a2", reason="ticket")
    for _ in range(2):
        bench.send(bad, agent="a1")
    assert bench.outbox.take_all(ObjectKey, "a2") == [key]
    assert bench.outbox.take_all(ObjectsWanted, "a1") == [ObjectsWanted(job=placed.job, places=placed.places)]
    bench.send(bad, agent="a2")
    assert bench.outbox.take_all(ObjectsWanted, "a2") == []
    bench.advance(SAY_AGAIN_S)
    bench.send(bad, agent="a1")
    assert bench.outbox.take_all(ObjectKey, "a2") == [key]


def test_who_has_a_ticket_of_one_that_is_no_place_hears_of_the_others(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    (placed,) = bench.place_all("a1", "lower")
    for holder in ("agents/a8", "agents/a9"):  # this manager has been restored since it has said so
        bad = ObjectBad(job=placed.job, object="sha256:" + "b" * 64, place=holder, reason="ticket")
        bench.send(bad, agent="a1")
    assert bench.outbox.take_all(ObjectsWanted, "a1") == [ObjectsWanted(job=placed.job, places=placed.places)]
    assert not {"a8", "a9"} & {to for to, _ in bench.outbox.sent}


@pytest.mark.parametrize("reason", ["bad", "unknown"])
def test_a_holder_looks_at_what_others_do_not_get_rightly_from_it(bench: Bench, reason: str) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    (placed,) = bench.place_all("a1", "lower")
    name = "sha256:" + "b" * 64
    bad = ObjectBad(job=placed.job, object=name, place="agents/a2", reason=reason)
    for _ in range(2):
        bench.send(bad, agent="a1")
    bench.send(ObjectBad(job=placed.job, object="sha256:" + "c" * 64, place="agents/a2", reason=reason), agent="a1")
    assert bench.outbox.take_all(ObjectsCheck, "a2") == [ObjectsCheck(objects=(name,))]
    bench.send(bad, agent="a2")  # it has no such job
    bench.advance(SAY_AGAIN_S)
    bench.send(bad, agent="a1")
    assert len(bench.outbox.take_all(ObjectsCheck, "a2")) == 1


def test_who_fetches_a_file_hears_at_once_who_has_it_no_more(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    (placed,) = bench.place_all("a1", "lower")
    bench.send(ObjectsGone(objects=("sha256:" + "b" * 64,)), agent="a2")
    assert bench.outbox.take(ObjectsWanted, "a1") == ObjectsWanted(job=placed.job)


def test_a_step_stays_with_an_agent_that_is_away_as_long_as_nobody_else_has_its_file(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    bench.presence("a1", online=False)
    bench.advance(10 * AWAY_S)
    assert bound(bench, "use") == '["a1"]'


def held_too(bench: Bench, agent: str) -> None:
    """Let another agent have the file as well."""
    bench.call(lambda _at: bench.store.places.add(1, NAME, agent, 5_000_000))


def test_when_it_is_away_for_long_a_step_goes_where_its_file_can_come_to(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    bench.presence("d1", types=())
    held_too(bench, "d1")
    bench.presence("a1", online=False)
    bench.advance(AWAY_S - 1)
    bench.presence("a1")
    bench.presence("a1", online=False)
    bench.advance(AWAY_S - 1)
    assert bound(bench, "use") == '["a1"]'
    bench.advance(1.0)
    assert bound(bench, "use") is None
    (placed,) = bench.place_all("a2", "lower")
    assert "agents/d1" in [each.holder for each in placed.places]


@pytest.mark.parametrize(("holder", "goes"), [("managers/m1", True), ("d1", False)])
def test_the_manager_is_always_there_and_an_agent_that_is_away_is_no_help(
    bench: Bench, holder: str, *, goes: bool
) -> None:
    bench.start("shift")
    make(bench)
    held_too(bench, holder)
    bench.presence("d1", types=())
    bench.presence("d1", online=False)
    bench.presence("a1", online=False)
    bench.advance(AWAY_S)
    assert bound(bench, "use") == (None if goes else '["a1"]')


def test_files_on_one_host_do(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=OTHER)
    assert bound(bench, "both") == '["a1"]'


def test_a_large_file_goes_to_inputs_of_type_file_alone(bench: Bench) -> None:
    bench.start("anything")
    make(bench)
    assert bench.state("use") is StepState.FAILED
    assert "goes to an input of type File or Directory alone, and this one takes Any" in bench.step("use")["reason"]


def test_the_file_goes_to_the_agent_that_a_step_is_bound_to() -> None:
    there = step("use", "lower", file=("File", out("make", "file")))
    bench = Bench(plan("bound", giver("make"), PlanStep(**{**_fields(there), "agents": ("a2",)})))
    bench.presence("a1")
    bench.presence("a2")
    bench.start("bound")
    make(bench)
    assert bound(bench, "use") == '["a2"]'
    (placed,) = bench.place_all("a2", "lower")
    assert [(each.holder, each.objects) for each in placed.places] == [("agents/a1", ())]


def test_a_trigger_names_no_object_that_was_not_uploaded(bench: Bench) -> None:
    bench = Bench(plan("takes", step("use", "lower", file=("File", given("file"))), inputs={"file": "File"}))
    bench.trigger(msgspec.json.encode({"template": "takes", "inputs": {"file": LARGE}}))
    refused = bench.take_event("caroni.workflow.rejected")
    assert "is not at this manager" in refused["data"]["reason"]


def test_an_agent_that_is_forgotten_has_nothing_any_more(bench: Bench) -> None:
    bench.start("pair")
    make(bench)
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    assert bench.step("both")["reason"] == (
        'waits for the file "m31.fits" (5000000 bytes), which no agent has any more: step left makes it again'
    )


def test_the_places_of_a_workflow_go_with_it(bench: Bench) -> None:
    bench.start("shift")
    make(bench)
    assert len(bench.rows("SELECT * FROM object_places")) == 1
    bench.cancel()
    bench.delete()
    assert bench.rows("SELECT * FROM object_places") == []


# What is kept, dropped and lost


def kept(bench: Bench, workflow: str = "w1", agent: str = "a1") -> ObjectsDrop:
    """Return what an agent is told to keep."""
    said = bench.outbox.take(ObjectsDrop, agent)
    assert said.workflow == workflow
    return said


def test_when_a_workflow_has_completed_only_its_outputs_are_kept(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=OTHER)
    assert bench.outbox.take_all(ObjectsDrop, "a1") == []
    bench.complete(bench.place("a1", "lower"), "a1", out="7 MB")
    assert kept(bench).but == (NAME,)
    assert bench.rows("SELECT object FROM object_places") == [{"object": NAME}]


def test_a_workflow_that_keeps_all_does_so_until_it_is_deleted(bench: Bench) -> None:
    bench.start("archive", "w1")
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=OTHER)
    bench.complete(bench.place("a1", "lower"), "a1", out="7 MB")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outbox.take_all(ObjectsDrop, "a1") == []
    assert len(bench.rows("SELECT object FROM object_places")) == 2
    bench.delete()
    assert kept(bench) == ObjectsDrop(workflow="w1")


def test_nothing_is_said_of_a_workflow_without_large_files(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench, SMALL)
    bench.complete(bench.place("a2", "lower"), "a2", file=SMALL)
    bench.complete(bench.place("a2", "lower"), "a2", out="7")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    bench.delete()
    assert [*bench.outbox.take_all(ObjectsDrop, "a1"), *bench.outbox.take_all(ObjectsDrop, "a2")] == []


def test_nothing_is_kept_of_a_workflow_that_is_cancelled(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    bench.cancel()
    assert kept(bench) == ObjectsDrop(workflow="w1")


def test_a_workflow_that_has_failed_keeps_all_for_its_retry_until_it_is_deleted(bench: Bench) -> None:
    bench.start("pair", "w1")
    make(bench)
    bench.status(bench.place("a1", "lower"), "failed", final=True, exit_code=1)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.outbox.take_all(ObjectsDrop, "a1") == []
    bench.delete()
    assert kept(bench) == ObjectsDrop(workflow="w1")


def test_a_late_result_of_what_has_ended_is_dropped_and_of_what_goes_on_it_is_a_place(bench: Bench) -> None:
    bench.start("shift", "w1")
    job = bench.place("a1")
    bench.cancel()
    bench.outbox.take_all(ObjectsDrop, "a1")
    bench.complete(job, "a1", file=LARGE)
    assert kept(bench) == ObjectsDrop(workflow="w1")


def test_who_gives_files_for_a_workflow_that_was_deleted_is_asked_what_it_keeps(bench: Bench) -> None:
    bench.start("shift", "w1")
    job = bench.place("a1")
    bench.cancel()
    bench.delete()
    bench.outbox.take_all(ObjectsDrop, "a1")
    bench.complete(job, "a1", out="7 MB")
    bench.advance(ASK_AGAIN_S)
    assert bench.outbox.take_all(JobsWanted, "a1") == []
    bench.complete(job, "a1", file=LARGE)
    bench.advance(ASK_AGAIN_S)
    assert bench.outbox.take(JobsWanted, "a1").objects


def test_a_file_that_another_agent_has_too_is_not_lost(bench: Bench) -> None:
    bench.start("pair", "w1")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=LARGE)
    bench.send(ObjectsGone(objects=(NAME,)))
    assert bench.state("left") is StepState.COMPLETED
    bench.send(ObjectsGone(objects=(NAME,)), agent="a2")
    assert bench.state("left") is StepState.FULFILLING


def test_what_an_agent_does_not_name_it_has_lost(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    here = ObjectHere(workflow="w1", object=NAME, size=5_000_000)
    bench.send(ObjectsHere(objects=(here,)))
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.send(ObjectsHere(last=False))
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.send(ObjectsHere(objects=(here,), first=False))
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.state("make") is StepState.COMPLETED
    bench.send(ObjectsHere())
    assert bench.state("make") is StepState.FULFILLING


def test_what_is_given_while_an_agent_says_what_it_has_is_there(bench: Bench) -> None:
    bench.start("shift", "w1")
    job = bench.place("a1")
    bench.send(ObjectsHere(last=False))
    bench.complete(job, "a1", file=LARGE)
    bench.send(ObjectsHere(first=False))
    assert bound(bench, "use") == '["a1"]'
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_an_agent_that_has_it_again_is_a_place_again(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    (placed,) = bench.place_all("a1", "lower")
    bench.send(ObjectsGone(objects=(NAME,)))
    assert bench.store.places.of(1, NAME) == []
    bench.send(ObjectsHere(objects=(ObjectHere(workflow="w1", object=NAME, size=5_000_000),)))
    assert bench.store.places.of(1, NAME) == ["a1"]
    assert placed.step == "use"


def test_an_agent_may_not_name_what_no_job_of_the_workflow_has_given(bench: Bench) -> None:
    bench.start("shift", "w1")
    bench.send(ObjectsHere(objects=(ObjectHere(workflow="w1", object=NAME, size=5),)), agent="a2")
    assert bench.rows("SELECT * FROM object_places") == []


def test_what_is_kept_for_a_workflow_that_is_not_here_is_dropped(bench: Bench) -> None:
    bench.send(ObjectsHere(objects=tuple(ObjectHere(workflow="gone", object=n, size=5) for n in (NAME, OTHER_NAME))))
    assert kept(bench, "gone") == ObjectsDrop(workflow="gone")
    bench.outbox.nothing_else()


def test_many_outputs_are_named_in_ranges(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    row = bench.store.workflows.by_seq(1)
    names = [f"sha256:{number:064x}" for number in range(2 * BUT_MAX)]

    def keep(_at: Moment) -> None:
        for name in names:
            bench.store.places.add(1, ObjectId(name), "a1")
        bench.store.places.keep_only(1, [ObjectId(name) for name in names])
        bench.reactor._engine.drops.say_to(row, "a1")

    bench.call(keep)
    first, last = bench.outbox.take_all(ObjectsDrop, "a1")
    assert (first.after, first.upto, first.but) == (None, names[BUT_MAX - 1], tuple(names[:BUT_MAX]))
    assert (last.after, last.upto, last.but) == (names[BUT_MAX - 1], None, tuple(names[BUT_MAX:]))


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
    assert bench.step("use", "w2")["agents"] == '["site=north"]'
