"""What the node knows of itself: the name of its database, its count of changes, whether it is drained."""

import sqlite3

SET_DATABASE = "INSERT INTO facts (key, value) VALUES ('database', ?) ON CONFLICT (key) DO NOTHING"
DATABASE = "SELECT value FROM facts WHERE key = 'database'"
NEXT_SERIAL = "UPDATE counters SET value = value + 1 WHERE name = 'serial' RETURNING value"
SERIAL = "SELECT value FROM counters WHERE name = 'serial'"
RAISE_SERIAL = "UPDATE counters SET value = max(value, ?) WHERE name = 'serial'"
DRAIN = "INSERT INTO facts (key, value) VALUES ('drained', '1') ON CONFLICT (key) DO NOTHING"
UNDRAIN = "DELETE FROM facts WHERE key = 'drained'"
DRAINED = "SELECT 1 FROM facts WHERE key = 'drained'"


class Facts:
    """Statements about the node itself."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def make_database(self, name: str) -> None:
        """Give the database its name, if it has none."""
        self._conn.execute(SET_DATABASE, (name,))

    def database(self) -> str:
        """Return the name of the database."""
        name: str = self._conn.execute(DATABASE).fetchone()[0]
        return name

    def next_serial(self) -> int:
        """Count a change, and return the count."""
        serial: int = self._conn.execute(NEXT_SERIAL).fetchone()[0]
        return serial

    def serial(self) -> int:
        """Return the count of changes."""
        serial: int = self._conn.execute(SERIAL).fetchone()[0]
        return serial

    def raise_serial(self, least: int) -> None:
        """Let the count of changes be `least` or more."""
        self._conn.execute(RAISE_SERIAL, (least,))

    def drain(self) -> None:
        """The agent takes no new work."""
        self._conn.execute(DRAIN)

    def undrain(self) -> None:
        """It does again."""
        self._conn.execute(UNDRAIN)

    def drained(self) -> bool:
        """Tell whether the agent takes no new work."""
        return self._conn.execute(DRAINED).fetchone() is not None
