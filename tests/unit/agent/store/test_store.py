"""The agent's statements and tables: plans, numbers kept by triggers, lifecycles."""

import re

import pytest
from sqlite_utils import Database

from caroni_edge.agent.lifecycle import DATA, JOB, OFFER, DataState, JobState, OfferState
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.changed import Changed
from caroni_edge.agent.store.jobs import JobRows
from caroni_edge.agent.store.shown import ShownJobRows
from caroni_edge.base.states import mermaid
from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations.agent import agent
from tests.statements import Statement, statements, store_classes
from tests.unit.agent.bench import Bench

FEW = ("jobs_killed",)
"""Partial indexes that hold no more than the jobs in hand: reading one whole is no scan."""

STATEMENTS = statements("agent.store")


def plan(sql: str) -> list[str]:
    return Statement("", sql).plan(memory_database("agents").conn)


def scans(step: str) -> bool:
    """Tell whether a step of a plan reads all jobs, or all jobs of a manager."""
    reads_all = re.match(r"SCAN (jobs|j)\b", step) and not any(index in step for index in FEW)
    return bool(reads_all or re.search(r"USING INDEX jobs_(manager|manager_state|changed) \(manager=\?\)$", step))


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 60
    database = memory_database("agents")
    assert {type(rows) for rows in vars(Store(database.conn, database.journal)).values()} <= {
        *store_classes("agent", "objects"),
        Changed,
    }


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_all_jobs(name: str) -> None:
    steps = plan(STATEMENTS[name].sql)
    assert not [step for step in steps if scans(step)], steps


def test_a_scan_of_all_jobs_is_seen() -> None:
    assert any(map(scans, plan("SELECT job FROM jobs WHERE workflow = :workflow")))
    assert any(map(scans, plan("SELECT step FROM jobs WHERE manager = :manager")))


def test_the_next_job_of_a_manager_is_found_without_sorting() -> None:
    assert plan(JobRows.NEXT_READY) == ["SEARCH j USING INDEX jobs_ready (manager=?)"]


def test_jobs_in_a_rare_state_are_found_among_the_many_of_a_manager() -> None:
    (step,) = plan(ShownJobRows.OF_BOTH)
    assert step.endswith("USING INDEX jobs_manager_state (manager=? AND state=? AND id<?)")


def test_the_numbers_are_kept_with_each_change() -> None:
    bench = Bench(slots=2, backlog=4, pending=4, retention_s=0.0)
    made = [bench.new_job() for _ in range(5)]
    bench.place(*made, bench.new_job(ready=False))
    bench.place(bench.new_job("lower"), manager="m2")
    bench.end(made[0].job)
    bench.end(made[1].job, Failed("no"))
    bench.call(lambda at: bench.reactor.kill_job(made[4].job, "x", at))
    bench.now, bench.date = bench.now + 86400.0 * 30, bench.date + 1.0
    bench.settle()
    conn = bench.database.conn
    counted = conn.execute(
        "SELECT state, manager, job_type, count(*) FROM jobs GROUP BY state, manager, job_type"
    ).fetchall()
    kept = conn.execute("SELECT state, manager, job_type, jobs FROM load WHERE jobs > 0").fetchall()
    assert sorted(kept) == sorted(counted)
    assert bench.runner.removed
    assert bench.store.load.total(JobState.FAILED) == bench.states().get("failed", 0)


def test_every_state_is_reached_and_the_last_ones_are_ends() -> None:
    for table, states, first in (
        (JOB, JobState, "pending"),
        (DATA, DataState, "awaiting"),
        (OFFER, OfferState, "open"),
    ):
        assert set(table) == set(states)
        reached = {first, *(state for arrows in table.values() for state in arrows.values())}
        assert reached == set(states)
    assert [state for state in JobState if not JOB[state]] == [JobState.COMPLETED, JobState.FAILED, JobState.KILLED]
    assert "queued --> running: SLOT_GIVEN" in mermaid(JOB)


def test_a_serial_that_a_manager_had_moved_out_of_bounds_goes_on_below_them() -> None:
    bench = Bench()
    for _ in range(2):
        bench.place(bench.new_job())
    conn = bench.database.conn
    conn.execute("UPDATE counters SET value = :far WHERE name = 'serial'", {"far": (1 << 62) + 1})
    conn.execute(
        "UPDATE jobs SET serial = CASE WHEN id = (SELECT min(id) FROM jobs) THEN :far ELSE 7 END", {"far": 1 << 62}
    )
    conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'serials'")
    conn.commit()
    agent.apply(Database(conn))
    assert bench.store.facts.serial() == 7
    assert sorted(serial for (serial,) in conn.execute("SELECT serial FROM jobs")) == [0, 7]
