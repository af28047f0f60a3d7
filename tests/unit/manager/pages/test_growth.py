"""What people look at costs the same however much there is beside it."""

from collections.abc import Callable

import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.store.listed import WorkflowFilter
from tests.unit.manager.bench import Bench
from tests.unit.manager.test_growth import FEW, MANY, PAST, agents, finished, live, scattered
from tests.work import Work, work_of

ON_A_PAGE = 5


def looked(bench: Bench, look: Callable[[ManagerViews], object]) -> Work:
    """Return what it takes to look at something, when it was looked at before."""
    views = ManagerViews(bench.database.conn, Plans())
    look(views)
    return work_of(bench.database.conn, lambda: look(views))


def why(workflow: str, step: str) -> Callable[[ManagerViews], object]:
    """Ask why a step waits."""

    def look(views: ManagerViews) -> object:
        row = views.workflow_row(workflow)
        assert row is not None
        found = views.step_row(row, step)
        assert found is not None
        return Explainer(views, ManagerNow("m1", None, 0.0, None, lambda _agent: 0.0, {})).step(row, found)["why"]

    return look


@pytest.mark.parametrize(
    "wanted",
    [
        WorkflowFilter(),
        WorkflowFilter(status=WorkflowState.COMPLETED),
        WorkflowFilter(status=WorkflowState.FAILED),
        WorkflowFilter(template="chain"),
        WorkflowFilter(template="chain", status=WorkflowState.RUNNING),
        WorkflowFilter(agent="a1"),
        WorkflowFilter(agent="a2"),
    ],
    ids=str,
)
def test_a_page_of_a_list_costs_the_same_however_long_the_list_is(wanted: WorkflowFilter) -> None:
    def look(views: ManagerViews) -> object:
        return views.workflows(wanted, ON_A_PAGE, None)

    few, many = looked(finished(FEW), look), looked(finished(PAST), look)
    assert many.is_like(few), (few, many)


@pytest.mark.parametrize("look", [lambda views: views.workflow("w5"), why("w5", "a"), why("w5", "b")])
def test_a_workflow_costs_the_same_however_many_there_are(look: Callable[[ManagerViews], object]) -> None:
    few, many = looked(live(FEW), look), looked(live(MANY), look)
    assert many.is_like(few), (few, many)


def test_why_costs_the_same_however_many_agents_could_take_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caroni_edge.manager.pages.why.AGENTS_EXPLAINED", FEW)

    def waited(size: int) -> Bench:
        bench = agents(size)
        bench.start("chain", "w5")
        return bench

    few, many = looked(waited(FEW), why("w5", "a")), looked(waited(MANY), why("w5", "a"))
    assert many.is_like(few), (few, many)


def test_a_scatter_costs_the_same_however_many_instances_it_has() -> None:
    for look in (lambda views: views.workflow("w1", ON_A_PAGE), why("w1", "s")):
        few, many = looked(scattered(FEW), look), looked(scattered(2 * MANY), look)
        assert many.is_like(few), (few, many)
