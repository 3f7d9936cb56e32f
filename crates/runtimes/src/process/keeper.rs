//! The one timer of a pool. It sleeps until something is due or somebody nudges it: deadlines, idle
//! workers, and calls that wait for a worker there is none of.

use std::sync::Arc;

use evoke_model::Timestamp;

use super::scale::{PATIENCE, View, workers_to_start};
use super::shared::Shared;
use super::state::NEVER;
use crate::clock::now;

/// Runs until the pool is closed.
pub async fn run(shared: Arc<Shared>) {
    loop {
        let instant = now();
        let next = shared.change(|state, effects| state.tick(instant, effects));
        scale(&shared, instant);
        shared.quiet.notify_one();
        tokio::select! {
            () = shared.nudge.notified() => {}
            () = sleep_until(next) => {}
            () = shared.closed.cancelled() => return,
        }
    }
}

async fn sleep_until(instant: Timestamp) {
    if instant == NEVER {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(instant.since(now())).await;
}

fn scale(shared: &Arc<Shared>, instant: Timestamp) {
    let (mut view, processes, finished) = {
        let state = shared.state.lock();
        let limits = state.limits;
        let view = View {
            live: state.live(),
            starting: state.starting,
            min: limits.min,
            max: limits.max,
            concurrency: limits.concurrency,
            waiting: state.waiting(),
            head_waited: state.head_waited(instant),
            pace: None,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        };
        if !state.may_start(instant) || state.closing && view.waiting == 0 {
            return;
        }
        let processes: Vec<i32> =
            state.workers().iter().map(|worker| worker.control.group()).collect();
        (view, processes, state.finished)
    };
    if view.waiting > 0 && view.live > 0 && view.head_waited >= PATIENCE {
        view.pace = shared.meter.lock().pace(&processes, finished);
    }
    let count = workers_to_start(&view);
    shared.state.lock().starting += count;
    for _ in 0..count {
        let shared = Arc::clone(shared);
        shared.tasks.clone().spawn(async move {
            if let Err(error) = shared.start_worker().await {
                let function = &shared.starter.recipe().version.spec.name;
                tracing::warn!(function, ?error, "Worker of {function} could not be started");
            }
        });
    }
}
