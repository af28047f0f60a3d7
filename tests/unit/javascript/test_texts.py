"""Texts with expressions: what is a reference, what is JavaScript, where each ends, and what it gives."""

from typing import Any

import pytest

from caroni_edge.javascript.texts import (
    GIVES_MAX_CHARACTERS,
    LIMIT_CHARACTERS,
    ExpressionProblem,
    JavaScript,
    Reference,
    read_text,
)

NAMES = {"message": {"a": 1, "b": {"x y": [True, None]}, "s": "text"}, "topic": ["sensors", "ida"]}


def value(text: str, **answers: Any) -> Any:
    return read_text(text, NAMES).value(NAMES, lambda script: answers[script.code.strip("()\n ")])


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$(message)", NAMES["message"]),
        (" $(message.a) ", 1),
        ("$(message.b['x y'][0])", True),
        ('$(message["b"]["x y"][1])', None),
        ("$(topic[1])", "ida"),
        ("$(topic.length)", 2),
        ("$(message.s[0])", "t"),
        ("$(null)", None),
        ("$(null)-$(message.a)", "null-1"),
        ("$(topic[0])-$(message.a)-$(message.s)", "sensors-1-text"),
        ("$(message.b)!", '{"x y": [true, null]}!'),
        (r"\$(message.a)", "$(message.a)"),
        (r"\\$(message.a)", "\\1"),
    ],
)
def test_what_a_reference_gives(text: str, gives: Any) -> None:
    assert value(text) == gives


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$(message.z)", '$(message.z): an object has no field "z"'),
        ("$(topic[2])", "$(topic[2]): a list has no item 2"),
        ("$(message.s[4])", '$(message.s[4]): "text" has no item 4'),
        ("$(message.a.b)", '$(message.a.b): 1 has no field "b"'),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(text: str, says: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        value(text)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("$(message.a > 40)", "(message.a > 40\n)"),
        ("$(f(')'))", "(f(')')\n)"),
        ("$(true)", "(true\n)"),
        ("$(null.a)", "(null.a\n)"),
        ("$( message.a )", "(message.a\n)"),
        ("$(`it's )`)", "(`it's )`\n)"),
        ("$(40)", "(40\n)"),
        ("${return {a: '}'};}", "(function () {return {a: '}'};\n})()"),
        ("$(message.a // not all\n)", "(message.a // not all\n)"),
    ],
)
def test_everything_else_is_javascript(text: str, code: str) -> None:
    assert read_text(text, NAMES).parts == (JavaScript(text, code),)
    assert read_text(text, NAMES).scripts == (JavaScript(text, code),)


def test_javascript_gives_what_the_engine_says() -> None:
    assert value("$(1 + 1)", **{"1 + 1": 2}) == 2
    assert value("n$(1 + 1)", **{"1 + 1": 2}) == "n2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$(inputs.a)", "$(inputs.a): there are only message, topic"),
        ("$(message.a", '"$(message.a": its bracket is not closed'),
        ("$(message.a]", '"$(message.a]": its bracket is not closed'),
        ("$('", '"$(\'": its bracket is not closed'),
        ("$( )", "$( ): there is nothing in it"),
        ("x" * (LIMIT_CHARACTERS + 1), f"a text with expressions has {LIMIT_CHARACTERS} characters at most"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, says: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        read_text(text, NAMES)
    assert str(caught.value) == says


def test_a_text_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(ExpressionProblem, match="gives more than"):
        read_text("$(message)$(message)", ["message"]).value({"message": "x" * GIVES_MAX_CHARACTERS})


def test_a_reference_keeps_where_it_leads() -> None:
    assert read_text("$(message.b['x y'][0])", NAMES).parts == (
        Reference("$(message.b['x y'][0])", "message", ("b", "x y", 0)),
    )
