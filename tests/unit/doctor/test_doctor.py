"""The judgements of `caroni-edge doctor`, without a broker."""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config.automation import Rule
from caroni_edge.doctor.access import check, of_depots, of_own, of_peers, of_people, of_refused, of_triggers
from caroni_edge.doctor.broker import of_expiry, said
from caroni_edge.doctor.clock import Dates, of_dates, of_kernel
from caroni_edge.doctor.database import State, holder
from caroni_edge.doctor.descriptors import of_open
from caroni_edge.doctor.disk import of_inodes, of_space
from caroni_edge.doctor.findings import Finding, Level, is_healthy, ok, problem, warning
from caroni_edge.doctor.limits import of_queue, of_session, of_size
from caroni_edge.protocol.messages import MESSAGE_VERSION, Presence
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import Arrived

MIB = 1 << 20
DAY_S = 86400.0
TOPICS = Topics("caroni", "managers", "m1")


def test_only_a_problem_makes_a_node_unhealthy() -> None:
    assert is_healthy([ok("a", "x"), warning("b", "y")])
    assert not is_healthy([ok("a", "x"), problem("b", "y", "do z")])


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (of_space(3 * MIB, MIB), Level.OK),
        (of_space(MIB + 1, MIB), Level.WARNING),
        (of_space(MIB - 1, MIB), Level.PROBLEM),
        (of_inodes(10), Level.PROBLEM),
        (of_open(10, None), Level.OK),
        (of_open(80, 100), Level.OK),
        (of_open(81, 100), Level.WARNING),
        (of_inodes(10**6), Level.OK),
        (of_expiry(90 * DAY_S), Level.OK),
        (of_expiry(3 * DAY_S), Level.WARNING),
        (of_kernel(True), Level.OK),
        (of_kernel(False), Level.WARNING),
        (of_kernel(None), Level.WARNING),
        (of_size("a frame", 65536, comes=True), Level.OK),
        (of_size("a frame", 65536, comes=False), Level.PROBLEM),
        (of_queue(300, 300), Level.OK),
        (of_queue(5, 300), Level.WARNING),
        (of_session(is_kept=True), Level.OK),
        (of_session(is_kept=False), Level.PROBLEM),
        (of_refused(()), Level.OK),
        (of_refused(["t"]), Level.PROBLEM),
        (of_triggers({}), Level.OK),
        (of_triggers({"sensors/#": "hot"}), Level.PROBLEM),
        (*of_people(["alice"], has_login=True), Level.OK),
        (*of_people(["alice"], has_login=False), Level.WARNING),
    ],
)
def test_levels_and_a_hint_with_each_that_is_not_ok(finding: Finding, level: Level) -> None:
    assert finding.level is level
    assert bool(finding.hint) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("own", "pid", "level"),
    [
        (None, None, Level.OK),
        (Presence(online=False, boot="other"), None, Level.OK),
        (Presence(online=True, boot="mine"), 7, Level.OK),
        (Presence(online=True, boot="mine"), None, Level.WARNING),
        (Presence(online=True, boot="other"), None, Level.PROBLEM),
        (Presence(online=True, boot="other"), 7, Level.PROBLEM),
    ],
)
def test_whose_presence_is_retained(own: Presence | None, pid: int | None, level: Level) -> None:
    assert of_own(own, TOPICS.name, State(pid=pid, boots=("mine",))).level is level


def test_peers_of_other_versions_are_named() -> None:
    ours, newer = (Presence(online=True, boot="b", speaks=MESSAGE_VERSION + more) for more in (0, 1))
    peers = {"a1": ours, "a2": newer, "a3": None}
    found = list(of_peers(peers, TOPICS))
    assert [(each.name, each.level) for each in found] == [
        ("version", Level.WARNING),
        ("version", Level.WARNING),
        ("peers", Level.OK),
    ]
    assert "agents/a2" in found[0].sentence
    assert found[2].sentence == "2 of the agents are online"


def test_dates_tell_of_a_wrong_clock() -> None:
    assert not list(of_dates(Dates(latest=1000.0, early={"a1": 60.0}), 1000.0))
    (ours,) = of_dates(Dates(latest=10_000.0), 1000.0)
    assert (ours.level, "150 minutes in the future" in ours.sentence) == (Level.PROBLEM, True)
    (theirs,) = of_dates(Dates(early={"a1": 600.0}), 1000.0)
    assert (theirs.level, "agent a1" in theirs.sentence) == (Level.WARNING, True)


def test_who_holds_the_lock_is_seen_without_taking_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    with lock.open("w") as file:
        assert holder(lock) is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(lock) == os.getpid()


def test_the_words_of_the_transport_end_with_what_to_do() -> None:
    found = said("broker", "nothing listens at x:1: start the broker, or correct its URL")
    assert (found.sentence, found.hint) == ("nothing listens at x:1", "Start the broker, or correct its URL.")


class Refusing:
    """A probe of a broker that lets a node subscribe to its own topics alone."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.refused: set[str] = set()
        self.subscribed: set[str] = set()

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> None:
        self.subscribed |= {topic for topic, _ in filters}
        self.refused |= {topic for topic in self.subscribed if not topic.startswith("caroni/")}

    def unsubscribe(self, topic_filter: str) -> None:
        self.subscribed.remove(topic_filter)

    def hear(self, *_wanted: object, **_options: object) -> list[Arrived]:
        return []


def test_the_filters_of_triggers_that_the_broker_refuses_are_named_and_none_of_them_stays() -> None:
    rules = [Rule(name=name, topic=topic, template="t", inputs={}) for name, topic in (("b", "x/#"), ("a", "x/#"))]
    probe: Any = Refusing()
    found = {each.name: each for each in check(probe, TOPICS, (), State(pid=7, boots=()), rules=rules)}
    assert found["topics"].level is Level.OK
    assert found["triggers"].sentence.endswith("what starts workflows: x/# (b, a)")
    assert "x/#" not in probe.subscribed
    assert "triggers" not in {each.name for each in check(probe, TOPICS, (), State(pid=7, boots=()))}


def test_who_is_named_as_a_depot_and_says_nothing_of_it_is_told() -> None:
    is_one, is_none = (Presence(online=True, boot="b", depot=depot) for depot in ("open", ""))
    (found,) = of_depots({"d1": is_one, "d2": is_none}, ["d1", "d2"])
    assert (found.level, "d2 stands under depots" in found.sentence) == (Level.WARNING, True)
    (found,) = of_depots({"d1": is_one}, ["d1", "d2"])
    assert (found.level, "of d2, named under depots, nothing was heard" in found.sentence) == (Level.WARNING, True)
    assert [each.level for each in of_depots({"d1": is_one}, ["d1"])] == [Level.OK]
    assert [*of_depots({"d2": is_none}, [])] == []
