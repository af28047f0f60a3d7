"""How much the files of managers may take at an agent, what makes room for others, and what waits."""

from dataclasses import replace
from typing import Any

import pytest

from caroni_edge.agent.jobs.fetching import ROOM_AGAIN_S
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.refusals import WAITING_FILES
from caroni_edge.agent.processes.port import JobEnded, ObjectFetched
from caroni_edge.config.hours import parse_hours
from caroni_edge.config.model import FilesConfig
from caroni_edge.objects.filework import NoRoomForFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.quota import OverQuota, Quota
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.messages import JobDecline, JobOffer, JobStatusUpdate
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, completed, job_type

AT_A2 = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
MB = 1_000_000
ONE, TWO, THREE = (Object(digit * 64, 4 * MB) for digit in "123")
NO_OFFER = JobOffer(offer="nooffer1", job_type="take", serial=0)


def make(**settings: Any) -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("give", {"message": "string?"}), job_type("upper")]
    return Bench(types=types, slots=1, **settings)


def file(found: Object) -> dict[str, Any]:
    return object_value("m31.fits", found, "0" * 40)


def take(bench: Bench, found: Object, manager: str = "m1") -> str:
    """Place a job that takes a file of another agent."""
    (job,) = bench.place(bench.new_job("take", inputs={"file": file(found)}, places=(AT_A2,)), manager=manager)
    return job


def bring(bench: Bench, found: Object, manager: str = "m1") -> None:
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(FetchId(manager, found.sha256), found), at))


