"""Agents as this manager sees them, and the job types that they serve."""

from collections.abc import Collection
from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns
from caroni_edge.values.json import as_text


class AgentType(NamedTuple):
    """A job type of an agent.

    Attributes:
        serves: Whether the agent serves it to us now.
        notice: What the agent says of it, as JSON.
    """

    job_type: str
    serves: bool
    notice: str


class ShownType(NamedTuple):
    """A job type of an agent that is connected; `refuses` is JSON, of the agent."""

    agent: str
    job_type: str
    serves: bool
    refuses: str


class Places(NamedTuple):
    """How many jobs an agent could take, of all kinds and ahead of their data; less than 0 where it has too many."""

    total: int
    waiting: int


class AgentCount(NamedTuple):
    """How many agents are connected, or not."""

    online: bool
    agents: int


class NamedDepot(NamedTuple):
    """An agent that may be a depot.

    Attributes:
        depot: What it says of that: `open`, or `full: ` and why; empty where its owner does not let it be one.
        speaks: The newest version of the messages that it understands.
        drains: Whether it drains.
    """

    agent: str
    online: bool
    depot: str
    speaks: int
    drains: bool


class Reconciled(NamedTuple):
    """How far an agent's database is known here, and the reconcile query that is open.

    Attributes:
        database: Its name; empty while we know none.
        known: All that happened there up to this serial has come here.
        query: Id of the query that the agent has not answered yet (column `wanted`).
    """

    database: str
    known: int
    query: str | None


