"""The versions of job types: since when, from which text, how many jobs have begun by each."""

from dataclasses import replace

from caroni_edge.agent.versions import KEPT_CHARS
from tests.unit.agent.bench import Bench, job_type


def versions(bench: Bench, name: str = "upper") -> list[tuple[float, int]]:
    return [(row.since, row.jobs) for row in bench.store.versions.of(name, 100)]


def test_a_version_is_noted_when_it_comes_into_force_and_counts_its_jobs() -> None:
    bench = Bench()
    first = bench.date
    bench.place(bench.new_job(), bench.new_job())
    bench.advance(60.0)
    bench.reload(job_type("upper", script="another"))
    bench.settle()
    assert versions(bench) == [(first + 60.0, 0), (first, 2)]
    bench.restart()
    assert versions(bench) == [(first + 60.0, 0), (first, 2)]


def test_one_that_comes_back_is_the_newest_again_and_goes_on_counting() -> None:
    bench = Bench()
    first = bench.date
    (job,) = bench.place(bench.new_job())
    bench.end(job)
    for script, after_s in (("another", 10.0), ("true", 20.0)):
        bench.advance(after_s)
        bench.reload(job_type("upper", script=script))
        bench.settle()
    bench.place(bench.new_job())
    assert versions(bench) == [(first + 30.0, 2), (first + 10.0, 0)]


def test_a_trial_is_not_counted() -> None:
    bench = Bench()
    bench.call(lambda at: bench.reactor.try_job_type("upper", {"message": "x"}, at))
    assert versions(bench) == [(bench.date, 0)]


def test_the_text_is_kept_unless_it_is_long() -> None:
    short, long = "name: upper\n", "x" * (KEPT_CHARS + 1)
    types = [replace(job_type("upper"), source=short), replace(job_type("lower"), source=long)]
    bench = Bench(types=types)
    found = {each.name: bench.store.versions.source(each.name, each.version) for each in types}
    assert found == {"upper": short, "lower": ""}
    assert bench.store.versions.source("upper", "none") is None


def test_the_newest_20_of_a_job_type_are_kept_and_of_all_1000() -> None:
    rows = Bench(types=[job_type("other")]).store.versions
    for number in range(30):
        rows.add("upper", f"v{number}", float(number), "")
    assert [row.version for row in rows.of("upper", 100)] == [f"v{number}" for number in range(29, 9, -1)]
    for number in range(1000):
        rows.add(f"type{number}", "v", 0.0, "")
    assert rows.of("upper", 100) == rows.of("other", 100) == []
