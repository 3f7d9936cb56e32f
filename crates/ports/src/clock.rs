//! Time, for the shells around pure code. Everything below takes instants as arguments.

use async_trait::async_trait;
use evoke_model::Timestamp;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// Returns once `now` has reached `instant`.
    async fn sleep_until(&self, instant: Timestamp);
}

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
        // The wall clock may be set while we sleep, so it is asked again at the end.
        loop {
            let wait = instant.since(self.now());
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }
}
