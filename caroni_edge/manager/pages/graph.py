"""Where the steps of a run are drawn: in layers, each step after all that it takes, with few lines that cross.

Layers are those of the longest way from a beginning. Within its layer a step stands near what it takes and what takes
its outputs (the mean of their places), and a line that skips layers has a place of its own in each. Nothing here knows
what is drawn.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

WIDTH, NARROW_WIDTH, HEIGHT = 190, 150, 52
"""Of a box; of one among many."""
MANY = 24
BETWEEN_LAYERS, BESIDE = 56, 18
LINE = 6
"""Breadth of a place where a line passes."""
MARGIN = 6
SWEEPS = 6
"""So often the order within the layers is worked out, forth and back by turns."""
DRAWN_MAX, LINES_MAX, PATHS_MAX_CHARS = 80, 240, 40_000
"""Of more steps, of more lines or of longer ones a list tells more than a drawing."""
WIDE = 1240
"""A graph that would be wider from left to right goes from top to bottom, if that is narrower."""


class Box(NamedTuple):
    """Where a step is drawn: its upper left corner."""

    name: str
    x: int
    y: int


class Line(NamedTuple):
    """A line from one step to another, as the path of an SVG."""

    source: str
    target: str
    path: str


class Drawing(NamedTuple):
    """Where all of it is drawn.

    Attributes:
        box: Width and height of each box.
    """

    width: int
    height: int
    box: tuple[int, int]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


class _Place(NamedTuple):
    """A step in its layer; or, where a line passes, a place of the line: by its ends and the layer."""

    name: str
    target: str = ""
    layer: int = 0


def draw_few(sources: Mapping[str, Sequence[str]]) -> Drawing | None:
    """Draw steps as `draw` does; None where there is so much to draw that a list tells more."""
    if len(sources) > DRAWN_MAX or sum(len(each) for each in sources.values()) > LINES_MAX:
        return None
    drawing = draw(sources)
    return drawing if sum(len(line.path) for line in drawing.lines) <= PATHS_MAX_CHARS else None


def draw(sources: Mapping[str, Sequence[str]]) -> Drawing:
    """Draw steps.

    Args:
        sources: By the name of each step those whose outputs it takes, which stand before it. Their order decides where
            nothing else does.
    """
    layers, chains = _layers(sources)
    _order(layers, chains)
    box = (NARROW_WIDTH if len(sources) > MANY else WIDTH, HEIGHT)
    across = len(layers) * (box[0] + BETWEEN_LAYERS)
    longest = max((len(layer) for layer in layers), default=0)
    is_down = across > WIDE and longest * (box[0] + BESIDE) < across
    at = _places(layers, box, is_down=is_down)
    boxes = tuple(Box(place.name, *at[place]) for layer in layers for place in layer if not place.target)
    lines = [Line(way[0].name, way[-1].name, _path([at[each] for each in way], box, is_down=is_down)) for way in chains]
    width = max((_far(place, x, box[0]) for place, (x, _) in at.items()), default=0) + MARGIN
    height = max((_far(place, y, box[1]) for place, (_, y) in at.items()), default=0) + MARGIN
    return Drawing(width, height, box, boxes, tuple(lines))


def _far(place: _Place, near: int, size: int) -> int:
    """Return where a place ends that begins at `near`; a line is in the middle of what a box would take."""
    return near + (size // 2 + LINE if place.target else size)


def _layers(sources: Mapping[str, Sequence[str]]) -> tuple[list[list[_Place]], list[list[_Place]]]:
    """Return the layers, and for each line the places that it leads through."""
    layer_of: dict[str, int] = {}
    for name, taken in sources.items():
        layer_of[name] = 1 + max((layer_of[source] for source in taken), default=-1)
    layers: list[list[_Place]] = [[] for _ in range(1 + max(layer_of.values(), default=-1))]
    for name in sources:
        layers[layer_of[name]].append(_Place(name))
    chains = []
    for name, taken in sources.items():
        for source in dict.fromkeys(taken):
            between = [_Place(source, name, layer) for layer in range(layer_of[source] + 1, layer_of[name])]
            for place in between:
                layers[place.layer].append(place)
            chains.append([_Place(source), *between, _Place(name)])
    return layers, chains


def _order(layers: list[list[_Place]], chains: list[list[_Place]]) -> None:
    """Bring the places of each layer into an order in which few lines cross."""
    before: dict[_Place, list[_Place]] = {}
    after: dict[_Place, list[_Place]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            before.setdefault(other, []).append(one)
            after.setdefault(one, []).append(other)
    for sweep in range(SWEEPS):
        beside, forth = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        for fixed, layer in pairwise(forth):
            rank, own = _ranks(fixed), _ranks(layer)
            means = {place: _mean(rank, beside.get(place, ()), own[place]) for place in layer}
            layer.sort(key=means.__getitem__)


def _ranks(layer: Sequence[_Place]) -> dict[_Place, float]:
    """Return where each place of a layer stands, from 0 to 1."""
    return {place: (nth + 0.5) / len(layer) for nth, place in enumerate(layer)}


def _mean(rank: Mapping[_Place, float], places: Sequence[_Place], none: float) -> float:
    return sum(rank[place] for place in places) / len(places) if places else none


def _places(layers: list[list[_Place]], box: tuple[int, int], *, is_down: bool) -> dict[_Place, tuple[int, int]]:
    """Return the upper left corner of each place; the layers are centred on one axis."""
    along, broad = box[::-1] if is_down else box
    lengths = [sum((LINE if place.target else broad) + BESIDE for place in layer) for layer in layers]
    at = {}
    for depth, (layer, length) in enumerate(zip(layers, lengths, strict=True)):
        one, other = MARGIN + depth * (along + BETWEEN_LAYERS), MARGIN + (max(lengths) - length) // 2
        for place in layer:
            # A line passes in the middle of what a box would take.
            shift = (LINE - broad) // 2 if place.target else 0
            at[place] = (other + shift, one) if is_down else (one, other + shift)
            other += (LINE if place.target else broad) + BESIDE
    return at


def _path(corners: Sequence[tuple[int, int]], box: tuple[int, int], *, is_down: bool) -> str:
    """Return a smooth line from the first box to the last, through the middle of the places between."""
    half = (box[0] // 2, box[1] // 2)
    x, y = corners[0][0] + (half[0] if is_down else box[0]), corners[0][1] + (box[1] if is_down else half[1])
    said = [f"M{x} {y}"]
    for left, top in corners[1:]:
        x2, y2 = (left + half[0], top) if is_down else (left, top + half[1])
        bend = BETWEEN_LAYERS // 2
        said.append(
            f"C{x} {y + bend} {x2} {y2 - bend} {x2} {y2}" if is_down else f"C{x + bend} {y} {x2 - bend} {y2} {x2} {y2}"
        )
        x, y = (x2, y2 + box[1]) if is_down else (x2 + box[0], y2)
        said.append(f"L{x} {y}")
    return " ".join(said[:-1])
