//! Every read of a store, as one value that can be compared.

use evoke_model::{Attempt, Event, EventId, Execution, ExecutionId, State, Timestamp, TriggerId};
use evoke_ports::Store;
use evoke_ports::store::{DeadLetters, Due, EventQuery, ExecutionQuery, Order};

use super::operation::World;

/// What a store answers.
#[derive(Debug, PartialEq)]
pub struct Answers {
    events: Vec<Vec<Event>>,
    executions: Vec<Vec<Execution>>,
    attempts: Vec<Vec<Attempt>>,
    waiting: Vec<Vec<(ExecutionId, Timestamp, u32, Event)>>,
    backlog: Vec<(TriggerId, u64, Timestamp)>,
    dead_letters: Vec<DeadLetters>,
    keys: Vec<Option<EventId>>,
    newest: u64,
}

/// Reads everything there is.
pub async fn everything(store: &dyn Store, world: &World) -> Answers {
    let mut answers = Answers {
        events: Vec::new(),
        executions: Vec::new(),
        attempts: Vec::new(),
        waiting: Vec::new(),
        backlog: store.executions().backlog().await.unwrap(),
        dead_letters: store.executions().dead_letters().await.unwrap(),
        keys: Vec::new(),
        newest: store.events().newest().await.unwrap(),
    };
    for query in event_queries(world) {
        answers.events.push(events(store, query).await);
    }
    for query in execution_queries(world) {
        answers.executions.push(executions(store, query).await);
    }
    for id in &world.executions {
        answers.attempts.push(store.executions().attempts(*id).await.unwrap());
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
        EventQuery { until: Some(world.now), order: Order::OldestFirst, ..all },
    ]
}

fn execution_queries(world: &World) -> Vec<ExecutionQuery> {
    let all = ExecutionQuery { limit: 3, ..ExecutionQuery::default() };
    let dead = vec![State::Failed, State::TimedOut];
    let oldest = Order::OldestFirst;
    vec![
        all.clone(),
        ExecutionQuery { order: oldest, limit: 1_000, ..all.clone() },
        ExecutionQuery { triggers: vec![World::trigger(1)], ..all.clone() },
        ExecutionQuery { states: vec![State::Pending], ..all.clone() },
        ExecutionQuery { states: dead.clone(), ..all.clone() },
        ExecutionQuery { states: dead.clone(), order: oldest, limit: 2, ..all.clone() },
        ExecutionQuery { states: dead, triggers: vec![World::trigger(2)], ..all.clone() },
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

async fn waiting(
    store: &dyn Store,
    trigger: TriggerId,
    now: Timestamp,
) -> Vec<(ExecutionId, Timestamp, u32, Event)> {
    let mut found = Vec::new();
    for (until, order_key) in [(now, None), (Timestamp::from_micros(i64::MAX), Some("order"))] {
        let order_key = order_key.map(Box::from);
        let query = Due { trigger, after: None, until, order_key, limit: 100 };
        let waiting = store.executions().due(query).await.unwrap();
        found.extend(waiting.into_iter().map(|waiting| {
            (waiting.id, waiting.due, waiting.attempts, Event::clone(&waiting.event))
        }));
    }
    found
}
