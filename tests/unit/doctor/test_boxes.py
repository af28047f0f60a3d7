"""What the doctor says of the boxes of jobs."""

import pytest

from caroni_edge.agent.boxes.host import NO_BWRAP
from caroni_edge.agent.boxes.strength import Able, Policy
from caroni_edge.doctor.boxes import of_boxes
from caroni_edge.doctor.findings import Level

ALL, NONE = Able("", ""), Able(NO_BWRAP, NO_BWRAP)


@pytest.mark.parametrize(
    ("policy", "able", "user", "level", "words"),
    [
        ("preferred", ALL, 1000, Level.OK, "hides the agent's state, secrets, sockets and processes"),
        ("preferred", Able("", "no namespaces"), 1000, Level.OK, "none can have one of its own: no namespaces"),
        ("preferred", ALL, 1000, Level.OK, "they can touch each other, since slots have no user ids: none are"),
        ("preferred", Able("", "", ""), 1000, Level.OK, "by a user id for each slot, each other"),
        ("preferred", ALL, 0, Level.WARNING, "the agent is root"),
        ("preferred", Able("", "", ""), 0, Level.OK, "by a user id for each slot, each other"),
        ("preferred", NONE, 1000, Level.WARNING, "bubblewrap is not installed"),
        ("required", NONE, 1000, Level.PROBLEM, "none is taken"),
        ("off", ALL, 1000, Level.WARNING, "locked into nothing"),
    ],
)
def test_what_is_said_of_boxes(policy: Policy, able: Able, user: int, level: Level, words: str) -> None:
    found = of_boxes(policy, able, user)
    assert found.level is level
    assert words in found.sentence
