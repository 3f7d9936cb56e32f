//! The task that sends what waits: batch by batch, one request at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use crate::Pace;
use crate::encode::Encoder;
use crate::queue::Queue;
use crate::receiver::{Answer, Receiver};
use crate::report::Reporter;

/// The longest wait a receiver may ask for. The queue is full long before.
const AFTER_MAX: Duration = Duration::from_secs(300);

/// Sends what waits in the queue.
#[derive(Debug)]
pub(crate) struct Exporter<R> {
    pub(crate) queue: Arc<Queue>,
    pub(crate) encoder: Encoder,
    pub(crate) receiver: R,
    pub(crate) pace: Pace,
    /// Asked to send what waits now and then end.
    pub(crate) stop: CancellationToken,
    /// Spreads the retries of many processes.
    pub(crate) rng: fastrand::Rng,
    pub(crate) reporter: Reporter,
}

impl<R: Receiver> Exporter<R> {
    /// Sends until it is asked to stop, then what still waits.
    pub(crate) async fn run(mut self) {
        let first = Instant::now() + self.pace.period;
        let mut tick = interval_at(first, self.pace.period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let queue = Arc::clone(&self.queue);
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = queue.full_batch() => self.send_full_batches().await,
                _ = tick.tick() => self.send_all().await,
            }
            self.report();
        }
        self.send_all().await;
        self.reporter.finish(self.queue.counts());
    }

    /// Leaves the beginning of the next batch to the tick, so that requests stay few under load.
    async fn send_full_batches(&mut self) {
        while self.queue.len() >= self.pace.batch {
            self.send_batch().await;
        }
    }

    /// Sends what waits now; what comes meanwhile is for the next time.
    async fn send_all(&mut self) {
        let batches = self.queue.len().div_ceil(self.pace.batch);
        for _ in 0..batches {
            self.send_batch().await;
        }
    }

    async fn send_batch(&mut self) {
        let spans = self.queue.take();
        if spans.is_empty() {
            return;
        }
        let len = spans.len() as u64;
        let body = Bytes::from(self.encoder.body(spans));
        let refused = self.offer(body, len).await.min(len);
        self.queue.count_sent(len - refused);
        self.queue.count_failed(refused);
    }

    /// Offers a batch until the receiver has decided or the attempts are used up. Returns how many
    /// of its `len` spans it did not take.
    async fn offer(&mut self, body: Bytes, len: u64) -> u64 {
        for attempt in 1.. {
            // Once the end is near, each batch has one more attempt.
            let is_last = attempt >= self.pace.attempts || self.stop.is_cancelled();
            match self.receiver.offer(body.clone()).await {
                Answer::Taken => {
                    self.reporter.fine();
                    return 0;
                }
                Answer::Partly { refused, why } => {
                    self.reporter.trouble(format!("the receiver refused some: {why}"));
                    return refused;
                }
                Answer::Refused { why } => {
                    self.reporter.trouble(why);
                    return len;
                }
                Answer::Later { why, .. } if is_last => {
                    self.reporter.trouble(why);
                    return len;
                }
                Answer::Later { after, why } => {
                    self.reporter.trouble(why);
                    self.report();
                    self.wait(attempt, after).await;
                }
            }
        }
        len
    }

    fn report(&mut self) {
        self.reporter.tell(self.queue.counts(), std::time::Instant::now());
    }

    async fn wait(&mut self, attempt: u32, after: Option<Duration>) {
        let wait = match after {
            Some(after) => after.min(AFTER_MAX),
            None => backoff(&self.pace, attempt).mul_f64(0.5 + self.rng.f64() / 2.0),
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
}

/// The wait after a failed attempt, the first of which is 1, without jitter.
fn backoff(pace: &Pace, attempt: u32) -> Duration {
    let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
    pace.retry_first.saturating_mul(doubled).min(pace.retry_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let pace = Pace::default();
        let waits: Vec<_> = (1..=9).map(|attempt| backoff(&pace, attempt).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff(&pace, u32::MAX), pace.retry_max);
    }
}
