"""Agents as this manager sees them, and the job types that they serve."""

import sqlite3
from typing import NamedTuple

KNOW = "INSERT INTO agents (agent) VALUES (?) ON CONFLICT DO NOTHING"
SEE = """
    UPDATE agents SET online = ?, boot = ?, version = ?, host = ?, slots = ?, refuses = ?, seen = ? WHERE agent = ?"""
GONE = "UPDATE agents SET online = 0, seen = ? WHERE agent = ?"
TYPES = "SELECT job_type FROM agent_types WHERE agent = ?"
DELETE_TYPES = "DELETE FROM agent_types WHERE agent = ?"
ADD_TYPE = "INSERT INTO agent_types (job_type, agent, online, notice) VALUES (?, ?, ?, ?)"
TYPES_OFFLINE = "UPDATE agent_types SET online = 0 WHERE agent = ?"
SERVES = "SELECT 1 FROM agent_types WHERE job_type = ? AND agent = ? AND online"
IS_SERVED = "SELECT 1 FROM agent_types WHERE job_type = ? AND online LIMIT 1"
COUNT_SERVING = "SELECT count(*) FROM agent_types WHERE job_type = ? AND online"
SET_KNOWN = "UPDATE agents SET known = ? WHERE agent = ? AND known < ?"
DATABASE = "SELECT database, known, wanted FROM agents WHERE agent = ?"
WANT = "UPDATE agents SET wanted = ?, renewed = 0 WHERE agent = ?"
RENEW = "UPDATE agents SET database = ?, known = 0, renewed = 1 WHERE agent = ?"
IS_RENEWED = "SELECT renewed FROM agents WHERE agent = ?"
RECONCILED = "UPDATE agents SET wanted = NULL WHERE agent = ?"
SET_DATABASE = "UPDATE agents SET database = ? WHERE agent = ? AND database = ''"
MARKED = "SELECT peer FROM peers WHERE reconcile"
UNMARK = "UPDATE peers SET reconcile = 0 WHERE peer = ?"
MARK = "UPDATE peers SET reconcile = 1 WHERE peer = ?"
NOBODY_ONLINE = "UPDATE agents SET online = 0"
NO_TYPE_ONLINE = "UPDATE agent_types SET online = 0"
FORGET = "DELETE FROM agents WHERE agent = ?"


class Reconciling(NamedTuple):
    """What we know of an agent's database, and the question that is open about it."""

    database: str
    known: int
    wanted: str | None


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

    def types(self, agent: str) -> set[str]:
        """Return the job types that an agent has."""
        return {job_type for (job_type,) in self._conn.execute(TYPES, (agent,))}

    def set_types(self, agent: str, types: list[tuple[str, bool, str]]) -> None:
        """Keep an agent's job types: name, whether it serves it to us now, notice (JSON)."""
        self._conn.execute(DELETE_TYPES, (agent,))
        self._conn.executemany(ADD_TYPE, ((name, agent, serves, notice) for name, serves, notice in types))

    def serves(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent is there and serves a job type to us."""
        return self._conn.execute(SERVES, (job_type, agent)).fetchone() is not None

    def is_served(self, job_type: str) -> bool:
        """Tell whether any agent serves a job type to us."""
        return self._conn.execute(IS_SERVED, (job_type,)).fetchone() is not None

    def count_serving(self, job_type: str) -> int:
        """Count the agents that serve a job type to us."""
        count: int = self._conn.execute(COUNT_SERVING, (job_type,)).fetchone()[0]
        return count

    def set_known(self, agent: str, serial: int) -> None:
        """Note the greatest serial that we have of an agent's database."""
        self._conn.execute(SET_KNOWN, (serial, agent, serial))

    def reconciling(self, agent: str) -> Reconciling:
        """Return what we know of an agent's database."""
        row = self._conn.execute(DATABASE, (agent,)).fetchone()
        return Reconciling(*row) if row else Reconciling("", 0, None)

    def want(self, agent: str, wanted: str) -> None:
        """Note the question about an agent's jobs."""
        self.know(agent)
        self._conn.execute(WANT, (wanted, agent))

    def set_database(self, agent: str, database: str) -> None:
        """Learn the name of an agent's database from its first offer."""
        self.know(agent)
        self._conn.execute(SET_DATABASE, (database, agent))

    def renew(self, agent: str, database: str) -> None:
        """The agent has another database than the one that we knew."""
        self._conn.execute(RENEW, (database, agent))

    def is_renewed(self, agent: str) -> bool:
        """Tell whether the present reconciliation has found another database."""
        return bool(self._conn.execute(IS_RENEWED, (agent,)).fetchone()[0])

    def reconciled(self, agent: str) -> None:
        """The question is answered."""
        self._conn.execute(RECONCILED, (agent,))

    def marked(self) -> list[str]:
        """Return the agents that are to be reconciled."""
        return [peer for (peer,) in self._conn.execute(MARKED)]

    def unmark(self, agent: str) -> None:
        """The question is in the outbox."""
        self._conn.execute(UNMARK, (agent,))

    def mark(self, agent: str) -> None:
        """Ask an agent anew what it holds."""
        self._conn.execute(MARK, (agent,))

    def nobody_online(self) -> None:
        """A process has started: who is there will say so."""
        self._conn.execute(NOBODY_ONLINE)
        self._conn.execute(NO_TYPE_ONLINE)

    def forget(self, agent: str) -> None:
        """Delete an agent."""
        self._conn.execute(DELETE_TYPES, (agent,))
        self._conn.execute(FORGET, (agent,))
