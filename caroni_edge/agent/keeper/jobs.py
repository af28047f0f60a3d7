"""The keeper's work: each job is started once, watched, kept to its limits, and recorded when it has ended."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from math import inf
from selectors import EVENT_READ, BaseSelector
from typing import Any

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.orders import note_order, read_known
from caroni_edge.agent.keeper.processes import (
    Limits,
    began,
    kill_marked,
    leader,
    limit,
    open_process,
    signal_group,
    spawn,
)
from caroni_edge.agent.keeper.records import (
    EXITED,
    KILLED,
    LOG,
    OUTPUTS,
    RUNNING,
    SPAWN,
    STDERR,
    STDOUT,
    TIMEOUT,
    UNSEEN,
    Exit,
    Start,
    boot_id,
    claim,
    directory_of,
    forget_running,
    note_process,
    read_running,
    write_end,
)
from caroni_edge.base.failpoints import failpoint

GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""
LOOK_AT_LOGS_EVERY_S = 1.0
RECORD_AGAIN_S = 1.0

_LOGS = ((STDOUT, "standard output"), (STDERR, "standard error"))

Event = dict[str, Any]


class Job:
    """A job that runs.

    Attributes:
        start: The record of its start.
        pidfd: Readable once its process has ended (pidfd_open(2)).
        is_child: Whether it is a child of this keeper; the child of one that has died has no exit status for us.
        cause: Kind and reason of its end (see `Exit`), once it was asked to end.
        kill_due: When SIGKILL follows the SIGTERM, on the monotonic clock.
    """

    __slots__ = ("cause", "is_child", "kill_due", "pidfd", "start")

    def __init__(self, start: Start, pidfd: int, *, is_child: bool) -> None:
        """Begin to watch a job that nobody has asked to end."""
        self.start = start
        self.pidfd = pidfd
        self.is_child = is_child
        self.cause: tuple[str, str] | None = None
        self.kill_due = inf

    @property
    def due(self) -> float:
        """When its deadline is over, or SIGKILL is due, on the monotonic clock."""
        if self.cause is not None:
            return self.kill_due
        return inf if self.start.deadline is None else self.start.deadline

    def has_ended(self) -> bool:
        """Tell whether its process has ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))


