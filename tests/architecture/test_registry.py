"""The protocol has no loose ends: what is said is taken, shown by an example, and seen in a test."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from caroni_edge.protocol import events, messages, triggers
from caroni_edge.protocol.events import EventType
from caroni_edge.protocol.fields import JobId
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import LinkReset
from caroni_edge.protocol.schema import LINK_MESSAGES, PAYLOADS, components
from tests.architecture.source import PACKAGE, ROOT, calls, listed, sources, within
from tests.unit.agent.bench import Bench as AgentBench
from tests.unit.manager.bench import Bench as ManagerBench
from tools.asyncapi import CHANNELS
from tools.examples import examples
from tools.generate_docs import TRACE

NAMES = {kind.__name__ for kind in LINK_MESSAGES}
EVENTS: tuple[str, ...] = get_args(EventType)
OTHER_IDS = ("offer", "wanted", "fed")
"""Names of the form of a job's, and of something else."""
BY_THE_LINK = {LinkReset.__name__}
"""Taken before a reactor sees it (`node/dispatch.py`)."""
MADE_FOR_ITSELF = {("manager", "JobStatusUpdate"): "what a JobsHere says of a job is taken as an update of it"}
ASKED_BY_NOBODY = {"JobStatusRequest": "agents answer it, and no manager of this version asks"}
TO_OTHERS = {"CloudEvent": "for people and other programs"}


def said_by(role: str) -> set[str]:
    """Return the link messages that the modules of a role make, or those that every node has."""
    return {
        name
        for source in sources(PACKAGE)
        if within(source.module, role, "node", "delivery")
        for called, _ in calls(source.tree)
        if (name := called.rpartition(".")[2]) in NAMES and (role, name) not in MADE_FOR_ITSELF
    }


def taken() -> dict[str, set[str]]:
    """Return the link messages that the reactor of each role has a handler for."""
    handlers = {"manager": ManagerBench().reactor.handlers, "agent": AgentBench().reactor.handlers}
    return {role: {kind.__name__ for kind in kinds} for role, kinds in handlers.items()}


def test_every_struct_of_the_protocol_is_published() -> None:
    structs = {
        name
        for module in (messages, triggers, events)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    }
    lost = structs - components("{name}").keys() - {LinkMessage.__name__}
    assert not lost, f"in no union that caroni_edge/protocol/schema.py publishes: {', '.join(sorted(lost))}"


def test_every_link_message_is_one_of_message() -> None:
    lost = {kind.__name__ for kind in LinkMessage.__subclasses__()} - NAMES
    assert not lost, f"not in the union `Message`, so no codec reads it: {', '.join(sorted(lost))}"


def test_a_rejection_can_tell_which_jobs_a_message_is_about() -> None:
    """`jobs_named` in the codec reads these fields of what cannot be read as a whole."""
    problems = [
        f"{kind.__name__}.{field.name}: a field that names a job is called `job` or `jobs`"
        for kind in LINK_MESSAGES
        for field in msgspec.structs.fields(kind)
        if field.type in (JobId, tuple[JobId, ...]) and field.name not in ("job", "jobs", *OTHER_IDS)
    ]
    assert not problems, listed(problems)


@pytest.mark.parametrize(("sender", "receiver"), [("manager", "agent"), ("agent", "manager")])
def test_what_one_role_says_the_other_takes(sender: str, receiver: str) -> None:
    lost = said_by(sender) - taken()[receiver] - BY_THE_LINK
    assert not lost, f"no handler in caroni_edge/{receiver}/reactor.py: {', '.join(sorted(lost))}"


@pytest.mark.parametrize(("sender", "receiver"), [("manager", "agent"), ("agent", "manager")])
def test_what_one_role_takes_the_other_says(sender: str, receiver: str) -> None:
    idle = taken()[receiver] - said_by(sender) - ASKED_BY_NOBODY.keys()
    assert not idle, f"a handler in caroni_edge/{receiver}/reactor.py for what no {sender} says: {', '.join(idle)}"


def test_every_link_message_is_taken_by_somebody() -> None:
    lost = NAMES.difference(*taken().values(), BY_THE_LINK)
    assert not lost, f"no reactor has a handler for {', '.join(sorted(lost))}"


def test_what_stands_alone_has_a_topic_and_a_reader() -> None:
    channels = {channel.payload for channel in CHANNELS}
    read = {ast.unparse(value) for source in sources(PACKAGE) for value in decoded(source.tree)}
    problems = [
        *(f"{kind.__name__}: no channel in tools/asyncapi.py" for kind in PAYLOADS if kind.__name__ not in channels),
        *(
            f"{kind.__name__}: nothing reads it"
            for kind in PAYLOADS
            if kind.__name__ not in read and kind.__name__ not in TO_OTHERS
        ),
    ]
    assert not problems, listed(problems)


def decoded(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the types that something is decoded to."""
    for name, call in calls(tree):
        if name.rpartition(".")[2] in ("decode_notice", "Decoder") and call.args:
            yield call.args[0]


def test_every_message_has_an_example() -> None:
    lost = NAMES.union(kind.__name__ for kind in PAYLOADS) - examples().keys()
    assert not lost, f"no example in tools/examples.py: {', '.join(sorted(lost))}"


def test_every_message_and_event_is_seen_in_a_test() -> None:
    golden = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/golden").glob("*.txt"))
    units = {
        node.id if isinstance(node, ast.Name) else node.value
        for source in sources("tests/unit")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name | ast.Constant)
    }
    seen = {*re.findall(r"[\w.]+", golden), *(each for each in units if isinstance(each, str))}
    lost = {*NAMES, *(kind.__name__ for kind in PAYLOADS), *EVENTS} - seen
    assert not lost, f"in no golden trace and no unit test: {', '.join(sorted(lost))}"


def test_every_message_and_event_is_described() -> None:
    page = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    written = TRACE.sub("", page)  # what is shown is not yet told
    lost = {*NAMES, *EVENTS} - set(re.findall(r"\b[A-Z]\w+", written)) - named_events(written)
    assert not lost, f"docs/protocol.md does not name {', '.join(sorted(lost))}"


def named_events(page: str) -> set[str]:
    """Return the events that a page names, some by their last word only: `caroni.step.completed`, `.failed`."""
    found, family = set(), ""
    for name in re.findall(r"`(caroni\.[a-z]+\.[a-z]+|\.[a-z]+)`", page):
        family = family if name.startswith(".") else name.rpartition(".")[0]
        found.add(f"{family}{name}" if name.startswith(".") else name)
    return found
