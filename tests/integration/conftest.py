"""Keepers, runners, and a manager with its API for integration tests: each test has its own, and all of it is ended."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge.agent.boxes.host import look
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.keeper import jobs as keeper_jobs
from caroni_edge.agent.keeper.jobs import Jobs
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.records import JOBS, RUNNING
from caroni_edge.cli import main
from caroni_edge.web import health
from caroni_edge.web.server import WebServer
from tests.brokers import find
from tests.keepers import InProcess, Keeper, end_all, keepers
from tests.runners import Agent, MakeAgent
from tests.support import WITHIN_S
from tests.web_bench import TOKEN, Client, ManagerBench, serve_manager

MakeKeeper = Callable[..., Keeper]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who asks how a node is wait for the first examination, however long it takes."""
    monkeypatch.setattr(health, "FIRST_WITHIN_S", WITHIN_S)


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


@pytest.fixture
def boxed(make_agent: MakeAgent, tmp_path: Path) -> Agent:
    """Return an agent that makes boxes."""
    find("bwrap", "bubblewrap")
    state = tmp_path / "state"
    for name in ("jobs", "scripts"):
        (state / name).mkdir(mode=0o700, exist_ok=True)
    boxes = look(hidden(state, [], None), os.environ["PATH"])
    if boxes.able.no_shared or boxes.able.no_each:
        pytest.skip(f"no box can be made here: {boxes.able}")
    return make_agent(boxes=boxes)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    """Give a manager without agents."""
    bench = ManagerBench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def server(bench: ManagerBench, tmp_path: Path) -> Iterator[WebServer]:
    """Serve the API and the pages of that manager."""
    with serve_manager(bench, tmp_path) as server:
        yield server


@pytest.fixture
def client(server: WebServer) -> Iterator[Client]:
    """Give a program with the token of that manager."""
    with Client(server) as client:
        yield client


@pytest.fixture
def run(server: WebServer) -> Run:
    """Give the command line, which asks that manager; it is called with words, and with what a person answers."""

    def run(*words: str, token: str | None = TOKEN, answer: str | None = None) -> Result:
        environ = {"CARONI_TOKEN": token, "CARONI_URL": server.url}
        return CliRunner().invoke(main, [*words], env=environ, prog_name="caroni-edge", input=answer)

    return run
