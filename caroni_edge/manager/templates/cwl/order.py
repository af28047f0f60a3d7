"""Sorts things that wait for each other, and finds the rings of those that could never begin."""

import heapq
from collections.abc import Mapping


def topological_order(waits: Mapping[str, frozenset[str]]) -> tuple[list[str], list[list[str]]]:
    """Sort names so that each comes after those that it waits for.

    Args:
        waits: For each name, which others of them it waits for.

    Returns:
        The order, which is that of `waits` wherever it may be; and rings of names, each of which the next one waits
        for. A name that is in a ring, or waits for one, is not in the order; when some are not, there is a ring.
    """
    order = _sorted(waits)
    done = set(order)
    return order, _rings({name: each - done for name, each in waits.items() if name not in done})


def _sorted(waits: Mapping[str, frozenset[str]]) -> list[str]:
    names = list(waits)
    position = {name: at for at, name in enumerate(names)}
    missing = {name: len(each) for name, each in waits.items()}
    waiting: dict[str, list[str]] = {name: [] for name in names}
    for name, each in waits.items():
        for other in each:
            waiting[other].append(name)
    ready = [at for at, name in enumerate(names) if not missing[name]]
    order: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for other in waiting[name]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, position[other])
    return order


def _rings(waits: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Walk from each name to one that it waits for, until the walk meets itself; each name waits for one at least."""
    position = {name: at for at, name in enumerate(waits)}
    rings: list[list[str]] = []
    seen: set[str] = set()
    for start in waits:
        walk: dict[str, int] = {}
        name = start
        while name not in seen:
            seen.add(name)
            walk[name] = len(walk)
            name = min(waits[name])
        if name in walk:
            rings.append(_turned(list(walk)[walk[name] :], position))
    return rings


def _turned(ring: list[str], position: Mapping[str, int]) -> list[str]:
    """Return a ring the way that things flow in it, beginning with its first name."""
    first = ring.index(min(ring, key=position.__getitem__))
    return [ring[first], *reversed(ring[:first]), *reversed(ring[first + 1 :])]
