"""Hand-over: which inputs a job takes by itself from jobs at its own agent (docs/protocol.md, "Hand-over").

The one place that says what can be handed over: a step that was asked for ahead of its data, to which all flows by
plain links. What is scattered or conditional, waits at a gate, or has files from other steps is not asked for ahead
(`workflows/ahead.py`). It has its inputs from the manager, as all has that is not said here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.store import Store
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.templates.plan import Plan, StepInput, prefix_of
from caroni_edge.manager.workflows.inputs import inputs_misfit
from caroni_edge.protocol.fields import InputFrom
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, JobStatusUpdate
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import as_text, hash_of
from caroni_edge.values.remote import remote_in

SPEAKS_OF_GIVERS = 2
"""Agents that speak an older version of the messages have all inputs from their managers."""
OVER = ("completed", "failed", "killed")
"""What an agent says of a job that has ended."""


class Given(NamedTuple):
    """What a step is placed with.

    Attributes:
        inputs: Those that are known.
        inputs_from: Where the agent has all others from; nothing where its manager will send them.
    """

    inputs: dict[str, Any]
    inputs_from: dict[str, InputFrom]


class Handover:
    """Finds for a step that waits for its data the jobs that will give them."""

    def __init__(self, store: Store, plan: Callable[[str], Plan]) -> None:
        """Look in the store; `plan` returns a plan by its hash."""
        self._store, self._plan = store, plan

    def given(self, step: StepRow, agent: str, *, repeat: bool) -> Given:
        """Return what a step is placed with at an agent, whose job type may be run again by itself or not."""
        known = msgspec.json.decode(step.inputs)
        by_manager = Given(known, {})
        if not step.deps_left or not repeat or self._store.agents.speaks(agent) < SPEAKS_OF_GIVERS:
            return by_manager
        plan_step = self._plan(self._store.workflows.by_seq(step.workflow).plan).step_at(step.name)
        if not all(map(_is_plain, plan_step.inputs)) or (step.attempt and self._store.jobs.was_misfed(step.id)):
            return by_manager
        inputs, found = dict(known), dict[str, InputFrom]()
        for each in filter(_is_given, plan_step.inputs):
            assert each.link is not None
            (source,) = each.link.sources
            giver = self._store.steps.by_path(step.workflow, f"{prefix_of(step.path)}{source.step}")
            if giver is not None and giver.status is StepState.COMPLETED:
                outputs = msgspec.json.decode(self._store.steps.outputs(step.workflow, giver.path))
                inputs[each.name] = outputs.get(source.output)
            elif giver is not None and (job := self._giving(giver, agent)) is not None:
                found[each.name] = (job.job, source.output or "", each.type)
            else:
                return by_manager
        is_fetched = objects_in(inputs) or any(remote_in(inputs))
        fits = inputs_misfit(plan_step, inputs) is None and not is_fetched
        is_small = len(msgspec.json.encode((inputs, found))) <= VALUES_LIMIT_BYTES
        return Given(inputs, found) if fits and is_small else by_manager

    def note(self, job: str, inputs_from: dict[str, InputFrom]) -> None:
        """Note that an agent will give a job these inputs by itself."""
        givers = {giver for giver, _output, _type in inputs_from.values()}
        self._store.jobs.hand_over(job, as_text(inputs_from), givers)

    def _giving(self, giver: StepRow, agent: str) -> JobRow | None:
        """Return the present job of a step, if this agent has it and its result will count."""
        job = self._store.jobs.by_id(giver.job) if giver.job else None
        return job if job is not None and job.open and not job.asked and job.agent == agent else None


def is_misfed(step: StepRow, job: JobRow, said: JobStatusUpdate) -> bool:
    """Tell whether a job has surely had other inputs than its step is given: no result of it counts.

    One that runs may have inputs that its manager does not know yet; one that has ended may not. Of a job that was sent
    its inputs an agent need not say which they were: those of before did not.
    """
    is_over = said.status in OVER
    if not said.inputs_hash:
        return is_over and job.inputs_from is not None
    if step.deps_left:
        return is_over
    return said.inputs_hash != hash_of(msgspec.json.decode(step.inputs))


def _is_given(each: StepInput) -> bool:
    """Tell whether an input of a step is an output of another."""
    return each.link is not None and bool(each.link.waits_for)


def _is_plain(each: StepInput) -> bool:
    """Tell whether an input is known when its workflow begins, or is the output of one step, given as it is."""
    if each.type is None or each.value_from is not None or (each.link and (each.link.pick or each.link.merge)):
        return False
    if not _is_given(each):
        return True
    assert each.link is not None
    return each.default is None and each.files is None and len(each.link.sources) == 1
