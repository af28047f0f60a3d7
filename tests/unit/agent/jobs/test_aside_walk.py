"""Walks: hosts come and go while jobs wait for room; no byte lies beyond it, and with all hosts there all jobs end.

What is broken on purpose must be caught.
"""

from collections.abc import Iterator
from random import Random

import pytest

from caroni_edge.agent.jobs.aside import IN_VAIN_S, Aside
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.port import ObjectFetched
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId, Held, PlacesSilent
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, job_type
from tests.variants import Variants, instead

STORE, TICK_S, TROUBLE, MOST = 10, IN_VAIN_S / 3, 60, 400
SEEDS, JOBS = 12, 4
HOSTS = ("h0", "h1", "h2")
VARIANTS = Variants()


class World:
    """An agent whose store is small, and hosts that come and go. A byte of a file comes with each tick."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.bench = Bench(types=[job_type("take", {"file": "File"})], slots=1, files_store_bytes=STORE)
        self.up = set(HOSTS)
        self.silent: frozenset[Peer] = frozenset()
        self.came: dict[FetchId, int] = {}
        self.held: set[FetchId] = set()
        self.jobs: dict[str, tuple[str, str]] = {}
        self.made = self.set_aside = 0

    def place(self) -> None:
        """Place a job that takes a file of some host."""
        self.made += 1
        size, manager, host = self.random.randint(1, STORE), self.random.choice(("m1", "m2")), self.random.choice(HOSTS)
        value = object_value(f"{self.made}.fits", Object(f"{self.made:064x}", size), "0" * 40)
        at = ObjectPlace(holder=f"agents/{host}", generation=1, ticket="2" * 64)
        workflow = f"w{self.made}"
        made = self.bench.new_job("take", inputs={"file": value}, places=(at,), workflow=workflow)
        (job,) = self.bench.place(made, manager=manager)
        self.jobs[job] = manager, workflow

    def tick(self) -> None:
        bench = self.bench
        bench.advance(TICK_S)
        silent = frozenset(Peer("agents", host) for host in HOSTS if host not in self.up)
        if silent != self.silent:
            self.silent = silent
            bench.call(lambda at: bench.reactor.on_news(PlacesSilent(silent), at))
        for fetch in [fetch for fetch in self.came if fetch not in bench.runner.fetching]:
            del self.came[fetch]
        for fetch, want in list(bench.runner.fetching.items()):
            if want.places:
                self.held.discard(fetch)
                self.come(want)
            elif fetch not in self.held:
                self.held.add(fetch)
                self.set_aside += 1
                bench.call(lambda at, fetch=fetch: bench.reactor.on_news(Held(fetch, self.came.get(fetch, 0)), at))
        for job in [job for job in self.jobs if bench.state(job) is JobState.RUNNING]:
            manager, workflow = self.jobs.pop(job)
            bench.end(job)
            bench.send(ObjectsDrop(workflow=workflow), manager=manager)

    def restart(self) -> None:
        """Begin a new process: what it does not want goes, and it hears anew of the rest."""
        self.bench.restart()
        self.held.clear()
        self.silent = frozenset()

    def come(self, want: Want) -> None:
        if not any(place.holder.node in self.up for place in want.places):
            return
        self.came[want.id] = self.came.get(want.id, 0) + 1
        lies = sum(self.came.values()) + self.bench.store.object_totals.of_all().size
        assert lies <= STORE, f"{lies} bytes lie where {STORE} may"
        if self.came[want.id] == want.object.size:
            found = Object(want.object.sha256, want.object.size)
            self.bench.call(lambda at: self.bench.reactor.on_news(ObjectFetched(want.id, found), at))
            self.came.pop(want.id)


def walk(seed: int) -> World:
    """Let hosts come and go, then be there for good; return how it has ended."""
    world = World(seed)
    for _ in range(TROUBLE):
        if len(world.jobs) < JOBS and world.random.random() < 0.4:
            world.place()
        if world.random.random() < 0.1:
            world.up ^= {world.random.choice(HOSTS)}
        if world.random.random() < 0.05:
            world.restart()
        world.tick()
    world.up = set(HOSTS)
    for _ in range(MOST):
        world.tick()
    assert not world.jobs, f"{len(world.jobs)} jobs wait for ever"
    return world


def walk_all() -> int:
    """Walk with some seeds; return how often something was set aside."""
    return sum(walk(seed).set_aside for seed in range(SEEDS))


def test_no_byte_lies_beyond_the_room_and_all_jobs_end() -> None:
    assert walk_all() > SEEDS


def _takes_nothing(aside: Aside, want: Want) -> int:
    return 0 if want.id in aside else want.object.size


@VARIANTS.add
def given_to_others_before_it_is_free() -> Iterator[None]:
    """What is set aside takes no room, though bytes may still come."""
    with instead(Aside, "is_being_set", lambda *_: False), instead(Aside, "takes", _takes_nothing):
        yield


@VARIANTS.add
def set_aside_for_ever() -> Iterator[None]:
    """What is set aside has no turn any more."""
    with instead(Aside, "is_being_set", lambda aside, fetch: fetch in aside):
        yield


@VARIANTS.add
def goes_on_without_room() -> Iterator[None]:
    """What has its turn again needs no room."""
    with instead(Aside, "lacks", _takes_nothing):
        yield


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_what_is_broken_is_caught(name: str) -> None:
    with VARIANTS[name](), pytest.raises(AssertionError):
        walk_all()
