use std::sync::Arc;

use bytes::Bytes;
use evoke_model::event::{Attribute, Extensions};
use evoke_model::execution::{Level, RetryHint};
use evoke_model::{
    Attempt, Cause, Code, Data, Event, EventId, Execution, ExecutionId, Failure, Lineage, LogLine,
    Millis, Outcome, Redirect, State, Timestamp, TriggerId,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::retention::segment::{Archived, Contents, Unreadable};

fn text() -> impl Strategy<Value = Box<str>> {
    "[a-zà-ü\"\\\\\n ]{0,12}".prop_map(Into::into)
}

fn data() -> impl Strategy<Value = Data> {
    let bytes = || vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    prop_oneof![
        Just(Data::None),
        // Spaces at the ends and in between come back as they were.
        Just(Data::Json(Bytes::from_static(b" { \"a\" :\n[1.0, 1e2] } "))),
        bytes().prop_map(Data::Text),
        bytes().prop_map(Data::Binary),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn event_id() -> impl Strategy<Value = EventId> {
    (0..u64::MAX >> 1).prop_map(EventId::from_u64)
}

fn execution_id() -> impl Strategy<Value = ExecutionId> {
    let trigger = (0..u64::MAX >> 1).prop_map(TriggerId::from_u64);
    (event_id(), trigger).prop_map(|(event, trigger)| ExecutionId { event, trigger })
}

fn extensions() -> impl Strategy<Value = Box<Extensions>> {
    let value = prop_oneof![
        any::<bool>().prop_map(Attribute::Bool),
        any::<i32>().prop_map(Attribute::Int),
        text().prop_map(Attribute::Text),
    ];
    proptest::collection::btree_map(text(), value, 0..4).prop_map(Box::new)
}

fn lineage() -> impl Strategy<Value = Box<Lineage>> {
    let chain = vec((0..u64::MAX >> 1).prop_map(TriggerId::from_u64), 0..4);
    (option::of(event_id()), option::of(execution_id()), any::<u16>(), chain)
        .prop_map(|(root, cause, depth, chain)| Box::new(Lineage { root, cause, depth, chain }))
}

fn event() -> impl Strategy<Value = Event> {
    let names = (option::of(text()), text(), text(), option::of(text()));
    let content = (time(), option::of(text()), option::of(text()), data());
    let more = (option::of(extensions()), option::of(lineage()), option::of(text()));
    let last =
        (option::of(text()), option::of(time()), any::<bool>(), option::of(event_id()), event_id());
    (names, content, more, last).prop_map(|(names, content, more, last)| Event {
        id: last.4,
        sender_id: names.0,
        source: names.1,
        kind: names.2,
        subject: names.3,
        time: content.0,
        content_type: content.1,
        data_schema: content.2,
        data: content.3,
        extensions: more.0,
        lineage: more.1,
        traceparent: more.2,
        ordering_key: last.0,
        due: last.1,
        is_test_run: last.2,
        replay_of: last.3,
    })
}

fn failure() -> impl Strategy<Value = Failure> {
    let retry = prop_oneof![
        Just(RetryHint::Policy),
        any::<u64>().prop_map(|wait| RetryHint::After(Millis::new(wait))),
        Just(RetryHint::Never),
        Just(RetryHint::Elsewhere),
    ];
    (proptest::sample::select(Code::ALL), text(), option::of(text()), retry).prop_map(
        |(code, message, stack, retry)| Failure {
            code,
            message: message.into(),
            stack: stack.map(Into::into),
            retry,
        },
    )
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let outcome = prop_oneof![
        data().prop_map(Outcome::Success),
        failure().prop_map(Outcome::Failure),
        failure().prop_map(Outcome::TimedOut),
        Just(Outcome::Cancelled),
    ];
    let levels = vec![Level::Debug, Level::Info, Level::Warn, Level::Error];
    let line = (time(), proptest::sample::select(levels), text())
        .prop_map(|(time, level, message)| LogLine { time, level, message: message.into() });
    (any::<u32>(), time(), time(), outcome, vec(line, 0..4), any::<u32>()).prop_map(
        |(number, started_at, finished_at, outcome, logs, version)| Attempt {
            number,
            started_at,
            finished_at,
            outcome,
            logs,
            version,
        },
    )
}

fn archived() -> impl Strategy<Value = Archived> {
    let redirect = (text(), option::of(any::<u32>()))
        .prop_map(|(function, version)| Redirect { function, version });
    let state = proptest::sample::select(State::ALL.as_slice());
    let ids = (execution_id(), state, time(), any::<u32>());
    let keys = (option::of(text()), option::of(text()), any::<[bool; 4]>());
    let rest = (option::of(any::<u64>()), option::of(redirect), option::of(data()));
    let attempts = (vec(attempt(), 0..3), option::of(attempt()));
    (ids, keys, rest, attempts).prop_map(|(ids, keys, rest, (attempts, other))| {
        let [is_test_run, is_replay, is_edited, is_last_of_all] = keys.2;
        let last = if is_last_of_all { attempts.last().cloned() } else { other };
        let execution = Execution {
            id: ids.0,
            state: ids.1,
            due: ids.2,
            attempts: ids.3,
            order_key: keys.0,
            concurrency_key: keys.1,
            last,
            is_test_run,
            is_replay,
            cause: rest.0.map(Cause),
            redirect: rest.1,
            is_edited,
        };
        Archived { execution, attempts, edited: rest.2 }
    })
}

fn events_of(contents: Contents) -> Vec<Arc<Event>> {
    match contents {
        Contents::Events(events) => events,
        Contents::Executions(_) => panic!("these are executions"),
    }
}

fn executions_of(contents: Contents) -> Vec<Arc<Archived>> {
    match contents {
        Contents::Executions(executions) => executions,
        Contents::Events(_) => panic!("these are events"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn events_come_back_as_they_were(events in vec(event().prop_map(Arc::new), 0..8)) {
        let content = Contents::Events(events.clone()).encode().unwrap();
        prop_assert_eq!(events_of(Contents::events(&content).unwrap()), events);
    }

    #[test]
    fn executions_come_back_as_they_were(all in vec(archived().prop_map(Arc::new), 0..8)) {
        let content = Contents::Executions(all.clone()).encode().unwrap();
        prop_assert_eq!(executions_of(Contents::executions(&content).unwrap()), all);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(
        events in vec(event().prop_map(Arc::new), 1..4),
        place in any::<proptest::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let content = Contents::Events(events.clone()).encode().unwrap();
        let mut damaged = content.to_vec();
        let place = place.index(damaged.len());
        damaged[place] ^= flip;
        // A flip may go unnoticed only where the format has room for it; it never gives more items
        // than there were bytes.
        if let Ok(contents) = Contents::events(&damaged) {
            prop_assert!(events_of(contents).len() <= content.len() * 1_000);
        }
        prop_assert!(Contents::events(&content[..place]).is_err());
    }
}

fn golden_event() -> Event {
    Event {
        id: EventId::from_u64(0x1234_5678_9abc),
        sender_id: Some("o-17".into()),
        source: "/shop".into(),
        kind: "order.paid".into(),
        subject: Some("17".into()),
        time: Timestamp::from_micros(1_795_000_000_123_456),
        content_type: Some("application/octet-stream".into()),
        data_schema: None,
        data: Data::Binary(Bytes::from_static(&[0, 1, 2, 255])),
        extensions: Some(Box::new(Extensions::from([
            ("flag".into(), Attribute::Bool(true)),
            ("number".into(), Attribute::Int(-7)),
            ("tenant".into(), Attribute::Text("blue".into())),
        ]))),
        lineage: Some(Box::new(Lineage {
            root: Some(EventId::from_u64(5)),
            cause: Some(ExecutionId {
                event: EventId::from_u64(5),
                trigger: TriggerId::from_u64(9),
            }),
            depth: 1,
            chain: vec![TriggerId::from_u64(9)],
        })),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        ordering_key: Some("17".into()),
        due: Some(Timestamp::from_micros(1_795_000_000_500_000)),
        is_test_run: false,
        replay_of: Some(EventId::from_u64(4)),
    }
}

fn golden_execution() -> Archived {
    let attempt = |number, outcome| Attempt {
        number,
        started_at: Timestamp::from_micros(1_795_000_001_000_000),
        finished_at: Timestamp::from_micros(1_795_000_001_250_000),
        outcome,
        logs: vec![LogLine {
            time: Timestamp::from_micros(1_795_000_001_100_000),
            level: Level::Warn,
            message: "slow".into(),
        }],
        version: 3,
    };
    let failure = Failure {
        code: Code::FunctionError,
        message: "boom".into(),
        stack: Some("at index.js:1".into()),
        retry: RetryHint::After(Millis::from_secs(1)),
    };
    let attempts = vec![
        attempt(1, Outcome::Failure(failure.clone())),
        attempt(2, Outcome::TimedOut(Failure { retry: RetryHint::Never, ..failure })),
        attempt(3, Outcome::Success(Data::Json(Bytes::from_static(b"{\"ok\":true}")))),
    ];
    let execution = Execution {
        id: ExecutionId { event: EventId::from_u64(5), trigger: TriggerId::from_u64(9) },
        state: State::Success,
        due: Timestamp::from_micros(1_795_000_000_500_000),
        attempts: 3,
        order_key: Some("17".into()),
        concurrency_key: Some("blue".into()),
        last: attempts.last().cloned(),
        is_test_run: false,
        is_replay: true,
        cause: None,
        redirect: Some(Redirect { function: "bill".into(), version: Some(2) }),
        is_edited: true,
    };
    Archived { execution, attempts, edited: Some(Data::Text(Bytes::from_static(b"mended"))) }
}

/// What the first release that had an archive wrote: no later one may fail to read it.
#[test]
fn segments_of_version_1_are_read_for_ever() {
    let events = include_bytes!("golden/events_v1.segment");
    assert_eq!(events_of(Contents::events(events).unwrap()), [Arc::new(golden_event())]);
    let executions = include_bytes!("golden/executions_v1.segment");
    let read = executions_of(Contents::executions(executions).unwrap());
    assert_eq!(read, [Arc::new(golden_execution())]);
}

#[test]
fn what_is_no_segment_is_told_apart() {
    assert!(matches!(Contents::events(&[]), Err(Unreadable::Damaged(_))));
    assert!(matches!(Contents::events(&[2, 0, 0, 0, 0]), Err(Unreadable::Format(2))));
    let huge = [1, 255, 255, 255, 255, 0];
    assert!(matches!(Contents::events(&huge), Err(Unreadable::Damaged(_))));
    let events = Contents::Events(vec![Arc::new(golden_event())]).encode().unwrap();
    assert!(Contents::executions(&events).is_err());
}

#[test]
fn like_events_take_little_space() {
    let event = |number: u64| Arc::new(Event { id: EventId::from_u64(number), ..golden_event() });
    let plain: usize = 256 * 250;
    let packed = Contents::Events((0..256).map(event).collect()).encode().unwrap();
    assert!(packed.len() * 10 < plain, "{} bytes", packed.len());
}
