"""Hand-over: jobs that take their inputs from others at their agent, without a word of their manager."""

from typing import Any

import pytest

from caroni_edge.agent.jobs.takers import GIVER_ENDED, NO_GIVER, NO_TYPE, TOO_MUCH
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.outcome import Failed, NeverBegan
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import (
    VALUES_LIMIT_BYTES,
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusUpdate,
    Placement,
)
from caroni_edge.protocol.reconciling import JobsHere, JobsWanted
from caroni_edge.values.json import hash_of
from caroni_edge.values.large import large_value
from caroni_edge.values.types import STRING
from tests.unit.agent.bench import Bench, completed, job_type

LARGE_FILE = {"class": "File", "location": f"caroni:sha256:{'a' * 64}", "size": 1 << 20, "basename": "large"}
LARGE_TEXT = large_value(Object("a" * 64, 1 << 20), STRING)


@pytest.fixture
def bench() -> Bench:
    both = job_type("both", {"message": "string", "other": "string?"})
    return Bench(types=[job_type("upper"), job_type("lower"), both, job_type("any", {"message": "Any"})], slots=2)


def taker_of(bench: Bench, *givers: str, of_type: Any = "string", kind: str = "both", **facts: Any) -> Placement:
    """Make a job that takes one input from each of these."""
    names = ("message", "other")
    inputs_from = {name: (giver, "out", of_type) for name, giver in zip(names, givers, strict=False)}
    return bench.new_job(kind, ready=False, inputs_from=inputs_from, **facts)


def chain(bench: Bench, length: int) -> list[str]:
    """Place jobs of which each takes an input from the one before; the first runs."""
    first = bench.new_job()
    jobs = [first]
    for _ in range(length - 1):
        jobs.append(taker_of(bench, jobs[-1].job))
    bench.place(*jobs)
    bench.outbox.take(JobStatusUpdate)
    assert bench.runner.take_started() == [first.job]
    return [job.job for job in jobs]


def takers(bench: Bench) -> list[tuple[str, str]]:
    return [(giver, taker) for giver, taker in bench.database.conn.execute("SELECT giver, taker FROM takers")]


# Feeding


def test_a_chain_goes_on_to_its_end_without_a_word_of_its_manager(bench: Bench) -> None:
    jobs = chain(bench, 3)
    for number, job in enumerate(jobs):
        following = jobs[number + 1 : number + 2]
        bench.end(job, completed({"out": f"after {number}"}))
        said = bench.outbox.take(JobStatusUpdate)
        assert (said.job, said.status, list(said.fed)) == (job, "completed", following)
        assert bench.runner.take_started() == following
        for taker in following:
            begun = bench.outbox.take(JobStatusUpdate)
            assert (begun.job, begun.status) == (taker, "running")
            assert begun.serial > said.serial
            assert begun.inputs_hash == hash_of({"message": f"after {number}"})
            assert bench.runner.started[-1].inputs == {"message": f"after {number}", "other": None}
    bench.outbox.nothing_else()
    assert takers(bench) == []


def test_a_job_that_comes_when_its_giver_has_completed_has_its_inputs_at_once(bench: Bench) -> None:
    (giver,) = bench.place(bench.new_job())
    bench.end(giver)
    assert [said.fed for said in bench.outbox.take_all(JobStatusUpdate)] == [(), ()]
    (taker,) = bench.place(taker_of(bench, giver))
    assert bench.outbox.take(JobStatusUpdate).inputs_hash == hash_of({"message": "X"})
    assert bench.runner.take_started()[-1] == taker
    assert takers(bench) == []


def test_the_last_giver_says_whom_it_has_fed(bench: Bench) -> None:
    one, two = bench.place(bench.new_job(), bench.new_job())
    (taker,) = bench.place(taker_of(bench, one, two))
    bench.outbox.take_all(JobStatusUpdate)
    bench.end(two, completed({"out": "second"}))
    assert bench.outbox.take(JobStatusUpdate).fed == ()
    assert bench.state(taker) is JobState.PENDING
    bench.end(one, completed({"out": "first"}))
    assert bench.outbox.take(JobStatusUpdate).fed == (taker,)
    assert bench.runner.started[-1].inputs == {"message": "first", "other": "second"}


