"""A node gives objects by its web server to who shows a ticket, and to nobody else."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.store.rows import THE_WORKFLOW
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.objects.transfer.tickets import KEY_BYTES, Key, Peer, make_ticket
from caroni_edge.objects.transfer.ways import Claim
from caroni_edge.web import given
from caroni_edge.web.given import Giving
from tests.web_bench import AgentBench, Client, serve_agent

DATA = b"spiral" * 100_000
KEY = Key(3, b"k" * KEY_BYTES)
ASKER = Peer("agents", "a2")
CLAIM = Claim("m1", "w1", ASKER, 3, make_ticket(KEY, "w1", ASKER))


@pytest.fixture
def flow() -> Flow:
    return Flow()


@pytest.fixture
def found(tmp_path: Path) -> Object:
    return ObjectFiles(tmp_path).keep(DATA)


def holding(found: Object) -> AgentBench:
    """Return an agent that has an object of a workflow of m1."""
    agent = AgentBench()
    store = agent.bench.store

    def keep(_at: object) -> None:
        store.object_keys.put("m1", KEY)
        store.objects.add(found, manager="m1", date=1.0)
        store.objects.refer(found.id, manager="m1", workflow="w1", job=THE_WORKFLOW, date=1.0)

    agent.call(keep)
    return agent


@pytest.fixture
def client(tmp_path: Path, found: Object, flow: Flow) -> Iterator[Client]:
    """Return a stranger."""
    agent = holding(found)
    giving = Giving(agent.readers, ObjectFiles(tmp_path), flow)
    with serve_agent(agent, tmp_path, giving=giving) as server, Client(server, token=None) as client:
        yield client


def ask(client: Client, found: Object, claim: Claim = CLAIM, **headers: str) -> httpx.Response:
    return client.get(f"/objects/{found.sha256}", headers={**claim.headers, **headers})


def test_a_ticket_opens_an_object_and_each_range_of_it(client: Client, found: Object, flow: Flow) -> None:
    answer = ask(client, found)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert flow.gave_bytes == len(DATA)
    part = ask(client, found, Range="bytes=5-9")
    assert (part.status_code, part.content) == (206, DATA[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(DATA)}"
    assert ask(client, found, Range=f"bytes={len(DATA)}-").status_code == 416


@pytest.mark.parametrize(
    "claim",
    [
        CLAIM._replace(ticket="0" * 64),
        CLAIM._replace(ticket=CLAIM.ticket[:-1]),
        CLAIM._replace(generation=2),
        CLAIM._replace(workflow="w2"),
        CLAIM._replace(manager="m2"),
        CLAIM._replace(asker=Peer("agents", "a3")),
        CLAIM._replace(asker=Peer("managers", "a2")),
    ],
)
def test_another_ticket_opens_nothing(client: Client, found: Object, claim: Claim) -> None:
    assert ask(client, found, claim).status_code == 401


def test_without_a_ticket_nobody_learns_what_is_here(client: Client, found: Object) -> None:
    assert client.get(f"/objects/{found.sha256}").status_code == 401
    assert client.get("/objects/none").status_code == 401


def test_a_workflow_gets_only_what_it_has(client: Client, found: Object) -> None:
    other = CLAIM._replace(workflow="w2", ticket=make_ticket(KEY, "w2", ASKER))
    assert ask(client, found, other).status_code == 404
    assert ask(client, Object("0" * 64, 1)).status_code == 404
    assert ask(client, Object("..%2F..%2Fstate.db", 1)).status_code == 404


def test_only_so_many_are_given_at_a_time(found: Object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(given, "GIVEN_MAX", 0)
    agent = holding(found)
    giving = Giving(agent.readers, ObjectFiles(tmp_path), Flow())
    with serve_agent(agent, tmp_path, giving=giving) as server, Client(server, token=None) as client:
        answer = ask(client, found)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_what_must_come_back_from_a_bucket_is_asked_for_again_later(found: Object, tmp_path: Path) -> None:
    agent, away = holding(found), {found.id}
    asked: list[ObjectId] = []
    files = ObjectFiles(tmp_path)
    files.is_away, files.let_come_back = away.__contains__, asked.append
    giving = Giving(agent.readers, files, Flow())
    with serve_agent(agent, tmp_path, giving=giving) as server, Client(server, token=None) as client:
        answer = ask(client, found)
        assert (answer.status_code, answer.headers["Retry-After"], asked) == (503, "5", [found.id])
        away.clear()
        assert ask(client, found).content == DATA


def test_what_was_given_makes_room_for_the_next(client: Client, found: Object) -> None:
    for _ in range(2 * given.GIVEN_MAX):
        assert ask(client, found, Range="bytes=0-0").status_code == 206
    for _ in range(2 * given.GIVEN_MAX):
        assert ask(client, found, Range="bytes=999999999-").status_code == 416


def test_a_node_that_does_not_say_so_gives_nothing(tmp_path: Path, found: Object) -> None:
    with serve_agent(AgentBench(), tmp_path) as server, closing(Client(server, token=None)) as client:
        answer = ask(client, found)
        assert (answer.status_code, "files.url" in answer.text) == (401, True)
