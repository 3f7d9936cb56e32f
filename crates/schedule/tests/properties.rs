#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]
//! Random expressions around the changes of every time zone, against a model that knows nothing of
//! offsets: it looks at the local clock minute by minute.

mod model;

use std::collections::BTreeSet;

use evoke_model::{Millis, Timestamp};
use evoke_schedule::{MISSED_MAX, Schedule, Spec};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use model::Expression;
use proptest::prelude::*;

/// Minutes that a window is long.
const WINDOW: i64 = 4 * 24 * 60;

fn zone_names() -> Vec<String> {
    let known = TimeZoneDatabase::bundled();
    let names = known.available().map(|name| name.as_str().to_owned());
    names.filter(|name| name != "Etc/Unknown").collect()
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).expect("a zone of the database")
}

/// The changes of a zone's clock in the years in which all clocks are whole minutes from UTC.
fn changes(zone: &TimeZone) -> Vec<i64> {
    let from: jiff::Timestamp = "1972-06-01T00:00:00Z".parse().expect("a time");
    let until: jiff::Timestamp = "2045-01-01T00:00:00Z".parse().expect("a time");
    let following = zone.following(from).map(|change| change.timestamp());
    following.take_while(|at| *at < until).map(|at| at.as_second()).collect()
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::new(Spec { cron: Some(cron), timezone: Some(zone), ..Spec::default() })
        .unwrap_or_else(|problems| panic!("{cron} in {zone}: {problems:?}"))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// A zone, and a whole minute within two days of one of its changes.
fn places() -> impl Strategy<Value = (String, i64)> {
    let names = zone_names();
    let place = (0..names.len(), any::<prop::sample::Index>(), -WINDOW / 2..WINDOW / 2);
    place.prop_map(move |(name, change, minutes)| {
        let name = names[name].clone();
        let changes = changes(&zone(&name));
        let near = if changes.is_empty() { 1_700_000_000 } else { *change.get(&changes) };
        (name, (near.div_euclid(60) + minutes) * 60)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn instants_are_those_of_the_local_clock(
        expression in model::expressions(),
        (name, start) in places(),
    ) {
        let Ok(schedule) = Schedule::new(Spec {
            cron: Some(&expression.text()),
            timezone: Some(&name),
            missed: Some("all"),
            missed_max: Some(u64::from(MISSED_MAX)),
            missed_within: Some("31d"),
            ..Spec::default()
        }) else {
            // What never fires is refused; the model has nothing to say about a year.
            return Ok(());
        };
        let end = start + WINDOW * 60;
        let expected = model::instants(&expression, &zone(&name), start..end);

        let forward: Vec<Timestamp> = schedule.between(at(start), at(end), at(0)).collect();
        let expected: Vec<Timestamp> = expected.into_iter().map(at).collect();
        prop_assert_eq!(&forward, &expected, "{} in {}", expression.text(), name);
        prop_assert_eq!(schedule.count(at(start), at(end), at(0)), expected.len() as u64);

        // Backwards, as what was missed is looked for.
        if let Some(first) = expected.first() {
            let due = schedule.due(*first, at(end + 3_600), at(0));
            let fired = due.fire.iter().map(|occurrence| occurrence.at);
            let fired: Vec<Timestamp> = fired.filter(|found| *found < at(end)).collect();
            prop_assert_eq!(&fired, &expected, "{} in {}", expression.text(), name);
        }

        // From anywhere, not only from one occurrence to the next.
        for after in (start..end).step_by(3_607) {
            let next = expected.iter().find(|found| **found > at(after));
            let found = schedule.next_after(at(after), at(0)).filter(|found| *found < at(end));
            prop_assert_eq!(found, next.copied(), "{} after {}", expression.text(), at(after));
            let left = expected.iter().filter(|found| **found >= at(after)).count() as u64;
            prop_assert_eq!(schedule.count(at(after), at(end), at(0)), left);
        }
    }

    #[test]
    fn nothing_fires_twice_or_is_lost_whatever_the_clock_does(
        which in whens(),
        missed in prop::sample::select(vec!["skip", "last", "all"]),
        max in 1..20_u64,
        within in 0..100_000_u64,
        start in 1_700_000_000..1_800_000_000_i64,
        jumps in prop::collection::vec(jumps(), 1..40),
    ) {
        let within = format!("{within}s");
        let schedule = Schedule::new(Spec {
            missed: Some(missed),
            missed_max: Some(max),
            missed_within: Some(&within),
            ..which.spec()
        }).expect("a schedule");
        let anchor = at(start);
        let mut pending = schedule.next_after(anchor, anchor).expect("fires again");
        let mut now = anchor;
        let mut fired = BTreeSet::new();
        let mut counted = 0;
        let mut latest = anchor;
        for jump in jumps {
            now = if jump < 0 { now.minus(Millis::new(jump.unsigned_abs())) }
                else { now.plus(Millis::new(jump.unsigned_abs())) };
            let due = schedule.due(pending, now, anchor);
            for occurrence in &due.fire {
                prop_assert!(occurrence.at <= now && occurrence.at > latest);
                latest = occurrence.at;
                prop_assert!(fired.insert(occurrence.at));
                counted += 1;
            }
            counted += due.skipped;
            let told: u64 = due.fire.iter().map(|occurrence| u64::from(occurrence.missed)).sum();
            prop_assert!(told == due.skipped || told == 0);
            pending = due.next.expect("fires again");
            prop_assert!(pending > now || due.fire.is_empty());
            prop_assert_eq!(counted, schedule.count(just_after(anchor), pending, anchor));
        }
    }

    #[test]
    fn jitter_is_the_same_each_time_and_within_its_bounds(
        seed in any::<u64>(),
        second in 0..4_000_000_000_i64,
        jitter in 1..86_400_000_u64,
    ) {
        let jitter = format!("{jitter}ms");
        let daily = Spec { cron: Some("@daily"), jitter: Some(&jitter), ..Spec::default() };
        let schedule = Schedule::new(daily).expect("a schedule");
        let offset = schedule.offset(seed, at(second));
        prop_assert!(offset < schedule.jitter());
        prop_assert_eq!(offset, schedule.offset(seed, at(second)));
    }
}

fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() + 1)
}

#[derive(Debug, Clone)]
enum Which {
    Cron(&'static str),
    Every(String),
}

impl Which {
    fn spec(&self) -> Spec<'_> {
        match self {
            Self::Cron(cron) => {
                Spec { cron: Some(cron), timezone: Some("Europe/Berlin"), ..Spec::default() }
            }
            Self::Every(every) => Spec { every: Some(every), ..Spec::default() },
        }
    }
}

fn whens() -> impl Strategy<Value = Which> {
    let crons = vec!["* * * * *", "*/3 * * * * *", "30 2 * * *", "0 0 L * *", "*/30 9-17 * * 1-5"];
    prop_oneof![
        prop::sample::select(crons).prop_map(Which::Cron),
        (1_000..10_000_000_u64).prop_map(|millis| Which::Every(format!("{millis}ms"))),
    ]
}

/// How far the clock goes between two looks at it, in milliseconds: mostly a little ahead,
/// sometimes a great way ahead or back.
fn jumps() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..15_000_i64,
        2 => 0..100_000_000_i64,
        1 => -100_000_000..0_i64,
        1 => 0..3_000_000_000_i64,
    ]
}

