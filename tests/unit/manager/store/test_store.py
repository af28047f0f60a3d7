"""The manager's statements: each finds its rows by an index, however many there are."""

import re
import sqlite3

import pytest
from sqlite_utils import Database

from caroni_edge.manager.store import Store
from caroni_edge.manager.store.jobs import NewJob
from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations.delivery import delivery
from caroni_edge.storage.migrations.manager import manager
from tests.statements import statements, store_classes
from tests.unit.manager.bench import DATE, Bench

STATEMENTS = statements("manager.store")
TINY = {
    "offers",
    "o",
    "demands",
    "d",
    "unserved",
    "u",
    "pauses",
    "bulks",
    "rule_counts",
    "rule_filters",
    "schedules",
    "targets",
    "silent",
    "wanted_copies",
}
"""Tables (and their short names) that hold a few rows."""
MADE = {"CONSTANT", "waiting", "busy", "known"}
"""What a statement makes on its way, row by row."""
ALL_ROWS = {
    # When the configuration is read again.
    "AgentRows.SHOWN_TYPES",
    # Four times a minute, where somebody is told of silent agents.
    "NotificationRows.AWAY",
    # At the start of the process.
    "AgentRows.NOBODY_ONLINE",
    "AgentRows.NO_TYPE_ONLINE",
    "LookRows.STEPS",
    # For metrics: a row for each agent that was ever seen, and one for each state.
    "AgentRows.COUNTS",
    "WorkflowRows.COUNTS",
    # For each trigger: a row for each state.
    "WorkflowRows.UNFINISHED",
    # For the doctor: up to its limit.
    "ShownAgentRows.EARLY_STARTS",
}
"""Statements that concern every row by their nature, and are rare or find few."""
BY_INDEX_ALONE = {
    # At the start of the process.
    "UnplacedRows.JOB_TYPES",
    "NotificationRows.WAITING_FOR",
    "StepRows.GROWING",
    "StepRows.SEEN_TO_FAIL",
    # At the start of the process, and when an agent is forgotten: of what is unplaced.
    "RemakeRows.WORKFLOWS",
    # Every ten seconds while something is waited for, up to its limit.
    "LookRows.WANTED",
    "LookRows.ANY_WAIT",
    # Up to its limit.
    "EvaluationRows.DUE",
    # What is bound to agents and not taken: every ten seconds, and as soon as there is any.
    "UnplacedRows.NOW_UNSERVED",
    "UnplacedRows.ANY_BOUND",
    # For metrics: what is wanted and what is open is little, whatever the past holds.
    "UnplacedRows.COUNTS",
    "JobRows.OPEN_COUNTS",
    # Up to its limit; what lacks places is looked at every five minutes, while a depot takes more.
    "WantedPlaceRows.DUE",
    "WantedPlaceRows.LOOK_AGAIN",
    "WantedPlaceRows.ANY_LACKING",
    # The agents that drain.
    "AgentRows.DRAINING",
    # What is empty nearly always.
    "AgentRows.MARKED",
    "AgentRows.BEGIN_ANEW",
}
"""Statements that go through a whole index, which holds few rows."""
WHOLE_INDEXES = {"notifications_target", "agent_types_agent"}
"""Indexes of all rows of a table that holds no more than what is to be said still, or what agents are."""


@pytest.fixture(scope="module")
def conn() -> sqlite3.Connection:
    return memory_database("managers").conn


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 120
    assert {type(rows) for rows in vars(Bench().store).values()} <= {*store_classes("manager.store", "objects.store")}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_scans_a_table(conn: sqlite3.Connection, name: str) -> None:
    for line in STATEMENTS[name].plan(conn):
        found = re.match(r"SCAN (\w+)(.*)", line)
        if found is None or "VIRTUAL TABLE" in line or found[1] in TINY | MADE or name in ALL_ROWS:
            continue
        assert "USING" in found[2], f"{name}: {line}"
        assert name in BY_INDEX_ALONE, f"{name} goes through a whole index: {line}"
        index = line.split(" INDEX ")[1].split()[0]
        assert index in WHOLE_INDEXES or is_partial(conn, index), f"{name} goes through all there ever was: {line}"


