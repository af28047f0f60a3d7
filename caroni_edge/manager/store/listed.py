"""Lists of workflows that people ask for by filters, and how far each workflow has come."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from caroni_edge.manager.lifecycle import ENDED, WorkflowState
from caroni_edge.manager.store.shown import ShownWorkflow
from caroni_edge.storage.rows import NEWEST, Rows, columns
from caroni_edge.values.json import as_text

LOOK_BACK_ROWS = 1000
LOOK_BACK_BYTES = 4 << 20
"""A page looks at so many workflows, or so much of their values, that the filter leaves out; the next page goes on."""
FEW = frozenset(WorkflowState) - frozenset(ENDED)
"""States in which few workflows are (`waiting.workflows`): they are gone through rather than those of an agent."""


class WorkflowFilter(NamedTuple):
    """Which workflows are meant; None where all are.

    Attributes:
        status: Their state.
        template: Name of their template.
        agent: It was given a job of theirs.
        since: They were created at this date or later.
        text: Their inputs hold it, in a name or a value, in capitals or not.
        label: They have it, as `cruise=42`.
    """

    status: WorkflowState | None = None
    template: str | None = None
    agent: str | None = None
    since: float | None = None
    text: str | None = None
    label: str | None = None

    def fitting(self) -> Callable[[ShownWorkflow], bool]:
        """Return what tells whether a workflow is meant, of those that the agent has had, and that have the label."""
        sought = None if self.text is None else as_text(self.text)[1:-1].casefold()

        def fits(row: ShownWorkflow) -> bool:
            if self.status not in (None, row.status) or self.template not in (None, row.template):
                return False
            if self.since is not None and row.created < self.since:
                return False
            return sought is None or sought in row.inputs.casefold()

        return fits


class ListPage(NamedTuple):
    """Some workflows of a list.

    Attributes:
        rows: The workflows, newest first.
        next: The `after` of those that follow; None when there are no more.
        looked_back_to: When the last one that was looked at was created, if there are older ones to be looked at
            before it is known which follow.
    """

    rows: list[ShownWorkflow]
    next: int | None
    looked_back_to: float | None = None


class Creation(NamedTuple):
    """When a workflow was created."""

    seq: int
    created: float


class NewestOfTemplate(NamedTuple):
    """The newest workflow of a template."""

    template: str
    id: str
    status: WorkflowState
    created: float


class PlanVersion(NamedTuple):
    """A plan that workflows run by: its hash, when the first of them was started, and how many there are."""

    hash: str
    date: float
    workflows: int


class UnfinishedParts(NamedTuple):
    """How far the parts of a step of a workflow are, see `StepRow`."""

    workflow: int
    path: str
    parts: int
    parts_left: int


class FailedPath(NamedTuple):
    """A step that has failed."""

    workflow: int
    path: str


_IN_ORDER = "seq < :after AND seq >= :first ORDER BY seq DESC"
_OF_AGENT = "EXISTS (SELECT 1 FROM workflow_agents WHERE agent = :agent AND workflow = seq)"


class ListedRows(Rows):
    """Statements that read lists of workflows."""

    ALL = f"SELECT {columns(ShownWorkflow)} FROM workflows WHERE {_IN_ORDER}"
    OF_STATUS = f"SELECT {columns(ShownWorkflow)} FROM workflows WHERE status = :status AND {_IN_ORDER}"
    OF_TEMPLATE = f"SELECT {columns(ShownWorkflow)} FROM workflows WHERE template = :template AND {_IN_ORDER}"
    OF_BOTH = f"""
        SELECT {columns(ShownWorkflow)} FROM workflows WHERE template = :template AND status = :status
        AND {_IN_ORDER}"""
    OF_AGENT = f"""
        SELECT {columns(ShownWorkflow, "w")} FROM workflow_agents a CROSS JOIN workflows w ON w.seq = a.workflow
        WHERE a.agent = :agent AND a.workflow < :after AND a.workflow >= :first ORDER BY a.workflow DESC"""

    OF_STATUS_AND_AGENT = f"""
        SELECT {columns(ShownWorkflow)} FROM workflows w WHERE status = :status AND {_OF_AGENT}
        AND {_IN_ORDER}"""

    OF_LABEL = f"""
        SELECT {columns(ShownWorkflow, "w")} FROM workflow_labels l CROSS JOIN workflows w ON w.seq = l.workflow
        WHERE l.label = :label AND l.workflow < :after AND l.workflow >= :first
        AND (:agent IS NULL OR {_OF_AGENT}) ORDER BY l.workflow DESC"""

    def each(self, wanted: WorkflowFilter, after: int | None = None) -> Iterator[ShownWorkflow]:
        """Return, newest first, the workflows before `after` that may fit a filter: all that do, and maybe others."""
        status, template, agent, since, _, label = wanted
        sql = (
            self.OF_LABEL
            if label is not None
            else {
                (False, False, False): self.ALL,
                (True, False, False): self.OF_STATUS,
                (False, True, False): self.OF_TEMPLATE,
                (True, True, False): self.OF_BOTH,
                (True, False, True): self.OF_STATUS_AND_AGENT if status in FEW else self.OF_AGENT,
                (True, True, True): self.OF_STATUS_AND_AGENT if status in FEW else self.OF_AGENT,
            }.get((status is not None, template is not None, agent is not None), self.OF_AGENT)
        )
        upto, first = NEWEST if after is None else after, 0 if since is None else self._first_since(since)
        return self._each(
            ShownWorkflow, sql, status=status, template=template, agent=agent, label=label, after=upto, first=first
        )

    def page(self, wanted: WorkflowFilter, limit: int, after: int | None, look_back: int | None = None) -> ListPage:
        """Return so many workflows that fit a filter, or those that were found before too much was looked at.

        Args:
            wanted: The filter.
            limit: So many at most.
            after: Only those before this one; None for the newest.
            look_back: So many others are looked at; None for `LOOK_BACK_ROWS`.
        """
        found: list[ShownWorkflow] = []
        fits, rows_left, bytes_left = wanted.fitting(), look_back or LOOK_BACK_ROWS, LOOK_BACK_BYTES
        for row in self.each(wanted, after):
            if len(found) == limit:
                return ListPage(found, found[-1].seq)
            if fits(row):
                found.append(row)
                continue
            rows_left -= 1
            bytes_left -= len(row.inputs) + len(row.outputs or "")
            if min(rows_left, bytes_left) <= 0:
                return ListPage(found, row.seq, row.created)
        return ListPage(found, None)

    FROM = "SELECT seq, created FROM workflows WHERE seq >= :seq ORDER BY seq LIMIT 1"
    LAST = "SELECT max(seq) FROM workflows"

    def _first_since(self, date: float) -> int:
        """Return the first workflow that was created at a date or later, by halves: dates grow with the numbers.

        Where the clock was set back, those before that may be left out.
        """
        low, high = 0, (self._one(int, self.LAST) or 0) + 1
        while low < high:
            middle = (low + high) // 2
            row = self._one(Creation, self.FROM, seq=middle)
            if row is None or row.created >= date:
                high = middle
            else:
                low = row.seq + 1
        return low

    NEWEST_OF = f"""
        SELECT {columns(NewestOfTemplate, "w")} FROM json_each(:templates) t
        CROSS JOIN workflows w ON w.seq = (SELECT max(n.seq) FROM workflows n WHERE n.template = t.value)"""

    def newest_of(self, templates: Iterable[str]) -> list[NewestOfTemplate]:
        """Return the newest workflow of each of these templates, where there is one."""
        return self._all(NewestOfTemplate, self.NEWEST_OF, templates=as_text(list(templates)))

    VERSIONS = """
        SELECT p.hash, p.date, (SELECT count(*) FROM (SELECT 1 FROM workflows w WHERE w.plan = p.hash LIMIT :most))
            AS workflows
        FROM plans p WHERE p.template = :template ORDER BY p.date DESC LIMIT :limit"""

    def versions(self, template: str, limit: int, most: int) -> list[PlanVersion]:
        """Return the plans of a template that workflows run by, newest first; of each `most` workflows are counted."""
        return self._all(PlanVersion, self.VERSIONS, template=template, limit=limit, most=most)

    COUNT = "SELECT count(*) FROM (SELECT 1 FROM workflows WHERE status = :status LIMIT :limit)"
    COUNT_OF_TEMPLATE = """
        SELECT count(*) FROM (SELECT 1 FROM workflows WHERE template = :template AND status = :status LIMIT :limit)"""

    def count(self, status: WorkflowState, template: str | None, limit: int) -> int:
        """Count the workflows in a state, or those of a template, up to `limit`, by an index alone."""
        sql = self.COUNT if template is None else self.COUNT_OF_TEMPLATE
        return self._only(int, sql, status=status, template=template, limit=limit)

    PARTS = """
        SELECT s.workflow, s.path, s.parts, s.parts_left FROM json_each(:workflows) w
        CROSS JOIN steps s INDEXED BY steps_with_parts ON s.workflow = w.value
        WHERE s.parts IS NOT NULL AND s.parent = 0 AND s.status <> 'completed' LIMIT :limit"""

    def unfinished_parts(self, workflows: Iterable[int], limit: int) -> list[UnfinishedParts]:
        """Return the steps that have parts and have not completed, but for those within other steps."""
        return self._all(UnfinishedParts, self.PARTS, workflows=as_text(list(workflows)), limit=limit)

    FAILED = """
        SELECT s.workflow, s.path FROM json_each(:workflows) w
        CROSS JOIN steps s INDEXED BY steps_failed ON s.workflow = w.value WHERE s.status = 'failed' LIMIT :limit"""

    def failed(self, workflows: Iterable[int], limit: int) -> list[FailedPath]:
        """Return the steps that have failed."""
        return self._all(FailedPath, self.FAILED, workflows=as_text(list(workflows)), limit=limit)
