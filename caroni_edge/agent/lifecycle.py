"""The states of a job, its data and an offer, as tables. Code only applies them (`base/states.py`)."""

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """States of a job."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"


class JobEvent(StrEnum):
    """What happens to a job."""

    DATA_READY = "DATA_READY"
    DATA_REFUSED = "DATA_REFUSED"
    SLOT_GIVEN = "SLOT_GIVEN"
    START_REFUSED = "START_REFUSED"
    JOB_COMPLETED = "JOB_COMPLETED"
    JOB_FAILED = "JOB_FAILED"
    JOB_KILLED = "JOB_KILLED"


class Data(StrEnum):
    """States of a job's inputs."""

    AWAITING = "awaiting"
    DELIVERED = "delivered"


class DataEvent(StrEnum):
    """What happens to a job's inputs."""

    INPUTS_COME = "INPUTS_COME"


class Offer(StrEnum):
    """States of an offer."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OfferEvent(StrEnum):
    """What happens to an offer; an answer may come after its time."""

    JOBS_CAME = "JOBS_CAME"
    NOTHING_CAME = "NOTHING_CAME"
    TIME_OVER = "TIME_OVER"


S, E = JobState, JobEvent

JOB: Mapping[JobState, Mapping[JobEvent, JobState]] = {
    S.PENDING: {E.DATA_READY: S.QUEUED, E.DATA_REFUSED: S.FAILED, E.JOB_KILLED: S.KILLED},
    S.QUEUED: {E.SLOT_GIVEN: S.RUNNING, E.START_REFUSED: S.FAILED, E.JOB_KILLED: S.KILLED},
    S.RUNNING: {E.JOB_COMPLETED: S.COMPLETED, E.JOB_FAILED: S.FAILED, E.JOB_KILLED: S.KILLED},
    S.COMPLETED: {},
    S.FAILED: {},
    S.KILLED: {},
}

DATA: Mapping[Data, Mapping[DataEvent, Data]] = {
    Data.AWAITING: {DataEvent.INPUTS_COME: Data.DELIVERED},
    Data.DELIVERED: {},
}

OFFER: Mapping[Offer, Mapping[OfferEvent, Offer]] = {
    Offer.OPEN: {
        OfferEvent.JOBS_CAME: Offer.ACCEPTED,
        OfferEvent.NOTHING_CAME: Offer.REJECTED,
        OfferEvent.TIME_OVER: Offer.EXPIRED,
    },
    Offer.EXPIRED: {OfferEvent.JOBS_CAME: Offer.ACCEPTED, OfferEvent.NOTHING_CAME: Offer.REJECTED},
    Offer.ACCEPTED: {},
    Offer.REJECTED: {},
}