#[test]
fn each_change_of_each_zone_is_crossed_by_the_rule() {
    for name in zone_names() {
        let zone = zone(&name);
        for change in changes(&zone) {
            let offset = |second| {
                let at = jiff::Timestamp::from_second(second).expect("a time");
                i64::from(zone.to_offset(at).seconds())
            };
            let (before, after) = (change + offset(change - 1), change + offset(change));
            if before < after {
                left_out_fires_right_after(&name, change, before..after);
            } else if after < before {
                repeated_fires_once(&name, change, after..before);
            }
        }
    }
}

/// The minute and the hour of the minute in the middle of a range of the local clock.
fn middle(range: &std::ops::Range<i64>) -> (i64, i64, i64) {
    let local = i64::midpoint(range.start, range.end).div_euclid(60) * 60;
    (local, local.div_euclid(60).rem_euclid(60), local.div_euclid(3_600).rem_euclid(24))
}

fn left_out_fires_right_after(name: &str, change: i64, gap: std::ops::Range<i64>) {
    let (_, minute, hour) = middle(&gap);
    let fixed = schedule(&format!("{minute} {hour} * * *"), name);
    let crossed: Vec<_> = fixed.between(at(change), at(change + 60), at(0)).collect();
    assert_eq!(crossed, [at(change)], "{name} {}", at(change));
    assert_eq!(fixed.count(at(change), at(change + 60), at(0)), 1, "{name} {}", at(change));
    // The times beside the gap are shown by the clock, so that nothing is made up for them.
    let rhythm = schedule(&format!("{minute} */1 * * *"), name);
    let next = rhythm.next_after(at(change - 1), at(0)).expect("fires again");
    let shown = zone(name).to_datetime(jiff::Timestamp::from_second(second(next)).expect("a time"));
    assert_eq!(i64::from(shown.minute()), minute, "{name} {next}");
}

fn repeated_fires_once(name: &str, change: i64, repeated: std::ops::Range<i64>) {
    let (local, minute, hour) = middle(&repeated);
    let length = repeated.end - repeated.start;
    let first = change - (repeated.end - local);
    let window = at(first)..at(first + length + 60);
    let fixed = schedule(&format!("{minute} {hour} * * *"), name);
    let fires: Vec<_> = fixed.between(window.start, window.end, at(0)).collect();
    assert_eq!(fires, [at(first)], "{name} {}", at(change));
    let rhythm = schedule(&format!("{minute} * * * *"), name);
    let fires: Vec<_> = rhythm.between(window.start, window.end, at(0)).collect();
    assert!(fires.contains(&at(first)) && fires.contains(&at(first + length)), "{name} {fires:?}");
}

fn second(at: Timestamp) -> i64 {
    at.as_micros() / 1_000_000
}

#[test]
fn the_model_has_an_opinion() {
    let berlin = zone("Europe/Berlin");
    let start: jiff::Timestamp = "2026-03-28T23:00:00Z".parse().expect("a time");
    let day = start.as_second()..start.as_second() + 23 * 3_600;
    assert_eq!(model::instants(&Expression::hourly(), &berlin, day.clone()).len(), 23);
    let fixed = model::instants(&Expression::at(2, 30), &berlin, day);
    assert_eq!(
        fixed,
        ["2026-03-29T01:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_second()]
    );
}
