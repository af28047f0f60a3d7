"""Who may say and hear what: the one truth for every broker's form of it, and for the example that we ship."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from caroni_edge.config import ManagerConfig
from caroni_edge.config.notify import Topic
from caroni_edge.protocol.topics import Topics

Role = Literal["manager", "agent", "person", "bridge"]
Access = Literal["read", "write", "readwrite"]
ANY = "+"
"""Stands for every node, job type or workflow."""


class Right(NamedTuple):
    """What a login may do.

    Attributes:
        access: To hear it, to say it, or both.
        topic: A topic filter.
    """

    access: Access
    topic: str


def rights_of(name: str, role: Role, managers: Iterable[str], root: str) -> Iterator[Right]:
    """Yield what a login may do.

    A node is known by its inbox: whoever may write into `…/inbox/agents/a1` is the agent a1.

    Args:
        name: The login, which is the node's id.
        role: What it is.
        managers: Those whose workflows people may start and follow.
        root: First segment of all topics.
    """
    match role:
        case "manager":
            yield from _of_manager(Topics(root, "managers", name))
        case "agent":
            yield from _of_agent(Topics(root, "agents", name))
        case "bridge":
            return  # its rights are those of the nodes behind it
        case "person":
            yield from _of_person(name, root, [Topics(root, "managers", manager) for manager in managers])


def rights_asked_by(config: ManagerConfig) -> tuple[Right, ...]:
    """Return what a manager needs beside the rights of its role, for what its configuration says.

    Args:
        config: The manager's: what its triggers listen to, where its notifications and its replies may go.
    """
    heard = [rule.topic for rule in config.rules]
    told = [entry.target.topic for entry in config.notify if isinstance(entry.target, Topic)]
    rights = [
        *(Right("read", topic) for topic in heard),
        *(Right("write", topic) for topic in (*told, *config.reply_to)),
    ]
    return tuple(dict.fromkeys(rights))


def _of_manager(topics: Topics) -> Iterator[Right]:
    yield Right("read", topics.triggers)
    yield Right("read", topics.questions)
    yield Right("read", topics.inboxes)
    yield Right("write", topics.inbox_of(ANY))
    yield Right("write", topics.events(ANY))
    yield Right("write", f"{topics.root}/replies/#")
    yield Right("write", topics.request(ANY))
    yield from _of_node(topics)


def _of_agent(topics: Topics) -> Iterator[Right]:
    yield Right("read", topics.inboxes)
    yield Right("write", topics.inbox_of(ANY))
    yield Right("read", topics.requests_for(ANY))
    yield from _of_node(topics)


def _of_node(topics: Topics) -> Iterator[Right]:
    yield Right("readwrite", topics.presence)
    yield Right("readwrite", topics.doctor)
    yield Right("read", topics.presence_of_peers)
    yield Right("read", topics.asks)
    yield Right("read", topics.answers)
    yield Right("write", topics.ask_of(ANY, ANY))
    yield Right("write", topics.answer_to(ANY, ANY))


def _of_person(name: str, root: str, managers: list[Topics]) -> Iterator[Right]:
    for topics in managers:
        yield Right("write", topics.triggers)
        yield Right("write", topics.question_of(name))
        yield Right("read", topics.events(ANY))
        yield Right("read", topics.presence)
        yield Right("read", topics.ask_of_submit(ANY))
        yield Right("write", topics.answer_of_submit(ANY))
    yield Right("read", f"{root}/replies/{name}/#")
