"""Decides by rules whether messages start workflows: each message at each rule that matches it, in one transaction."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.config.automation import AtMost, Rule
from caroni_edge.manager.context import Context
from caroni_edge.manager.store.rules import RuleCount
from caroni_edge.manager.triggers.evaluation import Evaluated, Outcome
from caroni_edge.manager.triggers.triggers import Refused, Triggers
from caroni_edge.node.parts import Part
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

KEYS_MAX = 10_000
"""So many keys are counted for a rule's `at_most`, and of so many topics it knows the last value."""
UNENDED_MAX = 1000
"""So many workflows of a rule may not have ended; beyond it none is started."""
OFTEN = 1000
"""More workflows than that within an hour, without `at_most`, look like a loop."""
HOUR_S = 3600.0
SAID_MAX_CHARACTERS = 300
SAY_REFUSALS_EVERY_S = 60.0
"""An event tells of a refusal at most so often for a rule; all are counted."""

STARTED: Final = "started"
KNOWN: Final = "known"
RETAINED: Final = "retained"
LIMITED: Final = "limited"
FULL: Final = "full"
REFUSED: Final = "refused"
OFTEN_STARTED: Final = "often"


def cause_of(rule: str) -> str:
    """Return the `cause` of the workflows that a rule starts."""
    return f"trigger {rule}"


