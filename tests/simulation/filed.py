"""Schedules with large files, and one purpose each."""

from dataclasses import replace

from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.store.roster import RosterRows
from caroni_edge.objects.store.keys import KeyRows
from caroni_edge.objects.transfer.tickets import make_ticket
from caroni_edge.protocol.objects import ObjectPlace
from tests.objects.network import Line
from tests.objects.nodes import GRAIN
from tests.simulation.buckets import DepotStore
from tests.simulation.checker import problems, status_of, unrest
from tests.simulation.federation import PATIENT, SETTLED_IN_S, Federation
from tests.simulation.members import Agent
from tests.simulation.plans import TYPES, job_types

LONG_S = CALM_S = 7200.0
SOON_S = 300.0
STAGING = "SELECT 1 FROM jobs WHERE state = 'staging'"
PROMISED, UNHEARD = "SELECT 1 FROM keeps", "SELECT 1 FROM outbox WHERE peer = 'd0'"
READY = "SELECT 1 FROM steps WHERE path = 'read' AND status = 'fulfilling'"
NOT_OF_W0 = """
    SELECT object FROM objects WHERE object NOT IN (SELECT object FROM object_references WHERE workflow = 'w0')
    ORDER BY object"""
SLOW = Line(rate=2e4)
WITH_A_COPY = replace(PATIENT, depots=("d0",), copies=2)
CUTS, CUT_EVERY_S = 8, 2.0
LIGHT_S = 15.0
"""So long at most the power stays."""
LOST_BY_A_CUT = 2 * GRAIN.save
"""So much at most was on its way, or not safe yet, when a process was killed or cut off."""


def others_run_while_a_file_comes(seed: int) -> list[str]:
    """The only slot of an agent goes to other work as long as the file of a job is on a host that is away."""
    federation, maker, reader = _maker_and_reader(seed, slots=1)
    wait_for_staging(federation, reader)
    maker.isolate()
    for _ in range(3):
        federation.users.submit("m0", "chain1")
    return left_but_one(federation, maker, LONG_S)


def cut_and_killed_while_a_file_comes(seed: int) -> list[str]:
    """Both ends are cut off and killed again and again while a file comes slowly: little of it comes twice."""
    federation, maker, reader = _maker_and_reader(seed, slots=2)
    wait_for_staging(federation, reader)
    before, sizes = federation.carrier.came_bytes, sum(map(len, maker.host.store.objects.values()))
    for _ in range(CUTS):
        federation.run(CUT_EVERY_S * federation.chance.random())
        member = federation.chance.choice((maker, reader))
        if federation.chance.random() < 0.5:
            member.crash()
        else:
            member.isolate()
            federation.run(1.0)
            member.heal()
        federation.start()
    federation.run(LONG_S, lambda: not unrest(federation))
    came = federation.carrier.came_bytes - before
    much = [f"{came} bytes came for {sizes}"] if came > 1.1 * sizes + CUTS * LOST_BY_A_CUT else []
    return [*much, *unrest(federation), *problems(federation)]


def key_forgotten(seed: int) -> list[str]:
    """A backup of an agent is put back in which it does not know the key of the tickets for what it has made since."""
    federation, maker, reader = _maker_and_reader(seed, slots=2)
    copy = maker.disk.copy()
    federation.users.submit("m0", "relay")
    assert federation.run(LONG_S, lambda: not unrest(federation)), "it has not completed"
    reader.isolate()
    maker.crash()
    maker.disk.restore(copy)
    federation.lost(maker)
    federation.start()
    federation.run(SOON_S)
    reader.heal()
    federation.users.submit("m0", "relay")
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def rebooted_while_a_file_comes(seed: int) -> list[str]:
    """The host that fetches loses power again and again: what was not synced is gone, and the rest is damaged."""
    federation, _maker, reader = _maker_and_reader(seed, slots=2)
    wait_for_staging(federation, reader)
    for _ in range(CUTS):
        federation.users.submit("m0", "relay")
        federation.run(LIGHT_S, reader.host.store.has_safe_parts)
        reader.crash()
        reader.host.reboot()
        reader.host.store.damage_parts()
        federation.start()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*unrest(federation), *problems(federation)]