class Jobs:
    """Starts, watches and ends jobs, and tells what happens as events.

    Attributes:
        known: How far the agent's database had come at the last start order.
    """

    def __init__(
        self, state_dir: str, selector: BaseSelector, say: Callable[[Event], None], is_heard: Callable[[], bool]
    ) -> None:
        """Watch processes with `selector`.

        Args:
            state_dir: The agent's state directory.
            selector: Gets the pidfd of each job, with the job as its data.
            say: Tells an event to the agents that are connected.
            is_heard: Tells whether an agent is connected.
        """
        self._state_dir, self._selector, self._say, self._is_heard = state_dir, selector, say, is_heard
        self._home = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._boot = boot_id()
        self.known = read_known(state_dir)
        self._running: dict[str, Job] = {}
        self._unrecorded: dict[str, tuple[Start, Exit]] = {}
        self._record_due = inf
        self._logs_due = 0.0

    def names(self) -> list[str]:
        """Return the jobs whose end is not recorded yet."""
        return [*self._running, *self._unrecorded]

    def next_due(self) -> float:
        """Return when `settle` must be called, on the monotonic clock."""
        if not self._running:
            return self._record_due
        return min(self._record_due, self._logs_due, *(job.due for job in self._running.values()))

    # Start

    def start(self, order: Event) -> None:
        """Start a job, unless it was started before: then say `refused`."""
        job, timeout_s, argv = str(order["job"]), order.get("timeout_s"), [str(word) for word in order["argv"]]
        if not argv or "/" in job or job.startswith("."):
            raise ValueError(f"{job} cannot be started: {argv}")
        start = Start(
            job=job,
            boot=self._boot,
            date=time.time(),
            deadline=None if timeout_s is None else time.monotonic() + timeout_s,
            timeout_s=timeout_s,
            log_bytes=order.get("log_bytes"),
            about=order.get("about") or {},
        )
        failpoint("before-start-record")
        try:
            if database := order.get("database"):
                self.known = note_order(self._state_dir, self.known, str(database), int(order["serial"]))
            record = claim(self._state_dir, start)
        except FileExistsError:
            self.refuse(job)
            return
        except OSError as error:
            said = {"reason": f"could not be started: {error.strerror}", "no_room": error.errno in files.EXHAUSTED}
            self._say({"event": "unstarted", "job": job, **said})
            return
        failpoint("after-start-record")
        try:
            self._spawn(start, argv, order, record)
        finally:
            os.close(record)

    def refuse(self, job: str) -> None:
        """Say `refused` of a job that was started before, or does not run: its record says what became of it."""
        self._say({"event": "refused", "job": job, "running": job in self.names()})

    def _spawn(self, start: Start, argv: list[str], order: Event, record: int) -> None:
        """Start the process of a job whose start is recorded: whatever fails from now on is recorded as its end."""
        try:
            with files.opened(directory_of(self._state_dir, start.job)) as directory:
                pid = spawn(argv, order.get("env") or {}, directory)
        except Exception as error:  # noqa: BLE001 - recorded, and said to the agent
            end = self._exit(start, SPAWN, reason=reasons.not_started(argv[0], error))
            no_room = isinstance(error, OSError) and error.errno in files.EXHAUSTED
            self._record(start, end._replace(started=None, no_room=no_room))
            return
        finally:
            os.fchdir(self._home)
        failpoint("after-spawn")
        try:
            self._watch(Job(self._noted(start, pid, order, record), os.pidfd_open(pid), is_child=True))
        except Exception as error:  # noqa: BLE001 - what cannot be watched must not go on; recorded, and said to the agent
            signal_group(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._record(start, self._exit(start, KILLED, reason=reasons.not_watched(error)))
            return
        self._say({"event": "started", "job": start.job, "pid": pid})

    def _noted(self, start: Start, pid: int, order: Event, record: int) -> Start:
        """Limit a process that has just been started, and add it to its record; return the record.

        Without its process in the record, the next keeper finds it by its mark.
        """
        try:
            limit(pid, Limits(order.get("memory_bytes"), order.get("nice")))
        except OSError as error:
            note(f"{start.job}: its limits could not be set: {error}")
        try:
            noted = start._replace(pid=pid, ticks=began(pid))
            note_process(record, noted.pid, noted.ticks)
        except OSError as error:
            note(f"{start.job}: its process could not be recorded: {error}")
        return start._replace(pid=pid)

    def _watch(self, job: Job) -> None:
        try:
            self._selector.register(job.pidfd, EVENT_READ, job)
        except OSError:
            os.close(job.pidfd)
            raise
        if not self._running:
            self._logs_due = time.monotonic() + LOOK_AT_LOGS_EVERY_S
        self._running[job.start.job] = job

    # End

    def kill(self, name: str, reason: str) -> None:
        """End a job that is not wanted any more; of one that does not run, say `refused`."""
        job = self._running.get(name)
        if job is None:
            self.refuse(name)
        else:
            self._end(job, KILLED, reason)

    def _end(self, job: Job, kind: str, reason: str) -> None:
        """Send SIGTERM to the processes of a job, and SIGKILL after `GRACE_S`; of two causes the first counts."""
        if job.cause is not None or job.has_ended():
            return
        job.cause = (kind, reason)
        job.kill_due = time.monotonic() + GRACE_S
        signal_group(job.start.pid, signal.SIGTERM)

    def on_exit(self, job: Job) -> None:
        """End all other processes of a job whose first one has ended, and record how."""
        self._selector.unregister(job.pidfd)
        os.close(job.pidfd)
        status, cpu_s, memory_bytes = None, None, None
        if job.is_child:
            # While the leader is not waited for, nobody else gets its number.
            signal_group(job.start.pid, signal.SIGKILL)
            _, waited, used = os.wait4(job.start.pid, 0)
            status = os.waitstatus_to_exitcode(waited)
            cpu_s, memory_bytes = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
        else:
            self._kill_marked(job.start.job)
        kind, reason = job.cause or (EXITED, "")
        if problem := self._log_problem(job.start, trim=True):
            kind, reason = job.cause or problem
        if kind == EXITED and not job.is_child:
            kind, reason = UNSEEN, reasons.ITS_KEEPER_DIED
        end = self._exit(job.start, kind, status, reason)
        del self._running[job.start.job]
        self._record(job.start, end._replace(cpu_s=cpu_s, memory_bytes=memory_bytes))

    def _exit(self, start: Start, kind: str, status: int | None = None, reason: str = "") -> Exit:
        return Exit(start.job, self._boot, time.time(), kind, status, reason, start.date)

    def _record(self, start: Start, end: Exit) -> None:
        """Record how a job ended, then tell it; where the disk has no space, try again later.

        Where the job keeps us from recording it, an agent that is connected has heard it all the same.
        """
        end = end._replace(is_synced=not self._is_heard())
        failpoint("before-end-record")
        try:
            write_end(self._state_dir, start, end)
        except OSError as error:
            if end.job not in self._unrecorded:
                note(f"{end.job}: its end cannot be recorded yet: {error}")
            if self._is_homeless():
                note(f"{end.job}: its end is recorded nowhere, since the agent's state directory was deleted")
            elif error.errno in files.EXHAUSTED or not self._is_heard():
                self._unrecorded[end.job] = start, end
                self._record_due = time.monotonic() + RECORD_AGAIN_S
                return
        self._unrecorded.pop(end.job, None)
        failpoint("after-end-record")
        self._say({"event": "exited", **end._asdict()})

    def _is_homeless(self) -> bool:
        """Tell whether the state directory was deleted: nobody will ever ask for what would be recorded there."""
        return os.fstat(self._home).st_nlink == 0

    # Time

    def settle(self) -> None:
        """Do what is due: enforce deadlines, send SIGKILL, look at the size of logs, record ends that could not be."""
        now = time.monotonic()
        for job in [job for job in self._running.values() if job.due <= now]:
            if job.cause is None:
                self._end(job, TIMEOUT, reasons.after_timeout(job.start.timeout_s or 0))
            else:
                job.kill_due = inf
                signal_group(job.start.pid, signal.SIGKILL)
        if self._running and self._logs_due <= now:
            self._logs_due = now + LOOK_AT_LOGS_EVERY_S
            for job in list(self._running.values()):
                if problem := self._log_problem(job.start):
                    self._end(job, *problem)
        if self._record_due <= now:
            self._record_due = inf
            for start, end in list(self._unrecorded.values()):
                self._record(start, end)

    def _log_problem(self, start: Start, *, trim: bool = False) -> tuple[str, str] | None:
        """Return kind and reason of the end of a job that has written too much, or None; `trim` cuts off the excess."""
        if start.log_bytes is None:
            return None
        problem = None
        for name, called in _LOGS:
            try:
                with files.opened(directory_of(self._state_dir, start.job)) as directory:
                    if files.is_larger(f"{directory}/{name}", start.log_bytes, trim=trim):
                        problem = LOG, reasons.too_much_log(called, start.log_bytes)
            except OSError:  # the job has taken it away, and what it wrote is no log any more
                continue
        return problem

    # After another keeper

    def adopt(self) -> None:
        """Watch the jobs of a keeper that has died, and record the end of those that ended unseen."""
        for name in sorted(os.listdir(f"{self._state_dir}/{RUNNING}")):
            try:
                start, end = read_running(self._state_dir, name)
            except OSError as error:  # its process is to be found by its mark
                note(f"{name}: its record cannot be read: {error}")
                start, end = None, None
            if end is None:
                self._adopt(start or Start(name, self._boot, 0.0))
            else:
                self._kill_marked(name)
                forget_running(self._state_dir, name)

    def _adopt(self, start: Start) -> None:
        if start.boot not in {self._boot, ""}:
            self._record(start, self._exit(start, UNSEEN, reason=reasons.UNSEEN_REBOOT))
            return
        try:
            if not (start.pid and start.ticks):
                pid = leader(self._outputs_of(start.job))
                start = start._replace(pid=pid, ticks=began(pid) if pid else 0)
            pidfd = open_process(start.pid, start.ticks)
            if pidfd is not None:
                self._watch(Job(start, pidfd, is_child=False))
                note(f"{start.job}: runs on as process {start.pid}")
                return
            kind, reason = UNSEEN, reasons.UNSEEN_REBOOT if not start.boot else reasons.UNSEEN_SAME_BOOT
        except OSError as error:
            kind, reason = KILLED, reasons.not_watched(error)
        self._kill_marked(start.job)
        self._record(start, self._exit(start, kind, reason=reason))

    def _kill_marked(self, job: str) -> None:
        """Kill what is left of a job by its mark: its process group may be another's by now."""
        try:
            kill_marked(self._outputs_of(job))
        except OSError as error:
            note(f"{job}: what is left of it cannot be looked for: {error}")

    def _outputs_of(self, job: str) -> str:
        return f"{directory_of(self._state_dir, job)}/{OUTPUTS}"


def note(text: str) -> None:
    """Write a line into the keeper's log (standard error); if that fails, the line is lost."""
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        sys.stderr.write(f"{date} keeper: {text}\n")
        sys.stderr.flush()
    except OSError:
        return
