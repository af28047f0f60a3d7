"""Agents as this manager sees them, and the job types that they serve."""

import sqlite3
from typing import NamedTuple

KNOW = "INSERT INTO agents (agent) VALUES (?) ON CONFLICT DO NOTHING"
SEE = """
    UPDATE agents SET online = ?, boot = ?, version = ?, host = ?, slots = ?, refuses = ?, seen = ?, unheard = 0
    WHERE agent = ?"""
GONE = "UPDATE agents SET online = 0, seen = ?, unheard = 0 WHERE agent = ?"
SERVING = "SELECT job_type FROM agent_types WHERE agent = ? AND online"
DELETE_TYPES = "DELETE FROM agent_types WHERE agent = ?"
ADD_TYPE = "INSERT INTO agent_types (job_type, agent, online, notice) VALUES (?, ?, ?, ?)"
TYPES_OFFLINE = "UPDATE agent_types SET online = 0 WHERE agent = ?"
MAY_SERVE = """
    SELECT unheard OR EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = ? AND t.agent = agents.agent AND t.online)
    FROM agents WHERE agent = ?"""
IS_SERVED = "SELECT 1 FROM agent_types WHERE job_type = ? AND online LIMIT 1"
COUNT_SERVING = "SELECT count(*) FROM (SELECT 1 FROM agent_types WHERE job_type = ? AND online LIMIT ?)"
MAY_REPEAT = "SELECT json_extract(notice, '$.repeat') FROM agent_types WHERE job_type = ? AND agent = ?"
SET_DATABASE = "UPDATE agents SET database = ? WHERE agent = ? AND database = ''"
HEAR = """
    UPDATE agents SET heard = max(heard, :serial), known = CASE WHEN wanted IS NULL AND NOT EXISTS
        (SELECT 1 FROM peers WHERE peer = :agent AND reconcile) THEN max(known, :serial) ELSE known END
    WHERE agent = :agent"""
RECONCILED = "SELECT database, known, wanted FROM agents WHERE agent = ?"
ASK = "UPDATE agents SET wanted = ?, wanted_since = ?, heard = 0, again_due = NULL WHERE agent = ?"
ANSWERED = """
    UPDATE agents SET known = CASE WHEN database = :database THEN max(known, heard) ELSE heard END,
        database = :database, wanted = NULL, wanted_since = NULL WHERE agent = :agent"""
LAST_ASKED = "SELECT max(wanted_since) FROM agents WHERE wanted IS NOT NULL"
ASK_LATER = "UPDATE agents SET again_due = coalesce(again_due, ?) WHERE agent = ?"
ASK_DUE = "SELECT agent FROM agents WHERE again_due <= ?"
NEXT_ASK = "SELECT min(again_due) FROM agents WHERE again_due IS NOT NULL"
MARKED = "SELECT peer FROM peers WHERE reconcile"
UNMARK = "UPDATE peers SET reconcile = 0 WHERE peer = ? AND reconcile"
BEGIN_ANEW = "UPDATE agents SET wanted_since = :now, again_due = :now WHERE wanted IS NOT NULL"
DUE_BEGINS_ANEW = "UPDATE agents SET again_due = :now WHERE again_due IS NOT NULL"
NOBODY_ONLINE = "UPDATE agents SET online = 0, unheard = 1"
NO_TYPE_ONLINE = "UPDATE agent_types SET online = 0"
FORGET = "DELETE FROM agents WHERE agent = ?"


class Reconciled(NamedTuple):
    """How far an agent's database is known here, and the reconcile query that is open.

    Attributes:
        database: Its name; empty while we know none.
        known: All that happened there up to this serial has come here.
        query: Id of the query that the agent has not answered yet (column `wanted`).
    """

    database: str
    known: int
    query: str | None


