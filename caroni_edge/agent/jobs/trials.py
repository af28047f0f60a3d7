"""Trials: a job type is run on inputs that the agent's owner gives, as a job would run, and no manager hears of it.

A trial is a job like any other, but for its manager, which is `TRIAL`: it holds a slot, has a directory, limits, a log
and outputs that are checked, outlives the daemon, can be killed, and goes with retention. Nobody shares its slot-time,
and how it ends says nothing about the host to managers.
"""

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.inputs import CannotRun, job_type_of
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.resources import Resources
from caroni_edge.agent.store.jobs import TRIAL
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.messages import Placement, Values

WORKFLOW = "trial"
"""What a trial's job sees as its workflow."""


class TrialRefused(CaroniError):
    """The trial of {job_type} cannot be started: {reason}."""

    hint = "Trials run one at a time, and each needs a free slot, and what its job type names under needs."


class Trials:
    """Starts trials, one at a time."""

    def __init__(self, context: Context, ledger: Ledger, slots: Slots, resources: Resources) -> None:
        """Start by the job types that are in force."""
        self._store, self._in_force, self._ledger = context.store, context.in_force, ledger
        self._slots, self._resources, self._chance = slots, resources, context.chance

    def start(self, name: str, inputs: Values, at: Moment) -> str:
        """Give a slot to a trial; return the job's name.

        It does not wait for a slot, as jobs do: who tries something wants to see it now. A pause or a drain does not
        keep the owner from it.

        Raises:
            CannotRun: There is no such job type, or the inputs do not fit.
            TrialRefused: Another trial runs, no slot is free, or something that its job needs is taken.
        """
        job_type = job_type_of(self._in_force.types, name, inputs)
        if where := Locations.where(job_type, inputs):
            what = f"a trial fetches nothing, and an input lies at {where[0]}"
            raise CannotRun(f"{what}: fetch it and give what is in it (contents, up to 16 KiB)", final=True)
        running = self._store.load.total(JobState.RUNNING) + len(self._slots.ahead)
        if trials := self._store.jobs.live_of(TRIAL):
            raise TrialRefused("", job_type=name, reason=f"another trial runs (job {trials[0]})")
        if running >= self._in_force.settings.slots:
            raise TrialRefused("", job_type=name, reason=f"no slot is free, {running} jobs run")
        if not self._resources.left(self._store.load.live()).has(name):
            raise TrialRefused("", job_type=name, reason=self._resources.why_not(job_type))
        job = self._chance.new_id()
        placed = Placement(
            job=job,
            attempt=1,
            job_type=name,
            workflow=WORKFLOW,
            step=name,
            priority=0,
            data_ready=True,
            inputs=inputs,
        )
        self._ledger.add(TRIAL, placed, at)
        row = self._store.jobs.by_job(job)
        assert row is not None
        self._slots.start(row, at)
        return job
