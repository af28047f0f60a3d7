"""HyperQueue's `LocalCluster`: a server and a worker of so many cores on this host, without a journal."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig

from benchmarks.peers.contender import MESSAGE, STEPS, serve


def main(slots: str) -> None:
    """Serve with so many cores."""
    with tempfile.TemporaryDirectory(prefix="caroni-peers-") as name, LocalCluster() as cluster:
        directory = Path(name)
        (directory / "message").write_text(MESSAGE)
        cluster.start_worker(WorkerConfig(cores=int(slots)))
        client = cluster.client()

        def run(count: int, steps: tuple[str, ...]) -> list[str]:
            job = Job(directory)
            for number in range(count):
                given, before = "message", list[Any]()
                for step, script in enumerate(steps):
                    gives = f"{number}-{step}"
                    words = ["bash", "-c", f'set -- "$(cat {given})"; {script}']
                    task = job.program(words, stdout=directory / gives, stderr=None, deps=before)
                    given, before = gives, [task]
            submitted = client.submit(job)
            client.wait_for_jobs([submitted])
            return [(directory / f"{number}-{len(steps) - 1}").read_text() for number in range(count)]

        serve({"chains": lambda count: run(count, STEPS), "jobs": lambda count: run(count, STEPS[:1])})


if __name__ == "__main__":
    main(sys.argv[1])
