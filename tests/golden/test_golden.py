"""What goes over the wire is what is pinned: a change of it shows as a difference that a person reads."""

import difflib

import pytest

from tests.golden.scenes import HERE, SCENES, pinned, trace


@pytest.mark.parametrize("name", SCENES)
def test_the_wire_is_as_pinned(name: str) -> None:
    before, now = pinned(name).read_text(encoding="utf-8").splitlines(), trace(name).splitlines()
    different = difflib.unified_diff(before, now, f"{name}.txt", "the code", lineterm="")
    assert before == now, "\n".join(["is this meant? Then `make docs`", *different])


def test_every_trace_is_of_a_scene() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == set(SCENES)
