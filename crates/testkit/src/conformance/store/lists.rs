//! Pages of events and executions.

use evoke_model::{
    Cause, Data, Event, EventId, Execution, ExecutionId, Lineage, Millis, State, Timestamp,
    TriggerId,
};
use evoke_ports::store::{
    BadCursor, DeadLetters, EventQuery, ExecutionQuery, NewExecution, Order, Page,
};

use super::bench::{Bench, done, failed, pending, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    events_come_in_pages(&mut bench(harness).1).await;
    a_page_of_events_ends_before_it_is_too_large(&mut bench(harness).1).await;
    events_are_filtered(&mut bench(harness).1).await;
    a_root_is_listed_with_what_came_of_it(&mut bench(harness).1).await;
    executions_come_in_pages(&mut bench(harness).1).await;
    executions_are_filtered(&mut bench(harness).1).await;
    dead_letters_come_in_pages(&mut bench(harness).1).await;
    a_rare_filter_gives_short_pages(&mut bench(harness).1).await;
    foreign_cursors_are_refused(&mut bench(harness).1).await;
}

/// All pages of a query, checked to be no longer than asked.
async fn all_events(bench: &Bench, query: &EventQuery) -> Vec<EventId> {
    let mut found = Vec::new();
    let mut query = query.clone();
    loop {
        let page = bench.store.events().events(query.clone()).await.expect("list events");
        assert!(page.items.len() <= query.limit as usize, "{} items", page.items.len());
        found.extend(page.items.iter().map(|event| event.id));
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

async fn page_of(bench: &Bench, query: &ExecutionQuery) -> Page<Execution> {
    bench.store.executions().executions(query.clone()).await.expect("list executions")
}

async fn all_executions(bench: &Bench, query: &ExecutionQuery) -> Vec<ExecutionId> {
    let mut found = Vec::new();
    let mut query = query.clone();
    loop {
        let page = page_of(bench, &query).await;
        assert!(page.items.len() <= query.limit as usize, "{} items", page.items.len());
        found.extend(page.items.iter().map(|execution| execution.id));
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

/// Ten megabytes and more of events are not one page.
async fn a_page_of_events_ends_before_it_is_too_large(bench: &mut Bench) {
    let large = Data::from_value(&"x".repeat(1 << 20).into());
    let event = |n| Event { data: large.clone(), ..bench.event(&format!("large.{n}")) };
    let events: Vec<Event> = (0..12).map(event).collect();
    bench.ingest_planned(&events, Vec::new());
    let query = EventQuery { limit: 100, order: Order::OldestFirst, ..EventQuery::default() };
    let page = bench.store.events().events(query.clone()).await.expect("list events");
    assert!(page.items.len() < 12 && page.next.is_some(), "{} items", page.items.len());
    let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
    assert_eq!(all_events(bench, &query).await, ids);
}

async fn events_come_in_pages(bench: &mut Bench) {
    let events: Vec<Event> = (0..10).map(|n| bench.event(&format!("page.{n}"))).collect();
    bench.ingest_planned(&events, Vec::new());
    let oldest: Vec<EventId> = events.iter().map(|event| event.id).collect();
    let newest: Vec<EventId> = oldest.iter().rev().copied().collect();
    for limit in [1, 3, 5, 10, 1_000] {
        let query = EventQuery { limit, ..EventQuery::default() };
        assert_eq!(all_events(bench, &query).await, newest, "{limit} a page");
        let query = EventQuery { order: Order::OldestFirst, ..query };
        assert_eq!(all_events(bench, &query).await, oldest, "{limit} a page");
    }
    let query = EventQuery { limit: 10, ..EventQuery::default() };
    let page = bench.store.events().events(query).await.expect("list events");
    assert_eq!(page.next, None, "a full page that is the last has no next one");
    let query = EventQuery { limit: 0, ..EventQuery::default() };
    let page = bench.store.events().events(query).await.expect("list events");
    assert_eq!((page.items.len(), page.next.is_some()), (1, true), "a page has at least one");
}

async fn events_are_filtered(bench: &mut Bench) {
    let second = |n| bench_time(n);
    let mut events = Vec::new();
    for (n, (kind, source, subject)) in [
        ("order.paid", "/a", Some("users/1")),
        ("order.sent", "/a", None),
        ("user.created", "/b", Some("users/1")),
        ("order", "/b", Some("users/2")),
    ]
    .into_iter()
    .enumerate()
    {
        bench.now = second(n as i64);
        let subject = subject.map(Box::from);
        events.push(Event { source: source.into(), subject, ..bench.event(kind) });
    }
    bench.ingest_planned(&events, Vec::new());
    let text = |text: &str| Some(text.to_owned());
    let all = EventQuery { limit: 2, order: Order::OldestFirst, ..EventQuery::default() };
    let cases: Vec<(EventQuery, &[usize])> = vec![
        (EventQuery { kind: text("order.paid"), ..all.clone() }, &[0]),
        (EventQuery { kind: text("order.*"), ..all.clone() }, &[0, 1]),
        (EventQuery { kind: text("order*"), ..all.clone() }, &[0, 1, 3]),
        (EventQuery { kind: text("*"), ..all.clone() }, &[0, 1, 2, 3]),
        (EventQuery { kind: text("nothing"), ..all.clone() }, &[]),
        (EventQuery { source: text("/b"), ..all.clone() }, &[2, 3]),
        (EventQuery { subject: text("users/1"), ..all.clone() }, &[0, 2]),
        (EventQuery { since: Some(second(1)), ..all.clone() }, &[1, 2, 3]),
        (EventQuery { until: Some(second(2)), ..all.clone() }, &[0, 1]),
        (EventQuery { since: Some(second(1)), until: Some(second(2)), ..all.clone() }, &[1]),
        (EventQuery { since: Some(second(9)), ..all.clone() }, &[]),
        (EventQuery { since: Some(second(2)), until: Some(second(1)), ..all.clone() }, &[]),
        (EventQuery { until: Some(Timestamp::EPOCH), ..all }, &[]),
    ];
    for (query, expected) in cases {
        let expected: Vec<EventId> = expected.iter().map(|n| events[*n].id).collect();
        assert_eq!(all_events(bench, &query).await, expected, "{query:?}");
    }
}

async fn a_root_is_listed_with_what_came_of_it(bench: &mut Bench) {
    let roots = [bench.event("root"), bench.event("root")];
    let mut events = roots.to_vec();
    for n in 0..6 {
        let lineage = Lineage { root: Some(roots[n % 2].id), depth: 1, ..Lineage::default() };
        let mut event = bench.event(if n < 4 { "leaf" } else { "twig" });
        event.lineage = Some(Box::new(lineage));
        events.push(event);
    }
    bench.ingest_planned(&events, Vec::new());
    let tree = [0, 2, 4, 6].map(|n| events[n].id);
    let oldest = EventQuery {
        root: Some(roots[0].id),
        order: Order::OldestFirst,
        limit: 1_000,
        ..EventQuery::default()
    };
    let leaves = EventQuery { kind: Some("leaf".to_owned()), ..oldest.clone() };
    assert_eq!(all_events(bench, &leaves).await, tree[1..3]);
    for limit in [1, 3, 4, 5] {
        let oldest = EventQuery { limit, ..oldest.clone() };
        assert_eq!(all_events(bench, &oldest).await, tree, "{limit} a page");
        let newest = EventQuery { order: Order::NewestFirst, ..oldest };
        assert!(all_events(bench, &newest).await.iter().eq(tree.iter().rev()), "{limit} a page");
    }
    // A root that is gone is known by what came of it, and an event that is none leads to itself.
    let lost = bench.event("lost").id;
    assert_eq!(all_events(bench, &EventQuery { root: Some(lost), ..oldest.clone() }).await, []);
    let leaf = EventQuery { root: Some(tree[3]), ..oldest };
    assert_eq!(all_events(bench, &leaf).await, tree[3..]);
}

fn bench_time(second: i64) -> Timestamp {
    Timestamp::from_micros(1_795_100_000_000_000 + second * 1_000_000)
}

async fn executions_come_in_pages(bench: &mut Bench) {
    let triggers: Vec<TriggerId> = (0..3).map(|_| bench.trigger()).collect();
    let events: Vec<Event> = (0..4).map(|_| bench.event("page")).collect();
    let executions: Vec<NewExecution> = events
        .iter()
        .flat_map(|event| triggers.iter().map(|trigger| pending(event, *trigger, event.time)))
        .collect();
    let oldest: Vec<ExecutionId> = executions.iter().map(|execution| execution.id).collect();
    let newest: Vec<ExecutionId> = oldest.iter().rev().copied().collect();
    bench.ingest_planned(&events, executions);
    for limit in [1, 2, 5, 12, 1_000] {
        let query = ExecutionQuery { limit, ..ExecutionQuery::default() };
        assert_eq!(all_executions(bench, &query).await, newest, "{limit} a page");
        let query = ExecutionQuery { order: Order::OldestFirst, ..query };
        assert_eq!(all_executions(bench, &query).await, oldest, "{limit} a page");
    }
    let query = ExecutionQuery { limit: 12, ..ExecutionQuery::default() };
    assert_eq!(page_of(bench, &query).await.next, None);
}

async fn executions_are_filtered(bench: &mut Bench) {
    let triggers = [bench.trigger(), bench.trigger()];
    let mut ids = Vec::new();
    for n in 0..6 {
        bench.now = bench_time(n);
        let event = bench.event("filtered");
        let mut execution = pending(&event, triggers[n as usize % 2], bench.now);
        execution.is_test_run = n == 4;
        execution.is_replay = n == 3;
        ids.push(execution.id);
        bench.ingest_planned(&[event], vec![execution]);
    }
    bench.finish(ids[0], Some(succeeded(1)), done(State::Success));
    bench.finish(ids[1], Some(failed(1)), done(State::Failed));
    bench.finish(ids[2], Some(failed(1)), done(State::TimedOut));
    let states = |states: &[State]| states.to_vec();
    let all = ExecutionQuery { limit: 2, ..ExecutionQuery::default() };
    let cases: Vec<(ExecutionQuery, &[usize])> = vec![
        (all.clone(), &[5, 4, 3, 2, 1, 0]),
        (ExecutionQuery { triggers: vec![triggers[0]], ..all.clone() }, &[4, 2, 0]),
        (ExecutionQuery { triggers: triggers.to_vec(), ..all.clone() }, &[5, 4, 3, 2, 1, 0]),
        (ExecutionQuery { event: Some(ids[3].event), ..all.clone() }, &[3]),
        (ExecutionQuery { states: states(&[State::Pending]), ..all.clone() }, &[5, 4, 3]),
        (
            ExecutionQuery { states: states(&[State::Success, State::Failed]), ..all.clone() },
            &[1, 0],
        ),
        (ExecutionQuery { states: states(&[State::Failed]), ..all.clone() }, &[1]),
        (
            ExecutionQuery {
                states: states(&[State::TimedOut]),
                event: Some(ids[2].event),
                ..all.clone()
            },
            &[2],
        ),
        (ExecutionQuery { is_test_run: Some(true), ..all.clone() }, &[4]),
        (ExecutionQuery { is_test_run: Some(false), ..all.clone() }, &[5, 3, 2, 1, 0]),
        (ExecutionQuery { is_replay: Some(true), ..all.clone() }, &[3]),
        (ExecutionQuery { is_replay: Some(false), ..all.clone() }, &[5, 4, 2, 1, 0]),
        (
            ExecutionQuery {
                since: Some(bench_time(2)),
                until: Some(bench_time(4)),
                ..all.clone()
            },
            &[3, 2],
        ),
        (ExecutionQuery { since: Some(bench_time(4)), event: Some(ids[3].event), ..all }, &[]),
    ];
    for (query, expected) in cases {
        let expected: Vec<ExecutionId> = expected.iter().map(|n| ids[*n]).collect();
        assert_eq!(all_executions(bench, &query).await, expected, "{query:?}");
    }
}

/// Rising; one of them is no signed number.
const CAUSES: [Cause; 3] = [Cause(0), Cause(7), Cause(u64::MAX)];

async fn dead_letters_come_in_pages(bench: &mut Bench) {
    let triggers = [bench.trigger(), bench.trigger(), bench.trigger()];
    let mut dead = Vec::new();
    for n in 0..9_usize {
        bench.now = bench_time(n as i64);
        let event = bench.event("dead");
        // Two triggers fail for every event, so that a page can end between them.
        let executions = triggers.map(|trigger| pending(&event, trigger, bench.now));
        bench.ingest_planned(&[event], executions.to_vec());
        let state = if n % 2 == 0 { State::Failed } else { State::TimedOut };
        for execution in &executions[..2] {
            bench.bury(execution.id, state, CAUSES[n % 3]);
            dead.push((execution.id, state));
        }
        bench.finish(executions[2].id, Some(succeeded(1)), done(State::Success));
    }
    let query = ExecutionQuery { only_dead_letters: true, ..ExecutionQuery::default() };
    let oldest: Vec<ExecutionId> = dead.iter().map(|(id, _)| *id).collect();
    let newest: Vec<ExecutionId> = oldest.iter().rev().copied().collect();
    for limit in [1, 3, 4, 18, 100] {
        let query = ExecutionQuery { limit, ..query.clone() };
        assert_eq!(all_executions(bench, &query).await, newest, "{limit} a page");
        let query = ExecutionQuery { order: Order::OldestFirst, ..query };
        assert_eq!(all_executions(bench, &query).await, oldest, "{limit} a page");
    }
    let one = ExecutionQuery {
        states: vec![State::Failed],
        triggers: vec![triggers[1], triggers[1]],
        since: Some(bench_time(2)),
        until: Some(bench_time(7)),
        limit: 2,
        ..query
    };
    let inside = |id: ExecutionId| (2..7).any(|n| id.event.made_at() == bench_time(n));
    let expected: Vec<ExecutionId> = dead
        .iter()
        .rev()
        .filter(|(id, state)| id.trigger == triggers[1] && *state == State::Failed && inside(*id))
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(all_executions(bench, &one).await, expected);
    let counts = bench.store.executions().dead_letters().await.expect("count dead letters");
    let group = |trigger, n: usize| DeadLetters {
        trigger,
        cause: CAUSES[n],
        count: 3,
        first: dead[2 * n].0.event,
        last: dead[2 * (n + 6)].0.event,
    };
    let groups = |trigger| [group(trigger, 0), group(trigger, 1), group(trigger, 2)];
    assert_eq!(counts, [groups(triggers[0]), groups(triggers[1])].concat());
}

async fn a_rare_filter_gives_short_pages(bench: &mut Bench) {
    const MANY: usize = 45_000;
    let rare = bench.event("rare");
    let trigger = bench.trigger();
    let common: Vec<Event> = (0..MANY).map(|_| bench.event("common")).collect();
    bench.ingest(std::slice::from_ref(&rare), trigger);
    let other = bench.trigger();
    bench.ingest(&common, other);

    let query = EventQuery { kind: Some("rare".to_owned()), limit: 10, ..EventQuery::default() };
    let page = bench.store.events().events(query.clone()).await.expect("list events");
    assert!(page.items.is_empty() && page.next.is_some(), "a page that looked at every row");
    assert_eq!(all_events(bench, &query).await, [rare.id]);

    let query = ExecutionQuery { triggers: vec![trigger], limit: 10, ..ExecutionQuery::default() };
    let page = page_of(bench, &query).await;
    assert!(page.items.is_empty() && page.next.is_some(), "a page that looked at every row");
    assert_eq!(all_executions(bench, &query).await, [ExecutionId { event: rare.id, trigger }]);
}

async fn foreign_cursors_are_refused(bench: &mut Bench) {
    bench.waiting();
    for cursor in ["", "x", "-1", "1.2.3", "ffffffffffffffffff"] {
        let cursor = Some(cursor.to_owned());
        let query = EventQuery { limit: 1, cursor: cursor.clone(), ..EventQuery::default() };
        let error = bench.store.events().events(query).await.expect_err("a foreign cursor");
        assert!(error.source.is::<BadCursor>(), "{error:?}");
        let query = ExecutionQuery { limit: 1, cursor, ..ExecutionQuery::default() };
        let error = bench.store.executions().executions(query).await.expect_err("a foreign cursor");
        assert!(error.source.is::<BadCursor>(), "{error:?}");
    }
    // A cursor beside the range of the query is no error: there is nothing behind it.
    let query = EventQuery {
        limit: 1,
        since: Some(bench.now.minus(Millis::from_secs(1))),
        cursor: Some("1".to_owned()),
        ..EventQuery::default()
    };
    assert_eq!(all_events(bench, &query).await, []);
}
