"""Slots: which queued job runs next."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from caroni_edge.agent.boxes.strength import Choice
from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.ahead import Ahead
from caroni_edge.agent.jobs.endings import Endings
from caroni_edge.agent.jobs.inputs import CannotRun, job_type_of, with_nulls
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.unsaid import Unsaid
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.lifecycle import JobEvent, JobState
from caroni_edge.agent.offers.demanded import Demanded
from caroni_edge.agent.offers.refusals import PAUSED, Refusals
from caroni_edge.agent.offers.resources import Left, Resources
from caroni_edge.agent.offers.shares import Measured, Shares
from caroni_edge.agent.processes.outcome import Killed
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.agent.store.jobs import TRIAL, JobRow, Running
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.values.json import as_text, from_text

TRIAL_MAX_S = 3600.0


class Slots(Part):
    """Gives each free slot to a queued job.

    Attributes:
        queued: So many jobs wait for a slot since the last ones were given.
        ahead: Those that wait at their keeper, which are not counted there.
        endings: What becomes of jobs that have had a slot, and gives it back.
    """

    def __init__(
        self,
        context: Context,
        refusals: Refusals,
        ledger: Ledger,
        shares: Shares,
        objects: JobObjects,
        resources: Resources,
        demanded: Demanded,
        say_running_after_s: float,
    ) -> None:
        """Note in the deeds of `context` what is to be done, and say that a job runs when it has for so long."""
        super().__init__(context.journal)
        self._store, self._in_force, self._ledger, self._shares = context.store, context.in_force, ledger, shares
        self._deeds, self._objects, self._resources = context.deeds, objects, resources
        self._demanded = demanded
        self._unsaid = Unsaid(context, ledger, say_running_after_s)
        self._is_synced = False  # whether `shares` knows all jobs that hold a slot
        self.queued = 0
        self.ahead = Ahead(context)
        self.endings = Endings(context, ledger, shares, objects, refusals, self._unsaid, self.ahead)
        self._handed_at_serial = 0
        self._here: frozenset[str] = frozenset()  # who had jobs to be started at the last look

    def settle(self, at: Moment) -> None:
        """Give free slots to queued jobs, and order the kills that are due."""
        ended = self.endings.take_ended()
        if self._is_synced:
            self._shares.end(ended, at.now)
        else:
            self._shares.sync([*self._store.jobs.running(), *self.ahead.running()], at.now)
            self._is_synced = True
        self._give(at)
        self.endings.keep_counts()
        self.endings.order_kills()
        self._unsaid.say(at)

    def next_due(self) -> float:
        """Return when the next manager is to hear that a job of its runs, or what waits at the keeper comes back."""
        return min(self.ahead.due, self._unsaid.due)

    def look_again(self) -> None:
        """Jobs have gone without an end: look in the rows who holds a slot."""
        self._is_synced = False

    # Start

    def on_start(self, at: Moment) -> None:
        """Have the runner find out what became of the jobs that ran when the last process of this agent ended."""
        running = [job.job for job in self._store.jobs.running()]
        ahead = [row.job for row in self._store.jobs.ahead()]
        begun = [*running, *self._store.jobs.collecting()]
        self._deeds.recover(begun, self._store.jobs.waiting(), ahead, self._store.facts.boot())
        self._unsaid.found(running)

    def start(self, row: JobRow, at: Moment) -> None:
        """Give a slot that is free to a job whose inputs fit, out of turn."""
        self._start(row, at)

    def _give(self, at: Moment) -> None:
        live = self._store.load.live()
        left = self._resources.left(live)
        lacking = left.lacking()
        queued: Counter[str] = Counter()  # but for jobs that wait for something else than a slot
        running: Counter[str] = Counter()
        self.queued = -len(self.ahead)
        for count in live:
            if count.status is JobState.QUEUED:
                self.queued += count.jobs
                queued[count.manager] += 0 if count.job_type in lacking else count.jobs
            elif count.status is JobState.RUNNING:
                running[count.job_type] += count.jobs
        if self._in_force.paused:
            self.ahead.recall()
            self._give_back(queued, at)
            return
        queued -= self.ahead.of_managers()
        self._demanded.look(at.now)
        self._shares.enter(self._demanded.competing(lacking).union(queued), at.now)
        if self.ahead.due <= at.now or any(self._overtakes(manager, lacking) for manager in queued):
            self.ahead.recall()
        self._here = frozenset({*queued, *self.ahead.managers()})
        if queued and not self.ahead.is_recalling:
            self._give_to(queued, running, left, at)

    def _give_to(self, queued: Counter[str], running: Counter[str], left: Left, at: Moment) -> None:
        slots = self._in_force.settings.slots
        free = slots - running.total() - len(self.ahead)
        standings, outlook = self._shares.standings(queued, at.now), self._shares.outlook(at.now)
        self._handed_at_serial = 0
        while queued:
            manager = min(queued, key=lambda name: (standings[name], name))
            row = self._next_ready(manager, left.lacking())
            if row is None:
                del queued[manager]  # the jobs before have taken what its others need
                continue
            lasts_s = None
            if free <= 0 and (lasts_s := self._lasts_ahead_s(row, running, outlook)) is None:
                return
            if self._start(row, at, lasts_s):
                standings[manager] += self._shares.cost(manager, row.job_type)
                free -= 1
                running[row.job_type] += lasts_s is None
                left.take(row.job_type)
            queued[manager] -= 1
            self.queued -= 1
            if not queued[manager]:
                del queued[manager]

    def _lasts_ahead_s(self, row: JobRow, running: Counter[str], outlook: Mapping[str, Measured]) -> float | None:
        """Return how long a job will run that is handed over to its keeper now; None: it waits here for its slot."""
        job_type = self._in_force.types.get(row.job_type)
        box = "" if job_type is None else self._in_force.box_of(job_type)
        if job_type is None or isinstance(box, str):
            return None
        slots = self._in_force.settings.slots
        holders = {*running, *(self.ahead.job_types() if running.total() < slots else ())}
        return self.ahead.lasts_s(job_type, box.strength, slots, holders, outlook)

    def _next_ready(self, manager: str, lacking: Sequence[str]) -> JobRow | None:
        """Return a manager's next job, of those for which all is free but a slot."""
        jobs = self._store.jobs
        return jobs.next_ready_but(manager, as_text(lacking)) if lacking else jobs.next_ready(manager)

    def _overtakes(self, manager: str, lacking: Sequence[str]) -> bool:
        """Tell whether a manager's queued jobs come before what waits at the keeper.

        They do where they are its first, or more urgent; of two managers with jobs there, each has had its turn.
        """
        if not self.ahead or self.ahead.is_recalling:
            return False
        least = self.ahead.least_priority(manager)
        if least is None:
            return manager not in self._here
        row = self._next_ready(manager, lacking)
        return row is not None and row.priority > least

    def _give_back(self, queued: Iterable[str], at: Moment) -> None:
        """Let managers have back what would begin now: others may run it, while the owner keeps this host idle."""
        for manager in sorted(queued):
            while row := self._store.jobs.next_ready(manager):
                self._ledger.give_back(row, PAUSED, at)

    def _start(self, row: JobRow, at: Moment, lasts_s: float | None = None) -> bool:
        """Start a job by the version of its job type that is in force; return whether it holds a slot now.

        Args:
            row: The job.
            at: Now.
            lasts_s: It is handed over to its keeper, which starts it when a slot is free, and will run for so long;
                None: it has a slot.
        """
        inputs = from_text(row.inputs)
        try:
            job_type = job_type_of(self._in_force.types, row.job_type, inputs)
            box = self._in_force.box_of(job_type)
            if isinstance(box, str):
                raise CannotRun(box, final=False)
            if missing := self._objects.missing(row.manager, inputs):
                raise CannotRun(missing.why, final=missing.gone is None)
        except CannotRun as error:
            self._ledger.refuse(row, JobEvent.START_REFUSED, str(error), at, tell=error.final)
            if not error.final:
                self._ledger.decline(row.manager, row, str(error), at)
            return False
        if lasts_s is None:
            serial, slots = self._begin(row, job_type, box, at), None
        else:
            serial, slots = self._hand_over(row, job_type, box, lasts_s, at), self._in_force.settings.slots
        order = JobOrder(
            job=row.job,
            job_type=_bounded(job_type) if row.manager == TRIAL else job_type,
            inputs=with_nulls(job_type, inputs),
            workflow=row.workflow,
            step=row.step,
            attempt=row.attempt,
            manager=row.manager,
            database=self._store.facts.database(),
            serial=serial,
            box=box,
            slots=slots,
            objects=self._objects.refer(row.manager, row.workflow, row.job, inputs, at),
        )
        self._deeds.start(order)
        return True

    def _begin(self, row: JobRow, job_type: JobType, box: Choice, at: Moment) -> int:
        """Give a job a slot; return the serial of that change."""
        holds = self._resources.held_by(row.job_type)
        begun = self._ledger.begin(row, job_type.version, box.said(), holds, at, tell=not self._unsaid.waits)
        self._unsaid.begun(row.job, at.now)
        self.endings.count(begun)
        self._shares.start(Running(row.job, row.manager, row.job_type), at.now)
        return begun.serial

    def _hand_over(self, row: JobRow, job_type: JobType, box: Choice, lasts_s: float, at: Moment) -> int:
        """Let a job wait at its keeper; return the serial of that change, one for all that are handed over together."""
        self._ledger.hand_over(row, job_type.version, box.said())
        self.ahead.add(row, lasts_s, box.strength, at.now)
        self._shares.hand_over(Running(row.job, row.manager, row.job_type))
        self._handed_at_serial = self._handed_at_serial or self._store.facts.next_serial()
        return self._handed_at_serial

    def on_begun(self, job: str, date: float) -> None:
        """Note of a job that waits, as the database says, that it was started: the database is an older copy."""
        row = self._store.jobs.by_job(job)
        if row is not None and row.status is not JobState.RUNNING:
            self._ledger.find_begun(row, date, self._resources.held_by(row.job_type))

    def on_started(self, job: str, date: float, at: Moment) -> None:
        """Note that a job that has waited at its keeper has had its slot for a moment."""
        self.ahead.remove(job)
        row = self._store.jobs.by_job(job)
        if row is not None and row.status is JobState.QUEUED:
            self._ledger.say_started(row, date)
            self.endings.has_slot(row, date, at.date, at.now)

    def on_recalled(self, job: str, at: Moment) -> None:
        """Note that a job that has waited at its keeper does so no more: it waits here again."""
        self.ahead.remove(job)
        self._shares.hand_back(job)
        row = self._store.jobs.by_job(job)
        if row is None or row.status is not JobState.QUEUED:
            return
        if row.killed is None:
            self._ledger.recalled(row)
        else:
            self._ledger.end(row, Killed(row.killed), at.date)
            self._deeds.has_ended(job)


def _bounded(job_type: JobType) -> JobType:
    """Return a job type as a trial runs it: it holds its slot for `TRIAL_MAX_S` at most."""
    timeout_s = min(job_type.limits.timeout_s or TRIAL_MAX_S, TRIAL_MAX_S)
    return replace(job_type, limits=replace(job_type.limits, timeout_s=timeout_s))
