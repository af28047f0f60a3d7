"""Who may come in, and what they may do: bearer token or session, viewer or operator.

Everything here runs on the server's event loop, one request at a time, so nothing is locked.
"""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from caroni_edge.base.text import encoded
from caroni_edge.config import Secret
from caroni_edge.node.store import THE_HOST
from caroni_edge.web import audit
from caroni_edge.web.accounts import Accounts, Role, same
from caroni_edge.web.connections import ON_THE_HOST
from caroni_edge.web.forms import CSRF_FIELD, fields
from caroni_edge.web.inside import VOUCHED_FOR
from caroni_edge.web.problems import Problem
from caroni_edge.web.streams import STREAMED, form_in

log = logging.getLogger(__name__)

Clock = Callable[[], float]

CSRF_HEADER = "X-CSRF-Token"
FORM = "application/x-www-form-urlencoded"
WRONG_MAX, WRONG_WITHIN_S = 10, 300.0
COUNTED_MAX = 10_000
SESSIONS_MAX = 1000
NOTICES_MAX = 10
SESSION_IDLE_S, SESSION_LIFE_S = 12 * 3600.0, 7 * 86400.0

OPEN: Final = "open"
"""A handler with this `opt` needs no authentication."""
ANYBODY_CHANGES: Final = "anybody_changes"
"""A handler with this `opt` may be used by viewers too, though it is no GET."""

FOR_OPERATORS: Final = "for_operators"
"""What a handler with this `opt` shows is not for viewers."""

_HARMLESS = ("GET", "HEAD", "OPTIONS")


@dataclass(slots=True)
class Session:
    """Somebody who has logged in on a page.

    Attributes:
        user: The name.
        role: What they may do.
        csrf: What every change must bring along, in the header `X-CSRF-Token` or the field `csrf` of a form.
        began: On the monotonic clock.
        seen: When it was last used, likewise.
        notices: What the next page says first: what a form has done.
    """

    user: str
    role: Role
    csrf: str
    began: float
    seen: float
    notices: list[str] = field(default_factory=list)

    def take_notices(self) -> list[str]:
        """Return the notices; they are said once."""
        said, self.notices = self.notices, []
        return said


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes a request: a person with a session, or a program with the token.

    Attributes:
        name: User name, or `token`, or `the host` for who came by the socket in the state directory.
        role: What they may do.
        session: None for programs.
        cookie: Names the session.
    """

    name: str
    role: Role
    session: Session | None = None
    cookie: str = ""

    def note(self, said: str) -> None:
        """Have the next page say something first; programs see no pages."""
        if self.session is not None:
            self.session.notices = [*self.session.notices, said][-NOTICES_MAX:]


class Throttle:
    """Counts wrong logins by address and name: so many within some minutes, and that name may not be tried from there.

    Others who log in from the same address (a proxy, a shared host) are not held up.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Count by this clock: wrong logins of long ago are forgotten."""
        self._clock = clock
        self._wrong: dict[bytes, deque[float]] = {}

    def wait_s(self, address: str, name: str) -> float:
        """Return for how long a name must wait at an address; 0 when it need not."""
        times = self._recent(_pair(address, name))
        return times[0] + WRONG_WITHIN_S - self._clock() if len(times) >= WRONG_MAX else 0.0

    def note(self, address: str, name: str) -> None:
        """Count a wrong login."""
        pair = _pair(address, name)
        times = self._recent(pair)
        times.append(self._clock())
        self._wrong.pop(pair, None)
        self._wrong[pair] = times  # the end: the pair that was wrong most recently
        if len(self._wrong) > COUNTED_MAX:
            del self._wrong[next(iter(self._wrong))]

    def _recent(self, pair: bytes) -> deque[float]:
        times = self._wrong.get(pair, deque(maxlen=WRONG_MAX))
        while times and times[0] <= self._clock() - WRONG_WITHIN_S:
            times.popleft()
        return times


class Sessions:
    """Who is logged in; kept in memory only, by the hash of the cookie."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin with no session; sessions end by this clock."""
        self._clock = clock
        self._open: dict[bytes, Session] = {}

    def begin(self, user: str, role: Role) -> tuple[str, Session]:
        """Begin a session of somebody who has logged in; return its cookie, and the session."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        session = Session(user, role, secrets.token_urlsafe(32), now, now)
        self._open[_hash(cookie)] = session
        if len(self._open) > SESSIONS_MAX:
            del self._open[next(iter(self._open))]
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie, unless it has ended; using it keeps it open."""
        session, now = self._open.get(_hash(cookie)), self._clock()
        if session is None:
            return None
        if now - session.began > SESSION_LIFE_S or now - session.seen > SESSION_IDLE_S:
            self.end(cookie)
            return None
        session.seen = now
        return session

    def end_of(self, is_over: Callable[[Session], bool]) -> int:
        """End those sessions that `is_over` names, and return how many."""
        ended = [key for key, session in self._open.items() if is_over(session)]
        for key in ended:
            del self._open[key]
        return len(ended)

    def end(self, cookie: str) -> None:
        """End the session of a cookie, if there is one."""
        self._open.pop(_hash(cookie), None)


