//! The behaviour of every engine of the outbox, through the port alone.
//!
//! `conformance!(make)` makes a test of each behaviour. `make` returns an empty outbox, and a value to keep while the
//! outbox is used.

pub(crate) mod cards;
pub(crate) mod dedupe;
pub(crate) mod depth;
pub(crate) mod fixture;
pub(crate) mod fold;
pub(crate) mod holds;
pub(crate) mod operators;
pub(crate) mod order;
pub(crate) mod presses;
pub(crate) mod sending;

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
                an_ordering_key_delivers_one_by_one_in_order,
                ordering_keys_do_not_wait_for_each_other,
                a_receiver_that_moved_does_not_wait_for_its_old_sender,
                the_next_delivery_is_ready_after_a_dead_letter,
                parts_are_sent_in_order_and_before_later_notifications,
                a_split_text_starts_only_when_all_its_parts_fit,
                a_queue_is_counted_up_to_the_bound,
                waiting_has_the_time_of_the_next_due_delivery,
                concurrent_enqueues_all_get_a_place,
                purged_deliveries_are_gone_and_numbers_never_return,
                an_unsettled_delivery_is_never_purged,
                senders_are_those_with_unsettled_deliveries,
                scheduled_has_every_destination_with_its_first_due_time,
                waiting_looks_only_at_the_given_destinations,
                changes_name_the_destinations_that_may_have_more,
                a_postponed_delivery_is_claimed_when_it_is_due,
                long_queues_are_claimed_completely_and_in_order;
            dedupe:
                a_repeated_webhook_is_a_duplicate,
                a_pair_that_reports_each_change_has_one_notification_for_each,
                a_repeat_after_the_window_is_accepted,
                the_window_counts_from_the_first_acceptance,
                an_alert_that_changes_back_is_accepted,
                ordering_keys_have_their_own_duplicates,
                a_clock_that_was_set_back_does_not_drop_alerts,
                a_notification_without_a_key_is_always_accepted,
                a_duplicate_is_known_after_its_original_was_purged,
                notifications_of_one_webhook_are_accepted_together;
            sending:
                a_claimed_delivery_is_not_claimed_again,
                two_claims_at_once_share_no_delivery,
                a_claim_carries_the_stored_notification,
                every_message_type_is_returned_as_it_was_stored,
                groups_are_returned_as_they_were_stored,
                a_notification_stored_dead_blocks_nothing,
                acquire_makes_deliveries_in_flight_unconfirmed,
                a_retry_waits_until_it_is_due,
                a_delivery_stays_unconfirmed_since_its_first_attempt,
                replaced_content_is_sent_in_the_same_place,
                acquire_recovers_only_its_sender,
                senders_that_swap_their_names_keep_their_queues,
                merged_senders_deliver_both_queues,
                a_renamed_sender_keeps_its_order_and_its_duplicates,
                a_dead_letter_of_a_renamed_sender_is_requeued_to_it,
                recovered_deliveries_go_before_waiting_ones,
                equal_messages_have_the_same_body_hash,
                a_settlement_of_an_earlier_claim_changes_nothing,
                settling_twice_changes_nothing,
                counted_sends_are_remembered,
                a_claim_of_an_empty_queue_returns_nothing;
            fold:
                foldable_notifications_are_never_behind_an_attempted_one,
                a_digest_is_sent_in_place_of_its_members,
                the_keys_of_members_wait_until_the_digest_is_settled,
                members_die_with_their_digest,
                an_attempted_notification_is_not_folded,
                a_digest_without_members_is_not_created,
                a_digest_of_several_parts_is_settled_with_its_last_part,
                other_destinations_are_not_folded,
                a_requeued_digest_delivers_its_dead_members,
                requeueing_all_skips_digests_of_requeued_members,
                the_members_of_an_undone_digest_wait_in_their_places,
                digests_are_halved_until_a_member_stands_alone,
                a_digest_with_a_delivered_part_is_not_undone,
                an_undone_digest_takes_its_other_parts_along,
                a_requeued_digest_is_not_undone,
                a_requeued_notification_is_not_folded;
            holds:
                a_hold_is_stored_changed_and_deleted,
                a_receiver_is_notified_once_of_a_hold,
                a_notice_of_an_ended_hold_does_not_count_for_the_next,
                dead_letters_are_reported_once,
                a_dead_notice_is_not_reported,
                a_dead_digest_is_reported_by_its_members;
            operators:
                a_list_is_filtered_and_paged,
                a_list_is_searched_by_words_sender_and_group,
                words_are_found_in_texts_and_not_in_codes,
                a_list_can_start_with_the_newest_delivery,
                the_secret_for_the_console_stays_the_same,
                a_delivery_is_shown_with_its_attempts,
                a_requeued_dead_letter_is_last_of_its_ordering_key,
                a_requeued_ready_delivery_is_due_now,
                the_next_delivery_is_ready_after_a_discarded_one,
                deliveries_in_flight_or_folded_are_not_discarded,
                an_unknown_delivery_is_reported_as_unknown;
            cards:
                an_update_gets_the_open_cards_of_its_group,
                an_update_gets_many_open_cards,
                each_batch_of_an_update_gets_its_own_cards,
                a_batch_without_a_card_gets_none,
                a_plain_copy_is_no_batch_of_an_update,
                a_group_closes_with_the_last_part_of_its_end,
                a_requeued_end_changes_no_newer_card,
                a_requeued_repetition_changes_no_newer_card,
                a_requeued_digest_closes_no_newer_card,
                only_a_code_that_may_be_used_is_in_doubt,
                a_kill_leaves_the_codes_of_the_batch_in_doubt,
                a_code_that_another_update_may_have_used_is_new,
                a_code_that_two_updates_may_have_used_stays_new,
                a_response_code_is_valid_for_three_days,
                a_spent_code_is_not_given_again,
                a_late_settlement_spends_no_code,
                a_resolved_notification_closes_the_cards_of_its_group,
                a_recalled_card_is_not_updated,
                a_resolved_notification_that_dies_closes_nothing,
                an_update_that_is_sent_as_a_card_is_an_open_card,
                a_card_that_got_no_code_is_closed_with_its_group,
                an_update_with_the_code_of_a_press_needs_no_cards,
                an_update_behind_the_end_of_its_group_is_discarded,
                an_update_of_a_recalled_card_is_discarded,
                only_a_card_with_labels_is_remembered,
                a_card_that_became_a_text_is_no_open_card,
                an_update_of_a_card_is_not_folded,
                the_update_of_an_undone_digest_is_sent_after_its_card,
                a_delivered_digest_closes_the_cards_of_its_resolved_members,
                a_purged_delivery_takes_its_card_along,
                a_renamed_sender_keeps_its_cards,
                a_recalled_message_is_shown_as_recalled,
                a_card_stored_dead_is_known_when_it_is_requeued;
            presses:
                a_press_is_claimed_with_its_card,
                a_press_that_comes_again_is_a_duplicate,
                presses_at_once_are_stored_once,
                a_press_of_an_unknown_card_has_no_card,
                a_press_of_a_closed_card_says_so,
                a_press_of_a_changed_card_has_what_it_shows,
                a_press_after_a_replaced_update_has_what_is_shown,
                a_press_of_a_purged_card_has_no_card,
                the_longest_due_press_is_claimed_first,
                a_claimed_press_is_claimed_again_after_its_deadline,
                a_press_is_not_claimed_twice_at_once,
                a_press_waits_for_earlier_ones_of_its_card,
                a_closed_card_is_not_updated_by_a_press,
                a_settled_press_stores_its_notifications_and_its_action,
                notifications_of_a_press_are_accepted_like_others,
                presses_are_shown_with_their_results,
                settled_presses_are_purged_and_others_are_not,
                a_renamed_sender_keeps_its_presses,
                a_silenced_card_is_watched_until_it_ends,
                a_late_look_at_a_watched_card_changes_nothing,
                the_absence_of_alerts_is_kept_with_the_watch,
                a_watched_card_that_resolves_stores_one_notification,
                the_watch_of_a_card_ends_with_its_group,
                the_longest_silence_of_a_card_is_watched,
                watched_cards_are_bounded_and_the_longest_due_come_first;
            depth:
                unsettled_deliveries_are_counted_by_receiver,
                a_requeued_delivery_is_the_oldest_again,
                members_count_until_their_digest_is_settled,
                discarded_unsettled_deliveries_are_counted,
                a_receiver_that_changed_its_app_has_two_depths,
                attempts_with_an_unknown_errcode_are_counted_apart;
        }
    };
}
pub(crate) use conformance;
