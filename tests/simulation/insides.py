"""Schedules with directories, and with lists into which managers look, and one purpose each."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from caroni_edge.agent.jobs import objects
from caroni_edge.manager.holding import holdings
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.node.calls import Call
from caroni_edge.objects.objects import ObjectId, id_of, sha256_of
from tests.objects.network import Line
from tests.simulation.bringing import Bringer
from tests.simulation.carrier import CALM
from tests.simulation.checker import problems, status_of, unrest
from tests.simulation.contents import files_in
from tests.simulation.federation import PATIENT, Federation
from tests.simulation.members import HELPER_S, Agent, Holder, Manager
from tests.simulation.plans import TYPES, WITH_LISTS, job_types

LONG_S = 7200.0
SOON_S = 300.0
SLOW = Line(rate=2e4)
CUTS, CUT_EVERY_S = 8, 2.0
GIVING = ("pack", "bind", "paint")
READ_NEXT = "SELECT 1 FROM steps WHERE path = 'index' AND status = 'fulfilling'"
STAGING = "SELECT 1 FROM jobs WHERE state = 'staging'"
LOOKED_FOR = "SELECT 1 FROM looks WHERE waits"
COMBINED = "SELECT made FROM combined_outputs"
LISTS_HERE = "SELECT 1 FROM looks WHERE NOT waits"
BROUGHT = "SELECT 1 FROM brought_objects"
HELD_BY_ALL = "SELECT count(*) FROM object_places WHERE held = 1"
OUTPUT = "SELECT object FROM object_places WHERE agent = 'd0'"
HELD = f"{HELD_BY_ALL} AND agent = 'd0'"
CACHED_S = 5.0
"""So long things stay that nobody needs, where that matters."""


def files_of_directories_damaged(seed: int) -> list[str]:
    """Of a directory that others are to fetch one file is damaged, and then another one is not there at all."""
    federation, maker, reader = _maker_and_reader(seed)
    left: list[str] = []
    for spoil in (maker.store.flip, maker.store.lose):
        reader.isolate()
        federation.users.submit("m0", "folders")
        assert federation.run(LONG_S, lambda: _has(federation.managers[0], READ_NEXT)), "nothing waits for a directory"
        spoil(federation.chance.choice(_files_of_directories(maker)))
        reader.heal()
        federation.run(2 * SOON_S, lambda: not unrest(federation))
        left += unrest(federation)
    return [*left, *problems(federation)]


def damaged_where_it_is_read(seed: int) -> list[str]:
    """A file of a directory is damaged at the only agent there is, which is to read it itself."""
    federation = Federation(seed, agents=1, has_files=True)
    (agent,) = federation.agents
    federation.start()
    for number in range(4):
        federation.users.submit("m0", "folders" if number % 2 else "shelf")
    for _ in range(CUTS):
        federation.run(20.0 * federation.chance.random())
        if files := _files_of_directories(agent):
            agent.store.flip(federation.chance.choice(files))
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def cut_and_killed_while_a_directory_comes(seed: int) -> list[str]:
    """Both ends are cut off and killed again and again while a directory comes slowly."""
    federation, maker, reader = _maker_and_reader(seed)
    federation.carrier.line = SLOW
    federation.users.submit("m0", "folders")
    assert federation.run(LONG_S, lambda: _has(reader, STAGING)), "no job waits for a directory"
    _disturb(federation, (maker, reader))
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def kept_as_long_as_their_directory(seed: int) -> list[str]:
    """Directories lie for long at agents that keep nothing for long, until they are read, or nobody needs them."""
    with patch.object(objects, "CACHE_S", CACHED_S):
        federation, _, reader = _maker_and_reader(seed)
        reader.isolate()
        for template in ("folders", "shelf"):
            federation.users.submit("m0", template)
        assert federation.run(LONG_S, lambda: _has(federation.managers[0], READ_NEXT)), "nothing waits for a directory"
        federation.run(SOON_S)
        reader.heal()
        federation.run(LONG_S, lambda: not unrest(federation))
        federation.run(SOON_S)
        return [*unrest(federation), *problems(federation)]


def directories_at_a_depot(seed: int) -> list[str]:
    """Who makes directories is gone for good when a depot has them, which crashes meanwhile; then the reader comes."""
    settings = replace(PATIENT, depots=("d0",), copies=2)
    federation, maker, reader = _maker_and_reader(seed, settings=settings, depots=1)
    depot = federation.agent("d0")
    federation.carrier.line = SLOW
    reader.isolate()
    federation.users.submit("m0", "folders")
    assert federation.run(LONG_S, lambda: _has(federation.managers[0], READ_NEXT)), "nothing waits for a directory"
    _disturb(federation, (depot,))
    assert federation.run(LONG_S, lambda: _count(federation.managers[0], HELD) >= 3), "the depot does not have all"
    maker.crash()
    maker.absent = True
    reader.heal()
    federation.run(LONG_S, lambda: not _unfinished(federation))
    return [*_unfinished(federation), *problems(federation)]


def managers_die_while_they_look(seed: int) -> list[str]:
    """A manager is killed, again and again, while it looks into lists; what has come to it is lost or damaged."""
    federation = Federation(seed, agents=2, has_files=True)
    (manager,) = federation.managers
    federation.start()
    for template in WITH_LISTS:
        federation.users.submit("m0", template)
    for _ in range(2 * CUTS):
        query = LISTS_HERE if federation.chance.random() < 0.5 else LOOKED_FOR
        federation.run(SOON_S, lambda: _has(manager, query))  # noqa: B023 - it is used before the next one
        federation.run(HELPER_S * federation.chance.random())
        if federation.chance.random() < 0.5:
            manager.store.flip_bit()
        if federation.chance.random() < 0.5:
            manager.store.lose_one()
        if federation.chance.random() < 0.7:
            manager.crash()
            federation.start()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def lists_made_by_a_manager_stay(seed: int) -> list[str]:
    """What a manager has made of lists waits for days for who takes it, at one that keeps nothing for long."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(holdings, "KEPT_S", CACHED_S))
        patches.enter_context(patch.object(holdings, "LOOK_EVERY_S", CACHED_S))
        federation = Federation(seed, agents=2, has_files=True)
        maker, taker = federation.agents
        maker.types = job_types(["spell", "red"], frozenset())
        taker.types = job_types(["turn", "tell", "blue"], frozenset())
        taker.absent = True
        federation.start()
        for template in ("spread", "merged", "gathered", "looked"):
            federation.users.submit("m0", template)
        federation.run(SOON_S)
        taker.absent = False
        federation.start()
        federation.run(LONG_S, lambda: not unrest(federation))
        federation.run(SOON_S)
        return [*unrest(federation), *problems(federation)]


