"""The jobs whose end the runner has not delivered yet; how their ends are read from disk, and delivered."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from caroni_edge.agent.keeper import reasons
from caroni_edge.agent.keeper.records import Exit, read
from caroni_edge.agent.processes.bounded import BoundedStore
from caroni_edge.agent.processes.collecting import NeedsStore
from caroni_edge.agent.processes.ends import About, conclude, unreadable
from caroni_edge.agent.processes.keeperlink import KeeperLink
from caroni_edge.agent.processes.outcome import Failed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.port import JobCollecting, JobEnded, JobNews
from caroni_edge.agent.processes.recorded import forbid, unseen
from caroni_edge.base.failpoints import failpoint
from caroni_edge.objects.filework import FileWork, Work
from caroni_edge.objects.quota import OverQuota

NEVER = "it was never started: the agent stopped before it could be"


@dataclass(slots=True)
class Open:
    """A job whose end has not been delivered.

    Attributes:
        about: What its end is read by; None: what its start record says.
        request: The start that a keeper was asked for; None once it has answered.
        link: To that keeper; None while it is not known which one it was.
        kill: Why it is to end; None while it is not.
        is_staging: Its directory and its files are still to be made, and no keeper was asked for it.
        is_ahead: It was to wait for its turn, and is not known to have started.
        is_recalled: It is not to be started any more.
        may_have_begun: Where it has no record, that may be lost.
    """

    about: About | None = None
    request: dict[str, Any] | None = None
    link: KeeperLink | None = None
    kill: str | None = None
    is_staging: bool = False
    is_ahead: bool = False
    is_recalled: bool = False
    may_have_begun: bool = False


class OpenJobs:
    """Open jobs by their name, for any thread.

    Attributes:
        deliver: Called with the end of each job, when it is on disk.
    """

    def __init__(self, state_dir: str, deliver: Callable[[JobNews], None], work: FileWork) -> None:
        """Read the ends of jobs in the state directory of an agent, and have large files taken by `work`."""
        self.deliver, self._work = deliver, work
        self._state_dir = state_dir
        self._need_bytes: dict[str, int] = {}  # of jobs whose files do not fit, for the work on files alone
        self._lock = threading.Lock()
        self._jobs: dict[str, Open] = {}

    def __contains__(self, job: str) -> bool:
        """Tell whether a job is open."""
        with self._lock:
            return job in self._jobs

    def any_at_keeper(self) -> bool:
        """Tell whether a keeper may have any job that is open."""
        return any(not each.is_staging for each in self.all().values())

    def get(self, job: str) -> Open | None:
        """Return an open job."""
        with self._lock:
            return self._jobs.get(job)

    def all(self) -> dict[str, Open]:
        """Return all that are open now, in the order in which they came."""
        with self._lock:
            return dict(self._jobs)

    def add(self, job: str, opened: Open) -> None:
        """Open a job."""
        with self._lock:
            self._jobs[job] = opened

    def drop(self, job: str) -> None:
        """Let a job be open no more."""
        with self._lock:
            self._jobs.pop(job, None)

    def was_started(self, job: str) -> bool:
        """Tell whether a job has a record of its start; also where that cannot be read."""
        try:
            return read(self._state_dir, job).start is not None
        except OSError:
            return True

    # Ends

    def conclude_from_disk(self, job: str, never: str = NEVER) -> None:
        """Deliver the end of a job that does not run, from its record on disk.

        Args:
            job: Its name.
            never: Why, for people, if it was never started.
        """
        opened = self.get(job)
        if opened is None:
            return
        try:
            start, end = read(self._state_dir, job)
            if start is None and not forbid(self._state_dir, job, NEVER):
                return
        except OSError as error:
            self.end_now(job, Failed(f"what became of it cannot be read: {error}"))
            return
        if end is not None:
            self.conclude(end)
        elif start is None and opened.may_have_begun:
            self.end_now(job, Failed(reasons.UNSEEN_REBOOT))
        elif start is None or start.never:
            self.end_now(job, NeverBegan(never))
        else:
            self.conclude(unseen(start))

    def conclude(self, *ends: Exit) -> None:
        """Deliver the ends of jobs from their recorded ends, all at once when all of them are read."""
        for ended in [self._read(end) for end in ends]:
            if ended is not None:
                self.end(ended)

    def _read(self, end: Exit) -> JobEnded | None:
        """Return how a job ended; None where its large files are to be taken first."""
        opened = self.get(end.job)
        about = opened.about if opened else None
        try:
            return conclude(self._state_dir, end, about or self._about(end.job))
        except NeedsStore:
            self.deliver(_collecting(end))
            self._work.put_together(lambda: self._collect(end))
            return None
        except (OSError, ValueError) as error:
            return unreadable(end, error)

    def _collect(self, end: Exit) -> Work | None:
        """Take the large files of a job; return what delivers its end. What has been delivered meanwhile stands.

        Raises:
            NoRoom: The disk has no room for them.
        """
        if end.job not in self:
            return None
        manager = ""
        try:
            about = self._about(end.job)
            manager = about.manager
            ended = self._conclude(end, about)
        except (OSError, ValueError) as error:
            ended = unreadable(end, error)
        self._need_bytes.pop(end.job, None)
        self._work.given(end.job, ended.stored, manager)
        return lambda: self.end(ended)

    def _conclude(self, end: Exit, about: About) -> JobEnded:
        """Read what a job gave; of one whose files are known not to fit nothing is taken before there is room."""
        quota = self._work.quota_now()
        if not quota.is_bounded:
            return conclude(self._state_dir, end, about, self._work.store)
        store = BoundedStore(self._work.store, quota, about.manager, self._need_bytes.get(end.job, 0))
        try:
            return conclude(self._state_dir, end, about, store)
        except OverQuota:
            self._need_bytes[end.job] = store.need_bytes
            raise

    def end_now(self, job: str, outcome: ProcessOutcome) -> None:
        """Deliver an end of which there is no record."""
        self.end(JobEnded(job, outcome, time.time()))

    def end(self, ended: JobEnded) -> None:
        """Deliver an end."""
        failpoint("before-end-delivered")
        self.drop(ended.job)
        self.deliver(ended)

    def _about(self, job: str) -> About:
        start = read(self._state_dir, job).start
        return About.read(start.about if start else {})


def _collecting(end: Exit) -> JobCollecting:
    return JobCollecting(end.job, end.started or None, end.date)
