"""`why` of a step that takes large files: who has them, and who fetches them."""

import msgspec
import pytest

from caroni_edge.manager.templates.plan import PlanStep
from tests.unit.manager.bench import Bench, given, out, plan, step
from tests.unit.manager.pages.test_why_branches import explain, sentences
from tests.unit.manager.workflows.test_places import OTHER, PAIR, SHIFT, giver, make

USE = step("use", "lower", file=("File", out("make", "file")))
BOUND = plan("bound", giver("make"), PlanStep(**{**msgspec.structs.asdict(USE), "agents": ("a2",)}))


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SHIFT, PAIR, BOUND)
    bench.presence("a1")
    bench.presence("a2")
    return bench


def test_a_step_waits_for_the_agent_that_has_its_file(bench: Bench) -> None:
    bench.start("shift", "w1")
    make(bench)
    found = explain(bench, "use")
    assert [each["condition"] for each in found][:1] == ["has_files"]
    assert 'step use waits for agent a1, which has the file "m31.fits" (5 MB)' in sentences(found)
    bench.presence("a1", online=False)
    assert "(5 MB) and is offline since 2" in sentences(explain(bench, "use"))


def test_an_agent_that_a_step_is_bound_to_is_not_said_to_have_its_file(bench: Bench) -> None:
    bench.start("bound", "w1")
    make(bench)
    found = explain(bench, "use")
    assert "has_files" not in [each["condition"] for each in found]
    assert "may be taken by a2 alone" in sentences(found)


def test_a_job_that_lacks_files_is_said_to_fetch_them_and_from_whom(bench: Bench) -> None:
    bench.start("pair", "w1")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    bench.presence("a3")
    bench.place("a3", "lower")
    bench.presence("a2", online=False)
    (found,) = explain(bench, "both")
    assert (found["condition"], found["facts"]["holders"]) == ("staging", ["a1", "a2"])
    assert found["facts"]["files"] == ["m31.fits", "m42.fits"]
    assert found["sentence"].startswith("step both is at agent a3 since ")
    assert (
        '(attempt 1), for the next slot that is free once it has fetched the files "m31.fits" (5 MB) and "m42.fits" '
        "(7 MB) from agent a1 and agent a2 (offline since "
    ) in found["sentence"]


def test_a_job_is_said_to_fetch_only_what_its_agent_lacks(bench: Bench) -> None:
    bench.start("pair", "w1")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    bench.place("a1", "lower")
    (found,) = explain(bench, "both")
    assert (found["facts"]["files"], found["facts"]["holders"]) == (["m42.fits"], ["a2"])


def test_a_file_at_an_address_is_said_to_be_fetched_from_its_host(bench: Bench) -> None:
    bench = Bench(plan("takes", step("use", "lower", file=("File", given("file"))), inputs={"file": "File"}))
    bench.presence("a1")
    file = {"class": "File", "location": "https://data.example.org:8443/m%2031.fits"}
    bench.start("takes", "w1", inputs={"file": file})
    bench.place("a1", "lower")
    (found,) = explain(bench, "use")
    assert (found["facts"]["files"], found["facts"]["holders"]) == (["m 31.fits"], ["data.example.org:8443"])
    assert 'it has fetched the file "m 31.fits" (of unknown size) from data.example.org:8443' in found["sentence"]


def test_what_an_agent_says_that_files_wait_for_is_said(bench: Bench) -> None:
    bench.start("pair", "w1")
    make(bench)
    bench.complete(bench.place("a2", "lower"), "a2", file=OTHER)
    bench.place("a1", "lower")
    bench.presence("a1", staging={"*": "it fetches files from 22:00 to 06:00 alone", "m1": "no\nroom", "m2": "x"})
    (found,) = explain(bench, "both")
    assert found["sentence"].endswith("agent a1: it fetches files from 22:00 to 06:00 alone; no\\nroom")
    assert found["facts"]["waits"] == "it fetches files from 22:00 to 06:00 alone; no\nroom"
    bench.presence("a1")
    (found,) = explain(bench, "both")
    assert "waits" not in found["facts"]


def test_agents_that_may_not_fetch_a_file_are_named_with_what_they_list() -> None:
    bench = Bench(plan("takes", step("use", "lower", file=("File", given("file"))), inputs={"file": "File"}))
    bench.presence("a1", hosts=["nas.example.org:8443", "*.example.com"])
    bench.presence("a2", hosts=[])
    bench.start("takes", "w1", inputs={"file": {"class": "File", "location": "https://data.example.org/a"}})
    (found,) = explain(bench, "use")
    assert found["condition"] == "host_not_listed"
    assert found["sentence"] == (
        "step use waits for an agent that fetches from data.example.org: "
        "files.hosts of a1 lists nas.example.org:8443 and *.example.com, of a2 lists nothing"
    )
    bench.presence("a1", hosts=[])
    (found,) = explain(bench, "use")
    assert "files.hosts of a1 lists nothing, of a2 lists nothing" in found["sentence"]
    bench.presence("a1", hosts=["nas.example.org:8443"])
    bench.presence("a3", hosts=["data.example.org"])
    first, second = explain(bench, "use")
    assert (
        "step use is not taken by agents that may not fetch from data.example.org: files.hosts of a1"
        in (first["sentence"])
    )
    assert (second["condition"], [*second["facts"]["slots"]]) == ("waits_for_place", ["a3"])


def test_a_step_that_one_agent_alone_may_take_waits_for_its_owner_to_list_the_host() -> None:
    use = step("use", "lower", file=("File", given("file")))
    only = PlanStep(**{**msgspec.structs.asdict(use), "agents": ("a1",)})
    bench = Bench(plan("takes", only, inputs={"file": "File"}))
    bench.presence("a1", hosts=["data.example.org"])
    bench.presence("a2", hosts=["data.example.org"])
    bench.start("takes", "w1", inputs={"file": {"class": "File", "location": "https://data.example.org/a"}})
    bench.presence("a1", hosts=[])
    assert [each["condition"] for each in explain(bench, "use")] == ["bound", "host_not_listed"]
    assert "waits for an agent that fetches from data.example.org: files.hosts of a1 lists nothing" in sentences(
        explain(bench, "use")
    )