def output_of_a_manager_lost(seed: int) -> list[str]:
    """A manager loses what it has made for an output before a step takes it, and again while that step runs."""
    federation = Federation(seed, agents=2, has_files=True)
    maker, taker = federation.agents
    (manager,) = federation.managers
    maker.types = job_types(["spell", "red"], frozenset())
    taker.types = job_types(["tell"], frozenset())
    taker.absent = True
    federation.start()
    federation.users.submit("m0", "wrapped")
    assert federation.run(LONG_S, lambda: _has(manager, COMBINED)), "nothing was put together"
    (made,) = manager.disk.database.conn.execute(COMBINED).fetchone()
    _lose_at(federation, manager, made)
    if federation.chance.random() < 0.5:
        for name in sorted(maker.store.objects):
            _lose_at(federation, maker, id_of(name))
    taker.absent = False
    federation.start()
    assert federation.run(LONG_S, lambda: bool(taker.host.running())), "it has got no job"
    taker.isolate()
    _lose_at(federation, manager, made)
    federation.run(SOON_S)
    taker.heal()
    federation.run(LONG_S, lambda: not unrest(federation))
    has_it = sha256_of(made) in manager.store.objects
    return [*unrest(federation), *([] if has_it else ["the output is nowhere"]), *problems(federation)]


