//! What every engine of the outbox does, through the port alone.
//!
//! `conformance!(make)` makes a test of each behaviour; `make` gives an empty outbox and something to keep while
//! it is used.

pub(crate) mod dedupe;
pub(crate) mod depth;
pub(crate) mod fixture;
pub(crate) mod fold;
pub(crate) mod holds;
pub(crate) mod order;
pub(crate) mod people;
pub(crate) mod sending;
pub(crate) mod standing;

macro_rules! conformance {
    ($make:path; $($behaviours:ident: $($name:ident),* $(,)?;)*) => {
        $($(
            #[tokio::test]
            async fn $name() {
                let (outbox, _kept) = $make();
                crate::outbox_conformance::$behaviours::$name(outbox).await;
            }
        )*)*
    };
    ($make:path) => {
        crate::outbox_conformance::conformance! { $make;
            order:
                deliveries_of_a_lane_go_out_one_by_one_in_order,
                lanes_do_not_wait_for_each_other,
                a_dead_head_lets_the_next_one_come_up,
                parts_go_out_in_order_and_before_younger_messages,
                a_split_message_starts_only_when_all_its_parts_fit,
                a_queue_counts_up_to_the_bound_only,
                waiting_tells_when_the_next_one_is_due,
                sixty_four_enqueues_at_once_all_get_a_place,
                what_is_purged_is_gone_and_its_number_is_not_reused,
                what_is_not_settled_is_never_purged,
                channels_are_those_with_something_unsettled,
                queues_take_turns_however_long_one_is,
                what_is_put_off_is_claimed_when_it_is_due,
                all_that_is_due_is_claimed_of_long_queues;
            dedupe:
                a_retried_notification_is_taken_once,
                the_copy_of_the_other_alertmanager_is_not_taken,
                a_repeat_after_the_window_is_taken,
                the_window_counts_from_the_first_acceptance,
                a_state_that_changed_and_came_back_is_news,
                a_source_that_survives_its_twin_is_heard,
                the_copies_of_a_whole_story_that_come_late_are_not_taken,
                a_clock_that_was_set_back_makes_no_duplicate_for_ever,
                what_has_no_key_is_always_taken,
                a_copy_is_known_after_the_purge_of_its_original;
            sending:
                what_is_claimed_is_given_to_nobody_else,
                two_claims_at_once_share_nothing,
                a_claim_carries_what_was_put_in,
                every_type_of_message_is_given_out_as_it_was_put_in,
                what_is_dead_from_the_start_is_kept_and_nothing_waits_for_it,
                what_was_in_flight_is_in_doubt_after_a_recovery,
                a_retry_waits_until_it_is_due,
                what_waits_for_a_moment_beyond_the_horizon_can_be_hastened,
                doubt_keeps_its_first_moment,
                what_was_refused_goes_out_with_other_words_in_its_place,
                the_duplicate_check_is_frozen_with_the_first_claim,
                an_equal_body_within_the_interval_gets_no_check,
                settling_twice_changes_nothing,
                counted_sends_are_remembered,
                a_claim_of_an_empty_queue_gives_nothing;
            standing:
                what_is_accepted_while_slots_are_lent_is_claimed_with_it,
                what_comes_when_all_slots_are_used_waits_for_a_claim,
                the_next_of_a_lane_is_claimed_with_the_end_of_the_one_before,
                nothing_is_claimed_for_slots_that_were_withdrawn,
                what_waits_is_claimed_with_whatever_is_written_next,
                what_was_given_up_or_put_off_meanwhile_is_not_claimed,
                what_is_due_later_is_told_with_the_slots_that_were_not_used,
                a_copy_takes_no_slot,
                what_was_claimed_with_its_acceptance_is_in_doubt_after_a_recovery;
            fold:
                whole_messages_behind_nothing_attempted_can_be_folded,
                a_digest_goes_out_in_the_place_of_its_members,
                nothing_of_a_members_lane_goes_out_before_the_digest_is_settled,
                members_die_with_their_digest,
                what_was_attempted_is_passed_over,
                a_member_whose_elder_is_left_out_is_passed_over,
                a_digest_without_members_is_not_made,
                a_digest_of_several_parts_is_settled_with_its_last,
                other_destinations_are_not_folded,
                a_digest_that_is_sent_again_tells_its_dead_members,
                all_dead_letters_are_sent_again_but_not_told_twice;
            holds:
                a_hold_is_kept_changed_and_released,
                a_receiver_is_told_once_of_a_hold,
                a_hold_that_ended_is_not_remembered_as_told,
                dead_letters_are_noticed_once,
                notices_that_die_are_not_noticed,
                a_digests_death_is_told_by_its_members;
            people:
                a_list_is_filtered_and_paged,
                a_delivery_is_shown_with_its_attempts,
                a_dead_letter_that_is_sent_again_goes_to_the_end_of_its_lane,
                what_waits_for_its_next_attempt_becomes_due_now,
                a_discarded_head_lets_the_next_one_come_up,
                what_is_in_flight_or_folded_is_not_discarded,
                what_is_unknown_is_said_to_be;
            depth:
                what_waits_is_counted_for_each_receiver_until_it_is_settled,
                what_is_sent_again_is_the_oldest_again,
                folded_messages_wait_until_their_digest_is_settled,
                what_people_give_up_while_it_waits_is_counted,
                a_receiver_that_changed_its_app_has_a_depth_at_each,
                tries_with_an_unknown_errcode_are_counted_apart;
        }
    };
}
pub(crate) use conformance;
