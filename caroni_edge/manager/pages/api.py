"""The manager's JSON API. It reads on connections of its own; what changes something runs in the node's thread."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

from litestar import Controller, MediaType, Request, Response, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.params import FromPath, FromQuery, PathParameter, RawBody
from litestar.response import Template

from caroni_edge.doctor.clock import Dates
from caroni_edge.documents.documents import nearest
from caroni_edge.manager.holding.storage import Storage
from caroni_edge.manager.jobs.logs import LOG_LIMIT_BYTES, TAIL_BYTES
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.pages.filters import read_filter
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.shapes import (
    AgentDetail,
    AgentPage,
    AttemptView,
    Deleted,
    StepPage,
    Why,
    WorkflowPage,
    WorkflowSummary,
    WorkflowView,
)
from caroni_edge.manager.pages.views import STEPS_SHOWN, ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.reactor import ManagerReactor
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.store.shown import ShownStep
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.triggers.triggers import Refused, read_trigger
from caroni_edge.protocol.schema import components
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.web.audit import UNAUDITED, AuditedCommands
from caroni_edge.web.logtext import State, log_answer
from caroni_edge.web.metrics import Metric, by
from caroni_edge.web.nodeview import NodeView
from caroni_edge.web.parameters import AfterName, AfterNumber, AttemptNumber, Limit, LogOffset, LogPart, LogSize
from caroni_edge.web.problems import Problem, on_problem
from caroni_edge.web.readers import Readers


@dataclass(frozen=True)
class ManagerApi:
    """What the handlers of a manager's routes work with.

    Attributes:
        node: The node itself.
        readers: Connections to its database.
        commands: Runs changes in the node's thread, and notes there who wanted them.
        reactor: Makes the changes; touched by no other thread, but for `settings` and `unanswered_s`.
        templates: Returns what is loaded now.
        reload_templates: Reads all templates anew.
        plans: What workflows run by.
        storage: Where files are that were uploaded here.
    """

    node: NodeView
    readers: Readers
    commands: AuditedCommands
    reactor: ManagerReactor
    templates: Callable[[], Templates]
    reload_templates: Callable[[], None]
    plans: Plans
    storage: Storage

    @contextmanager
    def look(self) -> Iterator[ManagerViews]:
        """Look at the database, at one commit."""
        with self.readers.open() as conn:
            yield ManagerViews(conn, self.plans)

    def explain(self, views: ManagerViews) -> Explainer:
        """Return an explainer of what `views` shows, which also knows what is in no row."""
        problem, settings, now = self.node.why_not_ready(), self.reactor.settings, time.monotonic()
        most, trusted, depots = settings.max_live_steps, settings.trusted, settings.depots
        return Explainer(views, ManagerNow(self.node.id, problem, now, most, self.unanswered_s, trusted, depots))

    def unanswered_s(self, agent: str) -> float:
        """Return for how many seconds an agent has owed us an answer, while we were connected."""
        return self.reactor.unanswered_s(agent, now=time.monotonic())

    def workflow(self, workflow: str, limit: int = STEPS_SHOWN) -> WorkflowView:
        """Return a workflow with its first steps, or 404."""
        with self.look() as views:
            return views.workflow(workflow, limit) or no_workflow(workflow)

    def dates(self) -> Dates:
        """Return what tells whether clocks are right."""
        with self.look() as views:
            return views.dates()

    def metrics(self) -> list[Metric]:
        """Return the metrics of a manager: how many workflows, steps, attempts and agents there are."""
        with self.look() as views:
            return [
                Metric("workflows", "Workflows by state.", by("status", views.count_workflows())),
                Metric("steps_wanted", "Steps that no agent has taken.", by("job_type", views.count_unplaced())),
                Metric("jobs_open", "Attempts not ended, by state.", by("status", views.count_open_jobs())),
                Metric("agents", "Agents that have been seen.", by("state", views.count_agents())),
                Metric(
                    "notifications_waiting",
                    "Notifications that their targets have not taken yet.",
                    by(
                        "target",
                        {
                            each["to"]: each["waiting"]
                            for each in views.automation.notify(self.reactor.settings)["notify"]
                        },
                    ),
                ),
                Metric(
                    "schedule_slots_missed",
                    "Slots of schedules that have started nothing.",
                    by("schedule", views.automation.missed()),
                ),
                Metric(
                    "trigger_messages",
                    "Messages that triggers looked at, by what they did with them.",
                    [({"trigger": each.rule, "what": each.what}, each.times) for each in views.automation.counted()],
                ),
            ]


class Asked(NamedTuple):
    """What is asked of a log: from where on, or which part, and how much at most."""

    offset: int
    part: Literal["end", "whole"] | None
    size: int | None = None


class _TriggerSchema(Schema):
    """The schema of a trigger, as it is published for MQTT."""

    def to_schema(self) -> dict[str, Any]:
        return components("{name}")[Trigger.__name__]


@dataclass
class _StartOperation(Operation):
    """Says what the body of a `POST /api/workflows` is: the handler reads it as triggers over MQTT are read."""

    def __post_init__(self) -> None:
        body = OpenAPIMediaType(schema=_TriggerSchema())
        self.request_body = RequestBody(content={"application/json": body}, required=True)


def on_refused(request: Request[Any, Any, Any], refused: Refused) -> Response[Any] | Template:
    """Answer that a command was refused, and why."""
    return on_problem(request, Problem(refused.status, refused.reason, refused.field))


class WorkflowsController(Controller):
    """Workflows: what there are, how they stand, and what people may do with them."""

    path = "/api/workflows"
    tags = ("workflows",)
    exception_handlers = {Refused: on_refused}  # noqa: RUF012 - so Litestar wants it
    dependencies = {"wanted": Provide(read_filter, sync_to_thread=False)}  # noqa: RUF012

    @get(sync_to_thread=True)
    def list_workflows(
        self,
        manager: NamedDependency[ManagerApi],
        wanted: NamedDependency[WorkflowFilter],
        limit: Limit = 100,
        after: AfterNumber = None,
    ) -> WorkflowPage:
        """List the workflows, newest first, without their steps."""
        with manager.look() as views:
            return views.workflows(wanted, limit, after)

    # A program may start any number, and each has a row of its own: what people do must not drown in them.
    @post(sync_to_thread=True, operation_class=_StartOperation, opt={UNAUDITED: True})
    def start_workflow(self, manager: NamedDependency[ManagerApi], body: RawBody) -> Response[WorkflowSummary]:
        """Start a workflow: 201 when it is new, 200 when its id is known with the same template and inputs."""
        trigger = read_trigger("POST /api/workflows", body)
        workflow, is_new = manager.commands.call(lambda at: manager.reactor.start_workflow(trigger, at))
        with manager.look() as views:
            summary = views.summary(workflow) or no_workflow(workflow)
        where = {"Location": f"/api/workflows/{workflow}"}
        return Response(summary, status_code=201 if is_new else 200, headers=where)

    @get("/{workflow:str}", sync_to_thread=True)
    def show_workflow(
        self, manager: NamedDependency[ManagerApi], workflow: FromPath[str], limit: Limit = STEPS_SHOWN
    ) -> WorkflowView:
        """Show a workflow with its first 1,000 steps by name."""
        return manager.workflow(workflow, limit)

    @delete("/{workflow:str}", status_code=200, sync_to_thread=True)
    def delete_workflow(self, manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Deleted:
        """Delete a workflow that has ended, with its steps, attempts and logs."""
        manager.commands.call(lambda at: manager.reactor.delete(workflow, at))
        return Deleted(id=workflow, deleted=True)

    @post("/{workflow:str}/cancel", status_code=200, sync_to_thread=True)
    def cancel(self, manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> WorkflowView:
        """End a workflow: waiting steps never start, running jobs are killed."""
        manager.commands.call(lambda at: manager.reactor.cancel(workflow, at))
        return manager.workflow(workflow)

    @post("/{workflow:str}/retry", status_code=200, sync_to_thread=True)
    def retry(self, manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> WorkflowView:
        """Give the failed steps, and those in doubt, of a workflow fresh attempts."""
        manager.commands.call(lambda at: manager.reactor.retry(workflow, at))
        return manager.workflow(workflow)

    @get("/{workflow:str}/why", sync_to_thread=True)
    def why(self, manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Why:
        """Say why a workflow is where it is."""
        with manager.look() as views:
            return manager.explain(views).workflow(views.workflow_row(workflow) or no_workflow(workflow))

    @get("/{workflow:str}/steps", sync_to_thread=True)
    def list_steps(
        self,
        manager: NamedDependency[ManagerApi],
        workflow: FromPath[str],
        status: FromQuery[StepState | None] = None,
        limit: Limit = 100,
        after: AfterName = "",
    ) -> StepPage:
        """List the steps of a workflow, by name."""
        with manager.look() as views:
            return views.steps(views.workflow_row(workflow) or no_workflow(workflow), status, limit, after)

    @get("/{workflow:str}/steps/{step:path}", sync_to_thread=True)
    def look_at_step(
        self,
        manager: NamedDependency[ManagerApi],
        workflow: FromPath[str],
        step: Annotated[str, PathParameter(description="Path of the step, as `outer/inner[3]`, then /why or /log.")],
        attempt: AttemptNumber = None,
        offset: LogOffset = 0,
        part: LogPart = None,
        size: LogSize = None,
    ) -> Response[Any]:
        """Say why a step is where it is (`…/why`), or what has arrived of its log (`…/log`).

        Of a log more is asked of the agent. The header `Caroni-Log` says whether this is all: `complete`, `coming` or
        `agent-away`; `Caroni-Log-Offset` and `Caroni-Log-Next` say where it begins and ends, `Caroni-Log-Begun: no`
        that its job has not begun.
        """
        path, _, what = step.strip("/").rpartition("/")
        if what not in ("why", "log") or not path:
            raise Problem(404, f"of a step there is {step}/why and {step}/log")
        with manager.look() as views:
            row = views.workflow_row(workflow) or no_workflow(workflow)
            step_row = views.step_row(row, path) or no_step(workflow, path, views.plan(row).routes)
            if what == "why":
                return Response(manager.explain(views).step(row, step_row), media_type=MediaType.JSON)
            if not step_row.job_type:
                raise Problem(404, f"the step {path} runs no job of its own, so it has no log: its parts have")
            attempts = views.attempts([step_row.id]).get(step_row.id, [])
            return read_log(
                manager, views, step_row, choose(step_row.job, attempts, attempt), Asked(offset, part, size)
            )


def read_log(
    manager: ManagerApi, views: ManagerViews, step: ShownStep, attempt: AttemptView | None, asked: Asked
) -> Response[str]:
    """Return what has arrived of the log of an attempt, and ask its agent for more."""
    answer = partial(log_answer, most=asked.size, is_end=asked.part == "end")
    if attempt is None:
        over = step.status in (StepState.COMPLETED, StepState.FAILED, StepState.CANCELLED)
        return answer(b"", 0, "complete" if over else "coming", has_begun=over)
    job = attempt["job"]
    has_begun = attempt["status"] not in ("pending", "queued")  # before that there is nothing to ask for
    state: State = "coming" if views.seen(attempt["agent"])[0] else "agent-away"
    size, is_all = views.log_end(job)
    if asked.part == "end":
        begin = max(0, size - TAIL_BYTES)
        if is_all or not has_begun:
            data = views.log(job, begin)[0]
            return answer(data, begin, "complete" if is_all else state, has_begun=is_all or has_begun)
        tail, is_waiting = manager.commands.call(lambda _at: manager.reactor.request_log_tail(job))
        if tail is not None and tail.is_whole:
            return answer(tail.data, tail.offset, "complete" if tail.is_end else state)
        return answer(views.log(job, begin)[0], begin, state, is_waiting=is_waiting)
    data, is_end = views.log(job, asked.offset)
    is_cut = not is_all and size >= LOG_LIMIT_BYTES and asked.part is None and asked.offset + len(data) >= size
    if is_end or is_cut:
        return answer(data, asked.offset, "complete", is_cut=is_cut)
    if has_begun and not is_all:
        manager.commands.call(lambda _at: manager.reactor.request_log(job, whole=asked.part == "whole"))
    return answer(data, asked.offset, state, has_begun=has_begun)


@get("/api/agents", tags=["agents"], sync_to_thread=True)
def list_agents(
    manager: NamedDependency[ManagerApi],
    job_type: FromQuery[str | None] = None,
    limit: Limit = 100,
    after: AfterName = "",
) -> AgentPage:
    """List the agents that this manager has heard of, or those that have a job type, by id."""
    with manager.look() as views:
        return views.roster.page(limit, after, job_type)


@get("/api/agents/{agent:str}", tags=["agents"], sync_to_thread=True)
def show_agent(manager: NamedDependency[ManagerApi], agent: FromPath[str]) -> AgentDetail:
    """Show an agent that this manager has heard of."""
    with manager.look() as views:
        found = views.roster.agent(agent)
        known = [] if found else [each["id"] for each in views.roster.page(1000, "")["agents"]]
    if found is None:
        raise Problem(404, f"this manager has not heard of an agent {agent}{nearest(agent, known)}")
    return found


ROUTES = (WorkflowsController, list_agents, show_agent)


def no_workflow(workflow: str) -> NoReturn:
    """Say that there is no such workflow.

    Raises:
        Problem: 404.
    """
    raise Problem(404, f"there is no workflow {workflow}")


def no_step(workflow: str, step: str, known: Iterable[str]) -> NoReturn:
    """Say that a workflow has no such step, and which of those that its plan knows may be meant.

    Raises:
        Problem: 404.
    """
    raise Problem(404, f"the workflow {workflow} has no step {step}{nearest(step, known)}")


def choose(present: str | None, attempts: list[AttemptView], number: int | None) -> AttemptView | None:
    """Return the attempt with this number; without one that which completed, else the present, else the last."""
    if number is not None:
        found = [each for each in attempts if each["attempt"] == number]
        if not found:
            raise Problem(404, f"the step has no attempt {number}", "attempt")
        return found[-1]
    for preferred in ("completed", present):
        for each in attempts:
            if preferred in (each["status"], each["job"]):
                return each
    return attempts[-1] if attempts else None
