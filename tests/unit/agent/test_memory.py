"""What an agent keeps in memory goes when it is over: it runs for years."""

from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.protocol.messages import JobKill
from tests.kept import kept
from tests.unit.agent.bench import Bench

SHARES = {"Shares.estimates": ["upper"], "Shares.service": ["m1"]}
"""What is known of job types, and what managers have had: it counts for what is to come."""


def test_nothing_is_kept_of_a_job_that_was_killed() -> None:
    bench = Bench(say_running_after_s=5.0)
    (job,) = bench.place(bench.new_job())
    bench.send(JobKill(job=job, reason="cancelled"))
    assert {"Deeds.killed", "Unsaid.jobs", "Shares.slots"} <= {*kept(bench.reactor)}
    bench.end(job, Failed("killed"))
    assert not {"Deeds.killed", "Unsaid.jobs", "Shares.slots"} & {*kept(bench.reactor)}
    bench.advance(3600)
    assert kept(bench.reactor) == SHARES


def test_nothing_is_kept_of_a_forgotten_manager() -> None:
    bench = Bench(say_running_after_s=5.0)
    bench.presence("m1", online=True)
    bench.want(ready=2)
    bench.settle()
    (job,) = bench.place(bench.new_job())
    assert "m1" in kept(bench.reactor)["PresenceSaid.boots"]
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    bench.end(job, Failed("killed"))
    bench.advance(3600)
    assert kept(bench.reactor) == SHARES
