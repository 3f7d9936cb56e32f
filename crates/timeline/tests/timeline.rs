//! Timelines of schedules.

#![expect(clippy::expect_used, reason = "a failing test says where")]

use std::sync::Arc;

use evoke_engine::NewTrigger;
use evoke_model::policy::{Concurrency, Overflow, Retry};
use evoke_model::{Millis, Policy, Target, Timestamp, Trigger};
use evoke_stores::memory::MemoryStore;
use evoke_timeline::{Behaviour, Simulation, Timeline, What, simulate};
use serde_json::{Value, json};

/// Midnight at the beginning of 2026-11-21, UTC.
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_795_219_200_000);

fn schedule(name: &str, config: Value, policy: Policy) -> NewTrigger {
    NewTrigger {
        name: name.into(),
        kind: Trigger::SCHEDULE.into(),
        config,
        target: Target::function("any"),
        policy,
        enabled: true,
    }
}

fn told(triggers: Vec<(NewTrigger, Behaviour)>, hours: u64) -> Timeline {
    let simulation = Simulation {
        triggers,
        sources: evoke_sources::builtin(),
        store: Arc::new(MemoryStore::new()),
        from: MIDNIGHT,
        until: MIDNIGHT.plus(Millis::from_secs(hours * 3_600)),
    };
    simulate(simulation).expect("a timeline")
}

fn text(timeline: &Timeline) -> Vec<String> {
    let time = |at: Timestamp| at.to_string()[11..16].to_owned();
    let line = |entry: &evoke_timeline::Entry| {
        let what = match &entry.what {
            What::Fired { scheduled } => format!("fires {}", time(*scheduled)),
            What::Started { scheduled, attempt, running } => {
                format!("begins {} ({attempt}), {running} run", time(*scheduled))
            }
            What::Succeeded { scheduled, .. } => format!("ends {}", time(*scheduled)),
            What::Failed { scheduled, retry_at: Some(at), .. } => {
                format!("fails {}, again {}", time(*scheduled), time(*at))
            }
            What::Failed { scheduled, .. } => format!("fails {} for good", time(*scheduled)),
            What::Skipped { scheduled, .. } => format!("skips {}", time(*scheduled)),
        };
        format!("{} {} {what}", time(entry.at), entry.trigger)
    };
    timeline.entries.iter().map(line).collect()
}

fn minutes(minutes: u64) -> Millis {
    Millis::from_secs(60 * minutes)
}

#[test]
fn occurrences_retries_and_overlaps_stand_in_their_order() {
    let retry = Retry {
        attempts: 2,
        initial: minutes(5),
        backoff: evoke_model::policy::Backoff::Fixed,
        jitter: false,
        ..Retry::default()
    };
    let fails = Behaviour { takes: minutes(1), fail_first: 2, ..Behaviour::default() };
    let failing = Policy { retry: Some(retry), ..Policy::default() };
    let alone = Concurrency { limit: 1, key: None, overflow: Overflow::Skip };
    let slow = Behaviour { takes: minutes(90), ..Behaviour::default() };
    let alone = Policy { concurrency: Some(alone), ..Policy::default() };
    let timeline = told(
        vec![
            (schedule("failing", json!({ "cron": "30 0 * * *" }), failing), fails),
            (schedule("slow", json!({ "cron": "0 * * * *" }), alone), slow),
        ],
        3,
    );
    assert_eq!(
        text(&timeline),
        [
            "00:30 failing fires 00:30",
            "00:30 failing begins 00:30 (1), 1 run",
            "00:31 failing fails 00:30, again 00:36",
            "00:36 failing begins 00:30 (2), 1 run",
            "00:37 failing fails 00:30 for good",
            "01:00 slow fires 01:00",
            "01:00 slow begins 01:00 (1), 1 run",
            "02:00 slow fires 02:00",
            "02:00 slow skips 02:00",
            "02:30 slow ends 01:00",
        ]
    );
    let [failing, slow] = &timeline.totals[..] else { panic!("{:?}", timeline.totals) };
    assert_eq!((failing.fired, failing.failed_attempts, failing.failed), (1, 2, 1));
    assert_eq!((slow.fired, slow.succeeded, slow.skipped, slow.most_at_once), (2, 1, 1, 1));
    assert_eq!(slow.next_run.map(|at| at.to_string()).as_deref(), Some("2026-11-21T03:00:00Z"));
}

#[test]
fn two_months_across_a_change_of_the_clock() {
    let config = json!({ "cron": "30 2 * * *", "timezone": "America/New_York" });
    let simulation = Simulation {
        triggers: vec![(schedule("nightly", config, Policy::default()), Behaviour::default())],
        sources: evoke_sources::builtin(),
        store: Arc::new(MemoryStore::new()),
        // The clocks of New York go forward on 2027-03-14 and back on 2027-11-07.
        from: MIDNIGHT.plus(Millis::from_secs(90 * 86_400)),
        until: MIDNIGHT.plus(Millis::from_secs(150 * 86_400)),
    };
    let timeline = simulate(simulation).expect("a timeline");
    assert_eq!(timeline.totals[0].fired, 60);
    let fired = timeline.entries.iter().filter_map(|entry| match entry.what {
        What::Fired { scheduled } => Some(scheduled.to_string()),
        _ => None,
    });
    let fired: Vec<_> = fired.collect();
    assert!(fired.contains(&"2027-03-13T07:30:00Z".to_owned()));
    assert!(fired.contains(&"2027-03-14T07:00:00Z".to_owned()), "right after the gap");
    assert!(fired.contains(&"2027-03-15T06:30:00Z".to_owned()));
}
