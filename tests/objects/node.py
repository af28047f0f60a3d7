"""A node that only fetches or gives one object, for tests that kill: ``python -m tests.objects.node hold|fetch …``.

A holder gives the file PATH to the agent a1 for the workflow w1 of the manager m1. An asker fetches what has that hash
from the agent h1, prints the path of what has come, and ends.
"""

import argparse
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Event as ThreadEvent

from caroni_edge.config import BrokerConfig, BrokerUrl
from caroni_edge.config.model import FilesConfig
from caroni_edge.node.dataconnection import WAITING_MAX, DataConnection, Surroundings
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.transfer.effects import Fetched, PlaceFailed, Told
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket
from caroni_edge.protocol.codec import Unreadable
from caroni_edge.protocol.topics import Asked, Topics
from caroni_edge.protocol.transfers import decode_ask
from caroni_edge.transport.base import Arrived, Connected, Event
from caroni_edge.transport.mqtt import MqttTransport
from tests.support import in_thread

KEY = Key(1, b"k" * 32)
ROOT = "c"


class Rights:
    """One object of one workflow."""

    def __init__(self, held: Object) -> None:
        self.held = held

    def keys(self, manager: str) -> Keys | None:
        return Keys(KEY) if manager == "m1" else None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return self.held.size if (workflow, sha256) == ("w1", self.held.sha256) else None


class OneFile(ObjectFiles):
    """The object lies there."""

    def path(self, name: ObjectId) -> str:
        return str(self.directory)


def supervise(name: str, work: Callable[[], None]) -> threading.Thread:
    """Run something in a thread; the process ends with it."""

    def body() -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - said, and the process ends with it
            traceback.print_exc()
            os._exit(3)

    return in_thread(name, body)


def say(what: dict[str, str]) -> None:
    """Tell the test something, in a line of its own."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Hold or fetch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("hold", "fetch"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--path", type=Path, required=True, help="the object, or the directory of part files")
    parser.add_argument("--down", type=float, help="bytes a second")
    options = parser.parse_args()
    broker = BrokerConfig(urls=(BrokerUrl("127.0.0.1", options.port, tls=False),))
    wanted = Object(options.sha256, options.size)
    topics = Topics(ROOT, "agents", "h1" if options.what == "hold" else "a1")
    ended = ThreadEvent()

    def tell(said: Told, path: Path | None) -> None:
        if isinstance(said, Fetched | PlaceFailed):
            say({"said": type(said).__name__, "path": str(path)})
            if isinstance(said, Fetched):
                ended.set()

    around = Surroundings(
        connect=lambda: MqttTransport(
            broker, topics.data_client_id, clean_session=True, retry_first_s=0.2, waiting_max=WAITING_MAX
        ),
        rights=Rights(wanted),
        files=OneFile(options.path),
        parts=options.path if options.what == "fetch" else options.path.parent / "held",
        tell=tell,
        bounds=FilesConfig(down=options.down),
    )
    data = DataConnection(topics, around)
    own = MqttTransport(broker, topics.client_id, retry_first_s=0.2)

    def hear(event: Event) -> None:
        match event:
            case Connected():
                own.subscribe([(topics.asks, 0)])
            case Arrived(topic=topic, payload=payload):
                asked = topics.read_objects(topic)
                if isinstance(asked, Asked):
                    try:
                        data.asked(Peer(asked.role, asked.asker), decode_ask(topic, payload))
                    except Unreadable as error:
                        say({"said": str(error)})

    wants = []
    if options.what == "fetch":
        holder = Peer("agents", "h1")
        place = Place(holder, "w1", KEY.generation, make_ticket(KEY, "w1", Peer("agents", "a1")))
        wants.append(Want("m1", wanted, (place,)))
    else:
        own.start(hear)
    data.start(supervise, wants)
    ended.wait()
    data.stop()


if __name__ == "__main__":
    main()
