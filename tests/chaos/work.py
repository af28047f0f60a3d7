"""Who starts workflows, and hears of them: by the API and by MQTT, over all that happens, as a careful user does."""

import json
import threading
import time
from pathlib import Path
from sqlite3 import OperationalError, Row
from typing import Any

import httpx
import msgspec

from caroni_edge.node.startup import DATABASE
from caroni_edge.storage.database import open_reader
from caroni_edge.transport.base import Arrived, Connected, Event
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import RunningBroker, config_of
from tests.chaos import photos
from tests.e2e.daemons import TOKEN, Daemon

JOBS_OF = {"test_simple": 3, "diamond": 4, **dict.fromkeys(photos.WAYS, photos.JOBS)}
SAY_AGAIN_S = 5.0
LOOK_EVERY_S = 0.2
API_TIMEOUT_S = 3.0


def ask(state_dir: Path, statement: str, *values: object) -> list[Row]:
    """Read from a node's database, whether the node runs or not."""
    reader = open_reader(state_dir / DATABASE)
    reader.row_factory = Row
    try:
        return reader.execute(statement, values).fetchall()
    finally:
        reader.close()


class Ear:
    """Hears all events of all managers, and publishes triggers.

    Attributes:
        completed: The event ids that said that a workflow has completed, by workflow.
    """

    def __init__(self, broker: RunningBroker) -> None:
        self.completed: dict[str, set[str]] = {}
        self._transport = MqttTransport(config_of(broker, username="ear"), "ear", retry_first_s=0.2)
        self._transport.start(self._take)

    def stop(self) -> None:
        """Disconnect."""
        self._transport.stop(1)

    def trigger(self, manager: str, trigger: dict[str, Any]) -> bool:
        """Publish a trigger, if that is possible now; nobody knows whether it arrives."""
        payload = json.dumps(trigger).encode()
        return self._transport.publish(f"caroni/managers/{manager}/workflows", payload, qos=1) > 0

    def _take(self, event: Event) -> None:
        match event:
            case Connected():
                self._transport.subscribe([("caroni/managers/+/events/#", 1)])
            case Arrived():
                body = msgspec.json.decode(event.payload)
                if body["type"] == "caroni.workflow.completed":
                    self.completed.setdefault(body["data"]["workflow"], set()).add(body["id"])
                self._transport.ack(event)


class User(threading.Thread):
    """Starts workflows at one manager, half of them by its API, with not too many unfinished.

    What the API has answered is there for good. A trigger may get lost with the broker, so it is said again until the
    manager knows the workflow, which its id makes safe.

    Attributes:
        expected: The outputs that each workflow is to have.
        jobs: How many jobs they have together.
        said_again: How many triggers had to be repeated.
        is_done: All have been started.
        failure: What the thread has died of.
    """

    def __init__(self, manager: Daemon, ear: Ear, jobs: int, most_open: int) -> None:
        super().__init__(name=f"user of {manager.name}", daemon=True)
        self.manager, self.expected = manager, dict[str, dict[str, Any]]()
        self.jobs = self.said_again = 0
        self.is_done = False
        self.failure: BaseException | None = None
        self._ear, self._most_jobs, self._most_open = ear, jobs, most_open
        self._unknown: dict[str, tuple[dict[str, Any], float | None]] = {}
        self._seen = 0
        self._pause = threading.Event()
        self._http = httpx.Client(
            base_url=manager.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=API_TIMEOUT_S
        )

    def run(self) -> None:
        try:
            while self.jobs < self._most_jobs or self._unknown:
                self._look()
                room = self._most_open - (len(self.expected) - self.ended())
                while room > 0 and self.jobs < self._most_jobs:
                    self._start_next()
                    room -= 1
                self._pause.wait(LOOK_EVERY_S)
            self.is_done = True
        except BaseException as failure:  # noqa: BLE001 - reported by the campaign
            self.failure = failure
        finally:
            self._http.close()

    def ended(self) -> int:
        """Return how many workflows have ended, as far as can be seen now."""
        try:
            rows = ask(self.manager.state_dir, "SELECT count(*) FROM workflows WHERE ended IS NOT NULL")
        except OperationalError:  # its disk is full, or it is just being opened
            return 0
        count: int = rows[0][0]
        return count

    def _start_next(self) -> None:
        number = len(self.expected)
        workflow, text = f"{self.manager.name}-{number}", f"some words number {number}"
        template = "diamond" if number % 2 else "test_simple"
        if photo := photos.photo(workflow, number):
            template, inputs, self.expected[workflow] = photo
        elif template == "diamond":
            inputs = {"text": text}
            self.expected[workflow] = {"report": f"Report: {text.upper()} (4 words)", "words": 4}
        else:
            inputs = {"message": text}
            self.expected[workflow] = {"result": f"prepended {text.upper()}append"}
        self.jobs += JOBS_OF[template]
        trigger = {"id": workflow, "template": template, "inputs": inputs}
        if number % 4 < 2 and self._post(trigger):
            return
        self._unknown[workflow] = trigger, None

    def _post(self, trigger: dict[str, Any]) -> bool:
        """Start a workflow by the API; return whether it has answered."""
        try:
            answer = self._http.post("/api/workflows", json=trigger)
        except httpx.HTTPError:
            return False
        if answer.status_code >= 500:
            return False
        assert answer.status_code in {200, 201}, answer.text
        return True

    def _look(self) -> None:
        """See which workflows the manager knows, and say what it does not know, again too."""
        try:
            rows = ask(self.manager.state_dir, "SELECT seq, id FROM workflows WHERE seq > ? ORDER BY seq", self._seen)
        except OperationalError:
            return
        for seq, workflow in rows:
            self._seen = seq
            self._unknown.pop(workflow, None)
        now = time.monotonic()
        for workflow, (trigger, said) in self._unknown.items():
            is_due = said is None or now > said + SAY_AGAIN_S
            if is_due and self._ear.trigger(self.manager.name, trigger):
                self._unknown[workflow] = trigger, now
                self.said_again += said is not None
