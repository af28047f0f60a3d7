"""Offers that wait for the end of a batch, or of a reconciliation."""

import sqlite3
from typing import NamedTuple

ADD = """
    INSERT INTO offers (offer, agent, job_type, ready, waiting, repeat, valid_until) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
RECEIVED = """
    SELECT offer, o.agent, job_type, ready, waiting, repeat, valid_until, a.wanted IS NOT NULL
    FROM offers o LEFT JOIN agents a ON a.agent = o.agent ORDER BY number"""
DELETE = "DELETE FROM offers WHERE offer = ?"
DELETE_ALL = "DELETE FROM offers"
DELETE_OF = "DELETE FROM offers WHERE agent = ?"


class OfferRow(NamedTuple):
    """An offer that is not decided; `agent_reconciles`: its agent has not said yet what it holds."""

    offer: str
    agent: str
    job_type: str
    ready: int
    waiting: int
    repeat: int
    valid_until: float
    agent_reconciles: int


class Offers:
    """Statements about offers. The table is empty but for a few rows: it needs no index."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, facts: tuple[str, str, str, int, int, bool, float]) -> None:
        """Keep an offer: offer, agent, job type, ready, waiting, repeat, valid until."""
        self._conn.execute(ADD, facts)

    def received(self) -> list[OfferRow]:
        """Return the offers that are not decided, first come first."""
        return [OfferRow(*found) for found in self._conn.execute(RECEIVED)]

    def delete(self, offer: str) -> None:
        """An offer is decided."""
        self._conn.execute(DELETE, (offer,))

    def delete_all(self) -> None:
        """A process has started: nobody knows how old the offers are."""
        self._conn.execute(DELETE_ALL)

    def delete_of(self, agent: str) -> int:
        """An agent has lost or restored its database: its offers are void."""
        return self._conn.execute(DELETE_OF, (agent,)).rowcount
