"""The large files that a node keeps: whether what its rows name is there, by names and sizes; nothing is read."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.store.rows import ObjectRows

PAGE = 1000
_MB = 1_000_000


def check(
    conn: sqlite3.Connection, state_dir: Path, *, is_running: bool, away: Collection[ObjectId] = ()
) -> Iterator[Finding]:
    """Compare the rows of large files with what lies in the state directory, but for what is in a bucket alone."""
    known, name = set[Object](), ""
    try:
        while page := ObjectRows(conn).after(name, PAGE):
            known.update(Object(sha256_of(each.object), each.size) for each in page if each.object not in away)
            name = page[-1].object
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return  # an earlier release made the database: the next start brings the tables
        raise
    try:
        here = set(ObjectFiles(state_dir).sizes())
    except OSError as error:
        said = f"the large files cannot be listed: {error.strerror}"
        yield problem("store", said, "Run this as the node's user, and look at the disk.")
        return
    if known or here:
        yield of_files(known, here, is_running=is_running)


def of_files(known: Collection[Object], here: Collection[Object], *, is_running: bool) -> Finding:
    """Judge what is there.

    Args:
        known: What rows name.
        here: What lies on disk.
        is_running: The node runs, so that something may just be coming or going.
    """
    lost, more = sorted({*known} - {*here}), {*here} - {*known}
    total = f"{len(known)} large files, {sum(each.size for each in known) / _MB:,.0f} MB"
    if lost:
        said = f"{len(lost)} of {total}, are not there, or have another size: {lost[0].id}"
        hint = "At its next start the node says so to those who count on them; what can be made again, is."
        return warning("store", said, hint)
    if more and not is_running:
        said = f"{len(more)} files, {sum(each.size for each in more) / _MB:,.0f} MB, lie beside the {total}"
        return warning("store", said, "Nobody needs them: they go when the node starts.")
    return ok("store", total)
