"""What the doctor says of the boxes of jobs."""

import os
from pathlib import Path

import pytest

from caroni_edge.agent.boxes.host import NO_BWRAP
from caroni_edge.agent.boxes.strength import Able, Policy
from caroni_edge.doctor.boxes import check, of_boxes
from caroni_edge.doctor.findings import Level
from tests.configs import agent_config

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


def test_another_user_than_the_agents_is_told_whom_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root can do says nothing of what the agent of a unit can."""
    agents = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: agents + 1)
    (found,) = check(agent_config(state_dir=tmp_path))
    assert found.level is Level.WARNING
    assert f"only the agent's user can find out (user {agents})" in found.sentence
    (found,) = check(agent_config(state_dir=tmp_path, sandbox="off"))
    assert "locked into nothing" in found.sentence
