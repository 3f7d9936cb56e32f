#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]
//! Everything a trigger may say beside its cron expression: read, refused, obeyed.

use evoke_model::{Millis, Problem, Timestamp};
use evoke_schedule::{Missed, Schedule, Spec, WITHIN_DEFAULT, When, Zone};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn every(text: &str) -> Spec<'_> {
    Spec { every: Some(text), ..Spec::default() }
}

fn cron(text: &str) -> Spec<'_> {
    Spec { cron: Some(text), ..Spec::default() }
}

fn single(text: &str) -> Spec<'_> {
    Spec { at: Some(text), ..Spec::default() }
}

fn list(spec: Spec<'_>, from: &str, to: &str, anchor: &str) -> Vec<String> {
    let schedule = Schedule::new(spec).expect("a schedule");
    schedule.between(at(from), at(to), at(anchor)).map(|at| at.to_string()).collect()
}

#[test]
fn intervals_count_from_their_anchor_in_both_directions() {
    let anchor = "2026-01-01T00:00:30Z";
    let found = list(every("20m"), "2025-12-31T23:30:00Z", "2026-01-01T00:40:30Z", anchor);
    let expected = ["2025-12-31T23:40:30Z", "2026-01-01T00:00:30Z", "2026-01-01T00:20:30Z"];
    assert_eq!(found, expected);
    // The start, where there is one, is the anchor and the first occurrence.
    let spec = Spec { start: Some("2026-01-01T00:15:00Z"), ..every("20m") };
    let found = list(spec, "2025-12-31T00:00:00Z", "2026-01-01T00:40:00Z", anchor);
    assert_eq!(found, ["2026-01-01T00:15:00Z", "2026-01-01T00:35:00Z"]);
}

#[test]
fn intervals_are_elapsed_time() {
    let spec =
        Spec { start: Some("2026-03-28T09:00:00"), timezone: Some("Europe/Berlin"), ..every("1d") };
    let found = list(spec, "2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z", "2026-01-01T00:00:00Z");
    let expected = ["2026-03-28T08:00:00Z", "2026-03-29T08:00:00Z", "2026-03-30T08:00:00Z"];
    assert_eq!(found, expected);
}

#[test]
fn a_single_instant_comes_once() {
    let schedule = Schedule::new(single("2026-12-01T09:00:00+01:00")).unwrap();
    assert_eq!(schedule.when(), &When::At(at("2026-12-01T08:00:00Z")));
    let next = |after| schedule.next_after(at(after), Timestamp::EPOCH);
    assert_eq!(next("2026-01-01T00:00:00Z"), Some(at("2026-12-01T08:00:00Z")));
    assert_eq!(next("2026-12-01T08:00:00Z"), None);
    let spec = Spec { timezone: Some("America/New_York"), ..single("2026-03-08T02:30:00") };
    let gap = Schedule::new(spec).unwrap();
    assert_eq!(gap.when(), &When::At(at("2026-03-08T07:00:00Z")));
}

#[test]
fn bounds_are_part_of_the_schedule() {
    let spec = Spec {
        start: Some("2026-01-02"),
        end: Some("2026-01-03"),
        timezone: Some("Asia/Tokyo"),
        ..cron("0 */12 * * *")
    };
    let everything = ("1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z");
    let found = list(spec, everything.0, everything.1, everything.0);
    let expected = [
        "2026-01-01T15:00:00Z",
        "2026-01-02T03:00:00Z",
        "2026-01-02T15:00:00Z",
        "2026-01-03T03:00:00Z",
    ];
    assert_eq!(found, expected);
    let exact = Spec {
        start: Some("2026-01-01T00:00:00Z"),
        end: Some("2026-01-01T12:00:00Z"),
        ..cron("0 */12 * * *")
    };
    let found = list(exact, everything.0, everything.1, everything.0);
    assert_eq!(found, ["2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"]);
}

#[test]
fn instants_are_told_to_the_microsecond() {
    let schedule = Schedule::new(cron("* * * * *")).unwrap();
    let next = |after| schedule.next_after(at(after), Timestamp::EPOCH).unwrap().to_string();
    assert_eq!(next("2026-01-01T00:00:00Z"), "2026-01-01T00:01:00Z");
    assert_eq!(next("2026-01-01T00:00:59.999999Z"), "2026-01-01T00:01:00Z");
    assert_eq!(next("2025-12-31T23:59:59.999999Z"), "2026-01-01T00:00:00Z");
    assert_eq!(next("1900-01-01T00:00:00Z"), "1970-01-01T00:00:00Z");
}

#[test]
fn the_end_of_the_years_ends_every_schedule() {
    let last = at("2199-12-31T23:59:59Z");
    for spec in [cron("* * * * * *"), every("1s")] {
        let schedule = Schedule::new(spec).unwrap();
        assert_eq!(schedule.next_after(last.minus(Millis::new(1)), Timestamp::EPOCH), Some(last));
        assert_eq!(schedule.next_after(last, Timestamp::EPOCH), None);
        let forever = Timestamp::from_micros(i64::MAX);
        assert_eq!(schedule.next_after(forever, forever), None);
        let everything = schedule.count(Timestamp::from_micros(i64::MIN), forever, forever);
        assert!(everything.abs_diff(230 * 365 * 86_400) < 60 * 86_400);
    }
}

