"""What agents have and no step counts on, answers that come in pieces, and what is not taken back by assuming."""

from typing import Any

import msgspec
import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.peers import strays
from caroni_edge.protocol.messages import JobDataReady, JobDecline, JobKill
from caroni_edge.protocol.reconciling import JobHere
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import Bench
from tests.unit.manager.workflows.test_branches import SPREAD

HASH = hash_of({"text": "x"})
"""Of the inputs of step `a`."""
STRAY = "forgotten0"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1", repeat=False)
    bench.presence("a2", repeat=False)
    return bench


def stray(bench: Bench, status: str, **facts: Any) -> JobHere:
    """Return what an agent says of a job for step `b`, whose data is not there yet: it cannot be adopted."""
    facts = {"step": "b", "job_type": "lower", "inputs_hash": hash_of({"text": "X"}), "repeat": False, **facts}
    return bench.here(STRAY, status, **facts)


def wants(bench: Bench, job_type: str = "lower") -> bool:
    """Tell whether a waiting step is in the demand."""
    return bench.store.unplaced.count(job_type, waiting=True, limit=1) > 0


# Taken back by asking


@pytest.mark.parametrize("status", ["pending", "queued", "running"])
def test_a_job_that_may_not_be_repeated_is_taken_back_by_asking(bench: Bench, status: str) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, status))
    assert bench.outbox.take(JobKill).job == STRAY
    assert bench.step("b")["in_doubt"]
    assert bench.job(STRAY)["data_sent"]
    assert (wants(bench), bench.workflow_state()) == (False, WorkflowState.STALLED)
    bench.status(STRAY, "killed", begun=False)
    assert (wants(bench), bench.step("b")["in_doubt"]) == (True, None)
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.outbox.nothing_else()


@pytest.mark.parametrize("facts", [{"step": "none"}, {"workflow": "unknown"}, {"job_type": "upper"}])
def test_one_of_no_step_here_is_killed_and_that_is_all(bench: Bench, facts: dict[str, str]) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "running", **facts))
    assert bench.outbox.take(JobKill).job == STRAY
    bench.outbox.nothing_else()
    assert wants(bench)


def test_a_step_in_doubt_is_no_longer_demanded(bench: Bench) -> None:
    bench.start("chain")
    assert bench.demands()["lower"] is not None
    bench.advance(1)
    bench.answer(bench.reset(), stray(bench, "running"))
    bench.advance(1)
    assert bench.demands() == {"lower": None}


@pytest.mark.parametrize("status", ["killed", "failed", "completed"])
def test_its_step_waits_for_retry_if_it_has_begun(bench: Bench, status: str) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "running", begun=True))
    bench.status(STRAY, status, begun=True, outputs={"out": "X"} if status == "completed" else None)
    assert bench.step("b")["in_doubt"]
    assert (wants(bench), bench.job(STRAY)["open"]) == (False, 0)
    bench.retry()
    assert wants(bench)


@pytest.mark.parametrize("status", ["running", "failed"])
def test_an_agent_that_is_not_trusted_with_a_step_lets_it_not_wait(status: str) -> None:
    bench = Bench(trusted={"lower": ("a2",)})
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, status, begun=True))
    assert bench.step("b")["in_doubt"] is None
    assert STRAY not in bench.jobs()


def test_it_still_waits_after_a_restart_whatever_its_state() -> None:
    bench = Bench(SPREAD)
    bench.presence("a1", repeat=False)
    bench.start("spread", inputs={"values": ["v0"]})
    told: dict[str, Any] = {"step": "s[0]", "job_type": "upper", "inputs_hash": "other"}
    bench.answer(bench.reset(), stray(bench, "running", begun=True, **told))
    bench.status(STRAY, "killed", begun=True, exit_code=-15)
    bench.restart()
    assert bench.step("s[0]")["in_doubt"]
    assert bench.workflow_state() is WorkflowState.STALLED


