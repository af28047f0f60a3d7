"""Types of values: what fits, how a mismatch is told, and what may flow where."""

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from caroni_edge.values.files import FILE_NAMES, FileType
from caroni_edge.values.json import canonical
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.types import ANY, NULL, Array, Enum, Record, Scalar, Type, union

RECORD = {"type": "record", "fields": {"name": "string", "sizes": {"type": "int[]"}, "note": "string?"}}
COLOUR = {"type": "enum", "symbols": ["red", "green"]}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("null", None),
        ("boolean", True),
        ("int", 2**31 - 1),
        ("int", -(2**31)),
        ("long", 2**63 - 1),
        ("float", 1),
        ("float", 3.0),
        ("double", 10**300),
        ("string", ""),
        ("string", "smile 😀\n$(x)"),
        ("string?", None),
        ("string?", "x"),
        ("int[]", []),
        ("int[]?", None),
        ("int?[]", [1, None]),
        ("int[][]", [[1], []]),
        (["null", "int", "string"], 3),
        (["int", "string[]"], ["x"]),
        ({"type": "array", "items": ["int", "string"]}, [1, "x", 2]),
        (COLOUR, "red"),
        (RECORD, {"name": "a", "sizes": [1]}),
        (RECORD, {"name": "a", "sizes": [], "note": None}),
        ({"type": "record", "fields": []}, {}),
        ("Any", {"a": [1, None]}),
        ("Any?", None),
    ],
)
def test_fits(spec: object, value: object) -> None:
    assert parse_type(spec).mismatch(value) is None


@pytest.mark.parametrize(
    ("spec", "value", "said"),
    [
        ("null", 0, "expected null, got 0"),
        ("boolean", 1, "expected boolean, got 1"),
        ("int", True, "expected int, got true"),
        ("int", 3.0, "expected int, got 3.0"),
        ("int", "3", 'expected int, got "3"'),
        ("int", 2**31, "expected int, got 2147483648 (int has 32 bits)"),
        ("long", 2**63, "expected long, got 9223372036854775808 (long has 64 bits)"),
        ("float", math.nan, "expected float, got NaN"),
        ("double", -math.inf, "expected double, got -Infinity"),
        ("float", True, "expected float, got true"),
        ("double", "1", 'expected double, got "1"'),
        ("string", None, "expected string, got null"),
        ("string", "\ud800", "expected string, got '\\ud800', which holds half a surrogate pair"),
        ("string", ["x"], "expected string, got a list"),
        ("string?", 1, "expected string, got 1"),
        ("int[]", [1, 2, "x"], '[2]: expected int, got "x"'),
        ("int[]", {"0": 1}, "expected int[], got an object"),
        ("int[][]", [[1], [2, None]], "[1][1]: expected int, got null"),
        ("double[]", [1, math.nan], "[1]: expected double, got NaN"),
        (["int", "string"], 1.5, "expected int | string, got 1.5"),
        (["int", "string[]", "null"], [1], "[0]: expected string, got 1"),
        (COLOUR, "gren", 'expected enum(red, green), got "gren" (did you mean "green"?)'),
        (COLOUR, ["red"], "expected enum(red, green), got a list"),
        (RECORD, [], "expected record(name: string, sizes: int[], note: string?), got a list"),
        (RECORD, {"sizes": []}, 'the field "name" is missing'),
        (RECORD, {"name": "a", "sizes": [1, "x"]}, 'sizes[1]: expected int, got "x"'),
        (RECORD, {"name": "a", "sizes": [], "nte": "x"}, 'unknown field "nte" (did you mean "note"?)'),
        ({"type": "array", "items": RECORD}, [{"name": 1, "sizes": []}], "[0].name: expected string, got 1"),
        ("Any", None, "expected Any, got null"),
        ("Any", {"a": [math.inf]}, "is no JSON: Out of range float values are not JSON compliant"),
        ("Any", ["\udc00"], "holds half a surrogate pair, which no UTF-8 can"),
        ("string", "x" * 100, None),
        ("int", "x" * 100, f'expected int, got "{"x" * 59}…'),
    ],
)
def test_mismatches_are_told_with_their_place(spec: object, value: object, said: str | None) -> None:
    assert parse_type(spec).mismatch(value) == said


