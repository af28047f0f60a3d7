"""The state tables are whole: each state has a row and can be reached, each event an arrow, and the wire knows them."""

import ast
import inspect
from collections.abc import Mapping
from enum import Enum
from types import ModuleType
from typing import Any, get_args

import pytest

import caroni_edge.agent.lifecycle
import caroni_edge.manager.lifecycle
from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.peers.strays import LIVE
from caroni_edge.protocol.fields import Status
from tests.architecture.source import PACKAGE, sources
from tools.generate_docs import tables

Table = Mapping[Any, Mapping[Any, Any]]

LIFECYCLES = (caroni_edge.manager.lifecycle, caroni_edge.agent.lifecycle)
TABLES = [
    pytest.param(table, id=f"{module.__name__.split('.')[1]}-{name}")
    for module in LIFECYCLES
    for name, table in tables(module)
]


def states_of(table: Table) -> type[Enum]:
    """Return the states that a table is about."""
    return type(next(iter(table)))


def events_of(table: Table) -> type[Enum]:
    """Return the events that a table is about."""
    return type(next(event for row in table.values() for event in row))


@pytest.mark.parametrize("table", TABLES)
def test_each_state_has_a_row_and_each_event_an_arrow(table: Table) -> None:
    assert set(table) == set(states_of(table))
    assert {event for row in table.values() for event in row} == set(events_of(table))


@pytest.mark.parametrize("table", TABLES)
def test_each_state_can_be_reached(table: Table) -> None:
    reached, new = set[Enum](), [next(iter(table))]
    while new:
        state = new.pop()
        if state not in reached:
            reached.add(state)
            new += table[state].values()
    assert reached == set(table)


@pytest.mark.parametrize("module", LIFECYCLES, ids=lambda module: module.__name__.split(".")[1])
def test_each_kind_of_state_and_event_has_a_table(module: ModuleType) -> None:
    kinds = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__}
    assert kinds == {kind for _, table in tables(module) for kind in (states_of(table), events_of(table))}


def test_the_wire_and_the_manager_know_the_states_of_a_job() -> None:
    unsaid = {JobState.STAGING, JobState.COLLECTING}  # which managers hear as `queued` and `running`
    assert set(get_args(Status)) == {state.value for state in JobState} - unsaid
    assert set(LIVE) == {state.value for state, row in JOB.items() if row} - unsaid


def test_why_has_a_word_about_each_state_of_a_step() -> None:
    (why,) = (source for source in sources(PACKAGE) if source.module == "manager.pages.why")
    cases = {ast.unparse(pattern.value) for pattern in ast.walk(why.tree) if isinstance(pattern, ast.MatchValue)}
    lost = {f"StepState.{state.name}" for state in StepState} - cases
    assert not lost, f"{why.name} says nothing of a step that is {', '.join(sorted(lost))}"
