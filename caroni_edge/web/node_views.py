"""What pages and API show of a node, whichever role it has: dicts that are made of its rows."""

import json
import sqlite3
from typing import TypedDict

from caroni_edge.base.dates import rfc3339
from caroni_edge.node.store import AuditRows, DeadLetter, DeadLetterRows

REASON_MAX = 300


class AuditEntry(TypedDict):
    """Something that somebody has done, or tried.

    Attributes:
        id: Its number.
        date: When.
        who: Name of a user, `token`, or `the host`; empty for somebody unknown.
        address: Where the request came from; empty on the host.
        action: What.
        about: What it was done to, by kind.
        outcome: `done`, `refused`, `failed`, or `wrong` of a login.
    """

    id: int
    date: str
    who: str
    address: str
    action: str
    about: dict[str, str]
    outcome: str


class AuditPage(TypedDict):
    """What has been done, newest first; `next` is the `after` of the next page."""

    entries: list[AuditEntry]
    next: str | None


class DeadLetterSummary(TypedDict):
    """A message that could not be handled.

    Attributes:
        id: Its number.
        date: When it came.
        peer: Who has sent it; None for one that came on a topic of its own.
        topic: That topic.
        type: Of a link message.
        reason: Why it could not be handled.
        bytes: How much of it is kept.
    """

    id: int
    date: str
    peer: str | None
    topic: str | None
    type: str | None
    reason: str
    bytes: int


class DeadLetterView(DeadLetterSummary):
    """A message that could not be handled, with all that is kept of it."""

    body: str
    traceback: str


class DeadLetterPage(TypedDict):
    """Messages that could not be handled, newest first; `next` is the `after` of the next page."""

    dead_letters: list[DeadLetterSummary]
    next: str | None


def audit_page(conn: sqlite3.Connection, limit: int, after: int | None) -> AuditPage:
    """Return a page of what has been done."""
    page = AuditRows(conn).page(limit, after)
    entries = [
        AuditEntry(
            id=row.id,
            date=rfc3339(row.date),
            who=row.who,
            address=row.address,
            action=row.action,
            about=json.loads(row.about),
            outcome=row.outcome,
        )
        for row in page.rows
    ]
    return AuditPage(entries=entries, next=page.next)


def dead_letter_page(conn: sqlite3.Connection, limit: int, after: int | None) -> DeadLetterPage:
    """Return a page of the messages that could not be handled."""
    page = DeadLetterRows(conn).page(limit, after)
    return DeadLetterPage(dead_letters=[_letter(row) for row in page.rows], next=page.next)


def dead_letter(conn: sqlite3.Connection, letter: int) -> DeadLetterView | None:
    """Return a message that could not be handled, by its number."""
    row = DeadLetterRows(conn).get(letter)
    if row is None:
        return None
    return DeadLetterView(**_letter(row), body=row.body.decode(errors="replace"), traceback=row.traceback)


def _letter(row: DeadLetter) -> DeadLetterSummary:
    is_topic = "/" in row.peer
    lines = row.traceback.strip().splitlines()
    return DeadLetterSummary(
        id=row.id,
        date=rfc3339(row.date),
        peer=None if is_topic else row.peer,
        topic=row.peer if is_topic else None,
        type=row.kind or None,
        reason=lines[-1][:REASON_MAX] if lines else "",
        bytes=len(row.body),
    )
