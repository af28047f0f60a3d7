"""The demand of managers, as they have said it last."""

from typing import NamedTuple

from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.storage.rows import Rows, columns, parameters


class DemandRow(NamedTuple):
    """A manager's demand for a job type.

    Attributes:
        others: How much of it is bound to other agents.
        offer_due: When this agent's share of the spread is over.
    """

    manager: str
    job_type: str
    serial: int
    ready: int
    waiting: int
    others: int
    priority: int
    offer_due: float


class ToOffer(NamedTuple):
    """A demand, with what became of the last offer (None: there was none).

    Attributes:
        offer_due: As in `DemandRow`.
        hold_until: Until then the manager gets no offer.
        heard: How often the manager has said this demand; `last_heard`: how often when the last offer was made.
        online: Whether the manager is there; None: nobody knows.
        ran_out: It let the last offer run out.
    """

    manager: str
    job_type: str
    serial: int
    ready: int
    waiting: int
    others: int
    priority: int
    offer_due: float
    hold_until: float
    last_status: OfferState | None
    last_serial: int | None
    last_taken: int | None
    left_ready: int | None
    left_waiting: int | None
    again_due: float | None
    wait_s: float | None
    heard: int
    last_heard: int | None
    online: bool | None
    ran_out: bool


class DemandRows(Rows):
    """Statements about demand; a row for each manager and job type served here."""

    SAY = f"""
        INSERT INTO demands ({columns(DemandRow)}, heard) VALUES ({parameters(DemandRow)}, 1)
        ON CONFLICT (manager, job_type) DO UPDATE SET serial = excluded.serial,
            ready = excluded.ready, waiting = excluded.waiting, others = excluded.others,
            priority = excluded.priority, offer_due = excluded.offer_due, heard = heard + 1"""

    def say(self, row: DemandRow) -> None:
        """Keep what a manager says."""
        self._run(self.SAY, **row._asdict())

    GET = f"SELECT {columns(DemandRow)} FROM demands WHERE manager = :manager AND job_type = :job_type"

    def get(self, manager: str, job_type: str) -> DemandRow | None:
        """Return what a manager has said last."""
        return self._one(DemandRow, self.GET, manager=manager, job_type=job_type)

    TYPES = "SELECT DISTINCT job_type FROM demands"

    def types(self) -> list[str]:
        """Return the job types that somebody has a demand for."""
        return self._all(str, self.TYPES)

    MANAGERS = "SELECT DISTINCT manager FROM demands ORDER BY manager LIMIT :limit"

    def managers(self, limit: int) -> list[str]:
        """Return the managers that have a demand."""
        return self._all(str, self.MANAGERS, limit=limit)

    END = "DELETE FROM demands WHERE manager = :manager AND job_type = :job_type"

    def end(self, manager: str, job_type: str) -> bool:
        """Note that a manager has no demand for a type any more; return whether it had one."""
        return self._run(self.END, manager=manager, job_type=job_type) > 0

    END_TYPE = "DELETE FROM demands WHERE job_type = :job_type"

    def end_type(self, job_type: str) -> None:
        """Forget the demand for a type that the agent does not serve any more: it hears no more of it."""
        self._run(self.END_TYPE, job_type=job_type)

    FORGET = "DELETE FROM demands WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Delete the demand of a manager."""
        return self._run(self.FORGET, manager=manager)

    CLEAR = "DELETE FROM demands"

    def clear(self) -> None:
        """Forget all demand: it will be heard again."""
        self._run(self.CLEAR)

    OF_MANAGER = """
        SELECT d.manager, d.job_type, d.serial, d.ready, d.waiting, d.others, d.priority, d.offer_due,
            coalesce(m.hold_until, 0) AS hold_until, o.state AS last_status, o.serial AS last_serial,
            o.taken AS last_taken, o.left_ready, o.left_waiting, o.again_due, o.wait_s, d.heard, o.heard AS last_heard,
            m.online, coalesce(m.ran_out, 0) AS ran_out
        FROM demands d
        LEFT JOIN offers o ON o.manager = d.manager AND o.job_type = d.job_type
        LEFT JOIN managers m ON m.manager = d.manager
        WHERE d.manager = :manager ORDER BY d.job_type"""

    def of_manager(self, manager: str) -> list[ToOffer]:
        """Return a manager's demand, with what is to be known to offer for it."""
        return self._all(ToOffer, self.OF_MANAGER, manager=manager)
