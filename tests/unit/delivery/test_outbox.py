"""The rows of the link and of the events: each statement finds what it needs by an index."""

import re
import sqlite3

import pytest

from caroni_edge.delivery import events, outbox
from caroni_edge.delivery.outbox import OutboxRows, Row
from caroni_edge.storage.database import memory_database

ALL_PEERS = {"AGE", "SILENT"}
"""Statements that concern all peers by their nature, every ten minutes."""


@pytest.fixture(scope="module")
def conn() -> sqlite3.Connection:
    return memory_database("agents").conn


def statements() -> list[tuple[str, str]]:
    return [
        (f"{module.__name__}.{name}", value)
        for module in (outbox, events)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and name not in ALL_PEERS
    ]


@pytest.mark.parametrize(("name", "sql"), statements())
def test_no_statement_reads_a_whole_table(conn: sqlite3.Connection, name: str, sql: str) -> None:
    parameters = [None] * len(set(re.findall(r"\?\d", sql)) or sql.count("?") * "?")
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert not [step for step in steps if re.match(r"SCAN (outbox|peers|events)\b", step)], steps


def test_each_peer_for_whom_rows_wait_is_found_once() -> None:
    rows = OutboxRows(memory_database("agents").conn)
    assert rows.waiting() == []
    for peer in ("b", "a", "c", "b", "a"):
        last = rows.last(peer)
        rows.add(peer, Row(last[0] + 1 if last else 1, "id", b""))
    assert rows.waiting() == ["a", "b", "c"]


def test_first_row_comes_however_large_it_is_and_others_while_they_fit() -> None:
    rows = OutboxRows(memory_database("agents").conn)
    for seq in (1, 2, 3, 4):
        rows.add("p", Row(seq, f"id{seq}", b"....."))
    assert [row.seq for row in rows.above("p", 1, 12)] == [2, 3]
    assert [row.seq for row in rows.above("p", 1, 11)] == [2]
    assert [row.seq for row in rows.above("p", 1, 1)] == [2]
    assert rows.above("p", 4, 12) == []