class Rules(Part):
    """Starts workflows for messages on any topic.

    A message may come again, since it is acknowledged after the commit: with an id that starts nothing twice.
    """

    def __init__(self, context: Context, triggers: Triggers) -> None:
        """Start workflows by `triggers`."""
        super().__init__(context.journal)
        self._context, self._triggers, self._store = context, triggers, context.store
        self._counted: MemoryDict[tuple[str, str], tuple[int, float, str]] = MemoryDict(context.journal)
        self._hours: MemoryDict[str, tuple[int, int]] = MemoryDict(context.journal)
        self._refusal_said: MemoryDict[str, float] = MemoryDict(context.journal)
        self._is_reloaded = True

    def reload(self) -> None:
        """There may be other rules now; what is known of those that are gone is to be forgotten."""
        self._is_reloaded = True

    def take(self, found: Iterable[Evaluated], at: Moment) -> None:
        """Decide on a message, as each of the rules that match it sees it."""
        for each in found:
            what, said = self._take(each, at)
            self._count(each, what, said, at)

    def listens(self, filters: Sequence[str], at: Moment, *, is_session_new: bool) -> None:
        """Note that the broker has these subscriptions, and no others."""
        for known in self._store.rules.filters():
            if is_session_new or known.filter not in filters:
                self._store.rules.listen_no_more(known.filter)
        for each in filters:
            if self._store.rules.listen(each, at.date):
                facts = {"action": "listening", "topic": each}
                log.info("triggers listen to %s from now on; what was published before is nobody's", each, extra=facts)

    def settle(self, at: Moment) -> None:
        """Write down what was counted in the batch; forget the rules that there are no more."""
        for rule, what in [*self._counted]:
            times, date, said = self._counted.pop((rule, what))
            self._store.rules.count(RuleCount(rule, what, times, date, said))
        if self._is_reloaded:
            self._is_reloaded = False
            names = [rule.name for rule in self._context.settings.rules]
            for gone in self._store.rules.counted():
                if gone not in names:
                    self._store.rules.forget(gone)

    def _take(self, each: Evaluated, at: Moment) -> tuple[str, str]:
        """Return what becomes of a message at a rule, and what there is to say of it."""
        rule = each.rule
        if why_not := self._why_not(each, at):
            return why_not
        trigger = Trigger(template=rule.template, inputs=dict(each.inputs), id=each.id, priority=rule.priority)
        try:
            workflow, _ = self._triggers.start(trigger, at, cause=cause_of(rule.name))
        except Refused as refusal:
            self._say_refusal(each, refusal, at)
            return REFUSED, refusal.reason
        if rule.at_most is not None:
            self._note_run(rule, rule.at_most, each.key, at)
        self._note_hour(each, at)
        return STARTED, workflow

    def _why_not(self, each: Evaluated, at: Moment) -> tuple[str, str] | None:
        """Return why a message starts nothing at a rule, as far as the rule says so."""
        rule, cause = each.rule, cause_of(each.rule.name)
        found: tuple[str, str] | None = None
        if (each.reading.is_retained and rule.retained == "ignore") or (
            rule.retained == "take" and not self._is_new_value(each, at)
        ):
            found = RETAINED, ""
        elif each.outcome is not Outcome.FITS:
            found = each.outcome, each.said
        elif each.id is not None and self._store.workflows.by_id(each.id) is not None:
            found = KNOWN, each.id
        elif rule.at_most is not None and len(self._runs(rule, rule.at_most, each.key, at)) >= rule.at_most.runs:
            found = LIMITED, each.key
        elif self._store.workflows.count_unended(cause) >= UNENDED_MAX:
            found = FULL, f"{UNENDED_MAX} workflows of this trigger have not ended"
        return found

    # What was before

    def _is_new_value(self, each: Evaluated, at: Moment) -> bool:
        """Tell whether a message is new: it was published now, or has another value than the topic had last."""
        rows, rule, reading = self._store.rules, each.rule.name, each.reading
        value_hash = hashlib.sha256(reading.payload).hexdigest()[:32]
        known = rows.value(rule, reading.topic)
        if known == value_hash:
            return not reading.is_retained
        if known is None and rows.count_topics(rule) >= KEYS_MAX:
            rows.drop_oldest_topic(rule)
        rows.set_value(rule, reading.topic, value_hash, at.date)
        return True

    def _note_run(self, rule: Rule, limit: AtMost, key: str, at: Moment) -> None:
        rows = self._store.rules
        if rows.runs(rule.name, key) is None and rows.count_keys(rule.name) >= KEYS_MAX:
            rows.drop_oldest_key(rule.name)
        rows.set_runs(rule.name, key, as_text([*self._runs(rule, limit, key, at), at.date]), at.date)

    def _runs(self, rule: Rule, limit: AtMost, key: str, at: Moment) -> list[float]:
        """Return when the workflows were started that count now; a date ahead of the clock counts as now."""
        dates: list[float] = msgspec.json.decode(self._store.rules.runs(rule.name, key) or "[]")
        return [date for each in dates if (date := min(each, at.date)) > at.date - limit.per_s]

    def _note_hour(self, each: Evaluated, at: Moment) -> None:
        """Count the workflows of an hour of the clock, and say when they are so many that it looks like a loop."""
        name, hour = each.rule.name, int(at.date // HOUR_S)
        begun, count = self._hours.get(name, (hour, 0))
        count = count + 1 if begun == hour else 1
        self._hours[name] = (hour, count)
        if count == OFTEN + 1 and each.rule.at_most is None:
            said = f"more than {OFTEN} workflows in an hour, and no at_most: do they start each other?"
            log.warning("trigger %s: %s", name, said, extra={"action": "trigger_often", "trigger": name})
            self._count(each, OFTEN_STARTED, said, at)

    # What is said

    def _count(self, each: Evaluated, what: str, said: str, at: Moment) -> None:
        key = (each.rule.name, str(what))
        times = self._counted[key][0] if key in self._counted else 0
        if said and what not in (STARTED, KNOWN, OFTEN_STARTED):
            said = f"{each.reading.topic[:100]}: {said}"
        self._counted[key] = (times + 1, at.date, said[:SAID_MAX_CHARACTERS])

    def _say_refusal(self, each: Evaluated, refusal: Refused, at: Moment) -> None:
        name = each.rule.name
        if at.now < self._refusal_said.get(name, at.now):
            return
        self._refusal_said[name] = at.now + SAY_REFUSALS_EVERY_S
        facts = {"action": "trigger_refused", "trigger": name, "workflow": each.id}
        log.warning("trigger %s is refused: %s", name, refusal.reason, extra=facts)
        received = each.reading.payload[:1000].decode(errors="replace")
        self._context.events.rejected(each.id, f"trigger {name}: {refusal.reason}", received, None, at.date)
