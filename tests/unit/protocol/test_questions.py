"""Each question is one request of the API, each request that may be asked is one question, and nothing else is any."""

from urllib.parse import urlsplit

import pytest

from caroni_edge.protocol.questions import Question, Request, question_of, read_question, request_of
from caroni_edge.protocol.topics import QuestionOf, Topics

ASKED = [
    (Question(ask="status", reply="n"), "GET /api/workflows"),
    (Question(ask="status", reply="n", view="ids", options={"begin": "w"}), "GET /api/ids"),
    (Question(ask="status", reply="n", of="w1", view="whole"), "GET /api/workflows/w1"),
    (Question(ask="status", reply="n", of="w1", view="steps"), "GET /api/workflows/w1/steps"),
    (Question(ask="status", reply="n", of="w1", options={"within": "a[1]"}), "GET /api/workflows/w1/outline"),
    (Question(ask="why", reply="n", of="w1"), "GET /api/workflows/w1/why"),
    (Question(ask="why", reply="n", of="w1/a/b[3]"), "GET /api/workflows/w1/steps/a/b[3]/why"),
    (Question(ask="logs", reply="n", of="w1/a/b[3]"), "GET /api/workflows/w1/steps/a/b[3]/log"),
    (Question(ask="cancel", reply="n", of="w1"), "POST /api/workflows/w1/cancel"),
    (Question(ask="cancel", reply="n", options={"count": 3, "template": "t"}), "POST /api/workflows/cancel"),
    (Question(ask="retry", reply="n", of="w1"), "POST /api/workflows/w1/retry"),
    (Question(ask="agents", reply="n"), "GET /api/agents"),
    (Question(ask="agents", reply="n", of="a1"), "GET /api/agents/a1"),
]


@pytest.mark.parametrize(("question", "line"), ASKED)
def test_a_question_is_a_request_and_back(question: Question, line: str) -> None:
    method, _, path = line.partition(" ")
    assert request_of(question) == Request(method, path, question.options)  # type: ignore[arg-type]
    parts = urlsplit(path).path.strip("/").split("/")
    step = question.of.partition("/")[2]
    if step:  # its path is one part of the request's, since its slashes are quoted there
        parts = [*parts[:4], step, parts[-1]]
    assert question_of(method, parts, question.options, "n") == question


def test_a_step_is_asked_for_by_its_path() -> None:
    request = request_of(Question(ask="status", reply="n", of="w1/outer/inner"))
    assert request == Request("GET", "/api/workflows/w1/outline", {"within": "outer/inner"})


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(ask="status", reply="n", of="../config"), "is no id"),
        (Question(ask="agents", reply="n", of="a1/../../config"), "is no id"),
        (Question(ask="cancel", reply="n", of="w1/a"), "is for a workflow"),
        (Question(ask="logs", reply="n", of="w1"), "a log is that of a step"),
        (Question(ask="logs", reply="n"), "a log is that of a step"),
        (Question(ask="why", reply="n"), "why needs of"),
        (Question(ask="why", reply="n", of="w1/"), "lacks the name of the step"),
        (Question(ask="why", reply="n", of="w1", view="ids"), "view is for status"),
        (Question(ask="status", reply="n", view="steps"), "needs of"),
        (Question(ask="status", reply="n", of="w1/a", view="whole"), "is of a workflow"),
        (Question(ask="retry", reply="n", of="w1", options={"limit": 3}), "retry has no option limit"),
    ],
)
def test_what_makes_no_sense_is_said(question: Question, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        request_of(question)


@pytest.mark.parametrize("line", ["POST /api/workflows", "DELETE /api/workflows/w1", "GET /api/config", "GET /"])
def test_nothing_else_may_be_asked(line: str) -> None:
    method, _, path = line.partition(" ")
    assert question_of(method, path.strip("/").split("/"), {}, "n") is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[" * 5000,
        b"\xff",
        b'{"ask": "delete", "reply": "n"}',
        b'{"ask": "why", "reply": "a/b"}',
        b'{"ask": "why", "reply": "+"}',
        b'{"ask": "why", "reply": "n", "topic": "caroni/agents/a1"}',
        b'{"ask": "why", "reply": "n", "options": {"x": {}}}',
    ],
)
def test_junk_is_no_question(payload: bytes) -> None:
    with pytest.raises(ValueError, match="this is no question"):
        read_question(payload)


def test_a_person_is_known_by_the_topic() -> None:
    topics = Topics("caroni", "managers", "m1")
    assert topics.read(topics.question_of("alice")) == QuestionOf("alice")
    assert topics.read("caroni/managers/m1/ask/Alice") is None
    assert topics.read("caroni/managers/m2/ask/alice") is None
    assert Topics("caroni", "agents", "m1").read("caroni/agents/m1/ask/alice") is None
