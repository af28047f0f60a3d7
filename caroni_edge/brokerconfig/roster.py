"""Who may log in at a broker, and how it is set up: what a directory of `broker-config` remembers of itself."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from caroni_edge.base.errors import UsageError
from caroni_edge.brokerconfig.bridges import Side, rights_of_bridge
from caroni_edge.brokerconfig.rights import Access, Right, Role, rights_asked_by, rights_of
from caroni_edge.config import ManagerConfig
from caroni_edge.protocol.fields import is_segment

Kind = Literal["mosquitto", "rabbitmq"]
FILE = "broker-config.json"
LOGINS_MAX = 10_000
_RANGE = re.compile(r"(?P<name>.*?)(?P<first>\d+)\.\.(?P=name)(?P<last>\d+)", re.ASCII)
_FOLDERS: dict[Role, str] = {"manager": "managers", "agent": "agents", "person": "people", "bridge": "bridges"}


class Login(msgspec.Struct, frozen=True):
    """A node or a person.

    Attributes:
        name: User name at the broker; the node's id.
        role: What it is.
        password_hash: What the broker keeps of its password; empty where it has none yet, or shows a certificate.
        certificate: Number of its certificate; empty where it has none.
        managers: Of a bridge: those on its other side.
        agents: Of a bridge, likewise.
    """

    name: str
    role: Role
    password_hash: str = ""
    certificate: str = ""
    managers: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """What is for it lies there, below the directory."""
        return f"{_FOLDERS[self.role]}/{self.name}"

    @property
    def is_node(self) -> bool:
        """Whether it is a manager or an agent."""
        return self.role in {"manager", "agent"}


class Extra(msgspec.Struct, frozen=True, array_like=True):
    """A right that a login has beside those of its role, as for what starts workflows at a manager."""

    name: str
    access: Access
    topic: str


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How the broker is set up; decided when a directory is made, and kept from then on.

    Attributes:
        broker: Which one it is.
        root: First segment of all topics.
        hosts: Names and addresses of the broker, the one that nodes are told first.
        tls: Connections are encrypted.
        client_certificates: Nodes and people show a certificate in place of a password.
        port: For nodes.
        people_port: For people, and for further connections of nodes.
        install_dir: Where the broker's files will lie on its host.
    """

    broker: Kind
    root: str
    hosts: tuple[str, ...]
    tls: bool
    client_certificates: bool
    port: int
    people_port: int
    install_dir: str


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """All that a directory remembers.

    Attributes:
        setup: How the broker is set up.
        logins: Who there is, by name.
        extras: Rights beside those of the roles.
        configured: Those that the configuration of a manager asks for, as it was given last; by its login.
    """

    setup: Setup
    logins: dict[str, Login] = {}
    extras: tuple[Extra, ...] = ()
    configured: dict[str, tuple[Right, ...]] = {}

    def named(self, role: Role) -> list[str]:
        """Return the names of all logins that are of a kind."""
        return [login.name for login in self.logins.values() if login.role == role]

    def sides(self, bridge: Login) -> tuple[Side, Side]:
        """Return the nodes behind a bridge, and those of this broker."""
        return Side(bridge.managers, bridge.agents), Side(self.named("manager"), self.named("agent"))

    def rights(self, login: Login) -> Iterator[Right]:
        """Yield what a login may do."""
        behind = [manager for bridge in self.logins.values() for manager in bridge.managers]
        yield from rights_of(login.name, login.role, [*self.named("manager"), *behind], self.setup.root)
        if login.role == "bridge":
            yield from rights_of_bridge(self.setup.root, *self.sides(login))
        given = [Right(extra.access, extra.topic) for extra in self.extras if extra.name == login.name]
        yield from dict.fromkeys([*given, *self.configured.get(login.name, ())])


def names_in(texts: Iterable[str], role: Role) -> Iterator[Login]:
    """Yield the logins that options name: `a1`, or all of `a1..a50`.

    Raises:
        UsageError: One is no name.
    """
    for text in texts:
        for name in _spread(text, role):
            if not is_segment(name):
                raise UsageError(
                    f"--{role} {text}", "this is no name", "A name is 1 to 40 of a-z 0-9 _ -; a1..a50 is fifty of them."
                )
            yield Login(name, role)


def bridges_in(managers: Iterable[tuple[str, str]], agents: Iterable[tuple[str, str]]) -> list[Login]:
    """Return the bridges that options name, with the nodes behind each.

    Raises:
        UsageError: One is no name.
    """
    found = dict[str, Login]()
    for bridge, text in managers:
        there = found.setdefault(bridge, next(names_in([bridge], "bridge")))
        more = tuple(login.name for login in names_in([text], "manager"))
        found[bridge] = msgspec.structs.replace(there, managers=there.managers + more)
    for bridge, text in agents:
        there = found.setdefault(bridge, next(names_in([bridge], "bridge")))
        more = tuple(login.name for login in names_in([text], "agent"))
        found[bridge] = msgspec.structs.replace(there, agents=there.agents + more)
    return list(found.values())


