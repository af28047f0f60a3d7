"""Depots keep files that jobs elsewhere have made: as many as are wanted, and before a host is switched off."""

from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.peers import depots
from caroni_edge.manager.peers.away import AWAY_S
from caroni_edge.manager.peers.depots import LOOK_AGAIN_S
from caroni_edge.manager.store.roster import RosterRows
from caroni_edge.manager.templates.plan import Plan
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.protocol.depots import DRAINED, ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.objects import ObjectKey, ObjectsCheck, ObjectsWanted
from caroni_edge.values.carried import directory_value, object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

LARGE = object_value("m31.fits", Object("a" * 64, 5_000_000), "0" * 40)
NAME = ObjectId("sha256:" + "a" * 64)
DIRECTORY = directory_value("night", Object("c" * 64, 300))
TO_KEEP = (ObjectToKeep(object=NAME, size=5_000_000),)
REFUSES = {"*": f"{DRAINED}: it finishes what it has"}


def relay(name: str, copies: int | None = None, of_step: int | None = None) -> Plan:
    """Return a workflow of which one step makes a file and another one reads it."""
    make = replace(step("make", "upper", {"file": "File"}, text=given("message")), copies=of_step)
    use = step("use", "lower", file=("File", out("make", "file")))
    return replace(
        plan(name, make, use, outputs={"result": out("use"), "file": ("File", out("make", "file"))}), copies=copies
    )


ONE, TWO, THREE = relay("single"), relay("double", copies=2), relay("triple", copies=2, of_step=3)
MADE = step("make", "upper", {"file": "Directory"}, text=given("message"))
FOLDER = replace(plan("folder", MADE, step("use", "lower", file=("Directory", out("make", "file")))), copies=2)
LATER = replace(
    plan(
        "later",
        step("make", "upper", {"file": "File"}, text=given("message")),
        step("wait", "lower", text=given("message")),
        step("use", "lower", file=("File", out("make", "file")), text=out("wait")),
    ),
    copies=2,
)


def make_bench(**settings: Any) -> Bench:
    bench = Bench(ONE, TWO, THREE, LATER, FOLDER, **settings)
    bench.presence("a1", types=("upper",))
    bench.presence("a2", types=("lower",))
    for name in ("d1", "d2"):
        bench.presence(name, types=(), depot="open")
    return bench


@pytest.fixture
def bench() -> Bench:
    return make_bench(depots=("d1", "d2"))


def make(bench: Bench, template: str = "double", value: Any = LARGE) -> None:
    bench.start(template)
    bench.complete(bench.place("a1"), "a1", file=value)


def keeps(bench: Bench) -> list[ObjectsKeep]:
    return [said for _, said in bench.outbox.sent if isinstance(said, ObjectsKeep)]


def asked(bench: Bench) -> str:
    """Return the depot that was asked to keep the file."""
    ((name, _),) = [(to, said) for to, said in bench.outbox.sent if isinstance(said, ObjectsKeep)]
    return name


def holds(bench: Bench, agent: str, workflow: str = "w1") -> None:
    bench.send(ObjectsHeld(workflow=workflow, objects=(NAME,)), agent=agent)


def places(bench: Bench) -> dict[str, int]:
    return {each.agent: each.held for each in bench.store.places.holders(1, NAME)}


