"""What starts a workflow, whoever says it: people and other programs by MQTT, or a manager's API."""

from typing import Annotated

from msgspec import Meta, Struct

from caroni_edge.protocol.fields import Priority, Segment
from caroni_edge.protocol.labels import LABELS_MAX, Labels
from caroni_edge.protocol.messages import Values

TRIGGER_LIMIT_BYTES = 64 * 1024
"""A trigger as JSON."""
MUST_BE = "must be"
"""In the `Meta.extra` of a trigger's fields: what each must be, for those who write one by hand."""

PLACES_MAX = 100
"""So many objects may be brought for one workflow."""
ObjectName = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
SubmitName = Annotated[str, Meta(pattern=r"^submit-[a-z0-9]{1,33}$(?!\n)")]
Places = Annotated[dict[ObjectName, SubmitName], Meta(max_length=PLACES_MAX)]
Ticket = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class Trigger(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What starts a workflow: published by anybody allowed, or posted to the manager's API.

    Attributes:
        template: Name of a template.
        inputs: Its inputs.
        id: Id for the workflow; the same id with the same content starts nothing again.
        priority: From 0 to 9.
        reply_to: A topic that gets this workflow's events as well.
        labels: What it is about, to be found by; not compared when the id is known.
        places: Who brings objects among the inputs that the manager does not have: one `submit-…` for all of them.
        ticket: What opens them to the manager there.
    """

    template: Annotated[str, Meta(extra={MUST_BE: "the name of a template, a string"})]
    inputs: Annotated[Values, Meta(extra={MUST_BE: "an object with a value for each input"})] = {}
    id: Annotated[Segment | None, Meta(extra={MUST_BE: "1 to 40 characters of a-z 0-9 _ -"})] = None
    priority: Annotated[Priority, Meta(extra={MUST_BE: "an integer from 0 to 9"})] = 4
    reply_to: Annotated[str | None, Meta(extra={MUST_BE: "a topic, a string"})] = None
    labels: Annotated[Labels, Meta(extra={MUST_BE: f"an object of {LABELS_MAX} labels at most: texts by names"})] = {}
    places: Annotated[
        Places, Meta(extra={MUST_BE: f"{PLACES_MAX} objects at most, each with the submit-… that has it"})
    ] = {}
    ticket: Annotated[Ticket | None, Meta(extra={MUST_BE: "64 hexadecimal digits"})] = None
