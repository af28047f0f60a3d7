"""As much of an agent as a runner needs, for tests of the runner with its keeper and real jobs."""

import json
import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.jobtypes import load_job_type
from caroni_edge.agent.keeper.processes import began
from caroni_edge.agent.keeper.records import JOBS, read
from caroni_edge.agent.processes.outcome import Completed, Failed
from caroni_edge.agent.processes.port import (
    JobEnded,
    JobNews,
    JobOrder,
    JobRecalled,
    JobStarted,
    TakenOver,
)
from caroni_edge.agent.processes.runner import Runner
from caroni_edge.agent.processes.trash import TRASH
from tests.keepers import keepers_of
from tests.support import WITHIN_S, wait_until

TIMEOUT_S = WITHIN_S
NO_BOXES = Boxes()
ENVIRON = {b"PATH": os.environb[b"PATH"], b"HOME": b"/nowhere", b"TZ": b"Europe/Berlin", b"SECRET": b"s3cret"}


class Agent:
    """As much of an agent as a runner needs: a thread for it, and somebody who takes the ends."""

    def __init__(
        self,
        state_dir: Path,
        running: tuple[str, ...] = (),
        waiting: tuple[str, ...] = (),
        *,
        ahead: tuple[str, ...] = (),
        boot: str = "",
        takes_over: bool = True,
        boxes: Boxes = NO_BOXES,
    ) -> None:
        self.state_dir = state_dir
        self.ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[JobStarted | JobRecalled] = queue.SimpleQueue()
        self.news: queue.SimpleQueue[JobNews] = queue.SimpleQueue()
        self.taken_over: queue.SimpleQueue[TakenOver] = queue.SimpleQueue()
        self.runner = Runner(state_dir, "a1", self._on_news, self._on_taken_over, ENVIRON, boxes)
        works = (self.runner.run, self.runner.empty_trash, self.runner.work_on_files)
        self.threads = [threading.Thread(target=work, name=work.__name__) for work in works]
        for thread in self.threads:
            thread.start()
        self.runner.recover(running, waiting, ahead, boot)
        if takes_over:
            self.known = self.taken_over.get(timeout=TIMEOUT_S)

    def _on_news(self, news: JobNews) -> None:
        if isinstance(news, JobEnded):
            self.ended.put(news)
        elif isinstance(news, JobStarted | JobRecalled):
            self.told.put(news)
        else:
            self.news.put(news)

    def _on_taken_over(self, found: TakenOver) -> None:
        self.taken_over.put(found)
        for ended in found.ended:
            self.ended.put(ended)

    def stop(self) -> None:
        """Go away, with nothing said to the jobs or the keeper."""
        self.runner.close()
        for thread in self.threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

    def all_is_deleted(self) -> None:
        """Hold that no job has a directory any more, and that the trash becomes empty."""
        assert os.listdir(self.state_dir / JOBS) == []
        wait_until(lambda: os.listdir(self.state_dir / TRASH) == [], what="the trash to be empty")

    def end(self, job: str) -> JobEnded:
        """Return the next end, which is this job's."""
        ended = self.ended.get(timeout=TIMEOUT_S)
        assert ended.job == job
        return ended

    def order(self, job: str, text: str, inputs: dict[str, Any] | None = None) -> JobOrder:
        path = self.state_dir / f"{job}.yaml"
        path.write_text(text if text.startswith("name:") else f"name: {job}\n{text}")
        return JobOrder(job, load_job_type(path), inputs or {}, "w1", "outer/upper", 3, "m1")

    def start(self, job: str, text: str, inputs: dict[str, Any] | None = None) -> None:
        self.runner.start(self.order(job, text, inputs))

    def hand_over(self, job: str, text: str, slots: int = 1) -> None:
        """Have a job started when fewer than so many run."""
        self.runner.start(replace(self.order(job, text), slots=slots))

    def run(self, job: str, text: str, inputs: dict[str, Any] | None = None) -> JobEnded:
        self.start(job, text, inputs)
        return self.end(job)

    def started(self, job: str, text: str, inputs: dict[str, Any] | None = None) -> int:
        """Start a job that makes the file `ready`, and return its pid."""
        self.start(job, text, inputs)
        wait_until((self.work(job) / "ready").exists, what=f"{job} to be ready")
        return self.pid_of(job)

    def pid_of(self, job: str) -> int:
        def look() -> int:
            start = read(str(self.state_dir), job).start
            return start.pid if start else 0

        return wait_until(look, what="the record of the process")

    def work(self, job: str) -> Path:
        return self.directory(job) / "work"

    def directory(self, job: str) -> Path:
        return self.state_dir / JOBS / job

    def go(self, job: str) -> None:
        """Let a job go on that waits for the file `go`."""
        (self.work(job) / "go").touch()

    def keeper(self) -> int:
        def look() -> list[int]:
            found = keepers_of(self.state_dir)
            return found if len(found) == 1 else []  # one that is being started has a parent for a moment

        [pid] = wait_until(look, what="a keeper")
        return pid

    def kill_keeper(self) -> None:
        pid = self.keeper()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not began(pid), what="the keeper's end")

    def log(self, job: str) -> str:
        text, is_end = self.runner.log_chunk(job, 0, 1 << 20)
        assert is_end
        return text.decode()


MakeAgent = Callable[..., Agent]


def again(make_agent: MakeAgent, agent: Agent, *running: str) -> Agent:
    """Return the agent that follows one that was stopped."""
    agent.stop()
    return make_agent(*running)


def outputs_of(ended: JobEnded) -> dict[str, Any]:
    """Return what a job gave that has completed."""
    assert isinstance(ended.outcome, Completed), ended
    outputs: dict[str, Any] = json.loads(ended.outcome.outputs)
    return outputs


def failure_of(ended: JobEnded) -> Failed:
    """Return how a job failed whose process began."""
    assert isinstance(ended.outcome, Failed), ended
    return ended.outcome


def reason_of(ended: JobEnded) -> str:
    """Return why a job gave nothing."""
    assert not isinstance(ended.outcome, Completed), ended
    return ended.outcome.reason


UPPER = """
inputs: {message: string}
outputs: {jobout: string}
script: |
  printf 'jobout<<EOF\\n%s\\nEOF\\n' "$CARONI_ENV_message" >> "$CARONI_OUTPUTS"
"""
WAIT = """
outputs: {jobout: string}
script: |
  echo run >> ../runs
  touch ready
  while [ ! -e go ]; do sleep 0.01; done
  echo jobout=done >> "$CARONI_OUTPUTS"
"""
