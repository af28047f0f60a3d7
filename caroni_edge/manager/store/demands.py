"""The demand for each job type: what was said last, and since when nobody serves it."""

import sqlite3

KNOW = "INSERT INTO demands (job_type) VALUES (?) ON CONFLICT DO NOTHING"
ALL = "SELECT job_type FROM demands ORDER BY job_type"
GET = "SELECT serial, said FROM demands WHERE job_type = ?"
SAY = "UPDATE demands SET serial = ?, said = ? WHERE job_type = ?"
RENEW = "UPDATE demands SET said = NULL WHERE job_type = ? AND said <> x''"
SET_UNSERVED = """
    INSERT INTO demands (job_type, unserved_since) VALUES (?, ?)
    ON CONFLICT (job_type) DO UPDATE SET unserved_since = coalesce(unserved_since, excluded.unserved_since)"""
SET_SERVED = """
    UPDATE demands SET unserved_since = NULL WHERE job_type = ? AND unserved_since IS NOT NULL RETURNING job_type"""
UNSERVED = "SELECT job_type FROM demands WHERE unserved_since + ? <= ? ORDER BY job_type"
NEXT_UNSERVED = "SELECT min(unserved_since + ?1) FROM demands WHERE unserved_since + ?1 > ?2"
BEGIN_ANEW = "UPDATE demands SET unserved_since = ? WHERE unserved_since IS NOT NULL"


class Demands:
    """Statements about demand. The table has a row for each job type ever met: a few, so it needs no index."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def know(self, job_type: str) -> None:
        """Make sure that a job type has a row."""
        self._conn.execute(KNOW, (job_type,))

    def all(self) -> list[str]:
        """Return all job types that any step ever had."""
        return [job_type for (job_type,) in self._conn.execute(ALL)]

    def get(self, job_type: str) -> tuple[int, bytes | None]:
        """Return serial and content of what was said last: empty for no demand, None when it is out of date."""
        row = self._conn.execute(GET, (job_type,)).fetchone()
        return (row[0], row[1]) if row else (0, b"")

    def say(self, job_type: str, serial: int, said: bytes) -> None:
        """Note what is said."""
        self.know(job_type)
        self._conn.execute(SAY, (serial, said, job_type))

    def renew(self, job_type: str) -> None:
        """Let a demand that stands count as another one, even if as many steps are unplaced as before."""
        self._conn.execute(RENEW, (job_type,))

    def set_unserved(self, job_type: str, now: float) -> None:
        """Nobody serves the type from now on, or from earlier."""
        self._conn.execute(SET_UNSERVED, (job_type, now))

    def set_served(self, job_type: str) -> bool:
        """Somebody serves the type; return whether that is new."""
        return self._conn.execute(SET_SERVED, (job_type,)).fetchone() is not None

    def unserved(self, for_s: float, now: float) -> list[str]:
        """Return the types that nobody has served for so long or longer."""
        return [job_type for (job_type,) in self._conn.execute(UNSERVED, (for_s, now))]

    def next_unserved(self, for_s: float, now: float) -> float | None:
        """Return when this will be true of the next type."""
        found: float | None = self._conn.execute(NEXT_UNSERVED, (for_s, now)).fetchone()[0]
        return found

    def begin_anew(self, now: float) -> None:
        """A process has started: its clock is another."""
        self._conn.execute(BEGIN_ANEW, (now,))
