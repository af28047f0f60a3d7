"""Logs stay at their agents, and come when somebody wants to read one."""

import pytest

from caroni_edge.manager.jobs.logs import KEPT_MAX, LOG_LIMIT_BYTES, TAIL_BYTES, Tail
from caroni_edge.protocol.logs import JobLog, JobLogRequest
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
    ask(bench, job)
    bench.send(JobLog(job=job, offset=0, data=b"abc"))
    bench.outbox.sent.clear()
    before = bench.dump()
    bench.send(JobLog(job=job, offset=offset, data=b"xyz"))
    assert bench.dump() == before
    bench.outbox.nothing_else()


def test_a_piece_that_nobody_has_asked_for_is_not_kept(bench: Bench) -> None:
    """An agent might fill the disk with logs that nobody reads, of all the jobs that it ever had."""
    job = bench.place()
    before = bench.dump()
    bench.send(JobLog(job=job, offset=0, data=b"x"))
    assert bench.dump() == before
    bench.outbox.nothing_else()


def test_pieces_of_unknown_jobs_and_of_other_agents_change_nothing(bench: Bench) -> None:
    job = bench.place()
    before = bench.dump()
    bench.send(JobLog(job="unknown00", offset=0, data=b"x"))
    ask(bench, job)
    bench.send(JobLog(job=job, offset=0, data=b"x"), agent="a2")
    assert bench.dump() == before


def test_no_more_is_fetched_than_is_kept(bench: Bench) -> None:
    job = bench.place()
    ask(bench, job)
    bench.outbox.sent.clear()
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


def tail_of(bench: Bench, job: str) -> Tail | None:
    found: list[Tail | None] = []
    bench.call(lambda _at: found.append(bench.reactor.request_log_tail(job)[0]))
    return found[0]


def test_the_end_of_a_long_log_comes_without_what_is_before_it(bench: Bench) -> None:
    job = bench.place()
    assert tail_of(bench, job) is None
    assert bench.outbox.take(JobLogRequest) == JobLogRequest(job=job, offset=0, tail=TAIL_BYTES)
    bench.send(JobLog(job=job, offset=1000, data=b"near "))
    assert bench.outbox.take(JobLogRequest) == JobLogRequest(job=job, offset=1005)
    bench.send(JobLog(job=job, offset=1005, data=b"its end", end=True))
    bench.outbox.nothing_else()
    assert tail_of(bench, job) == Tail(1000, b"near its end", is_whole=True, is_end=True)
    bench.outbox.nothing_else()
    assert log(bench, job) == b""
    ask(bench, job)
    assert bench.outbox.take(JobLogRequest) == JobLogRequest(job=job, offset=0)


def test_the_end_of_a_log_that_grows_is_that_of_the_last_question(bench: Bench) -> None:
    job = bench.place()
    tail_of(bench, job)
    for nth in range(4):
        bench.outbox.take(JobLogRequest)
        bench.send(JobLog(job=job, offset=1000 + nth * TAIL_BYTES // 4, data=b"x" * (TAIL_BYTES // 4)))
    bench.outbox.nothing_else()
    known = tail_of(bench, job)
    assert known is not None
    assert (len(known.data), known.is_end) == (TAIL_BYTES, False)
    assert bench.outbox.take(JobLogRequest).tail == TAIL_BYTES
    bench.send(JobLog(job=job, offset=5000, data=b"new", end=True))
    assert tail_of(bench, job) == Tail(5000, b"new", is_whole=True, is_end=True)


def test_the_end_of_a_log_that_nobody_asked_for_is_not_kept(bench: Bench) -> None:
    job = bench.place()
    bench.send(JobLog(job=job, offset=7, data=b"end", end=True))
    bench.outbox.nothing_else()
    assert tail_of(bench, job) is None


def test_of_a_short_log_the_end_is_all_of_it_also_from_an_agent_that_knows_no_tail(bench: Bench) -> None:
    job = bench.place()
    tail_of(bench, job)
    bench.send(JobLog(job=job, offset=0, data=b"short", end=True))
    assert log(bench, job) == b"short"


def test_ends_of_so_many_logs_are_kept(bench: Bench) -> None:
    job = bench.place()
    logs = bench.reactor._logs
    others = {f"j{nth}": Tail(1, b"", is_whole=True, is_end=True) for nth in range(KEPT_MAX)}
    bench.call(lambda _at: logs._tails.update(others))
    tail_of(bench, job)
    bench.send(JobLog(job=job, offset=10, data=b"x", end=True))
    assert len(logs._tails) == KEPT_MAX
    assert tail_of(bench, job) is not None


def test_the_end_of_a_log_that_may_be_lost_is_asked_for_anew(bench: Bench) -> None:
    job = bench.place()
    tail_of(bench, job)
    bench.send(JobLog(job=job, offset=1000, data=b"end", end=True))
    assert tail_of(bench, job) == Tail(1000, b"end", is_whole=True, is_end=True)
    bench.reject("JobLog")
    bench.outbox.sent.clear()
    assert tail_of(bench, job) is None
    assert bench.outbox.take(JobLogRequest).tail == 64 * 1024


@pytest.mark.parametrize("others", [99, 100])
def test_so_many_logs_are_fetched_whole_at_a_time(bench: Bench, others: int) -> None:
    job = bench.place()
    logs = bench.reactor._logs
    bench.call(lambda _at: logs._whole.update({f"j{nth}" for nth in range(others)}))
    bench.call(lambda _at: bench.reactor.request_log(job, whole=True))
    assert len(logs._whole) == 100
    assert (job in logs._whole) == (others < 100)


def test_no_more_is_kept_than_the_limit_whatever_an_agent_sends(bench: Bench) -> None:
    job = bench.place()
    ask(bench, job)
    offset = 0
    while offset < LOG_LIMIT_BYTES + 5 * 32768:
        bench.send(JobLog(job=job, offset=offset, data=b"x" * 32768))
        offset += 32768
    assert len(log(bench, job)) == LOG_LIMIT_BYTES
    bench.call(lambda _at: bench.reactor.request_log(job, whole=True))
    bench.send(JobLog(job=job, offset=LOG_LIMIT_BYTES, data=b"rest", end=True))
    assert len(log(bench, job)) == LOG_LIMIT_BYTES + 4
