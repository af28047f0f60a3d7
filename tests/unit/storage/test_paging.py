"""Lists by page."""

import sqlite3

import pytest

from caroni_edge.storage.paging import NEWEST, read_page

FALLING = "SELECT id FROM things WHERE id < :after AND kind = :kind ORDER BY id DESC LIMIT :limit"


@pytest.fixture
def conn() -> sqlite3.Connection:
    """Make five things, with another one between them."""
    conn = sqlite3.connect(":memory:")
    conn.row_factory = sqlite3.Row
    conn.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, kind TEXT)")
    conn.executemany("INSERT INTO things VALUES (?, ?)", [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "a"), (6, "a")])
    return conn


def test_pages_follow_each_other_and_the_last_one_says_so(conn: sqlite3.Connection) -> None:
    seen, after = [], NEWEST
    while True:
        rows, following = read_page(conn, FALLING, "id", 2, kind="a", after=after)
        seen.append([row["id"] for row in rows])
        if following is None:
            break
        after = int(following)
    assert seen == [[6, 5], [4, 2], [1]]


def test_a_full_page_with_nothing_behind_it_is_the_last(conn: sqlite3.Connection) -> None:
    rows, following = read_page(conn, FALLING, "id", 5, kind="a", after=NEWEST)
    assert ([row["id"] for row in rows], following) == ([6, 5, 4, 2, 1], None)
    assert read_page(conn, FALLING, "id", 5, kind="none", after=NEWEST) == ([], None)