@pytest.mark.parametrize("is_over", [False, True])
def test_it_puts_no_step_in_doubt_that_is_over(bench: Bench, is_over: bool) -> None:
    bench.start("chain")
    job = bench.place()
    bench.complete(job) if is_over else bench.run(job)
    before = bench.state("a")
    known = [] if is_over else [bench.here(job, "running")]
    bench.answer(bench.reset(), *known, stray(bench, "running", step="a", job_type="upper", inputs_hash=HASH))
    assert STRAY in [kill.job for kill in bench.outbox.take_all(JobKill)]
    assert (bench.step("a")["in_doubt"], bench.state("a")) == (None, before)
    assert bench.workflow_state() is not WorkflowState.STALLED


def test_retry_decides_also_for_a_step_whose_turn_has_not_come(bench: Bench) -> None:
    bench.start("chain")
    bench.call(lambda _at: bench.store.steps.set_status(bench.step("b")["id"], StepState.CREATED))
    bench.answer(bench.reset(), stray(bench, "failed", begun=True))
    assert bench.step("b")["in_doubt"]
    bench.retry()
    assert bench.step("b")["in_doubt"] is None
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_one_that_may_be_repeated_is_killed_and_that_is_all(bench: Bench) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "running", begun=True, repeat=True))
    assert bench.outbox.take(JobKill).job == STRAY
    assert (wants(bench), bench.jobs()) == (True, [])


def test_an_agent_that_does_not_say_whether_it_may_be_repeated_has_shown_it(bench: Bench) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "running", begun=True, repeat=None))
    assert not wants(bench)


def test_a_job_that_was_closed_here_and_lives_there_is_taken_back_by_asking(bench: Bench) -> None:
    bench.start("one")
    (placed,) = bench.place_all(repeat=False)
    bench.send(JobDecline(job=placed.job, reason="never with these", final=True))
    bench.advance(1)
    assert bench.is_ready("upper")
    bench.answer(bench.reset(), bench.here(placed.job, "queued", placed))
    assert bench.outbox.take(JobKill).job == placed.job
    assert not bench.is_ready("upper")
    bench.status(placed.job, "killed", begun=False)
    assert bench.is_ready("upper")


@pytest.mark.parametrize("status", ["failed", "killed", "completed"])
def test_one_that_has_begun_and_ended_unknown_to_us_lets_its_step_wait(bench: Bench, status: str) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, status, begun=True))
    assert bench.step("b")["in_doubt"]
    bench.outbox.nothing_else()


