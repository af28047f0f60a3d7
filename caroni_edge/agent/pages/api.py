"""The agent's JSON API. It reads on connections of its own; what changes something runs in the node's thread."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, Protocol

from litestar import Controller, MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.refusals import HOST_FULL, WAITING_FILES
from caroni_edge.agent.pages.shapes import (
    Drain,
    JobPage,
    JobSummary,
    JobView,
    RefusalsView,
    SlotsView,
)
from caroni_edge.agent.pages.views import UNFINISHED, AgentViews
from caroni_edge.agent.processes.usage import Usage
from caroni_edge.agent.reactor import AgentReactor
from caroni_edge.config.model import EVERYBODY
from caroni_edge.doctor.clock import Dates
from caroni_edge.objects.locations import LocationProgress
from caroni_edge.objects.transfer.progress import Moving, Progress
from caroni_edge.web.audit import AuditedCommands, note
from caroni_edge.web.logtext import decode, log_answer
from caroni_edge.web.metrics import Metric, by, single
from caroni_edge.web.nodeview import NodeView
from caroni_edge.web.parameters import AfterNumber, Limit, LogOffset
from caroni_edge.web.problems import Problem
from caroni_edge.web.readers import Readers

LOG_SHOWN_BYTES = 64 * 1024
LOG_AT_ONCE_BYTES = 1 << 20


class Logs(Protocol):
    """Where logs, usage and progress of jobs are read; for any thread (`caroni_edge.agent.processes.runner.Runner`)."""

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return at most `limit` bytes of a job's log from `offset`, and whether nothing follows them for ever."""

    def log_size(self, job: str) -> int:
        """Return how many bytes a job's log has now."""

    def usage(self, jobs: Iterable[str]) -> Mapping[str, Usage]:
        """Return what those jobs that run use of the host now."""

    def moving(self) -> Moving:
        """Return which files come from other nodes, and how fast."""