#[test]
fn schedules_say_what_they_are() {
    let table = [
        (cron(" 0  9 * * MON-FRI "), "0 9 * * MON-FRI"),
        (cron("@daily"), "@daily"),
        (cron("@every 1h30m"), "every 90m"),
        (every("300"), "every 5m"),
        (single("2026-12-01T09:00:00+01:00"), "at 2026-12-01T08:00:00Z"),
    ];
    for (spec, text) in table {
        assert_eq!(Schedule::new(spec).unwrap().to_string(), text);
    }
    let spec = Spec { timezone: Some("europe/berlin"), ..cron("@daily") };
    assert_eq!(Schedule::new(spec).unwrap().zone().name(), "Europe/Berlin");
    assert_eq!(Schedule::new(cron("@daily")).unwrap().zone(), &Zone::utc());
}

#[test]
fn policies_have_defaults_and_bounds() {
    let missed = |missed, missed_max, missed_within| {
        let spec = Spec { missed, missed_max, missed_within, ..every("1m") };
        Schedule::new(spec).unwrap().missed()
    };
    let within = WITHIN_DEFAULT;
    assert_eq!(missed(None, None, None), Missed::Last { within });
    assert_eq!(missed(Some("skip"), None, None), Missed::Skip);
    assert_eq!(missed(Some("all"), None, None), Missed::All { max: 100, within });
    let within = Millis::from_secs(3_600);
    assert_eq!(missed(Some("all"), Some(7), Some("1h")), Missed::All { max: 7, within });
}

#[test]
fn what_is_wrong_is_said_by_field() {
    let table: [(Spec<'_>, &[&str]); 22] = [
        (Spec::default(), &["cron: a schedule needs one of cron, every and at (like cron: \"0 9"]),
        (Spec { every: Some("5m"), ..cron("@daily") }, &["cron: only one of cron, every and at"]),
        (Spec { at: Some("x"), ..every("5m") }, &["every: only one of cron, every and at"]),
        (every("500ms"), &["every: 500ms is not within 1s to 3653d"]),
        (every("4000d"), &["every: 4000d is not within 1s to 3653d"]),
        (every("often"), &["every: expected a duration like"]),
        (cron("@every 1ms"), &["cron: 1ms is not within 1s to 3653d"]),
        (cron("@every day"), &["cron: expected a duration like"]),
        (single("soon"), &["at: expected a time like 2026-12-01T09:00:00Z"]),
        (single("2026-12-01"), &["at: a time is missing after 2026-12-01"]),
        (
            zone("Europe/Berln"),
            &["timezone: there is no time zone \"Europe/Berln\" (did you mean \"Europe/Berlin\"?)"],
        ),
        (zone("berlin"), &["did you mean \"Europe/Berlin\"?"]),
        (zone("new york"), &["did you mean \"America/New_York\"?"]),
        (zone("Middle-earth/Shire"), &["a name of the tz database, like Europe/Berlin or UTC"]),
        (zone(""), &["timezone: there is no time zone"]),
        (zone("Etc/Unknown"), &["timezone: there is no time zone"]),
        (
            Spec { start: Some("2026-02-01"), end: Some("2026-01-01"), ..cron("@daily") },
            &["end: 2026-01-01T23:59:59.999999Z is before the start, 2026-02-01T00:00:00Z"],
        ),
        (
            Spec { start: Some("2026-02-01"), end: Some("2026-02-28"), ..cron("0 0 29 * *") },
            &["cron: never fires between start and end"],
        ),
        (
            Spec { end: Some("2026-01-01"), ..single("2026-02-01T00:00:00Z") },
            &["at: never fires between start and end"],
        ),
        (Spec { jitter: Some("25h"), ..cron("@daily") }, &["jitter: 25h is not within 0ms to 1d"]),
        (Spec { jitter: Some("2m"), ..every("1m") }, &["jitter: 2m is not within 0ms to 1m"]),
        (
            Spec {
                cron: Some("60 * * * *"),
                timezone: Some("Nowhere"),
                start: Some("never"),
                missed: Some("lost"),
                missed_max: Some(0),
                missed_within: Some("32d"),
                ..Spec::default()
            },
            &[
                "timezone: there is no time zone \"Nowhere\"",
                "cron: minute: 60 is not within 0 to 59",
                "start: expected a time like",
                "missed.within: 32d is not within 0ms to 31d",
                "missed.max: expected 1 to 10000",
                "missed: \"lost\" is not a policy (did you mean \"last\"?)",
            ],
        ),
    ];
    for (spec, expected) in table {
        let Err(problems) = Schedule::new(spec) else { panic!("{spec:?} is understood") };
        let found: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} is not {expected}");
        }
    }
}

fn zone(name: &str) -> Spec<'_> {
    Spec { timezone: Some(name), ..cron("@daily") }
}

#[test]
fn jitter_is_spread_evenly_over_schedules_and_instants() {
    let schedule = Schedule::new(Spec { jitter: Some("10s"), ..cron("@daily") }).unwrap();
    let mut spread = [[0_u32; 10]; 2];
    for step in 0..10_000 {
        let at = Timestamp::from_millis(i64::from(step) * 86_400_000);
        let of_one = schedule.offset(7, at).as_u64();
        let of_all = schedule.offset(u64::from(step as u32), Timestamp::EPOCH).as_u64();
        spread[0][(of_one / 1_000) as usize] += 1;
        spread[1][(of_all / 1_000) as usize] += 1;
    }
    // A tenth each; 150 is five standard deviations.
    assert!(spread.iter().flatten().all(|count| count.abs_diff(1_000) < 150), "{spread:?}");
    let none = Schedule::new(cron("@daily")).unwrap();
    assert_eq!(none.offset(7, Timestamp::EPOCH), Millis::ZERO);
}
