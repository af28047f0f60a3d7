"""Offers that wait for the end of a batch, or of a reconciliation, or that stand until there are steps for them."""

from typing import NamedTuple

from caroni_edge.manager.lifecycle import OfferState
from caroni_edge.storage.rows import Rows


class OfferRow(NamedTuple):
    """An offer that is not decided.

    Attributes:
        database: The agent's.
        stands: It may be kept.
        agent_reconciles: The agent has not said yet what it holds.
        is_known: The agent's presence has named the job type.
    """

    offer: str
    agent: str
    job_type: str
    ready: int
    waiting: int
    repeat: bool
    valid_until: float
    database: str
    status: OfferState
    stands: bool
    agent_reconciles: bool
    is_known: bool


_OFFER = """
    SELECT offer, o.agent, job_type, ready, waiting, repeat, valid_until, o.database, o.status, stands,
        a.wanted IS NOT NULL AS agent_reconciles,
        EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = o.job_type AND t.agent = o.agent) AS is_known
    FROM offers o LEFT JOIN agents a ON a.agent = o.agent"""


class OfferRows(Rows):
    """Statements about offers; of an agent there is one for each job type at most."""

    ADD = """
        INSERT INTO offers (offer, agent, job_type, ready, waiting, repeat, valid_until, database, stands)
        VALUES (:offer, :agent, :job_type, :ready, :waiting, :repeat, :valid_until, :database, :stands)
        ON CONFLICT DO NOTHING"""

    def add(
        self,
        offer: str,
        *,
        agent: str,
        job_type: str,
        ready: int,
        waiting: int,
        repeat: bool,
        valid_until: float,
        database: str,
        stands: bool,
    ) -> None:
        """Keep an offer; `database` is the agent's."""
        self._run(
            self.ADD,
            offer=offer,
            agent=agent,
            job_type=job_type,
            ready=ready,
            waiting=waiting,
            repeat=repeat,
            valid_until=valid_until,
            database=database,
            stands=stands,
        )

    RECEIVED = f"{_OFFER} WHERE o.status = 'received' ORDER BY number"

    def received(self) -> list[OfferRow]:
        """Return the offers that are not decided, first come first."""
        return self._all(OfferRow, self.RECEIVED)

    STANDING = f"""
        {_OFFER} WHERE o.status = 'standing' AND job_type = :job_type AND EXISTS (SELECT 1 FROM agent_types t
        WHERE t.job_type = o.job_type AND t.agent = o.agent AND t.online) ORDER BY number LIMIT :limit"""

    def standing(self, job_type: str, limit: int) -> list[OfferRow]:
        """Return offers that stand for a job type, of agents that are there, first come first."""
        return self._all(OfferRow, self.STANDING, job_type=job_type, limit=limit)

    STAND = "UPDATE offers SET ready = :ready, waiting = :waiting, status = :status WHERE offer = :offer"

    def stand(self, offer: str, status: OfferState, ready: int, waiting: int) -> None:
        """Keep an offer with the places that are left of it."""
        self._run(self.STAND, offer=offer, status=status, ready=ready, waiting=waiting)

    DELETE = "DELETE FROM offers WHERE offer = :offer"

    def delete(self, offer: str) -> None:
        """Delete an offer, which is decided."""
        self._run(self.DELETE, offer=offer)

    DELETE_SAME = "DELETE FROM offers WHERE agent = :agent AND job_type = :job_type"

    def delete_same(self, agent: str, job_type: str) -> None:
        """Delete an agent's earlier offer for a job type: it has one at a time."""
        self._run(self.DELETE_SAME, agent=agent, job_type=job_type)

    IS_ANSWER_DUE = """
        SELECT EXISTS (SELECT 1 FROM offers WHERE agent = :agent AND job_type = :job_type
        AND status = 'received' AND NOT stands)"""

    def is_answer_due(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent has an offer for a job type that is not decided, and reserves places."""
        return self._only(bool, self.IS_ANSWER_DUE, agent=agent, job_type=job_type)

    COUNT_OF = "SELECT count(*) FROM offers WHERE agent = :agent"

    def count_of(self, agent: str) -> int:
        """Return how many offers of an agent are not decided."""
        return self._only(int, self.COUNT_OF, agent=agent)

    DELETE_ALL = "DELETE FROM offers"

    def delete_all(self) -> None:
        """Delete all offers: a process has started, and nobody knows how old they are."""
        self._run(self.DELETE_ALL)

    DELETE_OF = "DELETE FROM offers WHERE agent = :agent"

    def delete_of(self, agent: str) -> int:
        """Delete an agent's offers, which are void, and return how many there were."""
        return self._run(self.DELETE_OF, agent=agent)

    DELETE_STANDING = "DELETE FROM offers WHERE agent = :agent AND status = 'standing'"

    def delete_standing(self, agent: str) -> None:
        """Delete the offers of an agent that stand."""
        self._run(self.DELETE_STANDING, agent=agent)
