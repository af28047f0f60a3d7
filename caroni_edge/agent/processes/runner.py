"""Runs the agent's jobs as processes: starts and kills them through the keeper, and delivers how each has ended."""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from caroni_edge import __version__
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.first import inside
from caroni_edge.agent.boxes.slotids import delete_within
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.keeper.orders import Known
from caroni_edge.agent.keeper.processes import within
from caroni_edge.agent.keeper.records import boot_id, exit_of, read
from caroni_edge.agent.processes import logfiles
from caroni_edge.agent.processes.ends import About
from caroni_edge.agent.processes.fetches import Fetches
from caroni_edge.agent.processes.keeperlink import Event, KeeperLink
from caroni_edge.agent.processes.keepers import Keepers
from caroni_edge.agent.processes.launch import Launcher, NotLaunched
from caroni_edge.agent.processes.openjobs import Open, OpenJobs
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import JobEnded, JobNews, JobOrder, JobRecalled, JobStarted, TakenOver
from caroni_edge.agent.processes.recorded import begun_of, latest
from caroni_edge.agent.processes.trash import TRASH, Trash
from caroni_edge.agent.processes.usage import Usage, usage_of
from caroni_edge.agent.processes.workspace import StartedBefore, Workspaces
from caroni_edge.base.failpoints import failpoint
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.transfer.progress import Moving

log = logging.getLogger(__name__)

_STRAY = "the agent's database does not know this job"
_NO_BOXES = Boxes()


def _kill_stray(job: str, link: KeeperLink) -> None:
    log.warning("killing a job: %s", _STRAY, extra={"action": "stray_killed", "job": job})
    link.send({"do": "kill", "job": job, "reason": _STRAY})


