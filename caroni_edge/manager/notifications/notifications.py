"""Decides who is told of what: by a row in the transaction of the event, or by another topic of it."""

import logging
from collections.abc import Callable, Iterator
from math import inf
from typing import Final, Literal

import msgspec

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.config.notify import OF_AGENTS, Notify, Topic
from caroni_edge.manager.context import Context
from caroni_edge.manager.store.notifications import NotificationRow, TargetRow
from caroni_edge.node.parts import Part
from caroni_edge.protocol.events import EventType, ToldType

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""So many notifications wait for a target; the oldest go."""
GIVE_UP_AFTER_S = 3 * 86400.0
LOOK_EVERY_S = 15.0

_OCCASIONS: Final[dict[EventType, str]] = {
    "caroni.workflow.failed": "failed",
    "caroni.workflow.stalled": "stalled",
    "caroni.workflow.rejected": "trigger-refused",
}

Result = Literal["taken", "again", "never"]
"""What became of handing a notification over: taken, to be tried again, or refused for good."""


class Notifications(Part):
    """Puts what is to be told where it waits for its target.

    Attributes:
        wake: Called after a commit by which something waits for targets.
    """

    def __init__(self, context: Context) -> None:
        """Tell what `context.events` says."""
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        self.wake: Callable[[], None] = _nobody
        self._has_new, self._is_reloaded = False, True
        self._look_due = -inf
        self._away: MemoryDict[str, float] = MemoryDict(context.journal)
        context.events.tell = self.on_event

    def reload(self) -> None:
        """Others may be told now, of something else."""
        self._is_reloaded, self._look_due = True, -inf

    def on_event(self, kind: EventType, template: str | None, workflow: str | None, body: bytes, date: float) -> None:
        """Take an event that was said."""
        if kind == "caroni.workflow.failed" and template is not None:
            for entry in self._entries("recovered", template):
                self._store.notifications.fail(entry.key, template)
        if kind == "caroni.workflow.completed" and template is not None:
            self._recover(template, workflow, date)
        elif kind in _OCCASIONS:
            for entry in self._entries(_OCCASIONS[kind], template):
                self._put(entry, body, date)

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """Count from now on how long agents are away: nothing was heard of them before."""
        self._away.clear()
        self._look_due = -inf

    def settle(self, at: Moment) -> None:
        """Look which agents are silent, and drop what waits for those who are not told any more."""
        if self._is_reloaded:
            self._is_reloaded = False
            self._drop_others()
        if at.now >= self._look_due:
            self._look(at)

    def next_due(self) -> float:
        """Return when to look again which agents are silent."""
        return self._look_due

    def committed(self) -> None:
        """Wake the couriers, if something new waits for them."""
        if self._has_new:
            self._has_new = False
            self.wake()

    # What couriers ask

    def first(self, target: str) -> NotificationRow | None:
        """Return what a target is to get next."""
        return self._store.notifications.first(target)

    def handed_over(self, number: int, name: str, result: Result, said: str, at: Moment) -> None:
        """Note what became of a notification for the target that people call `name`."""
        row = self._store.notifications.get(number)
        if row is None:
            return
        rows = self._store.notifications
        facts = {"action": "notification_failed", "event": row.event}
        if result == "taken":
            rows.delete(number)
            rows.note(TargetRow(row.target, 1, 0, None, None))
        elif result == "never" or at.date - row.date > GIVE_UP_AFTER_S:
            rows.delete(number)
            rows.note(TargetRow(row.target, 0, 1, f"given up: {said}", at.date))
            log.error("%s is not told of an event, which is given up: %s", name, said, extra=facts)
        else:
            rows.tried(number)
            rows.note(TargetRow(row.target, 0, 0, said, at.date))
            if not row.tries:
                log.warning("%s did not take a notification, which is tried again: %s", name, said, extra=facts)

    # Inside

    def _entries(self, occasion: str, template: str | None) -> Iterator[Notify]:
        for entry in self._context.settings.notify:
            if occasion in entry.on and (occasion in OF_AGENTS or entry.covers(template)):
                yield entry

    def _put(self, entry: Notify, body: bytes, date: float) -> None:
        if isinstance(entry.target, Topic):
            self._context.events.repeat(entry.target.topic, body)
            return
        target, rows = entry.target_key, self._store.notifications
        rows.add(target, msgspec.json.decode(body)["id"], body, date)
        self._has_new = True
        if dropped := rows.trim(target, WAITING_MAX):
            said = f"{WAITING_MAX} notifications wait already: the oldest go"
            rows.note(TargetRow(target, 0, dropped, said, date))
            log.error("%s: %s", entry.target.name, said, extra={"action": "notifications_dropped"})

    def _recover(self, template: str, workflow: str | None, date: float) -> None:
        for entry in self._entries("recovered", template):
            if self._store.notifications.recover(entry.key, template):
                facts = {"template": template, "workflow": workflow}
                self._put(entry, self._context.events.made("caroni.template.recovered", template, date, **facts), date)

    def _drop_others(self) -> None:
        entries = self._context.settings.notify
        known = {entry.target_key for entry in entries}
        for target in self._store.notifications.waiting_for():
            if target not in known and (dropped := self._store.notifications.drop_all(target)):
                said = "%d notifications are dropped: their target is not in the configuration any more"
                log.warning(said, dropped, extra={"action": "notifications_dropped"})
        for row in self._store.notifications.targets():
            if row.target not in known:
                self._store.notifications.forget(row.target)
        self._has_new = True

    def _look(self, at: Moment) -> None:
        """Tell of agents that are silent, and of those that are back."""
        self._look_due = inf
        if not any(each in entry.on for entry in self._context.settings.notify for each in OF_AGENTS):
            return
        self._look_due = at.now + LOOK_EVERY_S
        rows, away = self._store.notifications, self._store.notifications.away()
        for agent in [*self._away]:
            if agent not in away:
                del self._away[agent]
        for agent in away:
            since = self._away.setdefault(agent, at.now)
            if at.now - since >= self._context.settings.silent_after_s and rows.be_silent(agent):
                self._tell_of_agent("agent-silent", "caroni.agent.silent", agent, at)
        for agent in rows.silent():
            if agent not in away:
                rows.be_back(agent)
                if rows.is_online(agent):
                    self._tell_of_agent("agent-back", "caroni.agent.back", agent, at)

    def _tell_of_agent(self, occasion: str, kind: ToldType, agent: str, at: Moment) -> None:
        log.warning("%s", occasion, extra={"action": occasion.replace("-", "_"), "peer": agent})
        body = self._context.events.made(kind, agent, at.date, agent=agent)
        for entry in self._entries(occasion, None):
            self._put(entry, body, at.date)


def _nobody() -> None:
    """Wake nobody: there are no couriers yet."""
