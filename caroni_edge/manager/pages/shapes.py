"""What the answers of the manager's API look like; times are RFC 3339, UTC."""

from typing import Any, TypedDict

from caroni_edge.manager.lifecycle import StepState, WorkflowState


class AttemptView(TypedDict):
    """One attempt of a step.

    Attributes:
        lost: Its agent is silent, and another attempt was made.
        box: What it was locked into: `shared`, `each` or `none`, and why where that is less than was asked for; null
            where its agent has not said it.
    """

    attempt: int
    job: str
    agent: str
    status: str
    exit_code: int | None
    reason: str | None
    stderr: str | None
    lost: bool
    placed: str
    started: str | None
    ended: str | None
    box: str | None


class PartsView(TypedDict):
    """How far the parts of a step are: instances of a scatter, or steps of a nested workflow.

    Attributes:
        count: How many there are in all.
        made: How many have begun to exist; the others follow as agents take these.
        completed: How many have completed.
    """

    count: int
    made: int
    completed: int


class StepView(TypedDict):
    """A step of a workflow.

    Attributes:
        job_type: What an agent runs for it; None where the step has parts instead.
        parts: How far its parts are, once it has begun; None where it has none.
        agents: The only agents that may take it, or labels as `site=north`, all of which one must have; None: any may.
        agent: The agent that has it, or whose attempt has decided its state.
        waiting_for: The steps whose outputs it has not got yet.
        reason: Why it has failed, is in doubt, or was skipped.
    """

    status: StepState
    job_type: str | None
    parts: PartsView | None
    agents: list[str] | None
    agent: str | None
    outputs: dict[str, Any] | None
    waiting_for: list[str]
    reason: str | None
    attempts: list[AttemptView]


class PartsProgress(TypedDict):
    """How far a step is that has parts: instances of a scatter, or steps of a nested workflow."""

    step: str
    count: int
    completed: int
    failed: int


class Progress(TypedDict):
    """How far a workflow is.

    Attributes:
        steps: How many steps it has, without those within other steps.
        completed: How many of these have completed.
        failed: In how many of these something has failed.
        parts: The first of these that have parts and have not completed.
        sentence: The same for people, as in `1/3 steps; sample 120/200, 1 failed`.
    """

    steps: int
    completed: int
    failed: int
    parts: list[PartsProgress]
    sentence: str


class WorkflowSummary(TypedDict):
    """A workflow without its steps.

    Attributes:
        started: When its steps were made; None if they never were.
        duration_s: From its start to its end; None while it goes on.
        progress: How far it is.
        inputs: With the defaults of its template.
        labels: What it is about.
        reason: Why it failed or is stalled.
    """

    id: str
    template: str
    status: WorkflowState
    priority: int
    created: str
    started: str | None
    ended: str | None
    duration_s: float | None
    progress: Progress
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    labels: dict[str, str]
    reason: str | None


class WorkflowView(WorkflowSummary):
    """A workflow with its first steps by name; `steps_next`, if there are more, is the `after` of the next ones."""

    steps: dict[str, StepView]
    steps_next: str | None


class WorkflowPage(TypedDict):
    """Workflows, newest first.

    Attributes:
        next: The `after` of the next page; None when there are no more.
        looked_back_to: There may be more on this page: it was filled by workflows created after this date, since only
            so many are looked at for one; `next` goes on. None if the page is full, or the last one.
    """

    workflows: list[WorkflowSummary]
    next: str | None
    looked_back_to: str | None


class Deleted(TypedDict):
    """That a workflow was deleted."""

    id: str
    deleted: bool


class BulkView(TypedDict):
    """What is done to many workflows, or could be.

    Attributes:
        action: What.
        count: To how many workflows it can be done that fit; 10001 for more than 10000.
        more: They are more than 10000.
        begun: It is being done, a few at a time; otherwise they were counted alone.
    """

    action: str
    count: int
    more: bool
    begun: bool


class StepPage(TypedDict):
    """Steps by name; `next` is the `after` of the next page."""

    steps: dict[str, StepView]
    next: str | None


class AgentTypeView(TypedDict):
    """A job type of an agent; `serves`: it would take such a job of this manager now. Of its secrets: the names."""

    serves: bool
    repeat: bool
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    secrets: list[str]


class AgentView(TypedDict):
    """An agent as this manager sees it.

    Attributes:
        backlog: So many ready jobs it keeps beside those that run.
        pending: So many jobs it keeps ahead of their data.
        open_jobs: How many jobs it has of this manager.
        messages_waiting: How many messages it has not acknowledged yet.
        is_asked: It was asked which jobs it has, and is given none until it has answered.
        refuses: Why it offers nothing, by job type or manager, `*` for all.
        labels: What it says that it is.
        depot: Whether its owner lets it keep files of others: `open`, or `full: ` and why; empty where it may not.
    """

    id: str
    online: bool
    host: str
    version: str
    slots: int
    backlog: int
    pending: int
    open_jobs: int
    messages_waiting: int
    is_asked: bool
    seen: str | None
    refuses: dict[str, str]
    labels: dict[str, str]
    depot: str
    job_types: dict[str, AgentTypeView]


class AgentDetail(AgentView):
    """One agent.

    Attributes:
        files_only_here: How many large files of workflows lie there alone, up to 10,000: none, and its host may be
            switched off without anybody missing one.
    """

    files_only_here: int


class AgentJobView(TypedDict):
    """A job of this manager that an agent has."""

    workflow: str
    step: str
    attempt: int
    job: str
    job_type: str
    status: str
    placed: str
    started: str | None


class AgentJobPage(TypedDict):
    """Jobs of an agent by their names; `next` is the `after` of the next page."""

    jobs: list[AgentJobView]
    next: str | None


class AgentPage(TypedDict):
    """Agents by id; `next` is the `after` of the next page."""

    agents: list[AgentView]
    next: str | None


class Reason(TypedDict):
    """One condition that makes a workflow or a step be where it is.

    Attributes:
        condition: A name for programs.
        sentence: The same for people.
        facts: What the sentence is made of, and more.
    """

    condition: str
    sentence: str
    facts: dict[str, Any]


class Why(TypedDict):
    """Why a workflow, or one of its steps, is where it is."""

    workflow: str
    step: str | None
    status: str
    why: list[Reason]
