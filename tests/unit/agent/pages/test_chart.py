"""The chart of busy slots: a step for each value, within its frame."""

import re

from caroni_edge.agent.pages.chart import HEIGHT, STEPS_MAX, averages, outline


def test_each_value_is_a_step_and_the_area_is_closed() -> None:
    assert outline([0.0, 2.0, 1.0], 2.0) == "M0 100V100H60V0H120V50H180V100Z"


def test_nothing_leaves_the_frame() -> None:
    drawn = outline([5.0] * 1440, 2.0)
    assert len(drawn) < 4000
    assert max(float(x) for x in re.findall(r"H([\d.]+)", drawn)) == STEPS_MAX
    assert {float(y) for y in re.findall(r"V([\d.]+)", drawn)} == {0.0, HEIGHT}
    assert outline([], 2.0) == outline([], 0.0) == "M0 100V100Z"


def test_many_values_are_averaged() -> None:
    assert averages([1.0, 3.0] * 180) == [2.0] * 180
    assert averages([1.0, 2.0]) == [1.0, 2.0]
    assert len(averages([1.0] * 1440)) == STEPS_MAX
