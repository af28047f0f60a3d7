"""Steps whose delay before the next attempt (`steps.retry_due`) is over are in the demand again.

Whether a step gets another attempt is decided in `attempts.py`; what the command `retry` does, in `engine.py`.
"""

from math import inf

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.node.parts import Part


class Retries(Part):
    """Puts steps back into the demand when their delay is over."""

    def __init__(self, context: Context) -> None:
        """Look at the steps in the store of `context`."""
        super().__init__(context.journal)
        self._context, self._steps = context, context.store.steps

    def on_start(self, at: Moment) -> None:
        """Delays begin anew on the clock of this process."""
        self._steps.begin_anew(at.now)

    def settle(self, at: Moment) -> None:
        """Let the demand be counted for what has become due."""
        if at.now >= self.next_due():
            self._context.dirty_job_types.update(self._steps.due(at.now))

    def next_due(self) -> float:
        """Return when the next delay is over."""
        due = self._steps.next_due()
        return inf if due is None else due
