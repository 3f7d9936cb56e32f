//! Time, for the shells around pure code. Everything below takes instants as arguments.

use std::time::Duration;

use async_trait::async_trait;
use evoke_model::Timestamp;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// Returns once `now` has reached `instant`.
    async fn sleep_until(&self, instant: Timestamp);

    /// The same, but returns as well when the clock was set back: for whoever waits for an instant
    /// that was told by the clock as it was.
    async fn watch_until(&self, instant: Timestamp) {
        self.sleep_until(instant).await;
    }
}

/// How long to wait without looking at the clock again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The clock of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_micros(since.map_or(0, |duration| duration.as_micros() as i64))
    }

    async fn sleep_until(&self, instant: Timestamp) {
        // The wall clock may be set, or the machine sleep, while we wait.
        loop {
            let wait = instant.since(self.now());
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
        }
    }

    async fn watch_until(&self, instant: Timestamp) {
        let mut seen = self.now();
        while seen < instant {
            tokio::time::sleep(instant.since(seen).min(LOOK_AGAIN)).await;
            let now = self.now();
            if now < seen {
                return;
            }
            seen = now;
        }
    }
}
