"""Little room for many large files: one agent reads them all, and two make them, which are away now and then.

Whoever reads has room for the files of one job, so that others wait, and what nobody gives is set aside for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from unittest.mock import patch

from caroni_edge.config.model import ManagerConfig
from tests.objects.network import Line
from tests.simulation import contents
from tests.simulation.federation import PATIENT, Federation
from tests.simulation.filed import left_but_one, wait_for_staging
from tests.simulation.plans import TYPES, job_types
from tests.simulation.trace import Trace

CRAMPED = "room"
PICTURES = ("relay", "gallery", "album")
"""Plans with files alone."""
SIZES = (300_000, 350_000, 380_000, 400_000)
ROOM_BYTES = 900_000
"""More than the files of any job of these plans have."""
AWAY_BY_S, AWAY_FOR_S = 60.0, 1200.0
NEXT_S = 900.0
"""So long at most it takes until the room of what nobody gives is another's, and until that is read."""


@contextmanager
def large_files() -> Iterator[None]:
    """Let all files be large, so that a few fill a small store."""
    with patch.object(contents, "SIZES", SIZES):
        _forget_contents()
        try:
            yield
        finally:
            _forget_contents()


def _forget_contents() -> None:
    for each in (contents.content_of, contents.object_saying):
        each.cache_clear()


def little_room(name: str, trace: Trace | None = None, settings: ManagerConfig = PATIENT) -> Federation:
    """Return a federation of two agents that make files, and one that reads them and has room for few."""
    federation = Federation(name, agents=3, trace=trace, settings=settings, has_files=True)
    *makers, reader = federation.agents
    for maker in makers:
        maker.types = job_types(["paint", "frame"], frozenset())
    reader.types = job_types(["read", *TYPES], frozenset())
    reader.settings = replace(reader.settings, files_store_bytes=ROOM_BYTES)
    chance = Random(f"line {name}")
    federation.carrier.line = Line(delay_s=0.02, rate=chance.choice((5e3, 1e4, 2e4)))
    return federation


def let_makers_go(federation: Federation) -> None:
    """Let those who make files be cut off for a while each, soon after some have been wanted."""
    for maker in federation.agents[:-1]:
        begins_s, lasts_s = (most_s * federation.chance.random() for most_s in (AWAY_BY_S, AWAY_FOR_S))
        federation.later(begins_s, maker.isolate)
        federation.later(begins_s + lasts_s, maker.heal)


def room_is_for_who_can_use_it(seed: int) -> list[str]:
    """Who gives a file is cut off in the middle of it; what another one has made is read all the same, and first."""
    with large_files():
        return _read_while_one_is_away(seed)


def _read_while_one_is_away(seed: int) -> list[str]:
    federation = little_room(f"cramped {seed}")
    first, second, reader = federation.agents
    second.absent = True
    federation.start()
    wait_for_staging(federation, reader)
    federation.run(3.0 * federation.chance.random())
    first.isolate()
    second.absent = False
    federation.start()
    federation.users.submit("m0", "relay")
    return left_but_one(federation, first, NEXT_S)
