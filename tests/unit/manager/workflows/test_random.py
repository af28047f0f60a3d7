"""Random workflows give what plain recursion says, however their jobs come and fail."""

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any
from zlib import crc32

import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.workflows.evaluations import work_out
from caroni_edge.protocol.messages import OfferAccept, Placement
from tests import scripts
from tests.reference import TYPES, evaluate, expected, join, random_inputs, random_plan
from tests.unit.manager.bench import Bench

ROUNDS = 3000


def take(bench: Bench, agent: str, job_type: str, places: int) -> list[tuple[str, Placement]]:
    """Let an agent offer, and return what it is given: nothing, when what there is has failed there."""
    bench.offer(agent, job_type, ready=places)
    accepted = [message for _, message in bench.outbox.sent if isinstance(message, OfferAccept)]
    bench.outbox.sent.clear()
    return [(agent, job) for message in accepted for job in message.jobs]


@pytest.mark.parametrize("seed", range(150))
def test_a_random_workflow_gives_what_recursion_says(seed: int) -> None:
    gives_what_recursion_says(seed, has_scripts=False)


@pytest.mark.parametrize("seed", range(100))
def test_a_random_workflow_with_javascript_does_so_too(seed: int) -> None:
    gives_what_recursion_says(seed, has_scripts=True)


def gives_what_recursion_says(seed: int, *, has_scripts: bool) -> None:
    """Run a random workflow to its end, and compare what it gives."""
    chance = Random(seed)
    plan, inputs = random_plan(chance, "random", has_scripts=has_scripts), random_inputs(chance)
    bench = Bench(plan, attempts=50)
    bench.presence(types=TYPES)
    bench.presence("a2", types=TYPES)
    bench.start("random", inputs=inputs)
    open_jobs = []
    for _ in range(ROUNDS):
        if (
            bench.workflow_state() is not WorkflowState.INITIALIZING
            and bench.workflow_state() is not WorkflowState.RUNNING
        ):
            break
        for each in [bench.evaluations.pop(0) for _ in range(chance.randint(0, len(bench.evaluations)))]:
            bench.arrive(work_out(each, scripts.run))
        for job_type in TYPES:
            agent = chance.choice(("a1", "a2"))
            if bench.is_ready(job_type):
                open_jobs += take(bench, agent, job_type, chance.randint(1, 3))
        chance.shuffle(open_jobs)
        for agent, job in [open_jobs.pop() for _ in range(chance.randint(0, len(open_jobs)))]:
            if chance.random() < 0.2:
                bench.fail(job.job, agent)
            else:
                bench.complete(job.job, agent, **join(job.job_type, job.inputs))
        bench.advance(0.5)
        if chance.random() < 0.1:
            bench.restart()
            for agent in ("a1", "a2"):
                bench.presence(agent, types=TYPES)
    assert bench.workflow()["reason"] is None
    assert bench.outputs() == expected(plan, inputs)
    assert {row["inside"] for row in bench.rows("SELECT inside FROM gates")} <= {0}
    assert bench.rows("SELECT * FROM evaluations") == []


class Broken(Exception):
    """A job fails, whoever does it."""


def join_or_fail(seed: int, job_type: str, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Do a job; a few fail always, and which ones differs with the seed."""
    done = join(job_type, inputs)
    if crc32(f"{seed} {done}".encode()) % 20 == 0:
        raise Broken
    return done


@pytest.mark.parametrize("seed", range(100))
def test_a_workflow_fails_where_a_job_fails_whoever_does_it(seed: int) -> None:
    chance = Random(seed)
    plan, inputs, job = random_plan(chance, "random"), random_inputs(chance), partial(join_or_fail, seed)
    bench = Bench(plan, attempts=2)
    for agent in ("a1", "a2"):
        bench.presence(agent, types=TYPES)
    bench.start("random", inputs=inputs)
    for _ in range(ROUNDS):
        if bench.workflow_state() in {WorkflowState.COMPLETED, WorkflowState.FAILED}:
            break
        for job_type in TYPES:
            for agent, placed in take(bench, chance.choice(("a1", "a2")), job_type, 3):
                try:
                    bench.complete(placed.job, agent, **job(placed.job_type, placed.inputs))
                except Broken:
                    bench.fail(placed.job, agent)
        bench.advance(1)
    try:
        outputs = evaluate(plan, inputs, job)
    except Broken:
        assert bench.workflow_state() is WorkflowState.FAILED
    else:
        assert bench.outputs() == outputs
