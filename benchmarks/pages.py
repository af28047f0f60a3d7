"""What open pages cost a manager: the chains of `chains.py`, without anybody who looks, and with ten pages open.

Each page does what a browser does: it listens to `/live`, and fetches itself anew whenever that says so. Meanwhile
10,000 workflows are alive, which nobody serves. The two are measured in turns; nothing passes or fails here.

    python -m benchmarks.pages [--pages 10] [--live 10000] [--chains 300] [--rounds 5]
"""

import argparse
import json
import statistics
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from benchmarks.chains import ROOT, Client, show, start_daemon, start_mosquitto
from tests.support import free_port

TOKEN = "bench"
LOOKED_AT = ("/", "/?status=running", "/templates", "/agents", "/node")


def main() -> None:
    """Run the daemons, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10, help="pages that are open")
    parser.add_argument("--live", type=int, default=10_000, help="workflows that are alive, and wait")
    parser.add_argument("--chains", type=int, default=300, help="workflows at once")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        report = measure(directory, opened, options)
    show(report)
    print(json.dumps(report))


def measure(directory: Path, opened: ExitStack, options: argparse.Namespace) -> dict[str, Any]:
    """Return the chains per second without pages and with them, round by round."""
    port, web = start_mosquitto(directory, opened), free_port()
    page = {"web": {"port": web, "password": TOKEN, "token": TOKEN}, "waiting": {"workflows": 2 * options.live + 1000}}
    start_daemon(directory, opened, "manager", "m1", port, {"templates": str(ROOT / "config/templates"), **page})
    start_daemon(
        directory, opened, "agent", "a1", port, {"job_types": job_types(directory), "slots": 2, "disk_floor": "1M"}
    )
    client = Client(port, opened)
    url, headers = f"http://127.0.0.1:{web}", {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as api:
        for number in range(options.live):
            wanted = {"template": "diamond", "inputs": {"text": "x"}, "id": f"waits-{number}"}
            api.post("/api/workflows", json=wanted).raise_for_status()
    client.run(options.chains)  # all is warm
    without, watched, fetched = [], [], 0
    for _ in range(options.rounds):
        without.append(options.chains / client.run(options.chains))
        with Audience(url, headers, options.pages) as audience:
            watched.append(options.chains / client.run(options.chains))
        fetched += audience.fetched
    ratios = [with_pages / alone for with_pages, alone in zip(watched, without, strict=True)]
    return {
        "machine": {"live": options.live, "pages": options.pages, "rounds": options.rounds, "fetched": fetched},
        "without_pages": {"chains_per_s": [round(each, 1) for each in without]},
        "with_pages": {"chains_per_s": [round(each, 1) for each in watched]},
        "with_of_without": {"median": round(statistics.median(ratios), 3), "all": [round(each, 3) for each in ratios]},
    }


def job_types(directory: Path) -> str:
    """Return a directory with the job types of the chain alone: the others' steps wait."""
    found = directory / "jobtypes"
    found.mkdir()
    for number in range(3):
        name = f"foojob{number}.yaml"
        (found / name).write_bytes((ROOT / "config/jobtypes" / name).read_bytes())
    return str(found)


class Audience:
    """Pages that are open, each in a thread."""

    def __init__(self, url: str, headers: dict[str, str], count: int) -> None:
        """Open them when the context is entered."""
        self._url, self._headers = url, headers
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(number,), daemon=True) for number in range(count)]
        self.fetched = 0

    def __enter__(self) -> "Audience":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self, number: int) -> None:
        path = LOOKED_AT[number % len(LOOKED_AT)]
        with httpx.Client(base_url=self._url, headers=self._headers, trust_env=False, timeout=30) as client:
            client.get(path, headers={"Accept": "text/html"}).raise_for_status()
            with client.stream("GET", "/live") as events:
                for line in events.iter_lines():
                    if self._over.is_set():
                        return
                    if line == "event: change":
                        client.get(path, headers={"Accept": "text/html", "X-Live": "1"}).raise_for_status()
                        self.fetched += 1


if __name__ == "__main__":
    main()
