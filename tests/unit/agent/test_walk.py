"""Random walks over the agent's reactor: whatever managers, processes and the host do, its promises hold."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from caroni_edge.agent.jobs.inputs import CannotRun
from caroni_edge.agent.jobs.trials import TrialRefused
from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.offers.offers import VALID_FOR_S
from caroni_edge.agent.offers.refusals import PAUSED
from caroni_edge.agent.processes.outcome import Failed, NeverBegan, ProcessOutcome
from caroni_edge.agent.store.jobs import TRIAL
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    OfferAccept,
    OfferReject,
    Placement,
)
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from tests.unit.agent.bench import COMPLETED, Bench, job_type
from tests.unit.agent.offers.demand import in_rows, kept

MANAGERS = ("m1", "m2", "m3")
TYPES = ("upper", "lower")
STEPS = 150
ENDS = {state.value for state in JobState if not JOB[state]}


class Walk:
    """An agent in a rough world, and what its managers know of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        pick = self.random.randint
        self.bench = Bench(
            types=[job_type(name) for name in TYPES],
            seed=seed,
            slots=pick(1, 4),
            backlog=pick(0, 4),
            pending=pick(0, 4),
            managers={"m1": 2.0, "*": 1.0},
            retention_s=self.random.choice([None, 3600.0]),
        )
        self.offers: list[tuple[str, JobOffer]] = []
        self.placed: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.declined: set[str] = set()
        self.refused: set[str] = set()
        self.status: dict[str, JobStatusUpdate | JobHere] = {}
        self.serials: Counter[str] = Counter()
        self.queries: Counter[str] = Counter()

    # What happens

    def run(self) -> None:
        deeds: list[Callable[[], None]] = [
            *[self.want, self.answer, self.data, self.end] * 4,
            *[self.kill, self.pass_time, self.presence] * 2,
            *[
                self.restart,
                self.reset,
                self.roll_back,
                self.drain,
                self.pause,
                self.try_one,
                self.ask,
                self.place_again,
                self.reload,
                self.forget_offers,
            ],
        ]
        for _ in range(STEPS):
            self.random.choice(deeds)()
            self.hear()
            self.check()
        self.finish()

    def want(self) -> None:
        few = self.random.choice([0, 0, 1, 3, 50])
        facts = {"ready": few, "waiting": self.random.choice([0, 1, 10]), "spread": self.random.choice([0.0, 0.0, 5.0])}
        self.bench.want(self.random.choice(TYPES), self.random.choice(MANAGERS), **facts)

    def answer(self) -> None:
        """Answer an offer in full, in part, beyond it, in several messages, or not at all."""
        if not self.offers:
            return
        manager, offer = self.offers.pop(self.random.randrange(len(self.offers)))
        if self.random.random() < 0.2:
            self.bench.send(OfferReject(offer=offer.offer), manager=manager)
            return
        ready = self.random.randint(0, offer.ready + self.random.choice([0, 0, 2]))
        waiting = self.random.randint(0, offer.waiting + self.random.choice([0, 0, 2]))
        jobs = [self.new_job(manager, offer.job_type, ready=number < ready) for number in range(ready + waiting)]
        cut = self.random.randint(0, len(jobs))
        self.bench.send(OfferAccept(offer=offer.offer, jobs=tuple(jobs[:cut]), last=False), manager=manager)
        if self.random.random() < 0.9:
            self.bench.send(OfferAccept(offer=offer.offer, jobs=tuple(jobs[cut:])), manager=manager)
        else:
            for job in jobs[cut:]:
                del self.placed[job.job]

    def new_job(self, manager: str, name: str, *, ready: bool) -> Placement:
        wrong = {"inputs": {"message": 1}} if self.random.random() < 0.05 else {}
        job = self.bench.new_job(name, ready=ready, priority=self.random.randint(0, 9), **wrong)
        self.placed[job.job] = manager
        return job

    def data(self) -> None:
        if job := self.some_job(JobState.PENDING):
            inputs = {"message": "x"} if self.random.random() < 0.9 else {"other": "x"}
            self.bench.send(JobDataReady(job=job, inputs=inputs), manager=self.placed[job])

    def kill(self) -> None:
        if self.placed:
            job = self.random.choice(sorted(self.placed))
            self.bench.send(JobKill(job=job, reason="not wanted"), manager=self.placed[job])

    def end(self) -> None:
        """Let a process end, sometimes said twice, and sometimes a process that never began."""
        if there := sorted(self.bench.runner.there):
            self.end_one(self.random.choice(there))

    def end_one(self, job: str) -> None:
        ends: list[ProcessOutcome] = [
            COMPLETED,
            Failed("exit status 1", exit_code=1),
            NeverBegan("could not be started"),
        ]
        for outcome in self.random.sample(ends, self.random.choice([1, 1, 2])):
            self.bench.end(job, outcome)

    def pass_time(self) -> None:
        self.bench.advance(self.random.choice([0.1, 1.0, 5.0, 30.0, 400.0]))

    def presence(self) -> None:
        self.bench.presence(self.random.choice(MANAGERS), online=self.random.random() < 0.6)

    def restart(self) -> None:
        running = self.bench.store.jobs.running()
        self.bench.runner.killed.clear()
        self.bench.restart()
        assert self.bench.runner.recovered == [job.job for job in running]

    def reset(self) -> None:
        """A database was lost or restored: the manager asks, and learns all that it may have missed."""
        manager = self.random.choice(MANAGERS)
        self.bench.reset(manager)
        self.queries[manager] += 1
        database = self.random.choice([self.bench.store.facts.database(), ""])
        known = self.random.choice([0, self.serials[manager]])
        query = f"queries{self.queries[manager]}"
        self.bench.send(JobsWanted(wanted=query, database=database, known=known), manager=manager)
        self.bench.advance(0.0)
        answers = self.bench.outbox.take_all(JobsHere, manager)
        assert (answers[0].after, answers[-1].upto) == ("", "")
        named = {here.job: here for answer in answers for here in answer.jobs}
        live = {job for job in self.jobs_of(manager) if self.bench.state(job).value not in ENDS}
        assert live <= set(named)
        for here in named.values():
            assert here.status == self.bench.state(here.job).value

    def roll_back(self) -> None:
        """A storage error: the batch never was, and its messages come again."""
        message: LinkMessage = JobKill(job="unknown1", reason="x")
        if job := self.some_job(JobState.PENDING):
            message = JobDataReady(job=job, inputs={"message": "x"})
        manager = self.placed[job] if job else "m1"
        before = list(self.bench.outbox.sent)
        started = len(self.bench.runner.started)
        self.bench.batch((manager, message), commit=False)
        self.bench.outbox.sent = before
        assert len(self.bench.runner.started) == started
        self.bench.send(message, manager=manager)

    def drain(self) -> None:
        on = not self.bench.store.facts.drained()
        self.bench.call(lambda _: self.bench.reactor.drain(on=on))

    def pause(self) -> None:
        on = not self.bench.store.facts.paused()
        self.bench.call(lambda _: self.bench.reactor.pause(on=on))

    def try_one(self) -> None:
        """The owner tries a job type, of which no manager hears."""
        said = list(self.bench.outbox.sent)
        with suppress(TrialRefused, CannotRun):
            self.bench.call(lambda at: self.bench.reactor.try_job_type("upper", {"message": "x"}, at))
            assert len(self.bench.store.jobs.live_of(TRIAL)) == 1
        assert not [job for job, _ in self.bench.outbox.sent[len(said) :] if job == TRIAL]

    def ask(self) -> None:
        if self.placed:
            job = self.random.choice(sorted(self.placed))
            self.bench.send(JobStatusRequest(job=job), manager=self.placed[job])
            self.say_again(self.placed[job])

    def place_again(self) -> None:
        """A restored manager places a job that is here already."""
        if here := sorted(self.accepted):
            job = self.random.choice(here)
            if self.bench.store.jobs.by_job(job) is not None:
                before = self.bench.job(job)
                again = self.bench.new_job(before.job_type, job=job)
                self.bench.send(OfferAccept(offer="again001", jobs=(again,)), manager=self.placed[job])
                assert self.bench.job(job) == before
                self.say_again(self.placed[job])

    def say_again(self, manager: str) -> None:
        """Let the answer to a question be heard: it says nothing new."""
        self.bench.outbox.take_all(JobDecline, manager)
        for said in self.bench.outbox.take_all(JobStatusUpdate, manager):
            assert said.status == self.bench.state(said.job).value

    def reload(self) -> None:
        names = self.random.choice([TYPES, TYPES, TYPES[:1]])
        self.bench.reload(*(job_type(name, script=self.random.choice(["a", "b"])) for name in names))
        self.bench.settle()

    def forget_offers(self) -> None:
        """A manager never answers: it has expired the offers, or was restarted."""
        self.offers.clear()

    # What managers hear

    def hear(self) -> None:
        """Let the managers take all that was said to them."""
        sent, self.bench.outbox.sent = self.bench.outbox.sent, []
        for manager, message in sent:
            match message:
                case JobOffer():
                    assert message.ready + message.waiting > 0
                    self.offers.append((manager, message))
                case JobAccepted():
                    assert not self.accepted & set(message.jobs)
                    self.accepted |= set(message.jobs)
                case JobDecline() if message.job not in self.accepted:
                    assert message.job not in self.declined
                    self.declined.add(message.job)
                case JobStatusUpdate():
                    self.hear_status(manager, message)
                case JobDecline():
                    is_back = message.reason == PAUSED or message.reason.startswith("the agent has no job type")
                    assert message.final or is_back
                    assert message.job not in self.refused
                    self.refused.add(message.job)
                case _:
                    raise AssertionError(f"{message} to {manager}")

    def hear_status(self, manager: str, said: JobStatusUpdate) -> None:
        assert self.placed[said.job] == manager
        assert said.job in self.accepted
        assert said.serial > self.serials[manager], "an update came twice, or in the wrong order"
        self.serials[manager] = said.serial
        before = self.status.get(said.job)
        assert before is None or before.status == "running", f"{said} after {before}"
        assert said.status == "running" or said.status in ENDS
        assert said.status != "running" or said.job in {order.job for order in self.bench.runner.started}
        self.status[said.job] = said

    # What must hold

    def check(self) -> None:
        settings, states = self.bench.settings, self.bench.states()
        running, queued, pending = (states.get(name, 0) for name in ("running", "queued", "pending"))
        assert running <= settings.slots
        assert pending <= settings.pending
        trials = len(self.bench.store.jobs.live_of(TRIAL))  # one takes a slot that may be offered already
        assert running + queued <= settings.slots + settings.backlog + settings.pending + trials
        is_paused = self.bench.store.facts.paused()
        assert not queued or (running == settings.slots and not is_paused), "a slot idles while a job is ready"
        room = self.bench.reactor._offers.look()
        assert room.ready >= -settings.pending - trials
        assert room.waiting >= -trials
        counted = self.bench.database.conn.execute("SELECT state, sum(jobs) FROM load GROUP BY state")
        assert {state: jobs for state, jobs in counted if jobs} == states
        for job in self.bench.store.jobs.running():
            assert job.job in {order.job for order in self.bench.runner.started}
        assert kept(self.bench) == in_rows(self.bench), "a change of demand was missed"

    def finish(self) -> None:
        """When the world calms down, every job ends, and every place is free again."""
        for manager in MANAGERS:
            for name in TYPES:
                self.bench.want_nothing(name, manager)
        self.bench.reload(*(job_type(name) for name in TYPES))
        self.bench.call(lambda _: self.bench.reactor.pause(on=False))
        self.offers.clear()
        for _ in range(100):
            for job in self.live():
                if self.bench.state(job) is JobState.PENDING:
                    self.bench.send(JobKill(job=job, reason="over"), manager=self.placed[job])
            for job in sorted(self.bench.runner.there):
                self.bench.end(job)
            self.hear()
            self.check()
            if not self.live():
                break
        assert self.live() == []
        self.bench.advance(VALID_FOR_S)
        self.hear()
        room = self.bench.reactor._offers.look()
        assert room.ready == self.bench.settings.slots + self.bench.settings.backlog
        assert room.waiting == self.bench.settings.pending
        assert list(self.bench.reactor.open_peers()) == []
        assert self.accepted | self.declined == set(self.placed)
        ended = {job for job, said in self.status.items() if said.status in ENDS}
        assert ended | self.refused == self.accepted
        assert not ended & self.refused

    def some_job(self, state: JobState) -> str | None:
        found = [job for job in self.live() if self.bench.state(job) is state]
        return self.random.choice(found) if found else None

    def jobs_of(self, manager: str) -> list[str]:
        found = self.bench.database.conn.execute("SELECT job FROM jobs WHERE manager = ? ORDER BY id", (manager,))
        return [job for (job,) in found]

    def live(self) -> list[str]:
        return [job for manager in (*MANAGERS, TRIAL) for job in self.bench.store.jobs.live_of(manager)]


@pytest.mark.parametrize("seed", range(60))
def test_promises_hold_whatever_happens(seed: int) -> None:
    Walk(seed).run()
