"""What people do to workflows that are there: another one like it, delete, and many at once."""

import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages import lists
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.manager.workflows import bulk
from caroni_edge.manager.workflows.bulk import BulkAction
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import JobKill
from tests.unit.manager.bench import Bench, given, plan, step, template
from tests.unit.manager.workflows.test_branches import SPREAD

OF_WORKFLOWS = (
    "workflows",
    "steps",
    "jobs",
    "logs",
    "gates",
    "scattered",
    "bound",
    "workflow_agents",
    "pruned",
    "plans",
)
EVERY = WorkflowFilter()


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SPREAD, attempts=1)
    bench.presence()
    return bench


def left(bench: Bench) -> dict[str, int]:
    counts = {table: len(bench.rows(f"SELECT 1 FROM {table}")) for table in OF_WORKFLOWS}
    return {table: count for table, count in counts.items() if count}


# Another one like it


def test_another_one_has_the_same_inputs_and_priority(bench: Bench) -> None:
    bench.start("one", inputs={"message": "x"}, priority=7)
    other = bench.rerun()
    row = bench.workflow(other)
    assert (row["template"], row["inputs"], row["priority"], row["status"]) == (
        "one",
        '{"message":"x"}',
        7,
        "initializing",
    )
    assert other != "w1"


def test_another_one_may_have_other_inputs_and_an_id(bench: Bench) -> None:
    bench.start("one")
    assert bench.rerun(new_id="w2", message="y") == "w2"
    assert bench.workflow("w2")["inputs"] == '{"message":"y"}'
    assert bench.rerun(new_id="w2", message="y") == "w2"
    with pytest.raises(Refused, match="with another template or other inputs"):
        bench.rerun(new_id="w2", message="z")
    assert len(bench.rows("SELECT 1 FROM workflows")) == 2


def test_another_one_is_of_the_template_as_it_is_now(bench: Bench) -> None:
    bench.start("one")
    other = plan("one", step("b", "lower", text=given("text")), inputs={"text": "string"})
    bench.reactor.reload(bench.settings, Templates({"one": template(other)}, {}))
    with pytest.raises(Refused, match="input text is missing; it takes string; input message is no input of one"):
        bench.rerun()
    bench.rerun(new_id="w2", message=None, text="x")
    assert bench.step("b", "w2")["job_type"] == "lower"
    bench.reactor.reload(bench.settings, Templates({}, {}))
    with pytest.raises(Refused, match="there is no template one"):
        bench.rerun()


def test_another_one_asks_for_no_more_than_is_allowed_now(bench: Bench) -> None:
    bench.start("one", priority=7)
    bench.set(priority_max=5)
    assert bench.workflow(bench.rerun())["priority"] == 5


def test_another_one_of_a_paused_template_is_held(bench: Bench) -> None:
    bench.start("one")
    bench.pause("one")
    assert bench.workflow_state(bench.rerun()) == "held"


# Deleting


