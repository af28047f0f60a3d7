"""Stalled workflows: of a step in the demand, no agent that may take it has served the job type for `stalled_after`.

Or none that has the job type may fetch its files (`Unfetchable`).
"""

from collections.abc import Iterable
from math import inf

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import states_before
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.lifecycle import WORKFLOW, WorkflowEvent, WorkflowState
from caroni_edge.manager.peers.unfetchable import Unfetchable
from caroni_edge.manager.workflows.statuses import Statuses
from caroni_edge.node.parts import Part
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.json import as_text

BOUND_SOON_S, BOUND_EVERY_S = 1.0, 10.0
"""Steps that are bound to agents are looked at so long after a change, and so often while there are any."""
FILES_EVERY_S = 30.0
"""So often those are looked at whose files nobody may fetch, and so long after the demand has changed."""


class Stalls(Part):
    """Notes since when nobody serves a job type, and marks the workflows that wait for it."""

    def __init__(self, context: Context, statuses: Statuses, files: JobFiles) -> None:
        """Keep in the store of `context` since when nobody serves what, and change workflows by `statuses`.

        `files` knows who may fetch what.
        """
        super().__init__(context.journal)
        self._context, self._statuses = context, statuses
        self._store = context.store
        self._unfetchable = Unfetchable(context, files)
        self._due = self._bound_due = self._files_due = -inf

    def on_start(self, at: Moment) -> None:
        """Count how long nobody serves a job type from now on: the clock is another."""
        self._store.demands.begin_anew(at.now)
        self._store.unplaced.unserved_begins_anew(at.now)
        self._look_at_files(at)
        self.look_at(self._store.unplaced.job_types(), at)

    def look_at(self, job_types: Iterable[str], at: Moment) -> None:
        """Note which of these job types nobody serves; let workflows go on that waited for one that is served again."""
        served_again = has_any = False
        for job_type in sorted(job_types):
            has_any = True
            if self._store.agents.is_served(job_type) or not self._store.unplaced.has_free(job_type):
                served_again |= self._store.demands.set_served(job_type)
            else:
                self._store.demands.set_unserved(job_type, at.now)
                self._due = min(self._due, at.now + self._context.settings.stalled_after_s)
        if has_any and self._store.unplaced.any_bound():
            self._bound_due = min(self._bound_due, at.now + BOUND_SOON_S)
        if has_any:
            self._files_due = min(self._files_due, at.now + self._files_every_s)
        if served_again:
            self._unstall(at)

    def settle(self, at: Moment) -> None:
        """Mark workflows as stalled, when it is time to look."""
        self.look_at(self._context.dirty_job_types, at)
        if at.now >= self._due:
            self._stall(at)
        if at.now >= self._bound_due:
            self._stall_bound(at)
        if at.now >= self._files_due:
            self._look_at_files(at)

    def next_due(self) -> float:
        """Return when `settle` has something to do."""
        return min(self._due, self._bound_due, self._files_due)

    def reload(self) -> None:
        """Look at once: `stalled_after` may be another."""
        self._due = self._bound_due = self._files_due = -inf

    def look_at_files(self) -> None:
        """Look at once who may fetch files: an agent fetches other ones than before."""
        self._files_due = -inf

    @property
    def _files_every_s(self) -> float:
        return min(self._context.settings.stalled_after_s / 2, FILES_EVERY_S)

    def _stall(self, at: Moment) -> None:
        after_s = self._context.settings.stalled_after_s
        job_types = self._store.demands.unserved(after_s, at.now)
        for job_type in job_types:
            waiting = self._store.workflows.waiting(job_type, _may_stall())
            self._stall_all(waiting, f"no agent that is online takes jobs of the type {job_type}", at)
        following = self._store.demands.next_unserved(after_s, at.now)
        # A type that stays unserved is looked at again: more workflows may have unplaced steps of it.
        self._due = min(inf if following is None else following, at.now + after_s if job_types else inf)

    def _stall_bound(self, at: Moment) -> None:
        """Mark workflows as stalled whose steps are bound to agents that do not serve them."""
        after_s = self._context.settings.stalled_after_s
        self._store.unplaced.look_for_unserved(at.now)
        for job_type, agents in self._store.unplaced.unserved(after_s, at.now):
            waiting = self._store.workflows.waiting_for(job_type, agents, _may_stall())
            who = msgspec.json.decode(agents)
            said = f"only agent {' or '.join(who)} may take a step, and none of that name takes"
            if are_labels(who):
                said = f"only agents with the labels {', '.join(who)} may take a step, and none that has them takes"
            self._stall_all(waiting, f"{said} jobs of the type {job_type} now", at)
        self._unstall(at)
        self._bound_due = at.now + min(after_s, BOUND_EVERY_S) if self._store.unplaced.any_bound() else inf

    def _look_at_files(self, at: Moment) -> None:
        """Mark workflows as stalled the files of which nobody may fetch, and let the others go on."""
        found = self._unfetchable.any
        for seq, reason in self._unfetchable.look(at):
            self._stall_all([seq], reason, at)
        if found:
            self._unstall(at)
        self._files_due = at.now + self._files_every_s if self._unfetchable.any else inf

    def _stall_all(self, workflows: Iterable[int], reason: str, at: Moment) -> None:
        for seq in workflows:
            self._statuses.stall(self._store.workflows.by_seq(seq), WorkflowEvent.NOBODY_SERVES, reason, at)

    def _unstall(self, at: Moment) -> None:
        unfetchable = self._unfetchable.workflows
        for seq in self._store.workflows.served(WorkflowState.STALLED):
            if seq in unfetchable:
                continue
            self._statuses.resume(self._store.workflows.by_seq(seq), WorkflowEvent.SERVED_AGAIN, at)


def _may_stall() -> str:
    return as_text(states_before(WORKFLOW, WorkflowEvent.NOBODY_SERVES))