def damaged_at_its_holder(seed: int) -> list[str]:
    """A bit of a stored file is wrong, which others are to fetch, and then it is not there at all: it is made again."""
    federation, maker, reader = _maker_and_reader(seed, slots=2)
    left: list[str] = []
    for spoil in (maker.host.store.flip_bit, maker.host.store.lose_one):
        reader.isolate()
        federation.users.submit("m0", "relay")
        assert federation.run(LONG_S, lambda: _is_read_next(federation)), "nothing waits for a file"
        spoil()
        reader.heal()
        federation.run(2 * SOON_S, lambda: not unrest(federation))
        left += unrest(federation)
    return [*left, *problems(federation)]


def stranger_with_a_ticket(seed: int) -> list[str]:
    """An agent that lies has a ticket for one workflow, and asks for a file of another one."""
    federation, maker, _ = _maker_and_reader(seed, slots=2)
    for _ in range(2):
        federation.users.submit("m0", "album")
    federation.run(SOON_S)
    federation.add_liar("agents")
    (liar,), (manager,) = federation.liars, federation.managers
    keys = KeyRows(manager.disk.database.conn).of(maker.name)
    assert keys is not None, "the manager has no key with who has its files"
    ticket = make_ticket(keys.present, "w0", liar.store.peer)
    place = ObjectPlace(holder=str(maker.host.store.peer), generation=keys.present.generation, ticket=ticket)
    for (name,) in maker.disk.database.conn.execute(NOT_OF_W0).fetchall():
        liar.store.ask_for(name, "m0", "w0", place)
    federation.run(SOON_S)
    return federation.carrier.wrong


def handed_on_by_a_depot(seed: int) -> list[str]:
    """Who makes files is gone for good when a depot has them, and who reads them comes only then.

    The depot crashes while a file comes.
    """
    federation, maker, reader = _never_together(seed, WITH_A_COPY)
    depot = federation.agent("d0")
    _wait_for_a_promise(federation, depot)
    depot.crash()
    federation.start()
    return _go_on_without(federation, maker, reader)


def depot_wiped_but_for_its_bucket(seed: int) -> list[str]:
    """A depot loses its disk when its bucket, away for a while before, has the files; their maker is gone for good."""
    federation, maker, reader = _never_together(seed, WITH_A_COPY, buckets=True)
    depot = federation.agent("d0")
    store = depot.host.store
    assert isinstance(store, DepotStore)
    store.is_down = True
    assert federation.run(LONG_S, lambda: _is_read_next(federation)), "it makes no files"
    federation.run(SOON_S)
    if not _only_at(federation, maker):
        return ["a depot counts whose bucket has nothing"]
    store.is_down = False
    assert federation.run(LONG_S, lambda: not _only_at(federation, maker)), "no bucket holds its files"
    depot.crash()
    store.objects.clear()
    federation.start()
    return _go_on_without(federation, maker, reader)


def depot_restored_to_before_a_promise(seed: int) -> list[str]:
    """A backup of a depot is put back in which it has promised nothing yet."""
    federation, maker, reader = _never_together(seed, WITH_A_COPY)
    depot = federation.agent("d0")
    federation.run(SETTLED_IN_S / 10)
    copy = depot.disk.copy()
    _wait_for_a_promise(federation, depot)
    depot.crash()
    depot.disk.restore(copy)
    federation.lost(depot)
    federation.start()
    return _go_on_without(federation, maker, reader)


def nobody_names_a_depot(seed: int) -> list[str]:
    """An agent says that it would be a depot, and its manager names another one."""
    federation, _, _ = _never_together(seed, replace(PATIENT, depots=("d1",), copies=2))
    assert federation.run(LONG_S, lambda: _is_read_next(federation)), "it makes no files"
    federation.run(SOON_S)
    return problems(federation)


