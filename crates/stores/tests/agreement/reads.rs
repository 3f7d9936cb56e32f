//! Every read of a store, as one value that can be compared.

use bytes::Bytes;
use evoke_model::{
    Attempt, Cause, Data, Event, EventId, Execution, ExecutionId, Operation, Redirect, SegmentId,
    State, Timestamp, TriggerId,
};
use evoke_ports::Store;
use evoke_ports::store::{
    AuditEntry, AuditQuery, Cursor, DeadLetters, Due, EventQuery, ExecutionQuery, Holds, Order,
    Ripe, SegmentInfo, SegmentQuery, Spent,
};

use super::operation::World;

/// What a store answers.
#[derive(Debug, PartialEq)]
pub struct Answers {
    events: Vec<Vec<Event>>,
    executions: Vec<Vec<Execution>>,
    attempts: Vec<Vec<Attempt>>,
    edited: Vec<Option<Data>>,
    waiting: Vec<Vec<Waits>>,
    backlog: Vec<(TriggerId, u64, Timestamp)>,
    dead_letters: Vec<DeadLetters>,
    keys: Vec<Option<EventId>>,
    newest: u64,
    archive: Archived,
    trail: Vec<AuditEntry>,
    operations: Vec<Operation>,
    spent: Vec<Spent>,
    cursors: Vec<Cursor>,
}

/// What waits: due, queued, attempts, where it goes, and the event it gets.
type Waits = (ExecutionId, Timestamp, Timestamp, u32, Option<Redirect>, Event);

/// What is in the archive and what could go there.
#[derive(Debug, PartialEq)]
struct Archived {
    segments: Vec<SegmentInfo>,
    later: Vec<SegmentInfo>,
    contents: Vec<Option<Bytes>>,
    bytes: u64,
    ripe: Vec<Old>,
}

/// An event that is old, with what is left of it.
type Old = (EventId, Option<Event>, Vec<(Execution, Vec<Attempt>)>);

/// Reads everything there is.
pub async fn everything(store: &dyn Store, world: &World) -> Answers {
    let mut answers = Answers {
        events: Vec::new(),
        executions: Vec::new(),
        attempts: Vec::new(),
        edited: Vec::new(),
        waiting: Vec::new(),
        backlog: store.executions().backlog().await.unwrap(),
        dead_letters: store.executions().dead_letters().await.unwrap(),
        keys: Vec::new(),
        newest: store.events().newest().await.unwrap(),
        archive: archive(store).await,
        trail: trail(store).await,
        operations: store.definitions().operations().await.unwrap(),
        spent: store.executions().spent(world.now).await.unwrap(),
        cursors: store.definitions().cursors().await.unwrap(),
    };
    for query in event_queries(world) {
        answers.events.push(events(store, query).await);
    }
    for query in execution_queries(world) {
        answers.executions.push(executions(store, query).await);
    }
    for id in &world.executions {
        answers.attempts.push(store.executions().attempts(*id).await.unwrap());
        answers.edited.push(store.executions().edited(*id).await.unwrap());
    }
    for trigger in 0..3 {
        answers.waiting.push(waiting(store, World::trigger(trigger), world.now).await);
    }
    for key in 0..4 {
        answers.keys.push(store.events().by_key(&World::key(key)).await.unwrap());
    }
    answers
}

fn event_queries(world: &World) -> Vec<EventQuery> {
    let all = EventQuery { limit: 3, ..EventQuery::default() };
    vec![
        all.clone(),
        EventQuery { order: Order::OldestFirst, limit: 1_000, ..all.clone() },
        EventQuery { kind: Some("order.*".to_owned()), ..all.clone() },
        EventQuery { source: Some("/source/1".to_owned()), ..all.clone() },
        EventQuery { since: Some(world.now), ..all.clone() },
        EventQuery { root: world.events.first().copied(), ..all.clone() },
        EventQuery { root: world.events.get(2).copied(), order: Order::OldestFirst, ..all.clone() },
        EventQuery { until: Some(world.now), order: Order::OldestFirst, ..all },
    ]
}

