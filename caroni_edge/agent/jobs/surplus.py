"""Gives back queued jobs that would begin late: they were taken because such jobs were short, and are not any more."""

from collections import Counter
from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.depth import AHEAD_S
from caroni_edge.agent.offers.room import Kind
from caroni_edge.agent.offers.shares import Shares
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

LATE_S = 5.0
"""What would begin later goes back. Much longer than what is kept ahead (`AHEAD_S`): nothing goes to and fro."""
LATE = "jobs take longer here than they did, and it would have to wait"


class Surplus(Part):
    """Looks how long what is queued will take; what every agent keeps, twice the slots, stays."""

    def __init__(self, context: Context, slots: Slots, shares: Shares, ledger: Ledger) -> None:
        """Look at how long jobs of a type took, and for how long those run that have not ended."""
        super().__init__(context.journal)
        self._store, self._in_force, self._slots = context.store, context.in_force, slots
        self._shares, self._ledger = shares, ledger
        self._due = inf

    def next_due(self) -> float:
        """Return when to look again how long jobs have been running: each second, while much is queued."""
        return self._due

    def settle(self, at: Moment) -> None:
        """Give back what is beyond a second of work, the last jobs first, when the last would begin late."""
        settings = self._in_force.settings
        if self._slots.queued <= settings.backlog + settings.pending:
            self._due = inf
            return
        if at.now < self._due < inf:
            return
        self._due = at.now + AHEAD_S
        queued: Counter[Kind] = Counter()
        for count in self._store.load.live():
            if count.status == JobState.QUEUED:
                queued[count.manager, count.job_type] += count.jobs
        queued -= self._slots.ahead.of_kinds()
        surplus = queued.total() - settings.backlog - settings.pending
        outlook = self._shares.outlook(at.now)
        lasts_s = {job_type: outlook[job_type].mean_s if job_type in outlook else 0.0 for _, job_type in queued}
        work_s = sum(jobs * lasts_s[job_type] for (_, job_type), jobs in queued.items())
        if work_s <= LATE_S * settings.slots:
            return
        of_managers: Counter[str] = Counter()
        for (manager, _), jobs in queued.items():
            of_managers[manager] += jobs
        while surplus > 0 and work_s > AHEAD_S * settings.slots:
            manager = max(of_managers, key=lambda name: (of_managers[name], name))
            row = self._store.jobs.last_ready(manager)
            assert row is not None
            self._ledger.give_back(row, LATE, at)
            of_managers[manager] -= 1
            surplus, work_s = surplus - 1, work_s - lasts_s[row.job_type]
