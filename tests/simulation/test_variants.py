"""Broken nodes must be caught, and the right ones pass the same schedules, or the simulation proves nothing."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tests.simulation import scenarios
from tests.simulation.plans import PLAIN
from tests.simulation.schedule import play
from tests.simulation.variants import VARIANTS

Schedule = Callable[[int], list[str]]


def plain(kind: str, seed: int) -> list[str]:
    """Play the schedule of a seed with the plainest of plans: small steps to where something is wrong."""
    return play(kind, seed, plans=PLAIN)


CAUGHT: Mapping[str, tuple[Schedule, range]] = {
    "acceptance_for_another_database_taken": (scenarios.agent_wiped_before_its_first_word, range(1)),
    "closed_job_still_counts": (partial(plain, "crashes"), range(2, 3)),
    "data_sent_only_once": (scenarios.agent_that_forgot_the_data, range(1)),
    "demand_said_only_once": (partial(plain, "network"), range(9, 10)),
    "id_not_compared_on_acknowledging": (partial(plain, "managers"), range(13, 14)),
    "id_not_compared_on_taking": (partial(plain, "managers"), range(37, 38)),
    "kills_dropped_when_deciding_fails": (scenarios.manager_forgotten, range(1)),
    "kill_ignored": (partial(plain, "managers"), range(1)),
    "memory_kept_over_a_rollback": (scenarios.disks_fail_all_the_time, range(1)),
    "missing_jobs_never_were": (partial(plain, "agents"), range(4, 5)),
    "no_link_reset": (partial(plain, "agents"), range(4, 5)),
    "no_reconciliation": (partial(plain, "managers"), range(1)),
    "old_attempt_fails_the_present_one": (partial(plain, "agents"), range(7, 8)),
    "older_copy_keeps_its_name": (scenarios.agent_restored_to_before_an_acceptance, range(1)),
    "other_attempts_not_killed": (scenarios.endless_attempt, range(1)),
    "puback_before_the_commit": (scenarios.triggers_said_once, range(8)),
    "published_before_the_commit": (scenarios.crashes_all_the_time, range(4)),
    "repeat_false_repeated": (partial(plain, "hosts"), range(5, 6)),
    "reservation_never_runs_out": (partial(plain, "managers"), range(3, 4)),
    "rows_deleted_at_puback": (scenarios.crashes_all_the_time, range(4)),
    "running_committed_after_the_start": (scenarios.crashes_all_the_time, range(4)),
    "running_said_is_kept": (scenarios.running_is_heard, range(1)),
    "savepoints_keep_memory": (scenarios.disks_fail_all_the_time, range(2, 3)),
    "second_completion_taken": (scenarios.endless_attempt, range(1)),
    "settled_packet_ids_kept": (scenarios.same_trigger_again, range(1, 2)),
    "silent_agent_never_given_up": (scenarios.agent_gone_for_good, range(1)),
    "started_again_after_a_crash": (scenarios.crashes_all_the_time, range(4)),
    "taken_committed_apart": (scenarios.crashes_all_the_time, range(4)),
    "what_the_keeper_knows_not_taken_over": (scenarios.agent_restored_to_before_a_start, range(1)),
    "what_runs_not_looked_for": (scenarios.crashes_all_the_time, range(4)),
}
"""Where each variant is caught: in some of these seeds."""


def test_every_variant_is_caught_somewhere() -> None:
    assert CAUGHT.keys() == VARIANTS.keys()


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_broken_node_is_caught(name: str) -> None:
    schedule, seeds = CAUGHT[name]
    with VARIANTS[name]():
        assert any(_goes_wrong(schedule, seed) for seed in seeds), f"the seeds {seeds} have not shown it"


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_right_nodes_pass_where_the_broken_one_is_caught(name: str) -> None:
    schedule, seeds = CAUGHT[name]
    assert [wrong for seed in seeds for wrong in schedule(seed)] == []


def _goes_wrong(schedule: Schedule, seed: int) -> bool:
    try:
        return bool(schedule(seed))
    except AssertionError:
        return True  # time stands still, or a decision finds what cannot be
