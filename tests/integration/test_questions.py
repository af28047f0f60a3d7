"""Questions over the broker are answered by the API itself: with its rights, its words, its bounds."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.manager.pages.questions import Questions, answer
from caroni_edge.manager.questions.desk import OPEN_MAX, Asker, Desk
from caroni_edge.protocol.questions import ANSWER_LIMIT_BYTES, Question
from caroni_edge.web.inside import Inside, Response
from caroni_edge.web.server import WebServer
from tests.support import wait_until
from tests.web_bench import TOKEN, Client, ManagerBench

ALICE, BOB = Asker("alice", "operator", None), Asker("bob", "viewer", None)
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(server: WebServer) -> Ask:
    """Ask as somebody, and return status and body of the answer."""

    def ask(who: Asker, what: str, of: str = "", **more: Any) -> tuple[int, Any]:
        question = Question(ask=what, reply="n1", of=of, **more)  # type: ignore[arg-type]

        def begun() -> "Future[bytes] | None":
            return server.answer(lambda put: answer(put, question, who))

        done = wait_until(begun, 60, "the server to have begun")
        assert done is not None
        found = json.loads(done.result(60))
        return found["status"], found["body"]

    return ask


def test_the_answers_are_those_of_the_api(bench: ManagerBench, server: WebServer, ask: Ask) -> None:
    bench.see("a1", "test_simple_first", "prepend")
    bench.trigger()
    with Client(server) as client:
        for what, of, path in (
            ("status", "", "/api/workflows"),
            ("status", "w1", "/api/workflows/w1/outline"),
            ("why", "w1", "/api/workflows/w1/why"),
            ("why", "nix", "/api/workflows/nix/why"),
            ("agents", "a1", "/api/agents/a1"),
            ("agents", "a9", "/api/agents/a9"),
        ):
            found = client.get(path)
            assert ask(BOB, what, of) == (found.status_code, found.json()), what


def test_a_viewer_cancels_nothing_and_an_operator_does_under_the_own_name(
    bench: ManagerBench, server: WebServer, ask: Ask
) -> None:
    bench.trigger()
    refused = ask(BOB, "cancel", "w1")
    assert refused == (403, {"error": "bob may look, and change nothing (role: viewer)", "field": None})
    status, body = ask(ALICE, "cancel", "w1")
    assert (status, body["status"]) == (200, "cancelled")
    assert ask(ALICE, "cancel", "w1")[0] in (200, 409)
    with Client(server) as client:
        noted = client.get("/api/audit").json()["entries"]
    done = [each for each in noted if each["outcome"] == "done"]
    assert {(each["who"], each["address"], each["action"]) for each in done} == {("alice", "MQTT", "cancel")}


def test_the_token_is_looked_at_by_the_api(ask: Ask) -> None:
    assert ask(Asker("x", None, TOKEN), "status")[0] == 200
    assert ask(Asker("x", None, "wrong"), "status") == (401, {"error": "the bearer token is wrong", "field": None})
    assert ask(Asker("x", None, None), "status")[0] == 401


def test_what_is_wrong_is_said(ask: Ask) -> None:
    assert ask(ALICE, "status", options={"limit": "x"})[0] == 400
    assert ask(ALICE, "status", options={"limit": 5000})[0] == 400
    status, body = ask(ALICE, "status", "W1")
    assert (status, '"W1" is no id' in body["error"]) == (400, True)


def test_a_long_log_comes_in_pieces(bench: ManagerBench, ask: Ask) -> None:
    bench.trigger()
    steps = bench.api.workflow("w1")["steps"].items()
    name, job_type = next((name, str(each["job_type"])) for name, each in steps if not each["waiting_for"])
    bench.see("a1", job_type)
    job = bench.place("a1", job_type)
    bench.status("a1", job.job, "running")
    text = "".join(f"{nth:07d}\n" for nth in range(5000)) + "\x01" * 20_000  # six times as long in JSON
    bench.bring_log("a1", job.job, text.encode(), end=True)
    parts, offset = list[str](), 0
    for _ in range(100):
        status, body = ask(BOB, "logs", f"w1/{name}", options={"offset": offset, "part": "whole"})
        assert (status, body["offset"]) == (200, offset)
        assert len(json.dumps(body)) <= ANSWER_LIMIT_BYTES
        parts.append(body["text"])
        offset = body["next"]
        if body["state"] == "complete":
            break
    assert ("".join(parts), len(parts) > 1) == (text, True)
    end = ask(BOB, "logs", f"w1/{name}", options={"part": "end"})[1]
    assert (text.endswith(end["text"]), end["state"], end["offset"] + len(end["text"])) == (True, "complete", len(text))


def run(question: Question, reply: Callable[[Inside], Response]) -> tuple[dict[str, Any], list[Inside]]:
    """Answer a question by what an application is said to answer; return the answer, and what it was asked."""
    asked: list[Inside] = []

    async def put(request: Inside) -> Response:
        asked.append(request)
        return reply(request)

    payload = asyncio.run(answer(put, question, ALICE))
    assert len(payload) <= ANSWER_LIMIT_BYTES
    found: dict[str, Any] = json.loads(payload)
    return found, asked


def as_json(status: int, body: Any) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def test_a_page_that_is_too_large_is_made_smaller() -> None:
    def page(request: Inside) -> Response:
        limit = int(request.options.get("limit", 100))
        return as_json(200, {"workflows": ["x" * 1000] * limit, "next": limit})

    found, asked = run(Question(ask="status", reply="n"), page)
    assert found["body"]["next"] == len(found["body"]["workflows"]) == 50
    assert [request.options.get("limit") for request in asked] == [None, 50]


def test_what_cannot_be_made_smaller_is_said() -> None:
    found, asked = run(Question(ask="why", reply="n", of="w1"), lambda _: as_json(200, {"why": "x" * 70_000}))
    assert (found["status"], "go over the broker" in found["body"]["error"], len(asked)) == (413, True, 1)


def test_a_change_is_made_once_however_large_its_answer() -> None:
    large = {"id": "w1", "status": "cancelled", "steps": "x" * 70_000}
    found, asked = run(Question(ask="cancel", reply="n", of="w1"), lambda _: as_json(200, large))
    assert (found, len(asked)) == ({"status": 200, "body": {"id": "w1", "status": "cancelled"}}, 1)


class Answers:
    """A server whose answers the test gives, and a node's thread that does at once what it is told."""

    def __init__(self) -> None:
        self.open: list[Future[bytes] | None] = []
        self.said: list[tuple[str, str, Any]] = []

    def answer(self, _work: Callable[[Any], Coroutine[Any, Any, bytes]]) -> "Future[bytes] | None":
        return self.open.pop(0)

    def tell(self, work: Callable[[Moment], Any], *, keep: bool = True) -> "Future[Any]":
        work(Moment(0.0, 0.0))
        return Future()

    def say(self, person: str, reply: str, payload: bytes) -> None:
        self.said.append((person, reply, json.loads(payload)["status"]))


