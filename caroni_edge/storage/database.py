"""A node's state database: one writer, one transaction for each batch, safe over a power cut.

WAL with ``synchronous=FULL``: what was committed survives a power cut
(https://www.sqlite.org/pragma.html#pragma_synchronous). The node's thread owns the writing connection; pages read on
their own read-only ones, which it never holds up, nor they it (https://www.sqlite.org/wal.html#concurrency).
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import inf
from pathlib import Path
from time import monotonic

from caroni_edge.base import private
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.memory import Journal
from caroni_edge.storage.migrations import Role, migrate

# Errors that are no statement's fault: on some of these SQLite may have rolled the whole transaction back by itself
# (https://www.sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction").
_STORAGE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_TOO_LITTLE_BYTES = 1 << 20
"""With less than that free, the disk is to blame for an error of which SQLite does not say why."""

STEPS_BETWEEN_LOOKS = 10_000
"""So often SQLite looks whether the time for a check is over."""


class StorageFailed(CaroniError):
    """The state database cannot be used: {reason}."""

    hint = "Look at the disk: space, read-only mount, kernel log. Nothing was lost; the node tries again."


class DiskFull(StorageFailed):
    """The disk of the state database is full, {free_bytes} bytes are free: {reason}."""

    hint = "Make room on that disk. Nothing was lost: a node that runs tries again; start one that has ended again."


class DatabaseCorrupt(StorageFailed):
    """The state database is corrupt: {reason}."""

    hint = (
        "Look at the disk (kernel log); `caroni-edge doctor` checks the file. Put back a copy, or move the file "
        "away and start anew: what matters then comes from reconciliation with the peers."
    )
    exit_status = 2


class Database:
    """The writing connection of a node's state database.

    Attributes:
        conn: In autocommit mode; transactions are begun and ended here only.
        path: The file, or None in memory.
        journal: Undoes in memory what a transaction or a savepoint undoes in the rows.
    """

    def __init__(self, conn: sqlite3.Connection, path: Path | None = None) -> None:
        """Wrap an open connection; see `open_database` and `memory_database`."""
        self.conn = conn
        self.path = path
        self.journal = Journal()

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """A transaction that has the writer's lock from its beginning, and is rolled back on any exception.

        A transaction that begins by reading may find at its first write that another connection has written since, and
        can then only be given up (https://www.sqlite.org/rescode.html#busy_snapshot); this one cannot.

        Raises:
            StorageFailed: SQLite could not do it, or had rolled back by itself.
        """
        try:
            self.conn.execute("BEGIN IMMEDIATE")
            self.journal.begin()
            yield
            if not self.conn.in_transaction:
                raise StorageFailed(self.where, reason="SQLite has rolled the transaction back")
            self.conn.execute("COMMIT")
            self.journal.end()
        except BaseException as error:
            self.journal.go_back()
            self.journal.end()
            failure = self.failure(error) if isinstance(error, sqlite3.Error) else None
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")
            if failure:
                raise failure from error
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the open transaction that can fail alone (https://www.sqlite.org/lang_savepoint.html).

        Raises:
            StorageFailed: The failure is the storage's, so the whole transaction must end.
        """
        self.conn.execute("SAVEPOINT part")
        mark = self.journal.mark()
        try:
            yield
        except BaseException as error:
            if failure := self.failure(error):
                raise failure from error
            self.conn.execute("ROLLBACK TO part")
            self.conn.execute("RELEASE part")
            self.journal.go_back(mark)
            raise
        self.conn.execute("RELEASE part")

    def failure(self, error: BaseException) -> StorageFailed | None:
        """Return what `error` means when it is the storage's fault, None when it is not."""
        if isinstance(error, StorageFailed):
            return error
        # The low byte is the primary result code (https://www.sqlite.org/rescode.html). Errors of the module itself (a
        # wrong number of bindings, say) have none.
        if isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _STORAGE_CODES:
            reason = f"{error} ({error.sqlite_errorname})"
            return _disk_full(self.path, error, reason) or StorageFailed(self.where, reason=reason)
        if not self.conn.in_transaction:
            return StorageFailed(self.where, reason=f"SQLite has rolled the transaction back ({error})")
        return None

    @property
    def where(self) -> str:
        """The name of the file, or what stands for it in memory: the `where` of errors."""
        return str(self.path or ":memory:")

    def close(self) -> None:
        """Close the connection; WAL is folded into the file when nobody else has it open."""
        self.conn.close()


def open_database(path: Path, role: Role) -> Database:
    """Open or make the state database of a node, and bring it up to this program's schema.

    Raises:
        StorageFailed: It cannot be opened or written.
        DatabaseCorrupt: It is no database any more.
        DatabaseNewer: A newer program has written it.
    """
    try:
        path.parent.mkdir(private.DIRECTORY_MODE, parents=True, exist_ok=True)
        with open(path, "ab", opener=private.opener):  # the files beside it get its mode from SQLite
            pass
        conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        migrate(conn, role, str(path))
        # What a savepoint may have to put back is a few pages for each message: no file is made and deleted for that. A
        # migration may sort millions of rows; it comes before.
        conn.execute("PRAGMA temp_store = MEMORY")
    except (sqlite3.Error, OSError) as error:
        raise _failed(path, error) from error
    return Database(conn, path)


def _failed(path: Path, error: Exception) -> StorageFailed:
    """Return what it means that a database cannot be opened or read."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = DatabaseCorrupt if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else StorageFailed
    return _disk_full(path, error, str(error)) or kind(str(path), reason=error)


def _disk_full(path: Path | None, error: Exception, reason: str) -> DiskFull | None:
    """Return that the disk is full, where that is why SQLite has failed.

    It says so of what it writes into its files. Where it makes them larger in another way (`SQLITE_IOERR_SHMSIZE`), or
    the quota of a user is what is full, it only says that something went wrong.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    is_said = code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in _NO_ROOM)
    if path is None or not (is_said or code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)):
        return None
    try:
        free_bytes = shutil.disk_usage(path.parent).free
    except OSError:
        return None
    full = DiskFull(str(path), free_bytes=f"{free_bytes:,}", reason=reason)
    return full if is_said or free_bytes < _TOO_LITTLE_BYTES else None


