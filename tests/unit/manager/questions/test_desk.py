"""Who is answered that asks over the broker, and how often."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from caroni_edge.manager.questions import desk as module
from caroni_edge.manager.questions.desk import OPEN_MAX, OPEN_TOGETHER_MAX, QUESTIONS_AT_ONCE, Admitted, Desk, Refusal
from caroni_edge.protocol.questions import QUESTION_LIMIT_BYTES, Question

PEOPLE: Mapping[str, Any] = {"alice": "operator", "bob": "viewer"}


def desk(people: Mapping[str, Any] | None = PEOPLE) -> Desk:
    return Desk(lambda: people, lambda text: text == "right")


def said(reply: str = "n1", **more: Any) -> bytes:
    return json.dumps({"ask": "status", "reply": reply, **more}).encode()


def taken(at: Desk, person: str, payload: bytes, now: float = 0.0) -> Admitted:
    found = at.take(person, payload, now)
    assert found is not None
    return found


def test_a_person_is_answered_by_the_name_of_the_topic() -> None:
    found = taken(desk(), "bob", said())
    assert (found.asker, found.reply) == (("bob", "viewer", None), "n1")
    assert found.question == Question(ask="status", reply="n1")


@pytest.mark.parametrize("payload", [said(), said(token="wrong"), said(token=""), said(person="alice")])
def test_a_stranger_hears_nothing(payload: bytes) -> None:
    assert desk().take("mallory", payload, 0.0) is None


def test_a_stranger_with_the_token_is_answered_under_the_own_name() -> None:
    for people in (PEOPLE, {}):
        assert taken(desk(people), "mallory", said(token="right")).asker == ("mallory", None, "right")


def test_without_people_nobody_is_answered() -> None:
    assert desk(None).take("alice", said(token="right"), 0.0) is None


def test_what_says_not_where_to_answer_is_not_answered() -> None:
    at = desk()
    for junk in (b"", b"{}", b"[" * 8000, b"\xff", said("a/b"), said("#"), said("x" * 41), said(reply="n\n")):
        assert at.take("alice", junk, 0.0) is None
    assert at.take("alice", said(of="x" * QUESTION_LIMIT_BYTES), 0.0) is None


def test_a_broken_question_of_a_person_is_told_what_is_wrong() -> None:
    found = taken(desk(), "alice", b'{"ask": "drop", "reply": "n1"}').question
    assert isinstance(found, Refusal)
    assert (found.status, "this is no question" in found.error) == (400, True)


def test_a_repetition_is_not_answered_again() -> None:
    at = desk()
    at.done(taken(at, "alice", said(ask="cancel", of="w1")))
    assert at.take("alice", said(ask="cancel", of="w1"), 1000.0) is None
    assert taken(at, "bob", said()).reply == "n1"


def test_who_asks_too_often_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLIES_KEPT", 10)
    at = desk()
    for nth in range(QUESTIONS_AT_ONCE):
        found = taken(at, "alice", said(f"n{nth}"))
        assert isinstance(found.question, Question)
        at.done(found)
    refused = taken(at, "alice", said("more"))
    at.done(refused)
    assert isinstance(refused.question, Refusal)
    assert refused.question.status == 429
    assert isinstance(taken(at, "bob", said("more")).question, Question)
    assert isinstance(taken(at, "alice", said("later"), 0.2).question, Question)


def test_so_many_are_answered_at_a_time() -> None:
    names = [f"p{nth}" for nth in range(OPEN_TOGETHER_MAX)]
    at = desk(dict.fromkeys(names, "viewer"))
    own = [taken(at, names[0], said(f"n{nth}")) for nth in range(OPEN_MAX + 1)]
    assert [isinstance(each.question, Question) for each in own] == [True] * OPEN_MAX + [False]
    at.done(own.pop())
    others = [taken(at, name, said()) for name in names[1:]]
    assert [isinstance(each.question, Question) for each in others].count(True) == OPEN_TOGETHER_MAX - OPEN_MAX
    for each in (*own, *others):
        at.done(each)
    assert isinstance(taken(at, names[0], said("again")).question, Question)
