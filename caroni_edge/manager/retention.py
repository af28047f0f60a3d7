"""Deletes workflows that ended longer ago than the setting `retention.workflows`, in small batches."""

import logging
from math import inf

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.workflows.drops import Drops
from caroni_edge.node.allowance import Allowance
from caroni_edge.node.parts import Part

log = logging.getLogger(__name__)

BATCH_WORKFLOWS = 50
BATCH_STEPS = 1000


class Retention(Part):
    """Decides which workflows go, with all that belongs to them."""

    def __init__(self, context: Context, drops: Drops) -> None:
        """Look at the settings of `context`, and have agents drop what they keep of what goes."""
        super().__init__(context.journal)
        self._context, self._store, self._drops = context, context.store, drops
        self._allowance = Allowance(context.journal)

    def settle(self, at: Moment) -> None:
        """Look now and then whether something has become old, and sweep up behind what has gone."""
        if self._allowance.is_due(at.now):
            self.prune(at)
        left = BATCH_STEPS
        while left > 0 and (workflow := self._store.workflows.pruned()) is not None:
            left -= max(1, self._store.workflows.sweep(workflow, left))

    def prune(self, at: Moment) -> None:
        """Delete a batch of the workflows that ended longer ago than `retention`."""
        allowed = self._allowance.grow(at, self._store.workflows.span())
        retention_s = self._context.settings.retention_s
        if retention_s is None:
            return
        found = self._store.workflows.ended_before(at.date - retention_s, min(allowed, BATCH_WORKFLOWS))
        if found:
            for workflow in found:
                self._drops.on_delete(self._store.workflows.by_seq(workflow))
            self._store.workflows.delete(found)
            self._allowance.use(len(found))
            log.info("%d ended workflows deleted", len(found), extra={"action": "workflows_pruned"})

    def next_due(self) -> float:
        """Return when to look again."""
        if self._store.workflows.pruned() is not None:
            return -inf
        return inf if self._context.settings.retention_s is None else self._allowance.next_due()
