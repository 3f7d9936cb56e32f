use std::sync::Arc;

use evoke_model::{
    Attempt, Cause, Event, EventId, Execution, ExecutionId, Millis, Outcome, State, Timestamp,
    TriggerId,
};
use evoke_ports::store::Whole;

use crate::retention::judge::{Bin, Fate, Judge, Reason, Verdict};
use crate::retention::{KindPattern, RetentionPolicy, Rule};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const PLAIN: Bin = Bin { rule: None, settled: None };

fn hours(hours: u64) -> Millis {
    Millis::from_secs(3_600 * hours)
}

fn event(age: Millis, kind: &str) -> Event {
    super::event(EventId::first_at(NOW.minus(age)), kind)
}

/// An execution that ended so long ago, if it ended.
fn execution(event: EventId, state: State, ended: Millis) -> (Execution, Vec<Attempt>) {
    let attempt = Attempt {
        number: 1,
        started_at: NOW.minus(ended),
        finished_at: NOW.minus(ended),
        outcome: Outcome::Cancelled,
        logs: Vec::new(),
        version: 1,
    };
    let attempts: Vec<Attempt> = state.is_final().then_some(attempt).into_iter().collect();
    let execution = Execution {
        id: ExecutionId { event, trigger: TriggerId::from_u64(1) },
        state,
        due: event.made_at(),
        attempts: attempts.len() as u32,
        order_key: None,
        concurrency_key: None,
        last: attempts.last().cloned(),
        is_test_run: false,
        is_replay: false,
        cause: state.is_failure().then_some(Cause(7)),
        redirect: None,
        is_edited: false,
    };
    (execution, attempts)
}

fn whole(age: Millis, kind: &str, states: &[State]) -> Whole {
    let event = event(age, kind);
    let executions = states.iter().map(|state| execution(event.id, *state, age)).collect();
    Whole { id: event.id, event: Some(Arc::new(event)), executions }
}

fn judge(policy: &RetentionPolicy, reason: Reason, whole: &Whole) -> Verdict {
    let functions = vec![Some("bill".into()); whole.executions.len()];
    Judge { policy, reason, now: NOW }.judge(whole, &functions)
}

fn policy() -> RetentionPolicy {
    RetentionPolicy {
        archive_after: Some(hours(24)),
        events: hours(48),
        executions: hours(96),
        dead_letters: hours(72),
        ..RetentionPolicy::default()
    }
}

#[test]
fn what_is_closed_goes_to_the_archive_and_then_away() {
    use Fate::{Archive, Remove, Stay};
    let (ok, open, dead) = (State::Success, State::Pending, State::Failed);
    let cases: &[(u64, &[State], Fate, &[Fate])] = &[
        (23, &[ok], Stay, &[Stay]),
        (24, &[ok], Archive(PLAIN), &[Archive(PLAIN)]),
        (24, &[], Archive(PLAIN), &[]),
        // One that is open or a dead letter keeps the whole.
        (47, &[ok, open], Stay, &[Stay, Stay]),
        (47, &[ok, State::Running], Stay, &[Stay, Stay]),
        (47, &[ok, dead], Stay, &[Stay, Stay]),
        (47, &[ok, State::TimedOut, State::Cancelled], Stay, &[Stay, Stay, Stay]),
        // Past the events' time the executions alone go to the archive.
        (48, &[ok], Remove, &[Archive(PLAIN)]),
        (48, &[ok, open], Stay, &[Stay, Stay]),
        (72, &[dead], Remove, &[Remove]),
        (72, &[dead, open], Stay, &[Remove, Stay]),
        (96, &[ok, ok], Remove, &[Remove, Remove]),
        (96, &[ok, open], Stay, &[Remove, Stay]),
        (9_999, &[open], Stay, &[Stay]),
    ];
    for (age, states, event, executions) in cases {
        let verdict = judge(&policy(), Reason::Age, &whole(hours(*age), "a", states));
        let expected = Verdict { event: *event, executions: executions.to_vec() };
        assert_eq!(verdict, expected, "{states:?} after {age}h");
    }
}

