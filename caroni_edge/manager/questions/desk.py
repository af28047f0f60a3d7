"""Who is answered that asks over the broker, and how often; what is answered, the HTTP API says.

The topic says who asks: the broker's ACL holds a person to it, and `people` of the configuration says what that person
may do. Where no broker holds anybody to anything, the token of the API does. All others hear nothing: whoever may
publish could have the manager publish, and RabbitMQ ends the connection of who publishes where he may not.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from caroni_edge.protocol.questions import QUESTION_LIMIT_BYTES, Head, Question, read_question

log = logging.getLogger(__name__)

QUESTIONS_AT_ONCE, QUESTIONS_PER_S = 50, 10.0
"""So many questions of a person are answered at once, and so many a second after those."""
OPEN_MAX, OPEN_TOGETHER_MAX = 4, 16
"""So many questions of a person, and of all, are being answered at a time."""
REPLIES_KEPT = 1000
"""So many questions of a person are known again when the broker, or the person, repeats them."""

Role = Literal["viewer", "operator"]
_head = msgspec.json.Decoder(Head)


class Asker(NamedTuple):
    """Who asks.

    Attributes:
        name: The last level of the topic; the answer goes to the topic of that name.
        role: What `people` says of that name; None: it is the token that says it.
        token: What the question brings along.
    """

    name: str
    role: Role | None
    token: str | None


class Refusal(NamedTuple):
    """A question that is not looked at, and is told why."""

    status: int
    error: str


class Admitted(NamedTuple):
    """A question of somebody who has the right to an answer.

    Attributes:
        asker: Who it is.
        reply: Last level of the topic that the answer goes to.
        question: What is to be answered, or why nothing is.
    """

    asker: Asker
    reply: str
    question: Question | Refusal


@dataclass(slots=True)
class _Account:
    """What is remembered of a person; all who show the token are one.

    Attributes:
        left: How many more questions are answered now.
        at: When that was so.
        open: So many are being answered.
        replies: Where answers went: asker and last level of the topic.
    """

    left: float
    at: float
    open: int = 0
    replies: dict[tuple[str, str], None] = field(default_factory=dict)


class Desk:
    """Takes questions one after the other, in the node's thread."""

    def __init__(self, people: Callable[[], Mapping[str, Role] | None], has_token: Callable[[str], bool]) -> None:
        """Know nobody yet.

        Args:
            people: Returns what those may do who are named, by the configuration that is in force.
            has_token: Tells whether a text is the token of the API.
        """
        self._people, self._has_token = people, has_token
        self._accounts: dict[str | None, _Account] = {}
        self._open = 0

    def take(self, person: str, payload: bytes, now: float) -> Admitted | None:
        """Return what is to be answered; None: nothing is. Of what is admitted `done` is to be told.

        Args:
            person: Who asks, by the topic.
            payload: What was published.
            now: Seconds on the monotonic clock.
        """
        people = self._people()
        if people is None:
            return None
        role = people.get(person)
        head = _read_head(payload)
        if head is None or (role is None and not (head.token and self._has_token(head.token))):
            what = "it cannot be read" if head is None else "nobody of that name is among people, and it has no token"
            facts = {"action": "question_ignored", "person": person}
            log.warning("a question of %s is not answered: %s", person, what, extra=facts)
            return None
        account = self._account(None if role is None else person, now)
        if (person, head.reply) in account.replies:
            return None
        account.replies[person, head.reply] = None
        if len(account.replies) > REPLIES_KEPT:
            del account.replies[next(iter(account.replies))]
        account.open += 1
        self._open += 1
        return Admitted(Asker(person, role, head.token), head.reply, self._look(account, payload))

    def done(self, admitted: Admitted) -> None:
        """A question was answered, or never will be."""
        self._open -= 1
        self._accounts[None if admitted.asker.role is None else admitted.asker.name].open -= 1

    def _look(self, account: _Account, payload: bytes) -> Question | Refusal:
        if account.left < 1:
            return Refusal(429, "you ask too often; wait a second, and ask again")
        account.left -= 1
        if account.open > OPEN_MAX or self._open > OPEN_TOGETHER_MAX:
            return Refusal(429, "as many questions as may be are being answered; wait a second, and ask again")
        try:
            return read_question(payload)
        except ValueError as error:
            return Refusal(400, str(error))

    def _account(self, name: str | None, now: float) -> _Account:
        account = self._accounts.setdefault(name, _Account(QUESTIONS_AT_ONCE, now))
        account.left = min(QUESTIONS_AT_ONCE, account.left + max(0.0, now - account.at) * QUESTIONS_PER_S)
        account.at = now
        return account


def _read_head(payload: bytes) -> Head | None:
    if len(payload) > QUESTION_LIMIT_BYTES:
        return None
    try:
        return _head.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
