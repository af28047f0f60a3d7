"""The keeper's work: each job is started once, watched, kept to its limits, and recorded when it has ended."""

import os
import signal
import time
from collections.abc import Callable
from math import inf
from selectors import EVENT_READ, BaseSelector

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.adoption import find, left_running
from caroni_edge.agent.keeper.bounds import Bounds
from caroni_edge.agent.keeper.cgroups import Groups
from caroni_edge.agent.keeper.clearing import Clearing, ended
from caroni_edge.agent.keeper.ends import Ends
from caroni_edge.agent.keeper.job import Event, Job
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.logs import Log, Logs, Stream, file_problem
from caroni_edge.agent.keeper.orders import note_order, ordered, read_known
from caroni_edge.agent.keeper.ownership import hand_over
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.processes import (
    Limits,
    began,
    limit,
    signal_group,
    spawn,
    with_children,
    within,
)
from caroni_edge.agent.keeper.records import (
    KILLED,
    OUTPUTS,
    SPAWN,
    TIMEOUT,
    Start,
    boot_id,
    claim,
    directory_of,
    forget_running,
    note_process,
    pid_space,
)
from caroni_edge.agent.keeper.trees import Trees, put_down
from caroni_edge.agent.keeper.users import NO_IDS, Range, Users
from caroni_edge.base.failpoints import failpoint

GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""
LOOK_EVERY_S = 1.0


