"""After a lost or restored database the manager is told what is here; and old jobs go."""

import pytest

from caroni_edge.agent import retention
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.peers.answering import LOOK_AGAIN_S, WAITING_MAX
from caroni_edge.agent.processes.outcome import Failed, ProcessOutcome
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.agent.retention import TRIM_EVERY_S
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    OfferAccept,
)
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.values.json import hash_of
from tests.unit.agent.bench import COMPLETED, Bench, completed

DAY_S = 86400.0


def ask(bench: Bench, known: int = 0, database: str | None = None, query: str = "query0001") -> list[JobsHere]:
    """Let m1 ask, and return the whole answer."""
    name = bench.store.facts.database() if database is None else database
    bench.send(JobsWanted(wanted=query, database=name, known=known))
    bench.advance(0.0)
    answer = bench.outbox.take_all(JobsHere)
    assert [each.wanted for each in answer] == [query] * len(answer)
    assert answer[0].after == ""
    assert [each.after for each in answer[1:]] == [each.upto for each in answer[:-1]]
    assert answer[-1].upto == ""
    for each in answer:
        names = [here.job for here in each.jobs]
        assert names == sorted(names)
        assert all(each.after < name and (not each.upto or name <= each.upto) for name in names)
    return answer


def jobs(answer: list[JobsHere]) -> dict[str, JobHere]:
    return {here.job: here for each in answer for here in each.jobs}


def finished(bench: Bench, count: int, outcome: ProcessOutcome = COMPLETED, *, manager: str = "m1") -> list[str]:
    """Let jobs run and end; return their names."""
    names = []
    for _ in range(count):
        job = bench.new_job()
        bench.place(job, manager=manager)
        bench.end(job.job, outcome)
        names.append(job.job)
    return names


def test_the_answer_names_what_is_not_finished_or_has_finished_since() -> None:
    bench = Bench(slots=1)
    old, new = finished(bench, 2)
    foreign = finished(bench, 1, manager="m2")
    running, queued, waiting = bench.new_job(), bench.new_job(), bench.new_job(ready=False)
    bench.place(running, queued, waiting)
    found = jobs(ask(bench, known=bench.job(old).serial))
    assert set(found) == {new, running.job, queued.job, waiting.job}
    assert foreign[0] not in found
    assert {name: here.status for name, here in found.items()} == {
        new: "completed",
        running.job: "running",
        queued.job: "queued",
        waiting.job: "pending",
    }
    here = found[new]
    assert here.outputs == {"out": "X"}
    assert (here.begun, here.serial, here.inputs_hash) == (True, bench.job(new).serial, hash_of({"message": "x"}))
    assert (found[queued.job].begun, found[waiting.job].inputs_hash) == (False, "")
    assert (here.workflow, here.attempt, here.job_type) == ("w1", 1, "upper")


def test_another_database_is_told_all() -> None:
    bench = Bench()
    names = finished(bench, 3)
    assert set(jobs(ask(bench, known=1000, database="another"))) == set(names)
    assert set(jobs(ask(bench, known=1000, database=""))) == set(names)
    assert set(jobs(ask(bench, known=bench.store.facts.serial()))) == set()


def test_an_agent_restored_from_an_older_copy_is_another_database_for_who_knows_more() -> None:
    bench = Bench()
    names = finished(bench, 3)
    running = bench.new_job()
    bench.place(running)
    before, serial = bench.store.facts.database(), bench.store.facts.serial()
    answer = ask(bench, known=1000)
    assert set(jobs(answer)) == {*names, running.job}
    (renamed,) = {each.database for each in answer}
    assert renamed != before
    assert bench.store.facts.serial() == serial
    assert jobs(ask(bench, known=serial, database=renamed)).keys() == {running.job}


def test_what_a_manager_says_that_it_knows_changes_nothing_for_others() -> None:
    """One login must not make the agent's word worthless to everybody."""
    bench = Bench()
    before = bench.store.facts.database()
    for query in ("query0001", "query0002"):
        ask(bench, known=(1 << 53) - 1, query=query)
    bench.want(ready=1, manager="m2")
    assert bench.outbox.take(JobOffer, "m2").database == before
    job = bench.new_job()
    bench.place(job, manager="m2")
    bench.outbox.sent.clear()
    bench.end(job.job)
    assert bench.outbox.take(JobStatusUpdate, "m2").serial < 100


