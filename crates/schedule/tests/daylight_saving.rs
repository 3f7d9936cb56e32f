#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]
//! Each rule for changes of the clock, by example, in zones that are all there is of strange ones.

use evoke_model::Timestamp;
use evoke_schedule::{Schedule, Spec};

/// What fires from an instant on, for as many times as are expected.
fn fires(cron: &str, zone: &str, from: &str, expected: &[&str]) {
    let spec = Spec { cron: Some(cron), timezone: Some(zone), ..Spec::default() };
    let schedule = Schedule::new(spec).expect("a schedule");
    let end = Timestamp::from_micros(i64::MAX);
    let found: Vec<String> = schedule
        .between(from.parse().expect("a time"), end, Timestamp::EPOCH)
        .take(expected.len())
        .map(|at| at.to_string())
        .collect();
    assert_eq!(found, expected, "{cron} in {zone}");
}

#[test]
fn a_time_that_is_left_out_fires_right_after_the_gap() {
    let (zone, from) = ("America/New_York", "2026-03-08T05:00:00Z");
    fires("30 2 * * *", zone, from, &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    fires("59 59 2 * * *", zone, from, &["2026-03-08T07:00:00Z", "2026-03-09T06:59:59Z"]);
    // However many times are left out, they are one firing; a time of the next minute is its own.
    fires("*/10 2 * * *", zone, from, &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"]);
    fires("30 2,3 * * *", zone, from, &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]);
    fires("0 2,3 * * *", zone, from, &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"]);
    // The day that counts is the one of the time, not the one of the firing.
    fires("30 2 * * SUN", zone, from, &["2026-03-08T07:00:00Z", "2026-03-15T06:30:00Z"]);
    fires("30 2 9 3 *", zone, from, &["2026-03-09T06:30:00Z"]);
}

#[test]
fn a_time_that_comes_twice_fires_the_first_time() {
    let (zone, from) = ("America/New_York", "2026-11-01T04:00:00Z");
    fires("30 1 * * *", zone, from, &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    fires("0 1,2 * * *", zone, from, &["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"]);
    let second_hour = "2026-11-01T06:00:00Z";
    fires("30 1 * * *", zone, second_hour, &["2026-11-02T06:30:00Z"]);
}

#[test]
fn a_rhythm_runs_through() {
    let twice = ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z"];
    fires("*/30 * * * *", "America/New_York", twice[0], &twice);
    fires("0,30 */1 * * *", "America/New_York", twice[0], &twice);
    let gap = ["2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"];
    fires("*/30 * * * *", "America/New_York", gap[0], &gap);
    // 02:15 does not exist, and nothing is made up for it.
    let steps = ["2026-03-08T05:15:00Z", "2026-03-08T08:15:00Z", "2026-03-08T10:15:00Z"];
    fires("15 */2 * * *", "America/New_York", steps[0], &steps);
    // What comes again is not passed over on the way to an occurrence a year later.
    let again = ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2027-11-01T05:30:00Z"];
    fires("30 1-1/1 1 11 *", "America/New_York", "2026-11-01T05:15:00Z", &again);
    let last = ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"];
    fires("0 30 1-1/1 1 11 * 2026", "America/New_York", "2026-01-01T00:00:00Z", &last);
}

#[test]
fn clocks_change_by_half_an_hour() {
    let zone = "Australia/Lord_Howe";
    let forward = ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
    fires("15 2 * * *", zone, "2026-10-03T14:00:00Z", &forward);
    let back = ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
    fires("45 1 * * *", zone, "2026-04-04T14:00:00Z", &back);
    let rhythm = ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"];
    fires("45 * * * *", zone, "2026-04-04T14:00:00Z", &rhythm);
}

#[test]
fn clocks_are_three_quarters_of_an_hour_from_others() {
    let forward = ["2026-09-26T14:00:00Z", "2026-09-27T13:15:00Z"];
    fires("0 3 * * *", "Pacific/Chatham", "2026-09-26T12:00:00Z", &forward);
    fires("0 0 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", &["2026-01-01T18:15:00Z"]);
}

#[test]
fn clocks_change_by_two_hours() {
    let forward = ["2025-03-30T01:00:00Z", "2025-03-30T01:30:00Z", "2025-03-31T00:30:00Z"];
    fires("30 1,2,3 * * *", "Antarctica/Troll", "2025-03-30T01:00:00Z", &forward[..2]);
    let back = ["2025-10-26T00:30:00Z", "2025-10-27T02:30:00Z"];
    fires("30 2 * * *", "Antarctica/Troll", "2025-10-25T22:00:00Z", &back);
}

#[test]
fn days_begin_in_a_gap_or_end_twice() {
    let forward = ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"];
    fires("0 0 * * *", "America/Sao_Paulo", "2018-11-04T00:00:00Z", &forward);
    let back = ["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"];
    fires("30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z", &back);
    // The gap goes over midnight, so that 23:30 of one day fires at the beginning of the next.
    let over = ["2018-05-04T15:00:00Z", "2018-05-05T14:30:00Z"];
    fires("30 23 * * *", "Asia/Pyongyang", "2018-05-04T12:00:00Z", &over);
}

#[test]
fn whole_days_are_left_out() {
    // Samoa had no 30 December 2011, a Friday, and Kwajalein no 21 August 1993, a Saturday.
    let apia = ["2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"];
    fires("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", &apia);
    let friday = ["2011-12-30T10:00:00Z", "2012-01-05T19:00:00Z"];
    fires("0 9 * * FRI", "Pacific/Apia", "2011-12-29T12:00:00Z", &friday);
    let hourly = ["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"];
    fires("0 * * * *", "Pacific/Apia", hourly[0], &hourly);
    let kwajalein = ["1993-08-21T12:00:00Z", "1993-08-22T12:00:00Z"];
    fires("0 0 * * *", "Pacific/Kwajalein", "1993-08-21T11:00:00Z", &kwajalein);
}

#[test]
fn winter_time_may_be_the_exception() {
    // Ireland has its standard time in summer, Morocco sets its clock back for Ramadan.
    let dublin = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    fires("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", &dublin);
    let back = ["2025-02-23T01:30:00Z", "2025-02-24T02:30:00Z"];
    fires("30 2 * * *", "Africa/Casablanca", "2025-02-22T12:00:00Z", &back);
    let forward = ["2025-04-06T02:00:00Z", "2025-04-07T01:30:00Z"];
    fires("30 2 * * *", "Africa/Casablanca", "2025-04-05T12:00:00Z", &forward);
}

#[test]
fn the_far_future_goes_by_todays_rules() {
    let berlin = ["2199-03-31T01:00:00Z", "2199-04-01T00:30:00Z"];
    fires("30 2 * * *", "Europe/Berlin", "2199-03-30T12:00:00Z", &berlin);
}
