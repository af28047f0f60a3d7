"""Broken nodes must be caught, and the right ones pass the same schedules, or the simulation proves nothing."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tests.simulation import cramped, filed, handed, handover, insides, needs, restores, rush, scenarios, stolen
from tests.simulation.cramped import CRAMPED
from tests.simulation.plans import FILED, FROM_OUTSIDE, PLAIN, SCRIPTS
from tests.simulation.schedule import play
from tests.simulation.variants import VARIANTS

Schedule = Callable[[int], list[str]]


def plain(kind: str, seed: int) -> list[str]:
    """Play the schedule of a seed with the plainest of plans: small steps to where something is wrong."""
    return play(kind, seed, plans=PLAIN)


def with_files(kind: str, seed: int) -> list[str]:
    """Play the schedule of a seed with plans that have large files."""
    return play(kind, seed, plans=FILED)


def from_outside(kind: str, seed: int) -> list[str]:
    """Play the schedule of a seed with plans that take files from addresses."""
    return play(kind, seed, plans=FROM_OUTSIDE)


def scripted(kind: str, seed: int) -> list[str]:
    """Play the schedule of a seed with plans that have JavaScript."""
    return play(kind, seed, plans=SCRIPTS)


CAUGHT: Mapping[str, Schedule] = {
    "lost_here_is_lost_in_the_bucket": filed.depot_wiped_but_for_its_bucket,
    "never_brought_back": filed.depot_wiped_but_for_its_bucket,
    "acceptance_for_another_database_taken": restores.agent_wiped_before_its_first_word,
    "adopted_whoever_may_take_the_step": stolen.claim_of_a_step,
    "answers_taken_by_name": handover.manager_restored,
    "asked_anew_before_the_end_is_heard": handover.givers_fail_before_their_takers_come,
    "bad_files_told_without_their_directories": insides.files_of_directories_damaged,
    "begun_anew_after_each_cut": filed.cut_and_killed_while_a_file_comes,
    "brought_directories_begin_with_their_lists": insides.brought_by_who_submits,
    "brought_directories_fetched_as_files": insides.brought_by_who_submits,
    "brought_forgotten_at_a_start": insides.brought_by_who_submits,
    "checksum_not_compared": partial(from_outside, "files"),
    "claimed_serial_is_taken_over": partial(play, "hostile"),
    "closed_job_still_counts": partial(plain, "crashes"),
    "data_sent_only_once": scenarios.agent_that_forgot_the_data,
    "demand_said_only_once": partial(plain, "network"),
    "demand_seldom_said": rush.much_at_once,
    "depots_by_their_own_word": filed.nobody_names_a_depot,
    "depots_hear_of_no_end": filed.handed_on_by_a_depot,
    "depots_not_asked_again": filed.depot_restored_to_before_a_promise,
    "directories_stay_without_a_file": insides.files_of_directories_damaged,
    "directories_whole_with_their_lists": insides.directories_at_a_depot,
    "drained_hosts_keep_their_files": filed.drained_before_it_goes,
    "fetched_from_anywhere": partial(from_outside, "files"),
    "files_given_again_count_twice": filed.damaged_at_its_holder,
    "files_of_directories_are_cache": insides.kept_as_long_as_their_directory,
    "files_of_directories_not_given": insides.cut_and_killed_while_a_directory_comes,
    "given_back_without_a_word": scenarios.late_agent,
    "given_without_a_reference": filed.stranger_with_a_ticket,
    "givers_not_looked_for": handover.givers_fail_before_their_takers_come,
    "handed_over_again_after_other_inputs": handover.history_forgotten,
    "handed_over_before_the_restart_starts_after_it": handed.much_waits_at_keepers,
    "hash_is_a_right": partial(with_files, "hostile"),
    "hash_not_compared": filed.rebooted_while_a_file_comes,
    "held_back_for_all_until_answered": stolen.never_answers,
    "held_before_it_is_in_the_bucket": filed.depot_wiped_but_for_its_bucket,
    "held_begin_in_another_order": partial(plain, "users"),
    "held_here_is_never_begun_elsewhere": restores.manager_restored_to_before_a_resume,
    "held_is_said_before_it_has_come": filed.handed_on_by_a_depot,
    "held_without_a_reference": filed.handed_on_by_a_depot,
    "holder_never_looks": filed.damaged_at_its_holder,
    "id_not_compared_on_acknowledging": partial(plain, "managers"),
    "id_not_compared_on_taking": partial(plain, "managers"),
    "inputs_compared_of_takers_only": handover.history_forgotten,
    "javascript_is_asked_for_once": partial(scripted, "crashes"),
    "key_said_only_once": filed.key_forgotten,
    "jobs_that_have_ended_keep_their_files": partial(play, CRAMPED),
    "kill_ignored": partial(plain, "managers"),
    "killed_at_once_though_handed_over": handed.much_waits_at_keepers,
    "kills_dropped_when_deciding_fails": scenarios.manager_forgotten,
    "late_jobs_kept": scenarios.late_agent,
    "looks_forgotten_at_a_start": insides.managers_die_while_they_look,
    "loss_of_what_is_looked_into_not_noticed": insides.managers_die_while_they_look,
    "lost_place_kept": filed.damaged_at_its_holder,
    "managers_keep_without_a_reference": insides.lists_made_by_a_manager_stay,
    "managers_never_look_at_their_own": insides.managers_die_while_they_look,
    "memory_kept_over_a_rollback": scenarios.disks_fail_all_the_time,
    "missing_jobs_never_were": partial(plain, "agents"),
    "needed_files_are_collected": partial(with_files, "crashes"),
    "needs_that_are_taken_do_not_count": needs.much_is_needed,
    "no_link_reset": partial(plain, "agents"),
    "no_reconciliation": partial(plain, "managers"),
    "no_record_means_never_started_in_any_boot": handed.much_waits_at_keepers,
    "nothing_asked_of_who_seems_away": insides.presence_lost,
    "offer_that_stands_takes_the_place_of_another": rush.offers_that_meet,
    "offers_counted_in_full": stolen.more_than_it_shows,
    "old_attempt_fails_the_present_one": partial(plain, "agents"),
    "older_copy_keeps_its_name": restores.agent_restored_to_before_an_acceptance,
    "only_lists_of_directories_looked_at": insides.files_of_directories_damaged,
    "other_attempts_not_killed": scenarios.endless_attempt,
    "other_inputs_use_up_an_attempt": handover.jobs_fail,
    "others_come_first_for_ever": stolen.never_offers,
    "outputs_go_with_the_rest": partial(with_files, "crashes"),
    "outputs_that_managers_made_not_made_again": insides.output_of_a_manager_lost,
    "outputs_wait_for_the_manager": handover.manager_away,
    "pending_takers_not_adopted": handover.manager_restored_to_before_the_placing,
    "places_of_one_type_offered_for_another": rush.much_at_once,
    "places_kept_though_answered": rush.much_at_once,
    "placed_where_the_host_is_not_listed": partial(from_outside, "files"),
    "promises_forgotten_at_a_start": filed.handed_on_by_a_depot,
    "puback_before_the_commit": scenarios.triggers_said_once,
    "published_before_the_commit": scenarios.crashes_all_the_time,
    "recall_unanswered": handed.much_waits_at_keepers,
    "recalled_without_waiting_for_the_answer": handed.much_waits_at_keepers,
    "repeat_false_repeated": partial(plain, "hosts"),
    "reservation_never_runs_out": partial(plain, "managers"),
    "result_of_other_inputs_taken": handover.other_results,
    "room_kept_for_who_is_silent": cramped.room_is_for_who_can_use_it,
    "rows_deleted_at_puback": scenarios.crashes_all_the_time,
    "running_committed_after_the_start": scenarios.crashes_all_the_time,
    "running_said_is_kept": scenarios.running_is_heard,
    "savepoints_keep_memory": scenarios.disks_fail_all_the_time,
    "second_completion_taken": scenarios.endless_attempt,
    "settled_packet_ids_kept": scenarios.same_trigger_again,
    "silent_agent_never_given_up": scenarios.agent_gone_for_good,
    "size_known_of_makers_alone": insides.wanted_by_people_from_a_depot,
    "staging_holds_a_slot": filed.others_run_while_a_file_comes,
    "started_again_after_a_crash": scenarios.crashes_all_the_time,
    "status_of_anybody_taken": stolen.result_of_another,
    "statuses_taken_while_asked": scenarios.answer_in_pieces,
    "steps_left_of_what_was_deleted": partial(plain, "users"),
    "strays_only_killed": restores.manager_restored_while_a_job_runs,
    "strays_that_have_ended_left_alone": restores.manager_restored_when_a_job_has_failed,
    "taken_back_by_assuming": restores.manager_restored_while_an_agent_is_away,
    "taken_committed_apart": scenarios.crashes_all_the_time,
    "takers_not_recalled": handover.givers_fail_before_their_takers_come,
    "takers_outlive_their_givers": handover.jobs_fail,
    "takers_taken_back_by_assuming": handover.other_results,
    "ticket_not_compared": partial(with_files, "hostile"),
    "unacknowledged_messages_kept": stolen.never_acknowledges,
    "waiting_for_addresses_forgotten_at_a_start": partial(from_outside, "files"),
    "wanted_files_forgotten_at_a_start": filed.cut_and_killed_while_a_file_comes,
    "what_managers_made_not_made_again": insides.managers_die_while_they_look,
    "what_runs_not_looked_for": scenarios.crashes_all_the_time,
    "what_the_keeper_knows_not_taken_over": restores.agent_restored_to_before_a_start,
    "workflows_end_without_what_managers_made": insides.output_of_a_manager_lost,
}
"""Where each variant is caught: in one of the first `SEEDS`, whatever else may shift what a seed brings."""

SEEDS = 100


def test_every_variant_is_caught_somewhere() -> None:
    assert CAUGHT.keys() == VARIANTS.keys()


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_broken_node_is_caught_where_the_right_one_passes(name: str) -> None:
    schedule = CAUGHT[name]
    with VARIANTS[name]():
        seed = next((seed for seed in range(SEEDS) if _goes_wrong(schedule, seed)), None)
    assert seed is not None, f"{SEEDS} schedules have not shown it"
    assert schedule(seed) == []


def _goes_wrong(schedule: Schedule, seed: int) -> bool:
    try:
        return bool(schedule(seed))
    except AssertionError:
        return True  # time stands still, or a decision finds what cannot be