def test_what_has_ended_is_deleted_with_all_that_belongs_to_it(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.run(job)
    bench.call(lambda _at: bench.reactor.request_log(job))
    bench.send(JobLog(job=job, offset=0, data=b"words", end=False))
    bench.complete(job)
    assert {"logs", "jobs", "workflow_agents"} <= left(bench).keys()
    bench.delete()
    assert left(bench) == {}
    with pytest.raises(Refused, match="there is no workflow w1"):
        bench.delete()


@pytest.mark.parametrize("how", ["held", "initializing", "running"])
def test_what_goes_on_is_not_deleted(bench: Bench, how: str) -> None:
    if how == "held":
        bench.pause("one")
    bench.start("one")
    if how == "running":
        bench.run(bench.place())
    with pytest.raises(Refused, match=f"the workflow w1 is {how}, and only what has ended can be deleted"):
        bench.delete()


def test_what_still_runs_of_a_deleted_workflow_is_killed_and_says_nothing_any_more(bench: Bench) -> None:
    bench.start("pair")
    failing, running = bench.place(), bench.place(job_type="lower")
    bench.run(running)
    bench.fail(failing)
    bench.outbox.sent.clear()
    bench.delete()
    assert bench.outbox.take(JobKill, "a1").job == running
    assert left(bench) == {}
    bench.complete(running)
    bench.send(JobLog(job=running, offset=0, data=b"late", end=True))
    assert left(bench) == {}


def test_a_large_one_is_gone_at_once_for_people_and_its_id_is_free(bench: Bench) -> None:
    bench.start("spread", inputs={"values": ["v"] * 2500})
    bench.fail(bench.place())
    bench.delete()
    assert bench.rows("SELECT 1 FROM workflows") == []
    bench.start("one", "w1")
    bench.restart()
    bench.advance(1)
    assert bench.workflow()["template"] == "one"
    assert left(bench)["steps"] == 1


def test_a_restart_in_the_midst_of_deleting_a_growing_scatter_is_none_of_its_business(bench: Bench) -> None:
    bench.start("spread", inputs={"values": ["v"] * 2500})
    bench.fail(bench.place())
    with bench.database.immediate():  # the process ends before anything of it is swept up
        bench.reactor.delete("w1", bench.at)
    bench.restart()
    bench.advance(1)
    assert left(bench) == {}


# Many at once


def act(bench: Bench, action: BulkAction, wanted: WorkflowFilter = EVERY) -> None:
    bench.call(lambda _at: bench.reactor.act_on_many(action, wanted))


def count(bench: Bench, action: BulkAction, wanted: WorkflowFilter = EVERY) -> int | None:
    return ManagerViews(bench.database.conn, Plans()).count_for(action, wanted)


def states(bench: Bench) -> list[str]:
    return [row["status"] for row in bench.rows("SELECT status FROM workflows ORDER BY seq")]


@pytest.fixture
def many(bench: Bench) -> Bench:
    """Return a bench with a workflow in each state that there is at rest, two of them by the rest's template."""
    for number in range(3):
        bench.start("one", f"one{number}")
    bench.complete(bench.place())
    bench.fail(bench.place())
    bench.start("pair", "pair0")
    bench.place(job_type="lower")
    bench.start("pair", "pair1")
    bench.cancel("pair1")
    bench.pause("chain")
    bench.start("chain", "chain0")
    assert states(bench) == ["completed", "failed", "initializing", "running", "cancelled", "held"]
    return bench


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("cancel", ["completed", "failed", "cancelled", "cancelled", "cancelled", "cancelled"]),
        ("retry", ["completed", "running", "initializing", "running", "cancelled", "held"]),
        ("delete", ["initializing", "running", "held"]),
    ],
)
@pytest.mark.parametrize("at_once", [1, 20])
def test_it_is_done_to_all_whose_state_allows_it(
    many: Bench, monkeypatch: pytest.MonkeyPatch, action: BulkAction, after: list[str], at_once: int
) -> None:
    monkeypatch.setattr(bulk, "WORKFLOWS_AT_ONCE", at_once)
    assert count(many, action) == {"cancel": 3, "retry": 1, "delete": 3}[action]
    act(many, action)
    many.advance(1)
    assert states(many) == after
    assert many.rows("SELECT 1 FROM bulks") == []
    assert count(many, action) == 0 or action == "retry"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (WorkflowFilter(template="pair"), {"pair0"}),
        (WorkflowFilter(status=WorkflowState.HELD), {"chain0"}),
        (WorkflowFilter(agent="a1"), {"pair0"}),
        (WorkflowFilter(agent="a1", template="one"), set()),
        (WorkflowFilter(text="x", template="chain"), {"chain0"}),
        (WorkflowFilter(status=WorkflowState.COMPLETED), set()),
    ],
)
def test_it_is_done_to_those_alone_that_fit(many: Bench, wanted: WorkflowFilter, names: set[str]) -> None:
    before = {row["id"] for row in many.rows("SELECT id FROM workflows WHERE status = 'cancelled'")}
    assert count(many, "cancel", wanted) == len(names)
    act(many, "cancel", wanted)
    many.advance(1)
    assert {row["id"] for row in many.rows("SELECT id FROM workflows WHERE status = 'cancelled'")} == before | names


def test_it_goes_on_after_a_restart_and_leaves_what_came_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "WORKFLOWS_AT_ONCE", 1)
    for number in range(5):
        bench.start("one", f"w{number}")
    act(bench, "cancel")
    bench.start("one", "later")
    bench.restart()
    bench.advance(1)
    assert states(bench) == [*["cancelled"] * 5, "initializing"]


def test_large_workflows_are_worked_off_one_in_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STEPS_AT_ONCE", 4)
    for number in range(4):
        bench.start("chain", f"w{number}")
    act(bench, "cancel", WorkflowFilter(status=WorkflowState.INITIALIZING))
    assert states(bench) == ["initializing", "initializing", "cancelled", "cancelled"]
    bench.advance(1)
    assert states(bench) == ["cancelled"] * 4
    assert bench.rows("SELECT 1 FROM bulks") == []


def test_little_is_looked_at_in_one_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LOOKED_AT_ONCE", 2)
    bench.start("one", "w0", inputs={"message": "sought"})
    for number in range(1, 6):
        bench.start("one", f"w{number}")
    act(bench, "cancel", WorkflowFilter(text="sought", status=WorkflowState.INITIALIZING))
    assert states(bench)[0] == "initializing"
    bench.advance(1)
    assert states(bench) == ["cancelled", *["initializing"] * 5]


def test_a_stalled_workflow_counts_for_retry_only_when_one_of_its_steps_is_in_doubt(bench: Bench) -> None:
    bench.presence(online=False)
    bench.start("one")
    bench.advance(61)
    assert bench.workflow_state() == "stalled"
    assert count(bench, "retry") == 0


def test_no_more_commands_wait_than_are_allowed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BULKS_MAX", 1)

    def two(_at: object) -> None:
        bench.reactor.act_on_many("cancel", EVERY)
        bench.reactor.act_on_many("cancel", EVERY)

    with pytest.raises(Refused, match="too many commands"):
        bench.call(two)


def test_counting_ends_at_its_bounds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        bench.start("one", f"w{number}")
    monkeypatch.setattr(lists, "COUNTED_MAX", 2)
    assert count(bench, "cancel") == 3
    monkeypatch.setattr(lists, "LOOKED_AT_MAX", 2)
    assert count(bench, "cancel", WorkflowFilter(text="nowhere")) is None
