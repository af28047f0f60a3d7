"""Asking a manager over the broker what its HTTP API answers, so that commands know no difference."""

from collections.abc import Callable
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click
import httpx
import msgspec

from caroni_edge.base.chance import SystemChance
from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._brokers import broker_config, check_segment, is_by_broker
from caroni_edge.cli._context import LOGIN, Place
from caroni_edge.protocol.codec import Unreadable, decode_notice, encode
from caroni_edge.protocol.messages import Presence
from caroni_edge.protocol.questions import LOG_FACTS, Answer, Question, question_of
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event, Subscribed, TransportEnded
from caroni_edge.transport.mqtt import MqttTransport

if TYPE_CHECKING:
    from caroni_edge.config import BrokerConfig

ASK_EVERY_S = 5.0
"""A question is published again after so long without an answer; the manager answers it once."""
ANSWER_WITHIN_S = 60.0
"""For so long an answer is waited for, which may come by a ship's link."""
TOO_OFTEN_S = 1.0
ANYBODY = "anybody"
"""Who asks where the broker wants no login: the token says what may be answered."""
LEAVE_WITHIN_S = 1.0


class NotAnswered(CaroniError):
    """The manager {manager} does not answer over MQTT: {reason}."""

    hint = "{advice}"
    exit_status = 3


class BrokerUnreachable(CaroniError):
    """The broker cannot be reached: {reason}."""

    hint = "Check --broker and the login; nothing was asked."


class BrokerRefuses(BrokerUnreachable):
    """There is no connection to the broker: {reason}."""

    exit_status = 2


def transport_to(
    place: Place, page: httpx.BaseTransport | None, token: str | None, tell: Callable[[str], object]
) -> httpx.BaseTransport:
    """Return what puts requests to the manager at a place; it is closed with the command.

    Args:
        place: Where it is; it names a broker.
        page: Reaches its page, where one is named: that is tried first.
        token: Of its API. It is shown to the broker only where that has no login of ours, or no page is named.
        tell: Is told which way is taken, where it is not the page.

    Raises:
        UsageError: A name is none, or missing.
    """
    if page is not None and place.manager is None:
        return page
    is_by_broker(place)
    root, manager = place.topic_root or "caroni", place.manager or ""
    for where, name in (("--manager", manager), ("--topic-root", root), ("--username", place.username or ANYBODY)):
        check_segment(where, name)
    login = {name: value for name, value in place._asdict().items() if name in LOGIN}
    shown = token if page is None or place.username is None else None
    broker = broker_config(place.broker or "", **login)
    by_broker = ByBroker(broker, Topics(root, "managers", manager), shown, tell)
    if (context := click.get_current_context(silent=True)) is not None:
        context.call_on_close(by_broker.close)
    return by_broker if page is None else FirstThatWorks(page, by_broker)


