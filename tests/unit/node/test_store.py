"""What every node keeps of itself."""

import pytest

from caroni_edge.node.store import AUDIT_KEPT, AuditRows, DeadLetterRows, FactRows
from caroni_edge.storage.database import memory_database
from tests.statements import statements

STATEMENTS = statements("node.store")
ALL_ROWS = {
    # For metrics: a row for each message that nobody could handle, a thousand at most.
    "DeadLetterRows.COUNT",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table(name: str) -> None:
    scans = [step for step in STATEMENTS[name].plan(memory_database("agents").conn) if step.startswith("SCAN")]
    assert bool(scans) == (name in ALL_ROWS), scans


def test_a_fact_is_replaced_and_forgotten() -> None:
    facts = FactRows(memory_database("managers").conn)
    assert (facts.get("drained"), facts.database(), facts.boots()) == (None, "", [])
    facts.set("drained", "1")
    facts.set("drained", "2")
    facts.name_database("d1")
    facts.keep_boots(["b1", "b2"])
    assert (facts.get("drained"), facts.database(), facts.boots()) == ("2", "d1", ["b1", "b2"])
    facts.delete("drained")
    assert facts.get("drained") is None


def test_the_latest_dead_letters_stay() -> None:
    rows = DeadLetterRows(memory_database("agents").conn)
    rows.trim(2)
    for number in range(5):
        rows.add(date=float(number), peer="m1", kind="JobKill", body=b"{}", traceback="Traceback")
        rows.trim(2)
    assert rows.count() == 2
    assert [date for (date,) in rows._conn.execute("SELECT date FROM dead_letters ORDER BY id")] == [3.0, 4.0]


def test_what_people_have_done_is_read_by_pages_and_the_oldest_goes() -> None:
    rows = AuditRows(memory_database("agents").conn)
    for number in range(5):
        rows.add(date=float(number), who="admin", address="::1", action="kill", about={"job": f"j{number}"})
    page = rows.page(2, None)
    assert [(row.date, row.about, row.outcome) for row in page.rows] == [
        (4.0, '{"job":"j4"}', "done"),
        (3.0, '{"job":"j3"}', "done"),
    ]
    assert [row.date for row in rows.page(10, int(page.next or 0)).rows] == [2.0, 1.0, 0.0]
    rows._conn.execute("UPDATE audit SET id = id + ? WHERE id = 5", (AUDIT_KEPT,))
    rows.add(date=0.0, who="admin", address="", action="kill", about={}, outcome="refused")
    assert [row.id for row in rows.page(10, None).rows] == [AUDIT_KEPT + 6, AUDIT_KEPT + 5]
