"""Plans: their one JSON form and hash, what feeds what, and the check of a trigger's inputs."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.manager.plan import (
    Plan,
    PlanInput,
    PlanOutput,
    PlanStep,
    Source,
    StepInput,
    decode_plan,
    encode_plan,
    plan_hash,
)

PLAN = Plan(
    "diamond",
    (
        PlanInput("message", "string"),
        PlanInput("count", "int", 3),
        PlanInput("note", "string?"),
        PlanInput("sizes", {"type": "array", "items": ["int", "string"]}, [1]),
        PlanInput("limit", "int?", 7),
    ),
    (PlanOutput("result", "string", Source(step="join", output="jobout")),),
    (
        PlanStep(
            "left", "upper", (StepInput("message", "string", Source(workflow_input="message")),), {"jobout": "string"}
        ),
        PlanStep(
            "right", "lower", (StepInput("message", "string", Source(workflow_input="message")),), {"jobout": "string"}
        ),
        PlanStep(
            "join",
            "append",
            (
                StepInput("one", "string", Source(step="left", output="jobout")),
                StepInput("two", "string", Source(step="right", output="jobout"), "nothing"),
                StepInput("again", "string", Source(step="left", output="jobout")),
                StepInput("count", "int", None, 5),
            ),
            {"jobout": "string"},
            ("jobout",),
        ),
    ),
)


def test_a_plan_comes_back_from_its_json() -> None:
    data = encode_plan(PLAN)
    assert decode_plan(data) == PLAN
    assert encode_plan(decode_plan(data)) == data
    assert plan_hash(decode_plan(data)) == plan_hash(PLAN)


def test_the_hash_is_of_the_content_and_pinned() -> None:
    # Databases keep this name: when it changes, a running workflow's plan is still found by the old one, but
    # the same template counts as another.
    assert plan_hash(Plan("t", (PlanInput("a", "int", 1),))) == "de3ef7c3dd5d597a79e1130fd062b3e0"
    assert plan_hash(Plan("t")) != plan_hash(Plan("u"))


def test_what_is_at_its_default_is_left_out_of_the_json() -> None:
    plan = Plan("t", (), (), (PlanStep("a", "upper"),))
    assert json.loads(encode_plan(plan)) == {"template": "t", "steps": [{"name": "a", "job_type": "upper"}]}


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_plan(b'{"steps": []}')


def test_feeds_names_who_takes_each_value() -> None:
    assert PLAN.feeds == {
        ("input", "message"): (("left", "message"), ("right", "message")),
        ("step", "left", "jobout"): (("join", "one"), ("join", "again")),
        ("step", "right", "jobout"): (("join", "two"),),
    }
    assert PLAN.feeds is PLAN.feeds


def test_steps_are_found_by_name_and_by_what_they_wait_for() -> None:
    assert list(PLAN.step_by_name) == ["left", "right", "join"]
    assert PLAN.step_by_name["join"].waits_for == {"left", "right"}
    assert PLAN.dependents == {"left": ("join",), "right": ("join",), "join": ()}
    assert PLAN.job_types == {"upper", "lower", "append"}


def test_sources_are_shown_as_cwl_writes_them() -> None:
    assert str(Source(workflow_input="a")) == "a"
    assert str(Source(step="a", output="b")) == "a/b"


@pytest.mark.parametrize("note", [{}, {"note": None}])
@pytest.mark.parametrize("count", [{}, {"count": None}])
def test_inputs_are_filled_in(note: dict[str, Any], count: dict[str, Any]) -> None:
    filled, wrong = PLAN.check_inputs({"message": "x", **note, **count})
    assert wrong == []
    assert filled == {"message": "x", "count": 3, "note": None, "sizes": [1], "limit": 7}


def test_given_inputs_win_over_defaults() -> None:
    given_values = {"message": "x", "count": 0, "note": "", "sizes": [], "limit": 1}
    assert PLAN.check_inputs(given_values) == (given_values, [])


def test_everything_wrong_with_inputs_is_told() -> None:
    _, wrong = PLAN.check_inputs({"count": "3", "sizes": [1, None], "mesage": "x", "zzz": 1})
    assert wrong == [
        ("message", "is missing; it takes string"),
        ("count", 'expected int, got "3"'),
        ("sizes", "[1]: expected int | string, got null"),
        ("mesage", 'is no input of diamond (did you mean "message"?)'),
        ("zzz", "is no input of diamond"),
    ]


NAMES = st.sampled_from(["a", "b", "c"])
SOURCES = st.builds(Source, workflow_input=NAMES) | st.builds(Source, step=NAMES, output=NAMES)
DEFAULTS = (
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.lists(st.text())
)
STEP_INPUTS = st.builds(StepInput, NAMES, st.just("Any"), st.none() | SOURCES, DEFAULTS)
STEPS = st.builds(PlanStep, NAMES, NAMES, st.lists(STEP_INPUTS).map(tuple), st.dictionaries(NAMES, st.just("int")))


@given(st.lists(STEPS, unique_by=lambda step: step.name).map(tuple))
def test_any_plan_comes_back_and_its_indexes_agree_with_its_steps(steps: tuple[PlanStep, ...]) -> None:
    plan = Plan("t", (), (), steps)
    assert decode_plan(encode_plan(plan)) == plan
    pairs = {(key, taker) for key, takers in plan.feeds.items() for taker in takers}
    assert pairs == {(each.source.key, (step.name, each.name)) for step in steps for each in step.inputs if each.source}
