//! A runtime whose every step can be repeated: one thread, no timers, no I/O. Whoever drives it is
//! asked after each poll of a task, and can tell when nothing is left to do.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

/// Tells when no task can go on.
#[derive(Default)]
pub struct Idle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_reached: bool,
    waiting: Option<Waker>,
}

impl Idle {
    /// Completes once no task can go on by itself.
    pub async fn reached(&self) {
        self.state.lock().is_reached = false;
        poll_fn(|context| {
            let mut state = self.state.lock();
            if state.is_reached {
                return Poll::Ready(());
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Completes `reached` at once: the thread is about to sleep, or the process died.
    pub fn reach(&self) {
        let mut state = self.state.lock();
        if let Some(waker) = state.waiting.take() {
            state.is_reached = true;
            drop(state);
            waker.wake();
        }
    }
}

/// A runtime that tells when it is idle. A `yield_now` of the future it blocks on lasts one poll of
/// one task.
pub fn runtime(idle: &Arc<Idle>) -> std::io::Result<Runtime> {
    let idle = idle.clone();
    Builder::new_current_thread().event_interval(1).on_thread_park(move || idle.reach()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yield_lasts_one_poll_and_idle_is_when_none_is_left() {
        let idle = Arc::new(Idle::default());
        let runtime = runtime(&idle).expect("a runtime");
        let count = Arc::new(Mutex::new(0));
        runtime.block_on(async {
            let counted = count.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    *counted.lock() += 1;
                    tokio::task::yield_now().await;
                }
            });
            tokio::task::yield_now().await;
            assert_eq!(*count.lock(), 1);
            tokio::task::yield_now().await;
            assert_eq!(*count.lock(), 2);
            idle.reached().await;
            assert_eq!(*count.lock(), 10);
            idle.reached().await;
        });
    }
}
