"""What an agent does first after a start: it takes over what its keeper knows; only then it ends, says or starts.

The database may be an older copy. What was started has begun, whatever the database says, and a copy from before a
start gets another name: managers must not take it for the database that they know (docs/protocol.md,
"Reconciliation").
"""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.processes.port import TakenOver
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

log = logging.getLogger(__name__)


class Takeover(Part):
    """Takes over once, after each start of the process.

    Attributes:
        is_done: The agent may go on.
    """

    def __init__(self, context: Context, slots: Slots) -> None:
        """Tell `slots` which jobs have begun and ended."""
        super().__init__(context.journal)
        self._store, self._slots, self._chance = context.store, slots, context.chance
        self._serial = context.store.facts.serial()  # how far the database has come, before anything happens in it
        self.is_done = False

    def on_taken_over(self, found: TakenOver, at: Moment) -> None:
        """Take what is known beside the database; from now on the agent may go on."""
        self._name(found)
        for begun in found.begun:
            self._slots.on_begun(begun.job, begun.date)
        for ended in found.ended:
            self._slots.endings.on_ended(ended, at)
        # What is left was handed over in this boot and has no record: it was never started.
        for row in self._store.jobs.ahead():
            self._slots.on_recalled(row.job, at)
        self._store.facts.know_boot(found.boot)
        self.is_done = True

    def _name(self, found: TakenOver) -> None:
        """Give the database another name, if it is a copy from before the last start order, or another altogether."""
        facts, said = self._store.facts, f"{found.serial} {found.database}"
        if not found.database or facts.orders_known() == said:
            return  # nothing is known, or the name that it has now was given because of that
        if found.database == facts.database() and found.serial <= self._serial:
            return
        facts.name_database(self._chance.new_id())
        facts.know_orders(said)
        log.warning(
            "the database is older than the last start of a job, or another: managers are told so",
            extra={"action": "database_renamed"},
        )
