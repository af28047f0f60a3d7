"""Who this process is: its boot, and whether another node uses its id (docs/protocol.md, "Two nodes with one id")."""

import sqlite3
from collections.abc import Callable

import msgspec

from caroni_edge.protocol.messages import Presence

BOOTS_KEPT = 100
STAY_AWAY_FIRST_S, STAY_AWAY_MOST_S = 60.0, 600.0

GET = "SELECT value FROM facts WHERE key = ?"
SET = "INSERT INTO facts (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Identity:
    """The boots of this node, now and earlier, and the name of its database.

    Attributes:
        boot: Random at this start of the process.
        database: Random name of the state database; a wiped node has another.
        taken_by: Host of another node with our id, or None.
    """

    def __init__(self, conn: sqlite3.Connection, new_id: Callable[[], str]) -> None:
        """Read what earlier processes have left, and add this one."""
        self.boot = new_id()
        self.taken_by: str | None = None
        self._stay_away_s = STAY_AWAY_FIRST_S
        earlier: list[str] = msgspec.json.decode(_get(conn, "boots") or "[]")
        self._boots = [*earlier, self.boot][-BOOTS_KEPT:]
        self.database = _get(conn, "database") or new_id()
        conn.execute(SET, ("boots", msgspec.json.encode(self._boots).decode()))
        conn.execute(SET, ("database", self.database))

    def found(self, presence: Presence) -> float:
        """Judge the presence found under our own id; return for how many seconds to stay away (0: go on).

        Of two nodes with one id the one with the greater boot stays away, so they never fight.
        """
        if not presence.online or presence.boot in self._boots:
            self.taken_by = None
            self._stay_away_s = STAY_AWAY_FIRST_S
            return 0.0
        self.taken_by = presence.host or "an unknown host"
        if self.boot < presence.boot:
            return 0.0
        pause_s, self._stay_away_s = self._stay_away_s, min(self._stay_away_s * 2, STAY_AWAY_MOST_S)
        return pause_s


def _get(conn: sqlite3.Connection, key: str) -> str | None:
    row = conn.execute(GET, (key,)).fetchone()
    return row[0] if row else None