def test_who_claims_ever_other_jobs_of_a_step_adds_few_rows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step waits all the same."""
    monkeypatch.setattr(strays, "CLAIMS_MAX", 3)
    bench.start("chain")
    for number in range(10):
        claimed = msgspec.structs.replace(stray(bench, "running", begun=True), job=f"{STRAY}{number}")
        bench.answer(bench.reset(), claimed)
    assert bench.step("b")["in_doubt"]
    assert len([job for job in bench.jobs() if job.startswith(STRAY)]) == 3


def test_one_that_never_began_does_not(bench: Bench) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "failed", begun=False))
    assert wants(bench)


def test_an_attempt_elsewhere_that_has_not_begun_is_withdrawn_and_one_that_has_goes_on(bench: Bench) -> None:
    for workflow in ("w1", "w2"):
        bench.start("one", workflow)
    one, two = bench.place_all("a2", ready=2, repeat=False)
    bench.run(two.job, "a2")
    said = [
        bench.here(name, "failed", placed, begun=True, repeat=False)
        for name, placed in (("forgotten1", one), ("forgotten2", two))
    ]
    bench.answer(bench.reset(), *said)
    assert bench.outbox.take(JobKill, "a2").job == one.job
    assert bench.step("a", one.workflow)["in_doubt"]
    assert (bench.step("a", two.workflow)["in_doubt"], bench.state("a", two.workflow)) == (None, StepState.RUNNING)
    bench.outbox.nothing_else()


@pytest.mark.parametrize("how", ["again", "declined", "missing", "wiped"])
def test_a_job_that_is_asked_about_is_killed_again_or_not_there(bench: Bench, how: str) -> None:
    bench.start("chain")
    bench.answer(bench.reset(), stray(bench, "pending"))
    bench.outbox.take(JobKill)
    match how:
        case "again":
            bench.answer(bench.reset(), stray(bench, "pending"))
            assert bench.outbox.take(JobKill).job == STRAY
        case "declined":
            bench.send(JobDecline(job=STRAY, reason="unknown job"))
        case "missing":
            bench.answer(bench.reset())
        case _:
            bench.answer(bench.reset(), database="wiped")
    assert wants(bench) is (how in {"declined", "missing"})
    bench.outbox.nothing_else()


# The whole answer


def test_what_one_adopted_job_gave_lets_the_next_be_adopted(bench: Bench) -> None:
    bench.start("chain")
    said = [
        bench.here("adopted001", "running", step="b", job_type="lower", inputs_hash=hash_of({"text": "X"})),
        bench.here("adopted002", "completed", inputs_hash=HASH, outputs={"out": "X"}),
    ]
    bench.answer(bench.reset(), *said)
    assert (bench.state("a"), bench.state("b")) == (StepState.COMPLETED, StepState.RUNNING)
    bench.outbox.nothing_else()


def test_what_is_not_named_is_closed_before_anything_is_adopted(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.run(job)
    query = bench.reset()
    bench.answer(query, bench.here("0000adopted", "running", inputs_hash=HASH, repeat=True), upto="0000adopted")
    bench.answer(query, after="0000adopted")
    assert (bench.step("a")["job"], bench.job(job)["open"]) == ("0000adopted", 0)


@pytest.mark.parametrize("is_known", [True, False])
def test_statuses_are_laid_over_the_answer_and_take_effect_with_it(bench: Bench, is_known: bool) -> None:
    bench.start("one")
    (placed,) = bench.place_all()
    if not is_known:
        bench.call(lambda _at: bench.store.jobs.delete(placed.job))
        bench.call(lambda _at: bench.store.steps.take_back(bench.step("a")["id"], StepState.FULFILLING))
    query = bench.reset()
    bench.answer(query, bench.here(placed.job, "running", placed, inputs_hash=HASH), upto=placed.job)
    bench.complete(placed.job)
    bench.complete("nobodys000")
    assert bench.state("a") is not StepState.COMPLETED
    bench.answer(query, after=placed.job)
    assert bench.outputs() == {"result": "X"}
    assert bench.rows("SELECT * FROM answers") == []


def test_a_status_of_a_job_that_the_answer_has_not_come_to_is_not_later_than_the_answer(bench: Bench) -> None:
    bench.start("one")
    (placed,) = bench.place_all()
    query = bench.reset()
    bench.run(placed.job)
    bench.answer(query, bench.here(placed.job, "completed", placed, outputs={"out": "X"}))
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_declines_are_left_to_the_answer(bench: Bench) -> None:
    bench.start("one")
    (placed,) = bench.place_all()
    query = bench.reset()
    bench.send(JobDecline(job=placed.job, reason="unknown job"))
    assert bench.job(placed.job)["open"]
    bench.answer(query)
    assert bench.jobs() == []


def test_another_question_voids_what_was_said_before(bench: Bench) -> None:
    bench.start("one")
    (placed,) = bench.place_all()
    bench.answer(bench.reset(), bench.here(placed.job, "running", placed), upto=placed.job)
    bench.answer(bench.reset())
    assert bench.jobs() == []


# By assuming


def test_nothing_is_taken_back_from_an_agent_that_has_not_answered_this_process(bench: Bench) -> None:
    """It may have the data that an older copy of our database has not sent."""
    bench.start("chain")
    first, (ahead,) = bench.place(), bench.place_all("a2", "lower", waiting=1)
    bench.unheard = {"a2"}
    bench.presence("a2", online=False)
    bench.complete(first, out="X")
    assert bench.outbox.take(JobDataReady, "a2").job == ahead.job
    assert bench.step("b")["job"] == ahead.job


def test_nor_from_one_that_is_silent_or_whose_answer_is_not_whole(bench: Bench) -> None:
    bench.start("chain")
    (ahead,) = bench.place_all("a2", "lower", waiting=1, repeat=False)
    bench.reset("a2")
    bench.silent["a2"] = 1e6
    bench.advance(62)
    assert (bench.job(ahead.job)["lost"], bench.job(ahead.job)["open"]) == (1, 1)
    assert bench.step("b")["in_doubt"]