def wanted_by_people_from_a_depot(seed: int) -> list[str]:
    """Who has made the output of a workflow loses it when a depot has it, and then somebody wants to have it."""
    settings = replace(PATIENT, depots=("d0",), copies=2)
    federation = Federation(seed, agents=1, has_files=True, settings=settings, depots=1)
    maker, _ = federation.agents
    (manager,) = federation.managers
    federation.start()
    federation.users.submit("m0", "album")
    assert federation.run(LONG_S, lambda: not unrest(federation) and _count(manager, HELD) == 1), "no depot has it"
    (name,) = manager.disk.database.conn.execute(OUTPUT).fetchone()
    maker.crash()
    maker.store.lose(sha256_of(name))
    federation.start()
    assert federation.run(LONG_S, lambda: _count(manager, HELD_BY_ALL) == 1), "it is not noticed"
    for _ in range(CUTS):
        manager.tell(Call(lambda at: manager.reactor.copies.want(name, 0, at)))
        federation.run(CUT_EVERY_S)
    came = sha256_of(name) in manager.store.objects
    return [*([] if came else ["the file has not come"]), *problems(federation)]


def presence_lost(seed: int) -> list[str]:
    """A manager does not hear that the agent is back which has a list into which it is to look."""
    federation = Federation(seed, agents=1, has_files=True)
    (agent,), (manager,) = federation.agents, federation.managers
    federation.start()
    federation.users.submit("m0", "looked")
    assert federation.run(LONG_S, lambda: bool(agent.host.running())), "it has got no job"
    manager.disk.database.conn.execute("UPDATE agents SET online = 0")
    with patch.object(ManagerReactor, "on_presence", lambda *_: None):
        federation.run(SOON_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def brought_by_who_submits(seed: int) -> list[str]:
    """Directories come from those who submit workflows, slowly, while their manager is killed and cut off; twice."""
    federation, _, _ = _maker_and_reader(seed)
    (manager,) = federation.managers
    federation.carrier.line = SLOW
    for _ in range(2):
        Bringer(federation, "m0", "brought")
        assert federation.run(SOON_S, lambda: _has(manager, BROUGHT)), "nothing is fetched"
        manager.crash()
        federation.start()
        _disturb(federation, (manager,))
    federation.carrier.line = CALM
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def _maker_and_reader(seed: int, **facts: object) -> tuple[Federation, Agent, Agent]:
    """Return a federation of an agent that makes directories and one that reads them."""
    federation = Federation(seed, agents=2, has_files=True, **facts)  # type: ignore[arg-type]
    maker, reader, *_ = federation.agents
    maker.types = job_types([*GIVING], frozenset())
    reader.types = job_types(["index", *TYPES], frozenset())
    federation.start()
    federation.run(10.0)
    return federation, maker, reader


def _lose_at(federation: Federation, member: Holder, name: ObjectId) -> None:
    """Let a member find at its next start that an object is not there."""
    member.crash()
    member.store.lose(sha256_of(name))
    federation.start()
    federation.run(CUT_EVERY_S)


def _disturb(federation: Federation, members: Sequence[Holder]) -> None:
    """Kill or cut off one of some members now and then."""
    for _ in range(CUTS):
        federation.run(CUT_EVERY_S * federation.chance.random())
        member = federation.chance.choice(members)
        if federation.chance.random() < 0.5:
            member.crash()
        else:
            member.isolate()
            federation.run(1.0)
            member.heal()
        federation.start()


def _files_of_directories(member: Holder) -> list[str]:
    """Return the files of the directories that lie somewhere and are not damaged."""
    store = member.store
    inside = {each.sha256 for name in store.objects for each in files_in(name)}
    return sorted(inside & store.objects.keys() - store.lost)


def _has(member: Holder, query: str) -> bool:
    return member.disk.database.conn.execute(query).fetchone() is not None


def _count(manager: Manager, query: str) -> int:
    found: int = manager.disk.database.conn.execute(query).fetchone()[0]
    return found


def _unfinished(federation: Federation) -> list[str]:
    return [each.workflow for each in federation.users.asked if status_of(federation, each) != "completed"]