fn execution_queries(world: &World) -> Vec<ExecutionQuery> {
    let all = ExecutionQuery { limit: 3, ..ExecutionQuery::default() };
    let failed = vec![State::Failed, State::TimedOut];
    let dead = ExecutionQuery { only_dead_letters: true, ..all.clone() };
    let oldest = Order::OldestFirst;
    vec![
        all.clone(),
        ExecutionQuery { order: oldest, limit: 1_000, ..all.clone() },
        ExecutionQuery { triggers: vec![World::trigger(1)], ..all.clone() },
        ExecutionQuery { states: vec![State::Pending], ..all.clone() },
        ExecutionQuery { states: failed, ..all.clone() },
        dead.clone(),
        ExecutionQuery { states: vec![State::TimedOut], order: oldest, ..dead.clone() },
        ExecutionQuery { cause: Some(Cause(1)), limit: 2, ..dead.clone() },
        ExecutionQuery { cause: Some(Cause(2)), is_replay: Some(true), ..all.clone() },
        ExecutionQuery { triggers: vec![World::trigger(2)], order: oldest, ..dead.clone() },
        ExecutionQuery { event: world.events.last().copied(), ..dead },
        ExecutionQuery { is_replay: Some(true), ..all.clone() },
        ExecutionQuery { is_test_run: Some(true), ..all.clone() },
        ExecutionQuery { event: world.events.first().copied(), ..all.clone() },
        ExecutionQuery { since: Some(world.now), ..all },
    ]
}

async fn events(store: &dyn Store, mut query: EventQuery) -> Vec<Event> {
    let mut found = Vec::new();
    loop {
        let page = store.events().events(query.clone()).await.unwrap();
        found.extend(page.items.iter().map(|event| Event::clone(event)));
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

async fn executions(store: &dyn Store, mut query: ExecutionQuery) -> Vec<Execution> {
    let mut found = Vec::new();
    loop {
        let page = store.executions().executions(query.clone()).await.unwrap();
        found.extend(page.items);
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

async fn waiting(store: &dyn Store, trigger: TriggerId, now: Timestamp) -> Vec<Waits> {
    let mut found = Vec::new();
    let ever = Timestamp::from_micros(i64::MAX);
    for (until, order_key) in [(now, None), (ever, None), (now, Some(0)), (ever, Some(1))] {
        let order_key = order_key.map(|key| World::order_key(key).into());
        let mut query = Due { trigger, after: None, until, order_key, limit: 3 };
        loop {
            let waiting = store.executions().due(query.clone()).await.unwrap();
            let Some(last) = waiting.last() else { break };
            query.after = Some((last.queued, last.id.event));
            found.extend(waiting.into_iter().map(|waits| {
                let redirect = waits.redirect.as_deref().cloned();
                let event = Event::clone(&waits.event);
                (waits.id, waits.due, waits.queued, waits.attempts, redirect, event)
            }));
        }
    }
    found
}

async fn archive(store: &dyn Store) -> Archived {
    let archive = store.archive();
    let later = SegmentQuery {
        holds: Some(Holds::Executions),
        from: Some(EventId::from_u64(3)),
        to: Some(EventId::from_u64(2)),
    };
    let mut contents = Vec::new();
    for id in 0..12 {
        contents.push(archive.segment(SegmentId::from_u64(id)).await.unwrap());
    }
    Archived {
        segments: archive.segments(SegmentQuery::default()).await.unwrap(),
        later: archive.segments(later).await.unwrap(),
        contents,
        bytes: archive.size().await.unwrap().archived,
        ripe: ripe(store).await,
    }
}

async fn ripe(store: &dyn Store) -> Vec<Old> {
    let before = Timestamp::from_micros(i64::MAX);
    let mut query = Ripe { after: EventId::from_u64(0), before, limit: 3 };
    let mut found = Vec::new();
    loop {
        let part = store.archive().ripe(query.clone()).await.unwrap();
        let Some(last) = part.last() else { return found };
        query.after = last.id;
        found.extend(part.into_iter().map(|whole| {
            let event = whole.event.as_deref().cloned();
            (whole.id, event, whole.executions)
        }));
    }
}

async fn trail(store: &dyn Store) -> Vec<AuditEntry> {
    let all = AuditQuery { limit: 2, ..AuditQuery::default() };
    let some = AuditQuery { action: Some("trigger.e*".to_owned()), ..all.clone() };
    let mut found = Vec::new();
    for mut query in [all, some] {
        loop {
            let page = store.definitions().audit(query.clone()).await.unwrap();
            found.extend(page.items);
            match page.next {
                Some(cursor) => query.cursor = Some(cursor),
                None => break,
            }
        }
    }
    found
}
