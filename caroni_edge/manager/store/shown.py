"""What pages show of workflows, steps and agents: read on connections of their own, which never hold up the writer."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.store.unplaced import HAS_ALL
from caroni_edge.storage.rows import NEWEST, Page, Rows, columns
from caroni_edge.values.json import as_text


class ShownWorkflow(NamedTuple):
    """A workflow; `inputs`, `outputs` and `labels` are JSON.

    Attributes:
        steps_left: How many of its steps, without those within other steps, have not completed.
        started: When its steps were made; None if they never were, 0 if that was at its creation.
    """

    seq: int
    id: str
    template: str
    plan: str
    status: WorkflowState
    priority: int
    inputs: str
    outputs: str | None
    reason: str | None
    steps_left: int
    created: float
    started: float | None
    ended: float | None
    labels: str


class WorkflowTimesRow(NamedTuple):
    """When a workflow was made, and when it ended."""

    template: str
    created: float
    ended: float


class ShownStep(NamedTuple):
    """A step, see `StepRow`; `retry_due` and `in_doubt`: until when, or why, agents are not asked for it."""

    id: int
    path: str
    name: str
    job_type: str
    status: StepState
    deps_left: int
    outputs: str | None
    job: str | None
    tries: int
    retry_due: float | None
    in_doubt: str | None
    reason: str | None
    deferred: bool
    parts: int | None
    made: int
    parts_left: int
    agents: str | None
    gate: int | None
    scatter_index: int | None


class StepStatus(NamedTuple):
    """A step by its path, and its state."""

    path: str
    status: StepState


class ShownOutputs(NamedTuple):
    """The outputs of a step as JSON, None where they are too large, and how large they are."""

    path: str
    outputs: str | None
    size: int


class ShownAttempt(NamedTuple):
    """An attempt of a step."""

    step: int
    job: str
    attempt: int
    agent: str
    status: str
    lost: bool
    exit_code: int | None
    reason: str | None
    stderr: str | None
    placed: float
    started: float | None
    ended: float | None
    box: str | None


class ShownPresence(NamedTuple):
    """Whether an agent is connected, as far as we have heard, and when it was heard of last (0: never)."""

    online: bool
    seen: float


class ShownServer(NamedTuple):
    """An agent that has the job type of a step.

    Attributes:
        refuses: Why it offers nothing, as JSON.
        reconcile_query: Id of the query that it has not answered yet.
        failures: How often the step has failed on it.
        hosts: Which hosts it fetches files from, as a JSON list; None where it does not say.
    """

    agent: str
    online: bool
    refuses: str
    slots: int
    reconcile_query: str | None
    failures: int
    hosts: str | None


class ShownRefusal(NamedTuple):
    """An agent that does not offer a job type, and why."""

    agent: str
    reason: str


_STEP = columns(ShownStep, deps_left="missing", deferred="late", scatter_index="nth")
_STEP_OF_S = columns(ShownStep, "s", deps_left="missing", deferred="late", scatter_index="nth")


class EarlyStart(NamedTuple):
    """How long before its placing a job began, by the clock of an agent; less than 0 where the clocks agree."""

    agent: str
    early_s: float


class ShownWorkflowRows(Rows):
    """Statements that read workflows for people; lists of them: `listed.py`."""

    BY_ID = f"SELECT {columns(ShownWorkflow)} FROM workflows WHERE id = :workflow"

    def by_id(self, workflow: str) -> ShownWorkflow | None:
        """Return a workflow."""
        return self._one(ShownWorkflow, self.BY_ID, workflow=workflow)

    # No character of an id comes after `z`.
    IDS_FROM = "SELECT id FROM workflows WHERE id >= :begin AND id < :begin || '{' ORDER BY id LIMIT :limit"

    def ids_from(self, begin: str, limit: int) -> list[str]:
        """Return the ids of workflows that begin so, by name."""
        return self._all(str, self.IDS_FROM, begin=begin, limit=limit)

    NEWEST_IDS = "SELECT id FROM workflows WHERE seq < :after ORDER BY seq DESC LIMIT :limit"

    def newest_ids(self, limit: int) -> list[str]:
        """Return the ids of the newest workflows."""
        return self._all(str, self.NEWEST_IDS, after=NEWEST, limit=limit)

    LATEST = """
        SELECT coalesce(max(created), 0.0) FROM workflows WHERE seq > (SELECT max(seq) FROM workflows) - 100"""

    def latest(self) -> float:
        """Return the latest date of the last workflows; 0 for none."""
        return self._only(float, self.LATEST)

    ENDED_SINCE = f"""
        SELECT {columns(WorkflowTimesRow)} FROM workflows WHERE ended > :after ORDER BY ended LIMIT :limit"""

    def ended_since(self, date: float, limit: int) -> Iterator[WorkflowTimesRow]:
        """Yield the workflows that have ended after a date, in that order."""
        return self._each(WorkflowTimesRow, self.ENDED_SINCE, after=date, limit=limit)

    LAST_ENDED = "SELECT coalesce((SELECT max(ended) FROM workflows WHERE ended NOT NULL), 0.0)"

    def last_ended(self) -> float:
        """Return when the last one has ended; 0 for none."""
        return self._only(float, self.LAST_ENDED)


class ShownStepRows(Rows):
    """Statements that read steps and their attempts for people."""

    ALL = f"SELECT {_STEP} FROM steps WHERE workflow = :workflow AND path > :after ORDER BY path LIMIT :limit"
    COMPLETED = f"""
        SELECT {_STEP} FROM steps WHERE workflow = :workflow AND path > :after AND status = 'completed'
        ORDER BY path LIMIT :limit"""
    NOT_COMPLETED = f"""
        SELECT {_STEP} FROM steps INDEXED BY steps_not_completed WHERE workflow = :workflow AND path > :after
        AND status <> 'completed' AND status = :status ORDER BY path LIMIT :limit"""

    def page(self, workflow: int, status: StepState | None, limit: int, after: str) -> Page[ShownStep]:
        """Return a page of the steps of a workflow, or of those in a state, by path."""
        if status is StepState.COMPLETED:
            return self._page(ShownStep, self.COMPLETED, "path", limit, workflow=workflow, after=after)
        sql = self.ALL if status is None else self.NOT_COMPLETED
        return self._page(ShownStep, sql, "path", limit, workflow=workflow, status=status, after=after)

    BY_PATH = f"SELECT {_STEP} FROM steps WHERE workflow = :workflow AND path = :path"

    def by_path(self, workflow: int, path: str) -> ShownStep | None:
        """Return a step of a workflow."""
        return self._one(ShownStep, self.BY_PATH, workflow=workflow, path=path)

    BY_PATHS = f"""
        SELECT {_STEP_OF_S} FROM json_each(:paths) p
        CROSS JOIN steps s ON s.workflow = :workflow AND s.path = p.value"""

    def by_paths(self, workflow: int, paths: Iterable[str]) -> list[ShownStep]:
        """Return those steps of a workflow that are there."""
        return self._all(ShownStep, self.BY_PATHS, workflow=workflow, paths=as_text(list(paths)))

    OUTPUTS = """
        SELECT s.path, iif(length(s.outputs) <= :most, s.outputs, NULL) AS outputs, length(s.outputs) AS size
        FROM json_each(:paths) p CROSS JOIN steps s ON s.workflow = :workflow AND s.path = p.value
        WHERE s.outputs IS NOT NULL"""

    def outputs(self, workflow: int, paths: Iterable[str], most: int) -> list[ShownOutputs]:
        """Return the outputs of steps of a workflow; those larger than `most` by their size alone."""
        return self._all(ShownOutputs, self.OUTPUTS, workflow=workflow, paths=as_text(list(paths)), most=most)

    FAILED_PATHS = """
        SELECT f.path FROM steps s CROSS JOIN steps f INDEXED BY steps_failed
        ON f.workflow = s.workflow AND f.status = 'failed' AND substr(f.path, 1, length(s.path) + 1) = s.path || '['
        WHERE s.id = :step LIMIT :limit"""

    def failed_paths(self, step: int, limit: int) -> list[str]:
        """Return what has failed of the instances of a step, they themselves or what is in them."""
        return self._all(str, self.FAILED_PATHS, step=step, limit=limit)

    INSTANCES = f"""
        SELECT {_STEP} FROM steps WHERE parent = :parent AND nth IS NOT NULL AND nth > :after
        ORDER BY nth LIMIT :limit"""

    def instances(self, parent: int, limit: int, after: int) -> Page[ShownStep]:
        """Return a page of the instances of a scattered step, in their order."""
        return self._page(ShownStep, self.INSTANCES, "scatter_index", limit, parent=parent, after=after)

    STATUSES = """
        SELECT s.path, s.status FROM json_each(:paths) p
        CROSS JOIN steps s ON s.workflow = :workflow AND s.path = p.value"""

    def statuses(self, workflow: int, paths: Iterable[str]) -> list[StepStatus]:
        """Return the states of those steps of a workflow that are there."""
        return self._all(StepStatus, self.STATUSES, workflow=workflow, paths=as_text(sorted(paths)))

    # Failed, in doubt, how far the parts of a step are, ready and not taken, taken and not begun, running, at a gate,
    # waiting for data; last how far parts of parts are.
    THAT_TELL = f"""
        SELECT {_STEP} FROM steps INDEXED BY steps_not_completed
        WHERE workflow = :workflow AND status <> 'completed' AND status IN (SELECT value FROM json_each(:statuses))
        ORDER BY CASE WHEN status = 'failed' THEN 0 WHEN in_doubt IS NOT NULL THEN 1
        WHEN parts IS NOT NULL THEN CASE parent WHEN 0 THEN 2 ELSE 8 END
        WHEN status = 'running' THEN 5 WHEN missing > 0 THEN 7 WHEN gate IS NOT NULL THEN 6
        WHEN status = 'fulfilling' THEN 3 ELSE 4 END, id LIMIT :limit"""

    def that_tell(self, workflow: int, statuses: Iterable[StepState], limit: int) -> list[ShownStep]:
        """Return steps of a workflow in these states, but completed ones, those first that tell most about it."""
        named = as_text(sorted(statuses))
        return self._all(ShownStep, self.THAT_TELL, workflow=workflow, statuses=named, limit=limit)

    ATTEMPTS = f"""
        SELECT {columns(ShownAttempt, "j")} FROM json_each(:steps) i CROSS JOIN jobs j ON j.step = i.value
        ORDER BY j.step, j.attempt"""

    def attempts(self, steps: Iterable[int]) -> list[ShownAttempt]:
        """Return the attempts of steps, step by step, in their order."""
        return self._all(ShownAttempt, self.ATTEMPTS, steps=as_text(list(steps)))


class ShownAgentRows(Rows):
    """Statements that read agents for people."""

    # A random name of 16 characters is in no message but in those about it.
    UNTAKEN = "SELECT 1 FROM outbox WHERE peer = :agent AND instr(body, CAST(:job AS BLOB)) LIMIT 1"

    def is_untaken(self, agent: str, job: str) -> bool:
        """Tell whether a message about a job has not been acknowledged by its agent."""
        return self._one(int, self.UNTAKEN, agent=agent, job=job) is not None

    STAGING = "SELECT staging FROM agents WHERE agent = :agent"

    def staging(self, agent: str) -> str:
        """Return what files wait for that are to come to an agent, in its words; empty where it says nothing."""
        return self._one(str, self.STAGING, agent=agent) or ""

    PRESENCE = "SELECT online, seen FROM agents WHERE agent = :agent"

    def presence(self, agent: str) -> ShownPresence:
        """Return what has been heard of an agent."""
        return self._one(ShownPresence, self.PRESENCE, agent=agent) or ShownPresence(online=False, seen=0.0)

    SERVERS = f"""
        SELECT a.agent, a.online, a.refuses, a.slots, a.wanted AS reconcile_query,
            (SELECT count(*) FROM jobs j
            WHERE j.step = :step AND j.agent = a.agent AND j.status = 'failed') AS failures, a.hosts
        FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent WHERE t.job_type = :job_type
        AND (:among IS NULL OR a.agent IN (SELECT value FROM json_each(:among)))
        AND {HAS_ALL.format(who=":labels", labels="a.labels")} LIMIT :limit"""

    def servers(
        self, step: int, job_type: str, limit: int, among: list[str] | None = None, labels: Sequence[str] = ()
    ) -> list[ShownServer]:
        """Return the agents (`among`: of these) that have a job type and labels, and how often a step failed there."""
        named, asked = None if among is None else as_text(among), as_text([*labels])
        return self._all(
            ShownServer, self.SERVERS, step=step, job_type=job_type, among=named, labels=asked, limit=limit
        )

    REFUSING = """
        SELECT a.agent, r.value AS reason FROM agents a CROSS JOIN json_each(a.refuses) r
        WHERE a.agent > '' AND a.online AND r.key = :job_type LIMIT :limit"""

    def refusing(self, job_type: str, limit: int) -> list[ShownRefusal]:
        """Return the agents that are there and say why they do not offer a job type, whether they have it or not."""
        return self._all(ShownRefusal, self.REFUSING, job_type=job_type, limit=limit)

    EARLY_STARTS = """
        SELECT agent, max(placed - started) AS early_s
        FROM (SELECT agent, placed, started FROM jobs WHERE started IS NOT NULL LIMIT 1000) GROUP BY agent"""

    def early_starts(self) -> list[EarlyStart]:
        """Return, by agent, the earliest start of a job of those that are looked at."""
        return self._all(EarlyStart, self.EARLY_STARTS)
