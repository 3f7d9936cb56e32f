//! Waiting for what is bound to come.

use std::time::Duration;

use evoke_engine::Engine;
use evoke_model::State;
use evoke_ports::store::ExecutionQuery;

/// How often it is looked, and how many times.
const STEP: Duration = Duration::from_millis(5);
const STEPS: usize = 6_000;

/// All executions in one of these states; all of them if none is named.
pub fn query(states: &[State]) -> ExecutionQuery {
    ExecutionQuery { states: states.to_vec(), limit: 1_000, ..ExecutionQuery::default() }
}

/// How many executions fit.
pub async fn count(engine: &Engine, mut query: ExecutionQuery) -> usize {
    let mut count = 0;
    loop {
        let page = engine.executions(query.clone()).await.expect("a page");
        count += page.items.len();
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return count,
        }
    }
}

/// Waits until so many executions fit.
pub async fn reach(engine: &Engine, query: ExecutionQuery, wanted: usize) {
    for _ in 0..STEPS {
        if count(engine, query.clone()).await == wanted {
            return;
        }
        tokio::time::sleep(STEP).await;
    }
    panic!("{} instead of {wanted} fit {query:?}", count(engine, query.clone()).await);
}
