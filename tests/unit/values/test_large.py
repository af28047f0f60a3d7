"""Values that are objects: what is one, where one may flow, and what stands in its place for a job."""

from typing import Any

import pytest

from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import misfit_of, object_of, objects_in
from caroni_edge.values.large import filled, is_large, large_in, large_value, mismatch_of, read_large
from caroni_edge.values.parsing import parse_type

FOUND = Object("a" * 64, 5_000_000)
LARGE = large_value(FOUND, parse_type("int[]"))


def test_a_large_value_names_its_object_and_its_type() -> None:
    assert {"location": f"caroni:sha256:{'a' * 64}", "size": 5_000_000, "type": "int[]"} == LARGE
    assert is_large(LARGE)
    assert object_of(LARGE) == FOUND
    assert objects_in({"a": [LARGE]}) == {FOUND.id: LARGE}


@pytest.mark.parametrize(
    "value",
    [
        {**LARGE, "class": "File"},
        {**LARGE, "size": -1},
        {**LARGE, "size": True},
        {**LARGE, "size": "5"},
        {**LARGE, "size": (64 << 20) + 1},
        {**LARGE, "location": "caroni:sha256:a"},
        {**LARGE, "location": "file:///a"},
        {**LARGE, "location": 5},
        {"location": LARGE["location"], "size": 5},
        [],
        "a",
    ],
)
def test_anything_else_is_a_value_as_any(value: Any) -> None:
    assert not is_large(value)
    assert next(large_in([{"a": value}]), None) is None


RECORD = {"type": "record", "fields": {"a": "int[]", "b": "string?"}}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int[]", LARGE),
        ("int[]?", LARGE),
        ("long[]", LARGE),
        ("Any", LARGE),
        (["string", "int[]"], LARGE),
        ({"type": "array", "items": "int[]"}, [LARGE, [1], LARGE]),
        (RECORD, {"a": LARGE}),
        ("string", large_value(FOUND, parse_type("Any"))),  # which is looked at where it is read
    ],
)
def test_it_flows_where_its_type_may(kind: Any, value: Any) -> None:
    assert mismatch_of(parse_type(kind), value) is None
    assert misfit_of(parse_type(kind), value, objects=True) is None


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("string", LARGE, "expected string, got int[]: a value of 5000000 bytes, into which nobody can look"),
        ("int", LARGE, "expected int, got int[]"),
        ({"type": "array", "items": "int[]"}, [[1], LARGE, "x"], "[2]: expected int[]"),
        (RECORD, {"a": LARGE, "b": 5}, "b: expected string"),
        ("int[]", {**LARGE, "type": "no"}, "the type of a value that is an object"),
        ("File", {**LARGE, "type": "File"}, "a value with files is no object"),
    ],
)
def test_it_flows_nowhere_else(kind: Any, value: Any, said: str) -> None:
    assert said in str(misfit_of(parse_type(kind), value, objects=True))


def test_where_nobody_has_its_object_it_is_a_value_as_any() -> None:
    assert misfit_of(parse_type("int[]"), LARGE) == "expected int[], got an object"


def test_a_job_gets_the_values_themselves() -> None:
    assert filled({"a": [LARGE, 1], "b": "x"}, {LARGE["location"]: [7]}) == {"a": [[7], 1], "b": "x"}


def test_what_is_read_is_json() -> None:
    assert read_large(b'{"a": [1, null, 12345678901234567890123]}') == {"a": [1, None, 12345678901234567890123]}
    for data in (b"", b"NaN", b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match="no JSON"):
            read_large(data)
