"""Which connection makes room for the next one, and how often that is said."""

import logging
import resource
from collections.abc import Callable
from typing import cast

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from caroni_edge.web.connections import STEP_BYTES, Connection, Crowd, Waits, most_connections


class Fake:
    """A connection that waits as the test says."""

    def __init__(self, waits: Waits | None = Waits.FOR_HEADER) -> None:
        self.waits, self.is_cut = waits, False

    def cut(self) -> None:
        self.is_cut = True


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def enter(crowd: Crowd, *newcomers: Fake) -> list[bool]:
    return [crowd.has_room_for(cast(Connection, each)) for each in newcomers]


def test_the_oldest_without_a_whole_header_makes_room() -> None:
    clock = Clock()
    crowd = Crowd(3, clock)
    answered, old, young, next_one, last = Fake(None), Fake(), Fake(), Fake(), Fake()
    assert enter(crowd, answered, old, young) == [True] * 3
    clock.now += 5
    assert enter(crowd, next_one) == [True]
    assert [each.is_cut for each in (answered, old, young, next_one)] == [False, True, False, False]
    assert enter(crowd, last) == [True]
    assert [each.is_cut for each in (answered, young, next_one, last)] == [False, True, False, False]


def test_then_the_oldest_that_lacks_a_body_or_does_not_read() -> None:
    clock = Clock()
    crowd = Crowd(3, clock)
    unread, half, header = Fake(Waits.TO_BE_READ), Fake(Waits.FOR_BODY), Fake()
    enter(crowd, unread, half, header)
    clock.now += 5
    enter(crowd, Fake(None))
    assert (header.is_cut, half.is_cut, unread.is_cut) == (True, False, False)
    enter(crowd, Fake(None))
    assert (half.is_cut, unread.is_cut) == (True, False)
    enter(crowd, Fake(None))
    assert unread.is_cut


def test_one_that_has_just_come_makes_room_after_all_others_since_its_header_is_on_the_way() -> None:
    clock = Clock()
    crowd = Crowd(3, clock)
    halves = [Fake(Waits.FOR_BODY), Fake(Waits.FOR_BODY)]
    enter(crowd, *halves)
    clock.now += 5
    newcomers = [Fake(), Fake(), Fake()]
    enter(crowd, *newcomers)
    assert [each.is_cut for each in (*halves, *newcomers)] == [True, True, False, False, False]
    enter(crowd, Fake())
    assert [each.is_cut for each in newcomers] == [True, False, False]


def test_whoever_is_being_answered_stays_and_the_newcomer_is_refused() -> None:
    crowd = Crowd(2, Clock())
    answered = [Fake(None), Fake(None)]
    refused = Fake()
    assert enter(crowd, *answered, refused) == [True, True, False]
    assert not any(each.is_cut for each in answered)
    crowd.leave(cast(Connection, refused))
    crowd.leave(cast(Connection, answered[0]))
    assert enter(crowd, Fake()) == [True]


def test_a_crowd_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    crowd = Crowd(2, clock)
    enter(crowd, *(Fake() for _ in range(1000)))
    assert len(caplog.records) == 1
    clock.now += 60
    enter(crowd, Fake())
    assert "999 so far" in caplog.records[1].getMessage()


def test_connections_leave_three_quarters_of_the_descriptors_to_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((36, 9), (1024, 200), (1 << 20, 200), (resource.RLIM_INFINITY, 200)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, soft=soft: (soft, soft))
        assert most_connections() == most


class Timers:
    """An event loop that only notes timers."""

    def __init__(self) -> None:
        self.made: list[Timers.Timer] = []

    class Timer:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    def call_later(self, _after_s: float, _work: Callable[[], None]) -> "Timers.Timer":
        self.made.append(Timers.Timer())
        return self.made[-1]


def test_who_goes_on_sending_a_body_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(H11Protocol, "data_received", lambda _self, _data: None)
    monkeypatch.setattr(Connection, "_now", lambda _self: Waits.FOR_BODY)
    connection, timers = Connection.__new__(Connection), Timers()
    connection.waits, connection._timer, connection._came = None, None, 0
    connection.loop = timers  # type: ignore[assignment]
    for _ in range(4):
        connection.data_received(bytes(STEP_BYTES // 4))
    assert [each.cancelled for each in timers.made] == [False]
    connection.data_received(bytes(STEP_BYTES // 4))
    assert [each.cancelled for each in timers.made] == [True, False]