class Jobs:
    """Starts, watches and ends jobs, and tells what happens as events.

    Attributes:
        known: How far the agent's database had come at the last start order.
    """

    def __init__(
        self,
        places: Places,
        selector: BaseSelector,
        say: Callable[[Event], None],
        is_heard: Callable[[], bool],
        *,
        is_reaper: bool = False,
        ids: Range = NO_IDS,
    ) -> None:
        """Watch processes with `selector`.

        Args:
            places: Where files are.
            selector: Gets the pidfd of each job, with the job as its data.
            say: Tells an event to the agents that are connected.
            is_heard: Tells whether an agent is connected.
            is_reaper: All children of this process are of its jobs, and all orphans of its jobs are its children.
            ids: User ids for the jobs; only in a box of our own.
        """
        self._places, self._selector, self._say = places, selector, say
        self._state_dir = places.state_dir
        self._home = os.open(places.home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._boot, self._space = boot_id(), pid_space()
        self.known = read_known(self._state_dir)
        self._running: dict[str, Job] = {}
        self._ends = Ends(places, self._home, say, is_heard)
        self._trees = Trees(is_reaper=is_reaper)
        self._users = Users(places, ids)
        self._groups = Groups.found()
        self._logs = Logs(selector)
        self._bounds = Bounds(self._state_dir, self._trees)
        self._clearing = Clearing(
            self._state_dir, self._boot, self._trees, self._users, self._groups, self._logs, self._bounds
        )
        self._look_due = 0.0

    def names(self) -> list[str]:
        """Return the jobs whose end is not recorded yet."""
        return [*self._running, *self._ends.names()]

    @property
    def has_groups(self) -> bool:
        """Whether the kernel keeps jobs to their processes and memory."""
        return bool(self._groups.base)

    def next_due(self) -> float:
        """Return when `settle` must be called, on the monotonic clock."""
        if not self._running:
            return self._ends.due
        due = min(job.due for job in self._running.values())
        return min(due, self._ends.due, self._logs.due, self._bounds.due, self._look_due)

    # Start

    def start(self, order: Event) -> None:
        """Start a job, unless it was started before: then say `refused`."""
        start, argv = ordered(order, self._boot, self._space)
        job = start.job
        failpoint("before-start-record")
        try:
            if database := order.get("database"):
                self.known = note_order(self._state_dir, self.known, str(database), int(order["serial"]))
            taken = {each.start.user for each in self._running.values()}
            start = start._replace(user=self._users.pick(str(order.get("manager") or ""), taken))
            record = claim(self._state_dir, start, self._places.home)
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
        outputs = self._outputs_of(start.job)
        try:
            with files.opened(directory_of(self._places.seen, start.job)) as directory:
                hand_over(directory, start.user)
                secrets = order.get("secrets") or {}
                at = directory_of(self._state_dir, start.job)
                log = Log.opened(at, start.log_bytes, start.user, secrets.values())
                try:
                    env, opens = {**(order.get("env") or {}), **secrets}, order.get("opens") or ()
                    pid = spawn(argv, env, directory, outputs, log.ends, start.disk_bytes, opens, start.user)
                except Exception:
                    log.close()
                    raise
                log.close_ends()
        except Exception as error:  # noqa: BLE001 - recorded, and said to the agent
            end = ended(start, self._boot, SPAWN, reason=reasons.not_started(argv[0], error))
            no_room = isinstance(error, OSError) and error.errno in files.EXHAUSTED
            self._ends.record(start, end._replace(started=None, no_room=no_room))
            return
        finally:
            os.fchdir(self._home)
        failpoint("after-spawn")
        try:
            job = Job(start, outputs, log, is_child=True)
            self._note_process(job, pid, order, record)
            self._watch(job, os.pidfd_open(pid))
        except Exception as error:  # noqa: BLE001 - what cannot be watched must not go on; recorded, and said to the agent
            signal_group(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._over(Job(start, outputs, log, is_child=False, cause=(KILLED, reasons.not_watched(error))))
            return
        self._say({"event": "started", "job": start.job, "pid": pid, "date": start.date})

    def _note_process(self, job: Job, pid: int, order: Event, record: int) -> None:
        """Limit the first process of a job, which has just been started, and add it to the job's record.

        Without its process in the record, the next keeper finds it by its mark.
        """
        start = job.start = job.start._replace(pid=pid)
        job.is_grouped = self._groups.take(start, with_children(pid))
        try:
            memory_bytes = None if job.is_grouped else start.memory_bytes
            limit(pid, Limits(memory_bytes, start.disk_bytes, order.get("nice")))
        except OSError as error:
            note(f"{start.job}: its limits could not be set: {error}")
        try:
            job.start = start._replace(ticks=began(pid))
            note_process(record, pid, job.start.ticks)
        except OSError as error:
            note(f"{start.job}: its process could not be recorded: {error}")

    def _watch(self, job: Job, pidfd: int) -> None:
        job.pidfd = pidfd
        try:
            self._selector.register(pidfd, EVENT_READ, job)
            try:
                self._logs.add(job.log)
            except OSError:
                self._selector.unregister(pidfd)
                raise
        except OSError:
            os.close(pidfd)
            raise
        if job.is_child:
            self._trees.add(job.outputs, job.start.pid, job.start.ticks, job.start.user)
        self._add(job)

    def _add(self, job: Job) -> None:
        if not self._running:
            self._look_due = time.monotonic() + LOOK_EVERY_S
        self._running[job.start.job] = job
        self._bounds.add(job.start)

    # What jobs write

    def on_output(self, stream: Stream) -> None:
        """Keep what a job has written, and end one that writes too much."""
        self._logs.on_output(stream)
        if problem := stream.problem():
            for job in [job for job in self._running.values() if job.log is stream.log]:
                self._end(job, *problem)

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
        signal_group(within(job.start.pid) if job.start.is_alone else job.start.pid, signal.SIGTERM)

    def on_exit(self, job: Job) -> None:
        """End all other processes of a job whose first one has ended."""
        self._selector.unregister(job.pidfd)
        os.close(job.pidfd)
        if job.is_child:
            # While the first process is not waited for, nobody else gets its number.
            signal_group(job.start.pid, signal.SIGKILL)
            self._users.end_all(job.start.user)
        self._over(job)

    def _over(self, job: Job) -> None:
        """Record how a job ended, of which the first process is gone, as soon as all others are."""
        job.is_over = True
        self._add(job)
        self._clear_up(job)

    def _clear_up(self, job: Job) -> None:
        left = self._clearing.end_rest_of(job)
        if left and job.look_later(time.monotonic()):
            return
        del self._running[job.start.job]
        self._ends.record(job.start, self._clearing.end_of(job, left))

    # Time

    def settle(self) -> None:
        """Do what is due: enforce deadlines, send SIGKILL, look at the size of logs, record ends that could not be."""
        now = time.monotonic()
        self._logs.settle(now)
        if self._bounds.due <= now:
            self._look_at_bounds(now)
        for job in [job for job in self._running.values() if job.due <= now]:
            if job.is_over:
                self._clear_up(job)
            elif job.cause is None:
                self._end(job, TIMEOUT, reasons.after_timeout(job.start.timeout_s or 0))
            else:
                job.kill_due = inf
                signal_group(job.start.pid, signal.SIGKILL)
        if self._running and self._look_due <= now:
            self._look_due = now + LOOK_EVERY_S
            self._look()
        self._ends.settle(now)

    def _look(self) -> None:
        for job in list(self._running.values()):
            if problem := file_problem(directory_of(self._state_dir, job.start.job), job.start.log_bytes):
                self._end(job, *problem)
        try:
            self._trees.end_strays()
        except OSError as error:
            note(f"what belongs to no job cannot be looked for: {error}")

    def _look_at_bounds(self, now: float) -> None:
        """End at once what has more than it may: it would go on filling the host while it is asked to end."""
        running = [job for job in self._running.values() if not job.is_over]
        try:
            for job, cause in list(self._bounds.over(running, now)):
                job.cause = job.cause or cause
                put_down(self._trees.roots_of(job.outputs, job.start.pid))
        except OSError as error:
            note(f"what jobs have cannot be looked at: {error}")

    # After another keeper

    def adopt(self) -> None:
        """Watch the jobs of a keeper that has died, and record the end of those that ended unseen."""
        for name, start, end in left_running(self._places):
            if end is None:
                self._adopt(start or Start(name, self._boot, 0.0))
            else:
                self._put_down(name)
                forget_running(self._places.home, name)

    def _adopt(self, start: Start) -> None:
        outputs, directory = self._outputs_of(start.job), directory_of(self._state_dir, start.job)
        job, pidfd = find(start, outputs, directory, boot=self._boot, space=self._space)
        job.is_grouped = self._groups.has(start.job)
        if pidfd is None:
            self._over(job)
            return
        try:
            self._watch(job, pidfd)
        except OSError as error:
            job.cause = KILLED, reasons.not_watched(error)
            self._over(job)
            return
        if start.has_secrets:
            self._end(job, KILLED, reasons.SECRETS_UNKNOWN)
        note(f"{start.job}: runs on as process {job.start.pid}")

    def _put_down(self, job: str) -> None:
        """Kill what is left of a job whose end was recorded."""
        try:
            put_down(self._trees.rest_of(self._outputs_of(job), is_child=False))
        except OSError as error:
            note(f"{job}: what is left of it cannot be looked for: {error}")

    def _outputs_of(self, job: str) -> str:
        return f"{directory_of(self._places.seen, job)}/{OUTPUTS}"
