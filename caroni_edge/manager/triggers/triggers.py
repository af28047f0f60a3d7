"""Takes triggers: each is checked, and starts a workflow once or is refused with a reason."""

import codecs
import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.memory import MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.documents.documents import nearest
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings, LackingObject
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.templates.plan import Plan, encode_plan
from caroni_edge.manager.triggers.brought import Brought
from caroni_edge.manager.triggers.malformed import key_given_twice, why_malformed
from caroni_edge.manager.triggers.pauses import Pauses
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.codec import Unreadable, decode_notice
from caroni_edge.protocol.fields import is_segment
from caroni_edge.protocol.triggers import TRIGGER_LIMIT_BYTES, Trigger
from caroni_edge.transport.base import Arrived
from caroni_edge.values.json import as_text, hash_of, shown

log = logging.getLogger(__name__)

NOT_AN_ID = "rejected"
"""No workflow may have this id: refused triggers are told on the topic that would be that of its events."""

BY_SCHEDULE = "schedule "
"""The cause of a workflow that a schedule has started begins so."""
_SLOT_ID = re.compile(r"[a-z0-9_-]{1,23}-[0-9]{8}t[0-9]{6}z")


class Refused(CaroniError):
    """{reason}."""

    hint = "Nothing was started."

    def __init__(self, status: int, reason: str, field: str | None = None) -> None:
        """Say why, with the HTTP status that fits and the field that is wrong."""
        self.status, self.reason, self.field = status, reason, field
        super().__init__("", reason=reason)


