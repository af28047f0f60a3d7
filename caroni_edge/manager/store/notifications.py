"""Notifications that wait for their targets, how it went with others, which templates have failed, who is silent."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class NotificationRow(NamedTuple):
    """A notification that waits.

    Attributes:
        target: Whom it is for: the key of the target.
        event: The id of its event.
        body: The event, a CloudEvent in JSON.
        date: When it happened.
        tries: How often it was tried to hand it over.
    """

    id: int
    target: str
    event: str
    body: bytes
    date: float
    tries: int


class TargetRow(NamedTuple):
    """How it went with the notifications for a target.

    Attributes:
        taken: How many it has taken.
        dropped: How many were given up.
        said: What went wrong last; None for nothing.
        date: When that was.
    """

    target: str
    taken: int
    dropped: int
    said: str | None
    date: float | None


class NotificationRows(Rows):
    """Statements about notifications."""

    ADD = "INSERT INTO notifications (target, event, body, date) VALUES (:target, :event, :body, :date)"

    def add(self, target: str, event: str, body: bytes, date: float) -> None:
        """Let a notification wait for its target."""
        self._run(self.ADD, target=target, event=event, body=body, date=date)

    TRIM = """
        DELETE FROM notifications WHERE id IN (
            SELECT id FROM notifications WHERE target = :target ORDER BY id LIMIT max(0, ifnull(
            (SELECT rows FROM row_counts WHERE what = 'notifications' AND name = :target), 0) - :kept))"""

    def trim(self, target: str, kept: int) -> int:
        """Drop the oldest that wait for a target, so that `kept` stay; return how many."""
        return self._run(self.TRIM, target=target, kept=kept)

    FIRST = f"SELECT {columns(NotificationRow)} FROM notifications WHERE target = :target ORDER BY id LIMIT 1"

    def first(self, target: str) -> NotificationRow | None:
        """Return the notification that a target is to get next."""
        return self._one(NotificationRow, self.FIRST, target=target)

    GET = f"SELECT {columns(NotificationRow)} FROM notifications WHERE id = :id"

    def get(self, number: int) -> NotificationRow | None:
        """Return a notification that still waits."""
        return self._one(NotificationRow, self.GET, id=number)

    DELETE = "DELETE FROM notifications WHERE id = :id"

    def delete(self, number: int) -> None:
        """A notification waits no more."""
        self._run(self.DELETE, id=number)

    TRIED = "UPDATE notifications SET tries = tries + 1 WHERE id = :id"

    def tried(self, number: int) -> None:
        """Note that it was tried in vain."""
        self._run(self.TRIED, id=number)

    WAITING = "SELECT rows FROM row_counts WHERE what = 'notifications' AND name = :target"

    def waiting(self, target: str) -> int:
        """Count what waits for a target."""
        return self._one(int, self.WAITING, target=target) or 0

    WAITING_FOR = "SELECT DISTINCT target FROM notifications"

    def waiting_for(self) -> list[str]:
        """Return the targets for which something waits."""
        return self._all(str, self.WAITING_FOR)

    DROP_ALL = "DELETE FROM notifications WHERE target = :target"

    def drop_all(self, target: str) -> int:
        """Drop all that waits for a target; return how many that were."""
        return self._run(self.DROP_ALL, target=target)

    # How it went

    NOTE = """
        INSERT INTO targets (target, taken, dropped, said, date) VALUES (:target, :taken, :dropped, :said, :date)
        ON CONFLICT (target) DO UPDATE SET taken = taken + excluded.taken, dropped = dropped + excluded.dropped,
            said = ifnull(excluded.said, said), date = ifnull(excluded.date, date)"""

    def note(self, row: TargetRow) -> None:
        """Add to how it went with a target; what there is to say takes the place of what was said."""
        self._run(self.NOTE, **row._asdict())

    TARGET = f"SELECT {columns(TargetRow)} FROM targets WHERE target = :target"

    def target(self, target: str) -> TargetRow | None:
        """Return how it went with a target."""
        return self._one(TargetRow, self.TARGET, target=target)

    TARGETS = f"SELECT {columns(TargetRow)} FROM targets ORDER BY target"

    def targets(self) -> list[TargetRow]:
        """Return how it went with all targets."""
        return self._all(TargetRow, self.TARGETS)

    FORGET = "DELETE FROM targets WHERE target = :target"

    def forget(self, target: str) -> None:
        """Forget how it went with a target."""
        self._run(self.FORGET, target=target)

    # Templates that have failed

    FAIL = "INSERT INTO failing (entry, template) VALUES (:entry, :template) ON CONFLICT DO NOTHING"

    def fail(self, entry: str, template: str) -> None:
        """Note for an entry that a workflow of a template has failed."""
        self._run(self.FAIL, entry=entry, template=template)

    RECOVER = "DELETE FROM failing WHERE entry = :entry AND template = :template"

    def recover(self, entry: str, template: str) -> bool:
        """Note that a workflow of a template has completed; tell whether one had failed before."""
        return self._run(self.RECOVER, entry=entry, template=template) > 0

    # Agents that are silent

    AWAY = "SELECT agent FROM agents WHERE NOT online ORDER BY agent"

    def away(self) -> list[str]:
        """Return the agents that are not there."""
        return self._all(str, self.AWAY)

    IS_ONLINE = "SELECT online FROM agents WHERE agent = :agent"

    def is_online(self, agent: str) -> bool | None:
        """Tell whether an agent is there; None for one that was forgotten."""
        return self._one(bool, self.IS_ONLINE, agent=agent)

    SILENT = "SELECT agent FROM silent ORDER BY agent"

    def silent(self) -> list[str]:
        """Return the agents of which it was told that they are silent."""
        return self._all(str, self.SILENT)

    BE_SILENT = "INSERT INTO silent (agent) VALUES (:agent) ON CONFLICT DO NOTHING"

    def be_silent(self, agent: str) -> bool:
        """Note that an agent is silent; tell whether that is new."""
        return self._run(self.BE_SILENT, agent=agent) > 0

    BE_BACK = "DELETE FROM silent WHERE agent = :agent"

    def be_back(self, agent: str) -> None:
        """Note that an agent is silent no more."""
        self._run(self.BE_BACK, agent=agent)
