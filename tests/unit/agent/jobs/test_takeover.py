"""After a start: what the keeper knows beside a database that may be an older copy."""

import pytest

from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobBegun, JobEnded, TakenOver
from caroni_edge.protocol.messages import JobStatusUpdate, OfferAccept
from tests.unit.agent.bench import Bench


def test_nothing_is_ended_said_or_started_before_all_is_taken_over_that_the_keeper_knows() -> None:
    bench = Bench(slots=1)
    waiting, ahead = bench.new_job(), bench.new_job(ready=False)
    bench.send(OfferAccept(offer="offer0001", jobs=(waiting, ahead)))
    bench.outbox.sent.clear()
    bench.database.conn.execute("UPDATE jobs SET state = 'queued', begun = 0 WHERE state = 'running'")
    bench.restart(found=None)
    bench.want(ready=1)
    bench.advance(3600)
    assert bench.runner.waiting == [waiting.job, ahead.job]
    assert (bench.states(), bench.reactor.next_due()) == ({"queued": 1, "pending": 1}, float("inf"))
    bench.outbox.nothing_else()
    found = TakenOver(
        "", 0, (JobBegun(waiting.job, 5.0), JobBegun(ahead.job, 6.0)), (JobEnded(ahead.job, Failed("no"), 7.0),)
    )
    bench.call(lambda at: bench.reactor.on_taken_over(found, at))
    assert (bench.job(waiting.job).begun, bench.job(waiting.job).started) == (True, 5.0)
    assert [(said.job, said.status) for said in bench.outbox.take_all(JobStatusUpdate)] == [
        (waiting.job, "running"),
        (ahead.job, "running"),
        (ahead.job, "failed"),
    ]
    assert len(bench.runner.started) == 1, "it was started again"


def test_what_the_keeper_knows_of_jobs_that_are_not_here_changes_nothing() -> None:
    bench = Bench()
    (job,) = bench.place(bench.new_job())
    bench.restart(found=None)
    before = bench.job(job)
    found = TakenOver("", 0, (JobBegun("unknown1", 5.0), JobBegun(job, 6.0)), ())
    bench.call(lambda at: bench.reactor.on_taken_over(found, at))
    assert bench.job(job) == before


@pytest.mark.parametrize(
    ("database", "ahead", "is_renamed"),
    [("", 5, False), ("its own", 0, False), ("its own", 1, True), ("another", -1, True)],
)
def test_a_copy_from_before_the_last_start_gets_another_name(database: str, ahead: int, is_renamed: bool) -> None:
    bench = Bench()
    bench.place(bench.new_job())
    name, serial = bench.store.facts.database(), bench.store.facts.serial()
    found = TakenOver(name if database == "its own" else database, serial + ahead)
    bench.restart(found)
    renamed = bench.store.facts.database()
    assert (renamed != name) is is_renamed
    bench.restart(found)
    assert bench.store.facts.database() == renamed, "renamed twice for one loss"
    bench.place(bench.new_job(), bench.new_job())
    last = bench.runner.started[-1]
    assert (last.database, last.serial) == (renamed, bench.store.facts.serial())
