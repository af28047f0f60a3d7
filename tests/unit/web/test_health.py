"""The examination from within: made once a minute at most, and no disk that hangs holds up who asks."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from caroni_edge.doctor import disk, state_dir
from caroni_edge.web import health
from caroni_edge.web.health import Health
from tests.node_bench import ServedNode
from tests.support import WITHIN_S, wait_until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    with closing(ServedNode(tmp_path)) as node:
        yield node


def names(examiner: Health) -> list[str]:
    return [finding.name for finding in examiner.look().findings]


def test_who_asks_again_within_a_minute_gets_what_was_found(node: ServedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, made = Clock(), []

    def count(config: Any) -> list[Any]:
        made.append(config)
        return []

    monkeypatch.setattr(disk, "check", count)
    monkeypatch.setattr(health, "FIRST_WITHIN_S", WITHIN_S)
    examiner = Health(node.site(), clock)
    for _ in range(3):
        assert "database" in names(examiner)
    assert len(made) == 1
    clock.now += health.AGAIN_S
    names(examiner)
    assert examiner._thread is not None
    examiner._thread.join()
    assert len(made) == 2


def test_a_disk_that_hangs_holds_up_nobody(node: ServedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, looked = Event(), []

    def hang(config: Any) -> list[Any]:
        looked.append(config)
        goes_on.wait(WITHIN_S)
        return []

    monkeypatch.setattr(disk, "check", hang)
    monkeypatch.setattr(health, "FIRST_WITHIN_S", 0.01)
    examiner = Health(node.site(), Clock())
    for _ in range(3):
        assert names(examiner) == ["ready", "doctor"]
    wait_until(lambda: looked, what="the examination to begin")
    assert len(looked) == 1, "no second examination while one hangs"
    goes_on.set()
    assert examiner._thread is not None
    examiner._thread.join()
    assert "database" in names(examiner)


def test_what_cannot_be_examined_is_a_finding(node: ServedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.DatabaseError("disk I/O error")

    monkeypatch.setattr(state_dir, "of_database", fail)
    monkeypatch.setattr(health, "FIRST_WITHIN_S", WITHIN_S)
    (_, found) = Health(node.site(), Clock()).look().findings
    assert (found.name, found.level) == ("doctor", "problem")
    assert "disk I/O error" in found.sentence