def _spread(text: str, role: Role) -> Iterator[str]:
    found = _RANGE.fullmatch(text)
    if found is None:
        yield text
        return
    first, last = found["first"], found["last"]
    if not int(first) <= int(last) < int(first) + LOGINS_MAX:
        raise UsageError(f"--{role} {text}", "this is no range", f"Write a1..a50; it has {LOGINS_MAX:,} names at most.")
    for number in range(int(first), int(last) + 1):
        yield f"{found['name']}{number:0{len(first)}}"


def enlarged(roster: Roster, wanted: Iterable[Login], extras: Iterable[Extra]) -> Roster:
    """Return a roster with more in it; what was there stays as it was.

    Raises:
        UsageError: A name is given twice, is another's, or cannot be a login; a right names nobody.
    """
    logins, given = dict(roster.logins), set[str]()
    for login in wanted:
        there = logins.get(login.name, login)
        if login.name in given or there.role != login.role:
            what = "is given twice" if login.name in given else f"is there already, as {there.role}"
            hint = "Managers, agents and people share one broker: each needs a name of its own."
            raise UsageError(f"--{login.role} {login.name}", f"this name {what}", hint)
        if login.name.startswith(roster.setup.root) and roster.setup.broker == "mosquitto":
            raise UsageError(
                f"--{login.role} {login.name}",
                f"no login of mosquitto may begin with the topic root {roster.setup.root}",
                "Client ids of people begin with it: they could take over this node's session. Choose another name.",
            )
        given.add(login.name)
        logins[login.name] = _with_more_behind(there, login)
    if len(logins) > LOGINS_MAX:
        raise UsageError("", f"these are {len(logins):,} logins", f"{LOGINS_MAX:,} at most go into one broker.")
    _check_behind(logins)
    ordered = sorted(logins.values(), key=_order)
    more = dict.fromkeys([*roster.extras, *extras])
    for extra in more:
        if extra.name not in logins:
            raise UsageError(f"--allow {extra.name}", "there is no such login", "Name a manager, agent or person.")
    by_name = {login.name: login for login in ordered}
    return msgspec.structs.replace(roster, logins=by_name, extras=tuple(more))


def asking(roster: Roster, configs: Iterable[tuple[Path, ManagerConfig]]) -> Roster:
    """Return a roster in which managers have the rights that their configurations ask for, and no more those of before.

    Raises:
        UsageError: A manager has other topics than the nodes of this broker.
    """
    configured = dict(roster.configured)
    for path, config in configs:
        if config.topic_root != roster.setup.root:
            what = f"its topic_root is {config.topic_root}, and that of this broker's nodes is {roster.setup.root}"
            raise UsageError(f"--config {path}", what, f"Say --topic-root {config.topic_root} for a new directory.")
        configured[config.id] = rights_asked_by(config)
    return msgspec.structs.replace(roster, configured=configured)


def _check_behind(logins: dict[str, Login]) -> None:
    """Look whether each node is at one broker only."""
    seen = dict.fromkeys(logins, "here")
    for bridge in logins.values():
        for name in (*bridge.managers, *bridge.agents):
            if name in seen:
                what = f"{name} is {seen[name]} already"
                raise UsageError(
                    f"--bridge-manager or --bridge-agent {bridge.name} {name}", what, "Each node has one broker."
                )
            seen[name] = f"behind {bridge.name}"


def _with_more_behind(there: Login, wanted: Login) -> Login:
    managers, agents = dict.fromkeys(there.managers + wanted.managers), dict.fromkeys(there.agents + wanted.agents)
    return msgspec.structs.replace(there, managers=tuple(managers), agents=tuple(agents))


def _order(login: Login) -> tuple[int, list[tuple[int, str]]]:
    numbers = [(int(piece or 0), piece) if piece.isdigit() else (0, piece) for piece in re.split(r"(\d+)", login.name)]
    return list(_FOLDERS).index(login.role), numbers


def read_roster(directory: Path) -> Roster | None:
    """Return what a directory remembers; None where it remembers nothing.

    Raises:
        UsageError: It cannot be read.
    """
    path = directory / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Roster)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(str(path), f"this cannot be read: {error.strerror}", "Choose another --out.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"this cannot be read: {error}", "Bring it back from a copy.") from None


def as_text(roster: Roster) -> str:
    """Return what a directory is to remember."""
    return msgspec.json.format(msgspec.json.encode(roster), indent=1).decode() + "\n"
