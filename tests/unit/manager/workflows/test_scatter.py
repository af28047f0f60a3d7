"""How lists fall into instances and what they give goes together."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.manager.templates.plan import PlanStep, ScatterMethod
from caroni_edge.manager.workflows import scatter

LISTS = st.lists(st.integers(), max_size=4)


def step(method: ScatterMethod, *names: str) -> PlanStep:
    return PlanStep("s", "t", scatter=names, method=method)


@given(LISTS, LISTS, LISTS)
def test_a_cross_product_is_counted_through_as_loops_in_loops_would(a: list[int], b: list[int], c: list[int]) -> None:
    made = step("flat_crossproduct", "a", "b", "c")
    inputs = {"a": a, "b": b, "c": c, "same": [1, 2]}
    lengths = scatter.dimensions(made, inputs)
    found = [scatter.inputs_of(made, inputs, index) for index in range(scatter.count(lengths))]
    assert found == [{"a": x, "b": y, "c": z, "same": [1, 2]} for x, y, z in itertools.product(a, b, c)]
    assert scatter.gathered(made, lengths, range(len(found))) == list(range(len(found)))


@given(LISTS, LISTS, LISTS)
def test_a_nested_product_gives_lists_in_lists(a: list[int], b: list[int], c: list[int]) -> None:
    made = step("nested_crossproduct", "a", "b", "c")
    inputs = {"a": a, "b": b, "c": c}
    lengths = scatter.dimensions(made, inputs)
    given_ = [scatter.inputs_of(made, inputs, index) for index in range(scatter.count(lengths))]
    values = [(each["a"], each["b"], each["c"]) for each in given_]
    assert scatter.gathered(made, lengths, values) == [[[(x, y, z) for z in c] for y in b] for x in a]


@given(st.lists(st.tuples(st.integers(), st.text()), max_size=5))
def test_a_dotproduct_takes_lists_side_by_side(pairs: list[tuple[int, str]]) -> None:
    made = step("dotproduct", "a", "b")
    inputs = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    lengths = scatter.dimensions(made, inputs)
    assert lengths == (len(pairs),)
    assert [scatter.inputs_of(made, inputs, index) for index in range(len(pairs))] == [
        {"a": a, "b": b} for a, b in pairs
    ]
    assert scatter.gathered(made, lengths, pairs) == pairs


@pytest.mark.parametrize("value", [None, "text", 3, {"a": 1}])
def test_what_is_no_list_is_named(value: Any) -> None:
    with pytest.raises(scatter.NotScattered, match="input a is scattered over, and is no list"):
        scatter.dimensions(step("dotproduct", "a"), {"a": value})


def test_a_product_that_is_too_large_is_refused_before_anything_is_made() -> None:
    assert scatter.count((1000, 1000)) == scatter.INSTANCES_MAX
    with pytest.raises(scatter.NotScattered, match="it would have 1001000 instances, and 1000000 are allowed"):
        scatter.count((1001, 1000))
