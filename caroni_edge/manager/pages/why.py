"""Why a workflow or a step is where it is: data, one item a condition, each with a sentence for people.

Nothing is decided here, and nothing is remembered: the conditions are read from the same rows that the decisions are
made of.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.lifecycle import ENDED, STEP, StepState, WorkflowState
from caroni_edge.manager.pages.sentences import NAMES_SAID, listed, reason_of
from caroni_edge.manager.pages.shapes import AttemptView, Reason, Why
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.whycopies import CopyReasons
from caroni_edge.manager.pages.whyfiles import FileReasons
from caroni_edge.manager.store.shown import ShownServer, ShownStep, ShownWorkflow
from caroni_edge.manager.store.steps import HELD
from caroni_edge.protocol.labels import are_labels

STEPS_EXPLAINED = 20
AGENTS_EXPLAINED = 100

_UNFINISHED = tuple(state for state, arrows in STEP.items() if arrows)


@dataclass(frozen=True, slots=True)
class ManagerNow:
    """What an explainer must know of the manager beside its rows.

    Attributes:
        manager: Our id.
        problem: Why this manager cannot work now; None when it can.
        now: On the node's monotonic clock.
        max_live_steps: So many steps may be at agents at a time; None for no limit.
        unanswered_s: Returns for how many seconds an agent has owed us an answer, while we were connected.
        trusted: The agents that alone may have jobs of a type, by type.
        depots: The agents that may be asked to keep copies of files.
    """

    manager: str
    problem: str | None
    now: float
    max_live_steps: int | None = None
    unanswered_s: Callable[[str], float] = lambda _agent: 0.0
    trusted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    depots: tuple[str, ...] = ()


class Explainer:
    """Finds the conditions that make a workflow or a step be where it is, and says each in a sentence."""

    def __init__(self, views: ManagerViews, us: ManagerNow) -> None:
        """Explain what `views` shows."""
        self._views, self._us = views, us
        self._files, self._copies = FileReasons(views), CopyReasons(views, us.depots)

    def workflow(self, row: ShownWorkflow) -> Why:
        """Return why a workflow is where it is."""
        found = [*self._of_workflow(row), *self._copies.of_workflow(row)]
        return Why(workflow=row.id, step=None, status=row.status, why=found)

    def step(self, row: ShownWorkflow, step: ShownStep) -> Why:
        """Return why a step of a workflow is where it is."""
        found = list(self._of_steps(row, [step]))
        if row.status not in ENDED:
            found = [*self._of_us(), *found]
        found += self._copies.of_step(row, step)
        return Why(workflow=row.id, step=step.path, status=step.status, why=found)

    # Workflows

    def _of_workflow(self, row: ShownWorkflow) -> Iterator[Reason]:
        status, ended = row.status, rfc3339(row.ended)
        match status:
            case WorkflowState.HELD:
                yield self._files.of_brought(row) or self._of_pause(row.template)
                return
            case WorkflowState.COMPLETED:
                yield reason_of("completed", f"all its steps were completed at {ended}", ended=ended)
                return
            case WorkflowState.CANCELLED:
                said = (
                    f"it was cancelled at {ended}: {row.reason}" if row.reason else f"somebody cancelled it at {ended}"
                )
                yield reason_of("cancelled", said, ended=ended)
                return
            case WorkflowState.FAILED:
                yield reason_of("failed", f"it failed at {ended}: {row.reason}", ended=ended, reason=row.reason)
            case _:
                yield from [*self._of_us(), *self._files.of_outputs(row)]
        if status is WorkflowState.STALLED:
            yield reason_of("stalled", f"it is stalled: {row.reason}", reason=row.reason)
        asked = (StepState.FAILED,) if status is WorkflowState.FAILED else _UNFINISHED
        steps = self._views.steps_that_tell(row, asked, STEPS_EXPLAINED + 1)
        yield from self._of_steps(row, steps[:STEPS_EXPLAINED])
        if len(steps) > STEPS_EXPLAINED:
            yield reason_of("more", f"more steps than these {STEPS_EXPLAINED} have not ended", shown=STEPS_EXPLAINED)
        if status is WorkflowState.FAILED:
            yield reason_of("retry", f"`caroni-edge retry {row.id}` gives what failed fresh attempts")

    def _of_pause(self, template: str) -> Reason:
        pause = self._views.pause(template)
        if pause is None or pause.resumed:
            said = f"it begins in its turn: its template {template} was resumed, and others were held before it"
            return reason_of("resumed", said, template=template)
        since = rfc3339(pause.since)
        said = f"it is held until its template {template} is resumed, which was paused at {since}"
        return reason_of("held", said, template=template, since=since)

    def _of_us(self) -> Iterator[Reason]:
        if self._us.problem is not None:
            said = f"manager {self._us.manager} cannot work now: {self._us.problem}"
            yield reason_of("manager_not_ready", said, manager=self._us.manager, problem=self._us.problem)

    # Steps

    def _of_steps(self, row: ShownWorkflow, steps: list[ShownStep]) -> Iterator[Reason]:
        waiting = self._views.waiting_for(row, steps)
        statuses = self._views.statuses(row, {name for names in waiting.values() for name in names})
        attempts = self._views.attempts(step.id for step in steps)
        for step in steps:
            for_data = {name: statuses.get(name, StepState.CREATED) for name in waiting[step.path]}
            for reason in self._of_step(row, step, for_data, attempts.get(step.id, [])):
                yield Reason(
                    condition=reason["condition"],
                    sentence=f"step {step.path} {reason['sentence']}",
                    facts={"step": step.path, **reason["facts"]},
                )

    def _of_step(
        self, row: ShownWorkflow, step: ShownStep, for_data: Mapping[str, StepState], attempts: list[AttemptView]
    ) -> Iterator[Reason]:
        if for_data and step.status not in (StepState.COMPLETED, StepState.CANCELLED):
            named = listed(f"{name} ({status})" for name, status in for_data.items())
            yield reason_of("waits_for_data", f"waits for the outputs of {named}", steps=for_data)
        present = next((each for each in attempts if each["job"] == step.job), None)
        match step.status:
            case StepState.CREATED if step.deferred and row.status not in ENDED:
                if step.gate is not None:
                    yield self._of_gate(step.gate)
                elif not for_data:
                    yield from [*self._files.of_looks(step)] or [_of_expression()]
            case StepState.CREATED:
                yield reason_of("not_begun", "has not begun, and the workflow has failed; `retry` begins it")
            case StepState.FULFILLING:
                yield from self._of_unplaced(row, step, attempts, is_ready=not for_data)
            case StepState.RUNNING if step.parts is not None:
                yield from self._files.of_looks(step)
                yield _of_parts(step, step.parts, goes_on=row.status not in ENDED)
            case StepState.FULFILLED | StepState.RUNNING if present is not None:
                yield from self._of_placed(step, present)
            case StepState.FAILED:
                yield _failed(step, attempts)
            case StepState.COMPLETED if step.reason:
                yield reason_of("skipped", f"was {step.reason}", reason=step.reason)
            case StepState.COMPLETED:
                done = next((each for each in attempts if each["status"] == "completed"), None)
                yield reason_of("completed", f"was completed{_by(done)}", **_facts(done))
            case StepState.CANCELLED:
                yield reason_of("cancelled", "was cancelled with its workflow")

    def _of_gate(self, gate: int) -> Reason:
        key, parallel = self._views.gate(gate)
        of, what = ("the workflow", "jobs") if key == "/" else (key.rstrip("/"), "instances")
        said = f"waits for its turn: {of} has a limit of {parallel} {what} at a time"
        return reason_of("limit", said, limit=parallel, of=key)

    def _of_placed(self, step: ShownStep, attempt: AttemptView) -> Iterator[Reason]:
        agent, number, facts = attempt["agent"], attempt["attempt"], _facts(attempt)
        is_running = step.status == StepState.RUNNING
        is_online, seen = self._views.seen(agent)
        if not is_running and self._views.is_untaken(agent, attempt["job"]):
            yield self._of_untaken(attempt, seen, is_online=is_online)
        elif not is_online:
            since = f" since {seen}" if seen else ""
            doing = "runs" if is_running else "is kept"
            said = f"{doing} on agent {agent} (attempt {number}), which is offline{since}; its word is waited for"
            yield reason_of("agent_away", said, seen=seen, **facts)
        elif is_running:
            said = f"runs on agent {agent} since {attempt['started']} (attempt {number}{_box(attempt)})"
            yield reason_of("running", said, **facts)
        elif attempt["status"] == "pending":
            said = f"is at agent {agent} already (attempt {number}) for when its data is there"
            yield reason_of("placed_ahead", said, **facts)
        else:
            yield self._files.of_queued(step, attempt)

    def _of_untaken(self, attempt: AttemptView, seen: str | None, *, is_online: bool) -> Reason:
        """Say what is known of a job of which its agent has not said that it has heard."""
        agent, asked_s = attempt["agent"], self._us.unanswered_s(attempt["agent"])
        there = "which is online" if is_online else f"which is offline since {seen}" if seen else "which is offline"
        said = (
            f"was sent to agent {agent} at {attempt['placed']} (attempt {attempt['attempt']}), {there} and has not "
            "acknowledged it"
        )
        if asked_s > 0:
            said += f"; it was asked, and has not answered for {asked_s:.0f} s"
        return reason_of("not_acknowledged", said, online=is_online, asked_s=asked_s, **_facts(attempt))

    def _of_unplaced(
        self, row: ShownWorkflow, step: ShownStep, attempts: list[AttemptView], *, is_ready: bool
    ) -> Iterator[Reason]:
        last = attempts[-1] if attempts else None
        if step.in_doubt:
            said = f"is not run again by itself: {step.in_doubt}; `caroni-edge retry {row.id}` does it"
            yield reason_of("in_doubt", said, in_doubt=step.in_doubt, **_facts(last))
            return
        if step.retry_due is not None and step.retry_due >= HELD:
            yield reason_of("file_made_again", step.reason or "waits for a file that is nowhere any more")
            return
        if step.retry_due is not None:
            left_s = max(0.0, step.retry_due - self._us.now)
            why = _ended(last) if last else "its last agent gave it back"
            said = f"is asked for again in {left_s:.1f} s: {why}"
            yield reason_of("retry_delay", said, seconds=left_s, **_facts(last))
            return
        if last is not None:
            yield reason_of("attempt_failed", f"is tried again: {_ended(last)}", **_facts(last))
        if is_ready:
            yield from self._of_servers(step)

    def _of_servers(self, step: ShownStep) -> Iterator[Reason]:
        """Say of each kind of agent that has the job type why none has the step."""
        job_type = step.job_type
        bound: list[str] | None = msgspec.json.decode(step.agents) if step.agents else None
        labels, bound = (bound, None) if bound and are_labels(bound) else ([], bound)
        if trusted := self._us.trusted.get(job_type):
            named, bound = bound, [each for each in trusted if bound is None or each in bound]
            said = f"is given to agents alone that {self._us.manager} trusts with the job type {job_type} (agents)"
            yield reason_of("trusted", f"{said}: {listed(trusted)}", agents=[*trusted], job_type=job_type)
            if not bound:
                said = f"is bound to {listed(named or [], 'or')}, and so is given to nobody"
                yield reason_of("nobody_trusted", said, agents=named, job_type=job_type)
                return
        rows = self._views.servers(step.id, job_type, AGENTS_EXPLAINED, bound, labels)
        if labels:
            asked_for = f"agents with the labels {', '.join(labels)}"
            nobody = "" if rows else f", and none that this manager has heard of has them and the job type {job_type}"
            yield reason_of("labels", f"may be taken by {asked_for} alone{nobody}", labels=labels, job_type=job_type)
        elif bound is not None:
            yield from self._files.of_unplaced(step, bound)
            yield from self._of_bound(bound, {each.agent for each in rows}, job_type)
        elif not rows:
            said = f"waits for an agent: none that this manager has heard of has the job type {job_type}"
            yield reason_of("nobody_has_type", said, job_type=job_type)
            yield from (
                _refused(each.agent, job_type, each.reason) for each in self._views.refusing(job_type, NAMES_SAID)
            )
        away = [each.agent for each in rows if not each.online]
        asked = []
        for each in [row for row in rows if row.online]:
            why = self._refusal(each, job_type)
            if why is None:
                asked.append(each)
                continue
            yield _refused(each.agent, job_type, why)
        if away:
            said = f"is not taken by {listed(away)}: offline, with the job type {job_type}"
            yield reason_of("agents_away", said, agents=away, job_type=job_type)
        unlisted = self._files.unlisted(step, asked)
        yield from self._files.of_unlisted(unlisted, is_any=len(unlisted) < len(asked))
        yield from self._of_asked([each for each in asked if each not in unlisted], job_type)

    def _of_bound(self, bound: list[str], have_type: set[str], job_type: str) -> Iterator[Reason]:
        """Say of each agent that alone may take a step whether it is one that could."""
        yield reason_of("bound", f"may be taken by {listed(bound, 'or')} alone", agents=bound)
        for agent in [name for name in bound if name not in have_type][:NAMES_SAID]:
            _, seen = self._views.seen(agent)
            why = f"does not have the job type {job_type}" if seen else "has never been seen by this manager"
            yield reason_of("bound_elsewhere", f"waits for agent {agent}, which {why}", agent=agent, job_type=job_type)

    def _of_asked(self, asked: list[ShownServer], job_type: str) -> Iterator[Reason]:
        reconciling = [each.agent for each in asked if each.reconcile_query]
        if reconciling:
            said = f"waits: {listed(reconciling)} must first say which jobs are there, and is given nothing till then"
            yield reason_of("reconciling", said, agents=reconciling)
        least = min((each.failures for each in asked), default=0)
        failed = [each.agent for each in asked if each.failures > least]
        if failed:
            said = f"has failed {'more often ' if least else ''}on {listed(failed)}, so other agents come first"
            yield reason_of("failed_there", said, agents=failed)
        free = {each.agent: each.slots for each in asked if not each.reconcile_query}
        most = self._us.max_live_steps
        if free and most is not None and sum(self._views.count_open_jobs().values()) >= most:
            said = f"waits for its turn: {self._us.manager} has a limit of {most} steps at agents at a time"
            yield reason_of("manager_limit", f"{said} (max_live_steps)", limit=most)
        elif free:
            named = listed(f"{agent} ({slots} slots)" for agent, slots in free.items())
            said = f"waits for a place: {named} {'has' if len(free) == 1 else 'have'} the job type {job_type}"
            yield reason_of(
                "waits_for_place", f"{said}, and no place has been offered yet", slots=free, job_type=job_type
            )

    def _refusal(self, agent: ShownServer, job_type: str) -> str | None:
        refuses: dict[str, str] = msgspec.json.decode(agent.refuses)
        keys = ("*", self._us.manager, job_type)
        return next((refuses[key] for key in keys if key in refuses), None)


def _of_expression() -> Reason:
    return reason_of("waits_for_expression", "waits for an expression: its JavaScript is being worked out")


def _refused(agent: str, job_type: str, why: str) -> Reason:
    said = f"is not taken by agent {agent}, which offers nothing for {job_type}: {why}"
    return reason_of("refused", said, agent=agent, job_type=job_type, reason=why)


def _failed(step: ShownStep, attempts: list[AttemptView]) -> Reason:
    last = attempts[-1] if attempts else None
    if last is None or last["status"] != "failed":
        return reason_of("failed", f"failed: {step.reason}", **{**_facts(last), "reason": step.reason})
    number = step.tries
    said = f"failed: its {number} attempts are used up; {_ended(last)}" if number > 1 else f"failed: {_ended(last)}"
    return reason_of("attempts_used_up", said, attempts=number, **_facts(last))


def _ended(attempt: AttemptView) -> str:
    reason, code = attempt["reason"] or attempt["status"], attempt["exit_code"]
    exit_code = "" if code is None or str(code) in reason else f" (exit code {code})"
    what = "was given up" if attempt["lost"] else "failed"
    return f"attempt {attempt['attempt']} on agent {attempt['agent']} {what}{exit_code}: {reason}"


def _by(attempt: AttemptView | None) -> str:
    if attempt is None:
        return ""
    return f" by agent {attempt['agent']} at {attempt['ended']} (attempt {attempt['attempt']}{_box(attempt)})"


def _box(attempt: AttemptView) -> str:
    """Return what an attempt is locked into, as far as its agent has said it."""
    return f", box: {attempt['box']}" if attempt["box"] else ""


def _facts(attempt: AttemptView | None) -> dict[str, Any]:
    """Return the fields of an attempt that have a value, for the facts of a reason; none for no attempt."""
    return {name: value for name, value in (attempt or {}).items() if value is not None and name != "lost"}


def _of_parts(step: ShownStep, count: int, *, goes_on: bool) -> Reason:
    completed = count - step.parts_left
    begins = "goes on" if goes_on else "stands where it was when the workflow ended"
    said = f"{begins}: {completed} of its {count} parts have completed"
    return reason_of("parts", said, count=count, made=step.made, completed=completed)