def test_each_time_that_an_agent_is_restored_it_has_another_name() -> None:
    bench = Bench()
    (first,) = {each.database for each in ask(bench, known=1000)}
    (second,) = {each.database for each in ask(bench, known=1000, database=first)}
    bench.want(ready=1)
    assert bench.outbox.take(JobOffer).database == second
    assert len({first, second, bench.store.facts.database()}) == 3
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.store.facts.database_for("m1") == bench.store.facts.database()


def test_a_long_answer_comes_in_messages_that_frames_can_hold() -> None:
    bench = Bench(slots=1)
    finished(bench, 12, completed({"out": "x" * 40_000}))
    finished(bench, 12, Failed("no", stderr="\0" * 4096))
    answer = ask(bench)
    assert len(jobs(answer)) == 24
    assert len(answer) > 12


def test_a_long_answer_is_continued_after_a_restart() -> None:
    bench = Bench(slots=1)
    finished(bench, 12, completed({"out": "x" * 40_000}))
    bench.send(JobsWanted(wanted="query0001", database="", known=0))
    first = bench.outbox.take_all(JobsHere)
    assert len(first) == 8
    bench.restart()
    bench.advance(0.0)
    answer = [*first, *bench.outbox.take_all(JobsHere)]
    assert len(jobs(answer)) == 12
    assert [each.after for each in answer[1:]] == [each.upto for each in answer[:-1]]


def test_a_second_question_begins_the_answer_anew() -> None:
    bench = Bench(slots=1)
    names = finished(bench, 12, completed({"out": "x" * 40_000}))
    bench.send(JobsWanted(wanted="query0001", database="", known=0))
    bench.outbox.take_all(JobsHere)
    assert set(jobs(ask(bench, query="query0002"))) == set(names)
    assert set(jobs(ask(bench, query="query0003"))) == set(names)


def test_a_reset_voids_offers_and_holds_new_ones_until_the_question_is_answered() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    void = bench.outbox.take(JobOffer)
    bench.reset()
    bench.settle()
    assert bench.store.managers.marked() == []
    bench.outbox.nothing_else()
    bench.want(manager="m2", ready=0, waiting=0)
    bench.settle()
    bench.outbox.nothing_else()
    assert jobs(ask(bench)) == {}
    again = bench.outbox.take(JobOffer)
    assert again.offer != void.offer
    bench.outbox.nothing_else()


def test_a_reset_without_a_question_holds_offers_for_a_while_only() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.reset()
    bench.settle()
    bench.want(ready=1)
    bench.outbox.nothing_else()
    bench.advance(10.0)
    bench.outbox.take(JobOffer)


def test_a_question_in_the_batch_of_the_reset_is_answered() -> None:
    bench = Bench(slots=1)
    names = finished(bench, 2)
    bench.reset()
    assert set(jobs(ask(bench))) == set(names)
    assert bench.store.managers.marked() == []


def test_a_reset_after_the_question_voids_the_answer_and_the_next_question_is_answered() -> None:
    bench = Bench(slots=1)
    finished(bench, 12, completed({"out": "x" * 40_000}))
    bench.send(JobsWanted(wanted="query0001", database="", known=0))
    bench.reset()
    bench.outbox.sent.clear()
    bench.advance(1.0)
    assert bench.outbox.take_all(JobsHere) == []
    assert len(jobs(ask(bench, query="query0002"))) == 12


def test_the_link_is_asked_about_with_whom_jobs_or_offers_are_open() -> None:
    bench = Bench()
    assert list(bench.reactor.open_peers()) == []
    bench.want(ready=1)
    job = bench.new_job()
    bench.place(job, manager="m2")
    assert list(bench.reactor.open_peers()) == ["m1", "m2"]
    bench.end(job.job)
    assert list(bench.reactor.open_peers()) == ["m1"]
    bench.advance(10.0)
    assert list(bench.reactor.open_peers()) == []


def test_an_acceptance_for_another_database_is_declined_as_one_that_may_have_begun() -> None:
    """An agent that was wiped before its first acknowledgement gets the acceptance once more."""
    bench = Bench()
    known, lost = bench.new_job(), bench.new_job()
    bench.place(known)
    bench.outbox.sent.clear()
    bench.send(OfferAccept(offer="offer0001", jobs=(known, lost), database="another"))
    assert bench.outbox.take(JobStatusUpdate).job == known.job
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.begun, declined.final) == (lost.job, True, False)
    bench.outbox.nothing_else()
    bench.call(lambda _at: bench.store.facts.rename_database_for("m1", "new"))
    bench.send(OfferAccept(offer="offer0001", jobs=(lost,), database=bench.store.facts.database_for("m1")))
    assert bench.state(lost.job) is JobState.RUNNING