class Runner:
    """A `JobRunner` whose jobs are children of the keeper. `run` and `empty_trash` are the work of a thread each.

    Attributes:
        trouble: Why no job can be started, for people; None while all is well.
        files: What is done with large files.
        fetches: How they come from other nodes.
    """

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
        self._taken_over = taken_over
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
        self._keepers = Keepers(state_dir.absolute(), boxes, self._take)
        self._waiting: tuple[str, ...] = ()
        self._recovered = threading.Event()
        # What the keepers have said: the jobs of each, whether it is of another program, and how far the database was.
        self._listed: dict[KeeperLink, set[str]] = {}
        self._is_other: dict[KeeperLink, bool] = {}
        self._said: list[Known] = []
        self._is_taken_over = False
        self._has_taken_over = threading.Event()
        self._taking = threading.Lock()
        self._asking = threading.Lock()  # so that no kill overtakes the start that it is for

    @property
    def trouble(self) -> str | None:
        """Why no job can be started, for people; None while all is well."""
        return self._keepers.trouble

    @property
    def able(self) -> Able:
        """What jobs can be locked into on this host."""
        return self._boxes.able

    def run(self) -> None:
        """Deliver the ends of jobs, and start a keeper where there is none, until `close`."""
        self._recovered.wait()
        self._keepers.run()

    def empty_trash(self) -> None:
        """Delete what is left of jobs, until `close`."""
        self._trash.empty()

    def work_on_files(self) -> None:
        """Do what is to be done with large files, from when all is taken over, until `close`."""
        self._has_taken_over.wait()
        self.files.run()

    def close(self) -> None:
        """Have `run` return. Jobs go on, and the keeper stays as long as there are any."""
        self._recovered.set()
        self._has_taken_over.set()
        self.files.close()
        self._trash.close()
        if not self._open.any_at_keeper():
            self._keepers.send({"do": "stop"})
        self._keepers.close()

    def recover(
        self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str] = (), boot: str = ""
    ) -> None:
        """Take over what runs, and what was started though the database says that it waits (see `JobRunner`)."""
        is_another = bool(boot) and boot != boot_id()
        for job in (*running, *(ahead if is_another else ())):
            self._open.add(job, Open(may_have_begun=is_another))
        self._waiting = tuple(waiting)
        self._recovered.set()

    def start(self, order: JobOrder) -> None:
        """Start a job that was never started (see `JobRunner`)."""
        if order.job in self._open:
            return
        opened = Open(is_staging=True)
        self._open.add(order.job, opened)
        if order.objects:
            self.files.put(lambda: self._launch(order, opened))
        else:
            self._launch(order, opened)

    def _launch(self, order: JobOrder, opened: Open) -> None:
        """Make what a job needs, and ask a keeper for it; one that is killed before that is not started."""
        if opened.kill is not None:
            self._open.end_now(order.job, NeverBegan(opened.kill))
            return
        try:
            about, request = self._launcher.prepare(order)
        except StartedBefore:
            log.warning("not started again", extra={"action": "job_started_before", "job": order.job})
            opened.is_staging = False
            self._keepers.send({"do": "list"})
            return
        except NotLaunched as error:
            self._open.end(JobEnded(order.job, error.outcome, time.time(), damaged=error.damaged))
            return
        with self._asking:
            reason = opened.kill
            if reason is None:
                self._ask(order, opened, about, request)
        if reason is not None:
            self._open.end_now(order.job, NeverBegan(reason))
            self.remove(order.job)

    def _ask(self, order: JobOrder, opened: Open, about: About, request: dict[str, Any]) -> None:
        """Ask a keeper to start a job."""
        link = self._keepers.for_new(order.box.strength)
        if order.slots is not None:
            elsewhere = sum(1 for other in self._open.all().values() if other.link not in {link, None})
            request["slots"] = max(0, order.slots - elsewhere)
        opened.about, opened.request, opened.link = about, request, link
        opened.is_ahead, opened.is_staging = order.slots is not None, False
        failpoint("before-start-request")
        link.send(request)
        failpoint("after-start-request")

    def recall(self) -> None:
        """Start nothing that waits at a keeper (see `JobRunner`)."""
        asked = set()
        for opened in self._open.all().values():
            if opened.is_ahead and opened.link is not None:
                opened.is_recalled = True
                asked.add(opened.link)
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
        try:
            self._workspaces.remove(job)
        except OSError as error:
            log.warning("what is on disk of a job cannot be removed: %s", error, extra=ids)

    # What a keeper says, in the thread of its link; one at a time

    def _take(self, link: KeeperLink, event: Event) -> None:
        with self._taking:
            self._handle(link, event)

    def _handle(self, link: KeeperLink, event: Event) -> None:
        match event:
            case {"event": "exited"}:
                self._on_ended(link, [event])
            case {"event": "ended", "ends": ends}:
                self._on_ended(link, ends)
            case {"event": "started", "job": job}:
                self._on_started(job, link, event.get("date"))
            case {"event": "recalled", "jobs": jobs}:
                for job in jobs:
                    self._on_recalled(job)
            case {"event": "unstarted", "job": job, "reason": reason}:
                self._open.end_now(job, NeverBegan(reason, no_room=event.get("no_room") is True))
            case {"event": "refused", "job": job, "running": is_running}:
                if not is_running:
                    self._open.conclude_from_disk(job)
                elif job in self._open:
                    self._on_started(job, link, None)
            case {"event": "running", "jobs": jobs}:
                self._on_list(link, set(jobs), event)
            case {"event": "hello", "program": program}:
                self._is_other[link] = program != __version__
            case {"event": "unknown"}:
                self._on_unknown(event)

    def _answered(self, job: str, link: KeeperLink) -> bool:
        """Note that a keeper has taken a job over; return whether the database knows it."""
        opened = self._open.get(job)
        if opened is not None:
            opened.request, opened.link = None, link
        return opened is not None

    def _on_started(self, job: str, link: KeeperLink, date: float | None) -> None:
        opened = self._open.get(job)
        if not self._answered(job, link):
            _kill_stray(job, link)
        elif opened is not None and opened.is_ahead:
            opened.is_ahead = False
            self._open.deliver(JobStarted(job, date or time.time()))

    def _on_unknown(self, event: Event) -> None:
        log.error("the keeper does not understand: %s", event, extra={"action": "keeper_unknown"})
        if event.get("do") == "start" and isinstance(job := event.get("job"), str):
            self._open.conclude_from_disk(job, never=f"could not be started: {event.get('reason')}")

    def _on_ended(self, link: KeeperLink, ends: Iterable[Event]) -> None:
        self._open.conclude(*(exit_of(end) for end in ends))
        if link.is_retired:
            link.send({"do": "list"})

    def _on_recalled(self, job: str) -> None:
        if job in self._open:
            self._open.drop(job)
            self.remove(job)
            self._open.deliver(JobRecalled(job))

    def _on_list(self, link: KeeperLink, running: set[str], said: Event) -> None:
        """Compare with what a keeper runs; once all have said it for the first time, take over what they know.

        One of another program, or of a box that is not right any more, gets no new job, and ends when it has none.
        """
        if link.is_connected and (self._is_other.get(link) or link.is_retired):
            if not running:
                link.send({"do": "stop"})
                return
            self._keepers.succeed(link)
        self._listed[link] = running
        if self._is_taken_over:
            self._compare(link, frozenset(said.get("ahead", ())))
            return
        self._said.append(Known(said.get("database", ""), said.get("serial", 0)))
        if self._listed.keys() >= set(self._keepers.all()):
            self._take_over()

    def _take_over(self) -> None:
        """Say all at once what is known beside the database."""
        begun = begun_of(self._state_dir, self._waiting)
        for each in begun:
            self._open.add(each.job, Open())
        told: list[JobNews] = []
        deliver, self._open.deliver = self._open.deliver, told.append
        for link in list(self._listed):
            self._compare(link)
        self._open.deliver, self._is_taken_over = deliver, True
        known = latest(self._state_dir, self._said)
        ended = tuple(each for each in told if isinstance(each, JobEnded))
        self._taken_over(TakenOver(known.database, known.serial, tuple(begun), ended, boot_id()))
        self._has_taken_over.set()

    def _compare(self, link: KeeperLink, waits: Collection[str] = ()) -> None:
        """Compare what a keeper runs with what is open here: between two connections requests and events are lost.

        Args:
            link: To the keeper.
            waits: The jobs that wait there for their turn.
        """
        running = self._listed[link]
        elsewhere = {job for other, jobs in self._listed.items() if other is not link for job in jobs}
        opened = self._open.all()
        for job, known in opened.items():
            if known.is_staging:
                continue
            if job in running:
                self._on_started(job, link, None)
            elif known.link not in {link, None} or job in elsewhere or job in waits:
                continue
            elif known.request is not None and known.is_recalled:
                self._on_recalled(job)
            elif known.request is not None:
                link.send(known.request)
            else:
                self._open.conclude_from_disk(job)
            if known.kill is not None:
                link.send({"do": "kill", "job": job, "reason": known.kill})
        for job in running - opened.keys():
            _kill_stray(job, link)