class Agents:
    """Statements about agents."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def know(self, agent: str) -> None:
        """Make sure that an agent has a row."""
        self._conn.execute(KNOW, (agent,))

    def see(self, agent: str, facts: tuple[bool, str, str, str, int, str, float]) -> None:
        """Keep an agent's presence: online, boot, version, host, slots, refuses (JSON), date."""
        self.know(agent)
        self._conn.execute(SEE, (*facts, agent))

    def gone(self, agent: str, date: float) -> None:
        """The agent is not connected."""
        self._conn.execute(GONE, (date, agent))
        self._conn.execute(TYPES_OFFLINE, (agent,))

    def serving(self, agent: str) -> set[str]:
        """Return the job types that an agent serves to us now."""
        return {job_type for (job_type,) in self._conn.execute(SERVING, (agent,))}

    def set_types(self, agent: str, types: list[tuple[str, bool, str]]) -> None:
        """Keep an agent's job types: name, whether it serves it to us now, notice (JSON)."""
        self._conn.execute(DELETE_TYPES, (agent,))
        self._conn.executemany(ADD_TYPE, ((name, agent, serves, notice) for name, serves, notice in types))

    def may_serve(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent serves a job type to us, or has not shown itself since we started."""
        row = self._conn.execute(MAY_SERVE, (job_type, agent)).fetchone()
        return row is None or bool(row[0])

    def is_served(self, job_type: str) -> bool:
        """Tell whether any agent serves a job type to us."""
        return self._conn.execute(IS_SERVED, (job_type,)).fetchone() is not None

    def count_serving(self, job_type: str, limit: int) -> int:
        """Count the agents that serve a job type to us, up to `limit`."""
        count: int = self._conn.execute(COUNT_SERVING, (job_type, limit)).fetchone()[0]
        return count

    def may_repeat(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent's job type may be run again by itself; not, while nobody has said so."""
        row = self._conn.execute(MAY_REPEAT, (job_type, agent)).fetchone()
        return row is not None and row[0] != 0

    # Reconciliation

    def set_database(self, agent: str, database: str) -> None:
        """Learn the name of an agent's database from its first offer."""
        self.know(agent)
        self._conn.execute(SET_DATABASE, (database, agent))

    def hear(self, agent: str, serial: int) -> None:
        """Note the serial of a status. While a query is open, or is due, there may be gaps before it."""
        self._conn.execute(HEAR, {"agent": agent, "serial": serial})

    def reconciled(self, agent: str) -> Reconciled:
        """Return what we know of an agent's database."""
        row = self._conn.execute(RECONCILED, (agent,)).fetchone()
        return Reconciled(*row) if row else Reconciled("", 0, None)

    def ask(self, agent: str, query: str, now: float) -> None:
        """Note that an agent is asked what it holds, by the query of this id."""
        self.know(agent)
        self._conn.execute(ASK, (query, now, agent))
        self._conn.execute(UNMARK, (agent,))

    def answered(self, agent: str, database: str) -> None:
        """The query is answered: nothing that was heard since it was asked has a gap before it."""
        self._conn.execute(ANSWERED, {"agent": agent, "database": database})

    def last_asked(self) -> float | None:
        """Return when the latest of the open queries was asked."""
        found: float | None = self._conn.execute(LAST_ASKED).fetchone()[0]
        return found

    def ask_later(self, agent: str, due: float) -> None:
        """Let an agent be asked at `due`."""
        self.know(agent)
        self._conn.execute(ASK_LATER, (due, agent))

    def to_ask(self, now: float) -> list[str]:
        """Return the agents that are to be asked: marked by the link, or due."""
        found = [*self._conn.execute(MARKED), *self._conn.execute(ASK_DUE, (now,))]
        return sorted({agent for (agent,) in found})

    def next_ask(self) -> float | None:
        """Return when the next agent is to be asked."""
        found: float | None = self._conn.execute(NEXT_ASK).fetchone()[0]
        return found

    def begin_anew(self, now: float) -> None:
        """A process has started: its clock is another, and what was asked is asked again."""
        self._conn.execute(DUE_BEGINS_ANEW, {"now": now})
        self._conn.execute(BEGIN_ANEW, {"now": now})

    def nobody_online(self) -> None:
        """A process has started: who is there will say so."""
        self._conn.execute(NOBODY_ONLINE)
        self._conn.execute(NO_TYPE_ONLINE)

    def forget(self, agent: str) -> int:
        """Delete an agent; return how many rows that were."""
        return sum(self._conn.execute(delete, (agent,)).rowcount for delete in (DELETE_TYPES, FORGET))