class Triggers(Part):
    """Starts workflows. A trigger with an `id` starts one workflow, however often and by whichever way it comes.

    Without an `id` MQTT 3.1.1 tells what the broker repeats: DUP is set [MQTT-3.3.1-1], and it has the
    packet id of before [MQTT-4.4.0-1]. When the broker has our PUBACK, the packet id may name another message
    [MQTT-2.3.1-4]; so what was taken is remembered, by packet id and payload, until the broker shows that it has it.

    Attributes:
        templates: From which workflows are started; others take their place when the configuration is read again.
        disk_problem: Why no workflow is started now; None while there is room on the disk.
    """

    def __init__(
        self,
        context: Context,
        engine: Engine,
        pauses: Pauses,
        holdings: Holdings,
        brought: Brought,
        templates: Templates,
    ) -> None:
        """Start workflows of these templates, by `engine`, but for those that `pauses` holds.

        What was uploaded they may name by `holdings`; `brought` holds those whose files are to be fetched first.
        """
        super().__init__(context.journal)
        self._context, self._engine, self._pauses, self._holdings = context, engine, pauses, holdings
        self._store, self._brought = context.store, brought
        self.templates = templates
        self.disk_problem: str | None = None
        self._settled: MemorySet[int] = MemorySet(context.journal)  # packet ids to be forgotten

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        """Take a message from the topic for triggers; a refusal is told by an event."""
        if not event.payload or self._is_repeat(event):
            return
        try:
            if event.retain:
                raise Refused(400, "the trigger is retained, so it would come again; publish it without retain")
            self.start(read_trigger(event.topic, event.payload), at)
        except Refused as refusal:
            self._refuse(event.payload, refusal, at)

    def on_settled(self, packet_id: int) -> None:
        """Note that the broker can no longer repeat the trigger with this packet id."""
        self._settled.add(packet_id)

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """Packet ids belong to a session (MQTT 3.1.1, section 4.1): in a new one none of those before is repeated."""
        if not session_present:
            self._store.triggers.delete_all()
            self._settled.clear()

    def settle(self, at: Moment) -> None:
        """Forget the triggers that the broker cannot repeat any more."""
        if self._settled:
            self._store.triggers.delete(sorted(self._settled))
            self._settled.clear()

    def start(self, trigger: Trigger, at: Moment, *, cause: str | None = None) -> tuple[str, bool]:
        """Start a workflow, or find the one that this trigger has started before.

        Args:
            trigger: What is to be started.
            at: The time.
            cause: What of the configuration starts it; None where people or programs do.

        Returns:
            The workflow's id, and whether it is new.

        Raises:
            Refused: Nothing was started.
        """
        self._refuse_words(trigger, cause)
        try:
            content = hash_of({"template": trigger.template, "inputs": trigger.inputs})
        except ValueError as error:
            raise Refused(422, f"the inputs {error}", "inputs") from error
        if trigger.id is not None and (row := self._store.workflows.by_id(trigger.id)):
            self._start_again(row, content, trigger, at)
            return row.id, False
        self._refuse_now(trigger)
        plan, plan_hash = self._plan(trigger.template)
        inputs, lacking = self._checked(plan, trigger)
        inputs_text = as_text(inputs)
        if why_not := self._piled_up(len(inputs_text.encode())) or self._brought.why_not(lacking):
            raise Refused(503, why_not)
        if not self._store.workflows.has_plan(plan_hash):
            self._store.workflows.add_plan(plan_hash, plan.template, encode_plan(plan), at.date)
        row = WorkflowRow(
            seq=0,
            id=trigger.id or self._context.chance.new_id(),
            template=plan.template,
            plan=plan_hash,
            content=content,
            status=WorkflowState.CREATED,
            priority=trigger.priority,
            inputs=inputs_text,
            reply_to=trigger.reply_to,
            steps_left=len(plan.steps),
            cause=cause,
            labels=as_text(trigger.labels),
        )
        if lacking:
            self._brought.hold(row, inputs, trigger, lacking, at)
        elif self._pauses.holds(row.template):
            self._engine.hold(row, inputs, at)
        else:
            self._engine.start(row, plan, inputs, at)
        return row.id, True

    def _refuse_words(self, trigger: Trigger, cause: str | None) -> None:
        """Refuse what a trigger may never say."""
        if trigger.reply_to is not None and (problem := self._context.events.reply_problem(trigger.reply_to)):
            raise Refused(422, problem, "reply_to")
        if trigger.id == NOT_AN_ID:
            raise Refused(422, f'id must not be "{NOT_AN_ID}": that is the topic of refused triggers', "id")
        if trigger.id is not None and _SLOT_ID.fullmatch(trigger.id) and not (cause or "").startswith(BY_SCHEDULE):
            raise Refused(422, f"id {trigger.id} is one of those that schedules give: name it otherwise", "id")

    def _refuse_now(self, trigger: Trigger) -> None:
        """Refuse what this manager does not take as it is now; what was started before is found all the same."""
        if trigger.priority > (most := self._context.settings.priority_max):
            said = f"priority is {trigger.priority}, and this manager takes {most} at most (priority_max)"
            raise Refused(422, said, "priority")
        if self.disk_problem:
            raise Refused(503, self.disk_problem)

    def _checked(self, plan: Plan, trigger: Trigger) -> tuple[dict[str, Any], list[LackingObject]]:
        """Return a value for each input of a template, by what a trigger gives, and which files of them are brought."""
        if trigger.places and (trigger.ticket is None or len({*trigger.places.values()}) > 1):
            raise Refused(422, "places name one submit-…, and ticket is what opens them there", "places")
        inputs, wrong = plan.check_inputs(trigger.inputs, objects=True)
        if wrong:
            raise Refused(422, "; ".join(f"input {name} {words}" for name, words in wrong), f"inputs.{wrong[0][0]}")
        if missing := self._holdings.missing(inputs, {ObjectId(name) for name in trigger.places}):
            name, words = missing
            raise Refused(422, f"input {name}: {words}", f"inputs.{name}")
        return inputs, self._holdings.lacking(inputs, {ObjectId(name) for name in trigger.places})

    def start_like(
        self, row: WorkflowRow, changed: Mapping[str, Any], new_id: str | None, at: Moment
    ) -> tuple[str, bool]:
        """Start a workflow of the same template as it is now, with the same inputs but for those that are changed.

        Raises:
            Refused: Nothing was started.
        """
        inputs = {**msgspec.json.decode(row.inputs), **changed}
        trigger = Trigger(
            template=row.template,
            inputs={name: value for name, value in inputs.items() if value is not None},
            id=new_id,
            priority=min(row.priority, self._context.settings.priority_max),
            labels=msgspec.json.decode(row.labels),
        )
        return self.start(trigger, at)

    def require_known(self, template: str) -> None:
        """Make sure that there is a template of this name, whole or broken.

        Raises:
            Refused: There is none.
        """
        if template not in self.templates.errors and self.templates.get(template) is None:
            raise self._unknown(template)

    def _unknown(self, template: str) -> Refused:
        names = [*self.templates.names(), *self.templates.errors]
        return Refused(404, f"there is no template {template}{nearest(template, names)}", "template")

    def _start_again(self, row: WorkflowRow, content: str, trigger: Trigger, at: Moment) -> None:
        if row.content != content:
            raise Refused(409, f"a workflow {row.id} with another template or other inputs is there already", "id")
        self._brought.again(row, trigger, at)
        if event := self._store.workflows.last_event(row.seq):
            self._context.events.again(row, event, trigger.reply_to)

    def _piled_up(self, more_bytes: int) -> str | None:
        """Return why no other workflow is started: too much has not ended. None while there is room.

        Those that have begun count too: one with a short first step would otherwise pass every bound.
        """
        settings, unfinished = self._context.settings, self._store.workflows.unfinished()
        if unfinished.workflows >= (most := settings.waiting_workflows):
            why = f"waiting.workflows is {most}, and so many have not ended"
        elif unfinished.input_bytes + more_bytes > (most := settings.waiting_bytes):
            why = f"waiting.size is {most} bytes, and the inputs of those that have not ended take that"
        else:
            return None
        return f"no other workflow is taken: {why}; try again later, or cancel some"

    def _plan(self, name: str) -> tuple[Plan, str]:
        template = self.templates.get(name)
        if template is None:
            broken = self.templates.errors.get(name)
            if broken:
                raise Refused(404, f"the template {name} is broken: {broken[0]}", "template")
            raise self._unknown(name)
        return template.plan, template.hash

    def _is_repeat(self, event: Arrived) -> bool:
        """Tell whether the broker has sent this trigger again (DUP flag, same packet id, same payload)."""
        if not event.packet_id:
            return False
        was_settled = event.packet_id in self._settled
        self._settled.discard(event.packet_id)  # whatever was settled before: the id is in use again
        payload_hash = hashlib.sha256(event.payload).hexdigest()
        if event.dup and not was_settled and self._store.triggers.get(event.packet_id) == payload_hash:
            log.info("a repeated trigger starts nothing", extra={"action": "trigger_repeated"})
            return True
        self._store.triggers.set(event.packet_id, payload_hash)
        return False

    def _refuse(self, payload: bytes, refusal: Refused, at: Moment) -> None:
        received = payload[:1000].decode(errors="replace")
        facts = _readable(payload)
        workflow, reply_to = facts.get("id"), facts.get("reply_to")
        if not isinstance(workflow, str) or not is_segment(workflow):
            workflow = None
        if not isinstance(reply_to, str) or self._context.events.reply_problem(reply_to):
            reply_to = None
        log.warning("trigger refused: %s", refusal.reason, extra={"action": "trigger_refused", "workflow": workflow})
        self._context.events.rejected(workflow, refusal.reason, received, reply_to, at.date)


def read_trigger(where: str, payload: bytes) -> Trigger:
    """Return the trigger that a payload is.

    Args:
        where: Topic or request that it came by, for messages.
        payload: What came.

    Raises:
        Refused: It is none.
    """
    if len(payload) > TRIGGER_LIMIT_BYTES:
        raise Refused(413, f"the trigger has {len(payload)} bytes, and {TRIGGER_LIMIT_BYTES} are allowed")
    payload = payload.removeprefix(codecs.BOM_UTF8)
    try:
        trigger = decode_notice(Trigger, where, payload)
    except Unreadable as error:
        words, field = why_malformed(payload)
        raise Refused(400, f"the trigger cannot be read: {words}", field) from error
    if twice := key_given_twice(payload):
        raise Refused(400, f"the trigger gives the key {shown(twice)} twice: leave one out")
    return trigger


def _readable(payload: bytes) -> dict[str, Any]:
    """Return the fields of a refused trigger as far as they can be read, none of them checked."""
    try:
        found = msgspec.json.decode(payload) if len(payload) <= TRIGGER_LIMIT_BYTES else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
