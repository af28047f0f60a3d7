"""How graphs of steps are laid out."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest

from caroni_edge.manager.pages.graph import DRAWN_MAX, LINES_MAX, WIDE, Drawing, draw, draw_few

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
DIAMOND = {"top": [], "left": ["top"], "right": ["top"], "end": ["left", "right", "top"]}
LONG: dict[str, list[str]] = {f"s{nth}": [f"s{nth - 1}"] if nth else [] for nth in range(30)}
GRID: dict[str, list[str]] = {f"s{nth}": [f"s{nth - 7}"] if nth >= 7 else [] for nth in range(60)}


def corners(drawing: Drawing) -> dict[str, tuple[int, int]]:
    return {box.name: (box.x, box.y) for box in drawing.boxes}


@pytest.mark.parametrize("sources", [{}, {"a": []}, CHAIN, DIAMOND, LONG, GRID])
def test_all_is_drawn_once_within_the_drawing(sources: Mapping[str, Sequence[str]]) -> None:
    drawing = draw(sources)
    assert sorted(box.name for box in drawing.boxes) == sorted(sources)
    assert sorted((line.target, line.source) for line in drawing.lines) == sorted(
        (name, source) for name, taken in sources.items() for source in taken
    )
    width, height = drawing.box
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - width
        assert 0 <= box.y <= drawing.height - height


@pytest.mark.parametrize("sources", [DIAMOND, LONG, GRID])
def test_no_box_lies_on_another(sources: Mapping[str, Sequence[str]]) -> None:
    drawing = draw(sources)
    width, height = drawing.box
    for one, other in combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= width or abs(one.y - other.y) >= height, (one, other)


def test_a_step_stands_after_the_last_of_those_that_it_takes() -> None:
    at = corners(draw(DIAMOND))
    assert at["top"][0] < at["left"][0] == at["right"][0] < at["end"][0]


def test_a_line_that_skips_a_layer_passes_beside_its_boxes() -> None:
    drawing = draw(DIAMOND)
    (line,) = (line for line in drawing.lines if (line.source, line.target) == ("top", "end"))
    at, height = corners(drawing), drawing.box[1]
    passes = int(line.path.split("L")[1].split()[1])
    for name in ("left", "right"):
        assert not at[name][1] <= passes <= at[name][1] + height


def test_a_long_chain_goes_down_where_it_would_be_too_wide() -> None:
    drawing = draw(LONG)
    assert drawing.width < WIDE < drawing.height
    assert len({box.x for box in drawing.boxes}) == 1


def test_lines_cross_no_more_than_they_must() -> None:
    # In the order of the file the two lines cross; the layer after takes the order of the one before.
    drawing = draw({"a": [], "b": [], "after b": ["b"], "after a": ["a"]})
    at = corners(drawing)
    assert (at["a"][1] < at["b"][1]) == (at["after a"][1] < at["after b"][1])


def test_the_same_steps_are_drawn_in_the_same_way() -> None:
    assert draw(GRID) == draw(dict(GRID))


def test_what_is_too_much_is_not_drawn() -> None:
    names = [f"step{nth}" for nth in range(DRAWN_MAX)]
    chain = {name: names[max(0, nth - 1) : nth] for nth, name in enumerate(names)}
    assert draw_few(chain) == draw(chain)
    assert draw_few(chain | {"one more": []}) is None
    assert draw_few({name: names[:nth] for nth, name in enumerate(names)}) is None
    long_lines = {name: [*chain[name], *names[1 : max(1, min(nth // 20, nth - 1))]] for nth, name in enumerate(names)}
    assert sum(map(len, long_lines.values())) <= LINES_MAX
    assert draw_few(long_lines) is None
