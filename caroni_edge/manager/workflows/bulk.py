"""Commands on many workflows, by a filter: cancelled, retried or deleted a few at a time, over restarts too."""

import logging
from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Literal

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import states_before
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import ENDED, WORKFLOW, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.bulks import BulkRow
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.acting import Acting
from caroni_edge.node.parts import Part
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

BulkAction = Literal["cancel", "retry", "delete"]

STATES: Mapping[BulkAction, tuple[WorkflowState, ...]] = {
    "cancel": states_before(WORKFLOW, WorkflowEvent.CANCEL),
    "retry": states_before(WORKFLOW, WorkflowEvent.RETRY),
    "delete": ENDED,
}
"""In which states a workflow can be what is done to it."""

WORKFLOWS_AT_ONCE = 20
STEPS_AT_ONCE = 1000
LOOKED_AT_ONCE = 200
"""In one batch it is done to so many workflows, or those with so many steps, and so many others are looked at."""
BULKS_MAX = 100
"""So many commands may wait for their turn."""


def filters_of(action: BulkAction, wanted: WorkflowFilter) -> list[WorkflowFilter]:
    """Return filters, each of one state, for those workflows of a filter to which an action can be done."""
    return [wanted._replace(status=state) for state in STATES[action] if wanted.status in (None, state)]


class Bulk(Part):
    """Works off commands on many workflows, one after the other, while everything else goes on."""

    def __init__(self, context: Context, acting: Acting) -> None:
        """Do it by `acting`."""
        super().__init__(context.journal)
        self._store = context.store
        self._is_working = False
        self._do: Mapping[str, Callable[[WorkflowRow, Moment], bool]] = MappingProxyType(
            {"cancel": acting.cancel, "retry": acting.retry, "delete": acting.delete}
        )

    def is_full(self) -> bool:
        """Tell whether so many commands wait that no other one is taken."""
        return self._store.bulks.count() >= BULKS_MAX

    def begin(self, action: BulkAction, wanted: WorkflowFilter) -> None:
        """Note what is to be done to the workflows that fit a filter, of those that there are now."""
        number = self._store.bulks.add(action, as_text(filters_of(action, wanted)))
        log.warning("%s: many workflows, by %s", action, wanted, extra={"action": "bulk_begun", "bulk": number})

    def settle(self, at: Moment) -> None:
        """Do it to some of the workflows that are left."""
        bulk = self._store.bulks.first()
        self._is_working = bulk is not None
        if bulk is None:
            return
        filters = msgspec.json.decode(bulk.filters, type=list[WorkflowFilter])
        if filters:
            self._go_on(bulk, filters, at)
        else:
            self._store.bulks.delete(bulk.number)
            said = {"action": "bulk_done", "bulk": bulk.number}
            log.warning("%s: done to %d workflows", bulk.action, bulk.done, extra=said)

    def _go_on(self, bulk: BulkRow, filters: list[WorkflowFilter], at: Moment) -> None:
        page = self._store.lists.page(filters[0], WORKFLOWS_AT_ONCE, bulk.after, look_back=LOOKED_AT_ONCE)
        done, steps_left = bulk.done, STEPS_AT_ONCE
        for each in page.rows:
            if steps_left <= 0:
                self._store.bulks.go_on(bulk.number, bulk.filters, each.seq + 1, done)
                return
            steps_left -= self._store.steps.count(each.seq, STEPS_AT_ONCE)
            done += self._do[bulk.action](self._store.workflows.by_seq(each.seq), at)
        left = filters[1:] if page.next is None else filters
        after = bulk.upto if page.next is None else page.next
        self._store.bulks.go_on(bulk.number, as_text(left), after, done)

    def next_due(self) -> float:
        """Return that `settle` has something to do at once, while a command is not worked off; otherwise never."""
        return -inf if self._is_working else inf