def test_a_file_is_asked_of_one_depot_as_soon_as_its_step_has_completed(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    said = bench.outbox.take(ObjectsKeep, depot)
    assert (said.workflow, said.objects, [each.holder for each in said.places]) == ("w1", TO_KEEP, ["agents/a1"])
    assert places(bench) == {"a1": 1, depot: -1}
    holds(bench, depot)
    assert places(bench) == {"a1": 1, depot: 1}


def test_the_nearest_word_about_copies_counts(bench: Bench) -> None:
    make(bench, "triple")
    assert [bench.outbox.take(ObjectsKeep, each).objects for each in ("d1", "d2")] == [TO_KEEP, TO_KEEP]


def test_where_nothing_is_said_the_configuration_counts(bench: Bench) -> None:
    make(bench, "single")
    assert not keeps(bench)
    bench.set(copies=2)
    bench.start("single", "w2")
    bench.complete(bench.place("a1"), "a1", file=LARGE)
    assert asked(bench)


def test_who_only_says_that_it_is_a_depot_is_none_and_who_is_only_named_neither() -> None:
    bench = make_bench(depots=("d3",))
    bench.presence("d3", types=("upper",))
    make(bench)
    assert not keeps(bench)
    bench.presence("d3", types=("upper",), depot="open", speaks=2)
    assert not keeps(bench)
    bench.presence("d3", types=("upper",), depot="open")
    assert bench.outbox.take(ObjectsKeep, "d3").objects == TO_KEEP


def test_a_full_depot_is_asked_for_nothing_until_it_takes_more(bench: Bench) -> None:
    for name in ("d1", "d2"):
        bench.presence(name, types=(), depot="full: no room")
    make(bench)
    assert not keeps(bench)
    bench.presence("d2", types=(), depot="open")
    assert asked(bench) == "d2"


def test_a_depot_that_refuses_is_followed_by_another_one_and_asked_again_later(bench: Bench) -> None:
    make(bench)
    first = asked(bench)
    bench.outbox.take(ObjectsKeep, first)
    second = {"d1": "d2", "d2": "d1"}[first]
    bench.send(ObjectsRefused(workflow="w1", objects=(NAME,), reason="too large"), agent=first)
    bench.outbox.take(ObjectsKeep, second)
    bench.send(ObjectsRefused(workflow="w1", objects=(NAME,), reason="too large"), agent=second)
    assert not keeps(bench)
    bench.advance(LOOK_AGAIN_S)
    assert asked(bench)


def test_a_ticket_that_is_refused_is_said_again_with_its_key(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    bench.outbox.take(ObjectsKeep, depot)
    bench.outbox.sent.clear()
    bench.send(ObjectsRefused(workflow="w1", objects=(NAME,), reason="ticket", place="agents/a1"), agent=depot)
    assert bench.outbox.take(ObjectKey, "a1").generation == 1
    assert bench.outbox.take(ObjectsKeep, depot).objects == TO_KEEP


def test_a_place_that_gives_other_bytes_is_to_look_at_its_own(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    bench.send(ObjectsRefused(workflow="w1", objects=(NAME,), reason="bad", place="agents/a1"), agent=depot)
    assert bench.outbox.take(ObjectsCheck, "a1").objects == (NAME,)


def test_a_lost_place_is_made_up_for_and_nothing_else_happens(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    bench.outbox.take(ObjectsKeep, depot)
    holds(bench, depot)
    bench.send(ObjectsGone(objects=(NAME,)), agent="a1")
    other = {"d1": "d2", "d2": "d1"}[depot]
    assert [each.holder for each in bench.outbox.take(ObjectsKeep, other).places] == [f"agents/{depot}"]
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.state("make").value == "completed"


def test_a_depot_that_began_anew_is_asked_again(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    bench.outbox.take(ObjectsKeep, depot)
    bench.reset(depot)
    bench.send(ObjectsHere(), agent=depot)
    assert bench.outbox.take(ObjectsKeep, asked(bench)).objects == TO_KEEP


def test_a_depot_that_names_what_it_holds_is_a_place(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    here = ObjectHere(workflow="w1", object=NAME, size=5_000_000)
    bench.send(ObjectsHere(objects=(here,)), agent=depot)
    assert places(bench)[depot] == 1


def test_who_was_not_asked_is_no_place_by_its_word(bench: Bench) -> None:
    make(bench)
    holds(bench, "a2")
    assert "a2" not in places(bench)


def test_at_the_end_a_depot_keeps_the_outputs_alone_and_then_nothing(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    holds(bench, depot)
    bench.complete(bench.place("a2", "lower"), "a2")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outbox.take(ObjectsDrop, depot).but == (NAME,)
    bench.delete()
    assert bench.outbox.take(ObjectsDrop, depot).but == ()
    assert bench.rows("SELECT * FROM wanted_places") == []


def test_a_depot_that_was_asked_hears_of_the_end_too(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    bench.cancel()
    assert bench.outbox.take(ObjectsDrop, depot).but == ()
    bench.outbox.sent.clear()
    holds(bench, depot)
    assert bench.outbox.take(ObjectsDrop, depot).but == ()
    bench.delete()
    bench.outbox.sent.clear()
    holds(bench, depot)
    assert bench.outbox.take(ObjectsDrop, depot).workflow == "w1"


def test_who_fetches_a_file_hears_of_a_new_place(bench: Bench) -> None:
    make(bench)
    depot = asked(bench)
    (placed,) = bench.place_all("a2", "lower")
    assert [each.holder for each in placed.places] == ["agents/a1"]
    holds(bench, depot)
    said = bench.outbox.take(ObjectsWanted, "a2")
    assert {each.holder for each in said.places} == {"agents/a1", f"agents/{depot}"}


@pytest.mark.parametrize(("has_depot", "agents"), [(True, None), (False, '["a1"]')])
def test_what_a_depot_has_may_go_to_anybody_while_who_has_it_is_away(
    bench: Bench, has_depot: bool, agents: str | None
) -> None:
    both = ("upper", "lower")
    bench.presence("a1", types=both)
    make(bench, "later")
    if has_depot:
        holds(bench, asked(bench))
    waiting = bench.place("a2", "lower")
    bench.presence("a1", types=both, online=False)
    bench.complete(waiting, "a2")
    assert bench.step("use")["agents"] == agents


def test_a_directory_is_asked_for_as_what_it_is(bench: Bench) -> None:
    make(bench, "folder", DIRECTORY)
    (asked_for,) = bench.outbox.take(ObjectsKeep, asked(bench)).objects
    assert (asked_for.directory, asked_for.size) == (True, 300)


# Draining


def drain(bench: Bench, agent: str = "a1", types: tuple[str, ...] = ("upper",)) -> None:
    bench.presence(agent, types=types, refuses=REFUSES)


def test_what_lies_only_at_an_agent_that_drains_is_asked_of_a_depot(bench: Bench) -> None:
    make(bench, "single")
    drain(bench)
    depot = asked(bench)
    bench.outbox.take(ObjectsKeep, depot)
    assert RosterRows(bench.database.conn).files_only_at("a1", 10) == 1
    holds(bench, depot)
    assert RosterRows(bench.database.conn).files_only_at("a1", 10) == 0
    drain(bench)
    assert not keeps(bench)


def test_more_files_than_are_looked_at_at_a_time_are_all_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depots, "LOOKED_AT_ONCE", 2)
    for number in range(5):
        bench.start("single", f"w{number}")
        job = bench.place("a1")
        bench.complete(job, "a1", file=object_value("f", Object(f"{number}" * 64, 10), "0" * 40))
    drain(bench)
    bench.advance(1.0)
    objects = [each for said in keeps(bench) for each in said.objects]
    assert len(objects) == 5


def test_what_is_made_while_an_agent_drains_is_asked_of_a_depot_too(bench: Bench) -> None:
    bench.start("single")
    job = bench.place("a1")
    drain(bench)
    bench.complete(job, "a1", file=LARGE)
    assert asked(bench)


def test_a_depot_that_drains_is_asked_for_nothing(bench: Bench) -> None:
    bench.presence("d1", types=(), depot="open", refuses=REFUSES)
    make(bench)
    assert asked(bench) == "d2"


def test_an_agent_that_drains_keeps_no_step_to_itself(bench: Bench) -> None:
    bench.presence("a1", types=("upper", "lower"))
    make(bench, "single")
    assert bench.step("use")["agents"] == '["a1"]'
    drain(bench, types=("upper", "lower"))
    assert bench.step("use")["agents"] is None
    assert [each.holder for each in bench.place_all("a2", "lower")[0].places] == ["agents/a1"]


def test_a_step_for_an_agent_that_is_away_goes_elsewhere_as_soon_as_a_depot_has_its_file(bench: Bench) -> None:
    bench.presence("a1", types=("upper", "lower"))
    make(bench)
    bench.presence("a1", online=False)
    bench.advance(10 * AWAY_S)
    assert bench.step("use")["agents"] == '["a1"]'
    holds(bench, asked(bench))
    assert bench.step("use")["agents"] is None


def test_after_a_restart_it_goes_on(bench: Bench) -> None:
    make(bench, "single")
    bench.set(depots=())
    drain(bench)
    assert not keeps(bench)
    bench.set(depots=("d1", "d2"))
    bench.advance(0.0)
    assert asked(bench)