def test_known_inputs_stay_beside_those_that_are_taken(bench: Bench) -> None:
    (giver,) = bench.place(bench.new_job())
    bench.place(taker_of(bench, giver, inputs={"other": "known"}))
    bench.end(giver)
    assert bench.runner.started[-1].inputs == {"message": "X", "other": "known"}


def test_each_status_of_a_plain_job_names_its_inputs_too(bench: Bench) -> None:
    (job,) = bench.place(bench.new_job(inputs={"message": "x"}))
    bench.end(job)
    hashes = [said.inputs_hash for said in bench.outbox.take_all(JobStatusUpdate)]
    assert hashes == [hash_of({"message": "x"})] * 2


@pytest.mark.parametrize(
    ("value", "of_type"),
    [
        (7, "string"),
        (None, "string"),
        (LARGE_FILE, "File"),
        ([LARGE_FILE], "Any"),
        (LARGE_TEXT, "string"),
        ([LARGE_TEXT], "Any"),
    ],
)
def test_what_has_another_type_or_files_is_left_to_the_manager(bench: Bench, value: Any, of_type: str) -> None:
    (giver,) = bench.place(bench.new_job())
    (taker,) = bench.place(taker_of(bench, giver, of_type=of_type, kind="any"))
    bench.outbox.take_all(JobStatusUpdate)
    bench.end(giver, completed({"out": value}))
    assert bench.outbox.take(JobStatusUpdate).fed == ()
    assert bench.state(taker) is JobState.PENDING
    bench.send(JobDataReady(job=taker, inputs={"message": "of the manager"}))
    assert bench.runner.started[-1].inputs == {"message": "of the manager"}
    assert takers(bench) == []


