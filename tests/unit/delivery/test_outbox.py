"""The rows of the link and of the events: each statement finds what it needs by an index."""

import re

import pytest

from caroni_edge.delivery.outbox import OutboxRow, OutboxRows
from caroni_edge.storage.database import memory_database
from tests.statements import statements

ALL_PEERS = {"OutboxRows.AGE", "OutboxRows.SILENT", "OutboxRows.COUNT_WAITING"}
"""Statements that concern all peers by their nature: every ten minutes, and for metrics."""
FROM_AN_END = {"EventRows.COUNT"}
"""Scans that end with the first row."""

STATEMENTS = statements("delivery")


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table(name: str) -> None:
    steps = STATEMENTS[name].plan(memory_database("agents").conn)
    scans = [step for step in steps if re.match(r"SCAN (outbox|o|peers|p|events)\b", step)]
    assert not scans or name in ALL_PEERS | FROM_AN_END, scans
    assert not any("outbox" in scan for scan in scans)
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 20
    assert STATEMENTS.keys() >= ALL_PEERS | FROM_AN_END


def test_each_peer_for_whom_rows_wait_is_found_once() -> None:
    rows = OutboxRows(memory_database("agents").conn)
    assert rows.waiting() == []
    for peer in ("b", "a", "c", "b", "a"):
        last = rows.last(peer)
        rows.add(peer, OutboxRow(last[0] + 1 if last else 1, "id", b""))
    assert rows.waiting() == ["a", "b", "c"]


def test_first_row_comes_however_large_it_is_and_others_while_they_fit() -> None:
    rows = OutboxRows(memory_database("agents").conn)
    for seq in (1, 2, 3, 4):
        rows.add("p", OutboxRow(seq, f"id{seq}", b"....."))
    assert [row.seq for row in rows.above("p", 1, 12)] == [2, 3]
    assert [row.seq for row in rows.above("p", 1, 11)] == [2]
    assert [row.seq for row in rows.above("p", 1, 1)] == [2]
    assert rows.above("p", 4, 12) == []


def test_what_waits_is_counted_without_reading_it() -> None:
    rows = OutboxRows(memory_database("agents").conn)
    rows.mark_reconcile("nothing waits")
    for seq in (4, 5, 6):
        rows.add("p", OutboxRow(seq, f"id{seq}", b""))
    rows.save_positions("p", (3, "id3"), (0, ""))
    assert sorted(rows.count_waiting()) == [0, 3]
