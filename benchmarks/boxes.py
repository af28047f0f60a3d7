"""What a job costs the processor without a box, in the one that jobs share, and in one of its own.

`python benchmarks/boxes.py [--jobs N] [--rounds N]` runs `bash -c :` one after the other, each strength in its turn of
every round, so that what else the machine does hits all alike. It writes a table to standard error and JSON to standard
output; there is no pass or fail in it.
"""

import argparse
import json
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from caroni_edge.agent.boxes.host import look
from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.jobtypes import load_job_type
from caroni_edge.agent.processes.port import JobEnded, JobOrder
from caroni_edge.agent.processes.runner import Runner
from caroni_edge.agent.processes.workspace import make_roots

JOB_TYPE = "name: nothing\nscript: ':'\n"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the jobs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100, help="jobs of each strength in a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caroni-bench-") as directory:
        state_dir = Path(directory)
        found = measure(state_dir, options.jobs, options.rounds)
    report = {
        strength: {name: round(statistics.median(each), 2) for name, each in parts.items()}
        for strength, parts in found.items()
    }
    for strength, parts in report.items():
        print(f"{strength:8}" + "  ".join(f"{name} {ms} ms" for name, ms in parts.items()), file=sys.stderr)
    print(json.dumps({"cpu_ms_a_job": report, "jobs": options.jobs, "rounds": options.rounds}))


def measure(state_dir: Path, jobs: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the processor time of a job, in ms, by strength and by who has used it, of each round."""
    make_roots(state_dir)
    (state_dir / "nothing.yaml").write_text(JOB_TYPE)
    boxes = look(hidden(state_dir, [], None), os.environ["PATH"])
    if boxes.able.no_shared or boxes.able.no_each:
        sys.exit(f"no box can be made here: {boxes.able}")
    ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
    runner = Runner(
        state_dir,
        "a1",
        lambda news: ended.put(news) if isinstance(news, JobEnded) else None,
        lambda _found: None,
        boxes=boxes,
    )
    for work in (runner.run, runner.empty_trash):
        threading.Thread(target=work, daemon=True).start()
    runner.recover([], [])
    job_type = load_job_type(state_dir / "nothing.yaml")
    found: dict[str, dict[str, list[float]]] = {strength: {} for strength in Strength}
    for number in range(-1, rounds):  # the one before the first starts the keepers
        for strength in Strength:
            before = used_s(state_dir)
            for job in range(jobs):
                name = f"job{strength}{number + 1}x{job:06}"
                runner.start(JobOrder(name, job_type, {}, "w1", "upper", 1, "m1", box=Choice(strength)))
                ended.get()
                runner.remove(name)
            for who, seconds in used_s(state_dir).items():
                if number >= 0:
                    found[strength].setdefault(who, []).append((seconds - before[who]) / jobs * 1000)
    runner.close()
    while list(keepers_of(state_dir)):
        time.sleep(0.05)
    return found


def used_s(state_dir: Path) -> dict[str, float]:
    """Return the processor time of the agent, of its keepers, and of all that these have started and waited for."""
    own, jobs = 0.0, 0.0
    for process in keepers_of(state_dir):
        ticks = [int(each) for each in (process / "stat").read_text().rpartition(")")[2].split()[11:15]]
        own, jobs = own + sum(ticks[:2]), jobs + sum(ticks[2:])
    return {"agent": time.process_time(), "keeper": own / TICKS_PER_S, "job and box": jobs / TICKS_PER_S}


def keepers_of(state_dir: Path) -> Iterator[Path]:
    """Yield the processes that are keepers of an agent, by their directories in /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if os.fsencode(state_dir) in words and not words[0].endswith(b"bwrap"):
                yield process


if __name__ == "__main__":
    main()
