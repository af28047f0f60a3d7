"""The files that a command gives to the manager it submits to: to nobody else, and only what fits."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.client.giving import Giver
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.topics import Answered, Topics
from caroni_edge.protocol.transfers import CHUNK_MIN, TRANSFER_VERSION, Ask, Data, No, decode_answer
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.base import Transport
from caroni_edge.values.carried import directory_value, object_value
from tests.support import wait_until

MANAGER = Topics("caroni", "managers", "m1")
DATA = b"0123456789" * 3000
OBJECT = Object(sha256(DATA).hexdigest(), len(DATA))
LIST = b'[["m31.fits",false,30000,"sha256:..."]]'
LISTING, INSIDE = Object(sha256(LIST).hexdigest(), len(LIST)), Object("d" * 64, 10)


class FakeTransport:
    """Notes what is published; takes nothing while it is `full`."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.full = False

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        assert (qos, retain) == (0, False)
        if self.full:
            return 0
        self.said.append((topic, payload))
        return len(self.said)


class Desk:
    """A giver, and the manager that asks it."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(DATA)
        self.path, self.transport = path, FakeTransport()
        self.giver = Giver(MANAGER, "w1", {OBJECT: path, INSIDE: path, LISTING: LIST})
        transport: Any = self.transport
        kept: Transport = transport
        self.later: list[Any] = []
        self.giver.bind(kept, self.later.append)
        inputs = {"image": object_value("m31.fits", OBJECT, "0" * 40), "night": directory_value("night", LISTING)}
        self.trigger = self.giver.named_in(Trigger(template="t", inputs=inputs, id="w1"))

    def ask(self, *ranges: tuple[int, int], **facts: Any) -> list[Data | No]:
        """Ask for bytes; return what is answered at once."""
        asked = {
            "v": TRANSFER_VERSION,
            "transfer": 7,
            "manager": "m1",
            "workflow": "w1",
            "generation": 1,
            "object": OBJECT.id,
            "ticket": self.trigger.ticket,
            "ranges": ranges or ((0, OBJECT.size),),
            "chunk": CHUNK_MIN,
            "part": "bytes",
            **facts,
        }
        assert self.giver.hear(self.giver.asks, encode(Ask(**asked)))
        return self.answers()

    def answers(self) -> list[Data | No]:
        self.giver.give()
        said, self.transport.said = self.transport.said, []
        assert {topic for topic, _ in said} <= {self.giver.answers}
        return [decode_answer(topic, payload) for topic, payload in said]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "m31.fits")


def test_the_trigger_names_who_has_the_files_and_what_opens_them(desk: Desk) -> None:
    assert desk.trigger.places == {OBJECT.id: desk.giver.name, LISTING.id: desk.giver.name}
    assert desk.giver.name.startswith("submit-")
    assert len(desk.trigger.ticket or "") == 64


def test_the_topics_are_those_by_which_the_manager_asks_and_hears(desk: Desk) -> None:
    assert desk.giver.asks == MANAGER.ask_of("submit", desk.giver.name)
    assert MANAGER.read_objects(desk.giver.answers) == Answered("submit", desk.giver.name)


def test_the_manager_gets_all_bytes_and_how_many_is_said_once(desk: Desk) -> None:
    given: list[int] = []
    desk.giver.advance = given.append
    assert not desk.giver.was_asked
    found = desk.ask()
    assert b"".join(each.content for each in found if isinstance(each, Data)) == DATA
    assert desk.giver.was_asked
    desk.ask((0, 100))
    assert sum(given) == OBJECT.size


def test_the_list_of_a_directory_is_given_too(desk: Desk) -> None:
    (said,) = desk.ask((0, LISTING.size), object=LISTING.id)
    assert isinstance(said, Data)
    assert said.content == LIST


@pytest.mark.parametrize(
    "facts", [{"manager": "m2"}, {"ticket": "0" * 64}, {"generation": 2}, {"workflow": "w2"}], ids=str
)
def test_nobody_else_gets_any(desk: Desk, facts: dict[str, Any]) -> None:
    (no,) = desk.ask(**facts)
    assert isinstance(no, No)
    assert no.reason == "ticket"


def test_nothing_else_is_given(desk: Desk) -> None:
    (no,) = desk.ask(object=f"sha256:{'0' * 64}")
    assert isinstance(no, No)
    assert no.reason == "unknown"


def test_what_is_no_question_is_left_to_others_or_alone(desk: Desk) -> None:
    assert not desk.giver.hear("caroni/managers/m1/events/w1", b"{}")
    assert desk.giver.hear(desk.giver.asks, b"nonsense")
    assert desk.answers() == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_is_gone_or_shorter_is_said_to_be_unknown(desk: Desk, *, is_gone: bool) -> None:
    desk.path.unlink() if is_gone else desk.path.write_bytes(DATA[:-1])
    no = desk.ask()[-1]
    assert isinstance(no, No)
    assert no.reason == "unknown"


def test_what_the_connection_does_not_take_is_given_later(desk: Desk) -> None:
    desk.transport.full = True
    assert desk.ask() == []
    desk.transport.full = False
    assert desk.answers() == []
    desk.giver.writable()
    found = desk.answers()
    assert b"".join(each.content for each in found if isinstance(each, Data)) == DATA


def test_a_block_list_is_made_beside_and_then_given(desk: Desk) -> None:
    (no,) = desk.ask((0, 32), part="blocks")
    assert isinstance(no, No)
    assert no.reason == "busy"
    wait_until(lambda: desk.later, what="the list to be made")
    desk.later[0]()
    (found,) = desk.ask((0, 32), part="blocks")
    assert isinstance(found, Data)
    assert found.content == sha256(DATA).digest()


def test_after_a_cut_nothing_is_left_of_what_was_asked(desk: Desk) -> None:
    desk.transport.full = True
    desk.ask()
    desk.giver.disconnected()
    desk.transport.full = False
    assert desk.answers() == []
