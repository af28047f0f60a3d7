"""What cannot be sent through a broker that is too small: its job fails with the reason, and is not asked for again."""

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.protocol.messages import JobKill, OfferAccept, Placement
from tests.unit.manager.bench import Bench

REASON = "the broker drops messages larger than 20000 bytes"


def undeliverable(bench: Bench, message: OfferAccept) -> None:
    bench.call(lambda at: bench.reactor.on_undeliverable("a1", message, REASON, at))


def test_a_job_that_its_agent_cannot_be_told_of_fails_for_good() -> None:
    bench = Bench()
    bench.presence()
    bench.start("one", "w1")
    [placed] = bench.place_all()
    undeliverable(bench, OfferAccept(offer="o1234567", jobs=(placed,)))
    assert bench.state("a") is StepState.FAILED
    row = bench.workflow("w1")
    assert (row["status"], REASON in row["reason"]) == (WorkflowState.FAILED, True)
    assert bench.outbox.take(JobKill).job == placed.job


def test_jobs_that_do_not_pass_together_are_sent_one_by_one() -> None:
    bench = Bench()
    jobs = tuple(Placement(f"j123456{n}", 1, "upper", "w1", "a") for n in range(3))
    undeliverable(bench, OfferAccept(offer="o1234567", jobs=jobs, last=True))
    again = bench.outbox.take_all(OfferAccept)
    assert [accept.jobs for accept in again] == [(job,) for job in jobs]
    assert [accept.last for accept in again] == [False, False, True]


def test_outputs_that_stay_at_the_agent_fail_the_step_at_once() -> None:
    bench = Bench()
    bench.presence()
    bench.start("one", "w1")
    job = bench.place()
    bench.status(job, "completed", outputs_left_out=40_000)
    row = bench.workflow("w1")
    assert row["status"] == WorkflowState.FAILED
    assert "its outputs have 40000 bytes, too large for the broker, and stay at agent a1" in row["reason"]
    assert bench.state("a") is StepState.FAILED
