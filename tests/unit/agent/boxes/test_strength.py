"""Which strength a job gets."""

import pytest

from caroni_edge.agent.boxes.strength import Able, Choice, Policy, Strength, choose, said
from caroni_edge.agent.boxes.wanted import Sandbox

ALL = Able("", "")
IDS = Able("", "", "")
NOTHING = Able("no bubblewrap", "no bubblewrap")
ONLY_SHARED = Able("", "no namespaces")
PLAIN, EACH, OFF = Sandbox(), Sandbox(each=True), Sandbox(is_off=True)


@pytest.mark.parametrize(
    ("policy", "sandbox", "able", "expected"),
    [
        ("preferred", PLAIN, ALL, Choice(Strength.SHARED)),
        ("preferred", EACH, ALL, Choice(Strength.EACH)),
        ("preferred", PLAIN, IDS, Choice(Strength.SHARED, has_id=True)),
        ("preferred", EACH, IDS, Choice(Strength.EACH)),
        ("preferred", EACH, Able("", "no namespaces", ""), Choice(Strength.SHARED, "no namespaces", has_id=True)),
        ("preferred", OFF, IDS, Choice(Strength.NONE)),
        ("preferred", OFF, ALL, Choice(Strength.NONE)),
        ("preferred", PLAIN, NOTHING, Choice(Strength.NONE, "no bubblewrap")),
        ("preferred", EACH, ONLY_SHARED, Choice(Strength.SHARED, "no namespaces")),
        ("preferred", EACH, NOTHING, Choice(Strength.NONE, "no bubblewrap")),
        ("required", PLAIN, ALL, Choice(Strength.SHARED)),
        ("required", OFF, ALL, Choice(Strength.NONE)),
        ("off", EACH, ALL, Choice(Strength.NONE)),
    ],
)
def test_what_a_job_gets(policy: Policy, sandbox: Sandbox, able: Able, expected: Choice) -> None:
    assert choose(policy, sandbox, able) == expected


@pytest.mark.parametrize(("sandbox", "able"), [(PLAIN, NOTHING), (EACH, ONLY_SHARED)])
def test_where_boxes_are_required_nothing_runs_without(sandbox: Sandbox, able: Able) -> None:
    refused = choose("required", sandbox, able)
    assert isinstance(refused, str)
    assert "requires" in refused
    assert any(problem and problem in refused for problem in able)


@pytest.mark.parametrize(
    ("sandbox", "able", "strength"),
    [
        (PLAIN, Able("", "", ""), Strength.SHARED),
        (PLAIN, Able("", "", "no ids"), Strength.EACH),
        (PLAIN, Able("no bubblewrap", "", ""), Strength.EACH),
        (OFF, Able("", "", "no ids"), Strength.NONE),
    ],
)
def test_secrets_are_for_jobs_that_others_cannot_look_into(sandbox: Sandbox, able: Able, strength: Strength) -> None:
    chosen = choose("preferred", sandbox, able, has_secrets=True)
    assert isinstance(chosen, Choice)
    assert chosen.strength is strength


def test_no_job_gets_secrets_where_others_could_look_into_it() -> None:
    refused = choose("preferred", PLAIN, Able("", "no namespaces", "no ids"), has_secrets=True)
    assert isinstance(refused, str)
    assert "no namespaces" in refused


def test_a_log_says_only_what_a_job_lacks() -> None:
    assert Choice(Strength.SHARED).notes() == []
    (note,) = Choice(Strength.NONE, "no bubblewrap").notes()
    assert note == "it ran in no box, since it could not be locked up better: no bubblewrap"


@pytest.mark.parametrize(
    ("policy", "able", "expected"),
    [
        ("preferred", ALL, "shared"),
        ("preferred", Able("", "", ""), "shared, with a user id of its own"),
        ("required", NOTHING, "none: no bubblewrap"),
        ("off", ALL, "none: the agent's configuration says so"),
    ],
)
def test_what_the_presence_says(policy: Policy, able: Able, expected: str) -> None:
    assert said(policy, able) == expected
