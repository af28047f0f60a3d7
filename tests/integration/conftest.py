"""Keepers and runners for integration tests, with their own directories; all that they have started is ended."""

from collections.abc import Callable, Iterator
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

import pytest

from caroni_edge.agent.keeper import jobs as keeper_jobs
from caroni_edge.agent.keeper.jobs import Jobs
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.records import JOBS, RUNNING
from tests.keepers import InProcess, Keeper, end_all, keepers
from tests.runners import Agent, MakeAgent

MakeKeeper = Callable[..., Keeper]


@pytest.fixture
def make_keeper() -> Iterator[MakeKeeper]:
    with keepers() as make:
        yield make


@pytest.fixture
def keeper(make_keeper: MakeKeeper, tmp_path: Path) -> Keeper:
    return make_keeper(tmp_path / "state")


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keeper_jobs, "GRACE_S", 0.05)
    for directory in (RUNNING, f"{JOBS}/job12345/work"):
        (tmp_path / directory).mkdir(parents=True)
    events: list[dict[str, Any]] = []
    with DefaultSelector() as selector:
        yield InProcess(Jobs(Places.unboxed(str(tmp_path)), selector, events.append, lambda: True), selector, events)


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[MakeAgent]:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    made: list[Agent] = []

    def make(*running: str, **options: Any) -> Agent:
        made.append(Agent(state_dir, running, **options))
        return made[-1]

    yield make
    for agent in made:
        agent.stop()
    end_all({state_dir})


@pytest.fixture
def agent(make_agent: MakeAgent) -> Agent:
    return make_agent()
