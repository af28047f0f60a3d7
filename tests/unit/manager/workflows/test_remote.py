"""Files at http and https addresses, as a manager sees them: it hands addresses on, and fetches nothing."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import JobDecline
from caroni_edge.values.carried import object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

FILE: dict[str, Any] = {"class": "File", "location": "https://data.example.org/m31.fits"}
USE = step("use", "lower", {"file": "File"}, file=("File", given("file")))
TAKES = plan("takes", USE, inputs={"file": "File"})
DEFAULT = plan("default", USE, inputs={"file": ("File", FILE)})
CHAIN = plan(
    "chain",
    step("make", "upper", {"file": "File"}, text=given("message")),
    step("use", "lower", file=("File", out("make", "file"))),
)
BOTH = plan(
    "both",
    step("make", "upper", {"out": "string"}, text=given("text")),
    step("use", "lower", file=("File", given("file")), text=out("make", "out")),
    inputs={"file": "File", "text": "string"},
)
LARGE = object_value("m42.fits", Object("a" * 64, 5_000_000), "0" * 40)
TOGETHER = plan(
    "together",
    step("make", "upper", {"file": "File"}, text=given("text")),
    step("use", "lower", file=("File", given("file")), other=("File", out("make", "file"))),
    inputs={"file": "File", "text": "string"},
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(TAKES, DEFAULT, CHAIN, BOTH, TOGETHER)
    bench.presence("a1")
    return bench


def test_an_address_goes_to_the_agent_as_it_was_given(bench: Bench) -> None:
    bench.start("takes", inputs={"file": {**FILE, "checksum": f"sha256${'0' * 64}"}})
    (placed,) = bench.place_all("a1", "lower")
    assert placed.inputs == {"file": {**FILE, "checksum": f"sha256${'0' * 64}"}}
    assert placed.places == ()


def test_a_default_may_be_an_address(bench: Bench) -> None:
    bench.start("default", inputs={})
    (placed,) = bench.place_all("a1", "lower")
    assert placed.inputs == {"file": FILE}


@pytest.mark.parametrize(
    "location", ["https://user@data.example.org/a", "file:///etc/passwd", "https://data.example.org/#a"]
)
def test_what_is_no_address_of_a_file_starts_nothing(bench: Bench, location: str) -> None:
    bench.start("takes", inputs={"file": {"class": "File", "location": location}})
    assert "input file " in bench.take_event("caroni.workflow.rejected")["data"]["reason"]
    assert bench.rows("SELECT 1 FROM workflows") == []


def test_an_agent_of_before_gets_no_address(bench: Bench) -> None:
    bench.outbox.versions["a1"] = 1
    bench.presence("a1", speaks=1)
    bench.start("takes", inputs={"file": FILE})
    bench.offer("a1", "lower")
    bench.settle()
    assert bench.state("use") is StepState.FULFILLING


def test_what_an_agent_gives_lies_there_and_not_at_an_address(bench: Bench) -> None:
    bench.start("chain")
    bench.complete(bench.place("a1", "upper"), "a1", file=FILE)
    assert bench.state("make") is not StepState.COMPLETED


def test_a_job_that_takes_a_file_at_an_address_has_its_inputs_from_its_manager(bench: Bench) -> None:
    bench.start("both", inputs={"file": FILE, "text": "x"})
    bench.place("a1", "upper")
    (placed,) = bench.place_all("a1", "lower", waiting=1)
    assert (placed.data_ready, placed.inputs_from) == (False, {})


OTHER = {"class": "File", "location": "https://other.example.org:8443/a"}


@pytest.mark.parametrize(
    ("hosts", "goes"),
    [
        (["data.example.org"], True),
        (["*.example.org"], True),
        (None, True),
        (["data.example.org:8443", "", "no host at all"], False),
        ([], False),
    ],
)
def test_a_step_goes_to_no_agent_that_does_not_list_the_host_of_its_file(
    bench: Bench, hosts: list[str] | None, goes: bool
) -> None:
    bench.presence("a1", hosts=hosts)
    bench.start("takes", inputs={"file": FILE})
    bench.offer("a1", "lower")
    bench.settle()
    assert bench.state("use") is (StepState.FULFILLED if goes else StepState.FULFILLING)


def test_what_an_agent_may_not_fetch_does_not_hold_up_what_it_may(bench: Bench) -> None:
    bench.presence("a1", hosts=["other.example.org:8443"])
    for name, file in (("w1", FILE), ("w2", FILE), ("w3", OTHER)):
        bench.start("takes", name, inputs={"file": file})
    (placed,) = bench.place_all("a1", "lower", ready=1)
    assert placed.workflow == "w3"


def test_a_step_waits_for_no_agent_that_has_its_other_file_and_may_not_fetch_this_one(bench: Bench) -> None:
    bench.presence("a1", hosts=[])
    bench.presence("a2", hosts=["data.example.org"])
    bench.start("together", inputs={"file": FILE, "text": "x"})
    bench.complete(bench.place("a1", "upper"), "a1", file=LARGE)
    (placed,) = bench.place_all("a2", "lower")
    assert [each.holder for each in placed.places] == ["agents/a1"]


@pytest.mark.parametrize(
    "now",
    [{"hosts": ()}, {"types": ("upper",)}],
    ids=["it may not fetch from there any more", "it has the job type no more"],
)
def test_a_step_that_waits_for_who_has_its_other_file_goes_elsewhere_when_that_cannot_take_it_any_more(
    bench: Bench, now: dict[str, Any]
) -> None:
    bench.presence("a1", hosts=["data.example.org"])
    bench.presence("a2", hosts=["data.example.org"])
    bench.start("together", inputs={"file": FILE, "text": "x"})
    bench.complete(bench.place("a1", "upper"), "a1", file=LARGE)
    bench.offer("a2", "lower")
    bench.settle()
    assert bench.state("use") is StepState.FULFILLING
    bench.presence("a1", **{"hosts": ["data.example.org"], **now})
    (placed,) = bench.place_all("a2", "lower")
    assert [each.holder for each in placed.places] == ["agents/a1"]


def test_a_decline_for_a_host_that_is_not_listed_any_more_counts_no_attempt(bench: Bench) -> None:
    bench.presence("a1", hosts=["data.example.org"])
    bench.start("takes", inputs={"file": FILE})
    job = bench.place("a1", "lower")
    bench.presence("a1", hosts=[])
    bench.send(JobDecline(job=job, reason="files.hosts does not list it", final=True))
    assert bench.state("use") is StepState.FULFILLING
    assert bench.rows("SELECT tries FROM steps WHERE path = 'use'") == [{"tries": 0}]
    bench.advance(60.0)
    bench.presence("a2", hosts=["data.example.org"])
    assert bench.place("a2", "lower")


def test_a_decline_of_an_agent_that_does_not_say_what_it_lists_counts(bench: Bench) -> None:
    bench.start("takes", inputs={"file": FILE})
    bench.send(JobDecline(job=bench.place("a1", "lower"), reason="files.hosts does not list it", final=True))
    assert bench.rows("SELECT tries FROM steps WHERE path = 'use'") == [{"tries": 1}]


@pytest.mark.parametrize(("others", "again"), [([], True), (["data.example.org"], False), (None, False)])
def test_what_has_failed_waits_for_no_agent_that_may_not_fetch_its_file(
    bench: Bench, others: list[str] | None, *, again: bool
) -> None:
    bench.presence("a1", hosts=["data.example.org"])
    bench.presence("a2", hosts=others)
    bench.start("takes", inputs={"file": FILE})
    bench.fail(bench.place("a1", "lower"))
    bench.advance(60.0)
    bench.offer("a1", "lower")
    assert bench.state("use") is (StepState.FULFILLED if again else StepState.FULFILLING)