# Retention


def pass_days(bench: Bench, days: int) -> None:
    """Let days pass, with a look at each noon."""
    for _ in range(days):
        bench.now += DAY_S
        bench.date += DAY_S
        bench.settle()


def test_age_removes_a_twentieth_of_the_finished_jobs_a_day() -> None:
    bench = Bench(slots=50, backlog=200, retention_s=30 * DAY_S)
    names = finished(bench, 100)
    bench.date += 10 * 365 * DAY_S
    pass_days(bench, 3)
    assert 12 <= len(bench.runner.removed) <= 16
    assert bench.runner.removed == names[: len(bench.runner.removed)]
    assert bench.states() == {"completed": 100 - len(bench.runner.removed)}


def test_looking_often_removes_no_more() -> None:
    bench = Bench(slots=50, backlog=200, retention_s=30 * DAY_S)
    finished(bench, 100)
    bench.date += 10 * 365 * DAY_S
    pass_days(bench, 1)
    removed = len(bench.runner.removed)
    assert 4 <= removed <= 5
    bench.advance(1800.0)
    assert len(bench.runner.removed) == removed


def test_young_jobs_and_live_ones_stay() -> None:
    bench = Bench(slots=1, retention_s=30 * DAY_S)
    finished(bench, 3)
    bench.place(bench.new_job(), bench.new_job(ready=False))
    pass_days(bench, 29)
    assert bench.states() == {"completed": 3, "running": 1, "pending": 1}
    pass_days(bench, 50)
    assert bench.states() == {"running": 1, "pending": 1}


def test_without_retention_all_is_kept_and_nothing_is_due() -> None:
    bench = Bench(slots=1)
    finished(bench, 1)
    assert bench.reactor.next_due() == float("inf")


def test_size_removes_what_ended_first_whatever_the_clock_says() -> None:
    bench = Bench(slots=20, backlog=20, retention_bytes=10_000)
    names = [bench.new_job() for _ in range(10)]
    bench.place(*names)
    for job in names:
        bench.end(job.job, disk_bytes=2_000)
        bench.date -= 1.0  # and the clock goes backwards
    bench.settle()
    assert len(bench.runner.removed) == 5
    assert bench.store.jobs.taken_bytes() == 10_000
    assert bench.states() == {"completed": 5}


def test_what_a_manager_has_not_confirmed_stays_whatever_it_takes() -> None:
    bench = Bench(slots=20, backlog=20, retention_bytes=1)
    told, untold = bench.new_job(), bench.new_job()
    bench.place(told, untold)
    put = "INSERT INTO outbox (peer, seq, id, body) VALUES ('m1', 1, 'x', json_object('job', ?))"
    bench.call(lambda _at: bench.database.conn.execute(put, (untold.job,)))
    for job in (untold, told):
        bench.end(job.job, disk_bytes=500)
    assert bench.reactor.next_due() > bench.now
    bench.advance(61.0)
    assert bench.runner.removed == [told.job]
    bench.call(lambda _at: bench.database.conn.execute("DELETE FROM outbox"))
    bench.advance(61.0)
    assert bench.runner.removed == [told.job, untold.job]


def test_one_manager_that_is_away_does_not_keep_what_another_has_confirmed() -> None:
    bench = Bench(slots=600, backlog=0, retention_bytes=0)
    away, there = [bench.new_job() for _ in range(250)], [bench.new_job() for _ in range(50)]
    bench.place(*away)
    bench.place(*there, manager="m2")
    put = "INSERT INTO outbox (peer, seq, id, body) VALUES ('m1', ?, 'x', json_object('job', ?))"
    rows = [(number, job.job) for number, job in enumerate(away)]
    bench.call(lambda _at: bench.database.conn.executemany(put, rows))
    for job in (*away, *there):
        bench.end(job.job, disk_bytes=1)
    bench.advance(61.0)
    assert sorted(bench.runner.removed) == sorted(job.job for job in there)


