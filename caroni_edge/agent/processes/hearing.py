"""What keepers say of jobs, compared with what is open here."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable

from caroni_edge import __version__
from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.keeper.orders import Known
from caroni_edge.agent.keeper.records import boot_id, exit_of
from caroni_edge.agent.processes.keeperlink import Event, KeeperLink
from caroni_edge.agent.processes.keepers import Keepers
from caroni_edge.agent.processes.openjobs import Open, OpenJobs
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import JobCollecting, JobEnded, JobNews, JobRecalled, JobStarted, TakenOver
from caroni_edge.agent.processes.recorded import begun_of, latest

log = logging.getLogger(__name__)

_STRAY = "the agent's database does not know this job"


def _kill_stray(job: str, link: KeeperLink) -> None:
    log.warning("killing a job: %s", _STRAY, extra={"action": "stray_killed", "job": job})
    link.send({"do": "kill", "job": job, "reason": _STRAY})


class Hearing:
    """Takes what keepers say, one event at a time, and passes it on as news of jobs.

    Attributes:
        keepers: Those who are heard; set before the first of them says something.
        waiting: The jobs of which the database says that they wait, at the start.
        has_taken_over: Set once all is known that was known beside the database.
    """

    keepers: Keepers

    def __init__(
        self, state_dir: str, opened: OpenJobs, remove: Callable[[str], None], taken_over: Callable[[TakenOver], None]
    ) -> None:
        """Compare with the jobs that are open.

        Args:
            state_dir: The agent's; absolute.
            opened: The jobs that are open.
            remove: Deletes what is on disk of a job that has ended.
            taken_over: Called once, when all keepers have said what runs: with all that is known beside the database.
        """
        self._state_dir, self._open, self._remove, self._taken_over = state_dir, opened, remove, taken_over
        self.waiting: tuple[str, ...] = ()
        # What the keepers have said: the jobs of each, whether it is of another program, and how far the database was.
        self._listed: dict[KeeperLink, set[str]] = {}
        self._is_other: dict[KeeperLink, bool] = {}
        self._said: list[Known] = []
        self._is_taken_over = False
        self.has_taken_over = threading.Event()
        self._taking = threading.Lock()

    def take(self, link: KeeperLink, event: Event) -> None:
        """Take what a keeper says, in the thread of its link."""
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
            self._remove(job)
            self._open.deliver(JobRecalled(job))

    def _on_list(self, link: KeeperLink, running: set[str], said: Event) -> None:
        """Compare with what a keeper runs; once all have said it for the first time, take over what they know.

        One of another program, or of a box that is not right any more, gets no new job, and ends when it has none.
        """
        if link.is_connected and (self._is_other.get(link) or link.is_retired):
            if not running:
                link.send({"do": "stop"})
                return
            self.keepers.succeed(link)
        self._listed[link] = running
        if self._is_taken_over:
            self._compare(link, frozenset(said.get("ahead", ())))
            return
        self._said.append(Known(said.get("database", ""), said.get("serial", 0)))
        if self._listed.keys() >= set(self.keepers.all()):
            self._take_over()

    def _take_over(self) -> None:
        """Say all at once what is known beside the database."""
        begun = begun_of(self._state_dir, self.waiting)
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
        for news in told:
            if isinstance(news, JobCollecting):
                deliver(news)
        self.has_taken_over.set()

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
            elif known.request is None or (known.is_recalled and self._open.was_started(job)):
                self._open.conclude_from_disk(job)
            elif known.is_recalled:
                self._on_recalled(job)
            else:
                self._ask_again(known, link, known.request)
            if known.kill is not None:
                link.send({"do": "kill", "job": job, "reason": known.kill})
        for job in running - opened.keys():
            _kill_stray(job, link)

    def _ask_again(self, known: Open, link: KeeperLink, request: Event) -> None:
        """Send an order again that was lost; where no keeper will ever follow, to the one that new jobs go to."""
        if link.is_retired and not link.is_connected:
            link = known.link = self.keepers.for_new(Strength.SHARED if link.home.is_boxed else Strength.NONE)
        link.send(request)
