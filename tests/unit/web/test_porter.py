"""Who waits for a knock: what is told meanwhile, what becomes of those who come, and how it ends."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from select import select
from typing import Any

import pytest

from caroni_edge.web import porter
from caroni_edge.web.accounts import Accounts
from caroni_edge.web.porter import Bell, Porter, Work
from tests.support import WITHIN_S, in_thread


class Served:
    """Serves nobody: answers the bell until it is stopped, and notes who asks."""

    def __init__(self) -> None:
        self.is_over = False
        self.listeners: list[socket.socket] = []

    def run(self, listeners: list[socket.socket], bell: Bell) -> None:
        self.listeners = listeners
        while not self.is_over:
            select([bell], [], [])
            bell.answer()

    def put(self, work: Work, found: "Future[Any]") -> None:
        found.set_result("served")

    def change_to(self, accounts: Accounts) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self.is_over = True


class Post:
    """A porter at a socket, in a thread of its own.

    Attributes:
        loads: What its `load` does, one call after the other.
    """

    def __init__(self, *loads: Callable[[], Served]) -> None:
        self.loads = list(loads)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.porter = Porter([self.listener], self._load)
        self._thread = in_thread("web", self.porter.run)

    def _load(self) -> Served:
        return self.loads.pop(0)()

    def knock(self) -> bytes:
        """Return what somebody hears who asks for something."""
        with socket.create_connection(self.address, timeout=WITHIN_S) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return connection.recv(1000)

    def end(self) -> None:
        self.porter.stop()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()


@pytest.fixture
def begin() -> Iterator[Callable[..., Post]]:
    begun: list[Post] = []

    def begin(*loads: Callable[[], Served]) -> Post:
        begun.append(Post(*loads))
        return begun[-1]

    yield begin
    for post in begun:
        post.end()


async def work(_ask: Any) -> Any:
    raise NotImplementedError


def fail() -> Served:
    raise ImportError("no module named litestar")


Begin = Callable[..., Post]


def test_nothing_is_loaded_for_nobody_and_the_end_comes_at_once(begin: Begin) -> None:
    post = begin()
    post.end()
    assert post.listener.fileno() == -1, "it is closed"
    assert post.porter.ask(work) is None


def test_a_connection_is_a_knock_though_it_says_nothing(begin: Begin) -> None:
    served, loaded = Served(), threading.Event()

    def load() -> Served:
        loaded.set()
        return served

    post = begin(load)
    with socket.create_connection(post.address):
        assert loaded.wait(WITHIN_S)
    post.end()
    assert served.listeners == [post.listener]


def test_a_question_is_a_knock_and_gets_its_answer(begin: Begin) -> None:
    post = begin(Served)
    for _ in range(2):
        found = post.porter.ask(work)
        assert found is not None
        assert found.result(WITHIN_S) == "served"


def test_what_is_told_before_the_knock_is_done_before_it_and_loads_nothing(begin: Begin) -> None:
    post, done = begin(), threading.Event()
    post.porter.tell(done.set)
    assert done.wait(WITHIN_S)
    post.end()


def test_an_end_while_it_loads_is_an_end(begin: Begin) -> None:
    def load() -> Served:
        post.porter.stop()
        return Served()

    post = begin(load)
    asked = post.porter.ask(work)
    post.end()
    assert asked is not None


def test_a_question_at_the_end_is_not_kept_waiting(begin: Begin) -> None:
    post, asked = begin(), list[Future[Any] | None]()

    def ask_and_end() -> None:
        asked.append(post.porter.ask(work))
        post.porter.stop()

    post.porter.tell(ask_and_end)
    post.end()
    (found,) = asked
    assert found is not None
    assert found.cancelled()


def test_who_knocks_is_told_that_it_cannot_be_loaded_and_it_is_tried_again_later(
    begin: Begin, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = begin(fail, Served)
    assert post.knock().startswith(b"HTTP/1.1 503 ")
    assert post.porter.trouble == "pages and API cannot be loaded: ImportError: no module named litestar"
    asked = post.porter.ask(work)
    assert asked is not None
    with pytest.raises(CancelledError):
        asked.result(WITHIN_S)
    assert post.knock().endswith(b'field": null}')
    assert len(post.loads) == 1, "not again at once"
    monkeypatch.setattr(post.porter, "_again_at", 0.0)
    asked = post.porter.ask(work)
    assert asked is not None
    assert asked.result(WITHIN_S) == "served"
    assert post.porter.trouble is None
    said = [each for each in caplog.records if getattr(each, "action", "") == "web_not_loaded"]
    assert [(each.levelno, each.exc_info) for each in said] == [(logging.ERROR, None)]


def test_the_refusal_is_a_whole_answer() -> None:
    head, _, body = porter.NOT_LOADED.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_what_fails_holds_up_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    bell, done = Bell(), list[int]()

    def fails() -> None:
        raise ZeroDivisionError("division by zero")

    bell.ring(fails)
    bell.ring(lambda: done.append(1))
    bell.answer()
    bell.close()
    assert done == [1]
    assert "division by zero" in caplog.text
    assert not bell.ring(lambda: None)
