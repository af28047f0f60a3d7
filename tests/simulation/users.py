"""Those who want workflows: they ask until they know that they were heard, cancel, and retry what has failed.

Now and then they pause a template, want another workflow like one, or delete one that has ended.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from math import inf

from caroni_edge.base.moment import Moment
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.node.calls import Call
from caroni_edge.protocol.triggers import Trigger
from tests.simulation.members import Manager
from tests.simulation.plans import ALL, inputs_of

ASK_AGAIN_S = 2.0
NOT_THERE = 404

FAILED = "SELECT 1 FROM workflows WHERE id = ? AND status = 'failed'"
ENDED = "SELECT 1 FROM workflows WHERE id = ? AND status IN ('completed', 'failed', 'cancelled')"
PAUSED = "SELECT template FROM pauses WHERE NOT resumed"
IN_DOUBT = """
    SELECT 1 FROM steps s JOIN workflows w ON w.seq = s.workflow
    WHERE w.id = ? AND w.status IN ('initializing', 'running', 'stalled') AND s.in_doubt IS NOT NULL"""


@dataclass
class Asked:
    """A workflow that somebody wants.

    Attributes:
        cancelled: They have changed their mind.
        retries: How often they have asked to try it again.
        deleted: They have asked to delete it.
    """

    workflow: str
    manager: str
    template: str
    value: str
    cancelled: bool = False
    retries: int = 0
    deleted: bool = False


class Users:
    """What was asked of managers.

    Attributes:
        asked: All workflows that were asked for.
    """

    def __init__(self, managers: Sequence[Manager]) -> None:
        """Ask these managers, as they are at any time."""
        self.asked: list[Asked] = []
        self._managers = managers
        self._unheard: dict[tuple[str, str], Asked] = {}
        self._due = -inf

    def submit(self, manager: str, template: str) -> None:
        """Want a workflow; it is asked for again by its id until the manager has it."""
        number = len(self.asked)
        asked = Asked(f"w{number}", manager, template, f"v{number}")
        self.asked.append(asked)
        self._ask("start", asked)

    def cancel(self, asked: Asked) -> None:
        """Ask until it is cancelled, or has ended before."""
        asked.cancelled = True
        self._ask("cancel", asked)

    def retry(self, asked: Asked) -> None:
        """Ask once to try again what has failed or is in doubt."""
        asked.retries += 1
        manager = self._manager(asked)
        manager.tell(Call(lambda at: manager.reactor.retry(asked.workflow, at)))

    def retry_failed(self) -> None:
        """Look at all workflows, and retry what has failed or is in doubt."""
        for asked in self.asked:
            if _any(self._manager(asked), FAILED, asked) or _any(self._manager(asked), IN_DOUBT, asked):
                self.retry(asked)

    def pause(self, manager: Manager, template: str) -> None:
        """Ask once that new workflows of a template are held."""
        manager.tell(Call(lambda at: manager.reactor.pause(template, at)))

    def resume(self, manager: Manager, template: str) -> None:
        """Ask once that they begin."""
        manager.tell(Call(lambda _at: manager.reactor.resume(template)))

    def resume_all(self) -> None:
        """Look at all templates, and let none stay paused."""
        for manager in self._managers:
            for (template,) in manager.disk.database.conn.execute(PAUSED).fetchall():
                self.resume(manager, template)

    def rerun(self, asked: Asked) -> None:
        """Want another workflow like one; whether that is there or not, it is asked for by its own id too."""
        again = Asked(f"w{len(self.asked)}", asked.manager, asked.template, asked.value)
        self.asked.append(again)
        manager = self._manager(asked)
        manager.tell(Call(lambda at: manager.reactor.rerun(asked.workflow, {}, again.workflow, at)))
        self._ask("start", again)

    def delete(self, asked: Asked) -> None:
        """Ask once to delete a workflow, if it has ended and nothing else is asked of it."""
        manager = self._manager(asked)
        is_asked = any(workflow == asked.workflow for _, workflow in self._unheard)
        if not is_asked and _any(manager, ENDED, asked):
            asked.deleted = True
            manager.tell(Call(lambda at: manager.reactor.delete(asked.workflow, at)))

    def delete_many(self, manager: Manager, template: str) -> None:
        """Ask once to delete all workflows of a template that have failed."""
        failed = WorkflowFilter(template=template, status=WorkflowState.FAILED)
        meant = [each for each in self.asked if (each.manager, each.template) == (manager.name, template)]
        if {each.workflow for each in meant} & {workflow for _, workflow in self._unheard}:
            return
        for asked in meant:
            asked.deleted = True  # it may have failed by then
        manager.tell(Call(lambda _at: manager.reactor.act_on_many("delete", failed)))

    def ask_again(self, manager: str) -> None:
        """Ask a manager, which may have forgotten, for all that it was asked for."""
        for asked in self.asked:
            if asked.manager == manager and not asked.deleted:
                self._ask("start", asked)
                if asked.cancelled:
                    self._ask("cancel", asked)

    def next_due(self) -> float:
        """Return when they ask again."""
        return self._due if self._unheard else inf

    def pump(self, now: float) -> None:
        """Ask, if it is time."""
        if now < self.next_due():
            return
        self._due = now + ASK_AGAIN_S
        for (verb, workflow), asked in self._unheard.items():
            manager = self._manager(asked)
            call = Call(_start(manager, asked) if verb == "start" else _cancel(manager, asked))
            call.done.add_done_callback(partial(self._hear, verb, workflow))
            manager.tell(call)

    def _hear(self, verb: str, workflow: str, done: "Future[bool]") -> None:
        """Take an answer, which comes when all is committed: that it had been done before ends the asking."""
        if done.exception() is None and done.result():
            self._unheard.pop((verb, workflow), None)

    def _ask(self, verb: str, asked: Asked) -> None:
        self._unheard[verb, asked.workflow] = asked
        self._due = -inf

    def _manager(self, asked: Asked) -> Manager:
        return next(each for each in self._managers if each.name == asked.manager)


def _start(manager: Manager, asked: Asked) -> Callable[[Moment], bool]:
    def work(at: Moment) -> bool:
        trigger = Trigger(
            template=asked.template, inputs=inputs_of(ALL[asked.template], asked.value), id=asked.workflow
        )
        _, is_new = manager.reactor.start_workflow(trigger, at)
        return not is_new

    return work


def _cancel(manager: Manager, asked: Asked) -> Callable[[Moment], bool]:
    def work(at: Moment) -> bool:
        try:
            manager.reactor.cancel(asked.workflow, at)
        except Refused as refused:
            return refused.status != NOT_THERE  # it had ended before this question
        return False

    return work


def _any(manager: Manager, query: str, asked: Asked) -> bool:
    return manager.disk.database.conn.execute(query, (asked.workflow,)).fetchone() is not None
