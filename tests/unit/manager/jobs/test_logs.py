"""Logs stay at their agents, and come when somebody wants to read one."""

import pytest

from caroni_edge.manager.jobs.logs import LOG_LIMIT_BYTES
from caroni_edge.protocol.messages import JobLog, JobLogRequest
from tests.unit.manager.bench import Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence()
    bench.start("one")
    return bench


def ask(bench: Bench, job: str) -> None:
    bench.call(lambda _at: bench.reactor.request_log(job))


def log(bench: Bench, job: str) -> bytes:
    rows = bench.rows("SELECT data FROM logs WHERE job = ? ORDER BY offset", job)
    return b"".join(row["data"] for row in rows)


def test_a_log_comes_piece_by_piece(bench: Bench) -> None:
    job = bench.place()
    ask(bench, job)
    assert bench.outbox.take(JobLogRequest) == JobLogRequest(job=job, offset=0)
    bench.send(JobLog(job=job, offset=0, data=b"one "))
    assert bench.outbox.take(JobLogRequest).offset == 4
    bench.send(JobLog(job=job, offset=4, data=b"two", end=True))
    bench.outbox.nothing_else()
    assert log(bench, job) == b"one two"
    ask(bench, job)
    bench.outbox.nothing_else()


def test_asking_often_asks_the_agent_once(bench: Bench) -> None:
    job = bench.place()
    for _ in range(100):
        ask(bench, job)
    assert bench.outbox.take(JobLogRequest)
    bench.outbox.nothing_else()


def test_an_empty_piece_tells_that_there_is_no_more_yet(bench: Bench) -> None:
    job = bench.place()
    ask(bench, job)
    bench.outbox.take(JobLogRequest)
    bench.send(JobLog(job=job, offset=0, data=b""))
    bench.outbox.nothing_else()
    ask(bench, job)
    assert bench.outbox.take(JobLogRequest).offset == 0
    bench.send(JobLog(job=job, offset=0, data=b"late"))
    assert log(bench, job) == b"late"


def test_the_end_may_come_alone(bench: Bench) -> None:
    job = bench.place()
    ask(bench, job)
    bench.send(JobLog(job=job, offset=0, data=b"all"))
    bench.send(JobLog(job=job, offset=3, data=b"", end=True))
    bench.outbox.sent.clear()
    ask(bench, job)
    bench.outbox.nothing_else()
    assert log(bench, job) == b"all"


@pytest.mark.parametrize("offset", [0, 2, 7])
def test_a_piece_that_does_not_follow_is_none(bench: Bench, offset: int) -> None:
    job = bench.place()
    bench.send(JobLog(job=job, offset=0, data=b"abc"))
    bench.outbox.sent.clear()
    before = bench.dump()
    bench.send(JobLog(job=job, offset=offset, data=b"xyz"))
    assert bench.dump() == before
    bench.outbox.nothing_else()


def test_pieces_of_unknown_jobs_and_of_other_agents_change_nothing(bench: Bench) -> None:
    job = bench.place()
    before = bench.dump()
    bench.send(JobLog(job="unknown00", offset=0, data=b"x"))
    bench.send(JobLog(job=job, offset=0, data=b"x"), agent="a2")
    assert bench.dump() == before


def test_no_more_is_fetched_than_is_kept(bench: Bench) -> None:
    job = bench.place()
    size = 0
    while size < LOG_LIMIT_BYTES:
        bench.send(JobLog(job=job, offset=size, data=b"x" * 32768))
        size += 32768
        bench.outbox.sent.clear() if size < LOG_LIMIT_BYTES else None
    bench.outbox.nothing_else()
    ask(bench, job)
    bench.outbox.nothing_else()


def test_the_log_of_a_job_that_is_over_can_be_read(bench: Bench) -> None:
    job = bench.place()
    bench.complete(job)
    ask(bench, job)
    assert bench.outbox.take(JobLogRequest)
    bench.send(JobLog(job=job, offset=0, data=b"said", end=True))
    assert log(bench, job) == b"said"


@pytest.mark.parametrize("what", ["rolled back", "reset", "rejected", "restarted"])
def test_a_question_that_may_be_lost_can_be_asked_again(bench: Bench, what: str) -> None:
    job = bench.place()
    if what == "rolled back":
        bench.call(lambda _at: bench.reactor.request_log(job), commit=False)
        bench.outbox.sent.clear()
    else:
        ask(bench, job)
        bench.outbox.take(JobLogRequest)
    if what == "reset":
        bench.reset()
    elif what == "rejected":
        bench.reject("JobLog", "another00")
    elif what == "restarted":
        bench.restart()
    ask(bench, job)
    assert bench.outbox.take(JobLogRequest)


def test_nothing_is_asked_of_a_job_that_does_not_exist(bench: Bench) -> None:
    ask(bench, "unknown00")
    bench.outbox.nothing_else()
