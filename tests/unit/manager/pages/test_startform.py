"""The form that starts a workflow."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.manager.pages.startform import form_of, read_form
from caroni_edge.manager.templates.plan import Plan, PlanInput
from caroni_edge.values.fields import FormField
from caroni_edge.values.parsing import parse_type

ENUM = {"type": "enum", "symbols": ["red", "green"]}
RECORD = {"type": "record", "fields": {"a": "int"}}
TYPES: list[Any] = [
    "string",
    "string?",
    "int",
    "long?",
    "double",
    "boolean",
    "boolean?",
    ENUM,
    "string[]",
    "string[]?",
    "int[]",
    RECORD,
    ["int", "string"],
    ["null", "int", "boolean"],
    "Any",
]


def plan(kind: Any, default: Any = None) -> Plan:
    return Plan("t", inputs=(PlanInput("x", kind, default),))


def field(kind: Any, default: Any = None) -> FormField:
    (found,) = form_of(plan(kind, default))
    return found


def read(kind: Any, text: str | None, default: Any = None) -> Any:
    """Return the value of a field, or what is wrong with it; `nothing` when none is given."""
    inputs, errors = read_form(plan(kind, default), {} if text is None else {"x": text})
    return errors["x"] if errors else inputs.get("x", "nothing")


@pytest.mark.parametrize(
    ("kind", "asked", "required"),
    [
        ("string", "text", True),
        ("string?", "text", False),
        ("int", "number", True),
        ("double?", "number", False),
        ("boolean", "check", False),
        ("boolean?", "choice", False),
        (ENUM, "choice", True),
        ("string[]", "lines", True),
        ("int[]", "json", True),
        (RECORD, "json", True),
        (["int", "string"], "json", True),
        ("Any", "json", True),
        ("File", "file", True),
        ("File?", "file", False),
        ("File[]", "files", True),
        ("File[]?", "files", False),
        ("Directory", "json", True),
    ],
)
def test_each_type_is_asked_for_in_its_way(kind: Any, asked: str, required: bool) -> None:
    found = field(kind)
    assert (found["kind"], found["required"], found["default"]) == (asked, required, "")
    assert found["type"] == str(parse_type(kind))


def test_a_list_is_asked_for_with_an_example() -> None:
    assert "[1.5, 2]" in field("double[]")["help"]
    assert "[1.5, 2]" not in field(RECORD)["help"]


def test_a_choice_has_its_words() -> None:
    assert field(ENUM)["choices"] == ["red", "green"]
    assert field("boolean?")["choices"] == ["true", "false"]
    assert field("string")["choices"] == []


def test_what_has_a_default_is_shown_and_not_required() -> None:
    found = field("int", 7)
    assert (found["default"], found["required"]) == ("7", False)
    assert field("string", 'a "b"')["default"] == 'a "b"'
    assert field("string[]", ["a", "b c"])["default"] == "a\nb c"
    assert field("string[]", ["a\nb"])["default"] == '["a\\nb"]'
    assert field(RECORD, {"a": 1})["default"] == '{"a":1}'
    (again,) = form_of(plan("int", 7), {"x": 9})
    assert again["default"] == "9"
    (none,) = form_of(plan("int?", 7), {})
    assert none["default"] == ""


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " as it is\n", " as it is\n"),
        ("string", "12", "12"),
        ("string", "", ""),
        ("string?", "", "nothing"),
        ("string?", "null", "null"),
        ("int", " 12 ", 12),
        ("int?", "", "nothing"),
        ("double", "1.5e3", 1500.0),
        ("boolean", None, False),
        ("boolean", "on", True),
        ("boolean", "FALSE", False),
        ("boolean?", None, "nothing"),
        ("boolean?", "false", False),
        (ENUM, "red", "red"),
        ("string[]", "a\n b \n\nc", ["a", "b", "c"]),
        ("string[]", '["a\\nb"]', ["a\nb"]),
        ("string[]?", " ", "nothing"),
        ("int[]", "[1, 2]", [1, 2]),
        (RECORD, '{"a": 1}', {"a": 1}),
        (["int", "string"], "12", 12),
        (["int", "string"], "twelve", "twelve"),
        ("Any", '{"a": []}', {"a": []}),
        ("Any", "words", "words"),
    ],
)
def test_what_is_written_becomes_a_value_of_its_type(kind: Any, text: str | None, value: Any) -> None:
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("int", "twelve", "must be a number; it takes int"),
        ("int", "1.5", "expected int, got 1.5"),
        ("int", "", "is missing; it takes int"),
        ("int", "99999999999", "int"),
        ("double", "NaN", "NaN"),
        ("boolean", "perhaps", "must be true or false"),
        (ENUM, "blue", "blue"),
        (ENUM, "", "is missing"),
        ("string[]", "[1]", "string"),
        ("int[]", "1, 2", "must be JSON; it takes int[]"),
        (RECORD, '{"a": "b"}', "a"),
        (RECORD, "[" * 100_000, "must be JSON"),
    ],
)
def test_what_does_not_fit_is_said_of_its_field(kind: Any, text: str, words: str) -> None:
    assert words in read(kind, text)


def test_an_empty_field_leaves_the_default() -> None:
    assert read("int", "", 7) == "nothing"
    assert read("string?", "", "x") == "nothing"


def test_each_field_has_its_own_error_and_what_is_no_input_is_left_out() -> None:
    made = Plan("t", inputs=(PlanInput("a", "int"), PlanInput("b", "int"), PlanInput("c", "string")))
    inputs, errors = read_form(made, {"a": "x", "b": "1", "c": "", "csrf": "token"})
    assert (inputs, list(errors)) == ({"b": 1, "c": ""}, ["a"])


@given(st.sampled_from(TYPES), st.text(max_size=30))
def test_no_text_is_too_much(kind: Any, text: str) -> None:
    made = plan(kind)
    inputs, errors = read_form(made, {"x": text})
    assert errors or not made.check_inputs(inputs)[1]


@given(st.sampled_from(["string", "string[]", "int", RECORD, "Any", "boolean?"]), st.data())
def test_what_a_form_shows_is_read_back(kind: Any, data: st.DataObject) -> None:
    values: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(),
        "string[]": st.lists(st.text(), min_size=1),
        "int": st.integers(-(2**31), 2**31 - 1),
        "Any": st.one_of(st.integers(), st.text(), st.lists(st.integers())),
        "boolean?": st.booleans(),
    }
    value = data.draw(values[kind] if isinstance(kind, str) else st.fixed_dictionaries({"a": st.integers(0, 9)}))
    made = plan(kind)
    (shown,) = form_of(made, {"x": value})
    assert read_form(made, {"x": shown["default"]}) == ({"x": value}, {})


FILES = [{"class": "File", "basename": name, "contents": name} for name in ("a", "b")]


@pytest.mark.parametrize("kind", ["File[]", "File[]?"])
def test_several_files_may_be_chosen_for_a_list(kind: str) -> None:
    assert read_form(plan(kind), {"x": "[]"}, {"x": FILES}) == ({"x": FILES}, {})


@pytest.mark.parametrize("kind", ["File", "File?"])
def test_one_file_may_be_chosen_for_a_file(kind: str) -> None:
    assert read_form(plan(kind), {}, {"x": FILES[:1]}) == ({"x": FILES[0]}, {})
    assert read_form(plan(kind), {}, {"x": FILES}).errors == {"x": "takes one file, and 2 were chosen"}


def test_a_file_that_is_chosen_for_something_else_is_refused() -> None:
    assert read_form(plan("int"), {"x": "3"}, {"x": FILES[:1]}).errors.keys() == {"x"}