def test_every_question_of_a_person_is_answered_once_whatever_becomes_of_it() -> None:
    answers = Answers()
    desk = Desk(lambda: {"alice": "operator"}, lambda _text: False)
    questions = Questions(desk, answers, answers, answers.say)
    good, bad, gone = Future[bytes](), Future[bytes](), Future[bytes]()
    answers.open = [good, bad, gone, None]
    for reply in ("good", "bad", "gone", "early"):
        questions.take("alice", json.dumps({"ask": "status", "reply": reply}).encode(), Moment(0.0, 0.0))
    good.set_result(b'{"status": 200, "body": {}}')
    bad.set_exception(ValueError("a fault"))
    gone.cancel()
    questions.take("alice", b'{"ask": "?", "reply": "wrong"}', Moment(0.0, 0.0))
    questions.take("mallory", b'{"ask": "status", "reply": "n"}', Moment(0.0, 0.0))
    assert answers.said == [
        *(("alice", "early", 503), ("alice", "good", 200), ("alice", "bad", 500), ("alice", "gone", 503)),
        ("alice", "wrong", 400),
    ]
    answers.open = [Future[bytes]() for _ in range(OPEN_MAX)]
    for nth in range(OPEN_MAX):
        questions.take("alice", json.dumps({"ask": "status", "reply": f"more{nth}"}).encode(), Moment(0.0, 0.0))
    assert not answers.open, "those that were answered make room"
