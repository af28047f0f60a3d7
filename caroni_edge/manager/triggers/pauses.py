"""Pauses of templates: their new workflows are held, and begin in their order when the template is resumed."""

import logging
from math import inf

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.node.parts import Part

log = logging.getLogger(__name__)

WORKFLOWS_AT_ONCE = 50
STEPS_AT_ONCE = 1000
"""So many workflows, or those with so many steps, begin in one batch; the others follow in the next ones."""


class Pauses(Part):
    """Holds the new workflows of templates, and lets them begin."""

    def __init__(self, context: Context, engine: Engine) -> None:
        """Let workflows begin by `engine`."""
        super().__init__(context.journal)
        self._engine, self._store = engine, context.store
        self._is_resuming = False

    def holds(self, template: str) -> bool:
        """Tell whether a new workflow of a template is to be held."""
        return self._store.pauses.of_template(template) is not None

    def pause(self, template: str, at: Moment) -> None:
        """Hold what is started from a template from now on; what runs goes on."""
        self._store.pauses.pause(template, at.date)
        log.warning("template paused", extra={"action": "template_paused", "template": template})

    def resume(self, template: str) -> None:
        """Let the workflows of a template begin that are held, and those that come after them."""
        self._store.pauses.resume(template)
        log.info("template resumed", extra={"action": "template_resumed", "template": template})

    def settle(self, at: Moment) -> None:
        """Let some of those begin whose template was resumed."""
        template = self._store.pauses.resumed()
        self._is_resuming = template is not None
        if template is None:
            return
        steps_left = STEPS_AT_ONCE
        held = self._store.workflows.held(template, WORKFLOWS_AT_ONCE)
        for row in held:
            if steps_left <= 0:
                return
            steps_left -= self._engine.release(row, at)
        if len(held) < WORKFLOWS_AT_ONCE:
            self._store.pauses.end(template)

    def next_due(self) -> float:
        """Return that `settle` has something to do at once, while held workflows are to begin; otherwise never."""
        return -inf if self._is_resuming else inf
