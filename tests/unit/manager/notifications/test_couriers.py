"""Couriers: webhooks and commands that take, refuse, hang and answer later; each target by itself, in order."""

import base64
import hashlib
import hmac
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caroni_edge.base.backoff import Backoff
from caroni_edge.config.notify import Command, Notify, Webhook
from caroni_edge.config.secret import Secret
from caroni_edge.manager.notifications import couriers
from caroni_edge.manager.notifications.couriers import Couriers, Hands, signature
from caroni_edge.manager.notifications.notifications import Result
from caroni_edge.manager.store.notifications import NotificationRow
from tests.hooks import Hook
from tests.support import WITHIN_S, wait_until
from tests.web_bench import ManagerBench

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = Secret("whsec_" + base64.b64encode(KEY).decode())
ROW = NotificationRow(1, "target", "event1", b'{"id": "event1"}', 0.0, 0)


def hand_over(target: Webhook | Command, row: NotificationRow, date: float) -> tuple[Result, str]:
    return Hands(target).hand_over(row, date)


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


def test_the_signature_is_that_of_standard_webhooks() -> None:
    body = b'{"test": 2432232314}'
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_webhook_gets_the_event_signed_with_its_id(hook: Hook) -> None:
    assert hand_over(Webhook(hook.url, SECRET), ROW, 1000.9) == ("taken", "")
    ((headers, body),) = hook.seen
    assert (headers["webhook-id"], headers["webhook-timestamp"], body) == ("event1", "1000", ROW.body)
    assert headers["content-type"] == "application/cloudevents+json"
    signed = hmac.new(KEY, b"event1.1000." + ROW.body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"


def test_without_a_secret_it_is_not_signed(hook: Hook) -> None:
    hand_over(Webhook(hook.url, None), ROW, 0.0)
    assert "webhook-signature" not in hook.seen[0][0]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, "taken") for status in (200, 204)),
        *((status, "again") for status in (302, 408, 425, 429, 500, 503)),
        *((status, "never") for status in (400, 404, 410)),
    ],
)
def test_what_an_answer_means(hook: Hook, status: int, result: str) -> None:
    hook.answers = [status]
    found, said = hand_over(Webhook(hook.url, SECRET), ROW, 0.0)
    assert found == result
    assert said == ("" if result == "taken" else f"it answers with status {status}")


def test_what_cannot_be_reached_is_tried_again_and_no_url_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a-token-in-the-path"
        assert hand_over(Webhook(url, SECRET), ROW, 0.0) == ("again", "it cannot be reached: ConnectError")


def test_one_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "WITHIN_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert hand_over(Webhook(url, None), ROW, 0.0) == ("again", "it cannot be reached: ReadTimeout")


def test_a_command_gets_the_event_and_little_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARONI_EDGE_BROKER__PASSWORD", "hidden")
    code = "import json,os,sys; print(json.dumps([sys.stdin.read(), dict(os.environ)]), file=open(sys.argv[1], 'w'))"
    told = tmp_path / "told"
    assert hand_over(Command((sys.executable, "-c", code, str(told))), ROW, 0.0) == ("taken", "")
    body, environ = json.loads(told.read_text())
    assert body == ROW.body.decode()
    assert environ["CARONI_EVENT"] == "event1"
    assert "CARONI_EDGE_BROKER__PASSWORD" not in environ


@pytest.mark.parametrize(
    ("words", "within_s", "said"),
    [
        (("/bin/false",), 60.0, "it ended with status 1"),
        (("/nowhere",), 60.0, "it cannot be started: No such file or directory"),
        (("/bin/sleep", "60"), 0.2, "it had not ended after 0.2 s"),
    ],
)
def test_a_command_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], within_s: float, said: str
) -> None:
    monkeypatch.setattr(couriers, "WITHIN_S", within_s)
    assert hand_over(Command(words), ROW, 0.0) == ("again", said)


def as_another_user(monkeypatch: pytest.MonkeyPatch, *, leader_too: bool = True) -> None:
    """Let a process group be killed as if it ran as another user, or all of it but its leader."""

    def killpg(group: int, number: int) -> None:
        if number and not leader_too:
            os.kill(group, number)
        else:
            raise PermissionError

    monkeypatch.setattr(couriers, "WITHIN_S", 0.2)
    monkeypatch.setattr(couriers, "ENDS_WITHIN_S", 0.05 if leader_too else 60.0)
    monkeypatch.setattr(os, "killpg", killpg)