def is_partial(conn: sqlite3.Connection, index: str) -> bool:
    """Tell whether an index holds only some rows of its table."""
    partial = "SELECT partial FROM sqlite_master m CROSS JOIN pragma_index_list(m.tbl_name) i WHERE m.name = i.name"
    found: tuple[int] | None = conn.execute(f"{partial} AND m.name = ?", (index,)).fetchone()
    return found == (1,)


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_sorts_what_an_index_could_bring_in_order(conn: sqlite3.Connection, name: str) -> None:
    rare = {"DemandRows.ALL", "DemandRows.UNSERVED", "AgentRows.ASK_DUE", "StepRows.OF_WORKFLOW"}
    rare |= {"JobRows.OPEN_OF_WORKFLOW", "StepRows.READY", "GateRows.OF_WORKFLOW"}
    few = {"UnplacedRows.BOUND_HERE", "UnplacedRows.COUNT_BOUND"}
    distinct = {"WorkflowRows.OF_JOBS", "WorkflowRows.WAITING", "WorkflowRows.WAITING_FOR", "UnplacedRows.NOW_UNSERVED"}
    distinct |= {"RemakeRows.WORKFLOWS"}
    metrics = {"AgentRows.COUNTS", "JobRows.OPEN_COUNTS"}
    people = {
        "ShownAgentRows.EARLY_STARTS",
        "ShownStepRows.THAT_TELL",
        "ShownStepRows.ATTEMPTS",
        "RosterRows.TYPES",
    }
    sorts = [line for line in STATEMENTS[name].plan(conn) if "TEMP B-TREE" in line]
    assert not sorts or name in rare | few | distinct | metrics | people, f"{name}: {sorts}"


def test_the_exceptions_are_needed(conn: sqlite3.Connection) -> None:
    for name in ALL_ROWS | BY_INDEX_ALONE:
        lines = STATEMENTS[name].plan(conn)
        assert any(line.startswith("SCAN") for line in lines), f"{name} is no exception any more: {lines}"


def test_the_index_of_unplaced_steps_serves_what_is_asked_most(conn: sqlite3.Connection) -> None:
    for name in ("NEW_HERE", "AGAIN_HERE", "COUNT", "TOP", "IS_DEMANDED"):
        lines = STATEMENTS[f"UnplacedRows.{name}"].plan(conn)
        assert any("steps_wanted" in line for line in lines), lines


def test_workflows_in_a_rare_state_are_found_among_the_many_of_a_template(conn: sqlite3.Connection) -> None:
    (line,) = STATEMENTS["ListedRows.OF_BOTH"].plan(conn)
    assert line.endswith("USING INDEX workflows_template_status (template=? AND status=? AND seq>? AND seq<?)")


@pytest.mark.parametrize("name", ["FIRST_WAITING", "COUNT_WAITING"])
def test_slots_that_wait_are_found_among_the_many_that_have_started(conn: sqlite3.Connection, name: str) -> None:
    lines = STATEMENTS[f"ScheduleRows.{name}"].plan(conn)
    assert any(re.search(r"SEARCH slots USING .*INDEX slots_waiting \(schedule=\?\)", line) for line in lines), lines


# What statements do


def test_lists_of_a_workflow_come_in_the_order_of_the_plan() -> None:
    bench = Bench()
    bench.start("diamond")
    rows = bench.store.steps.of_workflow(1, '["fulfilling"]')
    assert [row.path for row in rows] == ["top", "left", "right", "end"]


def test_a_workflow_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(LookupError, match="no workflow has the number 7"):
        Bench().store.workflows.by_seq(7)


def test_open_jobs_are_found_by_ranges_of_their_names() -> None:
    bench = Bench()
    rows = [NewJob(f"job0000{letter}", 1, 1, "a1", "queued", True, True, DATE) for letter in "abcde"]
    bench.store.jobs.add(rows)
    found = bench.store.jobs.open_of_agent
    assert [job.job[-1] for job in found("a1")] == list("abcde")
    assert [job.job[-1] for job in found("a1", "job0000b", "job0000d")] == ["c", "d"]
    assert [job.job[-1] for job in found("a1", "job0000d")] == ["e"]
    assert found("a2") == []


def test_the_next_unserved_type_is_the_one_after_those_that_are_due() -> None:
    demand = Bench().store.demands
    demand.set_unserved("old", 10.0)
    demand.set_unserved("new", 20.0)
    demand.set_unserved("old", 15.0)
    assert (demand.unserved(5.0, 14.9), demand.unserved(5.0, 15.0)) == ([], ["old"])
    assert demand.next_unserved(5.0, 15.0) == 25.0
    assert demand.set_served("old")
    assert not demand.set_served("old")
    assert demand.next_unserved(5.0, 25.0) is None


