//! A clock that goes on only when a test says so.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Millis, Timestamp};
use evoke_ports::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

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
