"""Whether the agents that are there could run a template."""

from typing import Any

import pytest

from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.templates.plan import Plan
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.messages import Presence
from tests.unit.manager.bench import CHAIN, ONE, Bench, given
from tests.unit.manager.workflows.test_branches import flow, leaf, nest, value

TAKES = {"text": "string"}
GIVES = {"out": "string"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def show(bench: Bench, agent: str, *, online: bool = True, **types: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Let an agent show itself with the inputs and outputs of its job types."""
    notices = {name: JobTypeNotice(inputs=takes, outputs=gives) for name, (takes, gives) in types.items()}
    said = Presence(online, boot="b", host="h", job_types=notices, slots=2, refuses={})
    bench.notice(agent, said)


def said(bench: Bench, plan: Plan = ONE) -> list[str]:
    found = ManagerViews(bench.database.conn, Plans()).check_agents(plan, bench.settings)
    return [each["sentence"] for each in found]


def test_what_is_served_is_nothing_to_speak_of(bench: Bench) -> None:
    show(bench, "a1", upper=(TAKES, GIVES), lower=({**TAKES, "more": "int?"}, {**GIVES, "more": "int"}))
    assert said(bench, CHAIN) == []


def test_what_nobody_serves_is_said_with_what_is_like_it(bench: Bench) -> None:
    assert said(bench) == ["no agent serves upper"]
    show(bench, "a1", uper=(TAKES, GIVES), foo=(TAKES, GIVES))
    show(bench, "a2", uper=(TAKES, GIVES))
    assert said(bench) == ["no agent serves upper; uper is served by a1, a2"]
    (found,) = ManagerViews(bench.database.conn, Plans()).check_agents(CHAIN, bench.settings)[:1]
    assert (found["job_type"], found["steps"]) == ("upper", ["a", "c"])


def test_who_has_it_and_is_away_is_named(bench: Bench) -> None:
    show(bench, "a1", upper=(TAKES, GIVES))
    show(bench, "a1", online=False, upper=(TAKES, GIVES))
    assert said(bench) == ["no agent serves upper now; a1 has it, and is offline, or takes none"]


def test_who_is_not_trusted_with_it_does_not_count(bench: Bench) -> None:
    show(bench, "a1", upper=(TAKES, GIVES))
    bench.set(trusted={"upper": ("a2",)})
    assert said(bench) == ["no agent that this manager trusts with upper serves it; upper is served by a1"]


@pytest.mark.parametrize(
    ("takes", "gives", "sentence"),
    [
        ({"message": "string"}, GIVES, "step a gives text, which upper of a1 does not take (it takes message)"),
        ({}, GIVES, "step a gives text, which upper of a1 does not take (it takes nothing)"),
        ({**TAKES, "size": "int"}, GIVES, "step a does not give size, which upper of a1 needs"),
        (TAKES, {"jobout": "string"}, "step a wants out, which upper of a1 does not give (it gives jobout)"),
    ],
)
def test_inputs_and_outputs_that_do_not_fit_are_named(
    bench: Bench, takes: dict[str, Any], gives: dict[str, Any], sentence: str
) -> None:
    show(bench, "a1", upper=(takes, gives))
    assert said(bench) == [sentence]
    show(bench, "a2", upper=(TAKES, GIVES))
    assert said(bench) == []  # another one can


def test_what_an_agent_says_in_a_way_of_its_own_is_let_be(bench: Bench) -> None:
    show(bench, "a1", upper=({**TAKES, "new": "a type of tomorrow"}, GIVES))
    assert said(bench) == []


def test_a_step_that_is_bound_elsewhere_is_named(bench: Bench) -> None:
    show(bench, "a1", upper=(TAKES, GIVES))
    bound = flow("bound", leaf("a", value("text", given("text")), agents=("a7",)), result=given("text"))
    assert said(bench, bound) == ["step a is bound to a7, and upper is served by a1"]
    by_value = flow("bound", leaf("a", value("text", given("text")), agents=("$(inputs.text)",)), result=given("text"))
    assert said(bench, by_value) == []


def test_steps_of_nested_workflows_are_looked_at_too(bench: Bench) -> None:
    inner = flow("inner", leaf("a", value("text", given("text")), job_type="odd"), result=given("text"))
    (found,) = ManagerViews(bench.database.conn, Plans()).check_agents(
        flow("outer", nest("n", inner), result=given("text")), bench.settings
    )
    assert (found["job_type"], found["steps"], found["sentence"]) == ("odd", ["n/a"], "no agent serves odd")
