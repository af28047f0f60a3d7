"""The states of a workflow, a step and an offer, as tables. Code applies them by `base/states.py`, and nothing else.

What the tables cover: which state follows from which event. Whatever changes a column `status` of a workflow or a step
asks its table first; what sets many rows by one statement (`Engine._fail`, `cancel`, `retry`) reads the states before
and after from the table.

What they do not cover, since no state changes with it:

- What a step waits for. One that is `created` waits for its data (`deps_left`), for its expressions (a row of
  `evaluations`), its turn (`gate`), or for `retry`. One that is `fulfilling` is in the demand, or waits for its next
  attempt (`retry_due`) or for `retry` (`in_doubt`).
- Attempts. A job has its states at its agent (`agent/lifecycle.py`), and its row here has what the agent has said last.
  What the manager knows of itself is whether the job may still give a result (`open`), and whether another attempt was
  made meanwhile (`lost`).
- How many parts of a step, or steps of a workflow, are left (`parts_left`, `steps_left`): the last one is an event.
- Where an offer went: it is a row only while it is `received`.
"""

from collections.abc import Mapping
from enum import StrEnum


class WorkflowState(StrEnum):
    """States of a workflow."""

    CREATED = "created"
    """Its trigger is accepted, and its steps are about to be made; no batch ends in this state."""
    HELD = "held"
    """Its template was paused when its trigger came: its steps are made when the template is resumed. Or files were not
    here that whoever submitted it brings: they are made when those are."""
    INITIALIZING = "initializing"
    """Its steps are there, and no agent has accepted a job of it yet."""
    RUNNING = "running"
    """An agent has accepted a job of it."""
    STALLED = "stalled"
    """One of its steps is unplaced, and for `stalled_after` no agent that may take it has served its job type, or none
    was known that may fetch its files; or one is in doubt, and waits for `retry`."""
    COMPLETED = "completed"
    """All of its steps have completed, and it has its outputs."""
    FAILED = "failed"
    """A step has failed for good, or what the steps gave does not fit the outputs. What ran may end, and is kept."""
    CANCELLED = "cancelled"
    """Somebody has ended it."""


class WorkflowEvent(StrEnum):
    """What happens to a workflow."""

    HOLD = "HOLD"
    """Its trigger comes while its template is paused, or while others that were held are to begin before it; or that
    names who brings its files. When they are here, its template may be paused."""
    STEPS_MADE = "STEPS_MADE"
    """Its steps are made: in the batch that accepted its trigger, or when its template is resumed."""
    STEP_FULFILLED = "STEP_FULFILLED"
    """An agent says that it has accepted a job of it (`JobAccepted`)."""
    NOBODY_SERVES = "NOBODY_SERVES"
    """The manager notes that nobody has served one of its unplaced steps for `stalled_after`, or may fetch its
    files."""
    SERVED_AGAIN = "SERVED_AGAIN"
    """The manager notes that some agent serves each of its unplaced steps again, or that none is left; and none is in
    doubt any more, since the result has come after all."""
    IN_DOUBT = "IN_DOUBT"
    """Nobody saw how a job of it ended that may have begun and may not be repeated (`repeat: false`)."""
    ALL_STEPS_COMPLETED = "ALL_STEPS_COMPLETED"
    """Its last step has completed, and its outputs fit the template."""
    STEP_FAILED = "STEP_FAILED"
    """One of its steps has failed for good, or its outputs do not fit the template."""
    CANCEL = "CANCEL"
    """Somebody ends it, by the API."""
    RETRY = "RETRY"
    """Somebody lets it go on, by the API: what failed, is in doubt or was set aside gets fresh attempts."""


class StepState(StrEnum):
    """States of a step."""

    CREATED = "created"
    """Agents are not asked for it: it waits for its data or its turn, or was set aside when its workflow failed."""
    FULFILLING = "fulfilling"
    """It is unplaced: agents are asked for it, or will be when nothing holds it back any more."""
    FULFILLED = "fulfilled"
    """An agent has it as a job, which has not begun as far as the manager has heard."""
    RUNNING = "running"
    """Its job runs; or its parts do, where it is scattered or runs a workflow."""
    COMPLETED = "completed"
    """It has its outputs; all of them null when it was skipped. One that gives a file again, which is nowhere any more,
    is `fulfilling` to `running` once more, and keeps its outputs."""
    FAILED = "failed"
    """Its attempts are used up, or it cannot run with the values that it has."""
    CANCELLED = "cancelled"
    """Its workflow was cancelled before it had completed."""


