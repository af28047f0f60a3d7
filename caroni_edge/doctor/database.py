"""The state directory and its database, looked at without a trace: whose, whole, of which release, in use by whom."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from caroni_edge.agent.store.shown import ShownJobRows
from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.manager.store.shown import ShownAgentRows, ShownWorkflowRows
from caroni_edge.node.startup import DATABASE, LOCK
from caroni_edge.node.store import FactRows
from caroni_edge.storage.database import DatabaseCorrupt
from caroni_edge.storage.migrations import DatabaseNewer, OtherRole, Role, refuse_newer

CHECK_WITHIN_S = 10.0
LOCKS = Path("/proc/locks")
STEPS_BETWEEN_LOOKS = 10_000


@dataclass(frozen=True)
class Dates:
    """Dates in the database that tell whether clocks are right.

    Attributes:
        latest: The latest that this node has written down by its own clock.
        early: How long before its placing a job began, by the clock of each agent, in seconds.
    """

    latest: float = 0.0
    early: dict[str, float] = field(default_factory=dict)


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
    yield from _directory(config.state_dir)
    path = config.state_dir / DATABASE
    if not path.exists():
        yield ok("database", "there is none yet: the first start makes it")
        return
    try:
        with closing(_open(path)) as conn:
            refuse_newer(conn, config.role, str(path))
            yield _whole(conn)
            state.boots = tuple(FactRows(conn).boots())
            state.dates = _dates(conn, config.role)
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


def _directory(path: Path) -> Iterator[Finding]:
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


def _open(path: Path) -> sqlite3.Connection:
    """Open a database to read it; one that nobody has open as `immutable`, so that no files are made beside it.

    See https://www.sqlite.org/uri.html#uriimmutable.
    """
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=5.0)


def _whole(conn: sqlite3.Connection) -> Finding:
    """Check the database as SQLite does (https://www.sqlite.org/pragma.html#pragma_quick_check), for a bounded time."""
    give_up_at = monotonic() + CHECK_WITHIN_S
    conn.set_progress_handler(lambda: monotonic() > give_up_at, STEPS_BETWEEN_LOOKS)
    try:
        found: str = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return ok("database", f"nothing is wrong as far as was checked in {CHECK_WITHIN_S:g} s")
    finally:
        conn.set_progress_handler(None, 0)
    if found != "ok":
        return problem("database", f"it is corrupt: {found}", DatabaseCorrupt.hint)
    return ok("database", "it is whole")


def _unusable(path: Path, error: sqlite3.Error) -> Finding:
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return problem("database", f"{path} is corrupt: {error}", DatabaseCorrupt.hint)
    return problem("database", f"{path} cannot be read: {error}", "Look at the disk, and run this as the node's user.")
