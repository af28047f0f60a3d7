"""Jobs with secrets: a job type that lacks one is refused in words until job types are read anew."""

from dataclasses import replace

from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.secrets import Source
from caroni_edge.protocol.messages import JobDecline, JobOffer
from tests.unit.agent.bench import Bench, job_type

WHY = "could not be started: its secret KEY cannot be read: /srv/key: No such file or directory"
CALL = replace(job_type("call"), secrets={"KEY": Source(file="/srv/key")})


def bench_of() -> Bench:
    bench = Bench(types=[CALL, job_type("upper")], slots=4)
    (job,) = bench.place(bench.new_job("call"))
    bench.outbox.sent.clear()
    bench.end(job, NeverBegan(WHY, lacking=True))
    return bench


def test_a_job_whose_secret_is_missing_is_given_back_which_costs_no_attempt() -> None:
    bench = bench_of()
    assert bench.outbox.take(JobDecline).reason == WHY


def test_its_job_type_is_refused_in_words_and_no_other() -> None:
    bench = bench_of()
    assert bench.reactor.presence()["refuses"] == {"call": WHY}
    bench.outbox.sent.clear()
    bench.want("call", ready=2)
    bench.want("upper", ready=2)
    assert [each.job_type for _, each in bench.outbox.sent if isinstance(each, JobOffer)] == ["upper"]


def test_it_comes_back_when_job_types_are_read_anew() -> None:
    bench = bench_of()
    bench.reload()
    bench.want("call", ready=2)
    assert bench.reactor.presence()["refuses"] == {}
    assert bench.outbox.take(JobOffer).job_type == "call"


def test_a_job_that_comes_all_the_same_is_declined_and_may_come_again() -> None:
    bench = bench_of()
    bench.outbox.sent.clear()
    job = bench.new_job("call")
    bench.accept(JobOffer(offer="nooffer1", job_type="call", serial=0), job)
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.reason, declined.final) == (job.job, WHY, False)


def test_jobs_with_secrets_are_never_handed_over_to_the_keeper() -> None:
    bench = Bench(types=[CALL], slots=1)
    for _ in range(20):
        (job,) = bench.place(bench.new_job("call"))
        bench.now += 0.001
        bench.end(job)
    bench.place(*(bench.new_job("call") for _ in range(2)))
    assert len(bench.runner.ahead) == 0
    assert [order.slots for order in bench.runner.started] == [None] * 21
