"""What `broker-config` writes, on a real mosquitto: who can touch what, and who can throw off whom."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.transport.base import Arrived, Connected, Disconnected
from tests.brokers import Client
from tests.conftest import MakeClient
from tests.made_brokers import WATCHER, MadeMosquitto
from tests.support import wait_until

NODES = ("--manager", "m1..m2", "--agent", "a1..a2", "--person", "alice", "--person", "bob", "--person", WATCHER)
EXTRA = ("--allow", WATCHER, "readwrite", "#", "--allow", "m1", "read", "sensors/+/temperature")
MODES = {"tls": ("--tls",), "certificates": ("--tls", "--client-certificates")}
LOGINS = ("m1", "m2", "a1", "a2", "alice", "bob")
OTHERS = {"managers/m1": "agents/a1", "managers/m2": "agents/a2", "agents/a1": "agents/a2", "agents/a2": "managers/m1"}
"""Each node, and another one that it asks for an object, or answers."""

WRITERS = {
    **{f"caroni/managers/{m}/workflows": {"alice", "bob"} for m in ("m1", "m2")},
    **{f"caroni/managers/{m}/ask/{person}": {person} for m in ("m1", "m2") for person in ("alice", "bob")},
    **{f"caroni/managers/{m}/inbox/agents/{a}": {a} for m in ("m1", "m2") for a in ("a1", "a2")},
    **{f"caroni/agents/{a}/inbox/managers/{m}": {m} for m in ("m1", "m2") for a in ("a1", "a2")},
    **{f"caroni/managers/{m}/events/w1": {m} for m in ("m1", "m2")},
    **{f"caroni/replies/{person}/x": {"m1", "m2"} for person in ("alice", "bob")},
    **{f"caroni/requests/t/{m}": {m} for m in ("m1", "m2")},
    **{f"caroni/{kind}/managers/{m}": {m} for kind in ("presence", "doctor") for m in ("m1", "m2")},
    **{f"caroni/{kind}/agents/{a}": {a} for kind in ("presence", "doctor") for a in ("a1", "a2")},
    **{f"caroni/objects/{OTHERS[n]}/ask/{n}": {n[-2:]} for n in OTHERS},
    **{f"caroni/objects/{OTHERS[n]}/data/{n}": {n[-2:]} for n in OTHERS},
    "sensors/north/temperature": set(),
    "caroni": set(),
    "caroni/other": set(),
    "caroni/managers/m1": set(),
    "elsewhere": set(),
}
"""Who may publish to a topic: said here once more, by hand."""

READERS = {
    **{f"caroni/managers/{m}/workflows": {m} for m in ("m1", "m2")},
    **{f"caroni/managers/{m}/ask/{person}": {m} for m in ("m1", "m2") for person in ("alice", "bob")},
    **{f"caroni/managers/{m}/inbox/agents/{a}": {m} for m in ("m1", "m2") for a in ("a1", "a2")},
    **{f"caroni/agents/{a}/inbox/managers/{m}": {a} for m in ("m1", "m2") for a in ("a1", "a2")},
    **{f"caroni/managers/{m}/events/w1": {"alice", "bob"} for m in ("m1", "m2")},
    **{f"caroni/replies/{person}/x": {person} for person in ("alice", "bob")},
    **{f"caroni/requests/t/{m}": {"a1", "a2"} for m in ("m1", "m2")},
    **{f"caroni/presence/managers/{m}": {m, "a1", "a2", "alice", "bob"} for m in ("m1", "m2")},
    **{f"caroni/presence/agents/{a}": {a, "m1", "m2"} for a in ("a1", "a2")},
    **{f"caroni/doctor/managers/{m}": {m} for m in ("m1", "m2")},
    **{f"caroni/doctor/agents/{a}": {a} for a in ("a1", "a2")},
    **{f"caroni/objects/{n}/ask/{OTHERS[n]}": {n[-2:]} for n in OTHERS},
    **{f"caroni/objects/{n}/data/{OTHERS[n]}": {n[-2:]} for n in OTHERS},
    "sensors/north/temperature": {"m1"},
    "caroni": set(),
    "caroni/other": set(),
    "caroni/managers/m1": set(),
    "elsewhere": set(),
}
"""Who may hear a topic."""

OWN = {
    "m1": "caroni/doctor/managers/m1",
    "m2": "caroni/doctor/managers/m2",
    "a1": "caroni/doctor/agents/a1",
    "a2": "caroni/doctor/agents/a2",
    "alice": "caroni/replies/alice/x",
    "bob": "caroni/replies/bob/x",
}
"""A topic that a login hears: what comes last there says that all has come."""


@pytest.fixture(scope="module", params=MODES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeMosquitto]:
    broker = MadeMosquitto(tmp_path_factory.mktemp(request.param), *NODES, *EXTRA, *MODES[request.param])
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[MadeMosquitto]:
    """Start one with client certificates, for a test that changes it."""
    broker = MadeMosquitto(tmp_path, *NODES, *MODES["certificates"])
    broker.start()
    yield broker
    broker.kill()


class Clients:
    """Makes connections of logins: nodes at their listener, people at theirs."""

    def __init__(self, broker: MadeMosquitto, make: MakeClient) -> None:
        self._broker, self._make, self._count = broker, make, itertools.count()

    def at(self, login: str, client_id: str = "", *, people: bool | None = None, like: str = "") -> Client:
        """Return a client that is not connected yet; `like`: it shows what another login was handed."""
        is_node = login in {"m1", "m2", "a1", "a2"} if people is None else not people
        listener = self._broker if is_node else self._broker.people
        client_id = client_id or f"caroni-{login}-{next(self._count)}"
        how = {**self._broker.made.login(like or login), "username": login}
        return self._make(listener, client_id, clean_session=not client_id.endswith("kept"), **how)


@pytest.fixture
def clients(made: MadeMosquitto, make_client: MakeClient) -> Clients:
    return Clients(made, make_client)


def test_a_login_says_something_only_where_it_may(clients: Clients) -> None:
    watcher = clients.at(WATCHER)
    watcher.connect()
    watcher.subscribe("#")
    for login in LOGINS:
        client = clients.at(login)
        client.connect()
        for topic in WRITERS:
            client.publish(topic, login.encode())
        last = "caroni/managers/m1/workflows" if login in {"alice", "bob"} else OWN[login]
        client.publish(last, b"last of " + login.encode())
        watcher.wait_for(Arrived, lambda event, login=login: event.payload == b"last of " + login.encode())  # type: ignore[misc]
    heard = {topic: {payload.decode() for payload in watcher.payloads(topic)} & set(LOGINS) for topic in WRITERS}
    assert heard == WRITERS


def test_a_login_hears_something_only_where_it_may(clients: Clients) -> None:
    listening = {login: clients.at(login) for login in LOGINS}
    for client in listening.values():
        client.connect()
        client.transport.subscribe([("#", 1), ("caroni/#", 1), ("+/+/+/+/+/+", 1), *((topic, 1) for topic in READERS)])
        client.transport.unsubscribe(["nothing"])
    watcher = clients.at(WATCHER)
    watcher.connect()
    for login, client in listening.items():
        # Until then its subscriptions are not known to count.
        wait_until(lambda c=client, t=OWN[login]: watcher.publish(t, b"ready") and c.payloads(t))  # type: ignore[misc]
    for topic in READERS:
        watcher.publish(topic, b"all")
    for login, client in listening.items():
        watcher.publish(OWN[login], b"last")
        client.wait_for(Arrived, lambda event: event.payload == b"last")
    heard = {
        topic: {name for name, client in listening.items() if b"all" in client.payloads(topic)} for topic in READERS
    }
    assert heard == READERS


def ended_or_taken(client: Client) -> None:
    wait_until(lambda: bool(client.find(Connected)) or bool(client.find(Disconnected)))


def test_all_connections_of_a_node_and_two_of_a_person_are_there_at_once(clients: Clients) -> None:
    """Beside its session a node has others, whose client ids end in what nobody else knows (docs/brokers.md)."""
    together = [
        clients.at("m1", "caroni-managers-m1"),
        clients.at("m1", "caroni/managers/m1/triggers/8a52cc0e11-kept", people=True),
        clients.at("m1", "caroni/managers/m1/data/5d1f09a3b7", people=True),
        clients.at("a1", "caroni-agents-a1"),
        clients.at("a1", "caroni/agents/a1/data/0c77e2d94f", people=True),
        clients.at("alice", "caroni-submit-1"),
        clients.at("alice", "caroni-submit-2"),
    ]
    for client in together:
        client.connect()
    for thief in ("m2", "a2", "alice"):
        for taken in (*("m1", "a1", "caroni-managers-m1", "caroni-agents-a1"), "caroni/managers/m1/triggers"):
            for people in (True, False):
                client = clients.at(thief, taken, people=people).start()
                ended_or_taken(client)
                client.stop()
    for client in together:
        client.publish("caroni/nowhere", b"still here")
        assert not client.find(Disconnected)


def test_nobody_is_a_node_by_another_logins_word(made: MadeMosquitto, clients: Clients) -> None:
    node = clients.at("m1", "caroni-managers-m1")
    node.connect()
    thief = clients.at("m1", "caroni-managers-m1", like="a2").start()
    ended_or_taken(thief)
    # With certificates the name is what the certificate says.
    assert bool(thief.find(Connected)) == (made.made.directory / "agents/a2/a2.pem").exists()
    node.publish("caroni/nowhere", b"still here")
    assert not node.find(Disconnected)


def test_without_a_certificate_of_the_authority_nobody_comes_in(one: MadeMosquitto, make_client: MakeClient) -> None:
    login = one.made.login("m1")
    without = {name: login[name] for name in ("username", "password", "ca_file", "tls")}
    foreign = MadeMosquitto(one.directory / "foreign", *NODES, *MODES["certificates"]).made.login("m1")
    for how in (without, {**foreign, "ca_file": login["ca_file"]}):
        client = make_client(one, "caroni-managers-m1", **how).start()
        client.wait_for(Disconnected)
        assert not client.find(Connected)


def handed_out(folder: Path, name: str) -> dict[str, object]:
    files = {"ca_file": folder / "ca.pem", "cert_file": folder / f"{name}.pem", "key_file": folder / f"{name}.key"}
    return {"username": name, "password": "none", "tls": True, **files}


def test_what_was_rotated_or_removed_counts_no_more(
    one: MadeMosquitto, make_client: MakeClient, tmp_path: Path
) -> None:
    old = {}
    for name in ("a1", "a2"):
        folder = one.made.folder(name).rename(tmp_path / name)
        old[name] = handed_out(folder, name)
    one.made.run("--rotate", "a1", "--remove", "a2", "--agent", "a3")
    one.restart()
    for name, how in old.items():
        client = make_client(one, f"caroni-agents-{name}", **how).start()
        client.wait_for(Disconnected)
        assert not client.find(Connected)
    for name in ("a1", "a3", "m1"):
        make_client(one, f"caroni-{name}", **one.made.login(name)).connect()


def test_more_logins_come_in_after_a_reload(tmp_path: Path, make_client: MakeClient) -> None:
    broker = MadeMosquitto(tmp_path, *NODES)
    broker.start()
    try:
        old = broker.made.login("a2")
        broker.made.run("--agent", "a3..a50", "--rotate", "a2")
        broker.reload()
        wait_until(lambda: len(broker.log.split("Reloading config")) > 1)
        make_client(broker, "caroni-agents-a50", **broker.made.login("a50")).connect()
        make_client(broker, "caroni-agents-a2", **broker.made.login("a2")).connect()
        refused = make_client(broker, "caroni-agents-a2", **old).start()
        assert refused.wait_for(Disconnected).is_login_refused
    finally:
        broker.kill()
