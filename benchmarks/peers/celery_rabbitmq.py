"""Celery with RabbitMQ: a worker of so many processes (prefork), late acknowledgements, persistent messages."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.contender import MESSAGE, serve
from benchmarks.peers.rabbitmq import rabbitmq


def main(slots: str) -> None:
    """Serve with so many processes."""
    with tempfile.TemporaryDirectory(prefix="caroni-peers-") as name, rabbitmq(Path(name)) as url:
        os.environ["PEERS_AMQP"] = url
        words = ["-A", "benchmarks.peers.celery_tasks", "worker", "--concurrency", slots, "--loglevel", "WARNING"]
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", *words], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        try:
            from celery import chain  # noqa: PLC0415 - it reads where the broker is

            from benchmarks.peers.celery_tasks import append, prepend, upper  # noqa: PLC0415

            def chains(count: int) -> Iterator[str]:
                asked = [chain(upper.s(MESSAGE), prepend.s(), append.s()).apply_async() for _ in range(count)]
                return (each.get(timeout=600) for each in asked)

            def jobs(count: int) -> Iterator[str]:
                asked = [upper.delay(MESSAGE) for _ in range(count)]
                return (each.get(timeout=600) for each in asked)

            list(chains(2))
            serve({"chains": chains, "jobs": jobs})
        finally:
            worker.terminate()
            worker.wait()


if __name__ == "__main__":
    main(sys.argv[1])
