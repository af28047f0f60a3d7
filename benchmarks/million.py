"""What finished work costs: a manager with a million finished workflows and an agent with many jobs, beside small ones.

One workflow of each end runs through the real reactor; its rows are copied, in SQL, as often as is asked. Then the
same questions go to a small and to a large database on disk: batches of the reactor, each committed with
``synchronous=FULL``, and the API over HTTP; a daemon starts on each, until the broker has its presence. A million take
1.4 GB in the folder for temporary files, and a minute. Nothing passes or fails here.

    python -m benchmarks.million [--count 1000000] [--agent-jobs 100000] [--small 1000] [--runs 50]
"""

import argparse
import hashlib
import json
import logging
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.chains import ROOT, start_daemon, start_mosquitto
from caroni_edge.agent.pages import site as agent_site
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.config import BrokerConfig, BrokerUrl
from caroni_edge.manager.store import Store as ManagerStore
from caroni_edge.manager.templates.library import load_templates
from caroni_edge.node.startup import DATABASE
from caroni_edge.storage.database import open_database
from caroni_edge.transport.base import Arrived, Connected, Event
from caroni_edge.transport.mqtt import MqttTransport
from caroni_edge.web.readers import Readers
from caroni_edge.web.server import start
from tests.unit.agent.bench import COMPLETED
from tests.web_bench import TEMPLATES, WEB, AgentBench, Client, ManagerBench, serve_manager

BATCHES_DELETED = 8
STARTS = 5
WORKFLOWS_A_BATCH = 50
JOBS_A_BATCH = 50
LEAST = 1000
DAY_S = 86400.0
CHAIN = ("foojob0", "foojob1", "foojob2")

Figures = dict[str, list[float]]
"""Durations in seconds, by what was done."""


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="finished workflows of three steps and jobs")
    parser.add_argument("--agent-jobs", type=int, default=100_000, help="finished jobs of the agent")
    parser.add_argument("--small", type=int, default=1000, help="how many there are in the small databases")
    parser.add_argument("--runs", type=int, default=50, help="how often each thing is done")
    options = parser.parse_args()
    if min(options.small, options.count, options.agent_jobs) < LEAST:
        parser.error(f"each database needs {LEAST} or more: some are deleted")
    logging.disable(logging.WARNING)
    report: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    }
    roles = {
        "manager": (options.count, fill_manager, measure_manager),
        "agent": (options.agent_jobs, fill_agent, measure_agent),
    }
    for role, (count, fill, measure) in roles.items():
        report[role] = {}
        for size in sorted({options.small, count}):
            with tempfile.TemporaryDirectory(prefix="caroni-bench-") as directory:
                path = Path(directory)
                begun = time.perf_counter()
                fill(path, size)
                facts = {"fill_s": time.perf_counter() - begun, "megabytes": (path / DATABASE).stat().st_size / 1e6}
                report[role][size] = facts | {"ms": in_ms(measure(path, size, options.runs))}
        show(role, report[role])
    print(json.dumps(report))


def in_ms(figures: Figures) -> dict[str, dict[str, float]]:
    """Return median and maximum of each figure."""
    return {
        name: {"median": round(statistics.median(taken) * 1000, 2), "max": round(max(taken) * 1000, 2)}
        for name, taken in figures.items()
    }


def show(role: str, sizes: Mapping[int, Mapping[str, Any]]) -> None:
    """Print the figures for people."""
    for size, facts in sizes.items():
        filled = f"{facts['megabytes']:.1f} MB, filled in {facts['fill_s']:.1f} s"
        print(f"{role} with {size} finished: {filled}", file=sys.stderr)
    head = "".join(f"{size:>12} {'max':>9}" for size in sizes)
    print(f"{'ms: median and max with':34}{head}", file=sys.stderr)
    for name in next(iter(sizes.values()))["ms"]:
        found = (facts["ms"][name] for facts in sizes.values())
        row = "".join(f"{each['median']:12.2f} {each['max']:9.2f}" for each in found)
        print(f"{name:34}{row}", file=sys.stderr)