@pytest.mark.parametrize(("disk_bytes", "limit_bytes"), [(60, 100), (50, 50)])
def test_what_is_confirmed_later_is_still_the_first_to_go(disk_bytes: int, limit_bytes: int) -> None:
    bench = Bench(slots=20, backlog=0, retention_bytes=limit_bytes)
    old, middle, new = jobs = [bench.new_job() for _ in range(3)]
    bench.place(*jobs)
    put = "INSERT INTO outbox (peer, seq, id, body) VALUES ('m1', 1, 'x', json_object('job', ?))"
    bench.call(lambda _at: bench.database.conn.execute(put, (old.job,)))
    bench.end(old.job, disk_bytes=disk_bytes)
    bench.end(middle.job, disk_bytes=disk_bytes)
    bench.advance(0.0)
    assert bench.runner.removed == [middle.job]
    bench.call(lambda _at: bench.database.conn.execute("DELETE FROM outbox"))
    bench.end(new.job, disk_bytes=disk_bytes)
    bench.advance(0.0)
    assert bench.runner.removed == [middle.job, old.job]


def test_a_large_excess_goes_in_batches_one_after_the_other() -> None:
    bench = Bench(slots=500, backlog=0, retention_bytes=0)
    jobs = [bench.new_job() for _ in range(450)]
    bench.place(*jobs)

    def end_all(at: Moment) -> None:
        for job in jobs:
            bench.reactor.on_news(JobEnded(job.job, COMPLETED, bench.date, disk_bytes=1), at)

    bench.call(end_all)
    assert bench.states() == {"completed": 250}
    bench.advance(0.0)
    assert bench.states() == {}


# Forgetting a manager


def test_a_forgotten_manager_leaves_nothing_behind() -> None:
    bench = Bench(slots=1, backlog=3)
    finished(bench, 2)
    running, queued, waiting = bench.new_job(), bench.new_job(), bench.new_job(ready=False)
    bench.place(running, queued, waiting)
    other = bench.new_job()
    bench.place(other, manager="m2")
    bench.want(ready=1)
    bench.presence("m1", online=True)
    bench.outbox.sent.clear()
    gone = bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert (gone.jobs, gone.offers, gone.rows) == (5, 1, 2)
    assert gone.retained == ("caroni/requests/lower/m1", "caroni/requests/upper/m1")
    assert bench.runner.killed == {running.job: "manager m1 was forgotten"}
    assert bench.states() == {"running": 1}
    assert bench.state(other.job) is JobState.RUNNING
    bench.end(running.job, Failed("killed"))
    assert running.job in bench.runner.removed
    assert list(bench.reactor.open_peers()) == ["m2"]
    assert [to for to, _ in bench.outbox.sent] == ["m2"]


def test_many_jobs_of_a_forgotten_manager_go_in_batches_and_its_new_ones_stay() -> None:
    bench = Bench(slots=1200, backlog=0)
    finished(bench, 1100)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.states() == {"completed": 900}
    job = bench.new_job()
    bench.send(OfferAccept(offer="late0001", jobs=(job,)))
    assert bench.outbox.take_all(JobAccepted)[-1].jobs == (job.job,)
    bench.end(job.job)
    bench.advance(0.0)
    assert bench.states() == {"completed": 1}
    assert bench.reactor.next_due() == float("inf")


def test_an_answer_waits_while_its_manager_takes_nothing() -> None:
    bench = Bench(slots=1)
    finished(bench, 3)
    bench.outbox.unacknowledged = WAITING_MAX
    bench.send(JobsWanted(wanted="query0001", database="", known=0))
    bench.advance(10.0)
    assert bench.outbox.take_all(JobsHere) == []
    bench.outbox.unacknowledged = WAITING_MAX - 1
    bench.advance(LOOK_AGAIN_S)
    (answer,) = bench.outbox.take_all(JobsHere)
    assert len(answer.jobs) == 3
    bench.advance(10.0)
    assert bench.outbox.take_all(JobsHere) == []


def test_of_jobs_that_never_began_only_so_many_are_kept_whoever_places_and_kills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "NEVER_BEGAN_KEPT", 3)
    bench = Bench(slots=1)
    ran = finished(bench, 5)
    running, other = bench.new_job(), bench.new_job()
    bench.place(running)
    bench.place(other, manager="m2")
    bench.send(JobKill(job=other.job, reason="x"), manager="m2")
    killed = []
    for _ in range(10):
        job = bench.new_job()
        bench.place(job)
        bench.send(JobKill(job=job.job, reason="x"))
        killed.append(job.job)
    bench.advance(TRIM_EVERY_S)
    bench.settle()
    left = {name for (name,) in bench.store.jobs._conn.execute("SELECT job FROM jobs")}
    assert left == {*ran, running.job, other.job, *killed[-3:]}
    bench.send(JobStatusRequest(job=killed[0]))
    assert bench.outbox.take_all(JobDecline)[-1] == JobDecline(job=killed[0], reason="unknown job")
