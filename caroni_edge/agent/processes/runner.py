"""Runs the agent's jobs as processes: starts and kills them through the keeper, and delivers how each has ended."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.first import inside
from caroni_edge.agent.boxes.slotids import delete_within
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.keeper.processes import within
from caroni_edge.agent.keeper.records import boot_id, read
from caroni_edge.agent.processes import logfiles
from caroni_edge.agent.processes.ends import About
from caroni_edge.agent.processes.fetches import Fetches
from caroni_edge.agent.processes.hearing import Hearing
from caroni_edge.agent.processes.keepers import Keepers
from caroni_edge.agent.processes.launch import Launcher, NotLaunched
from caroni_edge.agent.processes.openjobs import Open, OpenJobs
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import BucketUser, JobEnded, JobNews, JobOrder, JobRecalled, TakenOver
from caroni_edge.agent.processes.trash import TRASH, Trash
from caroni_edge.agent.processes.usage import Usage, usage_of
from caroni_edge.agent.processes.workspace import StartedBefore, Workspaces
from caroni_edge.base.failpoints import failpoint
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.objects.bucket import BucketOrder
from caroni_edge.objects.disk import ObjectFiles, OnlyInBucket
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.transfer.progress import Moving

log = logging.getLogger(__name__)

_NO_BOXES = Boxes()


class _NoBucket:
    def do(self, order: BucketOrder) -> None:
        """Do nothing: nothing is ordered where no bucket is configured."""


NO_BUCKET = _NoBucket()


class Runner:
    """A `JobRunner` whose jobs are children of the keeper. `run` and `empty_trash` are the work of a thread each.

    Attributes:
        trouble: Why no job can be started, for people; None while all is well.
        files: What is done with large files.
        fetches: How they come from other nodes.
        bucket: What puts them into the bucket of a depot, and brings them back.
    """

    bucket: BucketUser = NO_BUCKET

    def __init__(
        self,
        state_dir: Path,
        agent: str,
        deliver: Callable[[JobNews], None],
        taken_over: Callable[[TakenOver], None],
        environ: Mapping[bytes, bytes] = os.environb,
        boxes: Boxes = _NO_BOXES,
        min_free_bytes: int = 0,
    ) -> None:
        """Use the state directory of an agent.

        Args:
            state_dir: Where jobs have their directories, and the keeper its socket.
            agent: The agent's id.
            deliver: Called with the end of each job, when it is on disk, and with what else there is to tell of it.
            taken_over: Called once, when the keeper has said what runs: with all that is known beside the database.
            environ: The environment of which jobs get a little.
            boxes: What jobs can be locked into.
            min_free_bytes: So much of the disk stays free of large files.

        Raises:
            OSError: The directory cannot be used.
        """
        self._state_dir = str(state_dir.absolute())
        self.files = FileWork(ObjectFiles(state_dir.absolute(), lambda: min_free_bytes), deliver)
        self.fetches = Fetches(self.files, deliver)
        self._open = OpenJobs(self._state_dir, deliver, self.files)
        has_ids = not boxes.able.no_ids
        delete = partial(delete_within, boxes.bwrap, boxes.ids) if has_ids else None
        self._trash = Trash(f"{state_dir.absolute()}/{TRASH}", delete)
        self._workspaces = Workspaces(state_dir.absolute(), self._trash, environ, for_others=has_ids)
        self._boxes = boxes
        told = environ.get(CREDENTIALS.encode())
        credentials = None if told is None else os.fsdecode(told)
        self._launcher = Launcher(self._state_dir, agent, self._workspaces, boxes, self.files.store, credentials)
        self._hearing = hearing = Hearing(self._state_dir, self._open, self.remove, taken_over)
        self._keepers = hearing.keepers = Keepers(state_dir.absolute(), boxes, hearing.take)
        self._recovered = threading.Event()
        self._asking = threading.Lock()  # so that no kill overtakes the start that it is for

    @property
    def trouble(self) -> str | None:
        """Why no job can be started, for people; None while all is well."""
        return self._keepers.trouble

    @property
    def able(self) -> Able:
        """What jobs can be locked into on this host."""
        return self._boxes.able

    def hide(self, hidden: Hidden) -> None:
        """Keep from jobs that start from now on what is the agent's by now; those that run see what they saw."""
        with self._asking:
            self._boxes = self._launcher.boxes = self._keepers.hide(self._boxes, hidden)

    def run(self) -> None:
        """Deliver the ends of jobs, and start a keeper where there is none, until `close`."""
        self._recovered.wait()
        self._keepers.run()

    def empty_trash(self) -> None:
        """Delete what is left of jobs, until `close`."""
        self._trash.empty()

    def work_on_files(self) -> None:
        """Do what is to be done with large files, from when all is taken over, until `close`."""
        self._hearing.has_taken_over.wait()
        self.files.run()

    def close(self) -> None:
        """Have `run` return. Jobs go on, and the keeper stays as long as there are any."""
        self._recovered.set()
        self._hearing.has_taken_over.set()
        self.files.close()
        self._trash.close()
        self._keepers.close(end=not self._open.any_at_keeper())

    def recover(
        self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str] = (), boot: str = ""
    ) -> None:
        """Take over what runs, and what was started though the database says that it waits (see `JobRunner`)."""
        is_another = bool(boot) and boot != boot_id()
        for job in (*running, *(ahead if is_another else ())):
            self._open.add(job, Open(may_have_begun=is_another))
        self._hearing.waiting = tuple(waiting)
        self._recovered.set()

    def start(self, order: JobOrder) -> None:
        """Start a job that was never started (see `JobRunner`)."""
        if order.job in self._open:
            return
        opened = Open(is_staging=True, is_ahead=order.slots is not None)
        self._open.add(order.job, opened)
        if order.objects:
            self.files.put(lambda: self._launch(order, opened))
        else:
            self._launch(order, opened)

    def _launch(self, order: JobOrder, opened: Open) -> None:
        """Make what a job needs, and ask a keeper for it; one that is killed before that is not started."""
        if opened.is_recalled:
            return
        if opened.kill is not None:
            self._open.end_now(order.job, NeverBegan(opened.kill))
            return
        try:
            about, request = self._launcher.prepare(order)
        except OnlyInBucket:
            self._remove(order.job)
            raise  # it is tried again when they are back
        except StartedBefore:
            log.warning("not started again", extra={"action": "job_started_before", "job": order.job})
            opened.is_staging = False
            self._keepers.send({"do": "list"})
            return
        except NotLaunched as error:
            with self._asking:
                opened.is_ahead = False  # it is not recalled any more
            if not opened.is_recalled:
                self._open.end(JobEnded(order.job, error.outcome, time.time(), damaged=error.damaged))
            return
        with self._asking:
            reason = opened.kill
            if reason is None and not opened.is_recalled:
                self._ask(order, opened, about, request)
        if opened.is_recalled and opened.link is None:
            self._remove(order.job)
        elif reason is not None:
            self._open.end_now(order.job, NeverBegan(reason))
            self.remove(order.job)

    def _ask(self, order: JobOrder, opened: Open, about: About, request: dict[str, Any]) -> None:
        """Ask a keeper to start a job."""
        link = self._keepers.for_new(order.box.strength)
        if order.slots is not None:
            elsewhere = sum(1 for other in self._open.all().values() if other.link not in {link, None})
            request["slots"] = max(0, order.slots - elsewhere)
        opened.about, opened.request, opened.link = about, request, link
        opened.is_staging = False
        failpoint("before-start-request")
        link.send(request)
        failpoint("after-start-request")

    def recall(self) -> None:
        """Start nothing that waits at a keeper (see `JobRunner`)."""
        asked = set()
        for job, opened in self._open.all().items():
            with self._asking:
                if not opened.is_ahead:
                    continue
                opened.is_recalled = True
            if opened.link is not None:
                asked.add(opened.link)
            else:  # its files are still to be laid before it, and no keeper is asked for it any more
                self._open.drop(job)
                self._open.deliver(JobRecalled(job))
        for link in asked:
            link.send({"do": "recall"})

    def kill(self, job: str, reason: str) -> None:
        """End a job (see `JobRunner`)."""
        opened = self._open.get(job)
        if opened is None:
            return
        with self._asking:
            opened.kill, link = reason, opened.link
            if link is not None:
                link.send({"do": "kill", "job": job, "reason": reason})
            elif not opened.is_staging:  # whoever says that it runs there is told
                self._keepers.send({"do": "list"})

    def log_size(self, job: str) -> int:
        """Return how long a job's log is now; 0 for an unknown job."""
        return logfiles.size_of(self._state_dir, job, has_ended=self._has_ended(job))

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return a piece of a job's log (see `JobRunner`); that of an unknown job is empty, and complete."""
        return logfiles.chunk_of(self._state_dir, job, offset, limit, has_ended=self._has_ended(job))

    def _has_ended(self, job: str) -> bool:
        return job not in self._open

    def moving(self) -> Moving:
        """Return which files come from other nodes, and how fast."""
        return self.fetches.moving()

    def usage(self, jobs: Iterable[str]) -> dict[str, Usage]:
        """Return what those jobs that run use of the host now."""
        leaders = {}
        for job in jobs:
            try:
                start = read(self._state_dir, job).start
            except OSError:  # the job has put something else in its place
                continue
            if start is not None and start.pid:
                pid = self._outside(job, start.pid)
                # In a box of its own its processes have a session of their own.
                leaders.update(dict.fromkeys((pid, within(pid)) if start.is_alone else (pid,), job))
        return usage_of(leaders)

    def _outside(self, job: str, pid: int) -> int:
        """Return the number that the first process of a job has outside its box; 0 where it has none any more."""
        link = opened.link if (opened := self._open.get(job)) else None
        return inside(link.first).get(pid, 0) if link is not None and link.first else pid

    def remove(self, job: str) -> None:
        """Delete all that is on disk of a job that has ended (see `JobRunner`)."""
        ids = {"action": "job_remove_failed", "job": job}
        if job in self._open:
            log.error("a job that has not ended cannot be removed", extra=ids)
            return
        self._remove(job)

    def _remove(self, job: str) -> None:
        ids = {"action": "job_remove_failed", "job": job}
        try:
            self._workspaces.remove(job)
        except OSError as error:
            log.warning("what is on disk of a job cannot be removed: %s", error, extra=ids)
