"""Steps whose delay before the next attempt (`steps.retry_due`) is over are in the demand again.

Whether a step gets another attempt is decided in `attempts.py`; what the command `retry` does, in `engine.py`. At a
start, steps that an earlier release has let wait for `retry` though it saw them fail do fail here.
"""

from math import inf
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.failures import NOT_REPEATED
from caroni_edge.node.parts import Part


class Delays(Part):
    """Puts steps back into the demand when their delay is over."""

    def __init__(self, context: Context, engine: Engine) -> None:
        """Look at the steps in the store of `context`; those that have failed are the matter of `engine`."""
        super().__init__(context.journal)
        self._context, self._engine, self._steps = context, engine, context.store.steps

    def on_start(self, at: Moment) -> None:
        """Delays begin anew on the clock of this process.

        An earlier release has put steps in doubt though it was known how their jobs had ended: they have failed.
        """
        self._steps.begin_anew(at.now)
        for failed in self._steps.seen_to_fail():
            step = self._steps.by_id(failed.step)
            row = self._context.store.workflows.by_seq(step.workflow)
            ids: dict[str, Any] = {"job": failed.job, "agent": failed.agent, "attempt": step.attempt}
            facts = {"exit_code": failed.exit_code, **ids}
            self._engine.fail_step(row, step, f"{failed.reason}{NOT_REPEATED}", at, tries=step.tries, **facts)

    def settle(self, at: Moment) -> None:
        """Let the demand be counted for what has become due."""
        if at.now >= self.next_due():
            self._context.dirty_job_types.update(self._steps.due(at.now))

    def next_due(self) -> float:
        """Return when the next delay is over."""
        due = self._steps.next_due()
        return inf if due is None else due