def test_huge_numbers_are_refused_without_a_crash() -> None:
    for spec in ("int", "long", "float", "double", "double[]"):
        assert parse_type(spec).mismatch([10**5000] if spec.endswith("[]") else 10**5000) is not None
    assert parse_type("double[]").mismatch([math.nan, 10**5000]) is not None


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_value_that_just_fits_leaves_room_for_what_is_around_it() -> None:
    assert ANY.fits(nested(64))
    assert not ANY.fits(nested(65))
    assert canonical(nested(100))
    with pytest.raises(ValueError, match="more than 100 levels"):
        canonical(nested(101))


def test_deep_values_are_refused_without_a_crash() -> None:
    deep = nested(100_000)
    assert parse_type("Any").mismatch(deep) == "has more than 64 levels inside each other"
    with pytest.raises(ValueError, match="levels"):
        canonical(deep)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("Fil", 'did you mean "File"'),
        ("stdout", "a command line tool, and stands for a File"),
        ("String", 'did you mean "string"'),
        ("integer", 'did you mean "int"'),
        ("bool", 'did you mean "boolean"'),
        ("strng", 'did you mean "string"'),
        ("qqq", "there are null, boolean, int"),
        ("", "no type"),
        ("array", 'write "string[]"'),
        ("record", "names its fields"),
        ("enum", "names its symbols"),
        (None, "null is no type"),
        (3, "3 is no type"),
        ([], "a list is no type"),
        ({}, "an object is no type"),
        ({"type": "string"}, "only the name"),
        ({"type": ["null", "int"]}, "only the name"),
        ({"type": "array"}, 'needs "items"'),
        ({"type": "array", "items": "int", "itens": 1}, 'unknown key "itens" in a type (did you mean "items"?)'),
        ({"type": "array", "items": "int", "inputBinding": {}}, "the agent's job type says what runs"),
        ({"type": "enum", "symbols": []}, "one at least"),
        ({"type": "enum", "symbols": "red"}, "list of strings"),
        ({"type": "enum", "symbols": ["a", "a"]}, "twice"),
        ({"type": "enum", "symbols": ["\ud800"]}, "surrogate"),
        ({"type": "record", "fields": "a"}, "the fields of a record are"),
        ({"type": "record", "fields": [{"type": "int"}]}, "needs a name"),
        ({"type": "record", "fields": [{"name": "a", "type": "int"}] * 2}, 'the field "a" of a record is there twice'),
        ({"type": "record", "fields": {"a": {"type": "int", "defualt": 1}}}, 'unknown key "defualt" in the field "a"'),
        ("int" + "[]" * 50, "at most 16 levels"),
    ],
)
def test_types_that_cannot_be_read_say_what_to_write(spec: object, said: str) -> None:
    with pytest.raises(TypeProblem) as caught:
        parse_type(spec)
    assert said in str(caught.value)


def test_documentation_inside_types_is_no_part_of_them() -> None:
    plain = parse_type({"type": "array", "items": COLOUR})
    assert parse_type({"type": "array", "items": {**COLOUR, "name": "colour", "doc": "x"}, "label": "y"}) == plain


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("string?", "string?"),
        (["null", "string"], "string?"),
        (["string", "null"], "string?"),
        ({"type": "array", "items": "int"}, "int[]"),
        (["int", ["null", "string"]], "int | string | null"),
        ({"type": "array", "items": ["int", "string"]}, "(int | string)[]"),
        ({"type": "array", "items": ["null", "string"]}, "string?[]"),
        (["null", COLOUR], "enum(red, green)?"),
        (["int"], "int"),
        ("int??", "int?"),
        ("null?", "null"),
    ],
)
def test_one_type_has_one_short_text(spec: object, text: str) -> None:
    assert str(parse_type(spec)) == text


@pytest.mark.parametrize(
    ("source", "sink", "flows"),
    [
        ("int", "int", True),
        ("int", "long", True),
        ("int", "double", True),
        ("long", "int", False),
        ("double", "float", True),
        ("float", "int", False),
        ("int", "string", False),
        ("string", "string?", True),
        ("string?", "string", False),
        ("string?", "string?", True),
        ("null", "string?", True),
        ("int[]", "double[]", True),
        ("int[]", "int", False),
        ("int?[]", "int[]", False),
        (["int", "string"], ["string", "long", "null"], True),
        (["int", "string"], "int", False),
        (COLOUR, "string", True),
        ("string", COLOUR, False),
        (COLOUR, {"type": "enum", "symbols": ["green", "blue", "red"]}, True),
        ({"type": "enum", "symbols": ["green", "blue", "red"]}, COLOUR, False),
        ("Any", "int", True),
        ("int[]", "Any", True),
        ("Any[]", "int[]", True),
        ("Any?", "int", False),
        ("null", "Any", False),
        ("string?", "Any", False),
        ({"type": "record", "fields": {"name": "string", "sizes": "int[]"}}, RECORD, True),
        (RECORD, {"type": "record", "fields": {"name": "string", "sizes": "int[]"}}, False),
        ({"type": "record", "fields": {"name": "string"}}, RECORD, False),
    ],
)
def test_feeds(source: object, sink: object, flows: bool) -> None:
    assert parse_type(source).feeds(parse_type(sink)) is flows