def drained_before_it_goes(seed: int) -> list[str]:
    """An agent is drained, and its host switched off as soon as its manager says that no file lies only there."""
    federation, maker, reader = _never_together(seed, replace(PATIENT, depots=("d0",)))
    assert federation.run(LONG_S, lambda: _is_read_next(federation)), "it makes no files"
    assert _only_at(federation, maker), "its files lie elsewhere too"
    maker.drain(on=True)
    return _go_on_without(federation, maker, reader)


def _never_together(seed: int, settings: ManagerConfig, *, buckets: bool = False) -> tuple[Federation, Agent, Agent]:
    federation = Federation(seed, agents=2, settings=settings, has_files=True, depots=1, buckets=buckets)
    maker, reader, _ = federation.agents
    maker.types = job_types(["paint", "frame"], frozenset())
    reader.types = job_types(["read", *TYPES], frozenset())
    federation.carrier.line = SLOW
    reader.absent = True
    federation.start()
    federation.users.submit("m0", "relay")
    return federation, maker, reader


def _wait_for_a_promise(federation: Federation, depot: Agent) -> None:
    """Wait until a depot has promised to keep a file that has not come, and its manager knows that it has heard so."""
    kept, said = depot.disk.database.conn, federation.managers[0].disk.database.conn

    def is_promised() -> bool:
        return kept.execute(PROMISED).fetchone() is not None and said.execute(UNHEARD).fetchone() is None

    assert federation.run(LONG_S, is_promised), "no depot is asked"


def _go_on_without(federation: Federation, maker: Agent, reader: Agent) -> list[str]:
    """Switch the maker off for good, as soon as nothing lies there alone, and let the reader come."""
    assert federation.run(LONG_S, lambda: _is_read_next(federation)), "it makes no files"
    assert federation.run(LONG_S, lambda: not _only_at(federation, maker)), "no depot holds its files"
    maker.crash()
    maker.absent, reader.absent = True, False
    federation.start()
    federation.run(CALM_S, lambda: not _unfinished(federation))
    federation.run(SETTLED_IN_S)
    return [*_unfinished(federation), *problems(federation)]


def _only_at(federation: Federation, agent: Agent) -> bool:
    conn = federation.managers[0].disk.database.conn
    return RosterRows(conn).files_only_at(agent.name, 1) > 0


def _maker_and_reader(seed: int, slots: int) -> tuple[Federation, Agent, Agent]:
    """Return a federation of an agent that makes files and one that reads them, over a slow line."""
    federation = Federation(seed, agents=2, slots=slots, has_files=True)
    maker, reader = federation.agents
    maker.types = job_types(["paint", "frame"], frozenset())
    reader.types = job_types(["read", *TYPES], frozenset())
    federation.carrier.line = SLOW
    federation.start()
    federation.run(10.0)
    return federation, maker, reader


def wait_for_staging(federation: Federation, reader: Agent) -> None:
    """Want a file that comes from one agent to another, until a job waits for it there."""
    federation.users.submit("m0", "relay")
    conn = reader.disk.database.conn
    assert federation.run(LONG_S, lambda: conn.execute(STAGING).fetchone() is not None), "no job waits for a file"


def left_but_one(federation: Federation, away: Agent, within_s: float) -> list[str]:
    """Return what has not completed while an agent is away, but for the one that waits for it; and what is wrong then.

    Args:
        federation: The first workflow that has not completed is the one that waits.
        away: It comes back.
        within_s: So long the others may take.
    """
    federation.run(within_s, lambda: len(_unfinished(federation)) == 1)
    left = _unfinished(federation)[1:]
    away.heal()
    federation.run(LONG_S, lambda: not unrest(federation))
    return [*left, *unrest(federation), *problems(federation)]


def _is_read_next(federation: Federation) -> bool:
    return federation.managers[0].disk.database.conn.execute(READY).fetchone() is not None


def _unfinished(federation: Federation) -> list[str]:
    return [each.workflow for each in federation.users.asked if status_of(federation, each) != "completed"]
