"""Parameter references have the values that cwltool's own evaluator gives them.

Left out is where it and the specification differ: characters of a text by number, and backslashes in quoted names.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from cwl_utils.errors import WorkflowException
from cwl_utils.expression import do_eval
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caroni_edge.javascript.interpreter import Interpreter, Script
from caroni_edge.javascript.texts import ExpressionProblem, JavaScript
from caroni_edge.manager.templates.expressions import compile_text
from tests.cwl.engine import our_engine

BAR = {"baz": "zab1", "b az": 2, "b'az": True, 'b"az': None, "buz": ["a", ["b", {"length": 3}], 1.5], "length": 7}
INPUTS: dict[str, Any] = {"bar": BAR, "list": [BAR, [], None, False], "length": [1, 2], "a_1": "$(inputs.bar) \\"}

SEGMENTS = (".bar", ".baz", ".buz", ".list", ".length", ".a_1", "['b az']", '["bar"]', '["b\'az"]', "['b\"az']")
INDEXED = (
    ".list[0]",
    ".list[1]",
    ".list[9]",
    ".buz[1][1]",
    ".buz[00]",
    ".buz[-1]",
    ".list[a]",
    ".bar[0]",
    ".length[1]",
)
REFERENCES = st.builds(
    lambda begin, root, segments, end: begin + root + "".join(segments) + end,
    st.sampled_from(["$(", "$(", "$(", "\\$(", "\\\\$(", "\\\\\\$(", "$((", "\\${", "$ ("]),
    st.sampled_from(["inputs", "inputs", "inputs", "self", "null", "nothing", " inputs", "inputs + inputs", ""]),
    st.lists(st.sampled_from(SEGMENTS + INDEXED), max_size=5),
    st.sampled_from([")", ")", ")", ")", "", " )", "))"]),
)
PLAIN = st.text(alphabet=" \\$a()\n", max_size=4)
TEXTS = st.lists(REFERENCES | PLAIN, min_size=1, max_size=4).map("".join)
SCRIPTS = st.sampled_from(
    [
        "$(inputs.bar.baz + 1)",
        "$(inputs.list.length * 2)",
        "$( self )",
        "$(nobody)",
        "$(undefined)",
        "$(true)",
        "$(3)",
        "$(')' + '(')",
        "$('\\')')",
        '$("a\\"" + twice("b"))',
        "$({'b': [1, null, 2.5], 'a': {}})",
        "$(function () { return 1; })",
        "$(twice.length)",
        "${ return inputs.list; }",
        "${ return '}'; }",
        "${ if (self) { return twice(String(self)); } }",
        "${ throw 'no'; }",
        "$(1 + (2)",
        "${ return 1;",
        "$(inputs.list[0].buz[1])",
        "$(inputs['bar']['b az'])",
        "$(inputs.list['0'].none)",
        "$(inputs.length.length.more)",
    ]
)
WITH_SCRIPTS = st.lists(SCRIPTS | REFERENCES | PLAIN, min_size=1, max_size=4).map("".join)
LIBRARY = "function twice(text) { return text + text; }"
FAILED = object()


def ours(text: str, self_value: Any, interpreter: Interpreter | None = None) -> Any:
    """Return what we give, or `FAILED`."""

    names = {"inputs": INPUTS, "self": self_value}

    def run(script: JavaScript) -> Any:
        assert interpreter is not None
        answer = interpreter.answer(Script(script.body, {**names, "runtime": {}}, (LIBRARY,)))
        if answer.error is not None:
            raise ExpressionProblem(answer.error)
        return answer.value

    try:
        return compile_text(text, javascript=interpreter is not None).value(names, run)
    except ExpressionProblem:
        return FAILED


def theirs(text: str, self_value: Any, *requirements: Any) -> Any:
    """Return what cwltool gives, or `FAILED`."""
    try:
        return do_eval(text, INPUTS, list(requirements), None, None, {}, context=self_value)
    except WorkflowException:
        return FAILED


@given(text=TEXTS, self_value=st.sampled_from([None, 5, [1, [2]], {"bar": {"baz": 3}}]))
@example(text="$(inputs.bar.buz.length)$(inputs.bar.length)", self_value=None)
@example(text=" \\\\$(inputs.bar) \\$(inputs.bar)\n", self_value=None)
@example(text="\\\\ $ (inputs)", self_value=None)
def test_any_text_has_the_same_value(text: str, self_value: Any) -> None:
    assert ours(text, self_value) == theirs(text, self_value)


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    if not os.environ.get("CI"):
        pytest.importorskip("quickjs")
    with our_engine() as running:
        yield running


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=WITH_SCRIPTS, self_value=st.sampled_from([None, 5, [1, [2]], "text", {"bar": {"baz": 3}}]))
@example(text="$(inputs.length.length.more)", self_value=None)
def test_any_text_with_javascript_has_the_same_value(text: str, self_value: Any, interpreter: Interpreter) -> None:
    requirement = {"class": "InlineJavascriptRequirement", "expressionLib": [LIBRARY]}
    assert ours(text, self_value, interpreter) == theirs(text, self_value, requirement)


@pytest.mark.parametrize("text", ["$(inputs.bar.baz[0])", "$(inputs.a_1[13])"])
def test_a_character_of_a_text_is_served_as_the_specification_says(text: str) -> None:
    assert theirs(text, None) is FAILED
    assert isinstance(ours(text, None), str)
