"""The checker sees each kind of broken promise."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from caroni_edge.node.startup import DATABASE
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.storage.database import open_database
from tests.chaos import photos
from tests.chaos.checker import check
from tests.chaos.stage import Member, Stage
from tests.chaos.work import Ear, User

GOOD = "w1/upper/1 j1\n"
EXPECTED = {"w1": {"result": "X"}}

INSERT_WORKFLOW = """
    INSERT INTO workflows (id, template, plan, content, status, priority, inputs, outputs, steps_left, created, ended)
    VALUES ('w1', 't', 'p', 'c', 'completed', 4, '{}', '{"result": "X"}', 0, 1.0, 2.0)
"""
INSERT_STEP = """
    INSERT INTO steps (workflow, path, name, job_type, status, priority, missing, inputs, job, attempt)
    VALUES (1, 'upper', 'upper', 'foojob0', 'completed', 4, 0, '{}', 'j1', 1)
"""
INSERT_JOB = """
    INSERT INTO jobs (job, step, attempt, agent, status, open, data_sent, repeat, placed)
    VALUES (?, 1, ?, 'a1', 'completed', 0, 1, 1, 1.0)
"""


class World:
    """A manager whose one workflow has completed as it should have."""

    def __init__(self, directory: Path) -> None:
        self.effects, self.agent = directory / "effects", directory / "agent"
        self.effects.mkdir()
        self.effect("j1", GOOD)
        self.database = open_database(directory / DATABASE, "managers")
        self.sql(INSERT_WORKFLOW)
        self.sql(INSERT_STEP)
        self.sql(INSERT_JOB, "j1", 1)
        self.daemon = SimpleNamespace(name="m1", role="manager", state_dir=directory, log="")
        self.expected: dict[str, Any] = EXPECTED
        self.heard = {"w1": {"event 1"}}

    def sql(self, statement: str, *values: object) -> None:
        self.database.conn.execute(statement, values)

    def effect(self, job: str, text: str) -> None:
        (self.effects / job).write_text(text)

    def problems(self) -> list[str]:
        member = Member(cast(Any, self.daemon), cast(Any, None))
        agent = Member(cast(Any, SimpleNamespace(name="a1", role="agent", state_dir=self.agent)), cast(Any, None))
        found = SimpleNamespace(effects=self.effects, managers=[member], agents=[agent], members=[member])
        stage = cast(Stage, found)
        user = cast(User, SimpleNamespace(manager=self.daemon, expected=self.expected))
        broken = check(stage, [user], cast(Ear, SimpleNamespace(completed=self.heard)))
        return [problem for problems in broken.values() for problem in problems]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_as_it_should_be_breaks_no_promise(world: World) -> None:
    assert world.problems() == []


def test_an_attempt_that_failed_may_have_left_a_line(world: World) -> None:
    world.effect("j0", "w1/upper/0 j0\n")
    assert world.problems() == []


@pytest.mark.parametrize(
    ("job", "text"),
    [("j1", GOOD * 2), ("j2", "w1/upper/1 j2\n"), ("j1", "w1/upper/2 j1\n"), ("j1", "")],
    ids=["a job twice", "an attempt twice", "another attempt", "nothing"],
)
def test_starts_that_are_wrong_are_seen(world: World, job: str, text: str) -> None:
    world.effect(job, text)
    assert world.problems()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM workflows",
        "UPDATE workflows SET status = 'running'",
        f"UPDATE workflows SET outputs = '{json.dumps({'result': 'Y'})}'",
        "UPDATE workflows SET id = 'w2'",
        "UPDATE steps SET status = 'running'",
        "UPDATE jobs SET status = 'failed'",
        "UPDATE jobs SET open = 1",
        "INSERT INTO outbox (peer, seq, id, body) VALUES ('agents/a1', 1, 'x', x'')",
        "INSERT INTO events (topic, body) VALUES ('t', x'')",
        "INSERT INTO dead_letters (date, peer, message, body, traceback) VALUES (1, 'a1', 'JobOffer', x'', 'why')",
    ],
)
def test_a_database_that_is_wrong_is_seen(world: World, statement: str) -> None:
    world.sql(statement)
    assert world.problems()


@pytest.fixture
def with_file(world: World) -> World:
    """Let the workflow be one that has given a file, which lies at its agent."""
    photo = photos.photo("w1", photos.EVERY // 2)
    assert photo is not None
    content = b"w1\n" * (photo.inputs["size"] // 3 + 1)
    found = ObjectFiles(world.agent).keep(content[: photo.inputs["size"]])
    world.expected = {"w1": photo.outputs}
    world.sql("UPDATE workflows SET outputs = ?", json.dumps(photo.outputs))
    world.sql("INSERT INTO object_places (workflow, object, agent) VALUES (1, ?, 'a1')", found.id)
    return world


def test_a_file_that_is_where_its_manager_knows_it_breaks_no_promise(with_file: World) -> None:
    assert with_file.problems() == []


@pytest.mark.parametrize("statement", ["DELETE FROM object_places", "UPDATE object_places SET held = 0"])
def test_a_file_that_its_manager_knows_nowhere_is_seen(with_file: World, statement: str) -> None:
    with_file.sql(statement)
    assert [problem.split()[0] for problem in with_file.problems()] == ["nobody"]


@pytest.mark.parametrize("content", [b"", None], ids=["other bytes", "none"])
def test_a_file_that_its_agent_has_not_whole_is_seen(with_file: World, content: bytes | None) -> None:
    (path,) = (path for path in with_file.agent.rglob("*") if path.is_file())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert [problem.split()[0] for problem in with_file.problems()] == ["a1"]


def test_a_step_that_completed_twice_is_seen(world: World) -> None:
    world.sql(INSERT_JOB, "j2", 2)
    world.effect("j2", "w1/upper/2 j2\n")
    assert world.problems() == ["w1/upper is completed with 2 completed attempts"]


def test_two_events_for_one_end_are_seen(world: World) -> None:
    world.heard["w1"].add("event 2")
    assert world.problems() == [f"w1: {world.heard['w1']}"]


def test_a_failure_of_the_program_is_seen(world: World) -> None:
    world.daemon.log = "ERROR managers/m1 deciding failed; trying again in 5 s action=settle_failed"
    assert world.problems()