class StepEvent(StrEnum):
    """What happens to a step."""

    DEMANDED = "DEMANDED"
    """Agents are asked for it from now on: ahead of its data as soon as it is made; when it begins, if something had
    to be decided first; and by `retry`."""
    PLACED = "PLACED"
    """An offer is filled with it (`OfferAccept`), or an agent has a job of it that was forgotten here (`JobsHere`)."""
    TAKEN_BACK = "TAKEN_BACK"
    """Its job cannot have begun and is given up, which uses up no attempt: the agent declined it, does not know it, or
    is away or refuses the type as the data comes; or a job that it takes an input from has no result."""
    RECALLED = "RECALLED"
    """Its job may have begun and is given up, which uses up no attempt: it has or had inputs from a job that is not its
    step's result."""
    JOB_RUNNING = "JOB_RUNNING"
    """The agent says that its job runs."""
    JOB_COMPLETED = "JOB_COMPLETED"
    """An agent says that a job of it has completed, the present one or one that was lost, and the outputs fit."""
    ATTEMPT_FAILED = "ATTEMPT_FAILED"
    """Its present attempt is used up, and it may have another, by itself or by `retry`: the agent says so, has been
    silent for `lost_after`, or has lost what it knew; or the outputs do not fit."""
    ATTEMPTS_USED_UP = "ATTEMPTS_USED_UP"
    """The same, and it was the last one; or its end was seen, it had begun, and it may not be repeated."""
    SET_ASIDE = "SET_ASIDE"
    """Its workflow has failed: agents are asked for it no longer, and `retry` goes on with it."""
    CANCEL = "CANCEL"
    """Its workflow is cancelled."""
    BEGUN = "BEGUN"
    """Its data is there and it has passed its gates: its parts are made."""
    EVALUATED = "EVALUATED"
    """Its data is there, and its expression, which is all that it is, has given its outputs (`ExpressionTool`)."""
    SKIPPED = "SKIPPED"
    """Its data is there, and its condition (`when`) is false."""
    PARTS_COMPLETED = "PARTS_COMPLETED"
    """The last of its parts has completed, and what they gave fits."""
    VALUES_UNFIT = "VALUES_UNFIT"
    """What it is given, or what its parts gave, is not what the template says: another attempt would not mend it."""
    FILE_LOST = "FILE_LOST"
    """A file that it has given is nowhere any more, and a step needs it: it is to give that again, and nothing else of
    it changes."""
    LOOKED_AT_AGAIN = "LOOKED_AT_AGAIN"
    """`retry`, where it had failed before it began: it begins once more from its data."""
    GOES_ON = "GOES_ON"
    """`retry`, where it had failed as its parts had completed: what they gave is put together once more."""


class OfferState(StrEnum):
    """States of an offer, as the manager that was offered to sees it."""

    RECEIVED = "received"
    """It has come, and waits for the end of the batch, or until agents have said what they hold."""
    ACCEPTED = "accepted"
    """The agent is sent jobs for it."""
    REJECTED = "rejected"
    """The agent is told that there is nothing for it."""
    EXPIRED = "expired"
    """The agent has freed its places by now."""
    STANDING = "standing"
    """It reserves nothing at its agent, and stays until there are steps for its places, or its time is over."""


class OfferEvent(StrEnum):
    """What happens to an offer; the manager says so at the end of the batch."""

    STEPS_FOUND = "STEPS_FOUND"
    """There are unplaced steps that the agent may take."""
    NOTHING_TO_PLACE = "NOTHING_TO_PLACE"
    """There are none, or `max_live_steps` leaves no room for them."""
    TIME_OVER = "TIME_OVER"
    """It was valid for so long, and has not been decided."""
    PLACES_LEFT = "PLACES_LEFT"
    """It is one that stands, and there are no more steps for it now."""


W, WE = WorkflowState, WorkflowEvent
S, SE = StepState, StepEvent
OF, OE = OfferState, OfferEvent

_GOING_ON: Mapping[WorkflowEvent, WorkflowState] = {
    WE.IN_DOUBT: W.STALLED,
    WE.ALL_STEPS_COMPLETED: W.COMPLETED,
    WE.STEP_FAILED: W.FAILED,
    WE.CANCEL: W.CANCELLED,
}

WORKFLOW: Mapping[WorkflowState, Mapping[WorkflowEvent, WorkflowState]] = {
    W.CREATED: {WE.HOLD: W.HELD, WE.STEPS_MADE: W.INITIALIZING},
    W.HELD: {WE.HOLD: W.HELD, WE.STEPS_MADE: W.INITIALIZING, WE.CANCEL: W.CANCELLED},
    W.INITIALIZING: {WE.STEP_FULFILLED: W.RUNNING, WE.NOBODY_SERVES: W.STALLED, **_GOING_ON},
    W.RUNNING: {WE.NOBODY_SERVES: W.STALLED, **_GOING_ON},
    W.STALLED: {WE.SERVED_AGAIN: W.RUNNING, WE.RETRY: W.RUNNING, **_GOING_ON},
    W.FAILED: {WE.RETRY: W.RUNNING},
    W.COMPLETED: {},
    W.CANCELLED: {},
}

STEP: Mapping[StepState, Mapping[StepEvent, StepState]] = {
    S.CREATED: {
        SE.DEMANDED: S.FULFILLING,
        SE.BEGUN: S.RUNNING,
        SE.EVALUATED: S.COMPLETED,
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
        SE.RECALLED: S.FULFILLING,
        SE.ATTEMPT_FAILED: S.FULFILLING,
        SE.ATTEMPTS_USED_UP: S.FAILED,
        SE.VALUES_UNFIT: S.FAILED,
        SE.SET_ASIDE: S.CREATED,
        SE.CANCEL: S.CANCELLED,
    },
    S.RUNNING: {
        SE.JOB_COMPLETED: S.COMPLETED,
        SE.PARTS_COMPLETED: S.COMPLETED,
        SE.RECALLED: S.FULFILLING,
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
    S.COMPLETED: {SE.FILE_LOST: S.FULFILLING},
    S.CANCELLED: {},
}

OFFER: Mapping[OfferState, Mapping[OfferEvent, OfferState]] = {
    OF.RECEIVED: {
        OE.STEPS_FOUND: OF.ACCEPTED,
        OE.NOTHING_TO_PLACE: OF.REJECTED,
        OE.TIME_OVER: OF.EXPIRED,
        OE.PLACES_LEFT: OF.STANDING,
    },
    OF.STANDING: {
        OE.STEPS_FOUND: OF.ACCEPTED,
        OE.NOTHING_TO_PLACE: OF.REJECTED,
        OE.TIME_OVER: OF.EXPIRED,
        OE.PLACES_LEFT: OF.STANDING,
    },
    OF.ACCEPTED: {},
    OF.REJECTED: {},
    OF.EXPIRED: {},
}

ENDED = (W.COMPLETED, W.FAILED, W.CANCELLED)
"""States in which nothing of a workflow begins any more; a failed one goes on by `retry`."""
