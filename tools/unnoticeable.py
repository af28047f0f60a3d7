"""Mistakes that no test can notice, and why: most of them only undo what saves time."""

from collections.abc import Mapping

UNNOTICEABLE: Mapping[tuple[str, str], str] = {
    (
        "if limit <= 0 or not self._has_unsent:",
        "if limit <= 0 and (not self._has_unsent):",
    ): "rows are asked for no more than the limit, and for none in vain",
    (
        "id=0,",
        "id=1,",
    ): "the row is added, and the database gives its number",
    (
        "self._room = 0",
        "self._room = 1",
    ): "nothing is cut before the first count",
    (
        "self._note_cut(job_type, is_cut=sum(free) + sum(ready + waiting for _, ready, waiting in found) > room)",
        "self._note_cut(job_type, is_cut=sum(free) + sum((ready + waiting for _, ready, waiting in found)) >= room)",
    ): "what just fits is counted once more as the room changes, and is as much",
    (
        "bound[names] = _cut(room, *map(sum, zip(bound.get(names, (0, 0)), free, strict=True)))",
        "bound[names] = _cut(room, *map(sum, zip(bound.get(names, (0, 0)), free, strict=False)))",
    ): "both are pairs",
    ("slots: int = 0", "slots: int = 1"): "an agent that has said nothing yet has more to say than one number",
    ("backlog: int = 0", "backlog: int = 1"): "an agent that has said nothing yet has more to say than one number",
    ("pending: int = 0", "pending: int = 1"): "an agent that has said nothing yet has more to say than one number",
    (
        "if presence.boot < self.boot:",
        "if presence.boot <= self.boot:",
    ): "our own boot is one of ours, and was looked for before",
    (
        "self._store.managers.hold(manager, 0.0)",
        "self._store.managers.hold(manager, 1.0)",
    ): "both times are over",
    (
        "again_due=0.0,",
        "again_due=1.0,",
    ): "an open offer is made anew when it has been closed, and that sets the time",
    (
        "self._is_synced = True",
        "self._is_synced = False",
    ): "who holds a slot is looked for in the rows in every batch, and charged for the same time",
    (
        "self._types_changed = False",
        "pass",
    ): "job types that have gone are looked for in every batch, and ended once",
    (
        "self._types_changed = False",
        "self._types_changed = True",
    ): "job types that have gone are looked for in every batch, and ended once",
    (
        "if request.spread <= 0 or self._store.offers.status(topic.manager, topic.job_type) in {",
        "if request.spread < 0 or self._store.offers.status(topic.manager, topic.job_type) in {",
    ): "a part of no time is none",
    (
        "self._room = room",
        "pass",
    ): "what was cut is counted in every batch, and is what it was",
    (
        "self.now = 0.0",
        "self.now = 1.0",
    ): "every batch begins with its time",
    (
        "self._is_changed = False  # the node has to be told, and has not asked yet",
        "self._is_changed = True  # the node has to be told, and has not asked yet",
    ): "an agent has slots, so what it is to say has changed at the first look anyway",
    (
        "ONE_MESSAGE_BYTES = 1",
        "ONE_MESSAGE_BYTES = 2",
    ): "no message is that short",
    (
        "if holders and not steps and self._best(offer, min(room, 1), ()):",
        "if holders and not steps and self._best(offer, min(room, 2), ()):",
    ): "it is only asked whether there is any",
    (
        "self._noticed = types",
        "pass",
    ): "the notices of the same job types are made again, and are the same",
}
"""The lines without the mistake, and with it."""
