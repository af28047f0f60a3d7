"""SECURITY.md says what a peer may keep on other nodes: of every table, and with the numbers that are in the code.

What it says of stolen logins and of jobs names the tests that try it.
"""

import re
from pathlib import Path

import pytest

from caroni_edge.agent.peers import answering
from caroni_edge.agent.retention import NEVER_BEGAN_KEPT
from caroni_edge.delivery import link
from caroni_edge.manager.jobs import logs
from caroni_edge.manager.offers import placing
from caroni_edge.manager.peers import reconcile, strays
from caroni_edge.node import dispatch
from caroni_edge.protocol.codec import FRAME_LIMIT_BYTES
from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations import Role

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.partition("## What a peer may keep here")[2].splitlines() if line.startswith("| ")][1:]
MIB, KIB = 1 << 20, 1 << 10
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"

OF_PEOPLE: dict[Role, set[str]] = {
    "managers": {
        "audit",
        "bound",
        "bulks",
        "demands",
        "evaluations",
        "events",
        "failing",
        "gates",
        "notifications",
        "pauses",
        "plans",
        "pruned",
        "rule_counts",
        "rule_filters",
        "row_counts",
        "rule_runs",
        "rule_values",
        "scattered",
        "schedules",
        "silent",
        "slots",
        "steps",
        "targets",
        "triggers",
        "unserved",
        "workflow_counts",
        "workflow_labels",
        "workflows",
        "facts",
    },
    "agents": {"audit", "counters", "events", "leaving", "records", "versions"},
}
"""Tables that grow by what users want, by the node's own job types, or not at all; no message of a peer adds a row."""


def row_of(start: str) -> str:
    (found,) = [row for row in ROWS if row.startswith(f"| {start}")]
    return found


@pytest.mark.parametrize(
    ("start", "numbers"),
    [
        ("both: `outbox`", [f"{link.WAITING_MAX:,}", f"{link.WAITING_MAX_BYTES // MIB} MiB"]),
        ("both: links", [f"the last {link.ANSWERS_MAX}"]),
        (
            "both: `dead_letters`",
            [f"{dispatch.DEAD_LETTERS_KEPT:,}", f"{dispatch.DEAD_LETTER_MAX_BYTES // KIB} KiB"],
        ),
        ("manager: `answers`", [f"{reconcile.UNKNOWN_MAX:,}", f"{reconcile.UNKNOWN_MAX_BYTES // MIB} MiB"]),
        ("manager: `offers`", [f"{placing.UNDECIDED_MAX:,}", f"{placing.VALID_MAX_S:g} s"]),
        ("manager: `agents`", [f"{FRAME_LIMIT_BYTES // KIB} KiB"]),
        ("manager: `jobs`", [f"{placing.PLACES_MAX:,} open", f"{placing.PLACES_MAX:,} ahead", f"{strays.CLAIMS_MAX} "]),
        ("manager: `logs`", [f"{logs.LOG_LIMIT_BYTES // MIB} MiB", f"{logs.WHOLE_LIMIT_BYTES // MIB} MiB"]),
        (
            "manager: queries",
            [f"| {reconcile.UNANSWERED_MAX} ", f"{reconcile.AGAIN.first_s:g} s to {reconcile.AGAIN.max_s:g} s"],
        ),
        ("agent: `jobs`", [f"{NEVER_BEGAN_KEPT:,}"]),
        ("agent: `answers`", [f"{answering.WAITING_MAX} messages"]),
    ],
)
def test_the_bounds_are_those_of_the_code(start: str, numbers: list[str]) -> None:
    row = row_of(start)
    for number in numbers:
        assert re.search(rf"(?<!\d){re.escape(number)}", row), f"{number} is not in: {row}"


@pytest.mark.parametrize("role", ["managers", "agents"])
def test_every_table_is_named_or_is_none_that_a_peer_makes_grow(role: Role) -> None:
    names = {name for (name,) in memory_database(role).conn.execute(TABLES)} - {"_sqlite_migrations"}
    named = {
        name
        for row in ROWS
        if row.startswith(("| both", f"| {role[:-1]}"))
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert names - named == OF_PEOPLE[role]
    assert named <= names


TRIED_IN = re.compile(r"`((?:e2e|integration|unit)/[\w/.]+|simulation)`")


def test_the_tests_that_try_what_is_said_are_there() -> None:
    tables = re.split(r"\n\n", TEXT)
    rows = [row for table in tables if "| `tests/` |" in table for row in table.splitlines()[2:]]
    assert len(rows) == 46
    for row in rows:
        named = TRIED_IN.findall(row.rpartition(" | ")[2])
        assert named, row
        assert not [name for name in named if not (Path(__file__).parents[1] / name).exists()], row
