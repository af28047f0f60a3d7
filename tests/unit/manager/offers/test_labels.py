"""Steps that only agents with certain labels may take."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.protocol.messages import OfferReject
from tests.unit.manager.bench import Bench, given, out
from tests.unit.manager.workflows.test_branches import flow, leaf, value

SITE = flow(
    "site",
    leaf(
        "s",
        value("text", given("text")),
        value("site", given("site"), type=None),
        agents=("gpu=a100", "site=$(inputs.site)"),
    ),
    result=out("s"),
    takes={"text": "string", "site": "Any"},
)
FIXED = flow(
    "fixed",
    leaf("first", value("text", given("text")), job_type="lower"),
    leaf("s", value("text", out("first")), agents=("site=north",)),
    result=out("s"),
    takes={"text": "string"},
)
NORTH = {"gpu": "a100", "site": "north"}


def nobody(bench: Bench, agent: str, **facts: Any) -> None:
    """Assert that an offer of this agent is rejected."""
    offer = bench.offer(agent, **facts)
    assert bench.outbox.take(OfferReject, agent).offer == offer


def test_a_step_goes_to_agents_alone_that_have_all_of_its_labels() -> None:
    bench = Bench(SITE)
    bench.presence("a1", labels=NORTH)
    bench.presence("a2", labels={"site": "north"})
    bench.presence("a3")
    bench.start("site", inputs={"text": "a", "site": "north"})
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.only) == (1, {"gpu=a100,site=north": 1})
    nobody(bench, "a2", labels={"site": "north"})
    nobody(bench, "a3")
    job = bench.place("a1", labels=NORTH)
    bench.complete(job, "a1", out="A")
    assert bench.outputs() == {"result": "A"}
    assert bench.rows("SELECT * FROM bound") == []


def test_the_labels_of_an_offer_count_and_not_those_of_before() -> None:
    bench = Bench(SITE)
    bench.presence("a1", labels=NORTH)
    bench.presence("a2")
    bench.start("site", inputs={"text": "a", "site": "north"})
    nobody(bench, "a1", labels={"gpu": "a100", "site": "south"})
    bench.place("a2", labels=NORTH)


def test_several_sites_are_asked_for_at_a_time() -> None:
    bench = Bench(SITE)
    for agent, site in (("a1", "north"), ("a2", "south")):
        bench.presence(agent, labels={"gpu": "a100", "site": site})
    for workflow, site in (("w1", "north"), ("w2", "south"), ("w3", "south"), ("w4", "west")):
        bench.start("site", workflow, inputs={"text": "a", "site": site})
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert demand.only == {"gpu=a100,site=north": 1, "gpu=a100,site=south": 2, "gpu=a100,site=west": 1}
    placed = bench.place_all("a2", ready=4, labels={"gpu": "a100", "site": "south"})
    assert sorted(job.workflow for job in placed) == ["w2", "w3"]


def test_one_that_has_failed_here_goes_first_to_another_with_the_labels() -> None:
    bench = Bench(SITE)
    for agent in ("a1", "a2"):
        bench.presence(agent, labels=NORTH)
    bench.presence("a3")
    bench.start("site", inputs={"text": "a", "site": "north"})
    bench.fail(bench.place("a1", labels=NORTH), "a1")
    bench.advance(10)
    nobody(bench, "a1", labels=NORTH)
    bench.fail(bench.place("a2", labels=NORTH), "a2")
    bench.advance(10)
    bench.place("a1", labels=NORTH)


def test_it_is_asked_for_ahead_of_its_data() -> None:
    bench = Bench(FIXED)
    bench.presence("a1", labels={"site": "north"})
    bench.start("fixed", inputs={"text": "a"})
    (ahead,) = bench.place_all("a1", waiting=1, labels={"site": "north"})
    assert ahead.step == "s"


@pytest.mark.parametrize("site", [["north"], {"a": 1}, "no,comma", "ü", None])
def test_what_is_no_label_fails_the_step_or_waits(site: Any) -> None:
    bench = Bench(SITE)
    bench.start("site", inputs={"text": "a", "site": site if site is not None else ""})
    is_label = site is None  # an empty text is one
    assert (bench.workflow_state() is WorkflowState.FAILED) == (not is_label)
    if not is_label:
        assert "site=$(inputs.site)" in bench.workflow()["reason"]


def test_who_waits_for_labels_that_nobody_has_is_stalled_until_somebody_has_them() -> None:
    bench = Bench(SITE, stalled_after_s=60.0)
    bench.presence("a1", labels={"site": "north"})
    bench.start("site", inputs={"text": "a", "site": "north"})
    bench.advance(75)
    assert bench.workflow_state() is WorkflowState.STALLED
    assert "only agents with the labels gpu=a100, site=north may take a step" in bench.workflow()["reason"]
    bench.presence("a1", labels=NORTH)
    bench.advance(11)
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_an_agent_with_other_labels_hears_the_demand_again() -> None:
    bench = Bench(FIXED)
    bench.presence("a1", labels={"site": "south"})
    bench.start("fixed", inputs={"text": "a"})
    bench.advance(10)
    before = bench.demands()["upper"]
    bench.presence("a1", labels={"site": "north"})
    bench.advance(2)
    assert bench.demands()["upper"] == before
    bench.place_all("a1", waiting=1, labels={"site": "north"})
