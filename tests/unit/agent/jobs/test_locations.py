"""Files at http and https addresses: whether they are fetched for a job, and what becomes of it."""

from typing import Any

import pytest

from caroni_edge.agent.jobs.inputs import CannotRun
from caroni_edge.agent.jobs.objects import CACHE_S
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.port import ObjectFetched
from caroni_edge.base.hosts import HOSTS_SAID_MAX, parse_host
from caroni_edge.config.model import FilesConfig
from caroni_edge.objects.locations import LocationFailed, LocationFetched, LocationId, LocationSized, Sought
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.messages import JobDataReady, JobDecline, JobKill, JobOffer, JobStatusRequest, JobStatusUpdate
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from caroni_edge.values.json import hash_of
from tests.unit.agent.bench import COMPLETED, Bench, job_type

URL = "https://data.example.org/m31.fits"
FOUND, SHA1 = Object("a" * 64, 5_000_000), "1" * 40
ID = LocationId("m1", URL, "")
FLOOR = 1_000_000
NO_OFFER = JobOffer(offer="nooffer1", job_type="take", serial=0)


def at(url: str = URL, **more: Any) -> dict[str, Any]:
    return {"class": "File", "location": url, **more}


@pytest.fixture
def bench() -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("both", {"one": "File", "two": "File?"})]
    types += [job_type("all", {"files": "File[]"}), job_type("open", {"folder": "Directory"}), job_type("upper")]
    hosts = (parse_host("data.example.org"), parse_host("*.example.com"))
    return Bench(types=types, slots=1, disk_floor_bytes=FLOOR, files=FilesConfig(hosts=hosts))


def staging(bench: Bench, value: dict[str, Any] | None = None, **more: Any) -> str:
    (job,) = bench.place(bench.new_job("take", inputs={"file": value or at()}, **more))
    assert bench.state(job) is JobState.STAGING
    return job


def bring(bench: Bench, sought: LocationId = ID, found: Object = FOUND) -> None:
    bench.call(lambda now: bench.reactor.on_news(LocationFetched(sought, found, SHA1), now))


def declined(bench: Bench, inputs: dict[str, Any], kind: str = "take") -> JobDecline:
    bench.accept(NO_OFFER, bench.new_job(kind, inputs=inputs))
    return bench.outbox.take(JobDecline)


def test_a_job_waits_without_a_slot_until_its_file_has_come_and_gets_it_as_an_object(bench: Bench) -> None:
    job = staging(bench, at(format="fits"))
    assert bench.runner.seeking.keys() == {ID}
    (other,) = bench.place(bench.new_job("upper"))
    assert bench.state(other) is JobState.RUNNING
    bring(bench)
    assert (bench.state(job), bench.runner.seeking) == (JobState.QUEUED, {})
    bench.end(other)
    order = bench.runner.started[-1]
    assert (order.job, order.objects) == (job, (FOUND,))
    assert order.inputs == {"file": {**object_value("m31.fits", FOUND, SHA1), "format": "fits"}}


def test_its_manager_hears_the_hash_of_the_inputs_that_it_has_sent(bench: Bench) -> None:
    job = staging(bench)
    bring(bench)
    bench.send(JobStatusRequest(job=job))
    assert bench.outbox.take(JobStatusUpdate).inputs_hash == hash_of({"file": at()})


def test_a_host_that_the_owner_does_not_list_is_named_with_the_key(bench: Bench) -> None:
    said = declined(bench, {"file": at("https://evil.example.org:8443/a")})
    assert said.final
    assert 'the file "a" lies at evil.example.org:8443' in said.reason
    assert "files.hosts in its agent.yaml does not list it" in said.reason
    assert "lies at data.example.org:80" in declined(bench, {"file": at("https://data.example.org:80/a")}).reason
    assert bench.runner.seeking == {}


def test_files_in_directories_and_beside_others_are_looked_at_too(bench: Bench) -> None:
    inside = {"class": "Directory", "basename": "d", "listing": [at("https://evil.example.org/a")]}
    assert "evil.example.org" in declined(bench, {"folder": inside}, "open").reason
    beside = at(secondaryFiles=[at("https://evil.example.org/a")])
    assert "evil.example.org" in declined(bench, {"file": beside}).reason


def test_data_that_comes_later_is_looked_at_alike(bench: Bench) -> None:
    first, second = bench.place(bench.new_job("take", ready=False), bench.new_job("take", ready=False))
    bench.send(JobDataReady(job=first, inputs={"file": at("https://evil.example.org/a")}))
    assert "evil.example.org" in bench.outbox.take(JobDecline).reason
    bench.send(JobDataReady(job=second, inputs={"file": at()}))
    assert bench.state(second) is JobState.STAGING
    bring(bench)
    assert bench.state(second) is JobState.RUNNING


def test_too_many_addresses_are_declined(bench: Bench) -> None:
    files = [at(f"{URL}{number}") for number in range(101)]
    assert "101 of its files lie at addresses" in declined(bench, {"files": files}, "all").reason


def test_a_trial_fetches_nothing(bench: Bench) -> None:
    with pytest.raises(CannotRun, match="a trial fetches nothing"):
        bench.call(lambda now: bench.reactor.try_job_type("take", {"file": at()}, now))


def test_a_job_waits_for_objects_and_addresses_alike(bench: Bench) -> None:
    other = Object("b" * 64, 7)
    inputs = {"one": at(), "two": object_value("m42.fits", other, SHA1)}
    place = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
    (job,) = bench.place(bench.new_job("both", inputs=inputs, places=(place,)))
    bring(bench)
    assert bench.state(job) is JobState.STAGING
    bench.call(lambda now: bench.reactor.on_news(ObjectFetched(FetchId("m1", other.sha256), other), now))
    assert bench.state(job) is JobState.RUNNING
    assert set(bench.runner.started[-1].objects) == {FOUND, other}


