"""What must hold of objects at the end of a federation: of files, directories and large lists, wherever they lie."""

from collections.abc import Iterator

import msgspec

from caroni_edge.objects.objects import sha256_of
from caroni_edge.values.carried import objects_in
from tests.simulation.federation import Federation
from tests.simulation.members import Holder, Manager

COMPLETED_OUTPUTS = "SELECT seq, id, outputs FROM workflows WHERE status = 'completed'"
PLACES = "SELECT agent FROM object_places WHERE workflow = :workflow AND object = :object AND held > 0"
ALL_PLACES = """
    SELECT w.id, p.object, p.agent FROM object_places p JOIN workflows w ON w.seq = p.workflow WHERE p.held > 0"""

KEPT = "SELECT manager, workflow, object FROM object_references WHERE job = ''"
NOT_NEEDED = """
    SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE peer = :agent)
    AND NOT EXISTS (SELECT 1 FROM workflows WHERE id = :workflow AND status NOT IN ('completed', 'cancelled'))
    AND NOT EXISTS (SELECT 1 FROM object_places p JOIN workflows w ON w.seq = p.workflow
        WHERE w.id = :workflow AND p.object = :object AND p.agent = :agent)"""
IS_KEPT = """
    SELECT 1 FROM object_references r JOIN objects o ON o.object = r.object
    WHERE r.manager = :manager AND r.workflow = :workflow AND r.object = :object AND r.job = ''
    AND NOT EXISTS (SELECT 1 FROM directory_files d WHERE d.directory = r.object AND NOT EXISTS (
        SELECT 1 FROM objects f JOIN object_owners w ON w.object = f.object AND w.manager = r.manager
        WHERE f.object = d.object))"""
PLACE_WITHOUT_JOB = """
    SELECT p.agent, w.id FROM object_places p JOIN workflows w ON w.seq = p.workflow
    WHERE p.held <> 0 AND NOT EXISTS (SELECT 1 FROM jobs j JOIN steps s ON s.id = j.step
        WHERE s.workflow = p.workflow AND j.agent = p.agent)"""
NOT_LISTED = "SELECT job FROM jobs WHERE status = 'failed' AND instr(reason, 'files.hosts')"
MISCOUNTED = """
    SELECT object FROM objects o WHERE refs <> (SELECT count(*) FROM object_references r WHERE r.object = o.object)
    + (SELECT count(*) FROM directory_files d WHERE d.object = o.object)"""
ROWS = "SELECT object FROM objects"


def wrong_objects(federation: Federation) -> Iterator[str]:
    """Yield what is wrong with objects."""
    yield from _lost_outputs(federation)
    yield from _kept_for_nobody(federation)
    yield from _wrong_depots(federation)
    for manager in federation.managers:
        if not manager.was_exempt:
            yield from _wrong_places(federation, manager)
        for (job,) in manager.disk.database.conn.execute(NOT_LISTED):
            yield f"{manager.name} counts {job} as an attempt, whose agent does not list a host"
    for member in federation.members:
        yield from _wrong_rows(member)


def _lost_outputs(federation: Federation) -> Iterator[str]:
    """The files of a workflow that has completed are somewhere, unless somebody has forgotten or lost something."""
    if any(agent.was_exempt for agent in federation.agents):
        return
    lost = {name for member in federation.members for name in member.store.lost}
    for manager in [each for each in federation.managers if not each.was_exempt]:
        conn = manager.disk.database.conn
        for seq, workflow, outputs in conn.execute(COMPLETED_OUTPUTS):
            for name in objects_in(msgspec.json.decode(outputs)):
                places = [place for (place,) in conn.execute(PLACES, {"workflow": seq, "object": name})]
                stores = [each.store for each in federation.members if _place(each) in places]
                sha256 = sha256_of(name)
                if sha256 not in lost and not any(store.is_whole(sha256) for store in stores):
                    yield f"the output {sha256[:8]} of {workflow} is nowhere, or not all that it names"


def _wrong_places(federation: Federation, manager: Manager) -> Iterator[str]:
    """Whom a manager counts on has what it is to have, with all that it names, and keeps that for the workflow."""
    holders = {_place(each): each for each in federation.members}
    for workflow, name, place in manager.disk.database.conn.execute(ALL_PLACES):
        holder = holders.get(place)
        if holder is None or holder.was_exempt:
            continue
        said = f"{manager.name} counts on {place} for {sha256_of(name)[:8]} of {workflow}"
        if not holder.store.is_whole(sha256_of(name)):
            yield f"{said}, and not all of it is there"
        facts = {"manager": manager.name, "workflow": workflow, "object": name}
        if holder.disk.database.conn.execute(IS_KEPT, facts).fetchone() is None:
            yield f"{said}, which does not keep all of it"


def _wrong_rows(member: Holder) -> Iterator[str]:
    """References are counted rightly, and what nobody knows any more does not stay on disk."""
    conn = member.disk.database.conn
    for (name,) in conn.execute(MISCOUNTED):
        yield f"{member.name} has counted the references of {sha256_of(name)[:8]} wrongly"
    if member.store.is_idle:
        rows = {sha256_of(name) for (name,) in conn.execute(ROWS)}
        yield from (f"{member.name} has {each[:8]} on disk and no row" for each in member.store.objects.keys() - rows)
        yield from (f"{member.name} goes on keeping what {giver} gave" for giver in member.store.unsettled())


def _kept_for_nobody(federation: Federation) -> Iterator[str]:
    """Nothing is kept for a workflow that needs it no more, unless somebody has forgotten something."""
    managers = {each.name: each for each in federation.managers}
    for member in [each for each in federation.members if not each.was_exempt]:
        for name, workflow, object_name in member.disk.database.conn.execute(KEPT):
            manager = managers.get(name)
            if manager is None or manager.was_exempt:
                continue
            facts = {"workflow": workflow, "object": object_name, "agent": _place(member)}
            if manager.disk.database.conn.execute(NOT_NEEDED, facts).fetchone():
                yield f"{member.name} keeps {sha256_of(object_name)[:8]} for {workflow}, which does not need it"


def _wrong_depots(federation: Federation) -> Iterator[str]:
    """A manager counts on nobody who has had no job of a workflow, and who is no depot that it names."""
    for manager in federation.managers:
        for agent, workflow in manager.disk.database.conn.execute(PLACE_WITHOUT_JOB):
            if agent not in manager.settings.depots and "/" not in agent and not manager.was_exempt:
                yield f"{manager.name} counts on {agent} for {workflow}, which is none of its depots"


def _place(member: Holder) -> str:
    """Return how managers call a member as a place of objects."""
    return member.topics.name if isinstance(member, Manager) else member.name