def test_inputs_that_are_too_large_together_are_left_to_the_manager(bench: Bench) -> None:
    one, two = bench.place(bench.new_job(), bench.new_job())
    (taker,) = bench.place(taker_of(bench, one, two))
    for giver in (one, two):
        bench.end(giver, completed({"out": "x" * (VALUES_LIMIT_BYTES // 2)}))
    assert [said.fed for said in bench.outbox.take_all(JobStatusUpdate)] == [()] * 4
    assert bench.state(taker) is JobState.PENDING


def test_a_giver_that_retention_has_taken_gives_nothing(bench: Bench) -> None:
    one, two = bench.place(bench.new_job(), bench.new_job())
    (taker,) = bench.place(taker_of(bench, one, two))
    bench.end(one)
    bench.store.jobs.delete([bench.job(one).id])
    bench.outbox.take_all(JobStatusUpdate)
    bench.end(two)
    assert bench.outbox.take(JobStatusUpdate).fed == ()
    assert bench.state(taker) is JobState.PENDING


# The manager's word


def test_the_data_of_the_manager_replace_what_a_pending_job_would_take(bench: Bench) -> None:
    giver, taker = chain(bench, 2)
    bench.send(JobDataReady(job=taker, inputs={"message": "of the manager"}))
    bench.end(giver, completed({"out": "of the giver"}))
    assert bench.outbox.take(JobStatusUpdate).inputs_hash == hash_of({"message": "of the manager"})
    assert [said.fed for said in bench.outbox.take_all(JobStatusUpdate) if said.status == "completed"] == [()]
    assert bench.runner.started[-1].inputs == {"message": "of the manager", "other": None}


def test_the_data_of_the_manager_change_nothing_for_a_job_that_was_fed(bench: Bench) -> None:
    giver, taker = chain(bench, 2)
    bench.end(giver)
    bench.outbox.take_all(JobStatusUpdate)
    bench.send(JobDataReady(job=taker, inputs={"message": "of the manager"}))
    bench.outbox.nothing_else()
    bench.end(taker)
    assert bench.outbox.take(JobStatusUpdate).inputs_hash == hash_of({"message": "X"})


def test_reconciliation_names_what_a_pending_job_takes(bench: Bench) -> None:
    giver, taker = chain(bench, 2)
    bench.send(JobsWanted(wanted="query0001", database="", known=0))
    here = {each.job: each for each in bench.outbox.take(JobsHere).jobs}
    assert here[taker].inputs_from == {"message": (giver, "out", "string")}
    assert (here[taker].status, here[taker].inputs_hash, here[giver].inputs_from) == ("pending", "", {})


# Givers that end without outputs


def fail(bench: Bench, giver: str) -> None:
    bench.end(giver, Failed("exit status 1", exit_code=1))


def never_begin(bench: Bench, giver: str) -> None:
    bench.end(giver, NeverBegan("no program"))


def kill(bench: Bench, giver: str) -> None:
    bench.send(JobKill(job=giver, reason="not wanted"))
    bench.end(giver, Failed("killed", exit_code=-15))


@pytest.mark.parametrize("end", [fail, never_begin, kill])
def test_what_waits_for_a_job_without_a_result_ends_with_it_and_so_on_down(bench: Bench, end: Any) -> None:
    giver, *others = chain(bench, 3)
    end(bench, giver)
    assert bench.outbox.take(JobStatusUpdate).job == giver
    declined = bench.outbox.take_all(JobDecline)
    assert [(each.job, each.reason, each.final, each.begun) for each in declined] == [
        (job, GIVER_ENDED, False, False) for job in others
    ]
    bench.outbox.nothing_else()
    assert {bench.state(job) for job in others} == {JobState.FAILED}
    assert not any(bench.job(job).begun for job in others)
    assert takers(bench) == []
    assert bench.runner.take_started() == []


def test_a_pending_job_that_is_killed_ends_those_that_wait_for_it(bench: Bench) -> None:
    giver, taker, last = chain(bench, 3)
    bench.send(JobKill(job=taker, reason="not wanted"))
    assert (bench.state(taker), bench.state(last), bench.state(giver)) == (
        JobState.KILLED,
        JobState.FAILED,
        JobState.RUNNING,
    )
    bench.end(giver)
    assert bench.runner.take_started() == []


# What is not taken


def test_a_job_that_takes_from_one_that_is_not_here_is_declined_and_may_come_again(bench: Bench) -> None:
    (other_workflow, failed) = bench.place(bench.new_job(workflow="w2"), bench.new_job())
    fail(bench, failed)
    (other_manager,) = bench.place(bench.new_job(), manager="m2")
    bench.outbox.take_all(JobStatusUpdate)
    for giver in ("unknown0", other_workflow, other_manager, failed):
        placed = taker_of(bench, giver)
        bench.accept(JobOffer(offer="nooffer1", job_type="upper", serial=0), placed)
        declined = bench.outbox.take(JobDecline)
        assert (declined.job, declined.reason, declined.final, declined.begun) == (placed.job, NO_GIVER, False, False)
        assert bench.store.jobs.by_job(placed.job) is None
    assert takers(bench) == []


@pytest.mark.parametrize("spec", ["strin", 7, None, {"type": "array"}, ["string", {}], "string" + "[]" * 40])
def test_a_type_that_is_none_is_found_when_the_job_comes(bench: Bench, spec: Any) -> None:
    (giver,) = bench.place(bench.new_job())
    placed = taker_of(bench, giver, of_type=spec)
    bench.accept(JobOffer(offer="nooffer1", job_type="upper", serial=0), placed)
    assert bench.outbox.take(JobDecline).reason.startswith(NO_TYPE)
    bench.end(giver)
    assert bench.state(giver) is JobState.COMPLETED


def test_a_job_that_takes_more_than_a_reconciliation_could_name_is_declined(bench: Bench) -> None:
    (giver,) = bench.place(bench.new_job())
    many = {f"{number:0100}": (giver, "out", "string") for number in range(500)}
    placed = bench.new_job("any", ready=False, inputs_from=many)
    bench.accept(JobOffer(offer="nooffer1", job_type="upper", serial=0), placed)
    assert bench.outbox.take(JobDecline).reason == TOO_MUCH


def test_a_job_whose_inputs_are_there_takes_none(bench: Bench) -> None:
    (giver,) = bench.place(bench.new_job())
    bench.place(bench.new_job(inputs_from={"message": (giver, "out", "string")}))
    assert takers(bench) == []
    bench.end(giver)
    assert {order.inputs["message"] for order in bench.runner.started} == {"x"}