def test_one_fetch_serves_all_jobs_that_wait_and_those_of_the_workflow_that_come_later(bench: Bench) -> None:
    first, second = staging(bench), staging(bench, at(secondaryFiles=[at()], basename="n"), workflow="w2")
    assert len(bench.runner.seeking) == 1
    bring(bench)
    assert (bench.state(first), bench.state(second)) == (JobState.RUNNING, JobState.QUEUED)
    bench.end(first)
    (third,) = bench.place(bench.new_job("take", inputs={"file": at()}))
    assert (bench.state(third), bench.runner.seeking) == (JobState.QUEUED, {})
    bench.end(second)
    staging(bench, workflow="w3")
    assert bench.runner.seeking.keys() == {ID}


def test_another_manager_has_it_fetched_anew(bench: Bench) -> None:
    staging(bench)
    bring(bench)
    bench.place(bench.new_job("take", inputs={"file": at()}), manager="m2")
    assert bench.runner.seeking.keys() == {LocationId("m2", URL, "")}
    assert bench.store.objects.of("m2", FOUND.id) is None


def test_what_has_come_goes_with_its_workflow_and_then_an_address_says_nothing_any_more(bench: Bench) -> None:
    job = staging(bench)
    bring(bench)
    bench.end(job, COMPLETED)
    bench.send(ObjectsDrop(workflow="w1"))
    bench.advance(10 * CACHE_S)
    assert not bench.store.objects.is_here(FOUND.id)
    staging(bench)
    assert bench.runner.seeking.keys() == {ID}


def test_a_file_that_is_not_to_be_had_ends_the_attempt_in_words(bench: Bench) -> None:
    job = staging(bench)
    bench.call(lambda now: bench.reactor.on_news(LocationFailed(ID, "it answers 404"), now))
    said = bench.outbox.take(JobDecline)
    assert (bench.state(job), said.final) == (JobState.FAILED, True)
    assert said.reason == f"the file at {URL} cannot be fetched: it answers 404"
    assert bench.runner.seeking == {}


@pytest.mark.parametrize("early", [True, False], ids=["as its host says", "as it has come"])
def test_a_file_of_another_size_than_its_value_says_ends_the_attempt(bench: Bench, *, early: bool) -> None:
    job, other = staging(bench, at(size=5)), staging(bench, at(size=FOUND.size))
    if early:
        bench.call(lambda now: bench.reactor.on_news(LocationSized(ID, FOUND.size), now))
        assert bench.state(job) is JobState.FAILED
    bring(bench)
    assert "has 5000000 bytes, and its value says 5" in bench.outbox.take(JobDecline).reason
    assert (bench.state(job), bench.state(other)) == (JobState.FAILED, JobState.RUNNING)


def test_a_file_that_the_disk_can_never_hold_ends_the_attempt(bench: Bench) -> None:
    bench.call(lambda _now: bench.reactor.on_disk(FLOOR, FLOOR + FOUND.size - 1))
    staging(bench)
    bench.call(lambda now: bench.reactor.on_news(LocationSized(ID, FOUND.size), now))
    assert "has room for 4999999 at most" in bench.outbox.take(JobDecline).reason
    assert bench.runner.seeking == {}


def test_a_file_that_the_owner_can_never_have_room_for_ends_the_attempt(bench: Bench) -> None:
    bench.reload(*bench.types.loaded.values(), files_per_manager_bytes=FOUND.size - 1)
    staging(bench)
    bench.call(lambda now: bench.reactor.on_news(LocationSized(ID, FOUND.size), now))
    assert "files.per_manager is 4999999 bytes" in bench.outbox.take(JobDecline).reason


def test_room_that_a_file_from_an_address_needs_is_not_given_to_others(bench: Bench) -> None:
    other = Object("b" * 64, 7)
    bench.call(lambda _now: bench.reactor.on_disk(FLOOR + FOUND.size + other.size - 1))
    staging(bench)
    bench.call(lambda now: bench.reactor.on_news(LocationSized(ID, FOUND.size), now))
    place = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
    staging(bench, object_value("m42.fits", other, SHA1), places=(place,))
    assert bench.runner.fetching == {}
    bring(bench)
    assert bench.runner.fetching.keys() == {FetchId("m1", other.sha256)}


def test_nobody_fetches_for_a_job_that_was_killed(bench: Bench) -> None:
    job = staging(bench)
    bench.send(JobKill(job=job, reason="no"))
    assert (bench.runner.seeking, bench.runner.forgotten) == ({}, [ID])
    bring(bench)
    assert bench.runner.discarded == [FOUND.id]


def test_a_new_process_goes_on_with_what_was_wanted(bench: Bench) -> None:
    job = staging(bench)
    bench.restart()
    assert bench.runner.seeking == {ID: Sought(ID, 1)}
    bring(bench)
    assert bench.state(job) is JobState.RUNNING


def test_a_manager_that_is_forgotten_has_nothing_here(bench: Bench) -> None:
    staging(bench)
    bring(bench)
    bench.call(lambda now: bench.reactor.forget_peer("m1", now))
    assert bench.store.locations.found(ID, "w1") is None


def test_the_presence_says_which_hosts_are_listed_unless_they_are_too_many(bench: Bench) -> None:
    assert bench.reactor.presence()["hosts"] == ("data.example.org", "*.example.com")
    assert Bench(types=[]).reactor.presence()["hosts"] == ()
    hosts = tuple(parse_host(f"h{number}.example.org") for number in range(HOSTS_SAID_MAX + 1))
    assert Bench(types=[], files=FilesConfig(hosts=hosts)).reactor.presence()["hosts"] is None
