//! Dead letters and operations: making them, and waiting for them.

use std::time::Duration;

use evoke_engine::{Actor, Engine};
use evoke_model::operation::OperationStatus;
use evoke_model::policy::Retry;
use evoke_model::{Operation, OperationId, Policy};
use evoke_ports::store::ExecutionQuery;

use crate::wait::query;

/// How often it is looked, and how many times.
const STEP: Duration = Duration::from_millis(5);
const STEPS: usize = 6_000;

/// A policy without a second attempt.
pub fn once() -> Policy {
    Policy { retry: Some(Retry { attempts: 1, ..Retry::default() }), ..Policy::default() }
}

/// Somebody with a name.
pub fn somebody() -> Actor {
    Actor("deploy".into())
}

/// All dead letters.
pub fn dead() -> ExecutionQuery {
    ExecutionQuery { only_dead_letters: true, ..query(&[]) }
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
