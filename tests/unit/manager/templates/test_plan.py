"""Plans: their one JSON form and hash, their steps, and the check of a trigger's inputs."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.manager.templates.fileuse import FileUse, SecondaryFile
from caroni_edge.manager.templates.plan import (
    Link,
    Plan,
    PlanInput,
    PlanOutput,
    PlanStep,
    Source,
    StepInput,
    decode_plan,
    encode_plan,
    plan_hash,
    prefix_of,
)
from caroni_edge.values.carried import file_value

PLAN = Plan(
    "diamond",
    (
        PlanInput("message", "string"),
        PlanInput("count", "int", 3),
        PlanInput("note", "string?"),
        PlanInput("sizes", {"type": "array", "items": ["int", "string"]}, [1]),
        PlanInput("limit", "int?", 7),
    ),
    (PlanOutput("result", "string", Link((Source(step="join", output="jobout"),))),),
    (
        PlanStep(
            "left",
            "upper",
            None,
            (StepInput("message", "string", Link((Source(workflow_input="message"),))),),
            {"jobout": "string"},
        ),
        PlanStep(
            "right",
            "lower",
            None,
            (StepInput("message", "string", Link((Source(workflow_input="message"),))),),
            {"jobout": "string"},
        ),
        PlanStep(
            "join",
            "append",
            None,
            (
                StepInput("one", "string", Link((Source(step="left", output="jobout"),))),
                StepInput("two", "string", Link((Source(step="right", output="jobout"),)), "nothing"),
                StepInput("again", "string", Link((Source(step="left", output="jobout"),))),
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


def test_steps_of_nested_workflows_are_found_by_the_way_to_them() -> None:
    inner = Plan("inner", (), (), (PlanStep("leaf", "upper"), PlanStep("other", "lower")))
    outer = Plan("outer", (), (), (PlanStep("in", workflow=Plan("mid", (), (), (PlanStep("deep", workflow=inner),))),))
    assert outer.step_at("in/deep/leaf").job_type == "upper"
    assert outer.step_at("in/deep").workflow is inner
    assert outer.job_types == {"upper", "lower"}
    for wrong in ("leaf", "in/leaf", "in/deep/leaf/more"):
        with pytest.raises(KeyError):
            outer.step_at(wrong)


@pytest.mark.parametrize(("path", "prefix"), [("a", ""), ("a[3]", ""), ("a[3]/b", "a[3]/"), ("a/b[1]/c", "a/b[1]/")])
def test_the_prefix_of_a_path(path: str, prefix: str) -> None:
    assert prefix_of(path) == prefix


NAMES = st.sampled_from(["a", "b", "c"])
SOURCES = st.builds(Source, workflow_input=NAMES) | st.builds(Source, step=NAMES, output=NAMES)
MERGES = st.none() | st.sampled_from(["merge_nested", "merge_flattened"])
LINKS = st.builds(Link, st.lists(SOURCES, max_size=3).map(tuple), MERGES)
DEFAULTS = (
    st.none()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5), max_size=3)
)
STEP_INPUTS = st.builds(StepInput, NAMES, st.just("Any"), st.none() | LINKS, DEFAULTS, st.none() | st.text(max_size=20))
NESTED = st.none() | st.builds(Plan, NAMES, st.just(()), st.just(()), st.just((PlanStep("leaf", "upper"),)))
STEPS = st.builds(
    PlanStep, NAMES, NAMES, NESTED, st.lists(STEP_INPUTS, max_size=4).map(tuple), st.dictionaries(NAMES, st.just("int"))
)


@given(st.lists(STEPS, unique_by=lambda step: step.name).map(tuple))
def test_any_plan_comes_back_and_is_asked_the_same(steps: tuple[PlanStep, ...]) -> None:
    plan = Plan("t", (), (), steps)
    assert decode_plan(encode_plan(plan)) == plan
    assert plan_hash(decode_plan(encode_plan(plan))) == plan_hash(plan)
    for step in steps:
        sources = [source for each in step.inputs if each.link for source in each.link.sources]
        assert step.waits_for == {source.step for source in sources if source.step is not None}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [(".bai", "a.b.bam.bai"), ("^.bai", "a.b.bai"), ("^^.bai", "a.bai"), ("^^^^.bai", "a.bai"), ("-x", "a.b.bam-x")],
)
def test_a_pattern_says_what_lies_beside_a_file(pattern: str, name: str) -> None:
    assert SecondaryFile(pattern).name("a.b.bam") == name


def bam(*beside: str) -> dict[str, Any]:
    return {**file_value("a.bam", b""), "secondaryFiles": [file_value(name, b"") for name in beside]}


LACKS = 'the file "a.bam" comes without "a.bam.bai", which is to be among its secondaryFiles'


@pytest.mark.parametrize(
    ("secondary", "value", "of_input", "of_output"),
    [
        (SecondaryFile(".bai"), bam("a.bam.bai"), None, None),
        (SecondaryFile(".bai"), bam("a.bai"), LACKS, None),
        (SecondaryFile(".bai"), [bam("a.bam.bai"), file_value("a.bam", b"")], LACKS, None),
        (SecondaryFile(".bai", False), bam(), None, None),
        (SecondaryFile(".bai", True), bam(), LACKS, LACKS),
        (SecondaryFile(".bai"), None, None, None),
    ],
)
def test_files_that_are_to_lie_beside_one_are_missed(
    secondary: SecondaryFile, value: Any, of_input: str | None, of_output: str | None
) -> None:
    use = FileUse((secondary,))
    for each in (use, FileUse(fields={"f": use})):
        seen = value if each is use else {"f": value, "g": bam()}
        assert each.lacks(seen, required=True) == of_input
        assert each.lacks(seen, required=False) == of_output
