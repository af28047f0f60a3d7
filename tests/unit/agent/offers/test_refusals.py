"""Why the agent does not offer, and when it says so."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.offers.refusals import DRAINED, FAILING
from caroni_edge.agent.peers.presence import NEWCOMER_WITHIN_S
from caroni_edge.agent.processes.outcome import Failed, NeverBegan
from caroni_edge.agent.secrets import Source
from caroni_edge.documents.documents import Problem
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusUpdate,
    OfferReject,
    Presence,
)
from tests.unit.agent.bench import Bench, job_type

GIB = 1 << 30


def refuses(bench: Bench) -> dict[str, str]:
    said = bench.reactor.presence()["refuses"]
    assert isinstance(said, dict)
    return said


def changed(bench: Bench) -> bool:
    """Tell whether the presence was said since the last question."""
    said, bench.presences = bench.presences, []
    return bool(said)


def fail(bench: Bench, count: int, job_type: str = "upper") -> None:
    """Let jobs fail, one after the other."""
    for _ in range(count):
        job = bench.new_job(job_type)
        bench.place(job)
        bench.end(job.job, Failed("exit status 1"))
    bench.outbox.sent.clear()


def test_the_presence_tells_job_types_and_slots() -> None:
    upper = job_type("upper", {"message": "string", "note": "string?"}, repeat=False)
    secrets = {"KEY": Source(file="/etc/key"), "DB": Source(credential="db")}
    bench = Bench(types=[replace(upper, secrets=secrets)], slots=3)
    said = Presence(online=True, boot="b1", **bench.reactor.presence())  # type: ignore[arg-type]
    notice = said.job_types["upper"]
    assert (notice.inputs, notice.outputs, notice.repeat) == (
        {"message": "string", "note": "string?"},
        {"out": "string"},
        False,
    )
    assert notice.secrets == ("DB", "KEY")
    assert (said.slots, said.backlog, said.pending, said.refuses) == (3, 2, 2, {})
    assert encode(said)
    assert list(bench.reactor.subscriptions()) == [("caroni/requests/upper/+", 0)]


def test_a_manager_that_starts_is_told_soon_and_once() -> None:
    """A broker may keep from it what is retained."""
    bench = Bench()
    changed(bench)
    for boot in ("b1", "b2"):
        bench.presence(online=False, boot=boot)
        bench.advance(10)
        assert not changed(bench)
        bench.presence(online=True, boot=boot)
        bench.presence("m2", online=True, boot=boot)
        bench.advance(NEWCOMER_WITHIN_S)
        assert len(bench.presences) == 1
        assert changed(bench)
        bench.presence(online=True, boot=boot)
        bench.advance(600)
        assert not changed(bench)


def test_a_manager_that_was_cut_off_is_told_soon_what_was_said_meanwhile() -> None:
    """A broker may keep from it what is retained."""
    bench = Bench()
    bench.presence(online=True)
    bench.advance(NEWCOMER_WITHIN_S)
    assert changed(bench)
    bench.presence(online=False)
    bench.advance(600)
    assert not changed(bench)
    bench.presence(online=True)
    bench.advance(NEWCOMER_WITHIN_S)
    assert len(bench.presences) == 1
    assert changed(bench)


def test_a_manager_that_lets_offers_run_out_is_told_who_offers_once_a_minute() -> None:
    """It takes no offer of an agent whose presence it has not heard, and a notice may be lost."""
    bench = Bench()
    bench.want(ready=1)
    changed(bench)
    bench.advance(9.9)
    assert not changed(bench)
    bench.advance(0.2)
    assert len(bench.presences) == 1
    bench.advance(600)
    assert 1 < len(bench.presences) <= 11


def test_whichever_offer_runs_out_presence_is_said_for_it_once_a_minute() -> None:
    bench = Bench()
    bench.want(ready=1)
    changed(bench)
    bench.advance(10.2)
    assert len(bench.presences) == 1
    bench.want(manager="m2", ready=1)
    bench.advance(20.0)
    assert len(bench.presences) == 1
    bench.advance(45.0)
    assert len(bench.presences) == 2


def test_a_manager_that_answers_is_told_nothing_anew() -> None:
    bench = Bench()
    bench.want(ready=1)
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
    changed(bench)
    bench.advance(9)
    assert not changed(bench)


def test_a_drained_agent_takes_nothing_new_and_finishes_what_it_has() -> None:
    bench = Bench(slots=1)
    first, second = bench.new_job(), bench.new_job()
    bench.place(first, second)
    bench.want(ready=1)
    offer = bench.outbox.take(JobOffer)
    changed(bench)
    bench.call(lambda _: bench.reactor.drain(on=True))
    assert changed(bench)
    assert refuses(bench) == {"*": DRAINED}
    bench.outbox.sent.clear()
    bench.accept(offer, bench.new_job())
    declined = bench.outbox.take(JobDecline)
    assert (declined.reason, declined.final) == (DRAINED, False)
    bench.end(first.job)
    assert bench.runner.take_started() == [first.job, second.job]
    bench.outbox.sent.clear()
    bench.advance(600.0)
    bench.outbox.nothing_else()
    bench.call(lambda _: bench.reactor.drain(on=False))
    assert changed(bench)
    assert refuses(bench) == {}
    bench.outbox.take(JobOffer)


def test_a_restart_ends_the_drain() -> None:
    bench = Bench()
    bench.call(lambda _: bench.reactor.drain(on=True))
    assert refuses(bench) == {"*": DRAINED}
    bench.restart()
    assert refuses(bench) == {}


def test_a_job_that_finds_no_room_is_given_back_and_nothing_is_offered_until_the_disk_is_looked_at() -> None:
    bench = Bench()
    [job] = bench.place(bench.new_job())
    bench.outbox.take(JobStatusUpdate)
    bench.end(job, NeverBegan("its directory cannot be made", no_room=True))
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.final) == (job, False)
    assert bench.runner.removed == [job]
    assert refuses(bench) == {"*": "the host had no room for a job: its directory cannot be made"}
    bench.want(ready=1)
    bench.outbox.nothing_else()
    bench.call(lambda _: bench.reactor.on_disk(GIB))
    assert bench.outbox.take(JobOffer).ready == 1


def test_what_a_job_held_that_ends_is_room_again() -> None:
    bench = Bench(slots=2)
    first, second = bench.place(bench.new_job(), bench.new_job())
    bench.end(second, NeverBegan("the keeper may open no more files", no_room=True))
    assert refuses(bench) == {"*": "the host had no room for a job: the keeper may open no more files"}
    bench.end(first)
    assert refuses(bench) == {}


def test_what_finds_no_room_says_nothing_of_its_job_type() -> None:
    bench = Bench(slots=20)
    jobs = bench.place(*(bench.new_job() for _ in range(20)))
    for job in jobs[1:]:
        bench.end(job, NeverBegan("the keeper may open no more files", no_room=True))
    bench.end(jobs[0])
    assert refuses(bench) == {}


def test_a_job_that_finds_no_room_while_it_is_killed_was_killed() -> None:
    bench = Bench()
    [job] = bench.place(bench.new_job())
    bench.outbox.take(JobStatusUpdate)
    bench.send(JobKill(job=job, reason="cancelled"))
    bench.end(job, NeverBegan("its directory cannot be made", no_room=True))
    assert bench.outbox.take(JobStatusUpdate).status == "killed"
    bench.outbox.nothing_else()


def test_below_the_disk_floor_nothing_is_offered_and_what_was_offered_is_taken() -> None:
    bench = Bench(disk_floor_bytes=GIB, slots=4)
    bench.want(ready=1)
    offer = bench.outbox.take(JobOffer)
    bench.call(lambda _: bench.reactor.on_disk(GIB - 1))
    assert refuses(bench) == {"*": "less than 1024 MiB of the disk are free (disk_floor)"}
    bench.accept(offer, bench.new_job())
    bench.outbox.take(JobAccepted)
    bench.outbox.take(JobStatusUpdate)
    bench.want(ready=5)
    bench.outbox.nothing_else()
    bench.call(lambda _: bench.reactor.on_disk(GIB))
    bench.outbox.take(JobOffer)


def test_a_change_of_the_presence_is_said_once_a_minute_at_most() -> None:
    bench = Bench(disk_floor_bytes=GIB)
    changed(bench)
    bench.advance(60.0)
    assert not changed(bench)
    said_at = []
    for second in range(300):
        bench.call(lambda _, low=second % 10 < 5: bench.reactor.on_disk(0 if low else GIB))
        if changed(bench):
            said_at.append(bench.now)
        bench.advance(1.0)
    assert 4 <= len(said_at) <= 6
    assert min(b - a for a, b in pairwise(said_at)) >= 60.0


def test_a_change_that_was_held_back_is_said_when_its_minute_is_over() -> None:
    bench = Bench(disk_floor_bytes=GIB)
    changed(bench)
    bench.advance(60.0)
    bench.call(lambda _: bench.reactor.on_disk(0))
    assert changed(bench)
    bench.call(lambda _: bench.reactor.on_disk(GIB))
    assert not changed(bench)
    assert bench.reactor.next_due() == bench.now + 60.0
    bench.advance(60.0)
    assert changed(bench)


def test_a_change_that_was_rolled_back_is_said_again() -> None:
    bench = Bench(disk_floor_bytes=GIB)
    changed(bench)
    bench.advance(60.0)
    bench.reactor.on_disk(0)
    bench.batch(commit=False)
    assert changed(bench)  # and dropped with the batch
    bench.settle()
    assert changed(bench)
    bench.settle()
    assert not changed(bench)


def test_a_broken_job_type_is_said_and_one_with_an_earlier_version_is_not() -> None:
    bench = Bench()
    problem = Problem("jobtypes/lower.yaml:3", "expected a mapping")
    kept = job_type("upper")
    bench.reactor.reload(bench.settings, JobTypes({"upper": kept}, {"lower": (problem,), "upper": (problem,)}))
    bench.settle()
    assert changed(bench)
    assert refuses(bench) == {"lower": "its file cannot be taken: jobtypes/lower.yaml:3: expected a mapping"}


def test_a_reload_takes_over_settings_and_types() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want("lower", ready=5)
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
    bench.reload(job_type("upper"), job_type("new"), slots=3)
    assert bench.reactor.next_due() <= bench.now
    bench.settle()
    assert changed(bench)
    assert [topic for topic, _ in bench.reactor.subscriptions()] == ["caroni/requests/new/+", "caroni/requests/upper/+"]
    assert bench.store.demands.types() == []
    bench.want("new", ready=5)
    assert bench.outbox.take(JobOffer).ready == 3


def test_a_type_whose_last_ten_jobs_failed_is_offered_one_place_a_minute() -> None:
    bench = Bench(slots=8)
    fail(bench, 9)
    bench.want(ready=5)
    assert bench.outbox.take(JobOffer).ready == 5
    bench.want_nothing()
    bench.advance(10.0)
    fail(bench, 1)
    bench.advance(60.0)
    assert refuses(bench) == {"upper": FAILING}
    bench.want(ready=5, waiting=5)
    bench.want("lower", ready=5)
    probe, other = bench.outbox.take_all(JobOffer)
    assert (probe.job_type, probe.ready, probe.waiting) == ("upper", 1, 0)
    assert (other.job_type, other.ready, other.waiting) == ("lower", 5, 0)
    job = bench.new_job()
    bench.accept(probe, job)
    bench.want(ready=4)
    bench.outbox.take_all(JobStatusUpdate)
    bench.outbox.take(JobAccepted)
    bench.outbox.nothing_else()
    bench.advance(60.0)
    assert [offer.ready for offer in bench.outbox.take_all(JobOffer) if offer.job_type == "upper"] == [1]
    bench.end(job.job)
    bench.outbox.sent.clear()
    bench.advance(60.0)
    assert refuses(bench) == {}
    assert {offer.ready for offer in bench.outbox.take_all(JobOffer) if offer.job_type == "upper"} == {4}


def test_of_all_managers_one_gets_the_place_of_a_failing_type() -> None:
    bench = Bench(slots=8)
    fail(bench, 10)
    with bench.database.immediate():
        bench.reactor.drain(on=True)
    bench.want(ready=5)
    bench.want(manager="m2", ready=5)
    bench.call(lambda _: bench.reactor.drain(on=False))
    assert [message.ready for _, message in bench.outbox.sent if isinstance(message, JobOffer)] == [1]


def test_a_mended_type_is_offered_as_ever_and_killed_jobs_do_not_count() -> None:
    bench = Bench(slots=8)
    fail(bench, 10)
    bench.reload(job_type("upper", script="exit 0"))
    bench.settle()
    assert refuses(bench) == {}
    bench.want(ready=5)
    assert bench.outbox.take(JobOffer).ready == 5
    job = bench.new_job()
    bench.place(job)
    bench.call(lambda at: bench.reactor.kill_job(job.job, "x", at))
    bench.end(job.job, Failed("killed"))
    fail(bench, 9)
    assert refuses(bench) == {}


def test_the_failures_of_a_type_outlive_a_restart() -> None:
    bench = Bench(slots=8)
    fail(bench, 10)
    bench.restart()
    assert refuses(bench) == {"upper": FAILING}
    bench.want(ready=5)
    assert bench.outbox.take(JobOffer).ready == 1


def test_jobs_that_a_type_refuses_at_their_start_are_no_failures_of_the_host() -> None:
    bench = Bench(slots=1, backlog=20)
    bench.place(*(bench.new_job() for _ in range(12)))
    bench.reload(job_type("upper", {"message": "int"}))
    bench.end(bench.runner.started[0].job)
    assert bench.states() == {"completed": 1, "failed": 11}
    assert refuses(bench) == {}


def test_paths_are_not_part_of_a_version() -> None:
    assert job_type("upper").version == job_type("upper").version
    assert job_type("upper").path == Path("upper.yaml")