def test_required_takes_null_away() -> None:
    assert parse_type("int?").optional
    assert not parse_type("int").optional
    assert parse_type(["null", "int", "string"]).required == parse_type(["int", "string"])
    assert parse_type("int").required == parse_type("int")


SCALARS = [Scalar(name) for name in ("null", "boolean", "int", "long", "float", "double", "string")]
KEYS = st.sampled_from(["a", "b", "c"])
TYPES: st.SearchStrategy[Type] = st.recursive(
    st.sampled_from([*SCALARS, *map(FileType, FILE_NAMES)])
    | st.lists(KEYS, min_size=1, unique=True).map(lambda symbols: Enum(tuple(symbols))),
    lambda inner: (
        inner.map(Array)
        | st.lists(inner, min_size=1, max_size=3).map(union)
        | st.dictionaries(KEYS, inner, max_size=3).map(lambda fields: Record(tuple(fields.items())))
    ),
    max_leaves=5,
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300),
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300),
    "string": st.text(max_size=5),
    "File": st.fixed_dictionaries({"class": st.just("File"), "location": st.just("x.fits")}),
    "Directory": st.fixed_dictionaries({"class": st.just("Directory"), "listing": st.just([])}),
}


def values_of(kind: Type) -> st.SearchStrategy[Any]:
    match kind:
        case Scalar(name) | FileType(name):
            return BY_NAME[name]
        case Enum(symbols):
            return st.sampled_from(symbols)
        case Array(items):
            return st.lists(values_of(items), max_size=3)
        case Record(fields):
            asked = {name: values_of(kind) for name, kind in fields if not kind.optional}
            other = {name: values_of(kind) for name, kind in fields if kind.optional}
            return st.fixed_dictionaries(asked, optional=other)
    return st.one_of([values_of(part) for part in kind.parts])


@given(st.data(), TYPES)
def test_values_made_for_a_type_fit_it(data: st.DataObject, kind: Type) -> None:
    value = data.draw(values_of(kind))
    assert kind.mismatch(value) is None
    assert value is None or ANY.fits(value)


@given(TYPES, JSON_VALUES)
def test_a_mismatch_is_told_exactly_where_there_is_one(kind: Type, value: object) -> None:
    said = kind.mismatch(value)
    assert (said is None) == kind.fits(value)
    assert said is None or said


@given(TYPES, st.lists(JSON_VALUES, max_size=4), st.data())
def test_many_values_are_checked_as_one_by_one(kind: Type, odd: list[Any], data: st.DataObject) -> None:
    values = data.draw(st.permutations(odd + data.draw(st.lists(values_of(kind), max_size=4))))
    assert kind.fits_all(values) == all(map(kind.fits, values))


@given(TYPES)
def test_a_type_is_read_back_from_its_own_form(kind: Type) -> None:
    assert parse_type(json.loads(json.dumps(kind.spec))) == kind
    assert hash(parse_type(kind.spec)) == hash(kind)


@given(st.data(), TYPES, TYPES)
def test_what_feeds_a_place_fits_it(data: st.DataObject, source: Type, sink: Type) -> None:
    sink = data.draw(st.sampled_from([sink, source, union([sink, source]), union([NULL, sink])]))
    assume(source.feeds(sink))
    assert sink.mismatch(data.draw(values_of(source))) is None


@given(TYPES, TYPES)
def test_a_type_feeds_itself_and_any_union_with_it(one: Type, other: Type) -> None:
    assert one.feeds(one)
    assert one.feeds(union([other, one]))
    assert one.required.feeds(ANY) or one == NULL


@given(JSON_VALUES)
def test_canonical_text_is_the_value_and_ignores_the_order_of_keys(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "no JSON"),
        ([-math.inf], "no JSON"),
        ({"a": "\ud800"}, "surrogate"),
        ({1, 2}, "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_canonical_refuses_what_json_cannot_hold(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        canonical(value)


def test_canonical_is_compact_unescaped_and_sorted() -> None:
    assert canonical({"b": [1, 2.0], "a": "é"}) == '{"a":"é","b":[1,2.0]}'
