//! Waiting for what is bound to come, and a clock that goes on only when a test says so.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evoke_engine::Engine;
use evoke_model::operation::OperationStatus;
use evoke_model::{Millis, Operation, OperationId, State, Timestamp};
use evoke_ports::Clock;
use evoke_ports::store::ExecutionQuery;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How often it is looked, and how many times.
const STEP: Duration = Duration::from_millis(5);
const STEPS: usize = 6_000;

/// A clock that goes on only when it is told.
pub struct Hand {
    now: Mutex<Timestamp>,
    moved: Notify,
}

impl Hand {
    pub fn new() -> Arc<Self> {
        let now = Mutex::new(Timestamp::from_millis(1_800_000_000_000));
        Arc::new(Self { now, moved: Notify::new() })
    }

    pub fn advance(&self, by: Millis) {
        let mut now = self.now.lock();
        *now = now.plus(by);
        drop(now);
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }
    async fn sleep_until(&self, instant: Timestamp) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now() >= instant {
                return;
            }
            moved.await;
        }
    }
}

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

/// Waits until an operation looks as wanted.
pub async fn until(
    engine: &Engine,
    id: OperationId,
    wanted: impl Fn(&Operation) -> bool,
) -> Operation {
    for _ in 0..STEPS {
        let operation = engine.operation(id).expect("it is listed");
        if wanted(&operation) {
            return operation;
        }
        tokio::time::sleep(STEP).await;
    }
    panic!("it stays {:?}", engine.operation(id));
}

/// Waits until an operation is over.
pub async fn over(engine: &Engine, id: OperationId) -> Operation {
    until(engine, id, |operation| operation.status != OperationStatus::Running).await
}