def give(bench: Bench, found: Object, manager: str = "m1") -> None:
    """Let a job give a file, which is kept for its workflow."""
    (job,) = bench.place(bench.new_job("give", inputs={}), manager=manager)
    ended = JobEnded(job, completed({"file": file(found)}), bench.date, objects=(found,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    bench.outbox.take(JobStatusUpdate, manager)


def fetching(bench: Bench) -> set[str]:
    return {want.object.sha256[0] for want in bench.runner.fetching.values()}


def test_a_managers_file_waits_without_a_byte_until_others_of_its_are_not_needed_and_they_go_then() -> None:
    bench = make(files_per_manager_bytes=7 * MB)
    give(bench, ONE)
    job = take(bench, TWO)
    assert (bench.state(job), fetching(bench)) == (JobState.STAGING, set())
    waits = bench.reactor.waiting_for_room[job]
    assert (waits.manager, waits.setting) == ("m1", "files.per_manager")
    assert waits.why.startswith("waits for room: files.per_manager is 7000000 bytes, 4000000 of them are taken")
    bench.advance(3 * ROOM_AGAIN_S)
    assert (fetching(bench), bench.runner.discarded) == (set(), [])
    bench.send(ObjectsDrop(workflow="w1"))
    bench.advance(ROOM_AGAIN_S)
    assert (fetching(bench), bench.runner.discarded) == ({"2"}, [ONE.id])
    assert not bench.reactor.waiting_for_room


def test_another_managers_files_do_not_count_for_its_share() -> None:
    bench = make(files_per_manager_bytes=7 * MB)
    give(bench, ONE, "m2")
    take(bench, TWO)
    assert fetching(bench) == {"2"}


def test_all_that_is_stored_or_on_its_way_counts_for_the_store() -> None:
    bench = make(files_store_bytes=9 * MB)
    give(bench, ONE, "m2")
    take(bench, TWO)
    job = take(bench, THREE, "m3")
    assert fetching(bench) == {"2"}
    assert bench.reactor.waiting_for_room[job].setting == "files.store"
    bring(bench, TWO)
    assert fetching(bench) == set()


def test_of_what_nobody_needs_the_longest_unused_goes_and_no_more_than_must() -> None:
    bench = make(files_store_bytes=9 * MB)
    for found in (ONE, TWO):
        give(bench, found)
        bench.advance(1.0)
    bench.send(ObjectsDrop(workflow="w1"))
    take(bench, THREE, "m2")
    assert (fetching(bench), bench.runner.discarded) == ({"3"}, [ONE.id])


def test_nothing_goes_where_that_would_not_be_enough() -> None:
    bench = make(files_store_bytes=11 * MB)
    give(bench, ONE)
    bench.send(ObjectsDrop(workflow="w1"))
    give(bench, TWO, "m2")
    take(bench, Object("4" * 64, 8 * MB), "m3")
    assert (fetching(bench), bench.runner.discarded) == (set(), [])


def test_for_room_on_the_disk_what_nobody_needs_goes_once() -> None:
    bench = make(disk_floor_bytes=MB)
    for found in (ONE, TWO):
        give(bench, found)
        bench.advance(1.0)
    bench.send(ObjectsDrop(workflow="w1"))
    bench.call(lambda _at: bench.reactor.on_disk(4 * MB))
    job = take(bench, THREE)
    bench.advance(3 * ROOM_AGAIN_S)
    assert (fetching(bench), bench.runner.discarded) == (set(), [ONE.id])
    assert bench.reactor.waiting_for_room[job].setting == "disk_floor"
    bench.call(lambda _at: bench.reactor.on_disk(8 * MB))
    assert (fetching(bench), bench.runner.discarded) == ({"3"}, [ONE.id])


@pytest.mark.parametrize("setting", ["files_store_bytes", "files_per_manager_bytes"])
def test_what_can_never_fit_is_declined_and_the_setting_is_named(setting: str) -> None:
    bench = make(**{setting: 4 * MB - 1})
    bench.accept(NO_OFFER, bench.new_job("take", inputs={"file": file(ONE)}, places=(AT_A2,)))
    said = bench.outbox.take(JobDecline)
    assert said.final
    name = setting.removesuffix("_bytes").replace("files_", "files.")
    assert said.reason == (
        "its files have 4000000 bytes together, and this agent takes no job with so many: "
        f"{name} is 3999999 bytes, and these are 4000000"
    )


def test_other_bounds_count_soon() -> None:
    bench = make(files_per_manager_bytes=7 * MB)
    give(bench, ONE)
    take(bench, TWO)
    settings = replace(bench.settings, files_per_manager_bytes=8 * MB)
    bench.call(lambda _at: bench.reactor.reload(settings, bench.types))
    bench.advance(ROOM_AGAIN_S)
    assert fetching(bench) == {"2"}


def test_who_takes_outputs_hears_how_much_room_there_is() -> None:
    bench = make(files_store_bytes=20 * MB, files_per_manager_bytes=9 * MB)
    assert bench.runner.quota == Quota(20 * MB, 9 * MB)
    give(bench, ONE)
    take(bench, TWO, "m2")
    assert bench.runner.quota == Quota(20 * MB, 9 * MB, 8 * MB, {"m1": 4 * MB, "m2": 4 * MB})
    bring(bench, TWO, "m2")
    assert bench.runner.quota == Quota(20 * MB, 9 * MB, 8 * MB, {"m1": 4 * MB, "m2": 4 * MB})
    bench.restart()
    assert bench.runner.quota.used == 8 * MB


def test_nothing_is_counted_where_nothing_is_bounded() -> None:
    bench = make()
    give(bench, ONE)
    assert bench.runner.quota == Quota()


def over(bench: Bench, manager: str = "m1") -> None:
    """Let the files of a job find no room in its manager's share."""
    short = bench.runner.quota.why_not(manager, 4 * MB)
    assert short is not None
    news = NoRoomForFiles(short.why, OverQuota(manager, short))
    bench.call(lambda at: bench.reactor.on_news(news, at))


def test_outputs_that_do_not_fit_have_the_cache_go() -> None:
    bench = make(files_per_manager_bytes=7 * MB)
    give(bench, ONE)
    bench.send(ObjectsDrop(workflow="w1"))
    over(bench)
    assert bench.runner.discarded == [ONE.id]
    assert bench.runner.quota.used == 0


def test_a_manager_whose_outputs_do_not_fit_is_offered_nothing_and_others_are() -> None:
    bench = make(files_per_manager_bytes=7 * MB)
    give(bench, ONE)
    over(bench)
    assert bench.reactor.refuses["m1"].startswith(f"{WAITING_FILES}: files.per_manager is 7000000 bytes")
    assert bench.runner.discarded == []
    bench.outbox.sent.clear()
    bench.want(ready=1)
    bench.want(ready=1, manager="m2")
    assert {(to, type(message)) for to, message in bench.outbox.sent} == {("m2", JobOffer)}
    (job,) = bench.place(bench.new_job(), manager="m2")
    bench.end(job)
    assert "m1" not in bench.reactor.refuses


def test_the_numbers_of_the_store_are_kept_with_each_change() -> None:
    bench = make()
    give(bench, ONE)
    give(bench, ONE, "m2")
    give(bench, TWO)
    totals = bench.store.object_totals
    assert totals.of_all() == (2, 8 * MB)
    assert [tuple(each) for each in totals.of_managers()] == [("m1", 2, 8 * MB), ("m2", 1, 4 * MB)]
    bench.call(lambda _at: bench.store.objects.delete([TWO.id]))
    bench.call(lambda _at: bench.store.objects.forget("m2"))
    assert totals.of_all() == (1, 4 * MB)
    assert [tuple(each) for each in totals.of_managers()] == [("m1", 1, 4 * MB)]
    bench.call(lambda _at: bench.store.objects.delete([ONE.id]))
    assert totals.of_all() == (0, 0)
    assert totals.of_managers() == []


def test_the_presence_says_what_files_wait_for() -> None:
    bench = make(files=FilesConfig(when=parse_hours("22:00-06:00")), files_per_manager_bytes=7 * MB)
    assert bench.reactor.presence()["staging"] == {"*": "it fetches files from 22:00 to 06:00 alone"}
    give(bench, ONE)
    take(bench, TWO)
    said = bench.reactor.presence()["staging"]
    assert said == {
        "*": "it fetches files from 22:00 to 06:00 alone",
        "m1": "it has no room for them now (files.per_manager)",
    }
