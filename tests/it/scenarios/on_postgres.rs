//! Scenarios whose SQL is not the same in both dialects, or whose tables no other test on PostgreSQL
//! writes, played once more on PostgreSQL (`HALLKEEPER_TEST_POSTGRES`). Left out is what reads the
//! database's file.

use actix_web::rt::System;

use crate::harness::with_database;
use crate::postgres::Schema;

/// Plays a scenario whose servers keep their data in PostgreSQL.
fn on_postgres(scenario: fn()) {
    let Some(schema) = System::new().block_on(Schema::new()) else {
        return;
    };
    let played = std::panic::catch_unwind(|| with_database(&schema.url(), scenario));
    System::new().block_on(schema.drop());
    if let Err(failure) = played {
        std::panic::resume_unwind(failure);
    }
}

macro_rules! played {
    ($($module:ident: $($name:ident),+;)+) => {$(
        mod $module {
            $(#[test]
            fn $name() {
                super::on_postgres(crate::scenarios::$module::$name);
            })+
        }
    )+};
}

played! {
    telemetry:
        handling_items_count_visits_and_cases_query_items_visits_only,
        an_event_without_the_item_code_is_refused_by_name_and_the_others_are_kept;
    raters:
        a_silent_rater_becomes_one_text_message_and_one_failure_of_its_channel,
        a_rating_on_the_rater_is_kept_once_and_no_message_goes_out,
        an_invitation_outlives_a_crash_and_one_without_a_phone_is_left_to_the_slip,
        a_number_that_the_gateway_refuses_is_not_tried_again;
    device_use:
        one_silent_kiosk_of_twelve_is_one_alert_that_names_device_and_hall,
        a_kiosk_without_paper_is_one_alert_that_says_so,
        each_use_is_counted_once_over_repeated_reports_and_restarts,
        old_software_is_marked_against_the_newest_or_what_is_expected,
        counted_people_stand_beside_the_waiting_and_go_stale_after_a_minute;
    feeds:
        records_are_checked_corrected_or_held_back_with_their_originals,
        the_same_record_sent_again_is_stored_once,
        a_hall_streams_or_sends_on_schedule_and_figures_carry_their_time,
        missed_periods_are_counted_and_raise_one_alert,
        push_quality_tells_first_attempts_from_retries_and_names_what_failed,
        what_the_province_lacks_is_listed_with_its_reason,
        a_daily_exchange_that_is_late_says_by_how_much_and_alarms,
        what_was_sent_and_not_received_is_found,
        items_the_province_has_and_we_have_not_are_listed_and_not_made,
        an_item_promised_later_than_the_law_allows_is_an_anomaly,
        anomalies_are_counted_by_unit_with_the_share_that_is_fixed,
        a_synchronisation_that_lags_says_by_how_much_and_alarms,
        what_cannot_be_is_refused_and_nothing_changes;
    feed_rules:
        pushed_cases_that_the_province_does_not_acknowledge_alarm_until_it_does,
        contents_that_were_replaced_before_they_arrived_are_not_owed_any_more,
        licences_that_are_not_brought_up_to_date_alarm_after_a_day,
        licences_that_changed_long_ago_and_come_only_now_alarm;
    pushes:
        tickets_are_pushed_again_until_acknowledged_and_never_twice,
        a_ticket_of_an_unknown_window_is_held_as_a_problem_and_not_pushed,
        a_crash_while_pushing_loses_nothing_and_doubles_nothing,
        three_failed_synchronisations_in_a_row_alarm_and_a_retry_recovers;
    history:
        the_use_of_channels_adds_up_over_calls_that_left_the_history,
        summaries_of_calls_that_left_the_history_are_what_they_were,
        calls_are_told_line_by_line_and_each_bad_one_is_named,
        a_request_takes_many_calls_and_refuses_too_many,
        the_history_is_taken_out_as_csv;
}