@contextmanager
def timed(figures: Figures, name: str) -> Iterator[None]:
    """Note how long something takes."""
    begun = time.perf_counter()
    yield
    figures.setdefault(name, []).append(time.perf_counter() - begun)


def name_of(number: int) -> str:
    """Return a name that looks like chance, as those of jobs and workflows are."""
    return hashlib.blake2b(b"%d" % number, digest_size=8).hexdigest()


def names_across(count: int, runs: int, after: int) -> list[str]:
    """Return names from all of the past; `after` a hundred: 2 is a completed one, 100 a failed one."""
    return [name_of(number * count // runs // 100 * 100 + after) for number in range(runs)]


@contextmanager
def filling(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for one large transaction, without a journal and with a large cache."""
    with closing(sqlite3.connect(path / DATABASE, isolation_level=None)) as conn:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            conn.execute(f"PRAGMA {pragma}")
        conn.create_function("name_of", 1, name_of, deterministic=True)
        conn.execute("BEGIN")
        yield conn
        conn.execute("COMMIT")
    with (path / DATABASE).open("rb") as file:  # what is measured waits for no disk to take this, and finds it cold
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def copy(conn: sqlite3.Connection, table: str, source: str, order: str, count: int, /, **other: str) -> None:
    """Copy rows of a table once for each number `n`.

    Args:
        conn: Where.
        table: The table; `t` is the row that is copied.
        source: The condition that joins `t` to the source `s` of the number.
        order: In which order rows are added.
        count: How many numbers there are, from 1 on.
        other: What is not as it was, by column.
    """
    columns = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(f"{other.get(name, f't.{name}')} AS {name}" for name in columns)
    conn.execute(
        f"""
        INSERT INTO {table} ({", ".join(columns)})
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
        SELECT {values} FROM numbers CROSS JOIN sources s ON s.remainder = min(n % 100, 2)
        CROSS JOIN {table} t ON {source} ORDER BY {order}""",
        (count,),
    )


# --- The manager -----------------------------------------------------------------------------------------------------


def fill_manager(path: Path, count: int) -> None:
    """Make a manager's database: of a hundred workflows one has failed and one was cancelled, ten have a rare template.

    They ended one after the other in the last year.
    """
    bench = ManagerBench(path, attempts=1)
    bench.see("a1", *CHAIN)
    complete(bench, "completed")
    bench.trigger(workflow="failed")
    bench.fail("a1", CHAIN[0])
    bench.trigger(workflow="cancelled")
    bench.service.call(lambda at: bench.reactor.cancel("cancelled", at))
    bench.close()
    with filling(path) as conn:
        conn.execute("""
            CREATE TEMP TABLE sources AS SELECT seq, (SELECT min(id) FROM steps WHERE workflow = seq) AS first,
            CASE id WHEN 'failed' THEN 0 WHEN 'cancelled' THEN 1 ELSE 2 END AS remainder FROM workflows""")
        past = f"({count} - n) * {365 * DAY_S / count}"
        template = "CASE n % 10 WHEN 0 THEN 'rare' ELSE t.template END"
        when = {"created": f"t.created - {past}", "ended": f"t.ended - {past}"}
        copy(conn, "workflows", "t.seq = s.seq", "n", count, seq="1000 + n", id="name_of(n)", template=template, **when)
        step = "1000 + 3 * n + {} - s.first"
        number = step.format("t.id")
        named = {"job": f"CASE WHEN t.job IS NOT NULL THEN name_of({number}) END"}
        copy(conn, "steps", "t.workflow = s.seq", "n, t.id", count, id=number, workflow="1000 + n", **named)
        of_source = "t.step BETWEEN s.first AND s.first + 2"
        number = step.format("t.step")
        copy(conn, "jobs", of_source, "job", count, job=f"name_of({number})", step=number)


def complete(bench: ManagerBench, workflow: str, figures: Figures | None = None) -> None:
    """Run a workflow from its trigger to its end."""
    taken: Figures = {} if figures is None else figures
    with timed(taken, "complete a workflow of three"):
        with timed(taken, "start a workflow"):
            bench.trigger(workflow=workflow)
        for job_type in CHAIN:
            with timed(taken if job_type == CHAIN[0] else {}, "place its first job"):
                placed = bench.place("a1", job_type)
            bench.status("a1", placed.job, "running", begun=True)
            facts = {"started": 1.7e9, "ended": 1.7e9 + 1}
            bench.status("a1", placed.job, "completed", begun=True, outputs={"jobout": "x"}, exit_code=0, **facts)
    with bench.views() as views:
        summary = views.summary(workflow)
    assert summary is not None
    assert summary["status"] == "completed"


def measure_manager(path: Path, count: int, runs: int) -> Figures:
    """Ask everything of a manager."""
    figures: Figures = {}
    templates = load_templates(TEMPLATES)
    for _ in range(STARTS):
        with timed(figures, "open and start"):
            bench = ManagerBench(path, templates, retention_s=None)
        bench.close()
    for _ in range(STARTS):
        start_whole(path, figures)
    bench = ManagerBench(path, templates, seed="new", retention_s=None)
    bench.database.conn.execute("PRAGMA synchronous = FULL")
    bench.see("a1", *CHAIN)
    for number in range(runs):
        complete(bench, f"new{number}", figures)
    for _ in range(runs):
        with timed(figures, "a tick without work"):
            bench.service.call(lambda _at: None)
    ends = {"completed": names_across(count, runs, 2), "failed": names_across(count, runs, 100)}
    with serve_manager(bench, path) as server, Client(server) as client:
        look(figures, client, runs, ends)
    for _ in range(BATCHES_DELETED):
        with timed(figures, f"delete {WORKFLOWS_A_BATCH} workflows"):
            bench.service.call(lambda _at: delete(bench))
    bench.close()
    return figures


def start_whole(path: Path, figures: Figures) -> None:
    """Start a manager as a process on a database, and wait until it has said that it is there."""
    arrived: SimpleQueue[Event] = SimpleQueue()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        port = start_mosquitto(directory, opened)
        broker = BrokerConfig(urls=(BrokerUrl("127.0.0.1", port, tls=False),), username="bench")
        transport = MqttTransport(broker, "bench", clean_session=True)
        transport.start(arrived.put)
        opened.callback(transport.stop, 2.0)
        while not isinstance(arrived.get(timeout=10), Connected):
            continue
        transport.subscribe([("caroni/presence/managers/m1", 0)])
        more = {"templates": str(ROOT / "config/templates"), "state_dir": str(path)}
        with timed(figures, "start a daemon"):
            start_daemon(directory, opened, "manager", "m1", port, more)
            while not isinstance(arrived.get(timeout=60), Arrived):
                continue


def look(figures: Figures, client: Client, runs: int, ends: Mapping[str, list[str]]) -> None:
    """Ask the API."""
    pages = {
        "": "",
        "status completed": "?status=completed",
        "status failed": "?status=failed",
        "status running": "?status=running",
        "of a template": "?template=rare",
        "of a template, failed": "?template=rare&status=failed",
        "of a template, none there": "?template=rare&status=cancelled",
        "of an agent": "?agent=a1",
        "of an agent, none there": "?agent=a2",
        "of an agent, running": "?agent=a1&status=running",
        "with a text": "?text=caronirocks",
        "with a text, none there": "?text=nowhere",
        "of a template, no text": "?template=rare&text=nowhere",
        "since a day": "?since=2023-11-14",
        "since a day, failed": "?since=2023-11-14&status=failed",
    }
    paths = {f"list {what}".strip(): [f"/api/workflows{query}"] for what, query in pages.items()}
    for end, names in ends.items():
        paths[f"show one, {end}"] = [f"/api/workflows/{name}" for name in names]
        paths[f"why one, {end}"] = [f"/api/workflows/{name}/why" for name in names]
    ask(figures, client, runs, paths | {"agents": ["/api/agents"], "metrics": ["/metrics"]})


def ask(figures: Figures, client: Client, runs: int, paths: Mapping[str, list[str]]) -> None:
    """Get each path (one of those given, in turn) so many times."""
    for name, each in paths.items():
        for number in range(runs):
            with timed(figures, name):
                client.get(each[number % len(each)]).raise_for_status()


def delete(bench: ManagerBench) -> None:
    """Delete what ended first, as `retention.workflows` does; the settle that follows sweeps up."""
    workflows = ManagerStore(bench.database.conn).workflows
    found = workflows.ended_before(1.7e9, WORKFLOWS_A_BATCH)
    assert len(found) == WORKFLOWS_A_BATCH
    workflows.delete(found)


# --- The agent -------------------------------------------------------------------------------------------------------


def open_agent(path: Path) -> AgentBench:
    """Open an agent's database, and start the agent on it."""
    return AgentBench(database=open_database(path / DATABASE, "agents"))


def fill_agent(path: Path, count: int) -> None:
    """Make an agent's database: of a hundred jobs one has failed; they ended one after the other in the last year."""
    bench = open_agent(path).bench
    for outcome in (Failed("exit status 1"), COMPLETED):
        (job,) = bench.place(bench.new_job())
        bench.end(job, outcome)
    bench.database.close()
    with filling(path) as conn:
        conn.execute("""
            CREATE TEMP TABLE sources AS
            SELECT value AS remainder, CASE value WHEN 0 THEN 1 ELSE 2 END AS id FROM json_each('[0, 1, 2]')""")
        past = f"({count} - n) * {365 * DAY_S / count}"
        when = {name: f"t.{name} - {past}" for name in ("received", "started", "ended")}
        copy(conn, "jobs", "t.id = s.id", "n", count, id="1000 + n", job="name_of(n)", serial="1000 + n", **when)
        conn.execute("UPDATE counters SET value = ? WHERE name = 'serial'", (1000 + count,))


def measure_agent(path: Path, count: int, runs: int) -> Figures:
    """Ask everything of an agent."""
    figures: Figures = {}
    for _ in range(STARTS):
        with timed(figures, "open and start"):
            bench = open_agent(path)
        bench.bench.database.close()
    bench = open_agent(path)
    agent, readers = bench.bench, Readers(path / DATABASE)
    agent.jobs_made = 1000  # its next job has another name than those that were copied
    for _ in range(runs):
        with timed(figures, "take a job and end it"):
            (job,) = agent.place(agent.new_job())
            agent.end(job)
        with timed(figures, "a tick without work"):
            agent.settle()
    site = agent_site.make_site(replace(bench.api, readers=readers), path)
    with start(WEB, path, lambda: site, bench) as server, Client(server) as client:
        pages = {"": "", "status completed": "?status=completed", "status failed": "?status=failed"}
        pages |= {"of a manager": "?manager=m1", "of a manager, failed": "?manager=m1&status=failed"}
        pages |= {"of a manager, none there": "?manager=m1&status=running"}
        paths = {f"list {what}".strip(): [f"/api/jobs{query}"] for what, query in pages.items()}
        paths["show one"] = [f"/api/jobs/{name}" for name in names_across(count, runs, 2)]
        ask(figures, client, runs, paths | {"metrics": ["/metrics"]})
    readers.close()
    for _ in range(BATCHES_DELETED):
        with timed(figures, f"delete {JOBS_A_BATCH} jobs"):
            agent.call(
                lambda at: agent.store.jobs.delete(
                    row_id for row_id, _ in agent.store.jobs.oldest_ended(at.date, JOBS_A_BATCH)
                )
            )
    agent.database.close()
    return figures


if __name__ == "__main__":
    main()
