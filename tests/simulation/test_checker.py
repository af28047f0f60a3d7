"""The checker sees what is wrong: a federation at rest is damaged in one place, and the checker must name it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from caroni_edge.objects.objects import sha256_of
from tests.simulation.checker import problems, unrest, wedged
from tests.simulation.federation import Federation
from tests.simulation.plans import TYPES
from tests.simulation.schedule import WAITS_S, play
from tests.simulation.trace import FAULT, SHORT, Trace

Damage = Callable[[Federation], object]


def at_rest() -> Federation:
    """Return a federation in which a workflow has completed."""
    federation = Federation(1, agents=1, once=frozenset(TYPES))
    federation.start()
    federation.users.submit("m0", "chain3")
    assert federation.run(600, lambda: not unrest(federation))
    return federation


def manager_sql(statement: str) -> Damage:
    return lambda federation: federation.managers[0].disk.database.conn.execute(statement)


def agent_sql(statement: str) -> Damage:
    return lambda federation: federation.agents[0].disk.database.conn.execute(statement)


def start_again(federation: Federation) -> None:
    """Start another attempt of a step, which its manager does not know."""
    started = federation.agents[0].host.started
    order = next(iter(started.values()))
    started["another0"] = replace(order, job="another0")
    federation.agents[0].host.history.append(started["another0"])


def test_a_federation_at_rest_is_well() -> None:
    federation = at_rest()
    assert problems(federation) == []
    assert wedged(federation, WAITS_S) == []
    assert unrest(federation) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (manager_sql("INSERT INTO outbox VALUES ('a0', 99, 'x', x'')"), "m0 has messages in its outbox"),
        (manager_sql("INSERT INTO events VALUES (99, 'topic', x'')"), "m0 has events that wait"),
        (
            manager_sql("INSERT INTO offers VALUES (1, 'x', 'a0', 'red', 1, 0, 1, 0, '', 0, 'received')"),
            "m0 has offers",
        ),
        (manager_sql("UPDATE agents SET wanted = 'x'"), "m0 has a query"),
        (manager_sql("UPDATE peers SET reconcile = 1"), "m0 has an agent to reconcile"),
        (manager_sql("UPDATE jobs SET open = 1"), "m0 has jobs that are open"),
        (manager_sql("UPDATE workflows SET status = 'running'"), "w0 (chain3) is running"),
        (manager_sql("UPDATE workflows SET status = 'failed'"), "w0 (chain3) is failed"),
        (manager_sql("DELETE FROM workflows"), "w0 (chain3) is unknown"),
        (agent_sql("UPDATE offers SET state = 'open'"), "a0 has offers that are open"),
        (agent_sql("UPDATE jobs SET state = 'queued'"), "a0 holds jobs"),
        (lambda federation: federation.agents[0].host._running.update(j=1.0), "j still runs"),
        (lambda federation: federation.broker.retained.update({"caroni/requests/red/m0": b"{}"}), "demand is left"),
    ],
)
def test_what_has_not_come_to_its_end_is_named(damage: Damage, said: str) -> None:
    federation = at_rest()
    damage(federation)
    assert any(each.startswith(said) for each in unrest(federation)), unrest(federation)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (manager_sql("UPDATE workflows SET status = 'cancelled'"), "w0 was cancelled by nobody"),
        (manager_sql("""UPDATE workflows SET outputs = '{"result": "x"}'"""), "w0 gave"),
        (manager_sql("UPDATE jobs SET status = 'failed'"), "completed 0 times"),
        (manager_sql("UPDATE jobs SET status = 'failed'"), "does not say why"),
        (manager_sql("UPDATE jobs SET step = (SELECT min(step) FROM jobs)"), "completed 3 times"),
        (manager_sql("DELETE FROM jobs"), "has no history of"),
        (manager_sql("DELETE FROM workflows"), "has steps of workflows that are not there"),
        (manager_sql("INSERT INTO dead_letters VALUES (1, 0, 'a0', 'x', x'', 'oh')"), "dead letter from a0: oh"),
        (lambda federation: federation.managers[0].events.clear(), "was said 0 times"),
        (lambda federation: federation.agents[0].host.twice.append("j"), "a0 started j twice"),
        (start_again, "may not be repeated, and was started 2 times"),
        (lambda federation: federation.owed.update({("m0", "a0"): None}), "a0 never noticed that m0 has forgotten"),
    ],
)
def test_what_is_wrong_is_named(damage: Damage, said: str) -> None:
    federation = at_rest()
    damage(federation)
    assert any(said in each for each in problems(federation)), problems(federation)


def with_objects(template: str) -> Federation:
    """Return a federation in which a workflow with directories or lists has completed, or goes on."""
    federation = Federation(1, agents=1, has_files=True)
    federation.start()
    federation.users.submit("m0", template)
    assert federation.run(600, lambda: not unrest(federation))
    federation.run(30.0)
    return federation


def inner_file(federation: Federation) -> None:
    """Take away a file of the directory that is an output."""
    (agent,) = federation.agents
    (name,) = agent.disk.database.conn.execute(
        "SELECT object FROM directory_files WHERE directory IN (SELECT object FROM object_references) LIMIT 1"
    ).fetchone()
    del agent.store.objects[sha256_of(name)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (inner_file, "is nowhere, or not all that it names"),
        (inner_file, "and not all of it is there"),
        (agent_sql("DELETE FROM object_owners"), "which does not keep all of it"),
        (agent_sql("DELETE FROM object_references"), "which does not keep all of it"),
        (agent_sql("UPDATE objects SET refs = refs + 1"), "a0 has counted the references of"),
        (agent_sql("DELETE FROM objects WHERE refs = 0"), "on disk and no row"),
        (manager_sql("DELETE FROM object_places"), "for w0, which does not need it"),
        (lambda federation: federation.agents[0].store._given.update(j=()), "a0 goes on keeping what j gave"),
        (manager_sql("UPDATE jobs SET step = (SELECT min(step) FROM jobs)"), "completed 2 times"),
    ],
)
def test_what_is_wrong_with_objects_is_named(damage: Damage, said: str) -> None:
    federation = with_objects("shelf")
    assert problems(federation) == []
    damage(federation)
    assert any(said in each for each in problems(federation)), problems(federation)


def test_a_manager_that_keeps_what_it_has_looked_into_for_ever_is_named() -> None:
    federation = with_objects("gathered")
    (manager,) = federation.managers
    assert problems(federation) == []
    manager.disk.database.conn.execute("""
        INSERT INTO object_references (manager, workflow, object, job) SELECT 'm0', 'w0', object, '' FROM objects""")
    assert any(each.startswith("m0 keeps ") for each in problems(federation)), problems(federation)


def test_a_link_that_takes_nothing_is_wedged() -> None:
    federation = at_rest()
    federation.agents[0].isolate()
    assert wedged(federation, (10.0,)) == ["m0 takes nothing from a0", "a0 takes nothing from m0"]


def test_a_trace_tells_of_what_is_asked() -> None:
    trace = Trace()
    assert play("all", 3, trace) == []
    short = trace.around(["w0 is not well"])
    assert 0 < len(short) <= SHORT < len(trace.events)
    assert any(event.who == FAULT for event in trace.events)
    assert any("step completed" in event.text for event in trace.around(["w0 is not well"], len(trace.events)))
