"""Takes the jobs that managers place here, or declines them and says why; takes the data of those that came without."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.inputs import CannotRun, job_type_of, misfit
from caroni_edge.agent.jobs.ledger import Ledger, ids
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.telling import status_of
from caroni_edge.agent.jobs.wants import places_text
from caroni_edge.agent.lifecycle import JobEvent, JobState, OfferState
from caroni_edge.agent.offers.offers import Offers
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.room import Room
from caroni_edge.agent.offers.shares import Places
from caroni_edge.agent.store.offers import OfferRow
from caroni_edge.base.moment import Moment
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobStatusRequest,
    OfferAccept,
    Placement,
)
from caroni_edge.protocol.objects import ObjectPlace

log = logging.getLogger(__name__)

NO_PLACE = "the agent has no room for it now"
UNKNOWN_JOB = "unknown job"
OTHER_DATABASE = "the agent has lost the database that offered for it: what became of the job is not known"


@dataclass(slots=True)
class _Places:
    ready: int = 0
    waiting: int = 0

    def have(self, *, data_ready: bool) -> bool:
        """Tell whether there is a place for a job whose inputs are there, or for one whose inputs are not."""
        return (self.ready if data_ready else self.waiting) > 0

    def use(self, *, data_ready: bool) -> None:
        """Fill a place of that kind."""
        if data_ready:
            self.ready -= 1
        else:
            self.waiting -= 1


class _PlacesForMessage:
    """The places for the jobs of one message: first those that its offer keeps free, then what else is free."""

    def __init__(self, row: OfferRow | None, look: Callable[[], Room]) -> None:
        self._row = row if row is not None and row.status is OfferState.OPEN else None
        self._offered = _Places(self._row.ready, self._row.waiting) if self._row is not None else _Places()
        self._left = replace(self._offered)
        self._look = look
        self._room: Room | None = None

    def fill(self, placed: Placement) -> bool:
        """Fill a place with a job; return False when there is none for it."""
        row, data_ready = self._row, placed.data_ready
        is_offered = row is not None and placed.job_type == row.job_type and self._left.have(data_ready=data_ready)
        if not (is_offered and row is not None and row.reserves):
            free = self._free(data_ready=data_ready)
            if not free.take(placed.job_type):
                return False
        if is_offered:
            self._left.use(data_ready=data_ready)
        return True

    def used(self) -> tuple[int, int]:
        """Return how many of the offer's places are filled, ready and waiting."""
        return self._offered.ready - self._left.ready, self._offered.waiting - self._left.waiting

    def _free(self, *, data_ready: bool) -> Places:
        if self._room is None:
            self._room = self._look()
            if self._row is not None and self._row.reserves:
                # Counted twice until the message is over: these jobs have rows, and the offer reserves their places.
                ready, waiting = self.used()
                self._room.places_ready.give_back(ready, self._row.job_type)
                self._room.places_waiting.give_back(waiting, self._row.job_type)
        return self._room.places_ready if data_ready else self._room.places_waiting


def _named_by(places: Sequence[ObjectPlace]) -> Callable[[ObjectId], bool]:
    """Return what tells whether one of the places has an object, as its manager says."""
    return lambda name: any(not each.objects or name in each.objects for each in places)