#[test]
fn without_an_archive_things_are_removed_in_their_time() {
    use Fate::{Remove, Stay};
    let policy = RetentionPolicy { archive_after: None, ..policy() };
    let cases: &[(u64, &[State], Fate, &[Fate])] = &[
        (47, &[State::Success], Stay, &[Stay]),
        (48, &[State::Success], Remove, &[Stay]),
        (48, &[State::Success, State::Failed], Stay, &[Stay, Stay]),
        (96, &[State::Success], Remove, &[Remove]),
    ];
    for (age, states, event, executions) in cases {
        let verdict = judge(&policy, Reason::Age, &whole(hours(*age), "a", states));
        let expected = Verdict { event: *event, executions: executions.to_vec() };
        assert_eq!(verdict, expected, "{states:?} after {age}h");
    }
    let left = Whole { event: None, ..whole(hours(96), "a", &[State::Success]) };
    let verdict = judge(&policy, Reason::Age, &left);
    assert_eq!(verdict, Verdict { event: Stay, executions: vec![Remove] });
}

#[test]
fn for_space_everything_goes_that_nothing_holds() {
    use Fate::{Archive, Remove, Stay};
    let fresh = |states: &[State]| whole(hours(0), "a", states);
    let with = |policy: &RetentionPolicy, states: &[State]| {
        let verdict = judge(policy, Reason::Space, &fresh(states));
        (verdict.event, verdict.executions[0])
    };
    let archive = (Archive(PLAIN), Archive(PLAIN));
    assert_eq!(with(&policy(), &[State::Success]), archive);
    assert_eq!(with(&policy(), &[State::Pending]), (Stay, Stay));
    assert_eq!(with(&policy(), &[State::Failed]), (Stay, Stay));
    let bare = RetentionPolicy { archive_after: None, ..policy() };
    assert_eq!(with(&bare, &[State::Success]), (Remove, Remove));
    assert_eq!(with(&bare, &[State::Failed]), (Stay, Stay));
}

fn rule(kind: Option<&str>, function: Option<&str>) -> Rule {
    Rule {
        kind: kind.map(|text| KindPattern::parse(text).unwrap()),
        function: function.map(Into::into),
        ..Rule::default()
    }
}

#[test]
fn a_rule_gives_other_times_and_a_class_of_its_own() {
    let short = Rule { events: Some(hours(1)), ..rule(Some("debug.*"), None) };
    let long = Rule { executions: Some(hours(500)), ..rule(None, Some("bill")) };
    let policy = RetentionPolicy { rules: vec![short, long], ..policy() };
    let by = |rule| Fate::Archive(Bin { rule: Some(rule), settled: None });
    // The event's time is over before the archive's begins: its execution goes there at once, while
    // it is known what it was about.
    let verdict = judge(&policy, Reason::Age, &whole(hours(1), "debug.x", &[State::Success]));
    assert_eq!(verdict, Verdict { event: Fate::Remove, executions: vec![by(0)] });
    let verdict = judge(&policy, Reason::Age, &whole(hours(100), "order.x", &[State::Success]));
    assert_eq!(verdict, Verdict { event: Fate::Remove, executions: vec![by(1)] });
    let verdict = judge(&policy, Reason::Age, &whole(hours(30), "order.x", &[State::Success]));
    assert_eq!(verdict, Verdict { event: Fate::Archive(PLAIN), executions: vec![by(1)] });
}

#[test]
fn without_an_archive_an_event_waits_for_executions_that_a_rule_over_types_keeps() {
    let long = Rule { executions: Some(hours(500)), ..rule(Some("order.*"), None) };
    let policy = RetentionPolicy { archive_after: None, rules: vec![long], ..policy() };
    let verdict = judge(&policy, Reason::Age, &whole(hours(100), "order.x", &[State::Success]));
    assert_eq!(verdict, Verdict { event: Fate::Stay, executions: vec![Fate::Stay] });
    let verdict = judge(&policy, Reason::Age, &whole(hours(500), "order.x", &[State::Success]));
    assert_eq!(verdict, Verdict { event: Fate::Remove, executions: vec![Fate::Remove] });
}

#[test]
fn what_ended_late_ages_from_its_end() {
    let event = event(hours(1_000), "a");
    let of = |ended| Whole {
        id: event.id,
        event: Some(Arc::new(event.clone())),
        executions: vec![execution(event.id, State::Success, ended)],
    };
    let verdict = judge(&policy(), Reason::Age, &of(hours(2)));
    assert_eq!(verdict, Verdict { event: Fate::Stay, executions: vec![Fate::Stay] });
    let verdict = judge(&policy(), Reason::Age, &of(hours(30)));
    let Fate::Archive(Bin { rule: None, settled: Some(settled) }) = verdict.event else {
        panic!("{verdict:?}");
    };
    assert!(settled >= NOW.minus(hours(30)) && settled <= NOW.minus(hours(29)), "{settled}");
    assert_eq!(verdict.executions, [verdict.event]);
}
