"""`why` where workflows branch out: agents that alone may take a step, limits, parts, what was skipped."""

from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.shapes import Reason
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.templates.plan import Source
from tests.unit.manager.bench import Bench, given
from tests.unit.manager.offers.test_bound import FIXED, SHIP, limited
from tests.unit.manager.workflows.test_branches import SPREAD, flow, leaf, value


def explain(bench: Bench, step: str, workflow: str = "w1", unanswered_s: float = 0.0) -> list[Reason]:
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row(workflow)
    assert row is not None
    step_row = views.step_row(row, step)
    assert step_row is not None
    settings = bench.settings
    now = ManagerNow("m1", None, bench.now, settings.max_live_steps, lambda _agent: unanswered_s, settings.trusted)
    return Explainer(views, now).step(row, step_row)["why"]


def sentences(found: list[Reason]) -> str:
    return "\n".join(each["sentence"] for each in found)


def test_an_agent_that_nobody_has_seen_is_named() -> None:
    bench = Bench(SHIP)
    bench.presence("a1")
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    found = explain(bench, "s")
    assert [each["condition"] for each in found] == ["bound", "bound_elsewhere"]
    assert "step s may be taken by a7 alone" in sentences(found)
    assert "agent a7, which has never been seen by this manager" in sentences(found)


def test_an_agent_without_the_job_type_is_named_and_one_that_has_it_is_waited_for() -> None:
    bench = Bench(FIXED)
    bench.presence("a7", types=["lower"])
    bench.presence("a8")
    bench.start("fixed", inputs={"text": "a"})
    bench.complete(bench.place("a8", "lower"), "a8", out="b")
    found = explain(bench, "s")
    assert [each["condition"] for each in found] == ["bound", "bound_elsewhere", "waits_for_place"]
    assert "may be taken by a7 or a8 alone" in sentences(found)
    assert "agent a7, which does not have the job type upper" in sentences(found)


def test_whom_the_manager_trusts_is_named() -> None:
    bench = Bench(SHIP, trusted={"upper": ("a1", "a2")})
    bench.presence("a1")
    bench.presence("a3")
    bench.start("one")
    found = explain(bench, "a")
    assert [each["condition"] for each in found] == ["trusted", "bound", "bound_elsewhere", "waits_for_place"]
    assert "agents alone that m1 trusts with the job type upper (agents): a1 and a2" in sentences(found)
    assert "a3" not in sentences(found)


def test_a_step_that_is_bound_to_agents_that_are_not_trusted_is_given_to_nobody() -> None:
    bench = Bench(SHIP, trusted={"upper": ("a1", "a2")})
    bench.presence("a7")
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    found = explain(bench, "s")
    assert [each["condition"] for each in found] == ["trusted", "nobody_trusted"]
    assert found[-1]["sentence"] == "step s is bound to a7, and so is given to nobody"


def test_a_limit_is_named() -> None:
    bench = Bench(limited(parallel=1))
    bench.presence()
    bench.start("limited", inputs={"values": ["a", "b"]})
    (reason,) = explain(bench, "s[1]")
    assert reason["condition"] == "limit"
    assert reason["sentence"] == "step s[1] waits for its turn: s has a limit of 1 instances at a time"


def test_a_limit_of_the_manager_is_named_while_it_is_reached() -> None:
    bench = Bench(limited(), max_live_steps=1)
    bench.presence()
    bench.start("limited", inputs={"values": ["a", "b"]})
    assert explain(bench, "s[1]")[-1]["condition"] == "waits_for_place"
    bench.place()
    (reason,) = explain(bench, "s[1]")
    assert (reason["condition"], reason["facts"]["limit"]) == ("manager_limit", 1)
    assert reason["sentence"].endswith("m1 has a limit of 1 steps at agents at a time (max_live_steps)")


def test_a_step_with_parts_says_how_far_it_is() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": ["a", "b", "c"]})
    bench.complete(bench.place())
    (reason,) = explain(bench, "s")
    assert (reason["condition"], reason["facts"]["count"], reason["facts"]["completed"]) == ("parts", 3, 1)


def test_of_a_large_scatter_it_is_said_first_how_far_it_is() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": ["v"] * 100})
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row("w1")
    assert row is not None
    found = Explainer(views, ManagerNow("m1", None, bench.now)).workflow(row)["why"]
    assert found[0]["sentence"] == "step s goes on: 0 of its 100 parts have completed"


def test_what_was_skipped_says_by_what() -> None:
    step = leaf("s", value("text", given("text")), value("go", given("go"), type=None), when="$(inputs.go)")
    made = flow(
        "maybe", step, result=Source(step="s", output="out"), kind="Any?", takes={"text": "string", "go": "boolean"}
    )
    bench = Bench(made)
    bench.start("maybe", inputs={"text": "a", "go": False})
    (reason,) = explain(bench, "s")
    assert reason["condition"] == "skipped"
    assert reason["sentence"] == "step s was skipped: $(inputs.go) is false"


def test_a_job_that_its_agent_has_not_acknowledged_is_not_said_to_be_there() -> None:
    bench = Bench()
    bench.presence()
    bench.start("one", "w1")
    job = bench.place()
    assert [each["condition"] for each in explain(bench, "a")] == ["queued"]
    add = "INSERT INTO outbox (peer, seq, id, body) VALUES ('a1', 1, 'i1', ?)"
    bench.database.conn.execute(add, (b'{"id":"i1","type":"OfferAccept","jobs":[{"job":"%s"}]}' % job.encode(),))
    (reason,) = explain(bench, "a", unanswered_s=42.0)
    assert reason["condition"] == "not_acknowledged"
    said = reason["sentence"]
    assert said.startswith("step a was sent to agent a1 at ")
    assert said.endswith("which is online and has not acknowledged it; it was asked, and has not answered for 42 s")
