"""A bridge between a ship's mosquitto and the shore's: which topics go which way, and what the ship's is told.

Everything that one side's nodes say to the other side's is named, node by node. So what is said aboard stays aboard,
and nothing comes back to where it was said: a node's presence from before a cut, come back as news, would look like
another node with its id.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from caroni_edge.brokerconfig.rights import ANY, Right
from caroni_edge.protocol.topics import Topics

Direction = Literal["in", "out"]
NOTICE, MESSAGE, BYTES, QUESTION = 0, 1, 0, 0
"""QoS. Notices say a whole state, and the newest comes again with each connect: an old one must not wait in a queue.
Bytes of objects are asked for again, and must not fill one; nor is a question answered long after it was asked."""


class Side(NamedTuple):
    """The nodes of one side, by their ids."""

    managers: Sequence[str]
    agents: Sequence[str]


class Bridged(NamedTuple):
    """A topic filter that is carried.

    Attributes:
        topic: What is carried.
        direction: `out`, to the shore, or `in`, to the ship.
        qos: The greatest that it is carried with.
    """

    topic: str
    direction: Direction
    qos: int


def bridged(root: str, ship: Side, shore: Side) -> Iterator[Bridged]:
    """Yield what a bridge carries."""
    for manager in ship.managers:
        yield from _of_manager(Topics(root, "managers", manager), shore, "out", "in")
        yield Bridged(Topics(root, "managers", manager).triggers, "in", MESSAGE)
        yield Bridged(Topics(root, "managers", manager).questions, "in", QUESTION)
        yield Bridged(Topics(root, "managers", manager).events(ANY), "out", MESSAGE)
    for agent in ship.agents:
        yield from _of_agent(Topics(root, "agents", agent), shore, "out", "in")
    if ship.managers:
        yield Bridged(f"{root}/replies/#", "out", MESSAGE)
    if ship.agents:
        for manager in shore.managers:
            yield from _of_manager(Topics(root, "managers", manager), Side((), ()), "in", "out")
    if ship.managers:
        for agent in shore.agents:
            yield from _of_agent(Topics(root, "agents", agent), Side((), ()), "in", "out")


def _of_manager(topics: Topics, peers: Side, away: Direction, home: Direction) -> Iterator[Bridged]:
    """Yield what a manager says to the other side, and what is said to it by agents there."""
    yield Bridged(topics.presence, away, NOTICE)
    yield Bridged(topics.request(ANY), away, NOTICE)
    for agent in peers.agents:
        yield Bridged(topics.inbox_of(agent), away, MESSAGE)
        yield Bridged(Topics(topics.root, "agents", agent).inbox_of(topics.node), home, MESSAGE)
        yield from _of_objects(topics, Topics(topics.root, "agents", agent), away, home)


def _of_agent(topics: Topics, peers: Side, away: Direction, home: Direction) -> Iterator[Bridged]:
    """Yield what an agent says to the other side, and what is said to it by managers there."""
    yield Bridged(topics.presence, away, NOTICE)
    for manager in peers.managers:
        yield Bridged(topics.inbox_of(manager), away, MESSAGE)
        yield Bridged(Topics(topics.root, "managers", manager).inbox_of(topics.node), home, MESSAGE)
        yield from _of_objects(topics, Topics(topics.root, "managers", manager), away, home)
    for agent in peers.agents:
        yield from _of_objects(topics, Topics(topics.root, "agents", agent), away, home)


def _of_objects(topics: Topics, other: Topics, away: Direction, home: Direction) -> Iterator[Bridged]:
    """Yield what a node and one of the other side say to each other about bytes of objects."""
    for sender, receiver, direction in ((topics, other, away), (other, topics, home)):
        yield Bridged(sender.ask_of(receiver.role, receiver.node), direction, BYTES)
        yield Bridged(sender.answer_to(receiver.role, receiver.node), direction, BYTES)


def rights_of_bridge(root: str, ship: Side, shore: Side) -> Iterator[Right]:
    """Yield what the bridge may do at the shore's broker: what its nodes could, and no more."""
    for each in bridged(root, ship, shore):
        yield Right("write" if each.direction == "out" else "read", each.topic)


class Access(NamedTuple):
    """How the ship's broker reaches the shore's.

    Attributes:
        address: Host and port.
        login: User name there.
        password: In place of it there may be a certificate.
        ca_file: By which the shore's broker is known; none without TLS.
        certificate: The bridge's own certificate and its key.
    """

    address: str
    login: str
    password: str | None
    ca_file: str | None
    certificate: tuple[str, str] | None


def configuration(root: str, access: Access, topics: Iterator[Bridged]) -> str:
    """Return the configuration for the ship's mosquitto."""
    lines = [
        "# Made by `caroni-edge broker-config`: the way from this broker to the shore's. While it is cut both sides",
        "# work on; what is said meanwhile waits in the brokers, and in the nodes' own databases.",
        f"connection {access.login}",
        f"address {access.address}",
        f"local_clientid {root}-bridge-{access.login}",
        f"remote_clientid {root}-bridge-{access.login}",
        f"remote_username {access.login}",
    ]
    if access.password is not None:
        lines.append(f"remote_password {access.password}")
    if access.ca_file is not None:
        lines.append(f"bridge_cafile {access.ca_file}")
    if access.certificate is not None:
        lines += [f"bridge_certfile {access.certificate[0]}", f"bridge_keyfile {access.certificate[1]}"]
    lines += [
        "# Both brokers keep the session while the line is down.",
        "cleansession false",
        "bridge_attempt_unsubscribe false",
        "bridge_protocol_version mqttv311",
        "notifications false",
        "keepalive_interval 20",
        "restart_timeout 1 30",
        "",
        *(f"topic {each.topic} {each.direction} {each.qos}" for each in topics),
    ]
    return "\n".join(lines) + "\n"
