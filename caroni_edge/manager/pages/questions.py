"""Questions that come over the broker, answered by the routes of the HTTP API: there is no other implementation."""

import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol

from caroni_edge.base.moment import Moment
from caroni_edge.manager.questions.desk import Admitted, Asker, Desk, Refusal
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.questions import (
    ANSWER_LIMIT_BYTES,
    LOG_FACTS,
    LOG_PIECE_BYTES,
    Answer,
    Question,
    Request,
    request_of,
)
from caroni_edge.web.inside import Ask, Inside, Response

log = logging.getLogger(__name__)

LIMIT = 100
"""So many are asked for where a question does not say how many."""
NUMBERS = frozenset({"offset", "next"})
BUSY = Answer(503, {"error": "the manager cannot answer now; ask again", "field": None})
FAULT = Answer(500, {"error": "internal error; see the log", "field": None})


class Server(Protocol):
    """Has the application (`caroni_edge.web.server.WebServer`)."""

    def answer(self, work: Callable[[Ask], Coroutine[Any, Any, bytes]]) -> "Future[bytes] | None":
        """Let `work` put requests to the application; None while that answers nobody."""


class Commands(Protocol):
    """Has something run in the node's thread (`caroni_edge.node.service.Service`)."""

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        """Run `work` within a batch."""


class Questions:
    """Has questions answered: the desk says which, the application what, and the node's thread publishes it."""

    def __init__(
        self, desk: Desk, server: Server, commands: Commands, say: Callable[[str, str, bytes], object]
    ) -> None:
        """Answer what `desk` lets through; `say` publishes in the node's thread, for a person and a nonce."""
        self._desk, self._server, self._commands, self._say = desk, server, commands, say
        self._over: deque[Admitted] = deque()  # other threads put in, and the node's takes out

    def take(self, person: str, payload: bytes, at: Moment) -> None:
        """Take a question, in the node's thread."""
        while self._over:
            self._desk.done(self._over.popleft())
        admitted = self._desk.take(person, payload, at.now)
        if admitted is None:
            return
        asked = admitted.question
        if isinstance(asked, Refusal):
            self._refuse(admitted, Answer(asked.status, {"error": asked.error, "field": None}))
            return
        question = asked
        found = self._server.answer(lambda ask: answer(ask, question, admitted.asker))
        if found is None:
            self._refuse(admitted, BUSY)
        else:
            found.add_done_callback(lambda done: self._answered(admitted, _result(done)))

    def _refuse(self, admitted: Admitted, answer: Answer) -> None:
        self._desk.done(admitted)
        self._say(admitted.asker.name, admitted.reply, encode(answer))

    def _answered(self, admitted: Admitted, payload: bytes) -> None:
        self._over.append(admitted)
        self._commands.tell(lambda _at: self._say(admitted.asker.name, admitted.reply, payload), keep=False)


def _result(done: "Future[bytes]") -> bytes:
    if done.cancelled():
        return encode(BUSY)
    if error := done.exception():
        log.error("a question could not be answered", exc_info=error, extra={"action": "question_failed"})
        return encode(FAULT)
    return done.result()


async def answer(ask: Ask, question: Question, asker: Asker) -> bytes:
    """Return the answer to a question, which is as large as may be at most.

    A page that is too large is asked for again with half as much on it, so that its `next` says where the rest begins.
    """
    try:
        request = request_of(question)
    except ValueError as error:
        return encode(Answer(400, {"error": str(error), "field": None}))
    narrowed, options = request.narrowed_by, dict(request.options)
    while True:
        request = request._replace(options=options)
        found = await ask(_inside(request, asker))
        payload = encode(Answer(found.status, _body(found)))
        if len(payload) <= ANSWER_LIMIT_BYTES:
            return payload
        size = _size(options, narrowed)
        if size <= 1 or narrowed is None:
            return _shortened(request, found, len(payload))
        options[narrowed] = size // 2


def _inside(request: Request, asker: Asker) -> Inside:
    headers = {} if asker.token is None else {"authorization": f"Bearer {asker.token}"}
    known = None if asker.role is None or asker.token is not None else (asker.name, asker.role)
    options = dict(request.options)
    if request.narrowed_by == "size":
        options["size"] = min(_size(options, "size"), LOG_PIECE_BYTES)
    return Inside(request.method, request.path, options, headers, known)


def _size(options: dict[str, Any], narrowed: str | None) -> int:
    """Return how much was asked for; what is no number is for the API to refuse."""
    default = LOG_PIECE_BYTES if narrowed == "size" else LIMIT
    given = options.get(narrowed or "", default)
    return given if isinstance(given, int) else int(given) if given.isdecimal() and len(given) < 9 else default


def _body(found: Response) -> Any:
    if found.headers.get("content-type", "").startswith("application/json"):
        return json.loads(found.body)
    said = {name: found.headers.get(header.lower()) for name, header in LOG_FACTS.items()}
    facts = {name: int(value) if name in NUMBERS else value for name, value in said.items() if value is not None}
    return {"text": found.body.decode(errors="replace"), **facts}


def _shortened(request: Request, found: Response, size_bytes: int) -> bytes:
    """Return what can be said of an answer that is too large: of a change that is made, at least that it is."""
    body = _body(found)
    if request.method == "POST" and found.status < 300:
        return encode(Answer(found.status, {name: body[name] for name in ("id", "status") if name in body}))
    error = f"the answer has {size_bytes} bytes, and {ANSWER_LIMIT_BYTES} go over the broker: ask the manager's page"
    return encode(Answer(413, {"error": error, "field": None}))