class Gate:
    """Looks at each request before its handler does."""

    def __init__(self, accounts: Accounts, cookie: str, clock: Clock = time.monotonic) -> None:
        """Guard the pages and the API of a node.

        Args:
            accounts: Who is let in.
            cookie: Name of the cookie; another one for each node, since the pages of several share a host.
            clock: Monotonic seconds.
        """
        self.cookie = cookie
        self.sessions = Sessions(clock)
        self._accounts = accounts
        # Two, so that any number of invented names makes no room in the memory for guesses at a real one.
        self._people, self._strangers = Throttle(clock), Throttle(clock)

    async def admit(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let a request through, and note whose it is: a guard, as Litestar calls it.

        Raises:
            Problem: 401 for a stranger, 403 for a change that they may not make.
        """
        audit.begin(None)
        is_change = connection.scope.get("method") not in _HARMLESS
        if handler.opt.get(OPEN):
            audit.begin(_change("", connection, handler) if is_change else None)
            return
        visitor = self._who(connection)
        connection.scope["user"] = visitor
        if visitor.role != "operator" and handler.opt.get(FOR_OPERATORS):
            raise Problem(403, f"{visitor.name} may not see this (role: viewer)")
        if not is_change:
            return
        if visitor.role != "operator" and not handler.opt.get(ANYBODY_CHANGES):
            raise Problem(403, f"{visitor.name} may look, and change nothing (role: viewer)")
        if visitor.session is not None and not same(await _csrf(connection, handler), Secret(visitor.session.csrf)):
            said = f"a change made in a session needs its CSRF token: header {CSRF_HEADER}, or field {CSRF_FIELD}"
            raise Problem(403, said)
        if visitor.role == "operator" and not handler.opt.get(audit.UNAUDITED):
            audit.begin(_change(visitor.name, connection, handler))

    def change_to(self, accounts: Accounts) -> None:
        """Let in whom `accounts` has; the sessions of those whose password or role is another one end."""
        before, self._accounts = self._accounts, accounts
        ended = self.sessions.end_of(lambda session: not accounts.same_person(before, session.user))
        if ended:
            log.info("%d sessions have ended with their passwords", ended, extra={"action": "sessions_ended"})

    def log_in(self, address: str, name: str, password: str) -> tuple[str, Session]:
        """Check a name and a password; return the cookie of a new session, and the session.

        Raises:
            Problem: 401 for a wrong name or password, 429 after too many of them.
        """
        throttle = self._people if self._accounts.knows(name) else self._strangers
        wait_s = throttle.wait_s(address, name)
        if wait_s > 0:
            retry = {"Retry-After": str(int(wait_s) + 1)}
            raise Problem(
                429, "too many wrong logins with this name from this address; wait some minutes", headers=retry
            )
        if self._accounts.knows(name):
            audit.known_as(name)
        role = self._accounts.role_of(name, password)
        if role is None:
            throttle.note(address, name)
            log.warning("a login from %s was wrong", address, extra={"action": "login_wrong", "address": address})
            raise Problem(401, "user name or password is wrong")
        log.info("%s has logged in", name, extra={"action": "login", "user": name, "address": address})
        return self.sessions.begin(name, role)

    def _who(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
        if connection.scope["state"].get(ON_THE_HOST):
            return Visitor(THE_HOST, "operator")
        if known := connection.scope["state"].get(VOUCHED_FOR):
            return Visitor(*known)
        scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if self._accounts.has_token(token.strip()):
                return Visitor("token", "operator")
            raise _stranger("the bearer token is wrong")
        cookie = connection.cookies.get(self.cookie)
        if cookie and (session := self.sessions.find(cookie)):
            return Visitor(session.user, session.role, session, cookie)
        raise _stranger("log in at /login, or send the header Authorization: Bearer TOKEN")


def _change(who: str, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> audit.Change:
    """Return what is noted of a request that may change something."""
    action = handler.opt.get(audit.ACTION) or handler.handler_name.replace("_", " ")
    about = {name: audit.cut(value) for name, value in connection.path_params.items()}
    address = connection.client.host if connection.client else ""
    return audit.Change(who, address, action, about)


async def _csrf(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> str:
    given = connection.headers.get(CSRF_HEADER)
    if given is not None or not isinstance(connection, Request):
        return given or ""
    if handler.opt.get(STREAMED):
        return await form_in(connection).first(CSRF_FIELD)
    if not connection.headers.get("Content-Type", "").startswith(FORM):
        return ""
    return fields(await connection.body()).get(CSRF_FIELD, "")


def _stranger(why: str) -> Problem:
    return Problem(401, why, headers={"WWW-Authenticate": "Bearer"})


def _pair(address: str, name: str) -> bytes:
    return _hash(f"{address}\n{name}")


def _hash(text: str) -> bytes:
    return sha256(encoded(text)).digest()
