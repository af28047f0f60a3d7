"""The state directory and its database, looked at without a trace: whose, whole, of which release, in use by whom."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from caroni_edge.agent.store.shown import ShownJobRows
from caroni_edge.config import NodeConfig
from caroni_edge.doctor import bucket, objects, state_dir
from caroni_edge.doctor.clock import Dates
from caroni_edge.doctor.findings import Finding, ok, problem
from caroni_edge.manager.store.shown import ShownAgentRows, ShownWorkflowRows
from caroni_edge.node.startup import DATABASE, LOCK
from caroni_edge.node.store import FactRows
from caroni_edge.storage.database import DatabaseCorrupt
from caroni_edge.storage.migrations import DatabaseNewer, OtherRole, Role, refuse_newer

CHECK_WITHIN_S = 10.0
LOCKS = Path("/proc/locks")


@dataclass
class State:
    """What the state directory tells the other checks.

    Attributes:
        pid: The process that runs the node; None when it is stopped.
        boots: The processes that the node has been.
        dates: None when the database could not be read.
    """

    pid: int | None = None
    boots: tuple[str, ...] = ()
    dates: Dates | None = None


def check(config: NodeConfig, state: State) -> Iterator[Finding]:
    """Look at the state directory and the database, and note in `state` what is seen."""
    if not config.state_dir.exists():
        yield _missing(config.state_dir)
        return
    state.pid = holder(config.state_dir / LOCK)
    yield ok("daemon", f"it runs here (pid {state.pid})" if state.pid is not None else "it does not run here")
    yield from state_dir.of_directory(config.state_dir)
    path = config.state_dir / DATABASE
    if not path.exists():
        yield ok("database", "there is none yet: the first start makes it")
        yield from bucket.check(config, None)
        return
    try:
        with closing(_open(path)) as conn:
            refuse_newer(conn, config.role, str(path))
            yield state_dir.of_database(conn, CHECK_WITHIN_S)
            state.boots = tuple(FactRows(conn).boots())
            state.dates = _dates(conn, config.role)
            away = bucket.away_of(config, conn)
            yield from objects.check(conn, config.state_dir, is_running=state.pid is not None, away=away)
            yield from bucket.check(config, conn)
    except (DatabaseNewer, OtherRole) as error:
        yield problem("database", str(error), error.advice)
    except sqlite3.Error as error:
        yield _unusable(path, error)


def _dates(conn: sqlite3.Connection, role: Role) -> Dates:
    if role == "agents":
        return Dates(ShownJobRows(conn).latest())
    return Dates(ShownWorkflowRows(conn).latest(), dict(ShownAgentRows(conn).early_starts()))


def holder(lock: Path) -> int | None:
    """Return the process that holds a lock file, without touching the lock."""
    try:
        inode = str(lock.stat().st_ino)
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    for words in map(str.split, lines):
        if "FLOCK" in words and len(words) > 5 and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def _missing(path: Path) -> Finding:
    parent = next(each for each in path.absolute().parents if each.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return ok("state_dir", f"{path} does not exist yet: the first start makes it")
    hint = f"Make {path} for the user that runs the node, or set another state_dir."
    return problem("state_dir", f"{path} does not exist, and {parent} may not be written", hint)


def _open(path: Path) -> sqlite3.Connection:
    """Open a database to read it; one that nobody has open as `immutable`, so that no files are made beside it.

    See https://www.sqlite.org/uri.html#uriimmutable.
    """
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=5.0)


def _unusable(path: Path, error: sqlite3.Error) -> Finding:
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return problem("database", f"{path} is corrupt: {error}", DatabaseCorrupt.hint)
    return problem("database", f"{path} cannot be read: {error}", "Look at the disk, and run this as the node's user.")
