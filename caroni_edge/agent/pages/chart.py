"""A chart of busy slots, as the path of an SVG drawing."""

from collections.abc import Sequence

STEPS_MAX = 180
HEIGHT = 100


def outline(busy: Sequence[float], top: float) -> str:
    """Return the outline of an area, `STEPS_MAX` wide and `HEIGHT` high, with a step for each value.

    Args:
        busy: The values, from left to right; more than `STEPS_MAX` of them are put together as averages.
        top: The value at the upper edge.
    """
    values = averages(busy)
    width = STEPS_MAX / max(len(values), 1)
    parts = [f"M0 {HEIGHT}"]
    for number, value in enumerate(values):
        height = HEIGHT - HEIGHT * min(value / top, 1.0) if top else HEIGHT
        parts.append(f"V{height:.4g}H{(number + 1) * width:.5g}")
    return f"{''.join(parts)}V{HEIGHT}Z"


def averages(values: Sequence[float]) -> list[float]:
    """Return at most `STEPS_MAX` averages of neighbours."""
    size = -(-len(values) // STEPS_MAX) or 1
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    return [sum(group) / len(group) for group in groups]