def memory_database(role: Role) -> Database:
    """Make a state database in memory, for tests and simulation."""
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=512)
    migrate(conn, role, ":memory:")
    return Database(conn)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a read-only connection; a transaction on it sees the last commit before it began."""
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=5.0)
    conn.execute("PRAGMA query_only = ON")
    return conn


def commits_seen(conn: sqlite3.Connection) -> int:
    """Return a number that changes when another connection commits: SQLite's `data_version`, which costs nothing.

    It has a meaning only beside what the same connection said before.
    """
    return int(conn.execute("PRAGMA data_version").fetchone()[0])


def corruption(conn: sqlite3.Connection, within_s: float) -> tuple[str | None, bool]:
    """Check a database as SQLite does (https://www.sqlite.org/pragma.html#pragma_quick_check), for a bounded time.

    Returns:
        What is wrong with it, None for nothing; and whether all of it was looked at.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    give_up_at = monotonic() + within_s
    conn.set_progress_handler(lambda: monotonic() > give_up_at, STEPS_BETWEEN_LOOKS)
    try:
        found: str = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None, False
    finally:
        conn.set_progress_handler(None, 0)
    return (None if found == "ok" else found), True


def copy_database(path: Path, to: Path) -> int:
    """Copy a state database as it is after its last commit, whether a node uses it or not, and return its size.

    The copy is its owner's alone. It gets its name when all of it is on the disk and nothing is wrong with it.

    Raises:
        StorageFailed: It cannot be read or written.
        DatabaseCorrupt: Something is wrong with it, and so with the copy, which is removed.
        OSError: The copy cannot be made there.
    """
    begun = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        with open(begun, "xb", opener=private.opener):
            pass
        with closing(open_reader(path)) as source, closing(sqlite3.connect(begun, isolation_level=None)) as copy:
            source.backup(copy)  # all at once: what is committed meanwhile is not in it (sqlite.org/backup.html)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which needs none beside it
            found, _ = corruption(copy, inf)
            copied_bytes = size_bytes(copy)
        if found is not None:
            raise DatabaseCorrupt(str(path), reason=found)
        os.link(begun, to)  # which replaces nothing
    except sqlite3.Error as error:
        raise _failed(path, error) from error
    finally:
        begun.unlink(missing_ok=True)
    return copied_bytes


def size_bytes(conn: sqlite3.Connection) -> int:
    """Return how large a state database is."""
    pages, page_bytes = (conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * page_bytes)
