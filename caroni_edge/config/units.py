"""Durations and sizes as people write them: `10s`, `90d`, `64K`, `2G`."""

import re

from caroni_edge.values.json import shown

SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES_PER_UNIT = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

DURATION_MAX_S = 36500 * 86400.0
SIZE_MAX_BYTES = 1 << 60

_NUMBER_AND_UNIT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z]*)")


def duration(text: object) -> float:
    """Return the seconds that a text such as `500ms`, `10s`, `5m`, `2h` or `90d` means.

    Raises:
        ValueError: It is no such text; the message says what to write.
    """
    number, unit = _split(text, "a duration such as 10s, 5m or 90d", example_unit="s")
    if unit not in SECONDS_PER_UNIT:
        raise ValueError(f'"{text}" has no known unit: write one of ms, s, m, h, d, such as 10s')
    seconds = number * SECONDS_PER_UNIT[unit]
    if seconds > DURATION_MAX_S:
        raise ValueError(f'"{text}" is too long: at most 36500d')
    return seconds


def size(text: object) -> int:
    """Return the bytes that a text such as `64K`, `512M` or `2G` means (units of 1024).

    Raises:
        ValueError: It is no such text; the message says what to write.
    """
    number, unit = _split(text, "a size such as 64K, 512M or 2G", example_unit="M")
    if unit not in BYTES_PER_UNIT:
        raise ValueError(f'"{text}" has no known unit: write one of B, K, M, G, T, such as 64K')
    size_bytes = int(number * BYTES_PER_UNIT[unit])
    if size_bytes > SIZE_MAX_BYTES:
        raise ValueError(f'"{text}" is too large: at most {SIZE_MAX_BYTES >> 40}T')
    return size_bytes


def amount(value: object) -> int:
    """Return how much of something a whole number, such as `2`, or a size, such as `4G`, means.

    Raises:
        ValueError: It is neither; the message says what to write.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected a whole number, such as 2, or a size, such as 4G, got {shown(value)}")
    found = size(value) if isinstance(value, str) else value
    if not 0 <= found <= SIZE_MAX_BYTES:
        raise ValueError(f"expected a whole number from 0 to {SIZE_MAX_BYTES}, got {shown(value)}")
    return found


def amount_text(count: int) -> str:
    """Return an amount as people would write it: `2`, or `4G`."""
    for unit, factor in reversed(BYTES_PER_UNIT.items()):
        if factor > 1 and count >= factor and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def _split(text: object, expected: str, example_unit: str) -> tuple[float, str]:
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"{text} has no unit: write {text}{example_unit}, or another unit; it is {expected}")
    match = _NUMBER_AND_UNIT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected {expected}, got {shown(text)}")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{text} has no unit: write {text}{example_unit}, or another unit; it is {expected}")
    return float(number), unit