class AgentRows(Rows):
    """Statements about agents."""

    KNOW = "INSERT INTO agents (agent) VALUES (:agent) ON CONFLICT DO NOTHING"

    def know(self, agent: str) -> None:
        """Make sure that an agent has a row."""
        self._run(self.KNOW, agent=agent)

    SEE = """
        UPDATE agents SET online = 1, boot = :boot, version = :version, host = :host, slots = :slots,
            backlog = :backlog, pending = :pending, refuses = :refuses, labels = :labels, speaks = :speaks,
            staging = :staging, direct = :direct, hosts = :hosts,
            depot = :depot, drains = :drains, seen = :date, unheard = 0
        WHERE agent = :agent"""

    def see(
        self,
        agent: str,
        *,
        boot: str,
        version: str,
        host: str,
        slots: int,
        backlog: int,
        pending: int,
        refuses: str,
        labels: str,
        speaks: int,
        staging: str,
        depot: str,
        drains: bool,
        direct: str,
        hosts: str | None,
        date: float,
    ) -> None:
        """Keep the presence of an agent that is connected; `refuses` and `hosts` are JSON."""
        self.know(agent)
        self._run(
            self.SEE,
            agent=agent,
            boot=boot,
            version=version,
            host=host,
            slots=slots,
            backlog=backlog,
            pending=pending,
            refuses=refuses,
            labels=labels,
            speaks=speaks,
            staging=staging,
            depot=depot,
            drains=drains,
            direct=direct,
            hosts=hosts,
            date=date,
        )

    # Not those with their data apart: one that has got its data meanwhile leaves its place to another one, and has none
    # of those of the ready ones. More that wait than may, since an agent keeps fewer now, take none of these either:
    # what they wait for may come there.
    PLACES_LEFT = """
        SELECT min(a.slots + a.backlog + a.pending, :most) - coalesce(o.rows, 0)
            + max(coalesce(u.rows, 0) - min(a.pending, :most), 0) AS total,
            min(a.pending, :most) - coalesce(u.rows, 0) AS waiting
        FROM agents a LEFT JOIN row_counts o ON o.what = 'open' AND o.name = a.agent
        LEFT JOIN row_counts u ON u.what = 'unsent' AND u.name = a.agent WHERE a.agent = :agent"""

    def places_left(self, agent: str, most: int) -> Places:
        """Return how many places an agent has by its presence, `most` at most, less what it has of ours."""
        return self._one(Places, self.PLACES_LEFT, agent=agent, most=most) or Places(0, 0)

    GONE = "UPDATE agents SET online = 0, seen = :date, unheard = 0 WHERE agent = :agent"
    TYPES_OFFLINE = "UPDATE agent_types SET online = 0 WHERE agent = :agent"

    def gone(self, agent: str, date: float) -> None:
        """Note that the agent is not connected."""
        self._run(self.GONE, agent=agent, date=date)
        self._run(self.TYPES_OFFLINE, agent=agent)

    SERVING = "SELECT job_type FROM agent_types WHERE agent = :agent AND online"

    def serving(self, agent: str) -> set[str]:
        """Return the job types that an agent serves to us now."""
        return set(self._each(str, self.SERVING, agent=agent))

    ADD_TYPE = "INSERT INTO agent_types (job_type, agent, online, notice) VALUES (:job_type, :agent, :serves, :notice)"

    TYPES_OF = f"SELECT {columns(AgentType, serves='online')} FROM agent_types WHERE agent = :agent"

    def set_types(self, agent: str, types: Collection[AgentType]) -> set[str]:
        """Keep an agent's job types, in the place of those that were known; return which of these it has no more."""
        known = {*self._each(AgentType, self.TYPES_OF, agent=agent)}
        if known == {*types}:
            return set()  # as nearly always
        self._delete_types(agent)
        self._run_each(self.ADD_TYPE, ({"agent": agent, **each._asdict()} for each in types))
        return {each.job_type for each in known} - {each.job_type for each in types}

    DELETE_TYPES = "DELETE FROM agent_types WHERE agent = :agent"

    def _delete_types(self, agent: str) -> int:
        return self._run(self.DELETE_TYPES, agent=agent)

    SHOWN_TYPES = """
        SELECT t.agent, t.job_type, t.online AS serves, a.refuses
        FROM agent_types t JOIN agents a ON a.agent = t.agent WHERE a.online ORDER BY t.agent, t.job_type"""

    def shown_types(self) -> list[ShownType]:
        """Return the job types of the agents that are connected."""
        return self._all(ShownType, self.SHOWN_TYPES)

    SET_SERVES = "UPDATE agent_types SET online = :serves WHERE agent = :agent AND job_type = :job_type"

    def set_serves(self, agent: str, job_type: str, *, serves: bool) -> None:
        """Note whether an agent serves a job type to us now."""
        self._run(self.SET_SERVES, agent=agent, job_type=job_type, serves=serves)

    MAY_SERVE = """
        SELECT unheard OR EXISTS
            (SELECT 1 FROM agent_types t WHERE t.job_type = :job_type AND t.agent = agents.agent AND t.online)
        FROM agents WHERE agent = :agent"""

    def may_serve(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent serves a job type to us, or has not shown itself since we started."""
        return self._one(bool, self.MAY_SERVE, agent=agent, job_type=job_type) is not False

    MAY_HOLD = """
        SELECT 1 WHERE EXISTS (SELECT 1 FROM agent_types WHERE job_type = :job_type AND agent = :agent)
        OR NOT EXISTS (SELECT 1 FROM agents WHERE agent = :agent AND seen > 0)"""

    def may_hold(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent may have jobs of a type: it has named it, or has never shown itself."""
        return self._one(int, self.MAY_HOLD, agent=agent, job_type=job_type) is not None

    MAY_BE_THERE = "SELECT online OR unheard FROM agents WHERE agent = :agent"

    def may_be_there(self, agent: str) -> bool:
        """Tell whether an agent is connected, or has not shown itself since we started."""
        return self._one(bool, self.MAY_BE_THERE, agent=agent) is not False

    IS_ONLINE = "SELECT online FROM agents WHERE agent = :agent"

    def is_online(self, agent: str) -> bool:
        """Tell whether an agent is connected, as far as we have heard."""
        return self._one(bool, self.IS_ONLINE, agent=agent) or False

    IS_SERVED = "SELECT 1 FROM agent_types WHERE job_type = :job_type AND online LIMIT 1"

    def is_served(self, job_type: str) -> bool:
        """Tell whether any agent serves a job type to us."""
        return self._one(int, self.IS_SERVED, job_type=job_type) is not None

    SERVING_TYPE = "SELECT agent FROM agent_types WHERE job_type = :job_type AND online LIMIT :limit"

    def serving_type(self, job_type: str, limit: int) -> list[str]:
        """Return agents that serve a job type to us now."""
        return self._all(str, self.SERVING_TYPE, job_type=job_type, limit=limit)

    MAY_REPEAT = """
        SELECT coalesce(json_extract(notice, '$.repeat'), 1) <> 0 FROM agent_types
        WHERE job_type = :job_type AND agent = :agent"""

    def may_repeat(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent's job type may be run again by itself; not, while nobody has said so."""
        return self._one(bool, self.MAY_REPEAT, agent=agent, job_type=job_type) is True

    IS_SERVED_OTHERWISE = """
        SELECT 1 FROM agent_types WHERE job_type = :job_type AND online
        AND coalesce(json_extract(notice, '$.version'), '') NOT IN ('', :version) LIMIT 1"""

    def is_served_otherwise(self, job_type: str, version: str) -> bool:
        """Tell whether an agent serves another version of a job type to us."""
        return self._one(int, self.IS_SERVED_OTHERWISE, job_type=job_type, version=version) is not None

    COUNTS = "SELECT online, count(*) AS agents FROM agents GROUP BY online"

    def counts(self) -> list[AgentCount]:
        """Return how many agents are connected, and how many are not."""
        return self._all(AgentCount, self.COUNTS)

    NOBODY_ONLINE = "UPDATE agents SET online = 0, unheard = 1"
    NO_TYPE_ONLINE = "UPDATE agent_types SET online = 0"

    def nobody_online(self) -> None:
        """Take all agents for not connected: a process has started, and who is there will say so."""
        self._run(self.NOBODY_ONLINE)
        self._run(self.NO_TYPE_ONLINE)

    FORGET = "DELETE FROM agents WHERE agent = :agent"

    def forget(self, agent: str) -> int:
        """Delete an agent; return how many rows that were."""
        return self._delete_types(agent) + self._run(self.FORGET, agent=agent)

    # Reconciliation

    SET_OFFERED = """
        UPDATE agents SET database = iif(database = '', :database, database), labels = :labels
        WHERE agent = :agent AND (database = '' OR labels <> :labels)"""

    def set_offered(self, agent: str, database: str, labels: str) -> None:
        """Learn the name of an agent's database from its first offer, and its labels (a JSON list) from each."""
        self.know(agent)
        self._run(self.SET_OFFERED, agent=agent, database=database, labels=labels)

    DIRECT = "SELECT direct FROM agents WHERE agent = :agent"

    def direct(self, agent: str) -> str:
        """Return where an agent gives files straight to others; empty for nowhere, or for one that is not known."""
        return self._one(str, self.DIRECT, agent=agent) or ""

    LABELS = "SELECT labels FROM agents WHERE agent = :agent"

    def labels(self, agent: str) -> str:
        """Return what an agent says that it is, as a JSON list."""
        return self._one(str, self.LABELS, agent=agent) or "[]"

    HOSTS = "SELECT hosts FROM agents WHERE agent = :agent AND hosts NOT NULL"

    def hosts(self, agent: str) -> str | None:
        """Return the hosts that an agent says it fetches files from, as a JSON list; None where it does not say."""
        return self._one(str, self.HOSTS, agent=agent)

    SPEAKS = "SELECT speaks FROM agents WHERE agent = :agent"

    def speaks(self, agent: str) -> int:
        """Return the newest version of the messages that an agent says to understand."""
        return self._one(int, self.SPEAKS, agent=agent) or 1

    DRAINING = "SELECT agent FROM agents WHERE drains ORDER BY agent"

    def draining(self) -> list[str]:
        """Return the agents that drain, as far as they have said so."""
        return self._all(str, self.DRAINING)

    DEPOTS = """
        SELECT a.agent, a.online, a.depot, a.speaks, a.drains FROM json_each(:names) n
        CROSS JOIN agents a ON a.agent = n.value"""

    def depots(self, names: Collection[str]) -> list[NamedDepot]:
        """Return what is known of the agents of these names as depots."""
        return sorted(self._all(NamedDepot, self.DEPOTS, names=as_text([*names])))

    HEAR = """
        UPDATE agents SET heard = max(heard, :serial), known = CASE WHEN wanted IS NULL AND NOT EXISTS
            (SELECT 1 FROM peers WHERE peer = :agent AND reconcile) THEN max(known, :serial) ELSE known END
        WHERE agent = :agent"""

    def hear(self, agent: str, serial: int) -> None:
        """Note the serial of a status. While a query is open, or is due, there may be gaps before it."""
        self._run(self.HEAR, agent=agent, serial=serial)

    RECONCILED = "SELECT database, known, wanted AS query FROM agents WHERE agent = :agent"

    def reconciled(self, agent: str) -> Reconciled:
        """Return what we know of an agent's database."""
        return self._one(Reconciled, self.RECONCILED, agent=agent) or Reconciled("", 0, None)

    IS_RECONCILING = """
        SELECT EXISTS (SELECT 1 FROM agents WHERE agent = :agent AND wanted IS NOT NULL)
        OR EXISTS (SELECT 1 FROM peers WHERE peer = :agent AND reconcile)"""

    def is_reconciling(self, agent: str) -> bool:
        """Tell whether an agent is asked, or is to be asked, what it holds, and has not said all of it."""
        return self._only(bool, self.IS_RECONCILING, agent=agent)

    ASK = "UPDATE agents SET wanted = :query, wanted_since = :now, heard = 0, again_due = NULL WHERE agent = :agent"
    UNMARK = "UPDATE peers SET reconcile = 0 WHERE peer = :agent AND reconcile"

    def ask(self, agent: str, query: str, now: float) -> None:
        """Note that an agent is asked what it holds, by the query of this id."""
        self.know(agent)
        self._run(self.ASK, agent=agent, query=query, now=now)
        self._run(self.UNMARK, agent=agent)

    ANSWERED = """
        UPDATE agents SET known = CASE WHEN database = :database THEN max(known, heard) ELSE heard END,
            database = :database, wanted = NULL, wanted_since = NULL
        WHERE agent = :agent"""

    def answered(self, agent: str, database: str) -> None:
        """Note that the query is answered: nothing that was heard since it was asked has a gap before it."""
        self._run(self.ANSWERED, agent=agent, database=database)

    ASK_LATER = "UPDATE agents SET again_due = coalesce(again_due, :due) WHERE agent = :agent"

    def ask_later(self, agent: str, due: float) -> None:
        """Let an agent be asked at `due`."""
        self.know(agent)
        self._run(self.ASK_LATER, agent=agent, due=due)

    MARKED = "SELECT peer FROM peers WHERE reconcile"
    ASK_DUE = "SELECT agent FROM agents WHERE again_due <= :now"

    def to_ask(self, now: float) -> list[str]:
        """Return the agents that are to be asked: marked by the link, or due."""
        return sorted({*self._each(str, self.MARKED), *self._each(str, self.ASK_DUE, now=now)})

    NEXT_ASK = "SELECT min(again_due) FROM agents WHERE again_due IS NOT NULL"

    def next_ask(self) -> float | None:
        """Return when the next agent is to be asked."""
        return self._one(float, self.NEXT_ASK)

    DUE_BEGINS_ANEW = "UPDATE agents SET again_due = :now WHERE again_due IS NOT NULL"
    BEGIN_ANEW = "UPDATE agents SET wanted_since = :now, again_due = :now WHERE wanted IS NOT NULL"

    def begin_anew(self, now: float) -> None:
        """Ask again what was asked: a process has started, and its clock is another."""
        self._run(self.DUE_BEGINS_ANEW, now=now)
        self._run(self.BEGIN_ANEW, now=now)
