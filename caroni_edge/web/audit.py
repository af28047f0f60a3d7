"""Who changed what, and from where: noted in the transaction of the change itself, where it is one of the node's.

The gate notes who makes a request that may change something (`begin`). What its handler runs by `AuditedCommands` is
noted together with its effect; what else it has done, or was refused, when the answer goes out (`finish`). So no
handler can forget it; it only adds what the path does not name (`note`).
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from caroni_edge.base.moment import Moment
from caroni_edge.base.text import as_unicode
from caroni_edge.node.store import AuditRows

Result = TypeVar("Result")

FACT_MAX = 200
"""So many characters are kept of a name, a path or a number that somebody has sent."""
LOGIN: Final = "login"
LOGINS_AT_ONCE: Final = 20
LOGIN_EVERY_S: Final = 900.0
"""When logins go on they are noted so often: they must not push out what people have done."""

UNAUDITED: Final = "unaudited"
"""A handler with this `opt` changes nothing, though it is no GET."""
ACTION: Final = "action"
"""A handler with this `opt` is noted under that name; the others under their own."""


class Commands(Protocol):
    """How a request changes something: in the node's own thread (`caroni_edge.node.service.Service`)."""

    def call(self, work: Callable[[Moment], Result], timeout_s: float = 10.0) -> Result:
        """Run `work` within a batch, and return its result when it is committed."""

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        """Run `work` within a batch, and return what tells that it is committed."""


@dataclass(slots=True)
class Change:
    """A request that may change something.

    Attributes:
        who: Name of the user, `token` or `the host`; empty for a stranger.
        address: Where it came from; empty on the host.
        action: What it asks for.
        about: What it is about, by kind: `workflow`, `peer`, …
        is_noted: What it did is noted with its effect.
    """

    who: str
    address: str
    action: str
    about: dict[str, str] = field(default_factory=dict)
    is_noted: bool = False


_change: ContextVar[Change | None] = ContextVar("change", default=None)


def begin(change: Change | None) -> None:
    """A request begins that may change something; None: one that cannot."""
    _change.set(change)


def known_as(name: str) -> None:
    """Note the name of who logs in, or tries to; only one that there is, since people type passwords there too."""
    if (change := _change.get()) is not None:
        change.who = name


def note(**about: object) -> None:
    """Add to what the present request is about; called before the change is made."""
    if (change := _change.get()) is not None:
        change.about |= {name: cut(value) for name, value in about.items() if value is not None}


def leave_out() -> None:
    """The present request turns out to change nothing, so it is not noted."""
    if (change := _change.get()) is not None:
        change.is_noted = True


class AuditedCommands:
    """Runs commands in the node's thread, and notes there who has given them."""

    def __init__(self, commands: Commands, rows: AuditRows, clock: Callable[[], float] = time.monotonic) -> None:
        """Run them by `commands`; `rows` are on the node's writing connection, `clock` is monotonic."""
        self._commands, self._rows = commands, rows
        self._clock = clock
        self._logins: dict[str, _Bucket] = {}

    def call(self, work: Callable[[Moment], Result], timeout_s: float = 10.0) -> Result:
        """Run `work` within a batch, and return its result when it is committed, together with who wanted it.

        Raises:
            Exception: Whatever `work` raised, or that it was not done in time; it has had no effect.
        """
        change = _change.get()
        if change is None or change.is_noted:
            return self._commands.call(work, timeout_s)

        def audited(at: Moment) -> Result:
            result = work(at)
            self._add(change, "done", at)
            return result

        result = self._commands.call(audited, timeout_s)
        change.is_noted = True
        return result

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        """Run `work` within a batch; it is nobody's wish."""
        return self._commands.tell(work, keep=keep)

    def finish(self, status: int) -> None:
        """Note how a request was answered, unless it is noted with its effect."""
        change = _change.get()
        _change.set(None)
        if change is None or change.is_noted:
            return
        outcome = outcome_of(status)
        if change.action == LOGIN:
            whose = change.who if outcome == "done" else ""
            left_out = self._logins.setdefault(whose, _Bucket(self._clock)).take()
            if left_out is None:
                return
            change.about |= {"left out before": str(left_out)} if left_out else {}
        self._commands.tell(lambda at: self._add(change, outcome, at), keep=False)

    def _add(self, change: Change, outcome: str, at: Moment) -> None:
        self._rows.add(
            date=at.date,
            who=change.who,
            address=change.address,
            action=change.action,
            about=change.about,
            outcome=outcome,
        )


def outcome_of(status: int) -> str:
    """Return in a word how a request ended, by the status of its answer."""
    match status:
        case 401 | 429:
            return "wrong"
        case _ if status < 400:
            return "done"
        case _ if status < 500:
            return "refused"
    return "failed"


class _Bucket:
    """Lets through so many at once, and then one now and then; counts the others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at = clock()
        self._left_out = 0

    def take(self) -> int | None:
        """Return how many were not let through before this one; None where this one is not either."""
        now = self._clock()
        full_at = max(self._full_at, now) + LOGIN_EVERY_S
        if full_at > now + LOGINS_AT_ONCE * LOGIN_EVERY_S:
            self._left_out += 1
            return None
        self._full_at = full_at
        found, self._left_out = self._left_out, 0
        return found


def cut(value: object) -> str:
    """Return what is kept of a thing that somebody has named."""
    return as_unicode(str(value))[:FACT_MAX]
