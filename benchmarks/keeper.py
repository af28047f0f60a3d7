"""How many jobs a second an agent's runner and keeper start and end, and what each of the two spends on one.

`python benchmarks/keeper.py [--jobs N] [--slots N]` writes a table to standard error and JSON to standard output. There
is no pass or fail in it.
"""

import argparse
import json
import queue
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from caroni_edge.agent.jobtypes import JobType, load_job_type
from caroni_edge.agent.processes.homes import Home
from caroni_edge.agent.processes.keeperlink import KeeperLink
from caroni_edge.agent.processes.outcome import Completed
from caroni_edge.agent.processes.port import JobEnded, JobOrder
from caroni_edge.agent.processes.runner import Runner

JOB_TYPES = {
    "bash -e script": """\
name: bash
inputs: {message: string}
outputs: {jobout: string}
script: |
  printf 'jobout<<END\\n%s\\nEND\\n' "${CARONI_ENV_message^^}" >> "$CARONI_OUTPUTS"
limits: {timeout: 1m}
""",
    "/bin/true": "name: nothing\ncommand: [/bin/true]\n",
}


def measure(state_dir: Path, job_type: JobType, jobs: int, slots: int) -> dict[str, Any]:
    """Run `jobs` jobs, `slots` at a time."""
    ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
    runner = Runner(
        state_dir, "a1", lambda news: ended.put(news) if isinstance(news, JobEnded) else None, lambda _found: None
    )
    thread = threading.Thread(target=runner.run, name="runner")
    thread.start()
    runner.recover([], [])
    inputs = {"message": "caronirocks"} if job_type.inputs else {}
    orders = [JobOrder(f"job{number:08}", job_type, inputs, "w1", "upper", 1, "m1") for number in range(jobs + 1)]
    runner.start(orders[0])  # starts the keeper too
    ended.get()
    failures, starts_s = 0, 0.0
    keeper = keeper_of(state_dir)
    own_s, keeper_s, begin = time.process_time(), cpu_of(keeper), time.perf_counter()
    for number in range(1, jobs + slots + 1):
        if number > slots:
            failures += not isinstance(ended.get().outcome, Completed)
        if number <= jobs:
            before = time.thread_time()
            runner.start(orders[number])
            starts_s += time.thread_time() - before
    took_s = time.perf_counter() - begin
    result = {
        "jobs": jobs,
        "slots": slots,
        "failures": failures,
        "jobs_per_s": round(jobs / took_s),
        "start_cpu_ms": round(starts_s / jobs * 1000, 3),
        "agent_cpu_ms": round((time.process_time() - own_s) / jobs * 1000, 3),
        "keeper_cpu_ms": round((cpu_of(keeper) - keeper_s) / jobs * 1000, 3),
    }
    runner.close()
    thread.join()
    stop_keeper(state_dir)
    return result


def keeper_of(state_dir: Path) -> int:
    """Return the pid of the keeper of a directory."""
    return int(_ask(state_dir, {"do": "list"})[0]["pid"])


def stop_keeper(state_dir: Path) -> None:
    """End the keeper of a directory."""
    _ask(state_dir, {"do": "stop"})


def _ask(state_dir: Path, request: dict[str, str]) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []

    def take(link: KeeperLink, event: dict[str, Any]) -> None:
        heard.append(event)
        if event["event"] == "running":
            link.send(request)
            link.close()

    KeeperLink(Home(state_dir), take).run()
    return heard


def cpu_of(pid: int) -> float:
    """Return the seconds that a process has computed, in nanoseconds' precision."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def main() -> None:
    """Measure each kind of job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=2)
    options = parser.parse_args()
    results = {}
    for name, text in JOB_TYPES.items():
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "type.yaml"
            path.write_text(text)
            results[name] = measure(Path(directory) / "state", load_job_type(path), options.jobs, options.slots)
    columns = list(next(iter(results.values())))
    print(f"{'':16}" + "".join(f"{column:>15}" for column in columns), file=sys.stderr)
    for name, row in results.items():
        print(f"{name:16}" + "".join(f"{row[column]:>15}" for column in columns), file=sys.stderr)
    json.dump(results, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
