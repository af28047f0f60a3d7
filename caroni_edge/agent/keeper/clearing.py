"""What is done when the first process of a job is gone: all others are ended, and what the job has had is added up."""

import os
import time
from math import inf

from caroni_edge.agent.keeper import reasons
from caroni_edge.agent.keeper.bounds import Bounds, too_large_file
from caroni_edge.agent.keeper.cgroups import Groups
from caroni_edge.agent.keeper.job import Job
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.logs import Logs, file_problem
from caroni_edge.agent.keeper.ownership import take_back
from caroni_edge.agent.keeper.records import EXITED, UNSEEN, Exit, Start, directory_of
from caroni_edge.agent.keeper.trees import Trees
from caroni_edge.agent.keeper.users import Users


def ended(start: Start, boot: str, kind: str, status: int | None = None, reason: str = "") -> Exit:
    """Return that a job has ended now (see `Exit`)."""
    return Exit(start.job, boot, time.time(), kind, status, reason, start.date)


class Clearing:
    """Ends what is left of jobs, and says how they have ended."""

    def __init__(
        self, state_dir: str, boot: str, trees: Trees, users: Users, groups: Groups, logs: Logs, bounds: Bounds
    ) -> None:
        """Use what watches the processes of jobs, their logs and their bounds.

        Args:
            state_dir: The agent's.
            boot: The present boot of the host.
            trees: The processes of each job.
            users: The user ids that jobs run as.
            groups: The control groups of jobs.
            logs: What they write.
            bounds: What they have of the host.
        """
        self._state_dir, self._boot = state_dir, boot
        self._trees, self._users, self._groups, self._logs, self._bounds = trees, users, groups, logs, bounds

    def end_rest_of(self, job: Job) -> list[int]:
        """Kill the processes that are left of a job whose first one has ended; return them."""
        left: list[int] = []
        try:
            left = [*self._groups.members(job.start.job), *self._trees.rest_of(job.outputs, is_child=job.is_child)]
            # A box of its own ends with its first process: looking through the host for what is left would cost more.
            if left and not (job.start.is_alone and job.give_up_due == inf):
                self._groups.kill(job.start.job)
                self._trees.end_rest_of(job.outputs, left, is_child=job.is_child)
                self._users.end_all(job.start.user)
        except OSError as error:
            note(f"{job.start.job}: what is left of it cannot be looked for: {error}")
        return left

    def end_of(self, job: Job, left: list[int]) -> Exit:
        """Close what a job has had; return how it has ended.

        Args:
            job: The job.
            left: Those of its processes that cannot be ended.
        """
        status, cpu_s, memory_bytes = None, None, None
        if job.is_child:
            used_by_orphans = self._trees.remove(job.outputs, job.start.pid)
            _, waited, used = os.wait4(job.start.pid, 0)
            status = os.waitstatus_to_exitcode(waited)
            cpu_s, memory_bytes = used_by_orphans.and_by(used)
        notes = self._logs.close(job.log)
        kind, reason = job.cause or (EXITED, "")
        if problem := self._problem_at_end(job, status):
            kind, reason = job.cause or problem
        if kind == EXITED and not job.is_child:
            kind, reason = UNSEEN, reasons.ITS_KEEPER_DIED
        if job.is_grouped:
            memory_bytes = self._groups.peak_bytes(job.start.job) or memory_bytes
            self._groups.remove(job.start.job)
        end = ended(job.start, self._boot, kind, status, reason)
        if left:
            notes.append(reasons.not_ended(left))
            self._users.note_unended(job.start.user)
        directory = directory_of(self._state_dir, job.start.job)
        disk_bytes = take_back(directory, job.start.user)
        is_masked = job.log.mask_outputs(directory)
        end = end._replace(cpu_s=cpu_s, memory_bytes=memory_bytes, disk_bytes=disk_bytes, is_masked=is_masked)
        return end._replace(notes="\n".join(notes))

    def _problem_at_end(self, job: Job, status: int | None) -> tuple[str, str] | None:
        """Return kind and reason of the end of a job that has had too much of something, or None."""
        directory = directory_of(self._state_dir, job.start.job)
        in_files = file_problem(directory, job.start.log_bytes, trim=True)
        on_disk = too_large_file(job.start, status) or self._bounds.disk_problem(job)
        return job.log.problem() or in_files or on_disk or self._groups.problem(job.start, status)
