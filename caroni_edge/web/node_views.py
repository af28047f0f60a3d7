"""What pages and API show of a node, whichever role it has: dicts that are made of its rows."""

import json
import sqlite3
from typing import TypedDict

from caroni_edge.base.dates import rfc3339
from caroni_edge.config import NodeConfig
from caroni_edge.delivery.outbox import OutboxRows, ShownLink
from caroni_edge.doctor.findings import Finding, Level, is_healthy
from caroni_edge.node.store import AuditRows, DeadLetter, DeadLetterRows
from caroni_edge.web.health import Examined
from caroni_edge.web.nodeview import NodeView

REASON_MAX = 300
LEVELS = (Level.PROBLEM, Level.WARNING, Level.OK)


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


class ForgetBody(TypedDict):
    """What was dropped of a peer."""

    peer: str
    rows: int
    jobs: int
    offers: int


class LinkView(TypedDict):
    """The link to a peer.

    Attributes:
        peer: Its id.
        waiting: Messages for it that it has not acknowledged.
        unanswered_s: For how long a question to it is open while we are connected; 0 when none is.
        silent_s: For how long nothing has come from it, counted every few minutes.
        reconcile: The two must tell each other what jobs they hold, since one has lost or restored its database.
    """

    peer: str
    waiting: int
    unanswered_s: float
    silent_s: float
    reconcile: bool


class LinkPage(TypedDict):
    """The links, by peer; `next` is the `after` of the next page."""

    links: list[LinkView]
    next: str | None


class FindingView(TypedDict):
    """One thing that the doctor has looked at; `level` is `ok`, `warning` or `problem`."""

    name: str
    level: Level
    sentence: str
    hint: str


class HealthView(TypedDict):
    """What the doctor has found, and when."""

    healthy: bool
    examined: str
    findings: list[FindingView]


class SettingView(TypedDict):
    """A setting in effect, without its secret; `source`: `FILE:LINE`, `environment NAME` or `default`."""

    key: str
    value: str
    source: str


class ConfigView(TypedDict):
    """The configuration in effect."""

    file: str
    settings: list[SettingView]


def link_page(conn: sqlite3.Connection, node: NodeView, limit: int, after: str) -> LinkPage:
    """Return a page of the links."""
    page = OutboxRows(conn).shown(limit, after)
    links = [_link(row, node.unanswered_s(row.peer)) for row in page.rows]
    return LinkPage(links=links, next=page.next)


def health(examined: Examined) -> HealthView:
    """Return what the doctor has found, what is worst first."""
    found = sorted(examined.findings, key=lambda each: LEVELS.index(each.level))
    return HealthView(
        healthy=is_healthy(found),
        examined=rfc3339(examined.date),
        findings=[_finding(each) for each in found],
    )


def config_view(config: NodeConfig) -> ConfigView:
    """Return the configuration in effect."""
    settings = [SettingView(key=each.key, value=each.value, source=each.source) for each in config.settings]
    return ConfigView(file=str(config.path.absolute()), settings=settings)


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


def _link(row: ShownLink, unanswered_s: float) -> LinkView:
    return LinkView(
        peer=row.peer,
        waiting=row.waiting,
        unanswered_s=unanswered_s,
        silent_s=row.silent_s,
        reconcile=row.reconcile,
    )


def _finding(found: Finding) -> FindingView:
    return FindingView(name=found.name, level=found.level, sentence=found.sentence, hint=found.hint)


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
