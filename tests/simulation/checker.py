"""What must hold of a federation at its end."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from caroni_edge.node.calls import Call
from caroni_edge.protocol.messages import JobStatusRequest
from caroni_edge.values.carried import LOCATION
from tests.simulation.contents import read_in
from tests.simulation.federation import Federation
from tests.simulation.filechecks import wrong_objects
from tests.simulation.members import Agent, Manager, Member
from tests.simulation.plans import ALL, expected
from tests.simulation.users import Asked

STATUS = "SELECT status, outputs FROM workflows WHERE id = ?"
ONCE_EACH = """
    SELECT w.id || '/' || s.path, (SELECT count(*) FROM jobs j WHERE j.step = s.id AND j.status = 'completed'),
    instr(s.outputs, 'caroni:') FROM steps s JOIN workflows w ON w.seq = s.workflow
    WHERE s.status = 'completed' AND s.job NOT NULL"""
COMPLETED_STEPS = """
    SELECT w.id || '/' || s.path FROM steps s JOIN workflows w ON w.seq = s.workflow WHERE s.status = 'completed'"""
UNBALANCED_GATES = (
    "SELECT key FROM gates g JOIN workflows w ON w.seq = g.workflow WHERE w.status = 'completed' AND inside"
)
WITHOUT_HISTORY = """
    SELECT job FROM jobs WHERE NOT open AND status <> 'completed' AND reason IS NULL"""
ORPHANS = {
    "steps": "SELECT id FROM steps WHERE workflow NOT IN (SELECT seq FROM workflows)",
    "jobs": "SELECT job FROM jobs WHERE step NOT IN (SELECT id FROM steps)",
    "logs": "SELECT job FROM logs WHERE job NOT IN (SELECT job FROM jobs)",
    "places": "SELECT 1 FROM object_places WHERE workflow NOT IN (SELECT seq FROM workflows)",
    "plans": "SELECT hash FROM plans WHERE hash NOT IN (SELECT plan FROM workflows)",
}
"""What is left of workflows that were deleted."""
KNOWN_JOB = "SELECT 1 FROM jobs WHERE job = ?"
TAKEN = "SELECT taken_seq FROM peers WHERE peer = ?"
LETTERS = "SELECT peer, traceback FROM dead_letters"
TOUCHED = """
    SELECT DISTINCT w.id FROM jobs j JOIN steps s ON s.id = j.step JOIN workflows w ON w.seq = s.workflow
    WHERE j.agent = ?"""
PLACED = """
    SELECT DISTINCT j.job, j.agent, s.job_type, CASE WHEN s.inputs LIKE :located THEN NULL ELSE s.agents END
    FROM jobs j JOIN steps s ON s.id = j.step"""
"""Of a step with files the agents that have them are asked first, which forbids it to nobody."""
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
ROWS_MAX = 2000
"""So many rows no table gets by what the users of a schedule want."""
REFUSED = ("caroni_edge.protocol.codec.Unreadable: ", "TypeError: a manager takes no ", "TypeError: an agent takes no ")
"""What may be wrong with a message of a liar; what is well formed is taken, or changes nothing."""

NO_JOB = "nosuchjob"

LEFT_ANYWHERE = {
    "has messages in its outbox": "SELECT 1 FROM outbox",
    "has events that wait for the broker": "SELECT 1 FROM events",
    "has jobs that take inputs from others": "SELECT 1 FROM takers",
}
LEFT_AT_MANAGER = {
    **LEFT_ANYWHERE,
    "has offers that it has not answered": "SELECT 1 FROM offers WHERE status = 'received'",
    "has a query to an agent that is not answered": "SELECT 1 FROM agents WHERE wanted NOT NULL",
    "has an agent to reconcile": "SELECT 1 FROM peers WHERE reconcile",
    "has jobs that are open": "SELECT 1 FROM jobs WHERE open",
    "has something left of what was deleted": "SELECT 1 FROM pruned",
    "has a command on many workflows to work off": "SELECT 1 FROM bulks",
    "waits for objects to look into": "SELECT 1 FROM looks",
}
LEFT_AT_AGENT = {
    **LEFT_ANYWHERE,
    "has offers that are open": "SELECT 1 FROM offers WHERE state = 'open'",
    "has a question that it has not answered": "SELECT 1 FROM answers",
    "holds jobs": "SELECT 1 FROM jobs WHERE state IN ('pending', 'staging', 'queued', 'running', 'collecting')",
    "waits for files": "SELECT 1 FROM wanted_objects",
    "has promised files that have not come": "SELECT 1 FROM keeps",
    "has not said what it keeps": "SELECT 1 FROM object_answers",
}


def unrest(federation: Federation) -> list[str]:
    """Return what has not come to its end yet."""
    found = []
    for asked in federation.users.asked:
        status = status_of(federation, asked)
        if status not in ("completed", "cancelled") and not (status is None and asked.deleted):
            found.append(f"{asked.workflow} ({asked.template}) is {status or 'unknown'} at {asked.manager}")
    for member in federation.members:
        left = LEFT_AT_MANAGER if isinstance(member, Manager) else LEFT_AT_AGENT
        found += [f"{member.name} {what}" for what, query in left.items() if _any(member.disk.database.conn, query)]
    for agent in federation.agents:
        found += [f"{job} still runs at {agent.name}" for job in agent.host.running()]
    found += [f"demand is left: {topic}" for topic in federation.broker.retained if "/requests/" in topic]
    return found


def problems(federation: Federation) -> list[str]:
    """Return what is wrong for ever; nothing is a good answer."""
    return [
        *_wrong_ends(federation),
        *_wrong_processes(federation),
        *federation.carrier.wrong,
        *wrong_objects(federation),
        *(f"{who} never noticed that {lost} has forgotten something" for lost, who in _unsaid_losses(federation)),
        *(f"the link of {one} and {other} began anew though nothing was lost" for one, other in _resets(federation)),
        *(wrong for manager in federation.managers for wrong in _wrong_steps(federation, manager)),
        *(wrong for manager in federation.managers if not manager.was_exempt for wrong in _wrong_events(manager)),
        *(wrong for manager in federation.managers if not manager.was_exempt for wrong in _wrong_order(manager)),
        *(wrong for manager in federation.managers for wrong in _misplaced(manager)),
        *(wrong for member in federation.members for wrong in _letters(federation, member)),
        *(f"deciding failed at {member.name}: {why}" for member in federation.members for why in member.failures),
    ]


def held_up(federation: Federation) -> list[str]:
    """Return the workflows that have not come to their end, though no liar has ever had a job of theirs."""
    touched = {
        (manager.name, workflow) for manager in federation.managers for workflow in _touched(federation, manager)
    }
    left = [asked for asked in federation.users.asked if (asked.manager, asked.workflow) not in touched]
    states = [(asked, status_of(federation, asked)) for asked in left]
    return [
        f"{asked.workflow} ({asked.template}) is {status or 'unknown'} at {asked.manager}, which no liar has had"
        for asked, status in states
        if status not in ("completed", "cancelled")
    ]


def swollen(federation: Federation) -> list[str]:
    """Return the tables that have grown by what liars have said."""
    found = []
    for member in federation.members:
        conn = member.disk.database.conn
        for (table,) in conn.execute(TABLES).fetchall():
            (count,) = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
            if count > ROWS_MAX:
                found.append(f"{member.name} has {count} rows in {table}")
    return found


def wedged(federation: Federation, waits_s: Iterable[float]) -> list[str]:
    """Send a message each way between all nodes, and wait; return which was not taken."""
    before = {pair: _taken(*pair) for pair in _pairs(federation)}
    for manager in federation.managers:
        for agent in federation.agents:
            # The agent answers that it knows no such job.
            _ask(manager, agent)
    late = []
    for wait_s in waits_s:
        federation.run(wait_s)
        late = [pair for pair, taken in before.items() if _taken(*pair) == taken]
        if not late:
            break
    return [f"{one.name} takes nothing from {other.name}" for one, other in late]


def status_of(federation: Federation, asked: Asked) -> str | None:
    """Return the state of a workflow, None where nobody knows it."""
    row = _workflow(federation, asked)
    return row[0] if row else None


def _wrong_ends(federation: Federation) -> Iterator[str]:
    touched = {manager.name: _touched(federation, manager) for manager in federation.managers}
    for asked in federation.users.asked:
        row = _workflow(federation, asked)
        if row is not None and row[0] == "cancelled" and not asked.cancelled:
            yield f"{asked.workflow} was cancelled by nobody"
        if asked.workflow in touched[asked.manager]:
            continue  # a liar may have given the result of a step
        result = expected(ALL[asked.template], asked.value)
        if row is not None and row[0] == "completed" and read_in(msgspec.json.decode(row[1])) != result:
            yield f"{asked.workflow} gave {row[1]}"


def _wrong_processes(federation: Federation) -> Iterator[str]:
    managers = {manager.name: manager for manager in federation.managers}
    retries = {asked.workflow: asked.retries for asked in federation.users.asked}
    deleted = {asked.workflow for asked in federation.users.asked if asked.deleted}
    started: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    hosts: Counter[str] = Counter()
    exempt = {member.name for member in federation.members if member.was_exempt}
    for agent in federation.agents:
        # Where an older copy of a database was put back, and a record is lost too, nobody can know.
        unknown = agent.host.unsynced if agent.was_exempt else set()
        yield from (f"{agent.name} started {job} twice" for job in agent.host.twice if job not in unknown)
        yield from (f"{agent.name} started {job} though others held what it needs" for job in agent.host.overtaken)
        yield from (f"{agent.name} started {job} before it had noted that" for job in agent.host.unrecorded)
        hosts.update(job for job, order in agent.host.started.items() if order.manager in managers)
        for order in agent.host.history:
            if order.job_type.name in federation.once and order.manager in managers and order.job not in unknown:
                started[order.workflow, order.step].append(agent.name)
        for order in agent.host.started.values():
            if order.workflow in deleted:
                continue
            if order.manager in managers and not exempt & {agent.name, order.manager}:
                conn = managers[order.manager].disk.database.conn
                if conn.execute(KNOWN_JOB, (order.job,)).fetchone() is None:
                    yield f"{order.manager} has no history of {order.job}, which {agent.name} has started"
    yield from (f"{job} was started at {count} agents" for job, count in hosts.items() if count > 1)
    if any(manager.was_exempt for manager in federation.managers) or any(a.host.was_wiped for a in federation.agents):
        return  # nobody can know any more what was started; scenarios show what still holds
    for (workflow, step), where in started.items():
        if len(where) > 1 + retries[workflow]:
            yield f"{workflow}/{step} may not be repeated, and was started {len(where)} times, at {', '.join(where)}"


def _unsaid_losses(federation: Federation) -> Iterator[tuple[str, str]]:
    members = {member.name: member for member in federation.members}
    for lost, peer in federation.owed:
        one, other = members[lost], members[peer]
        if not other.was_exempt and peer not in one.resets and lost not in other.resets:
            yield lost, peer


def _resets(federation: Federation) -> Iterator[tuple[str, str]]:
    for manager in federation.managers:
        for agent in federation.agents:
            was_reset = agent.name in manager.resets or manager.name in agent.resets
            if was_reset and not (manager.was_exempt or agent.was_exempt):
                yield manager.name, agent.name


def _wrong_steps(federation: Federation, manager: Manager) -> Iterator[str]:
    conn = manager.disk.database.conn
    is_known = not (federation.liars or any(member.was_exempt for member in federation.members))
    losses = sum(member.store.losses for member in federation.members)
    for path, count, gave_files in conn.execute(ONCE_EACH):
        most = 1 if not gave_files else 1 + losses if is_known else count  # what is nowhere any more it gives again
        if not 1 <= count <= most:
            yield f"{path} completed {count} times"
    for (key,) in conn.execute(UNBALANCED_GATES):
        yield f"{manager.name} still counts steps in the limit {key} of a workflow that has completed"
    for table, query in ORPHANS.items():
        if _any(conn, query):
            yield f"{manager.name} has {table} of workflows that are not there"
    for (job,) in conn.execute(WITHOUT_HISTORY):
        yield f"{manager.name} does not say why {job} has no result"


def _wrong_events(manager: Manager) -> Iterator[str]:
    """Who listens must hear exactly once that a step or a workflow is completed; a repeat has the same id."""
    said: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for body in manager.events:
        event = msgspec.json.decode(body)
        said[event["type"], event["subject"]].add(event["id"])
    conn = manager.disk.database.conn
    completed = [("caroni.step.completed", path) for (path,) in conn.execute(COMPLETED_STEPS)]
    for row in conn.execute("SELECT id FROM workflows WHERE status = 'completed'"):
        completed.append(("caroni.workflow.completed", row[0]))
    for kind, subject in completed:
        if (count := len(said.get((kind, subject), ()))) != 1:
            yield f"{kind} of {subject} was said {count} times"


def _misplaced(manager: Manager) -> Iterator[str]:
    """A step is given to nobody but the agents that its template names, or that the manager trusts with its type."""
    for job, agent, job_type, agents in manager.disk.database.conn.execute(PLACED, {"located": f"%{LOCATION}%"}):
        if not manager.settings.trusts(agent, job_type) or (agents and agent not in msgspec.json.decode(agents)):
            yield f"{manager.name} has {job} at {agent}, which may not take its step"


def _touched(federation: Federation, manager: Manager) -> set[str]:
    conn = manager.disk.database.conn
    return {name for liar in federation.liars for (name,) in conn.execute(TOUCHED, (liar.name,))}


def _wrong_order(manager: Manager) -> Iterator[str]:
    """Workflows of a template that were held must begin in the order in which they came."""
    held: defaultdict[str, list[str]] = defaultdict(list)
    begun: defaultdict[str, list[str]] = defaultdict(list)
    for body in manager.events:
        event = msgspec.json.decode(body)
        for kind, found in (("caroni.workflow.held", held), ("caroni.workflow.started", begun)):
            names = found[event["data"].get("template", "")]
            if event["type"] == kind and event["subject"] not in names:
                names.append(event["subject"])
    for template, names in held.items():
        both = [name for name in names if name in begun[template]]
        in_order = [name for name in begun[template] if name in both]
        if both != in_order:
            yield f"{manager.name} held {', '.join(both)} of {template}, which began as {', '.join(in_order)}"


def _letters(federation: Federation, member: Member) -> Iterator[str]:
    liars = tuple(liar.name for liar in federation.liars)
    for peer, text in member.disk.database.conn.execute(LETTERS):
        if peer.endswith(liars or ("no liar",)) and text.splitlines()[-1].startswith(REFUSED):
            continue
        yield f"{member.name}: dead letter from {peer}: {text}"


def _pairs(federation: Federation) -> list[tuple[Member, Member]]:
    pairs = [(manager, agent) for manager in federation.managers for agent in federation.agents]
    return [pair for one, other in pairs for pair in ((one, other), (other, one))]


def _ask(manager: Manager, agent: Agent) -> None:
    # Kept, since the manager may be in the pause after a storage error.
    manager.tell(Call(lambda _at: manager.node.links.put(agent.name, JobStatusRequest(job=NO_JOB)), keep=True))


def _taken(member: Member, peer: Member) -> int:
    row = member.disk.database.conn.execute(TAKEN, (peer.name,)).fetchone()
    return row[0] if row else 0


def _any(conn: sqlite3.Connection, query: str) -> bool:
    return conn.execute(f"{query} LIMIT 1").fetchone() is not None


def _workflow(federation: Federation, asked: Asked) -> tuple[str, str] | None:
    manager = next(each for each in federation.managers if each.name == asked.manager)
    row: tuple[str, str] | None = manager.disk.database.conn.execute(STATUS, (asked.workflow,)).fetchone()
    return row