@dataclass(frozen=True)
class AgentApi:
    """What the handlers of an agent's routes work with.

    Attributes:
        node: The node itself.
        readers: Connections to its database.
        commands: Runs changes in the node's thread, and notes there who wanted them.
        reactor: Makes the changes; touched by no other thread, but for `settings` and `is_taken_over`.
        reload_types: Reads the job types anew.
        logs: Where the logs of jobs are.
        reply_topic: Where the states of a manager's jobs go, with `{manager}` in its place.
        date: Returns the date, Unix seconds.
    """

    node: NodeView
    readers: Readers
    commands: AuditedCommands
    reactor: AgentReactor
    reload_types: Callable[[], None]
    logs: Logs
    reply_topic: str
    date: Callable[[], float] = time.time

    @contextmanager
    def look(self) -> Iterator[AgentViews]:
        """Open the views on one commit of the database."""
        with self.readers.open() as conn:
            yield AgentViews(conn)

    def jobs(self, status: JobState | None, manager: str | None, limit: int, after: int | None) -> JobPage:
        """Return a page of jobs, newest first."""
        with self.look() as views:
            page = views.jobs(status, manager, limit, after)
        self._add_now(page["jobs"])
        return page

    def _add_now(self, jobs: Sequence[JobSummary]) -> None:
        """Say of the jobs that run what they use now, and of those with large files how far they are, or what lacks."""
        running = {job["id"]: job for job in jobs if job["status"] == JobState.RUNNING}
        for name, used in self.logs.usage(running).items():
            running[name]["cpu_s"], running[name]["memory_bytes"] = used.cpu_s, used.memory_bytes
        refuses = self.reactor.refuses
        for job in jobs:
            if job["status"] == JobState.COLLECTING:
                why = refuses.get(job["manager"]) or refuses.get(EVERYBODY) or ""
                job["reason"] = why if why.startswith((WAITING_FILES, HOST_FULL)) else job["reason"]
        staging = [job for job in jobs if job["status"] == JobState.STAGING]
        if staging:
            moving = self.logs.moving()
            with self.look() as views:
                for job in staging:
                    room = self.reactor.waiting_for_room.get(job["id"])
                    job["files"] = views.files(job["id"], moving._replace(problem=room.why) if room else moving)

    def job(self, job: str) -> JobView:
        """Return a job with the beginning of its log, or 404."""
        return self._with_log(self._job(job), 0, LOG_SHOWN_BYTES)

    def job_with_end(self, job: str, log_bytes: int) -> tuple[JobView, int]:
        """Return a job with the end of its log, from a whole line on, and where in the log that begins."""
        found = self._job(job)
        begin = max(0, self.logs.log_size(job) - log_bytes)
        if begin:
            data, _ = self.read_log(found, begin, log_bytes)
            begin += data.find(b"\n") + 1
        return self._with_log(found, begin, log_bytes), begin

    def _job(self, job: str) -> JobView:
        with self.look() as views:
            found = views.job(job, self.reply_topic) or _no_job(job)
        self._add_now([found])
        return found

    def _with_log(self, job: JobView, offset: int, limit: int) -> JobView:
        data, is_end = self.read_log(job, offset, limit)
        job["log"], length = decode(data, is_end=is_end)
        job["log_next"] = None if is_end else offset + length
        return job

    def read_log(self, job: JobView, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return a part of a job's log, and whether it ends there, which it does not before the job has ended."""
        data, is_end = self.logs.log_chunk(job["id"], offset, limit)
        return data, is_end and job["status"] not in UNFINISHED

    def drain(self) -> Drain:
        """Return whether the agent takes no new work, and what it has left."""
        with self.look() as views:
            return views.drain()

    def set_drained(self, *, on: bool) -> Drain:
        """Let the agent take no new work and finish what it has, or end that."""
        note(on="yes" if on else "no")
        self.commands.call(lambda _at: self.reactor.drain(on=on))
        return self.drain()

    def set_paused(self, *, on: bool) -> Drain:
        """Let the agent start nothing, or end that."""
        note(on="yes" if on else "no")
        self.commands.call(lambda _at: self.reactor.pause(on=on))
        return self.drain()

    def slots(self, hours: int) -> SlotsView:
        """Return how the slots were used in the last hours."""
        with self.look() as views:
            return views.slots(self.reactor.settings, self.reactor.kept, hours, self.date())

    def refusals(self, limit: int) -> RefusalsView:
        """Return what is refused now, and what was not taken lately, so much at most."""
        with self.look() as views:
            return RefusalsView(refuses=dict(self.reactor.refuses), recent=views.turned_away(limit))

    def kill(self, job: str) -> JobView:
        """End a job at the owner's wish; return it as it is then."""
        with self.look() as views:
            found = views.job(job, self.reply_topic) or _no_job(job)
        if found["status"] not in UNFINISHED:
            raise Problem(409, f"the job {job} is {found['status']} already")
        self.check_taken_over()
        reason = f"killed by the owner of agent {self.node.id}"
        self.commands.call(lambda at: self.reactor.kill_job(job, reason, at))
        return self.job(job)

    def check_taken_over(self) -> None:
        """Raise a problem as long as the agent does not know what runs."""
        if not self.reactor.is_taken_over:
            raise Problem(
                503, "the agent has just started, and does not know yet which jobs run: ask again in a moment"
            )

    def dates(self) -> Dates:
        """Return what tells whether clocks are right."""
        with self.look() as views:
            return views.dates()

    def metrics(self) -> list[Metric]:
        """Return the metrics of an agent: how many jobs it has, and whether it is drained."""
        moving = self.logs.moving()
        coming: list[Progress | LocationProgress] = [*moving.fetches.values(), *moving.locations.values()]
        with self.look() as views:
            resources, stored = views.resources(self.reactor.settings), views.stored()
            by_manager = by("manager", {each.manager: each.size for each in views.stored_by_manager()})
            return [
                Metric(
                    "jobs", "Jobs by state; finished ones until they are forgotten.", by("status", views.count_jobs())
                ),
                Metric("jobs_unfinished", "Jobs not ended, by manager and state.", views.count_by_manager()),
                Metric(
                    "resources",
                    "What the host has for jobs that need it.",
                    by("resource", {each["name"]: each["amount"] for each in resources}),
                ),
                Metric(
                    "resources_taken",
                    "What running jobs have of it.",
                    by("resource", {each["name"]: each["taken"] for each in resources}),
                ),
                single("files_stored", "Large files in the store.", stored.objects),
                single("files_stored_bytes", "Their bytes.", stored.size),
                Metric(
                    "files_stored_manager_bytes", "Bytes of each manager's, some perhaps another's too.", by_manager
                ),
                single("files_wanted", "Large files that are on their way here.", len(coming)),
                single(
                    "files_wanted_bytes",
                    "Bytes of them that are missing.",
                    sum(each.left_bytes for each in coming),
                ),
                single("files_received_bytes", "Bytes of files that have come since the start.", moving.came_bytes),
                single("files_sent_bytes", "Bytes of files given to others since the start.", moving.gave_bytes),
                single("drained", "1 while the agent takes no new work.", views.drain()["drained"]),
                single("paused", "1 while the agent starts nothing.", views.drain()["paused"]),
            ]


class JobsController(Controller):
    """Jobs: their list, each with its log, and the kill by the agent's owner."""

    path = "/api/jobs"
    tags = ("jobs",)

    @get(sync_to_thread=True)
    def list_jobs(
        self,
        agent: NamedDependency[AgentApi],
        status: FromQuery[JobState | None] = None,
        manager: FromQuery[str | None] = None,
        limit: Limit = 100,
        after: AfterNumber = None,
    ) -> JobPage:
        """List the jobs, newest first."""
        return agent.jobs(status, manager, limit, after)

    @get("/{job:str}", sync_to_thread=True)
    def show_job(self, agent: NamedDependency[AgentApi], job: FromPath[str]) -> JobView:
        """Show a job with its inputs and outputs, and the beginning of its log."""
        return agent.job(job)

    @get("/{job:str}/log", media_type=MediaType.TEXT, sync_to_thread=True)
    def log(
        self,
        agent: NamedDependency[AgentApi],
        job: FromPath[str],
        offset: LogOffset = 0,
    ) -> Response[str]:
        """Return a part of a job's log, 1 MiB at most; `Caroni-Log` says `complete` or `coming`."""
        with agent.look() as views:
            found = views.job(job, agent.reply_topic) or _no_job(job)
        data, is_end = agent.read_log(found, offset, LOG_AT_ONCE_BYTES)
        return log_answer(data, offset, "complete" if is_end else "coming")

    @post("/{job:str}/kill", status_code=200, sync_to_thread=True)
    def kill(self, agent: NamedDependency[AgentApi], job: FromPath[str]) -> JobView:
        """End a job; one that runs ends when its processes are gone."""
        return agent.kill(job)


ROUTES = (JobsController,)


def _no_job(job: str) -> NoReturn:
    raise Problem(404, f"there is no job {job}")
