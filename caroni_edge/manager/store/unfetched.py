"""Unplaced steps that take files from elsewhere, and who may fetch these."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.manager.store.steps import STEP, StepRow
from caroni_edge.manager.store.unplaced import IN_DEMAND
from caroni_edge.storage.rows import Rows
from caroni_edge.values.carried import LOCATION
from caroni_edge.values.json import as_text

_LOOKED_AT = 10_000
"""So many steps are looked at for those with files."""
_HAS_FILES = "(instr(s.inputs, '://') OR instr(s.inputs, :location))"


class MayFetch(NamedTuple):
    """An agent that has a job type, be it connected or not.

    Attributes:
        agent: Its id.
        labels: A JSON list.
        speaks: The newest version of the messages that it understands.
        hosts: Those that it fetches from, as a JSON list; None where it does not say.
    """

    agent: str
    labels: str
    speaks: int
    hosts: str | None


class UnfetchedRows(Rows):
    """Statements about such steps."""

    NEXT = f"""
        SELECT {STEP} FROM steps s WHERE s.id IN (
            SELECT id FROM (SELECT s.id FROM steps s INDEXED BY steps_waiting
                WHERE s.job_type = :job_type AND {IN_DEMAND} LIMIT :looked_at))
        AND {_HAS_FILES} AND s.workflow NOT IN (SELECT value FROM json_each(:known)) LIMIT :limit"""

    def next(self, job_type: str, known: Iterable[int], limit: int) -> list[StepRow]:
        """Return steps of a type in the demand that take files, but for those of some workflows."""
        return self._all(
            StepRow,
            self.NEXT,
            job_type=job_type,
            known=as_text([*known]),
            limit=limit,
            location=LOCATION,
            looked_at=_LOOKED_AT,
        )

    OF = f"""
        SELECT {STEP} FROM steps s INDEXED BY steps_waiting
        WHERE s.job_type = :job_type AND s.workflow = :workflow AND {IN_DEMAND} AND {_HAS_FILES} LIMIT :limit"""

    def of(self, workflow: int, job_type: str, limit: int) -> list[StepRow]:
        """Return such steps of a workflow."""
        return self._all(StepRow, self.OF, workflow=workflow, job_type=job_type, limit=limit, location=LOCATION)

    MAY_FETCH = """
        SELECT t.agent, a.labels, a.speaks, a.hosts FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent
        WHERE t.job_type = :job_type LIMIT :limit"""

    def may_fetch(self, job_type: str, limit: int) -> list[MayFetch]:
        """Return agents that have a job type, and may be away."""
        return self._all(MayFetch, self.MAY_FETCH, job_type=job_type, limit=limit)
