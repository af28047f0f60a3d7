"""What API and pages show of what starts workflows by itself: the configuration, with what its rules have done."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypedDict

from caroni_edge.base.dates import rfc3339
from caroni_edge.config.automation import Rule, Schedule
from caroni_edge.config.model import ManagerConfig
from caroni_edge.config.notify import Notify
from caroni_edge.config.timing import Cron
from caroni_edge.doctor.findings import Finding, warning
from caroni_edge.manager.schedules.schedules import slot_id
from caroni_edge.manager.store import Store
from caroni_edge.manager.store.notifications import TargetRow
from caroni_edge.manager.store.rules import RuleCount
from caroni_edge.manager.store.schedules import ScheduleRow, SlotRow
from caroni_edge.manager.triggers import rules
from caroni_edge.manager.triggers.evaluation import Outcome
from caroni_edge.protocol.topics import holds

SAID: Final = {
    Outcome.UNREAD.value: "could not be read",
    Outcome.UNMET.value: "did not meet the condition",
    Outcome.FAILED.value: "had an expression that failed",
    rules.KNOWN: "had an id that is known",
    rules.RETAINED: "had been retained",
    rules.LIMITED: "were more than at_most",
    rules.FULL: "came while too many had not ended",
    rules.REFUSED: "were refused",
}
"""What is said of messages that started nothing, by what is counted."""
FAULTS: Final = (Outcome.UNREAD, Outcome.FAILED, rules.FULL, rules.REFUSED, rules.OFTEN_STARTED)
"""What somebody should look at."""


SLOTS_SHOWN = 3


class CountView(TypedDict):
    """How often a trigger has done something with a message, and what there is to say of the last time."""

    times: int
    last: str
    said: str


class TriggerView(TypedDict):
    """A trigger of the configuration.

    Attributes:
        listens_since: Since when the broker has its subscription; None while it has not.
        workflow: The last workflow that it has started; None for none.
        counts: What it has done with messages, by what: `started`, and why the others started nothing.
        problem: What somebody should look at; None where all is well.
    """

    name: str
    topic: str
    when: str | None
    template: str
    id: str | None
    at_most: str | None
    retained: str
    priority: int
    listens_since: str | None
    workflow: str | None
    counts: dict[str, CountView]
    problem: str | None


class TriggerPage(TypedDict):
    """The triggers, in the order of the configuration."""

    triggers: list[TriggerView]


class SlotView(TypedDict):
    """A slot of a schedule, and the workflow that it has started or is to start."""

    slot: str
    workflow: str
    waiting: bool


class ScheduleView(TypedDict):
    """A schedule of the configuration.

    Attributes:
        next: When it is due next.
        last: Its last slots, the newest first.
        missed: How many slots have started nothing, and the last of them.
        problem: What somebody should look at; None where all is well.
    """

    name: str
    template: str
    timing: str
    timezone: str | None
    catch_up: str
    overlap: str
    next: list[str]
    last: list[SlotView]
    missed: int
    missed_slot: str | None
    missed_why: str | None
    problem: str | None


class SchedulePage(TypedDict):
    """The schedules, in the order of the configuration."""

    schedules: list[ScheduleView]


class NotifyView(TypedDict):
    """An entry of `notify`, and how it goes with its target; of a topic that is the matter of the broker.

    Attributes:
        to: Who is told; of a URL only the host.
        waiting: How many notifications wait.
        said: What went wrong last.
    """

    on: list[str]
    templates: list[str]
    to: str
    waiting: int
    taken: int
    dropped: int
    said: str | None
    said_at: str | None


class NotifyPage(TypedDict):
    """Who is told of what, in the order of the configuration."""

    notify: list[NotifyView]


class Automation:
    """What starts workflows by itself, at one commit."""

    def __init__(self, store: Store) -> None:
        """Read of a store whose connection is within a transaction."""
        self._store = store

    def triggers(self, settings: ManagerConfig, templates: frozenset[str]) -> TriggerPage:
        """Return the triggers; `templates` are those that can be started."""
        counts: dict[str, dict[str, RuleCount]] = {}
        for each in self._store.rules.counts():
            counts.setdefault(each.rule, {})[each.what] = each
        since = {each.filter: each.since for each in self._store.rules.filters()}
        return TriggerPage(
            triggers=[
                _trigger(rule, counts.get(rule.name, {}), _since(rule.topic, since), rule.template in templates)
                for rule in settings.rules
            ]
        )

    def schedules(self, settings: ManagerConfig, templates: frozenset[str], date: float) -> SchedulePage:
        """Return the schedules as they stand at a date; `templates` are those that can be started."""
        return SchedulePage(
            schedules=[
                _schedule(
                    each,
                    self._store.schedules.get(each.name),
                    self._store.schedules.last(each.name, SLOTS_SHOWN),
                    date,
                    each.template in templates,
                )
                for each in settings.schedules
            ]
        )

    def notify(self, settings: ManagerConfig) -> NotifyPage:
        """Return who is told of what, and how that goes."""
        known = {each.target: each for each in self._store.notifications.targets()}
        return NotifyPage(
            notify=[
                _notify(each, known.get(each.target_key), self._store.notifications.waiting(each.target_key))
                for each in settings.notify
            ]
        )

    def missed(self) -> dict[str, int]:
        """Return how many slots have started nothing, by schedule."""
        return {each.schedule: each.missed for each in self._store.schedules.all()}

    def counted(self) -> list[RuleCount]:
        """Return what all triggers have done with messages."""
        return self._store.rules.counts()


def findings(triggers: TriggerPage, schedules: SchedulePage, notify: NotifyPage) -> Iterator[Finding]:
    """Yield what somebody should look at, for the doctor."""
    for trigger in triggers["triggers"]:
        if trigger["problem"]:
            said = f"trigger {trigger['name']}: {trigger['problem']}"
            yield warning("triggers", said, "`caroni-edge triggers` shows what it did.")
    for schedule in schedules["schedules"]:
        if schedule["problem"]:
            said = f"schedule {schedule['name']}: {schedule['problem']}"
            yield warning("schedules", said, "`caroni-edge schedules` shows what was missed and why.")
    for each in notify["notify"]:
        if each["waiting"] and each["said"]:
            said = f"{each['waiting']} notifications wait for {each['to']}: {each['said']}"
            yield warning("notify", said, "They are tried again for three days.")


def _since(topic: str, known: dict[str, float]) -> float | None:
    return next((since for each, since in known.items() if holds(each, topic)), None)


def _trigger(rule: Rule, counts: dict[str, RuleCount], since: float | None, has_template: bool) -> TriggerView:
    started = counts.get(rules.STARTED)
    return TriggerView(
        name=rule.name,
        topic=rule.topic,
        when=None if rule.when is None else rule.when.text,
        template=rule.template,
        id=None if rule.id is None else rule.id.text,
        at_most=_at_most(rule),
        retained=rule.retained,
        priority=rule.priority,
        listens_since=rfc3339(since),
        workflow=None if started is None else started.said,
        counts={
            what: CountView(times=each.times, last=rfc3339(each.date), said=each.said) for what, each in counts.items()
        },
        problem=_problem(rule, counts, has_template),
    )


def _at_most(rule: Rule) -> str | None:
    if rule.at_most is None:
        return None
    each = f" for each {rule.at_most.for_each.text}" if rule.at_most.for_each else ""
    return f"{rule.at_most.runs} in {rule.at_most.per_s:g} s{each}"


def _problem(rule: Rule, counts: dict[str, RuleCount], has_template: bool) -> str | None:
    if not has_template:
        return f"there is no template {rule.template} that can be started"
    newest = max((each.date for each in counts.values()), default=0.0)
    found = [each for what, each in counts.items() if what in FAULTS and each.date >= newest - rules.HOUR_S]
    if not found:
        return None
    last = max(found, key=lambda each: each.date)
    return last.said if last.what == rules.OFTEN_STARTED else f"{SAID[last.what]}: {last.said}"


def _schedule(
    schedule: Schedule, row: ScheduleRow | None, slots: list[SlotRow], date: float, has_template: bool
) -> ScheduleView:
    timing = schedule.timing
    return ScheduleView(
        name=schedule.name,
        template=schedule.template,
        timing=timing.text if isinstance(timing, Cron) else str(timing),
        timezone=timing.zone if isinstance(timing, Cron) else None,
        catch_up=schedule.catch_up,
        overlap=schedule.overlap,
        next=[rfc3339(slot) for slot in islice(timing.after(date), SLOTS_SHOWN)],
        last=[
            SlotView(slot=rfc3339(each.slot), workflow=slot_id(schedule.name, each.slot), waiting=each.waiting)
            for each in slots
        ],
        missed=row.missed if row else 0,
        missed_slot=rfc3339(row.missed_slot) if row and row.missed_slot is not None else None,
        missed_why=row.missed_why if row else None,
        problem=None if has_template else f"there is no template {schedule.template} that can be started",
    )


def _notify(entry: Notify, row: TargetRow | None, waiting: int) -> NotifyView:
    return NotifyView(
        on=list(entry.on),
        templates=list(entry.templates),
        to=entry.target.name,
        waiting=waiting,
        taken=row.taken if row else 0,
        dropped=row.dropped if row else 0,
        said=row.said if row else None,
        said_at=rfc3339(row.date) if row else None,
    )
