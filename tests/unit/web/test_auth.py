"""Who may come in: passwords, token, sessions, and the brake on wrong logins."""

import logging
from pathlib import Path

import pytest

from caroni_edge.config import Secret, WebConfig, WebUser
from caroni_edge.web import auth, credentials
from caroni_edge.web.accounts import Accounts, Role
from caroni_edge.web.auth import Gate, Sessions, Throttle
from caroni_edge.web.credentials import CredentialUnusable
from caroni_edge.web.problems import Problem


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gate(clock: Clock) -> Gate:
    return Gate(Accounts(Secret("token"), {"admin": ("operator", Secret("right"))}), "cookie", clock)


# --- Passwords and tokens that are made ------------------------------------------------------------------------------


def test_a_password_is_made_once_for_its_owner_alone_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = credentials.password(None, tmp_path)
    file = tmp_path / "web-password"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == f"{first.reveal()}\n"
    assert len(first.reveal()) >= 20
    assert str(file) in caplog.text
    assert first.reveal() not in caplog.text
    caplog.clear()
    assert credentials.password(None, tmp_path) == first
    assert caplog.text == ""


def test_token_and_password_are_two_secrets(tmp_path: Path) -> None:
    password, token = credentials.password(None, tmp_path), credentials.token(None, tmp_path)
    assert password != token
    assert credentials.read(tmp_path / "web-token") == token


def test_what_is_configured_makes_no_file(tmp_path: Path) -> None:
    assert credentials.password(Secret("mine"), tmp_path).reveal() == "mine"
    assert credentials.token(Secret("mine too"), tmp_path).reveal() == "mine too"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_may_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "web-token").write_text("known\n")
    (tmp_path / "web-token").chmod(0o644)
    assert credentials.token(None, tmp_path).reveal() == "known"
    assert "should be 0600" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_an_error_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "web-token").write_bytes(content)
    with pytest.raises(CredentialUnusable) as caught:
        credentials.token(None, tmp_path)
    assert "web-token" in str(caught.value)
    assert "delete it" in caught.value.advice


def test_a_directory_in_its_place_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "web-token").mkdir()
    with pytest.raises(CredentialUnusable, match="directory"):
        credentials.token(None, tmp_path)


# --- Accounts --------------------------------------------------------------------------------------------------------


def test_people_and_their_roles(tmp_path: Path) -> None:
    users = {
        "viola": WebUser(role="viewer", password=Secret("looks")),
        "olga": WebUser(role="operator", password=Secret("o")),
    }
    config = WebConfig(host="", port=0, username="admin", password=Secret("a"), token=Secret("t"), users=users)
    accounts = Accounts.of(config, tmp_path)
    assert accounts.role_of("admin", "a") == "operator"
    assert accounts.role_of("viola", "looks") == "viewer"
    assert accounts.role_of("olga", "o") == "operator"
    for name, password in [("admin", "looks"), ("viola", "a"), ("nobody", ""), ("", ""), ("admin", "ä\ud800")]:
        assert accounts.role_of(name, password) is None
    assert accounts.has_token("t")
    assert not accounts.has_token("")
    assert not accounts.has_token("\ud800")


# --- Wrong logins ----------------------------------------------------------------------------------------------------


def test_after_ten_wrong_logins_the_right_one_is_refused_too_until_five_minutes_are_over(clock: Clock) -> None:
    door = gate(clock)
    for _ in range(10):
        with pytest.raises(Problem) as wrong:
            door.log_in("1.2.3.4", "admin", "wrong")
        assert wrong.value.status == 401
        clock.now += 1
    with pytest.raises(Problem) as blocked:
        door.log_in("1.2.3.4", "admin", "right")
    assert blocked.value.status == 429
    assert int(blocked.value.headers["Retry-After"]) == 291
    assert door.log_in("5.6.7.8", "admin", "right")[1].user == "admin"
    clock.now += 290
    assert door.log_in("1.2.3.4", "admin", "right")[1].role == "operator"


def test_the_others_at_an_address_are_let_in_while_one_name_is_guessed_at(clock: Clock) -> None:
    people: dict[str, tuple[Role, Secret]] = {"admin": ("operator", Secret("right")), "olga": ("operator", Secret("o"))}
    door = Gate(Accounts(Secret("token"), people), "cookie", clock)
    for _ in range(11):
        with pytest.raises(Problem) as refused:
            door.log_in("1.2.3.4", "admin", "wrong")
    assert refused.value.status == 429
    assert door.log_in("1.2.3.4", "olga", "o")[1].user == "olga"


def test_invented_names_are_held_up_as_real_ones_and_give_no_more_guesses_at_those(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "COUNTED_MAX", 3)
    door = gate(clock)

    def guess(name: str) -> int:
        with pytest.raises(Problem) as refused:
            door.log_in("1.2.3.4", name, "wrong")
        return refused.value.status

    assert [guess("nobody") for _ in range(11)] == [401] * 10 + [429]
    for _ in range(10):
        assert guess("admin") == 401
    assert {guess(f"invented{number}") for number in range(10)} == {401}
    assert guess("admin") == 429


def test_wrong_logins_over_a_long_time_block_nobody(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(30):
        throttle.note("1.2.3.4", "admin")
        assert throttle.wait_s("1.2.3.4", "admin") == 0
        clock.now += 34


def test_the_brake_forgets_pairs_rather_than_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "COUNTED_MAX", 3)
    throttle = Throttle(clock)
    for _ in range(10):
        throttle.note("busy", "admin")
    for number in range(3):
        throttle.note(f"other{number}", "admin")
    assert throttle.wait_s("busy", "admin") == 0
    for _ in range(10):
        throttle.note("busy", "admin")
    assert throttle.wait_s("busy", "admin") == 300


# --- Sessions --------------------------------------------------------------------------------------------------------


def test_a_session_lasts_while_it_is_used_and_not_for_ever(clock: Clock) -> None:
    sessions = Sessions(clock)
    cookie, session = sessions.begin("admin", "operator")
    for _ in range(14):
        clock.now += 11.9 * 3600
        assert sessions.find(cookie) is session
    clock.now += 11.9 * 3600
    assert sessions.find(cookie) is None


def test_a_session_that_is_not_used_ends(clock: Clock) -> None:
    sessions = Sessions(clock)
    cookie, _ = sessions.begin("admin", "operator")
    clock.now += 12 * 3600 + 1
    assert sessions.find(cookie) is None


def test_sessions_are_ended_and_others_go_on(clock: Clock) -> None:
    sessions = Sessions(clock)
    (one, _), (two, session) = sessions.begin("a", "viewer"), sessions.begin("b", "operator")
    sessions.end(one)
    assert sessions.find(one) is None
    assert sessions.find(two) is session
    assert sessions.find("never given") is None


def test_there_are_not_more_sessions_than_fit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "SESSIONS_MAX", 2)
    sessions = Sessions(clock)
    cookies = [sessions.begin("admin", "operator")[0] for _ in range(3)]
    assert [sessions.find(cookie) is not None for cookie in cookies] == [False, True, True]
