#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]
//! The same questions to independent implementations: croner for Rust, croner and cron-parser from
//! npm, croniter from PyPI. Where they differ from us is listed with the reason, and how often;
//! `docs/schedules.md` tells it to users.

#[path = "differential/cases.rs"]
mod cases;
#[path = "differential/differences.rs"]
mod differences;
#[path = "differential/peers.rs"]
mod peers;

use cases::Case;
use differences::DIFFERENCES;
use evoke_model::Timestamp;
use evoke_schedule::{Schedule, Spec};

/// What we answer.
fn ours(case: &Case) -> Vec<Timestamp> {
    let spec = Spec { cron: Some(case.expression), timezone: Some(case.zone), ..Spec::default() };
    let Ok(schedule) = Schedule::new(spec) else { return Vec::new() };
    let start = peers::start(case);
    let mut at = start;
    std::iter::from_fn(|| {
        at = schedule.next_after(at, start)?;
        Some(at)
    })
    .take(peers::COUNT)
    .collect()
}

/// Compares the answers of a peer with ours: each difference has a reason, and each reason is found
/// as often as it says.
fn compare(peer: &str, cases: &[Case], answers: &[Vec<Timestamp>]) {
    let mut counts = vec![0; DIFFERENCES.len()];
    let mut unexplained = Vec::new();
    for (case, theirs) in cases.iter().zip(answers) {
        let ours = ours(case);
        if ours == *theirs {
            continue;
        }
        match DIFFERENCES.iter().position(|difference| difference.explains(peer, case)) {
            Some(reason) => counts[reason] += 1,
            None => unexplained.push(format!("{case:?}\n ours   {ours:?}\n theirs {theirs:?}")),
        }
    }
    assert!(unexplained.is_empty(), "{peer}\n{}", unexplained.join("\n"));
    let counts = counts
        .iter()
        .zip(DIFFERENCES)
        .map(|(count, difference)| (difference.reason, difference.expected(peer), *count));
    let wrong: Vec<_> = counts.filter(|(_, expected, count)| expected != count).collect();
    assert!(wrong.is_empty(), "{peer}: reason, expected, found: {wrong:#?}");
}

#[test]
fn croner_for_rust_differs_only_as_listed() {
    let cases = cases::all();
    let answers: Vec<_> = cases.iter().map(peers::croner_rs).collect();
    compare("croner-rs", &cases, &answers);
}

#[test]
fn croner_of_npm_differs_only_as_listed() {
    let cases = cases::all();
    compare("croner", &cases, &peers::of_npm("croner", &cases));
}

#[test]
fn cron_parser_of_npm_differs_only_as_listed() {
    let cases = cases::all();
    compare("cron-parser", &cases, &peers::of_npm("cron-parser", &cases));
}

#[test]
fn croniter_of_pypi_differs_only_as_listed() {
    let cases = cases::all();
    compare("croniter", &cases, &peers::croniter(&cases));
}
