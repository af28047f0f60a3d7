"""Where the time of one chain of three jobs goes: what it waits for, one thing after the other.

Chains run one after the other at a real manager and agent. Both note when their batches begin and end, when the keeper
is asked for a job and when it says that one has ended, on the clock that all processes of a host share; so does the
client. Prints the median of each part on standard error, and JSON on standard output; nothing passes or fails here.

    python -m benchmarks.path [--chains 300]
"""

import argparse
import atexit
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.chains import INPUTS, ROOT, Client, start_daemon, start_mosquitto
from caroni_edge import cli
from caroni_edge.agent.processes.keeperlink import KeeperLink
from caroni_edge.node.calls import Call
from caroni_edge.node.node import Node
from caroni_edge.transport.base import Arrived, Event

DAEMON = "daemon"
JOBS = 3

Note = tuple[float, str, float]
"""When it was, what it was, and what belongs to it: of the end of a batch how long its commit took, of the end of a job
the processor time of its processes, all in seconds."""

NEVER: Note = (0.0, "", 0.0)
PARTS = (
    "client: the trigger, until the manager has it",
    "manager: a workflow, its three jobs placed, until the agent has them",
    "agent: they are taken, until its keeper is asked for the first",
    "keeper and jobs, from what was asked to what was told, three times",
    "agent: the end of a job, until its keeper is asked for the next, twice",
    "agent: the last end, until the manager has the result",
    "manager: step and workflow end, until the client hears of it",
)


class Notes:
    """What a daemon notes, written to a file at its end."""

    def __init__(self, path: Path) -> None:
        """Note what is done from now on."""
        self._found: list[Note] = []
        self._commit_s = 0.0
        atexit.register(lambda: path.write_text(json.dumps(self._found)))

    def note(self, what: str, also: float = 0.0) -> None:
        """Note that something is now."""
        self._found.append((time.monotonic(), what, also))

    def watch(self) -> None:
        """Note what this process does as a daemon."""
        notes, connect = self, sqlite3.connect
        run_batch, send, begin = Node.run_batch, KeeperLink.send, KeeperLink.__init__

        class Timed(sqlite3.Connection):
            def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
                started = time.monotonic()
                found = super().execute(sql, *more)
                if sql == "COMMIT":
                    notes._commit_s = time.monotonic() - started
                return found

        def batch(node: Node, arrived: Sequence[Event | Call], at: Any) -> None:
            if kind := _kind(arrived):
                notes._commit_s = 0.0
                notes.note(kind)
            run_batch(node, arrived, at)
            if kind:
                notes.note(f"{kind} done", notes._commit_s)

        def ask(link: KeeperLink, request: Mapping[str, Any]) -> None:
            send(link, request)
            if request["do"] == "start":
                notes.note("asked")

        def hear(take: Any, link: KeeperLink, event: dict[str, Any]) -> None:
            if event["event"] == "exited":
                notes.note("ended", event["cpu_s"] or 0.0)
            take(link, event)

        def make(link: KeeperLink, home: Any, take: Any, **more: Any) -> None:
            begin(link, home, partial(hear, take), **more)

        sqlite3.connect = partial(connect, factory=Timed)  # type: ignore[assignment]
        Node.run_batch = batch  # type: ignore[method-assign, assignment]
        KeeperLink.send, KeeperLink.__init__ = ask, make  # type: ignore[method-assign, assignment]


def _kind(arrived: Sequence[Event | Call]) -> str:
    """Return what a batch is about, as far as it is on the way of a chain."""
    for each in arrived:
        if isinstance(each, Call):
            return "news"
        if isinstance(each, Arrived):
            if each.topic.endswith("/workflows"):
                return "trigger"
            for word in ("OfferAccept", "JobStatusUpdate"):
                if word.encode() in each.payload:
                    return word
    return ""