def test_no_command_is_started_beside_one_that_cannot_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(Command(("/bin/sleep", "60")))
    with monkeypatch.context() as patched:
        as_another_user(patched)
        result, first = hands.hand_over(ROW, 0.0)
        result_again, then = hands.hand_over(ROW, 0.0)
    pid = int(first.partition(" process ")[2].split()[0])
    os.kill(pid, signal.SIGKILL)
    assert (result, result_again) == ("again", "again")
    assert first == f"it had not ended after 0.2 s, and process {pid} cannot be ended from here (another user's?)"
    assert then == f"process {pid} of a try before still runs, and cannot be ended from here"
    monkeypatch.setattr(couriers, "WITHIN_S", 0.2)
    wait_until(lambda: hands.hand_over(ROW, 0.0)[1] == "it had not ended after 0.2 s")


def test_what_a_command_runs_as_another_user_is_said_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    as_another_user(monkeypatch, leader_too=False)
    result, said = hand_over(Command(("/bin/sleep", "60")), ROW, 0.0)
    assert result == "again"
    assert "s, and what it runs as another user (process group " in said


# With a manager


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ManagerBench]]:
    monkeypatch.setattr(couriers, "AGAIN", Backoff(first_s=0.01, max_s=0.05))
    opened: list[tuple[ManagerBench, Couriers]] = []

    def make(*targets: Webhook | Command) -> ManagerBench:
        entries = tuple(Notify(("trigger-refused",), (), target) for target in targets)
        bench = ManagerBench(tmp_path, notify=entries)
        found = Couriers(bench.reactor, bench.service)  # type: ignore[arg-type]
        bench.reactor.notifications.wake = found.wake
        found.use(entries)
        opened.append((bench, found))
        return bench

    yield make
    for _, found in opened:
        found.close()
    for thread in threading.enumerate():
        if thread.name.startswith("courier-"):
            thread.join(WITHIN_S)
            assert not thread.is_alive()
    for bench, _ in opened:
        bench.close()


def refuse(bench: ManagerBench, *names: str) -> None:
    """Let triggers be refused."""
    events = bench.reactor._context.events
    for name in names:
        bench.service.call(lambda at, name=name: events.rejected(name, "why", "", None, at.date))  # type: ignore[misc]
        bench.reactor.committed()


def subjects(hook: Hook) -> list[str]:
    return [json.loads(body)["subject"] for _, body in hook.seen]


def test_a_target_that_was_down_gets_each_once_and_in_order(
    manager: Callable[..., ManagerBench], hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.answers = [500] * 5 + [503] * 3
    bench = manager(Webhook(hook.url, SECRET))
    refuse(bench, "w1", "w2", "w3")
    wait_until(lambda: len(hook.seen) == 11)
    assert subjects(hook) == ["w1"] * 9 + ["w2", "w3"]
    assert len({headers["webhook-id"] for headers, _ in hook.seen[:9]}) == 1
    wait_until(lambda: bench.reactor.notifications.first(bench.reactor.settings.notify[0].target_key) is None)
    assert "a-token-in-the-path" not in caplog.text
    assert SECRET.reveal() not in caplog.text


def test_a_try_that_fails_here_is_noted_so_that_it_is_given_up_one_day(manager: Callable[..., ManagerBench]) -> None:
    bench = manager(Command(("/bin/\0",)))
    refuse(bench, "w1")
    key = bench.reactor.settings.notify[0].target_key
    wait_until(lambda: (row := bench.reactor.notifications.first(key)) is not None and row.tries > 1)


def test_a_target_that_hangs_holds_up_no_other(manager: Callable[..., ManagerBench], hook: Hook) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        bench = manager(Webhook(url, None), Webhook(hook.url, None))
        refuse(bench, "w1", "w2")
        wait_until(lambda: len(hook.seen) == 2)
    assert subjects(hook) == ["w1", "w2"]


def test_what_waited_for_a_stopped_manager_goes_at_its_next_start(
    manager: Callable[..., ManagerBench], hook: Hook
) -> None:
    bench = manager(Webhook(hook.url, None))
    entries = bench.reactor.settings.notify
    bench.reactor.notifications.wake = lambda: None
    others = Couriers(bench.reactor, bench.service)  # type: ignore[arg-type]
    refuse(bench, "w1")
    others.use(entries)
    wait_until(lambda: subjects(hook) == ["w1"])
    others.use(())