class ByBroker(httpx.BaseTransport):
    """Puts requests to a manager as questions, one at a time, by one connection."""

    def __init__(
        self,
        broker: "BrokerConfig",
        topics: Topics,
        token: str | None,
        tell: Callable[[str], object],
    ) -> None:
        """Prepare; the first request connects.

        Args:
            broker: How the broker is reached; the login is who asks.
            topics: Those of the manager.
            token: Of its API; sent along with each question where there is one.
            tell: Is told once that this way is taken.
        """
        self._topics, self._token, self._tell = topics, token, tell
        self._person = broker.username or ANYBODY
        self._said = f"asking the manager {topics.node} over MQTT, by {broker.urls[0]}"
        self._heard: SimpleQueue[Event] = SimpleQueue()
        self._transport = MqttTransport(broker, f"{topics.root}-ask-{SystemChance().new_id()}", clean_session=True)
        self._is_started = self._is_subscribed = False
        self._trouble = "it has not answered yet"
        self._presence: Presence | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and return the answer as the API would give it.

        Raises:
            UsageError: This is not to be asked over the broker.
            CaroniError: There is no answer.
        """
        give_up_at = monotonic() + ANSWER_WITHIN_S
        while True:
            answer = self._ask(self._question(request), give_up_at)
            if answer.status != 429 or monotonic() + TOO_OFTEN_S >= give_up_at:
                return _response(answer)
            sleep(TOO_OFTEN_S)

    def close(self) -> None:
        """End the connection."""
        if self._is_started:
            self._transport.stop(LEAVE_WITHIN_S)

    def _question(self, request: httpx.Request) -> Question:
        path = [unquote(each) for each in request.url.raw_path.decode().partition("?")[0].strip("/").split("/")]
        question = question_of(request.method, path, dict(request.url.params), SystemChance().new_id())
        if question is None:
            hint = "Name its page by --url. Over MQTT there are status, why, logs, cancel, retry and agents."
            raise UsageError("", "this cannot be asked over MQTT", hint)
        return msgspec.structs.replace(question, token=self._token)

    def _ask(self, question: Question, give_up_at: float) -> Answer:
        if not self._is_started:
            self._is_started = True
            self._tell(self._said)
            self._transport.start(self._heard.put)
        where, ask_due = self._topics.reply_to(self._person, question.reply), -inf
        while (now := monotonic()) < give_up_at:
            if self._is_subscribed and now >= ask_due:
                self._transport.publish(self._topics.question_of(self._person), encode(question), qos=1)
                ask_due = now + ASK_EVERY_S
            try:
                event = self._heard.get(timeout=min(give_up_at, max(now, ask_due) + ASK_EVERY_S) - now)
            except Empty:
                continue
            was_subscribed = self._is_subscribed
            if (answer := self._take(event, where)) is not None:
                return answer
            ask_due = ask_due if was_subscribed else -inf
        raise self._no_answer()

    def _take(self, event: Event, where: str) -> Answer | None:
        match event:
            case Connected():
                self._trouble = ""
                own = self._topics.reply_to(self._person, "+")
                self._transport.subscribe([(own, 1), (self._topics.presence, 0)])
            case Subscribed(topic_filter=topic) if topic != self._topics.presence:
                self._is_subscribed = True
            case Disconnected():
                self._trouble, self._is_subscribed = event.reason, False
                if event.is_login_refused:
                    raise BrokerRefuses("", reason=event.reason)
            case TransportEnded():
                raise BrokerUnreachable("", reason=event.failure)
            case Arrived():
                self._transport.ack(event)
                return self._read(event, where)
            case _:
                pass
        return None

    def _read(self, message: Arrived, where: str) -> Answer | None:
        try:
            if message.topic == where:
                return decode_notice(Answer, message.topic, message.payload)
            if message.topic == self._topics.presence and message.payload:
                self._presence = decode_notice(Presence, message.topic, message.payload)
        except Unreadable:
            return None
        if self._presence is not None and not self._presence.online and message.topic == self._topics.presence:
            advice = "What was asked is not kept for it; ask again when it is back."
            raise NotAnswered("", manager=self._topics.node, reason="it is away", advice=advice)
        return None

    def _no_answer(self) -> CaroniError:
        if self._trouble:
            return BrokerUnreachable("", reason=self._trouble)
        asks, hears = self._topics.question_of(self._person), self._topics.reply_to(self._person, "+")
        rights = f"that the broker lets you write to {asks} and read {hears}"
        if self._presence is None:
            reason = "this broker has had no word of such a manager"
            advice = f"Check --manager and --topic-root, and {rights}."
        else:
            reason = f'it is there, and may not know "{self._person}"'
            advice = f"Check {rights}, and that manager.yaml has you among its people; or give its token."
        return NotAnswered("", manager=self._topics.node, reason=reason, advice=advice)


class FirstThatWorks(httpx.BaseTransport):
    """Asks the page of a manager, and over the broker where that cannot be reached."""

    def __init__(self, page: httpx.BaseTransport, broker: ByBroker) -> None:
        """Begin with the page."""
        self._page: httpx.BaseTransport | None = page
        self._broker = broker

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask; a question that may have reached the page is not asked again elsewhere."""
        if self._page is not None:
            try:
                return self._page.handle_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                self._page = None
        return self._broker.handle_request(request)

    def close(self) -> None:
        """End what was begun."""
        self._broker.close()


def _response(answer: Answer) -> httpx.Response:
    if isinstance(answer.body, dict) and "text" in answer.body:
        headers = {header: str(answer.body[name]) for name, header in LOG_FACTS.items() if name in answer.body}
        return httpx.Response(answer.status, headers=headers, text=str(answer.body["text"]))
    return httpx.Response(answer.status, json=answer.body)
