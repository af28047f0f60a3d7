"""The state directory and what is in it, as anybody who may read it can judge them, the running node too."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.node.startup import DATABASE
from caroni_edge.storage.database import DatabaseCorrupt, corruption


def of_directory(path: Path) -> Iterator[Finding]:
    """Judge whether the node, and nobody else, may write there."""
    found = path.stat()
    hint = "Run this, and the node, as the user that the directory belongs to; or correct its owner and mode."
    if not os.access(path, os.W_OK | os.X_OK | os.R_OK):
        reason = "read-only" if os.statvfs(path).f_flag & os.ST_RDONLY else "not to be written by this user"
        yield problem("state_dir", f"{path} is {reason}", hint)
    elif found.st_mode & stat.S_IWOTH:
        yield warning("state_dir", f"everybody may write into {path}", f"chmod o-w {path}")
    elif strangers := [each.name for each in path.glob(f"{DATABASE}*") if each.stat().st_uid != found.st_uid]:
        said = f"{', '.join(sorted(strangers))} in {path} belong to another user than the directory"
        yield problem("state_dir", said, f"chown -R --reference={path} {path}")
    else:
        yield ok("state_dir", f"{path} is writable")


def of_database(conn: sqlite3.Connection, within_s: float) -> Finding:
    """Check whether the database is whole, for so long at most."""
    found, is_all = corruption(conn, within_s)
    if found is not None:
        return problem("database", f"it is corrupt: {found}", DatabaseCorrupt.hint)
    return ok("database", "it is whole" if is_all else f"nothing is wrong as far as was checked in {within_s:g} s")
