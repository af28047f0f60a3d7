"""Agents that take more than they have slots for, though jobs take seconds in the simulation."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from caroni_edge.agent.jobs import ahead, surplus
from caroni_edge.agent.offers import depth

AHEAD_S = 20.0


@contextmanager
def far_ahead() -> Iterator[None]:
    """Let agents whose depth follows the work find jobs short, which take seconds here; some of it goes back."""
    with (
        patch.object(depth, "AHEAD_S", AHEAD_S),
        patch.object(surplus, "AHEAD_S", AHEAD_S),
        patch.object(surplus, "LATE_S", 2 * AHEAD_S),
        patch.object(ahead, "AHEAD_AT_KEEPER_S", AHEAD_S),
        patch.object(ahead, "RECALL_AFTER_S", AHEAD_S / 2),
        patch.object(ahead, "SURE_AFTER", 1),
    ):
        yield
