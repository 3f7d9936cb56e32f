#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]
//! What fires when a schedule is looked at: on time, late, after an outage, after a jump.

use evoke_model::{Millis, Timestamp};
use evoke_schedule::{Due, Schedule, Spec};

fn at(text: &str) -> Timestamp {
    format!("2026-01-{text}Z").parse().expect("a time")
}

/// A schedule of every minute with this policy.
fn minutely(missed: &str, max: u64, within: &str) -> Schedule {
    let spec = Spec {
        cron: Some("* * * * *"),
        missed: Some(missed),
        missed_max: Some(max),
        missed_within: Some(within),
        ..Spec::default()
    };
    Schedule::new(spec).expect("a schedule")
}

fn due(schedule: &Schedule, pending: &str, now: &str) -> Due {
    schedule.due(at(pending), at(now), Timestamp::EPOCH)
}

/// What is expected to fire.
type Fired = &'static [(&'static str, u32)];

/// What fires, as the time of day and how many were dropped.
fn fired(due: &Due) -> Vec<(String, u32)> {
    let time = |at: Timestamp| at.to_string()[11..19].to_owned();
    due.fire.iter().map(|occurrence| (time(occurrence.at), occurrence.missed)).collect()
}

fn pairs(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(time, missed)| ((*time).to_owned(), *missed)).collect()
}

#[test]
fn what_is_on_time_or_late_fires_whatever_the_policy() {
    for policy in ["skip", "last", "all"] {
        let schedule = minutely(policy, 5, "1h");
        for now in ["01T12:00:00", "01T12:00:00.000001", "01T12:00:10"] {
            let due = due(&schedule, "01T12:00:00", now);
            assert_eq!(fired(&due), pairs(&[("12:00:00", 0)]), "{policy} {now}");
            assert_eq!((due.skipped, due.next), (0, Some(at("01T12:01:00"))));
        }
    }
    let spec = Spec { every: Some("2s"), missed: Some("skip"), ..Spec::default() };
    let due = due(&Schedule::new(spec).unwrap(), "01T12:00:00", "01T12:00:09");
    let expected = ["12:00:00", "12:00:02", "12:00:04", "12:00:06", "12:00:08"];
    assert_eq!(fired(&due), pairs(&expected.map(|time| (time, 0))));
}

#[test]
fn what_was_missed_goes_by_the_policy() {
    // Five occurrences were missed, and one is late.
    const LATE: (&str, u32) = ("12:05:00", 0);
    let table: [(&str, u64, &str, Fired, u64); 7] = [
        ("skip", 5, "1h", &[LATE], 5),
        ("last", 5, "1h", &[("12:04:00", 4), LATE], 4),
        ("last", 5, "1m", &[LATE], 5),
        ("last", 5, "68s", &[("12:04:00", 4), LATE], 4),
        (
            "all",
            100,
            "1h",
            &[
                ("12:00:00", 0),
                ("12:01:00", 0),
                ("12:02:00", 0),
                ("12:03:00", 0),
                ("12:04:00", 0),
                LATE,
            ],
            0,
        ),
        ("all", 2, "1h", &[("12:03:00", 3), ("12:04:00", 0), LATE], 3),
        ("all", 100, "3m", &[("12:03:00", 3), ("12:04:00", 0), LATE], 3),
    ];
    for (policy, max, within, expected, skipped) in table {
        let due = due(&minutely(policy, max, within), "01T12:00:00", "01T12:05:08");
        assert_eq!(fired(&due), pairs(expected), "{policy} {max} {within}");
        assert_eq!((due.skipped, due.next), (skipped, Some(at("01T12:06:00"))));
    }
}

#[test]
fn ten_seconds_are_late_and_more_are_missed() {
    let schedule = minutely("skip", 1, "1h");
    assert_eq!(due(&schedule, "01T12:00:00", "01T12:00:10").fire.len(), 1);
    let missed = due(&schedule, "01T12:00:00", "01T12:00:10.000001");
    assert_eq!((missed.fire.len(), missed.skipped), (0, 1));
}

#[test]
fn a_clock_that_goes_back_waits_for_what_it_waited_for() {
    let schedule = minutely("all", 100, "1h");
    let due = due(&schedule, "01T12:00:00", "01T09:00:00");
    assert_eq!(due, Due { next: Some(at("01T12:00:00")), ..Due::default() });
}

#[test]
fn a_pending_occurrence_counts_whatever_the_schedule_says_by_now() {
    let schedule = minutely("last", 1, "1h");
    let moved = due(&schedule, "01T12:00:30", "01T12:00:30");
    assert_eq!(fired(&moved), pairs(&[("12:00:30", 0)]));
    let missed = due(&schedule, "01T12:00:30", "01T12:00:50");
    assert_eq!(fired(&missed), pairs(&[("12:00:30", 0)]));
    assert_eq!(missed.next, Some(at("01T12:01:00")));
}

#[test]
fn a_schedule_that_ends_says_so() {
    let spec = Spec { at: Some("2026-01-01T12:00:00Z"), ..Spec::default() };
    let once = Schedule::new(spec).unwrap();
    let late = due(&once, "01T12:00:00", "01T12:00:01");
    assert_eq!((fired(&late), late.next), (pairs(&[("12:00:00", 0)]), None));
    let within = due(&once, "01T12:00:00", "02T11:00:00");
    assert_eq!(fired(&within), pairs(&[("12:00:00", 0)]));
    let beyond = due(&once, "01T12:00:00", "02T13:00:00");
    assert_eq!((beyond.fire.len(), beyond.skipped, beyond.next), (0, 1, None));
}

#[test]
fn the_longest_outage_is_counted_exactly() {
    let table = [("* * * * * *", 1), ("0 0 * * *", 86_400), ("*/5 * * * * *", 5)];
    for (cron, every) in table {
        let spec = Spec {
            cron: Some(cron),
            missed: Some("all"),
            missed_max: Some(10_000),
            missed_within: Some("31d"),
            ..Spec::default()
        };
        let schedule = Schedule::new(spec).unwrap();
        let now: Timestamp = "2126-01-01T00:00:30Z".parse().unwrap();
        let pending = at("01T00:00:00");
        let due = schedule.due(pending, now, Timestamp::EPOCH);
        let total = due.fire.len() as u64 + due.skipped;
        let seconds = now.since(pending).as_secs();
        assert_eq!(total, seconds / every + 1, "{cron}");
        assert!(due.fire.len() <= 10_011 && due.fire.is_sorted_by_key(|fire| fire.at));
        assert!(due.fire.iter().all(|fire| now.minus(Millis::from_secs(31 * 86_400)) <= fire.at));
    }
}