def parts_of(begun: float, over: float, manager: Sequence[Note], agent: Sequence[Note]) -> dict[str, float] | None:
    """Return how long each part of a chain took, in seconds; None where something else came between."""
    trigger, taken = _first(manager, "trigger"), _first(agent, "OfferAccept")
    asked, ended = _all(agent, "asked"), _all(agent, "ended")
    result = next(iter(reversed(_all(manager, "JobStatusUpdate"))), NEVER)
    if len(asked) != JOBS or len(ended) != JOBS or not begun < trigger[0] < taken[0] < asked[0][0] < result[0]:
        return None
    ran = [end[0] - start[0] for start, end in zip(asked, ended, strict=True)]
    between = [start[0] - end[0] for end, start in zip(ended, asked[1:], strict=False)]
    times = (
        trigger[0] - begun,
        taken[0] - trigger[0],
        asked[0][0] - taken[0],
        sum(ran),
        sum(between),
        result[0] - ended[-1][0],
        over - result[0],
    )
    on_the_way = [_first(manager, "trigger done"), _first(agent, "OfferAccept done"), *_all(agent, "news done")[:JOBS]]
    commits = [*on_the_way, *_all(manager, "JobStatusUpdate done")[-1:]]
    return {
        **dict(zip(PARTS, times, strict=True)),
        "in all": over - begun,
        "of that: commits, one after the other": sum(each[2] for each in commits),
        "of that: processor time of the jobs themselves": sum(each[2] for each in ended),
    }


def _all(notes: Sequence[Note], what: str) -> list[Note]:
    return [each for each in notes if each[1] == what]


def _first(notes: Sequence[Note], what: str) -> Note:
    return next(iter(_all(notes, what)), NEVER)


def run(chains: int) -> list[tuple[dict[str, float], float]]:
    """Run chains one after the other; return the parts of each of which all is known, and its length."""
    with tempfile.TemporaryDirectory(prefix="caroni-bench-") as name:
        directory = Path(name)
        with ExitStack() as opened:
            port = start_mosquitto(directory, opened)
            command = [sys.executable, "-m", "benchmarks.path", DAEMON]
            start = partial(start_daemon, directory, opened, command=command)
            start("manager", "m1", port, {"templates": str(ROOT / "config/templates")})
            start("agent", "a1", port, {"job_types": str(ROOT / "config/jobtypes"), "slots": 2, "disk_floor": "1M"})
            client = Client(port, opened)
            for _ in range(20):
                client.run(1)
            times = []
            for _ in range(chains):
                begun = time.monotonic()
                for _completed in client.completing(1, "test_simple", INPUTS):
                    times.append((begun, time.monotonic()))
        manager, agent = (json.loads((directory / f"{each}.notes").read_text()) for each in ("m1", "a1"))
    return list(_within(times, manager, agent))


def _within(
    times: Sequence[tuple[float, float]], manager: Sequence[Note], agent: Sequence[Note]
) -> Iterator[tuple[dict[str, float], float]]:
    for begun, over in times:
        # The end of the last batch may be a moment after its event has arrived.
        own = [[each for each in notes if begun <= each[0] <= over + 0.002] for notes in (manager, agent)]
        if (parts := parts_of(begun, over, *own)) is not None:
            yield parts, over - begun


def serve(words: Sequence[str]) -> None:
    """Be a daemon that notes what it does."""
    config = Path(words[words.index("--config") + 1])
    Notes(config.with_suffix(".notes")).watch()
    sys.argv = ["caroni-edge", *words]
    cli.main()


def main() -> None:
    """Measure, and print."""
    if sys.argv[1:2] == [DAEMON]:
        serve(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=300, help="chains one after the other")
    options = parser.parse_args()
    found = run(options.chains) or sys.exit("no chain went by as it should")
    report = {name: round(statistics.median(each[name] for each, _ in found) * 1000, 2) for name in found[0][0]}
    for name, value in report.items():
        print(f"{value:8.2f} ms  {name}", file=sys.stderr)
    print(json.dumps({"chains": len(found), "ms": report}))


if __name__ == "__main__":
    main()
