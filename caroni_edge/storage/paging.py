"""Lists that are read by page: some rows at a time, and where the next page begins."""

import sqlite3

NEWEST = 1 << 62
"""Where a list by falling keys begins: no row has a key as great."""


def read_page(
    conn: sqlite3.Connection, sql: str, key: str, limit: int, **given: object
) -> tuple[list[sqlite3.Row], str | None]:
    """Return one page of rows, and the `after` of the next page: None when this is the last one.

    Args:
        conn: A connection whose rows go by name.
        sql: The statement. Its `:limit` is given here: one row more than a page has, to see whether there are more.
        key: The column by which the rows are ordered, and which `after` means.
        limit: How many rows a page has at most.
        given: The other parameters.
    """
    found = conn.execute(sql, {**given, "limit": limit + 1}).fetchall()
    rows = found[:limit]
    return rows, str(rows[-1][key]) if len(found) > limit else None
