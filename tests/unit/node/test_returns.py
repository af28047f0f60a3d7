"""What comes back from a bucket: in which order, and as far as the disk has room for it."""

from threading import Thread

import pytest

from caroni_edge.node.returns import Return, Returns
from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.objects import Object
from tests.support import wait_until

LARGE, LARGE_TOO, SMALL = Object("a" * 64, 200), Object("b" * 64, 200), Object("c" * 64, 50)


class Disk:
    """A disk with some room."""

    def __init__(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes

    def free(self) -> int:
        return self.free_bytes


def returns_of(disk: Disk, *objects: Object, again_s: float = 60.0) -> Returns:
    returns = Returns(disk.free, again_s)
    for each in objects:
        returns.add(each)
    return returns


def begin(returns: Returns) -> tuple[Return, bool]:
    """Let the next object begin; return which it was, and whether there was room."""
    it = returns.next()
    assert it is not None
    try:
        returns.reserve(it, it.object.size)
    except NoRoom as error:
        returns.put_off(it, error)
        return it, False
    return it, True


def begun(returns: Returns, count: int) -> list[tuple[Object, bool]]:
    found = [begin(returns) for _ in range(count)]
    return [(it.object, has_room) for it, has_room in found]


def test_what_has_no_room_is_put_off_and_tried_again_in_its_order() -> None:
    disk = Disk(100)
    returns = returns_of(disk, LARGE, LARGE_TOO, SMALL)
    assert begun(returns, 3) == [(LARGE, False), (LARGE_TOO, False), (SMALL, True)]
    returns = returns_of(disk, LARGE, LARGE_TOO, again_s=0.0)
    assert begun(returns, 1) == [(LARGE, False)]
    assert begun(returns, 1) == [(LARGE, False)]  # as often as it is tried, before what was ordered later
    disk.free_bytes = 1000
    returns.add(SMALL)
    assert begun(returns, 3) == [(LARGE, True), (LARGE_TOO, True), (SMALL, True)]


def test_it_is_said_once_that_there_is_no_room_and_once_that_there_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    disk = Disk(100)
    returns = returns_of(disk, LARGE, SMALL, again_s=0.0)
    begun(returns, 3)
    returns.add(LARGE_TOO)
    begun(returns, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    disk.free_bytes = 1000
    begun(returns, 2)
    assert [vars(record)["action"] for record in caplog.records] == ["no_room_for_files", "room_for_files"]


def test_what_has_begun_keeps_the_room_that_it_lacks() -> None:
    disk = Disk(300)
    returns = returns_of(disk, LARGE, LARGE_TOO, SMALL)
    first, _ = begin(returns)
    assert begun(returns, 2) == [(LARGE_TOO, False), (SMALL, True)]
    disk.free_bytes -= 150
    returns.reserve(first, 50)  # beside what others lack, which have begun later
    returns.end(first)
    returns.add(LARGE)
    assert begun(returns, 1) == [(LARGE, False)]


def test_what_has_come_or_was_put_off_reserves_nothing() -> None:
    returns = returns_of(Disk(200), LARGE, LARGE_TOO, LARGE)
    for _ in range(2):
        it, has_room = begin(returns)
        assert has_room
        returns.end(it)
    it, has_room = begin(returns)
    returns.put_off(it, NoRoom())
    returns.add(LARGE_TOO)
    assert begun(returns, 1) == [(LARGE_TOO, True)]


def test_the_end_waits_for_nothing() -> None:
    returns = returns_of(Disk(0), LARGE)
    begun(returns, 1)
    ends: list[Return | None] = []
    waiting = Thread(target=lambda: ends.append(returns.next()))
    waiting.start()
    returns.close()
    wait_until(lambda: ends, what="the thread to end")
    waiting.join()
    assert ends == [None]