def test_the_schema_has_a_name() -> None:
    assert manager.name == "manager"


def test_the_workflows_of_an_older_database_are_counted() -> None:
    conn = sqlite3.connect(":memory:")
    delivery.apply(Database(conn))
    manager.apply(Database(conn), stop_before="numbers")
    facts = "'t', 'p', 'c', ?, 4, '{}', 0, 0.0"
    columns = "id, template, plan, content, status, priority, inputs, steps_left, created"
    for name, status in (("w1", "failed"), ("w2", "completed"), ("w3", "completed")):
        conn.execute(f"INSERT INTO workflows ({columns}) VALUES (?, {facts})", (name, status))
    conn.execute("""UPDATE workflows SET inputs = '{"a":"ä"}' WHERE id = 'w1'""")

    def counted() -> dict[str, tuple[int, int]]:
        return {status: (count, size) for status, count, size in conn.execute("SELECT * FROM workflow_counts")}

    manager.apply(Database(conn))
    assert counted() == {"failed": (1, 10), "completed": (2, 4)}
    conn.execute("UPDATE workflows SET status = 'initializing' WHERE id = 'w1'")
    assert counted() == {"failed": (0, 0), "completed": (2, 4), "initializing": (1, 10)}
    conn.execute("DELETE FROM workflows WHERE id <> 'w2'")
    assert counted() == {"failed": (0, 0), "completed": (1, 2), "initializing": (0, 0)}


def test_serials_that_were_lies_are_not_kept() -> None:
    bench = Bench()
    bench.presence()
    bench.start("one")
    bench.run(bench.place())
    conn = bench.database.conn
    conn.execute("UPDATE agents SET database = 'd', known = :far, heard = :far", {"far": 1 << 62})
    conn.execute("UPDATE jobs SET serial = :far", {"far": 1 << 53})
    conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'serials'")
    conn.commit()
    manager.apply(Database(conn))
    assert bench.rows("SELECT database, known, heard FROM agents") == [{"database": "", "known": 0, "heard": 0}]
    assert [row["serial"] for row in bench.rows("SELECT serial FROM jobs")] == [0]


# What has a bound is counted as it comes and goes

COUNTED = {"rule_runs": "rule", "rule_values": "rule", "slots": "schedule", "notifications": "target"}


