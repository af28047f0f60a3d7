"""The states of a job, its data and an offer, as tables. Code applies them by `base/states.py`, and nothing else.

What the tables cover: which state follows from which event. `Ledger` alone changes the columns `state` and `data` of a
job, `Offers` alone the column `state` of an offer; what an event means that has no arrow is said there: nothing.

What they do not cover, since no state changes with it:

- A job that is being killed: it stays `running` with the reason in `killed`, until its process is gone. Should it have
  completed by then, it has completed.
- A process. Whether there is one, and how it has ended, the keeper knows (`keeper/records.py`); a job is `running` from
  the commit before its process starts (`begun`) until the runner has read its end.
- The kill of a job whose files are being taken: it comes too late, and changes nothing.
- A job that is declined when it comes, given back or forgotten: it has no row, or none any more.
- What an offer keeps free: `reserves`, `ready` and `waiting` count its places.
"""

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """States of a job."""

    PENDING = "pending"
    """Accepted, and not all of its inputs are there; it holds no slot."""
    STAGING = "staging"
    """All of its inputs are there, but some of its large files lie elsewhere: they are fetched, and it holds no slot.
    Managers hear `queued`."""
    QUEUED = "queued"
    """All of its inputs are there: it begins when a slot is free and it is its manager's turn."""
    RUNNING = "running"
    """It holds a slot: its process is about to start, runs, or has ended and its outputs are being read."""
    COLLECTING = "collecting"
    """Its process has ended well and its slot is free: its files are being taken. Managers hear `running`."""
    COMPLETED = "completed"
    """Its process has ended well, and its outputs are kept."""
    FAILED = "failed"
    """It has ended without outputs, for a reason of its own."""
    KILLED = "killed"
    """It has ended without outputs, since somebody wanted it to."""


class JobEvent(StrEnum):
    """What happens to a job."""

    DATA_READY = "DATA_READY"
    """Its manager has sent all inputs (`JobDataReady`), and they fit the job type; or jobs here have given them."""
    DATA_REFUSED = "DATA_REFUSED"
    """Its manager has sent all inputs, and they do not fit (it is declined for good), or the job type is gone."""
    FILES_LACK = "FILES_LACK"
    """Its manager has sent all inputs, and files among them are to be fetched first."""
    FILES_CAME = "FILES_CAME"
    """The last of its files has come."""
    FILES_REFUSED = "FILES_REFUSED"
    """No place that its manager has named has a file that it needs (it is declined for good)."""
    SLOT_GIVEN = "SLOT_GIVEN"
    """The agent gives it a slot, and will start its process after the commit."""
    FOUND_BEGUN = "FOUND_BEGUN"
    """The agent has started on an older copy of its database, and the keeper knows that the job was started since."""
    GIVER_ENDED = "GIVER_ENDED"
    """A job that it takes an input from has ended without a result (it is declined: the manager asks for another)."""
    START_REFUSED = "START_REFUSED"
    """It does not begin here: its job type is gone, the agent paused or it would begin late (it is declined), or its
    inputs do not fit."""
    PROCESS_ENDED = "PROCESS_ENDED"
    """The runner says that its process has ended well, and that it has given files that are to be taken first."""
    JOB_COMPLETED = "JOB_COMPLETED"
    """The runner says that its process has ended well, with outputs that fit."""
    JOB_FAILED = "JOB_FAILED"
    """The runner says that it could not start, ended otherwise, took too long, or has no outputs that fit."""
    JOB_KILLED = "JOB_KILLED"
    """Its manager (`JobKill`) or the owner (API) has ended it: said at once before it runs, or else by the runner."""


class DataState(StrEnum):
    """States of a job's inputs."""

    AWAITING = "awaiting"
    """The inputs that are known are there, others do not exist yet."""
    DELIVERED = "delivered"
    """All are there."""


class DataEvent(StrEnum):
    """What happens to a job's inputs."""

    INPUTS_COME = "INPUTS_COME"
    """Its manager has sent all of them (`JobDataReady`), and they fit; or jobs here have given the last of them."""


class OfferState(StrEnum):
    """States of an offer, as the agent that made it sees it."""

    OPEN = "open"
    """It is on its way, or waits for its answer; no other is made to this manager for this job type."""
    ACCEPTED = "accepted"
    """Jobs have come for it."""
    REJECTED = "rejected"
    """The manager has nothing for it."""
    EXPIRED = "expired"
    """No answer has come in time, and its places are free."""


class OfferEvent(StrEnum):
    """What happens to an offer; an answer may come after its time."""

    JOBS_CAME = "JOBS_CAME"
    """The manager has sent the last jobs for it (`OfferAccept`), one at least."""
    NOTHING_CAME = "NOTHING_CAME"
    """The manager has nothing for it (`OfferReject`), or could not handle it."""
    TIME_OVER = "TIME_OVER"
    """The agent notes that `valid_for` is over."""


S, E = JobState, JobEvent

JOB: Mapping[JobState, Mapping[JobEvent, JobState]] = {
    S.PENDING: {
        E.DATA_READY: S.QUEUED,
        E.FILES_LACK: S.STAGING,
        E.FOUND_BEGUN: S.RUNNING,
        E.DATA_REFUSED: S.FAILED,
        E.GIVER_ENDED: S.FAILED,
        E.JOB_KILLED: S.KILLED,
    },
    S.STAGING: {
        E.FILES_CAME: S.QUEUED,
        E.FOUND_BEGUN: S.RUNNING,
        E.FILES_REFUSED: S.FAILED,
        E.JOB_KILLED: S.KILLED,
    },
    S.QUEUED: {
        E.SLOT_GIVEN: S.RUNNING,
        E.FOUND_BEGUN: S.RUNNING,
        E.START_REFUSED: S.FAILED,
        E.JOB_KILLED: S.KILLED,
    },
    S.RUNNING: {
        E.PROCESS_ENDED: S.COLLECTING,
        E.JOB_COMPLETED: S.COMPLETED,
        E.JOB_FAILED: S.FAILED,
        E.JOB_KILLED: S.KILLED,
    },
    S.COLLECTING: {E.JOB_COMPLETED: S.COMPLETED, E.JOB_FAILED: S.FAILED},
    S.COMPLETED: {},
    S.FAILED: {},
    S.KILLED: {},
}

DATA: Mapping[DataState, Mapping[DataEvent, DataState]] = {
    DataState.AWAITING: {DataEvent.INPUTS_COME: DataState.DELIVERED},
    DataState.DELIVERED: {},
}

OFFER: Mapping[OfferState, Mapping[OfferEvent, OfferState]] = {
    OfferState.OPEN: {
        OfferEvent.JOBS_CAME: OfferState.ACCEPTED,
        OfferEvent.NOTHING_CAME: OfferState.REJECTED,
        OfferEvent.TIME_OVER: OfferState.EXPIRED,
    },
    OfferState.EXPIRED: {OfferEvent.JOBS_CAME: OfferState.ACCEPTED, OfferEvent.NOTHING_CAME: OfferState.REJECTED},
    OfferState.ACCEPTED: {},
    OfferState.REJECTED: {},
}
