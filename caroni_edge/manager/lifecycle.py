"""The states of a workflow, a step and an offer, as tables. Code only applies them (`base/states.py`)."""

from collections.abc import Mapping
from enum import StrEnum


class Workflow(StrEnum):
    """States of a workflow."""

    CREATED = "created"
    INITIALIZING = "initializing"
    RUNNING = "running"
    STALLED = "stalled"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WorkflowEvent(StrEnum):
    """What happens to a workflow."""

    STEPS_MADE = "STEPS_MADE"
    STEP_FULFILLED = "STEP_FULFILLED"
    NOBODY_SERVES = "NOBODY_SERVES"
    SERVED_AGAIN = "SERVED_AGAIN"
    ALL_STEPS_COMPLETED = "ALL_STEPS_COMPLETED"
    STEP_FAILED = "STEP_FAILED"
    CANCEL = "CANCEL"
    RETRY = "RETRY"


class Step(StrEnum):
    """States of a step."""

    CREATED = "created"
    FULFILLING = "fulfilling"
    FULFILLED = "fulfilled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepEvent(StrEnum):
    """What happens to a step."""

    DEMANDED = "DEMANDED"
    PLACED = "PLACED"
    TAKEN_BACK = "TAKEN_BACK"
    JOB_RUNNING = "JOB_RUNNING"
    JOB_COMPLETED = "JOB_COMPLETED"
    ATTEMPT_FAILED = "ATTEMPT_FAILED"
    ATTEMPTS_USED_UP = "ATTEMPTS_USED_UP"
    SET_ASIDE = "SET_ASIDE"
    CANCEL = "CANCEL"
    BEGUN = "BEGUN"
    SKIPPED = "SKIPPED"
    PARTS_COMPLETED = "PARTS_COMPLETED"
    VALUES_UNFIT = "VALUES_UNFIT"
    LOOKED_AT_AGAIN = "LOOKED_AT_AGAIN"
    GOES_ON = "GOES_ON"


class Offer(StrEnum):
    """States of an offer."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OfferEvent(StrEnum):
    """What happens to an offer."""

    STEPS_FOUND = "STEPS_FOUND"
    NOTHING_TO_PLACE = "NOTHING_TO_PLACE"
    TIME_OVER = "TIME_OVER"


W, WE = Workflow, WorkflowEvent
S, SE = Step, StepEvent
OF, OE = Offer, OfferEvent

_GOING_ON: Mapping[WorkflowEvent, Workflow] = {
    WE.ALL_STEPS_COMPLETED: W.COMPLETED,
    WE.STEP_FAILED: W.FAILED,
    WE.CANCEL: W.CANCELLED,
}

WORKFLOW: Mapping[Workflow, Mapping[WorkflowEvent, Workflow]] = {
    W.CREATED: {WE.STEPS_MADE: W.INITIALIZING},
    W.INITIALIZING: {WE.STEP_FULFILLED: W.RUNNING, WE.NOBODY_SERVES: W.STALLED, **_GOING_ON},
    W.RUNNING: {WE.NOBODY_SERVES: W.STALLED, **_GOING_ON},
    W.STALLED: {WE.SERVED_AGAIN: W.RUNNING, **_GOING_ON},
    W.FAILED: {WE.RETRY: W.RUNNING},
    W.COMPLETED: {},
    W.CANCELLED: {},
}

STEP: Mapping[Step, Mapping[StepEvent, Step]] = {
    # Waits for its data, or its turn; or set aside: the workflow has failed, and `retry` wants the step again.
    S.CREATED: {
        SE.DEMANDED: S.FULFILLING,
        SE.BEGUN: S.RUNNING,
        SE.SKIPPED: S.COMPLETED,
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.VALUES_UNFIT: S.FAILED,
        SE.CANCEL: S.CANCELLED,
    },
    S.FULFILLING: {
        SE.PLACED: S.FULFILLED,
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.ATTEMPTS_USED_UP: S.FAILED,
        SE.VALUES_UNFIT: S.FAILED,
        SE.SET_ASIDE: S.CREATED,
        SE.CANCEL: S.CANCELLED,
    },
    S.FULFILLED: {
        SE.JOB_RUNNING: S.RUNNING,
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.TAKEN_BACK: S.FULFILLING,
        SE.ATTEMPT_FAILED: S.FULFILLING,
        SE.ATTEMPTS_USED_UP: S.FAILED,
        SE.VALUES_UNFIT: S.FAILED,
        SE.SET_ASIDE: S.CREATED,
        SE.CANCEL: S.CANCELLED,
    },
    S.RUNNING: {
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.PARTS_COMPLETED: S.COMPLETED,
        SE.ATTEMPT_FAILED: S.FULFILLING,
        SE.ATTEMPTS_USED_UP: S.FAILED,
        SE.VALUES_UNFIT: S.FAILED,
        SE.SET_ASIDE: S.CREATED,
        SE.CANCEL: S.CANCELLED,
    },
    S.FAILED: {
        SE.DEMANDED: S.FULFILLING,
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.LOOKED_AT_AGAIN: S.CREATED,
        SE.GOES_ON: S.RUNNING,
    },
    S.COMPLETED: {},
    S.CANCELLED: {},
}

OFFER: Mapping[Offer, Mapping[OfferEvent, Offer]] = {
    OF.RECEIVED: {OE.STEPS_FOUND: OF.ACCEPTED, OE.NOTHING_TO_PLACE: OF.REJECTED, OE.TIME_OVER: OF.EXPIRED},
    OF.ACCEPTED: {},
    OF.REJECTED: {},
    OF.EXPIRED: {},
}

ENDED = (W.COMPLETED, W.FAILED, W.CANCELLED)
"""States in which a workflow wants nothing of any agent."""
