"""Events as they are published: CloudEvents 1.0 in JSON, for people and other programs; no node reads them."""

from typing import Literal

import msgspec
from msgspec import Struct

from caroni_edge.protocol.fields import Nonce, Segment
from caroni_edge.protocol.messages import Values

EventType = Literal[
    "caroni.workflow.started",
    "caroni.workflow.completed",
    "caroni.workflow.failed",
    "caroni.workflow.cancelled",
    "caroni.workflow.rejected",
    "caroni.workflow.stalled",
    "caroni.workflow.resumed",
    "caroni.workflow.held",
    "caroni.step.completed",
    "caroni.step.failed",
    "caroni.step.retried",
]
"""What may happen to a workflow or to a step of it."""

ToldType = Literal["caroni.template.recovered", "caroni.agent.silent", "caroni.agent.back"]
"""What is for those alone whom the configuration names (`notify`): it is on no topic of the manager's."""


class EventData(Struct, frozen=True):
    """What an event is about; only what applies is there.

    Attributes:
        workflow: The workflow's id.
        template: Name of its template.
        step: The step's path.
        job: The attempt.
        agent: Who had it.
        attempt: Its number, from 1.
        status: The state that the job or the workflow has now.
        reason: Why it failed, is stalled or held, was cancelled or was rejected.
        outputs: Of a completed step or workflow.
        outputs_left_out: The outputs are too large for an event; the manager's API has them.
        id: The id that a rejected trigger asked for.
        received: The first 200 characters of a rejected trigger.
    """

    workflow: Segment | msgspec.UnsetType = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    step: str | msgspec.UnsetType = msgspec.UNSET
    job: str | msgspec.UnsetType = msgspec.UNSET
    agent: Segment | msgspec.UnsetType = msgspec.UNSET
    attempt: int | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    outputs: Values | msgspec.UnsetType = msgspec.UNSET
    outputs_left_out: bool | msgspec.UnsetType = msgspec.UNSET
    id: str | msgspec.UnsetType = msgspec.UNSET
    received: str | msgspec.UnsetType = msgspec.UNSET


class CloudEvent(Struct, frozen=True):
    """Something happened to a workflow: a CloudEvents 1.0 event in JSON.

    Attributes:
        specversion: Version of CloudEvents.
        id: Random; a repeat has the same.
        source: The manager: `{root}/managers/{id}`.
        type: What happened.
        subject: The workflow, or `workflow/step`.
        time: When, in RFC 3339 and UTC.
        datacontenttype: Form of `data`.
        data: The facts.
    """

    specversion: Literal["1.0"]
    id: Nonce
    source: str
    type: EventType | ToldType
    subject: str
    time: str
    datacontenttype: Literal["application/json"]
    data: EventData
