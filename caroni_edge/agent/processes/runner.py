"""Runs the agent's jobs as processes: starts and kills them through the keeper, and delivers how each has ended."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from caroni_edge import __version__
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.first import inside
from caroni_edge.agent.boxes.slotids import delete_within
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.orders import Known
from caroni_edge.agent.keeper.records import Exit, directory_of, exit_of, read
from caroni_edge.agent.processes import logfiles
from caroni_edge.agent.processes.ends import About, conclude, unreadable
from caroni_edge.agent.processes.keeperlink import Event, KeeperLink
from caroni_edge.agent.processes.keepers import Keepers
from caroni_edge.agent.processes.launch import order_of
from caroni_edge.agent.processes.outcome import Failed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.outputs import Declared
from caroni_edge.agent.processes.port import JobEnded, JobOrder, TakenOver
from caroni_edge.agent.processes.recorded import begun_of, forbid, latest, unseen
from caroni_edge.agent.processes.trash import TRASH, Trash
from caroni_edge.agent.processes.usage import Usage, usage_of
from caroni_edge.agent.processes.workspace import StartedBefore, Workspaces
from caroni_edge.base.failpoints import failpoint

log = logging.getLogger(__name__)

_NEVER = "it was never started: the agent stopped before it could be"
_STRAY = "the agent's database does not know this job"
_NO_BOXES = Boxes()


@dataclass(slots=True)
class _Open:
    """A job whose end has not been delivered.

    Attributes:
        about: What its end is read by; None: what its start record says.
        request: The start that a keeper was asked for; None once it has answered.
        link: To that keeper; None while it is not known which one it was.
        kill: Why it is to end; None while it is not.
    """

    about: About | None = None
    request: dict[str, Any] | None = None
    link: KeeperLink | None = None
    kill: str | None = None


def _kill_stray(job: str, link: KeeperLink) -> None:
    log.warning("killing a job: %s", _STRAY, extra={"action": "stray_killed", "job": job})
    link.send({"do": "kill", "job": job, "reason": _STRAY})


class Runner:
    """A `JobRunner` whose jobs are children of the keeper. `run` and `empty_trash` are the work of a thread each.

    Attributes:
        trouble: Why no job can be started, for people; None while all is well.
    """

    def __init__(
        self,
        state_dir: Path,
        agent: str,
        deliver: Callable[[JobEnded], None],
        taken_over: Callable[[TakenOver], None],
        environ: Mapping[bytes, bytes] = os.environb,
        boxes: Boxes = _NO_BOXES,
    ) -> None:
        """Use the state directory of an agent.

        Args:
            state_dir: Where jobs have their directories, and the keeper its socket.
            agent: The agent's id.
            deliver: Called with the end of each job, when it is on disk.
            taken_over: Called once, when the keeper has said what runs: with all that is known beside the database.
            environ: The environment of which jobs get a little.
            boxes: What jobs can be locked into.

        Raises:
            OSError: The directory cannot be used.
        """
        self._state_dir = str(state_dir.absolute())
        self._agent, self._deliver, self._taken_over = agent, deliver, taken_over
        has_ids = not boxes.able.no_ids
        delete = partial(delete_within, boxes.bwrap, boxes.ids) if has_ids else None
        self._trash = Trash(f"{state_dir.absolute()}/{TRASH}", delete)
        self._workspaces = Workspaces(state_dir.absolute(), self._trash, environ, for_others=has_ids)
        self._boxes = boxes
        self._keepers = Keepers(state_dir.absolute(), boxes, self._take)
        self._lock = threading.Lock()
        self._open: dict[str, _Open] = {}
        self._waiting: tuple[str, ...] = ()
        self._recovered = threading.Event()
        # What the keepers have said: the jobs of each, whether it is of another program, and how far the database was.
        self._listed: dict[KeeperLink, set[str]] = {}
        self._is_other: dict[KeeperLink, bool] = {}
        self._said: list[Known] = []
        self._is_taken_over = False
        self._taking = threading.Lock()

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

    def close(self) -> None:
        """Have `run` return. Jobs go on, and the keeper stays as long as there are any."""
        self._recovered.set()
        self._trash.close()
        with self._lock:
            is_idle = not self._open
        if is_idle:
            self._keepers.send({"do": "stop"})
        self._keepers.close()

    def recover(self, running: Iterable[str], waiting: Iterable[str]) -> None:
        """Take over what runs, and what was started though the database says that it waits (see `JobRunner`)."""
        with self._lock:
            self._open.update((job, _Open()) for job in running)
        self._waiting = tuple(waiting)
        self._recovered.set()

    def start(self, order: JobOrder) -> None:
        """Start a job that was never started (see `JobRunner`)."""
        with self._lock:
            if order.job in self._open:
                return
        try:
            launch = self._workspaces.make(order.job, order.job_type, order.inputs, self._facts(order))
        except StartedBefore:
            log.warning("not started again", extra={"action": "job_started_before", "job": order.job})
            self._add(order.job, _Open())
            self._keepers.send({"do": "list"})
            return
        except OSError as error:
            reason = f"could not be started: its directory cannot be made: {error.strerror}"
            outcome = NeverBegan(reason, no_room=error.errno in files.EXHAUSTED)
            self._deliver(JobEnded(order.job, outcome, time.time()))
            return
        about = About(Declared.of(order.job_type), [*launch.notes, *order.box.notes()])
        request = order_of(self._state_dir, order, about, self._boxes, launch)
        link = self._keepers.for_new(order.box.strength)
        self._add(order.job, _Open(about, request, link))
        failpoint("before-start-request")
        link.send(request)
        failpoint("after-start-request")

    def kill(self, job: str, reason: str) -> None:
        """End a job (see `JobRunner`)."""
        with self._lock:
            opened = self._open.get(job)
            if opened is None:
                return
            opened.kill, link = reason, opened.link
        if link is None:  # whoever says that it runs there is told
            self._keepers.send({"do": "list"})
        else:
            link.send({"do": "kill", "job": job, "reason": reason})

    def log_size(self, job: str) -> int:
        """Return how long a job's log is now; 0 for an unknown job."""
        with self._lock:
            has_ended = job not in self._open
        try:
            with files.opened(directory_of(self._state_dir, job)) as directory:
                return logfiles.size(directory, has_ended=has_ended)
        except OSError:  # it is gone, or the job has put something else in its place
            return 0

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return a piece of a job's log (see `JobRunner`); that of an unknown job is empty, and complete."""
        with self._lock:
            has_ended = job not in self._open
        try:
            with files.opened(directory_of(self._state_dir, job)) as directory:
                return logfiles.chunk(directory, offset, limit, has_ended=has_ended)
        except OSError:  # it is gone, or the job has put something else in its place
            return b"", has_ended

    def usage(self, jobs: Iterable[str]) -> dict[str, Usage]:
        """Return what those jobs that run use of the host now."""
        leaders = {}
        for job in jobs:
            try:
                start = read(self._state_dir, job).start
            except OSError:  # the job has put something else in its place
                continue
            if start is not None and start.pid:
                leaders[self._outside(job, start.pid)] = job
        return usage_of(leaders)

    def _outside(self, job: str, pid: int) -> int:
        """Return the number that the first process of a job has outside its box; 0 where it has none any more."""
        with self._lock:
            link = opened.link if (opened := self._open.get(job)) else None
        return inside(link.first).get(pid, 0) if link is not None and link.first else pid

    def remove(self, job: str) -> None:
        """Delete all that is on disk of a job that has ended (see `JobRunner`)."""
        ids = {"action": "job_remove_failed", "job": job}
        with self._lock:
            if job in self._open:
                log.error("a job that has not ended cannot be removed", extra=ids)
                return
        try:
            self._workspaces.remove(job)
        except OSError as error:
            log.warning("what is on disk of a job cannot be removed: %s", error, extra=ids)

    def _facts(self, order: JobOrder) -> dict[str, str]:
        return {
            "CARONI_JOB": order.job,
            "CARONI_WORKFLOW": order.workflow,
            "CARONI_STEP": order.step,
            "CARONI_ATTEMPT": str(order.attempt),
            "CARONI_MANAGER": order.manager,
            "CARONI_AGENT": self._agent,
        }

    def _add(self, job: str, opened: _Open) -> None:
        with self._lock:
            self._open[job] = opened

    # What a keeper says, in the thread of its link; one at a time

    def _take(self, link: KeeperLink, event: Event) -> None:
        with self._taking:
            self._handle(link, event)

    def _handle(self, link: KeeperLink, event: Event) -> None:
        match event:
            case {"event": "exited"}:
                self._conclude(exit_of(event))
                if link.is_retired:
                    link.send({"do": "list"})
            case {"event": "started", "job": job}:
                if not self._answered(job, link):
                    _kill_stray(job, link)
            case {"event": "unstarted", "job": job, "reason": reason}:
                self._end_now(job, NeverBegan(reason, no_room=event.get("no_room") is True))
            case {"event": "refused", "job": job, "running": is_running}:
                self._answered(job, link)
                if not is_running:
                    self._conclude_from_disk(job)
            case {"event": "running", "jobs": jobs}:
                self._on_list(link, set(jobs), event)
            case {"event": "hello", "program": program}:
                self._is_other[link] = program != __version__
            case {"event": "unknown"}:
                log.error("the keeper does not understand: %s", event, extra={"action": "keeper_unknown"})
                if event.get("do") == "start" and isinstance(job := event.get("job"), str):
                    self._conclude_from_disk(job, never=f"could not be started: {event.get('reason')}")

    def _answered(self, job: str, link: KeeperLink) -> bool:
        """Note that a keeper has taken a job over; return whether the database knows it."""
        with self._lock:
            opened = self._open.get(job)
            if opened is not None:
                opened.request, opened.link = None, link
        return opened is not None

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
            self._compare(link)
            return
        self._said.append(Known(said.get("database", ""), said.get("serial", 0)))
        if self._listed.keys() >= set(self._keepers.all()):
            self._take_over()

    def _take_over(self) -> None:
        """Say all at once what is known beside the database."""
        begun = begun_of(self._state_dir, self._waiting)
        with self._lock:
            self._open.update((each.job, _Open()) for each in begun)
        ended: list[JobEnded] = []
        deliver, self._deliver = self._deliver, ended.append
        for link in list(self._listed):
            self._compare(link)
        self._deliver, self._is_taken_over = deliver, True
        known = latest(self._state_dir, self._said)
        self._taken_over(TakenOver(known.database, known.serial, tuple(begun), tuple(ended)))

    def _compare(self, link: KeeperLink) -> None:
        """Compare what a keeper runs with what is open here: between two connections requests and events are lost."""
        running = self._listed[link]
        elsewhere = {job for other, jobs in self._listed.items() if other is not link for job in jobs}
        with self._lock:
            opened = dict(self._open)
        for job, known in opened.items():
            if job in running:
                self._answered(job, link)
            elif known.link not in {link, None} or job in elsewhere:
                continue
            elif known.request is not None:
                link.send(known.request)
            else:
                self._conclude_from_disk(job)
            if known.kill is not None:
                link.send({"do": "kill", "job": job, "reason": known.kill})
        for job in running - opened.keys():
            _kill_stray(job, link)

    # The end of a job

    def _conclude_from_disk(self, job: str, never: str = _NEVER) -> None:
        """Deliver the end of a job that does not run, from its record on disk.

        Args:
            job: Its name.
            never: Why, for people, if it was never started.
        """
        with self._lock:
            if job not in self._open:
                return
        try:
            start, end = read(self._state_dir, job)
            if start is None and not forbid(self._state_dir, job, _NEVER):
                return
        except OSError as error:
            self._end_now(job, Failed(f"what became of it cannot be read: {error}"))
            return
        if end is not None:
            self._conclude(end)
        elif start is None or start.never:
            self._end_now(job, NeverBegan(never))
        else:
            self._conclude(unseen(start))

    def _conclude(self, end: Exit) -> None:
        """Deliver the end of a job from its recorded end."""
        with self._lock:
            opened = self._open.get(end.job)
        about = opened.about if opened else None
        try:
            ended = conclude(self._state_dir, end, about or self._about(end.job))
        except (OSError, ValueError) as error:
            ended = unreadable(end, error)
        self._deliver_end(ended)

    def _end_now(self, job: str, outcome: ProcessOutcome) -> None:
        """Deliver an end of which there is no record."""
        self._deliver_end(JobEnded(job, outcome, time.time()))

    def _deliver_end(self, ended: JobEnded) -> None:
        failpoint("before-end-delivered")
        with self._lock:
            self._open.pop(ended.job, None)
        self._deliver(ended)

    def _about(self, job: str) -> About:
        start = read(self._state_dir, job).start
        return About.read(start.about if start else {})
