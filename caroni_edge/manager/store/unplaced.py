"""Unplaced steps: agents are asked for them, and none has one yet; who may take which, and what nobody serves.

A step is unplaced while it is `fulfilling`. It is in the demand as soon as nothing holds it back: neither the delay
after an attempt that has failed (`retry_due`) nor that somebody must say so first (`in_doubt`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from caroni_edge.manager.store.steps import STEP, StepRow
from caroni_edge.storage.rows import Rows
from caroni_edge.values.json import as_text

IN_DEMAND = "s.status = 'fulfilling' AND s.retry_due IS NULL AND s.in_doubt IS NULL"
"""Of a step `s`: it is unplaced, and nothing holds it back."""

BY_LABELS = "instr({who}, '=')"
"""Of what says who may take a step (a JSON list): it is labels, all of which an agent must have, and not names."""
HAS_ALL = """
    NOT EXISTS (SELECT 1 FROM json_each({who}) w WHERE w.value NOT IN (SELECT h.value FROM json_each({labels}) h))"""

_DEMANDED = f"{IN_DEMAND} AND s.job_type = :job_type"
_FREE = f"{_DEMANDED} AND s.agents IS NULL"
_BOUND = f"{_DEMANDED} AND s.agents IS NOT NULL"
_FREE_STEPS = f"""
    SELECT {STEP}, w.id AS workflow FROM steps s CROSS JOIN workflows w ON w.seq = s.workflow
    WHERE {_FREE} AND (s.missing > 0) = :waiting"""
_FAILED_HERE = "EXISTS (SELECT 1 FROM jobs j WHERE j.step = s.id AND j.agent = :agent AND j.status = 'failed')"
_FAILURES = "(SELECT count(*) FROM jobs j WHERE j.step = s.id AND j.agent = {agent} AND j.status = 'failed')"
_FAILED_LESS_THERE = f"{_FAILURES.format(agent='t.agent')} < {_FAILURES.format(agent=':agent')}"
_OTHER_AGENT = f"""
    EXISTS (SELECT 1 FROM agent_types t WHERE t.job_type = s.job_type AND t.online AND {_FAILED_LESS_THERE})"""
_OTHER_BOUND = f"""
    (EXISTS (SELECT 1 FROM bound o CROSS JOIN agent_types t ON t.job_type = s.job_type AND t.agent = o.agent
    WHERE o.step = s.id AND t.online AND {_FAILED_LESS_THERE}) OR {BY_LABELS.format(who="s.agents")} AND
    EXISTS (SELECT 1 FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent WHERE t.job_type = s.job_type
    AND t.online AND {HAS_ALL.format(who="s.agents", labels="a.labels")} AND {_FAILED_LESS_THERE}))"""
_BEST_FIRST = "ORDER BY s.priority DESC, s.id LIMIT :limit"


def _served(row: str) -> str:
    """Return the condition that somebody is online who may take what a row names, and serves its job type."""
    return f"""
        (EXISTS (SELECT 1 FROM json_each({row}.agents) o CROSS JOIN agent_types t
        ON t.job_type = {row}.job_type AND t.agent = o.value WHERE t.online) OR {BY_LABELS.format(who=f"{row}.agents")}
        AND EXISTS (SELECT 1 FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent WHERE
        t.job_type = {row}.job_type AND t.online AND {HAS_ALL.format(who=f"{row}.agents", labels="a.labels")}))"""


NAMES_MAX = 10_000
"""By so many names and lists of labels steps may be bound to agents at a time."""


class UnplacedStep(NamedTuple):
    """An unplaced step, and the name of its workflow."""

    step: StepRow
    workflow: str


class UnplacedCount(NamedTuple):
    """How many steps of a job type are unplaced."""

    job_type: str
    steps: int


class BoundCount(NamedTuple):
    """How many steps only these agents (a JSON list) may take: how many are ready, how many wait for data."""

    agents: str
    ready: int
    waiting: int


class Unserved(NamedTuple):
    """A job type that none of the agents (a JSON list) serves which may take its steps."""

    job_type: str
    agents: str


class UnplacedRows(Rows):
    """Statements about unplaced steps. Those that few may take are kept apart from the others."""

    NEW_HERE = f"{_FREE_STEPS} AND NOT (s.attempt > 0 AND {_FAILED_HERE}) {_BEST_FIRST}"
    AGAIN_HERE = f"""
        {_FREE_STEPS} AND s.attempt > 0 AND {_FAILED_HERE} AND NOT (:others_first AND {_OTHER_AGENT}) {_BEST_FIRST}"""
    BOUND_HERE = f"""
        SELECT {STEP}, w.id AS workflow FROM json_each(:names) n CROSS JOIN bound b ON b.agent = n.value
        CROSS JOIN steps s ON s.id = b.step CROSS JOIN workflows w ON w.seq = s.workflow
        WHERE {_BOUND} AND (s.missing > 0) = :waiting
        AND NOT (:others_first AND {_OTHER_BOUND})
        AND NOT EXISTS (SELECT 1 FROM json_each(:holders) h CROSS JOIN bound o ON o.agent = h.value AND o.step = s.id)
        {_BEST_FIRST}"""

    def steps(
        self,
        job_type: str,
        *,
        waiting: bool,
        agent: str,
        limit: int,
        holders: Sequence[str] = (),
        others_first: bool = True,
    ) -> list[UnplacedStep]:
        """Return the best steps that this agent may take: those that have not failed on it first.

        A step that has failed on it is only named when no other agent is there on which it has failed less often, or
        not even then (`others_first`); one that any of the `holders` may take is not named.
        """
        if limit <= 0:
            return []
        bound: list[UnplacedStep] = []
        if self._has_bound(job_type):
            bound = self._all(
                UnplacedStep,
                self.BOUND_HERE,
                job_type=job_type,
                waiting=waiting,
                agent=agent,
                names=as_text(self.names_of([agent])),
                limit=limit,
                holders=as_text(self.names_of(holders) if holders else []),
                others_first=others_first,
            )
        if holders:
            return bound
        free = self._all(UnplacedStep, self.NEW_HERE, job_type=job_type, waiting=waiting, agent=agent, limit=limit)
        if (left := limit - len(free)) > 0:
            free += self._all(
                UnplacedStep,
                self.AGAIN_HERE,
                job_type=job_type,
                waiting=waiting,
                agent=agent,
                limit=left,
                others_first=others_first,
            )
        return sorted([*bound, *free], key=lambda each: -each.step.priority)[:limit] if bound else free

    HAS_BOUND = f"SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_bound WHERE {_BOUND})"

    def _has_bound(self, job_type: str) -> bool:
        """Tell whether any step of a job type is in the demand that few agents may take."""
        return self._only(bool, self.HAS_BOUND, job_type=job_type)

    IS_DEMANDED = f"""
        SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_wanted WHERE {_FREE})
        OR EXISTS (SELECT 1 FROM steps s INDEXED BY steps_bound WHERE {_BOUND})"""

    def is_demanded(self, job_type: str) -> bool:
        """Tell whether any step of a job type is in the demand."""
        return self._only(bool, self.IS_DEMANDED, job_type=job_type)

    HAS_FREE = f"SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_wanted WHERE {_FREE})"

    def has_free(self, job_type: str) -> bool:
        """Tell whether any step of a job type is in the demand that any agent may take."""
        return self._only(bool, self.HAS_FREE, job_type=job_type)

    COUNT = f"""
        SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {_FREE} AND (s.missing > 0) = :waiting LIMIT :limit)"""

    def count(self, job_type: str, *, waiting: bool, limit: int) -> int:
        """Count the steps in the demand that any agent may take, up to `limit`."""
        return self._only(int, self.COUNT, job_type=job_type, waiting=waiting, limit=limit)

    COUNT_BOUND = f"""
        SELECT agents, sum(NOT waits) AS ready, sum(waits) AS waiting FROM (SELECT s.agents, s.missing > 0 AS waits
        FROM steps s INDEXED BY steps_bound WHERE {_BOUND} LIMIT :limit) GROUP BY agents"""

    def count_bound(self, job_type: str, limit: int) -> list[BoundCount]:
        """Count those that few may take, up to `limit`."""
        return self._all(BoundCount, self.COUNT_BOUND, job_type=job_type, limit=limit)

    TOP = f"""
        SELECT s.priority FROM steps s WHERE {_FREE} AND (s.missing > 0) = :waiting ORDER BY s.priority DESC LIMIT 1"""
    TOP_BOUND = f"""
        SELECT max(priority) FROM
        (SELECT s.priority FROM steps s INDEXED BY steps_bound WHERE {_BOUND} LIMIT :limit)"""

    def top_priority(self, job_type: str, limit: int) -> int:
        """Return the greatest priority among the steps in the demand for a job type."""
        tops = [self._one(int, self.TOP, job_type=job_type, waiting=waiting) for waiting in (False, True)]
        tops.append(self._one(int, self.TOP_BOUND, job_type=job_type, limit=limit))
        return max((top for top in tops if top is not None), default=4)

    JOB_TYPES = "SELECT DISTINCT job_type FROM steps WHERE status = 'fulfilling'"

    def job_types(self) -> set[str]:
        """Return the job types of all unplaced steps."""
        return set(self._each(str, self.JOB_TYPES))

    COUNTS = "SELECT job_type, count(*) AS steps FROM steps WHERE status = 'fulfilling' GROUP BY job_type"

    def counts(self) -> list[UnplacedCount]:
        """Return how many steps of each job type are unplaced."""
        return self._all(UnplacedCount, self.COUNTS)

    # Steps that only some agents may take

    BIND = f"""
        INSERT INTO bound (agent, step) SELECT value, :step FROM json_each(:agents)
        WHERE NOT {BY_LABELS.format(who=":agents")}
        UNION ALL SELECT :agents, :step WHERE {BY_LABELS.format(who=":agents")}"""

    def bind(self, step: int, agents: str) -> None:
        """Let a step be taken by these agents (a JSON list) alone, or by those that have all of these labels."""
        self._run(self.BIND, step=step, agents=agents)

    # No name begins as a list does, and few lists of labels are asked for at a time: from one to the next by the key.
    NAMES_OF = f"""
        WITH RECURSIVE known (who) AS (
            SELECT (SELECT min(agent) FROM bound WHERE agent >= '[' AND agent < '\\') UNION ALL
            SELECT (SELECT min(agent) FROM bound WHERE agent > known.who AND agent < '\\')
            FROM known WHERE who NOT NULL
        )
        SELECT value FROM json_each(:agents) UNION ALL SELECT who FROM known CROSS JOIN json_each(:agents) n
        CROSS JOIN agents a ON a.agent = n.value
        WHERE who NOT NULL AND {HAS_ALL.format(who="who", labels="a.labels")} LIMIT :limit"""

    def names_of(self, agents: Sequence[str]) -> list[str]:
        """Return by what steps are bound to these agents: their names, and lists of labels that they have."""
        return self._all(str, self.NAMES_OF, agents=as_text([*agents]), limit=NAMES_MAX)

    ANY_BOUND_TO = "SELECT EXISTS (SELECT 1 FROM bound WHERE agent = :agent)"

    def any_bound_to(self, agent: str) -> bool:
        """Tell whether only a few agents may take some step, of whom this is one."""
        return self._only(bool, self.ANY_BOUND_TO, agent=agent)

    WORKFLOWS_BOUND_TO = f"""
        SELECT s.workflow FROM bound b CROSS JOIN steps s ON s.id = b.step
        WHERE b.agent = :agent AND {IN_DEMAND}"""

    def workflows_bound_to(self, agent: str) -> set[int]:
        """Return the workflows with an unplaced step that this agent and few others may take."""
        return {*self._each(int, self.WORKFLOWS_BOUND_TO, agent=agent)}

    UNBIND = "DELETE FROM bound WHERE step = :step"

    def unbind(self, steps: Iterable[int]) -> None:
        """Let nobody take these steps any more: they are over."""
        self._run_each(self.UNBIND, ({"step": step} for step in steps))

    NOW_SERVED = f"""
        DELETE FROM unserved WHERE {_served("unserved")} OR NOT EXISTS (SELECT 1 FROM steps s
        WHERE {IN_DEMAND} AND s.agents = unserved.agents AND s.job_type = unserved.job_type)"""
    NOW_UNSERVED = f"""
        INSERT INTO unserved (job_type, agents, since) SELECT DISTINCT s.job_type, s.agents, :now
        FROM steps s INDEXED BY steps_bound WHERE {IN_DEMAND} AND s.agents IS NOT NULL
        AND NOT {_served("s")} ON CONFLICT DO NOTHING"""

    def look_for_unserved(self, now: float) -> None:
        """Note since when none of the agents that may take a step serves it."""
        self._run(self.NOW_SERVED)
        self._run(self.NOW_UNSERVED, now=now)

    ANY_BOUND = f"""
        SELECT EXISTS (SELECT 1 FROM steps s INDEXED BY steps_bound WHERE {IN_DEMAND} AND s.agents IS NOT NULL)
        OR EXISTS (SELECT 1 FROM unserved)"""

    def any_bound(self) -> bool:
        """Tell whether there is anything to look for."""
        return self._only(bool, self.ANY_BOUND)

    UNSERVED = "SELECT job_type, agents FROM unserved WHERE since + :for_s <= :now ORDER BY job_type, agents"

    def unserved(self, for_s: float, now: float) -> list[Unserved]:
        """Return the job types, each with its agents, that nobody has served for so long or longer."""
        return self._all(Unserved, self.UNSERVED, for_s=for_s, now=now)

    UNSERVED_BEGINS_ANEW = "UPDATE unserved SET since = :now"

    def unserved_begins_anew(self, now: float) -> None:
        """Count from now on for how long nobody serves them: a process has started, and its clock is another."""
        self._run(self.UNSERVED_BEGINS_ANEW, now=now)
