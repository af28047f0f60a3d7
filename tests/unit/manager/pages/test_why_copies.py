"""`why` of files that are to lie on more hosts than they do: how many copies there are, and what each depot says."""

from msgspec.structs import replace

from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.shapes import Reason
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.depots import ObjectsKeep, ObjectsRefused
from caroni_edge.values.carried import object_value
from tests.unit.manager.bench import Bench, given, out, plan, step
from tests.unit.manager.peers.test_depots import NAME, REFUSES, holds, make, make_bench


def copies(bench: Bench, of_step: str | None = None, workflow: str = "w1") -> list[Reason]:
    """Return what is said of copies that are lacking."""
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row(workflow)
    assert row is not None
    explainer = Explainer(views, ManagerNow("m1", None, bench.now, depots=tuple(bench.settings.depots)))
    if of_step is None:
        why = explainer.workflow(row)
    else:
        step_row = views.step_row(row, of_step)
        assert step_row is not None
        why = explainer.step(row, step_row)
    return [each for each in why["why"] if "copies" in each["condition"]]


def said(bench: Bench) -> str:
    """Return the sentence about the one file that lacks a copy, and that it is the same of its step."""
    (found,) = copies(bench)
    assert copies(bench, "make") == [found]
    assert not copies(bench, "use")
    return found["sentence"]


LACKS = 'the file "m31.fits" (5 MB) of step make lies on 1 of 2 hosts (agent a1): '


def test_without_depots_it_is_said_that_none_is_named() -> None:
    bench = make_bench()
    make(bench)
    assert said(bench) == f"{LACKS}the manager's configuration names no depot (depots)"


def test_of_each_depot_it_is_said_why_it_has_no_copy_yet() -> None:
    bench = make_bench(depots=("d1", "d2", "d3", "a2"))
    bench.presence("d1", types=(), depot="full: what it has promised waits for room (files.store)")
    bench.presence("d2", types=(), depot="open", refuses=REFUSES)
    make(bench)
    assert said(bench) == (
        f"{LACKS}depot a2 may not be one, as its owner has it (files.depot in its agent.yaml); "
        "depot d1 takes no more: what it has promised waits for room (files.store); "
        "depot d2 drains; depot d3 has never been seen by this manager"
    )


def test_a_depot_that_is_asked_is_waited_for_and_said_to_be_away() -> None:
    bench = make_bench(depots=("d1",))
    make(bench)
    assert said(bench) == f"{LACKS}depot d1 is asked to fetch it"
    bench.presence("d1", types=(), depot="open", staging={"m1": "it fetches files from 22:00 to 06:00 alone"})
    assert said(bench).endswith("depot d1 is asked to fetch it, and says: it fetches files from 22:00 to 06:00 alone")
    bench.presence("d1", online=False)
    assert "depot d1 is asked to fetch it, and is offline since 2" in said(bench)
    (found,) = copies(bench)
    assert (found["facts"]["copies"], found["facts"]["holders"], [*found["facts"]["depots"]]) == (2, ["a1"], ["d1"])
    holds(bench, "d1")
    assert not copies(bench)


def test_what_a_depot_has_refused_is_said_in_its_words_until_it_is_asked_again() -> None:
    bench = make_bench(depots=("d1",))
    make(bench)
    bench.outbox.take(ObjectsKeep, "d1")
    why = "it has 5000000 bytes, and there would never be room here"
    bench.send(ObjectsRefused(workflow="w1", objects=(NAME,), reason=why), agent="d1")
    assert said(bench) == f"{LACKS}depot d1 has refused it: {why}; it is asked again within 5 minutes"
    bench.advance(300.0)
    assert said(bench) == f"{LACKS}depot d1 is asked to fetch it"


def test_where_all_depots_have_it_no_other_one_is_named() -> None:
    bench = make_bench(depots=("d1",))
    make(bench, "triple")
    holds(bench, "d1")
    assert said(bench) == (
        'the file "m31.fits" (5 MB) of step make lies on 2 of 3 hosts (agent a1 and agent d1): '
        "the manager's configuration names no other depot (depots)"
    )


def test_a_file_that_lies_only_where_somebody_drains_is_named() -> None:
    bench = make_bench(depots=("d1",))
    bench.presence("d1", types=(), depot="full: no room")
    make(bench, "single")
    assert not copies(bench)
    bench.presence("a1", types=("upper",), refuses=REFUSES)
    assert said(bench) == (
        'the file "m31.fits" (5 MB) of step make lies on 0 of 1 hosts, without those that drain (a1): '
        "depot d1 takes no more: no room"
    )


def test_a_workflow_that_has_completed_lacks_copies_of_its_outputs_alone() -> None:
    bench = make_bench(depots=())
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2")
    assert bench.workflow()["status"] == "completed"
    assert [each["condition"] for each in copies(bench)] == ["lacks_copies"]


def test_of_many_files_a_few_are_named() -> None:
    made = {f"f{number}": "File" for number in range(7)}
    outputs = {name: ("File", out("make", name)) for name in made}
    many = replace(plan("many", step("make", "upper", made, text=given("message")), outputs=outputs), copies=2)
    bench = Bench(many)
    bench.presence("a1", types=("upper",))
    bench.start("many")
    values = {name: object_value(name, Object(f"{nr:064x}", 20_000), "0" * 40) for nr, name in enumerate(made)}
    bench.complete(bench.place("a1"), "a1", **values)
    found = copies(bench)
    assert [each["condition"] for each in found] == ["lacks_copies"] * 5 + ["more_lack_copies"]
    assert 'the file "f0" (0.02 MB) of step make' in found[0]["sentence"]