def numbers(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
    return {(what, name): rows for what, name, rows in conn.execute("SELECT * FROM row_counts")}


def counted_anew(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
    found = {
        (table, name): rows
        for table, owner in COUNTED.items()
        for name, rows in conn.execute(f"SELECT {owner}, count(*) FROM {table} GROUP BY {owner}")
    }
    unended = "SELECT cause, count(*) FROM workflows WHERE cause IS NOT NULL AND ended IS NULL GROUP BY cause"
    return found | {("unended", name): rows for name, rows in conn.execute(unended)}


def fill(conn: sqlite3.Connection, first: int, last: int) -> None:
    """Add rows with these numbers to all that is counted."""
    for statement in (
        "rule_runs SELECT 'hot', i, '[]', i",
        "rule_values SELECT 'hot', i, '', i",
        "slots SELECT 'nightly', i, 0",
        "notifications (target, event, body, date) SELECT 'hook', i, '', 0",
        "workflows (id, template, plan, content, status, priority, inputs, steps_left, created, cause)"
        " SELECT 'w' || i, 't', 'p', 'c', 'running', 4, '{}', 0, 0.0, 'trigger hot'",
    ):
        numbered = "WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
        conn.execute(f"{numbered} INSERT INTO {statement} FROM n", {"first": first, "last": last})


def test_what_a_message_costs_does_not_grow_with_the_rows_that_there_are() -> None:
    conn, steps = memory_database("managers").conn, 0
    store = Store(conn)

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def costs(rows: int) -> list[int]:
        nonlocal steps
        found = []
        for work in (
            lambda: store.rules.count_keys("hot"),
            lambda: store.rules.count_topics("hot"),
            lambda: store.rules.drop_oldest_key("hot"),
            lambda: store.rules.drop_oldest_topic("hot"),
            lambda: store.workflows.count_unended("trigger hot"),
            lambda: store.schedules.trim("nightly", rows),
            lambda: store.schedules.trim("nightly", rows - 1),
            lambda: store.notifications.trim("hook", rows),
            lambda: store.notifications.trim("hook", rows - 1),
        ):
            steps = 0
            conn.set_progress_handler(step, 1)
            work()
            conn.set_progress_handler(None, 1)
            found.append(steps)
        return found

    fill(conn, 1, 20)
    few = costs(20)
    assert numbers(conn) == counted_anew(conn)
    assert numbers(conn) == dict.fromkeys(numbers(conn), 19) | {("unended", "trigger hot"): 20}
    fill(conn, 21, 5000)
    assert costs(4999) == few
    assert numbers(conn) == counted_anew(conn)


def test_what_is_counted_follows_what_there_is() -> None:
    conn = memory_database("managers").conn
    fill(conn, 1, 3)
    conn.execute("UPDATE workflows SET ended = 1.0 WHERE id <> 'w1'")
    conn.execute("UPDATE workflows SET ended = 2.0 WHERE id = 'w2'")
    assert numbers(conn) == counted_anew(conn)
    conn.execute("UPDATE workflows SET ended = 1.0 WHERE id = 'w1'")
    assert ("unended", "trigger hot") not in numbers(conn)
    conn.execute("UPDATE workflows SET ended = NULL WHERE id <> 'w3'")
    assert numbers(conn)["unended", "trigger hot"] == 2
    for table in (*COUNTED, "workflows"):
        conn.execute(f"DELETE FROM {table}")
    assert numbers(conn) == {}


def test_the_rows_of_an_older_database_are_counted() -> None:
    conn = sqlite3.connect(":memory:")
    delivery.apply(Database(conn))
    manager.apply(Database(conn), stop_before="row_counts")
    fill(conn, 1, 3)
    conn.execute("UPDATE workflows SET ended = 1.0 WHERE id = 'w1'")
    manager.apply(Database(conn))
    assert numbers(conn) == counted_anew(conn)
    assert numbers(conn)["unended", "trigger hot"] == 2


# Open jobs are counted likewise, at each agent and together

ADD_JOB = """
    INSERT INTO jobs (job, step, attempt, agent, status, open, data_sent, repeat, placed)
    VALUES (:job, 1, 1, :agent, 'queued', :open, :sent, 1, 0.0)"""
OPEN_HERE = """
    SELECT 'open', agent, count(*) FROM jobs WHERE open GROUP BY agent
    UNION ALL SELECT 'open', '', count(*) FROM jobs WHERE open HAVING count(*) > 0
    UNION ALL SELECT 'unsent', agent, count(*) FROM jobs WHERE open AND NOT data_sent GROUP BY agent"""


def add_jobs(conn: sqlite3.Connection) -> list[str]:
    """Add a job of each kind at two agents; return their names."""
    kinds = [(agent, is_open, sent) for agent in ("a1", "a2") for is_open in (0, 1) for sent in (0, 1)]
    for number, (agent, is_open, sent) in enumerate(kinds):
        conn.execute(ADD_JOB, {"job": f"j{number}", "agent": agent, "open": is_open, "sent": sent})
    return [f"j{number}" for number, _ in enumerate(kinds)]


def open_here(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
    return {(what, name): rows for what, name, rows in conn.execute(OPEN_HERE)}


def test_open_jobs_are_counted_with_each_change() -> None:
    conn = memory_database("managers").conn
    jobs = add_jobs(conn)
    assert numbers(conn) == open_here(conn) != {}
    for is_open, sent in ((1, 0), (0, 0), (1, 1), (0, 1), (1, 0), (1, 1), (1, 0)):
        for job in jobs[::3]:
            conn.execute("UPDATE jobs SET open = ?, data_sent = ? WHERE job = ?", (is_open, sent, job))
            assert numbers(conn) == open_here(conn)
    for job in jobs:
        conn.execute("DELETE FROM jobs WHERE job = ?", (job,))
        assert numbers(conn) == open_here(conn)
    assert numbers(conn) == {}


def test_open_jobs_of_an_older_database_are_counted() -> None:
    conn = sqlite3.connect(":memory:")
    delivery.apply(Database(conn))
    manager.apply(Database(conn), stop_before="open_jobs")
    add_jobs(conn)
    manager.apply(Database(conn))
    assert numbers(conn) == open_here(conn) != {}
    assert (Store(conn).jobs.count_open(), numbers(conn)["unsent", "a1"]) == (4, 1)
