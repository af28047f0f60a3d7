"""Whether every promise was kept, by what the databases, the jobs' files and the logs say in the end."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from caroni_edge.agent.keeper.records import RUNNING
from caroni_edge.agent.processes.homes import names_of
from tests.chaos.photos import file_of, is_whole
from tests.chaos.stage import Member, Stage
from tests.chaos.work import Ear, User, ask

FAULTS_OF_THE_PROGRAM = (
    "action=command_failed",
    "action=connection_failed",
    "action=rejection_failed",
    "action=request_failed",
    "action=settle_failed",
    "action=thread_ended",
    "action=transport_ended",
    "Traceback",
)

LIVE = "'pending', 'staging', 'queued', 'running', 'collecting'"
STEPS = """
    SELECT workflows.id AS workflow, steps.path, steps.status, steps.outputs,
        (SELECT count(*) FROM jobs WHERE jobs.step = steps.id AND jobs.status = 'completed') AS completed
    FROM steps JOIN workflows ON workflows.seq = steps.workflow
"""
JOBS = """
    SELECT jobs.job, jobs.attempt, jobs.status, jobs.reason, workflows.id AS workflow, steps.path
    FROM jobs JOIN steps ON steps.id = jobs.step JOIN workflows ON workflows.seq = steps.workflow
"""
PLACES = """
    SELECT workflows.id AS workflow, object_places.object, object_places.agent
    FROM object_places JOIN workflows ON workflows.seq = object_places.workflow WHERE object_places.held
"""
WORKFLOWS = "SELECT id, status, reason, outputs FROM workflows"


def _running(state_dir: Path) -> list[str]:
    """Return what is on the lists of all keepers of an agent."""
    homes = [state_dir, *(state_dir / name for name in names_of(state_dir))]
    return [job for home in homes if (home / RUNNING).exists() for job in os.listdir(home / RUNNING)]


def unfinished(member: Member) -> list[str]:
    """Return what a node still waits for, when all work has ended."""
    counts = {
        "messages in the outbox": "SELECT count(*) FROM outbox",
        "events": "SELECT count(*) FROM events",
    }
    if member.is_agent:
        counts["live jobs"] = f"SELECT coalesce(sum(jobs), 0) FROM load WHERE state IN ({LIVE})"
        counts["files that jobs wait for"] = "SELECT count(*) FROM wanted_objects"
        counts["open offers"] = "SELECT count(*) FROM offers WHERE state = 'open'"
    else:
        counts["open jobs"] = "SELECT count(*) FROM jobs WHERE open"
        counts["open offers"] = "SELECT count(*) FROM offers WHERE status = 'received'"
    left = {what: ask(member.daemon.state_dir, statement)[0][0] for what, statement in counts.items()}
    if member.is_agent:
        left["jobs in the keeper's list"] = len(_running(member.daemon.state_dir))
    return [f"{member.name} has {count} {what}" for what, count in left.items() if count]


def check(stage: Stage, users: Iterable[User], ear: Ear) -> dict[str, list[str]]:
    """Return all that is wrong, by what was promised not to be."""
    managers, members = stage.managers, stage.members
    return {
        "lost": [problem for user in users for problem in _lost(user)],
        "files lost or wrong": [problem for user in users for problem in _files(stage, user)],
        "completed twice": [problem for member in managers for problem in _completed_twice(member)],
        "said twice to be completed": [f"{name}: {ids}" for name, ids in ear.completed.items() if len(ids) > 1],
        "one attempt's effect twice": list(_started_twice(stage.effects)),
        "completed without an effect": [problem for member in managers for problem in _no_effect(stage, member)],
        "left over": [problem for member in members for problem in unfinished(member)],
        "failures of the program": [problem for member in members for problem in _failures_of_the_program(member)],
    }


def _lost(user: User) -> Iterator[str]:
    found = {row["id"]: row for row in ask(user.manager.state_dir, WORKFLOWS)}
    for workflow, outputs in user.expected.items():
        row = found.get(workflow)
        if row is None:
            yield f"lost: {workflow} is not known"
        elif row["status"] != "completed":
            yield f"lost: {workflow} is {row['status']}: {row['reason']}"
        elif json.loads(row["outputs"]) != outputs:
            yield f"{workflow} has the outputs {row['outputs']}, and should have {outputs}"
    for workflow in found.keys() - user.expected.keys():
        yield f"{workflow} was started by nobody"


def _files(stage: Stage, user: User) -> Iterator[str]:
    states = {agent.name: agent.daemon.state_dir for agent in stage.agents}
    places: dict[tuple[str, str], list[str]] = {}
    for row in ask(user.manager.state_dir, PLACES):
        places.setdefault((row["workflow"], row["object"]), []).append(row["agent"])
    for workflow, outputs in user.expected.items():
        if (found := file_of(outputs)) is None:
            continue
        agents = places.get((workflow, found.id), [])
        if not agents:
            yield f"nobody has the file {found.id} of {workflow}"
        for agent in agents:
            if not is_whole(states[agent], found):
                yield f"{agent} has not the bytes of the file {found.id} of {workflow}"


def _completed_twice(member: Member) -> Iterator[str]:
    for row in ask(member.daemon.state_dir, STEPS):
        if row["status"] != "completed" or row["completed"] != 1:
            yield f"{row['workflow']}/{row['path']} is {row['status']} with {row['completed']} completed attempts"


def _started_twice(effects: Path) -> Iterator[str]:
    attempts: Counter[str] = Counter()
    for path in effects.iterdir():
        lines = path.read_text().splitlines()
        attempts.update(line.partition(" ")[0] for line in lines)
        if len(lines) > 1:
            yield f"job {path.name} was started {len(lines)} times: {lines}"
    yield from (f"attempt {attempt} was started {times} times" for attempt, times in attempts.items() if times > 1)


def _no_effect(stage: Stage, member: Member) -> Iterator[str]:
    for row in ask(member.daemon.state_dir, f"{JOBS} WHERE jobs.status = 'completed'"):
        path, expected = stage.effects / row["job"], f"{row['workflow']}/{row['path']}/{row['attempt']} {row['job']}"
        if not path.exists() or expected not in path.read_text().splitlines():
            yield f"job {row['job']} completed, but left no line {expected}"


def _failures_of_the_program(member: Member) -> Iterator[str]:
    for line in member.daemon.log.splitlines():
        if any(words in line for words in FAULTS_OF_THE_PROGRAM):
            yield f"{member.name} logged: {line}"
    for row in ask(member.daemon.state_dir, "SELECT peer, message, traceback FROM dead_letters"):
        yield f"{member.name} could not handle a {row['message']} of {row['peer']}: {row['traceback']}"
