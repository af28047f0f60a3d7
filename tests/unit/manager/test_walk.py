"""Random walks: agents that accept, decline, complete, fail, repeat themselves, restart and lose what they had."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.manager.lifecycle import ENDED, WorkflowState
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusUpdate,
    OfferAccept,
    Placement,
)
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import MARK, Bench

STEPS = 250
TYPES = ("upper", "lower")
TEMPLATES = ("one", "chain", "pair", "diamond")
COUNTED = "SELECT name, rows FROM row_counts WHERE what = 'open' AND name <> '' ORDER BY name"
THERE = "SELECT agent, count(*) AS jobs FROM jobs WHERE open GROUP BY agent ORDER BY agent"


class Job:
    """A job at an agent."""

    def __init__(self, placed: Placement, serial: int) -> None:
        self.placed, self.serial = placed, serial
        self.inputs: dict[str, Any] | None = placed.inputs if placed.data_ready else None
        self.status = "queued" if placed.data_ready else "pending"
        self.outputs: dict[str, Any] | None = None

    @property
    def is_live(self) -> bool:
        return self.status in {"pending", "queued", "running"}


class Agent:
    """A tiny agent: it takes what it is given, in order, and lies never.

    Attributes:
        begun: Every job whose process was ever started, with its attempt.
    """

    def __init__(self, name: str, chance: Random) -> None:
        self.name, self.chance = name, chance
        self.inbox: list[LinkMessage] = []
        self.outbox: list[LinkMessage] = []
        self.begun: dict[str, Placement] = {}
        self.online = True
        self.made = 0
        self.wipe()

    def wipe(self) -> None:
        """Lose everything."""
        self.made += 1
        self.database, self.serial = f"{self.name}-{self.made}", 0
        self.jobs: dict[str, Job] = {}

    def reset(self) -> None:
        """The link begins anew: what was on its way is lost both ways."""
        self.inbox.clear()
        self.outbox.clear()

    # What comes

    def take(self) -> None:
        """Take the next message."""
        if not self.inbox:
            return
        match self.inbox.pop(0):
            case OfferAccept(jobs=jobs):
                for placed in jobs:
                    self._take_job(placed)
            case JobDataReady(job=name, inputs=inputs):
                self._take_data(name, inputs)
            case JobKill(job=name):
                if name in self.jobs and self.jobs[name].is_live:
                    self._change(self.jobs[name], "killed", reason="told to")
            case JobsWanted() as query:
                self._answer(query)

    def _take_job(self, placed: Placement) -> None:
        assert placed.job not in self.jobs
        assert placed.job not in self.begun
        givers = [self.jobs.get(each[0]) for each in placed.inputs_from.values()]
        is_given = all(giver and giver.status not in {"failed", "killed"} for giver in givers)
        if not is_given or self.chance.random() < 0.1:
            self.outbox.append(JobDecline(job=placed.job, reason="no", final=self.chance.random() < 0.2))
            return
        self.serial += 1
        self.jobs[placed.job] = Job(placed, self.serial)
        self.outbox.append(JobAccepted(jobs=(placed.job,)))
        if placed.inputs_from:
            self._take_given(self.jobs[placed.job])

    def _take_data(self, name: str, inputs: dict[str, Any]) -> None:
        job = self.jobs.get(name)
        if job is None:
            self.outbox.append(JobDecline(job=name, reason="unknown job"))
        elif job.status == "pending":
            self.serial += 1
            job.inputs, job.status, job.serial = inputs, "queued", self.serial

    def _answer(self, query: JobsWanted) -> None:
        known = query.known if query.database == self.database else -1
        found = [self._here(job) for _, job in sorted(self.jobs.items()) if job.is_live or job.serial > known]
        cut = self.chance.randrange(len(found) + 1)
        after = ""
        if 0 < cut < len(found):
            after = found[cut - 1].job
            part = JobsHere(wanted=query.wanted, database=self.database, upto=after, jobs=tuple(found[:cut]))
            self.outbox.append(part)
            found = found[cut:]
        self.outbox.append(JobsHere(wanted=query.wanted, database=self.database, after=after, jobs=tuple(found)))

    def _here(self, job: Job) -> JobHere:
        placed = job.placed
        return JobHere(
            job=placed.job,
            workflow=placed.workflow,
            step=placed.step,
            attempt=placed.attempt,
            job_type=placed.job_type,
            serial=job.serial,
            status=job.status,  # type: ignore[arg-type]
            begun=placed.job in self.begun,
            inputs_hash=hash_of(job.inputs) if job.inputs is not None else "",
            inputs_from=placed.inputs_from if job.status == "pending" else {},
            outputs=job.outputs,
        )

    # What it does

    def offer(self) -> None:
        """Offer some places."""
        ready, waiting = self.chance.randrange(3), self.chance.randrange(3)
        name, job_type = f"offer{self.chance.randrange(10**9):09}", self.chance.choice(TYPES)
        offer = JobOffer(offer=name, job_type=job_type, serial=1, ready=ready, waiting=waiting, database=self.database)
        self.outbox.append(offer)

    def work(self, fail: float) -> None:
        """Let a job begin, or end."""
        able = [job for _, job in sorted(self.jobs.items()) if job.status in {"queued", "running"}]
        if not able:
            return
        job = self.chance.choice(able)
        if job.status == "queued":
            assert job.placed.job not in self.begun, "started twice"
            self.begun[job.placed.job] = job.placed
            self._change(job, "running")
        elif self.chance.random() < fail:
            self._change(job, "failed", reason="no luck")
        else:
            assert job.inputs is not None
            job.outputs = {"out": f"{job.placed.job_type}({'+'.join(str(v) for v in job.inputs.values())})"}
            self._change(job, "completed")

    def _change(self, job: Job, status: Any, reason: str | None = None) -> None:
        self.serial += 1
        job.status, job.serial = status, self.serial
        self.outbox.append(
            JobStatusUpdate(
                job=job.placed.job,
                serial=self.serial,
                status=status,
                begun=job.placed.job in self.begun,
                outputs=job.outputs,
                reason=reason,
                inputs_hash=hash_of(job.inputs) if job.inputs is not None else "",
                fed=tuple(self._feed(job.placed.job)),
            )
        )
        if status in {"failed", "killed"}:
            self._end_takers(job.placed.job)

    def _takers(self, giver: str) -> list[Job]:
        """Return the pending jobs that take an input from one."""
        takers = [job for _, job in sorted(self.jobs.items()) if job.status == "pending"]
        return [job for job in takers if giver in {each[0] for each in job.placed.inputs_from.values()}]

    def _feed(self, giver: str) -> Iterator[str]:
        """Give jobs what has completed; yield those that have all their inputs now."""
        for job in self._takers(giver):
            if self._take_given(job):
                yield job.placed.job

    def _take_given(self, job: Job) -> bool:
        """Give a job the outputs of others, if all of these have completed."""
        outputs = {name: self.jobs[each[0]].outputs for name, each in job.placed.inputs_from.items()}
        if any(given is None for given in outputs.values()):
            return False
        taken = {name: (outputs[name] or {}).get(each[1]) for name, each in job.placed.inputs_from.items()}
        self._take_data(job.placed.job, {**job.placed.inputs, **taken})
        return True

    def _end_takers(self, giver: str) -> None:
        for job in self._takers(giver):
            self.serial += 1
            job.status, job.serial = "failed", self.serial
            self.outbox.append(JobDecline(job=job.placed.job, reason="what it takes an input from has ended"))
            self._end_takers(job.placed.job)


class Walk:
    """A manager, its agents, and all that may happen to them."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.fail = self.chance.choice((0.1, 0.4))
        self.bench = Bench(seed=seed, attempts=self.chance.choice((1, 2, 9)), retry_delay_s=0.5)
        self.agents = [Agent(f"a{number}", self.chance) for number in range(3)]
        self.workflows = 0
        self.completed: Counter[tuple[str, str]] = Counter()
        for agent in self.agents:
            self.bench.presence(agent.name)

    def deliver(self, agent: Agent, *, commit: bool = True) -> None:
        """Let some of an agent's messages arrive in one batch."""
        count = self.chance.randrange(1, 4)
        messages = agent.outbox[:count]
        if messages and agent.online:
            self.bench.send(*messages, agent=agent.name, commit=commit)
            if commit:
                del agent.outbox[:count]
            else:
                self.bench.outbox.sent.clear()
        self.collect()

    def collect(self) -> None:
        """Give agents what was put for them, and read what was published."""
        by_name = {agent.name: agent for agent in self.agents}
        for name, message in self.bench.outbox.sent:
            by_name[name].inbox.append(message)
        self.bench.outbox.sent.clear()
        for event in self.bench.take_events("caroni.step.completed"):
            self.completed[event["data"]["workflow"], event["data"]["step"]] += 1

    def step(self) -> None:
        """Let one thing happen."""
        agent = self.chance.choice(self.agents)
        kind = self.chance.random()
        if kind < 0.3:
            self.deliver(agent, commit=self.chance.random() > 0.05)
        elif kind < 0.55:
            agent.take()
        elif kind < 0.7:
            agent.offer()
        elif kind < 0.85:
            agent.work(self.fail)
        elif kind < 0.88:
            self.bench.advance(self.chance.choice((0.1, 1.0, 70.0)))
        elif kind < 0.93:
            self._people()
        else:
            self._trouble(agent)
        self.collect()

    def _people(self) -> None:
        kind, name = self.chance.random(), f"w{self.chance.randrange(max(1, self.workflows))}"
        if kind < 0.6 or not self.workflows:
            self.bench.start(self.chance.choice(TEMPLATES), f"w{self.workflows}")
            self.workflows += 1
            return
        command = self.bench.cancel if kind < 0.62 else self.bench.retry if kind < 0.9 else self.bench.delete
        with suppress(Refused):  # its state does not allow it
            command(name)
        if self.chance.random() < 0.3:
            self.chance.choice((self.bench.pause, self.bench.resume))(self.chance.choice(TEMPLATES))

    def _trouble(self, agent: Agent) -> None:
        kind = self.chance.random()
        if kind < 0.2:
            self.bench.restart()
            for each in self.agents:
                self.bench.presence(each.name, online=each.online)
        elif kind < 0.5:
            agent.online = not agent.online
            self.bench.presence(agent.name, online=agent.online)
            self.bench.silent[agent.name] = 0.0 if agent.online else self.chance.choice((0.0, 1e6))
        elif kind < 0.8:
            self._reset(agent)
        elif kind < 0.9:
            agent.wipe()
            self._reset(agent)
        elif agent.outbox:
            # What was said before may come again, as after a restored broker: the link would have removed it.
            self.bench.send(agent.outbox[0], agent=agent.name)

    def _reset(self, agent: Agent) -> None:
        """Begin the link anew; what the agent says next may come in the same batch."""
        agent.reset()
        self.collect()
        agent.inbox.clear()
        for _ in range(self.chance.randrange(3)):
            agent.work(self.fail)
        messages = list(agent.outbox)
        agent.outbox.clear()

        def work(at: Moment) -> None:
            self.bench.database.conn.execute(MARK, (agent.name,))
            for message in messages:
                self.bench.reactor.on_message(agent.name, message, at)  # type: ignore[arg-type]

        self.bench.call(work)

    def calm(self) -> None:
        """Nothing goes wrong any more: everything must come to its end."""
        for template in TEMPLATES:
            self.bench.resume(template)
        for agent in self.agents:
            agent.online = True
            self.bench.silent[agent.name] = 0.0
            self.bench.presence(agent.name)
        for _ in range(2000):
            for agent in self.agents:
                if self.open():
                    agent.offer()
                for _ in range(4):
                    agent.take()
                agent.work(fail=0.0)
                self.deliver(agent)
            self.bench.advance(0.5)
            self.collect()
            if self.is_over():
                return
        raise AssertionError(f"these do not end: {self.open()}")

    def is_over(self) -> bool:
        quiet = not any(
            agent.inbox or agent.outbox or any(j.is_live for j in agent.jobs.values()) for agent in self.agents
        )
        return not self.open() and quiet

    def open(self) -> list[str]:
        """Return what has not ended: workflows (a step in doubt waits for somebody), and jobs."""
        rows = self.bench.rows("SELECT id, status FROM workflows")
        going = [row["id"] for row in rows if WorkflowState(row["status"]) not in ENDED]
        return going + [row["job"] for row in self.bench.rows("SELECT job FROM jobs WHERE open")]

    def problems(self) -> list[str]:
        """Return what must not be."""
        found = [f"{step} completed {count} times" for step, count in self.completed.items() if count > 1]
        rows = self.bench.rows(
            "SELECT w.id, w.status, s.path, s.status AS step FROM steps s JOIN workflows w ON w.seq = s.workflow"
        )
        for row in rows:
            done = self.completed[row["id"], row["path"]]
            if done != (row["step"] == "completed") or (row["status"] == "completed" and not done):
                found.append(f"{row} completed {done} times")
        numbers = Counter(
            (placed.workflow, placed.step, placed.attempt) for agent in self.agents for placed in agent.begun.values()
        )
        found += [f"attempt {key} began as {count} jobs" for key, count in numbers.items() if count > 1]
        counted = [(row["name"], row["rows"]) for row in self.bench.rows(COUNTED)]
        there = [(row["agent"], row["jobs"]) for row in self.bench.rows(THERE)]
        found += [f"open jobs are counted as {counted}, not {there}"] if counted != there else []
        found += [f"{table} is not empty" for table in ("offers",) if self.bench.rows(f"SELECT * FROM {table}")]
        return found


@pytest.mark.parametrize("seed", range(40))
def test_a_walk_ends_well(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    walk.calm()
    assert walk.problems() == []
    assert walk.workflows > 0


def test_the_same_seed_is_the_same_walk() -> None:
    dumps = []
    for _ in range(2):
        walk = Walk(7)
        for _ in range(STEPS):
            walk.step()
        dumps.append([line for line in walk.bench.dump() if "_sqlite_migrations" not in line])
    assert dumps[0] == dumps[1]
