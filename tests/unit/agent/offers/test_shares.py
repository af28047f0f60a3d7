"""Fair shares of slot-time, and the division of free places."""

from collections import Counter
from collections.abc import Callable, Iterable

from caroni_edge.agent.offers.shares import NEWEST_COUNTS, Claim, Places, Shares, distribute
from caroni_edge.agent.store.jobs import Running
from caroni_edge.base.memory import Journal


class Host:
    """Slots on simulated time, and managers that always have a ready job while they want to."""

    def __init__(self, slots: int, weights: dict[str, float], lasts_s: Callable[[str], float]) -> None:
        self.shares = Shares(lambda manager: weights.get(manager, 1.0), Journal())
        self.slots, self.lasts_s = slots, lasts_s
        self.now = 0.0
        self.ends: dict[Running, float] = {}
        self.had: Counter[str] = Counter()
        self.order: list[str] = []

    def run(self, until: float, ready: Iterable[str]) -> None:
        ready = sorted(ready)
        while True:
            for job in [job for job, end in self.ends.items() if end <= self.now]:
                del self.ends[job]
            self.shares.sync(self.ends, self.now)
            self.shares.enter(ready, self.now)
            while ready and len(self.ends) < self.slots:
                standings = self.shares.standings(ready, self.now)
                manager = min(ready, key=lambda name: (standings[name], name))
                job = Running(f"job{len(self.order)}", manager, manager)
                self.shares.start(job, self.now)
                self.ends[job] = self.now + self.lasts_s(manager)
                self.had[manager] += int(self.lasts_s(manager) * 1000)
                self.order.append(manager)
            following = min(self.ends.values(), default=until)
            if following >= until:
                self.now = until
                return
            self.now = following

    def part(self, manager: str) -> float:
        return self.had[manager] / self.had.total()


def test_equal_weights_get_equal_time_though_jobs_differ() -> None:
    host = Host(1, {}, {"long": 10.0, "short": 1.0}.__getitem__)
    host.run(2000.0, ["long", "short"])
    assert 0.48 < host.part("long") < 0.52


def test_time_is_shared_by_weight_on_one_slot_and_on_many() -> None:
    for slots in (1, 2, 7):
        host = Host(slots, {"m1": 2.0, "m2": 1.0}, {"m1": 1.0, "m2": 3.0}.__getitem__)
        host.run(3000.0, ["m1", "m2"])
        assert 0.64 < host.part("m1") < 0.69, slots


def test_slots_freed_at_once_are_shared_too() -> None:
    host = Host(8, {}, lambda _: 1.0)
    host.run(0.5, ["m1", "m2"])
    assert Counter(host.order) == {"m1": 4, "m2": 4}


def test_jobs_longer_than_thought_are_charged_while_they_run() -> None:
    host = Host(4, {}, {"endless": 1e6, "short": 1.0}.__getitem__)
    host.run(1000.0, ["endless", "short"])
    assert Counter(host.order)["endless"] in (2, 3)  # the third in the one moment when both had had the same


def test_who_had_no_ready_jobs_gains_no_credit() -> None:
    host = Host(1, {}, lambda _: 1.0)
    host.run(1000.0, ["m1"])
    host.order.clear()
    host.run(1020.0, ["m1", "m2"])
    assert abs(host.order.count("m1") - host.order.count("m2")) <= 2


def test_who_comes_when_nobody_is_there_begins_where_the_greatest_was() -> None:
    shares = Shares(lambda _: 1.0, Journal())
    for manager, lasts_s in (("m1", 5.0), ("m2", 20.0)):
        shares.start(Running(manager, manager, "t"), 0.0)
        shares.end([manager], lasts_s)
    shares.enter(["m3"], 20.0)
    assert shares.standings(["m3"], 20.0)["m3"] == 20.0


def test_nobody_is_behind_because_an_estimate_was_too_long() -> None:
    host = Host(2, {}, lambda _: 0.01)
    host.run(0.02, ["m1"])
    host.order.clear()
    host.run(0.2, ["m1", "m2"])
    assert abs(host.order[:20].count("m1") - host.order[:20].count("m2")) <= 3


def test_a_batch_rolled_back_charges_nobody() -> None:
    journal = Journal()
    shares = Shares(lambda _: 1.0, journal)
    shares.enter(["m1", "m2"], 0.0)
    journal.begin()
    before = shares.standings(["m1", "m2"], 5.0)
    shares.start(Running("a", "m1", "t"), 0.0)
    shares.sync([], 5.0)
    assert shares.standings(["m1", "m2"], 5.0) != before
    journal.go_back()
    assert shares.standings(["m1", "m2"], 5.0) == before


def test_the_estimate_follows_what_jobs_take() -> None:
    shares = Shares(lambda _: 1.0, Journal())
    for lasts_s, estimate_s in ((10.0, 10.0), (5.0, 10.0 - 5.0 * NEWEST_COUNTS)):
        shares.start(Running("a", "m1", "t"), 0.0)
        shares.end(["a"], lasts_s)
        assert shares.estimate_s("t") == estimate_s


def _divided(free: Places, claims: Iterable[Claim], standings: dict[str, float]) -> dict[tuple[str, str], int]:
    claims = list(claims)
    wanted = {name: frozenset(each.manager for each in claims if each.job_type == name) for _, name, *_ in claims}
    return distribute(free, wanted, lambda manager: (each for each in claims if each.manager == manager), standings)


def _claim(manager: str, job_type: str, places: int, priority: int = 4, occupied: int = 0) -> Claim:
    return Claim(manager, job_type, places, priority, occupied, cost=1.0)


def test_places_are_divided_by_standing_and_never_beyond_what_is_claimed() -> None:
    claims = [_claim("m1", "t", 10), _claim("m2", "t", 2)]
    assert _divided(Places(6), claims, {"m1": 0.0, "m2": 0.0}) == {("m1", "t"): 4, ("m2", "t"): 2}
    assert _divided(Places(3), claims, {"m1": 5.0, "m2": 0.0}) == {("m2", "t"): 2, ("m1", "t"): 1}
    assert _divided(Places(100), claims, {"m1": 0.0, "m2": 0.0}) == {("m1", "t"): 10, ("m2", "t"): 2}
    assert _divided(Places(0), claims, {"m1": 0.0, "m2": 0.0}) == {}
    assert _divided(Places(-1), claims, {"m1": 0.0, "m2": 0.0}) == {}


def test_within_a_manager_priority_decides_then_who_holds_least() -> None:
    claims = [_claim("m1", "low", 9, priority=1), _claim("m1", "high", 2, priority=9)]
    assert _divided(Places(3), claims, {"m1": 0.0}) == {("m1", "high"): 2, ("m1", "low"): 1}
    claims = [_claim("m1", "a", 9, occupied=2), _claim("m1", "b", 9)]
    assert _divided(Places(4), claims, {"m1": 0.0}) == {("m1", "a"): 1, ("m1", "b"): 3}
