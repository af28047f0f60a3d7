"""Read-only connections for pages and APIs: each request sees one commit, and holds nobody up."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from caroni_edge.storage.database import commits_seen, open_reader


class Readers:
    """Connections that are lent to one request at a time, and kept for the next."""

    def __init__(self, path: Path) -> None:
        """Read from the state database at `path`."""
        self._path = path
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._watch: sqlite3.Connection | None = None

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection within a transaction: all statements see the same commit.

        Raises:
            sqlite3.Error: The database cannot be read.
        """
        conn = self._take()
        try:
            conn.execute("BEGIN")
            try:
                yield conn
            finally:
                conn.execute("ROLLBACK")
        except sqlite3.Error:
            conn.close()
            raise
        except BaseException:
            self._idle.put(conn)
            raise
        self._idle.put(conn)

    def commits(self) -> int:
        """Return a number that changes when somebody has committed, at next to no cost; for one thread alone.

        Raises:
            sqlite3.Error: The database cannot be read.
        """
        if self._watch is None:
            self._watch = open_reader(self._path)
        return commits_seen(self._watch)

    def close(self) -> None:
        """Close the connections that no request has now."""
        if self._watch is not None:
            self._watch.close()
        while (conn := self._idle_one()) is not None:
            conn.close()

    def _take(self) -> sqlite3.Connection:
        return self._idle_one() or open_reader(self._path)

    def _idle_one(self) -> sqlite3.Connection | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None