class Intake:
    """Decides which jobs are taken."""

    def __init__(
        self,
        context: Context,
        refusals: Refusals,
        offers: Offers,
        ledger: Ledger,
        objects: JobObjects,
        locations: Locations,
    ) -> None:
        """Decide by the offers made, the room there is, the job types in force and the files that can be here."""
        self._store, self._outbox, self._in_force = context.store, context.outbox, context.in_force
        self._refusals, self._offers, self._ledger = refusals, offers, ledger
        self._objects, self._locations = objects, locations

    def on_accept(self, manager: str, message: OfferAccept, at: Moment) -> None:
        """Take the jobs that a manager places for an offer, or decline them one by one."""
        row = self._store.offers.by_offer(manager, message.offer)
        places = _PlacesForMessage(row, self._free)
        # An acceptance that was never acknowledged comes again to an agent that has lost its database, or a part of it.
        is_ours = message.database in ("", self._store.facts.database_for(manager))
        taken = [placed.job for placed in message.jobs if self._take(manager, placed, places, at, is_ours=is_ours)]
        if taken:
            self._outbox.put(manager, JobAccepted(jobs=tuple(taken)))
        if row is None:
            self._offers.standing.on_jobs(manager, {placed.job_type for placed in message.jobs})
        else:
            self._offers.open.on_jobs(row, places.used(), len(message.jobs), last=message.last, at=at)

    def on_data(self, manager: str, message: JobDataReady, at: Moment) -> None:
        """Take the inputs of a job that was placed before they existed; if it cannot run with them, it is declined."""
        row = self._store.jobs.by_job(message.job)
        if row is None or row.manager != manager:
            self._ledger.decline(manager, message, UNKNOWN_JOB, at)
            return
        if row.status is not JobState.PENDING:
            self._ledger.stale(row, JobEvent.DATA_READY)
            return
        try:
            job_type = job_type_of(self._in_force.types, row.job_type, message.inputs)
            if why := self._locations.why_not(job_type, message.inputs):
                raise CannotRun(why, final=True)
            if missing := self._objects.missing(manager, message.inputs, _named_by(message.places)):
                if missing.gone is not None:
                    self._objects.say_gone(manager, missing.gone)
                raise CannotRun(missing.why, final=missing.gone is None)
        except CannotRun as error:
            self._ledger.refuse(row, JobEvent.DATA_REFUSED, str(error), at, tell=False)
            self._ledger.decline(manager, row, str(error), at, final=error.final)
        else:
            lacking = self._objects.lacking(manager, message.inputs)
            is_remote = self._locations.are_in(job_type, message.inputs)
            self._ledger.bring_data(row, message.inputs, lacks_files=bool(lacking) or is_remote)
            self._store.wanted.add(row.job, lacking, places_text(message.places))
            self._objects.refer(manager, row.workflow, row.job, message.inputs, at)
            if is_remote:
                self._locations.want(row.job, job_type, message.inputs, at)

    def on_status_request(self, manager: str, message: JobStatusRequest, at: Moment) -> None:
        """Say how a job is doing, or that it was never taken."""
        row = self._store.jobs.by_job(message.job)
        if row is None or row.manager != manager:
            self._outbox.put(manager, JobDecline(job=message.job, reason=UNKNOWN_JOB))
        else:
            self._outbox.put(manager, status_of(row))

    def _take(self, manager: str, placed: Placement, places: _PlacesForMessage, at: Moment, *, is_ours: bool) -> bool:
        """Add a job, or decline it; return whether it was added. `is_ours`: our database has offered for it."""
        if self._is_known(manager, placed, at):
            return False
        if not is_ours:
            self._ledger.decline(manager, placed, OTHER_DATABASE, at, begun=True)
            return False
        job_type = self._in_force.types.get(placed.job_type)
        why, gone = self._refusals.of_placement(manager, placed.job_type), None
        if why is None and job_type is not None:
            why = misfit(job_type, placed.inputs, all_there=placed.data_ready)
            why = why or self._locations.why_not(job_type, placed.inputs)
            may_come = _named_by(placed.places) if placed.data_ready else lambda _name: True
            if why is None and (missing := self._objects.missing(manager, placed.inputs, may_come)):
                why, gone = missing
        if why is not None:
            if gone is not None:
                self._objects.say_gone(manager, gone)
            is_gone = job_type is None or self._refusals.lacks(placed.job_type)
            is_gone = is_gone and self._in_force.settings.serves(manager)
            self._ledger.decline(manager, placed, why, at, final=not is_gone and gone is None)
            return False
        if why := self._ledger.takers.misfit(manager, placed):
            self._ledger.decline(manager, placed, why, at)
            return False
        if not places.fill(placed):
            self._ledger.decline(manager, placed, self._refusals.of_all() or NO_PLACE, at)
            return False
        self._add(manager, placed, at)
        if placed.inputs_from:
            self._ledger.take_given(placed.job)
        return True

    def _add(self, manager: str, placed: Placement, at: Moment) -> None:
        """Add a job that fits its job type, and let it wait for the files that it lacks."""
        job_type = self._in_force.types.get(placed.job_type)
        lacking = self._objects.lacking(manager, placed.inputs) if placed.data_ready else []
        is_remote = job_type is not None and placed.data_ready and self._locations.are_in(job_type, placed.inputs)
        self._ledger.add(manager, placed, at, lacks_files=bool(lacking) or is_remote)
        self._store.wanted.add(placed.job, lacking, places_text(placed.places))
        self._objects.refer(manager, placed.workflow, placed.job, placed.inputs, at)
        if job_type is not None and is_remote:
            self._locations.want(placed.job, job_type, placed.inputs, at)

    def _is_known(self, manager: str, placed: Placement, at: Moment) -> bool:
        row = self._store.jobs.by_job(placed.job)
        if row is None:
            return False
        record = {"action": "stale_placement", **ids(row)}
        log.warning("ignored: a job that is here already, %s, was placed again", row.status, extra=record)
        if row.manager == manager:
            self._outbox.put(manager, status_of(row))
        else:
            self._ledger.decline(manager, placed, "another manager has a job of that name here", at, final=True)
        return True

    def _free(self) -> Room:
        """Return the places for jobs that come after their offer has run out, or beyond what was offered."""
        if self._refusals.of_all():
            return Room()
        return self._offers.look()
