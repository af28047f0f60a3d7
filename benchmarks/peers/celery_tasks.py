"""Celery's tasks, as its worker imports them: messages are persistent, and acknowledged when the task is done."""

import os
import subprocess

from celery import Celery

from benchmarks.peers.contender import APPEND, PREPEND, UPPER

app = Celery("peers", broker=os.environ["PEERS_AMQP"], backend="rpc://")
app.conf.update(
    task_acks_late=True,
    task_default_delivery_mode="persistent",
    result_persistent=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
)


def _run(script: str, message: str) -> str:
    return subprocess.run(["bash", "-c", script, "-", message], stdout=subprocess.PIPE, text=True, check=True).stdout


@app.task  # type: ignore[untyped-decorator, unused-ignore]
def upper(message: str) -> str:
    """Do the first step."""
    return _run(UPPER, message)


@app.task  # type: ignore[untyped-decorator, unused-ignore]
def prepend(message: str) -> str:
    """Do the second step."""
    return _run(PREPEND, message)


@app.task  # type: ignore[untyped-decorator, unused-ignore]
def append(message: str) -> str:
    """Do the third step."""
    return _run(APPEND, message)
