"""What a manager has made of large lists and has lost is made again: items of a scatter, and lists that were merged."""

from hashlib import sha256
from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.objects.filework import ObjectsLost
from caroni_edge.objects.objects import Object
from tests.unit.manager.bench import Bench, out
from tests.unit.manager.pages.test_why_branches import explain, sentences
from tests.unit.manager.workflows.test_branches import flow, leaf, value
from tests.unit.manager.workflows.test_largelists import (
    FEW,
    NUMBERS,
    begun,
    content,
    large,
    merged,
    merging,
    read_all,
    work,
)

CHUNKS = [[number] * 10_000 for number in range(3)]


def lose_here(bench: Bench, *found: Object) -> None:
    """Let objects lie at the manager no more."""
    for each in found:
        bench.contents.pop(each)
    bench.call(lambda at: bench.reactor.on_files(ObjectsLost(tuple(each.id for each in found)), at))
    bench.settle()


def object_with(values: Any) -> Object:
    return Object(sha256(content(values)).hexdigest(), len(content(values)))


@pytest.mark.parametrize("is_list_here", [True, False])
def test_an_item_that_is_lost_here_is_made_again(is_list_here: bool) -> None:
    kind = {"type": "array", "items": "int[]"}
    use = leaf("use", value("x", out("make"), type="int[]"), scatter=("x",), job_type="lower", gives="Any")
    takes = {"values": "string[]?", "few": "int[]?"}
    bench = begun(flow("w", leaf("make", gives=kind), use, result=out("use"), takes=takes), CHUNKS, kind)
    read_all(bench)
    if not is_list_here:
        lose_here(bench, object_with(CHUNKS))
    lose_here(bench, object_with(CHUNKS[1]))
    assert "which this manager has lost and makes again" in sentences(explain(bench, "use[1]"))
    if not is_list_here:
        bench.bring(content(CHUNKS))
    read_all(bench)
    jobs = bench.place_all("a2", "lower", ready=5)
    assert [each.inputs for each in jobs] == [{"x": large(each)} for each in CHUNKS]
    for each in jobs:
        bench.complete(each.job, "a2", out=0)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.rows("SELECT * FROM looks") == []


def test_what_was_merged_and_is_lost_here_is_merged_again() -> None:
    bench = merged(merging())
    bench.bring(content(FEW))
    bench.take_apart()
    assert bench.state("use") is StepState.FULFILLING
    lose_here(bench, object_with([*FEW, 40, 50]))
    assert not bench.is_ready("lower")
    read_all(bench)
    (job,) = bench.place_all("a2", "lower")
    assert job.inputs == {"x": large([*FEW, 40, 50])}
    assert bench.rows("SELECT * FROM looks") == []


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_step_that_is_scattered_over_what_was_merged_goes_on_when_that_is_lost(pieces: int) -> None:
    bench = merged(merging(kind="int", scatter=("x",)), large(NUMBERS))
    bench.bring(content(FEW))
    bench.bring(content(NUMBERS))
    for _ in range(pieces):
        bench.take_apart()
    lose_here(bench, object_with([*FEW, *NUMBERS]))
    assert [each["x"] for each in work(bench)] == [*FEW, *NUMBERS]
    assert bench.outputs() == {"result": [*FEW, *NUMBERS]}
