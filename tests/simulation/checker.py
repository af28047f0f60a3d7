"""What must hold of a federation at its end."""

import msgspec

from tests.simulation.federation import PLANS, Federation, expected

STATUS = "SELECT status, outputs FROM workflows WHERE id = ?"
EVENTS_OF_STEP = "SELECT count(*) FROM steps s JOIN workflows w ON w.seq = s.workflow WHERE w.id = ? AND s.status = ?"
RUNS = """
    SELECT s.path, count(*) FROM jobs j JOIN steps s ON s.id = j.step WHERE j.status = 'completed' GROUP BY j.step
    HAVING count(*) > 1"""
LIVE_JOBS = "SELECT job FROM jobs WHERE state IN ('pending', 'queued', 'running')"


def is_quiet(federation: Federation) -> bool:
    """Tell whether every workflow has ended and nothing is on its way any more."""
    for wanted in federation.submitted:
        row = _manager_row(federation, wanted.manager, wanted.workflow)
        if row is None or row[0] not in ("completed", "failed", "cancelled"):
            return False
    return not any(_left(member.disk.database.conn) for member in federation.members)


def _left(conn: object) -> bool:
    return conn.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is not None  # type: ignore[attr-defined]


def problems(federation: Federation) -> list[str]:
    """Return what is wrong at the end; nothing is a good answer."""
    found = [f"{agent.name} started {job} twice" for agent in federation.agents for job in agent.host.twice]
    for wanted in federation.submitted:
        row = _manager_row(federation, wanted.manager, wanted.workflow)
        if row is None or row[0] != "completed":
            found.append(f"{wanted.workflow} ({wanted.template}) is {row[0] if row else 'lost'}")
        elif msgspec.json.decode(row[1]) != expected(PLANS[wanted.template], wanted.value):
            found.append(f"{wanted.workflow} gave {row[1]}")
    for manager in federation.managers:
        conn = manager.disk.database.conn
        found += [f"{path} completed {count} times" for path, count in conn.execute(RUNS)]
    for agent in federation.agents:
        found += [f"{agent.name} still holds {job}" for (job,) in agent.disk.database.conn.execute(LIVE_JOBS)]
    for member in federation.members:
        found += [f"{member.name}: outbox not empty"] if _left(member.disk.database.conn) else []
        letters = member.disk.database.conn.execute("SELECT peer, message, traceback FROM dead_letters").fetchall()
        found += [f"{member.name}: dead letter from {peer}: {text}" for peer, _, text in letters]
    return found


def _manager_row(federation: Federation, name: str, workflow: str) -> tuple[str, str] | None:
    manager = next(each for each in federation.managers if each.name == name)
    row: tuple[str, str] | None = manager.disk.database.conn.execute(STATUS, (workflow,)).fetchone()
    return row
