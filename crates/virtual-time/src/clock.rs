//! A clock that stands still until it is told to go on: for tests and simulations that decide
//! themselves when time passes.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use evoke_model::{Millis, Timestamp};
use evoke_ports::Clock;

/// Goes on only when it is told. Who waits is woken in the order of the instants waited for, and of
/// those who wait for the same one, in the order in which they came.
pub struct ManualClock {
    state: Mutex<State>,
}

struct State {
    now: Timestamp,
    /// How many have waited so far.
    count: u64,
    waiting: BTreeMap<(Timestamp, u64), Waker>,
}

impl ManualClock {
    /// A clock that stands at this instant.
    pub fn at(now: Timestamp) -> Arc<Self> {
        let state = State { now, count: 0, waiting: BTreeMap::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Goes on by so much.
    pub fn advance(&self, by: Millis) {
        self.advance_to(self.now().plus(by));
    }

    /// Goes on to this instant; stays where it is if that has passed already.
    pub fn advance_to(&self, instant: Timestamp) {
        let mut state = self.lock();
        let now = state.now.max(instant);
        state.now = now;
        let later = state.waiting.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.waiting, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// The earliest instant somebody waits for.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.lock().waiting.first_key_value().map(|((instant, _), _)| *instant)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep_until(&self, instant: Timestamp) {
        Sleep { clock: self, instant, place: None }.await;
    }
}

/// Somebody who waits.
struct Sleep<'c> {
    clock: &'c ManualClock,
    instant: Timestamp,
    place: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.instant {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or(state.count);
        state.count = state.count.max(place + 1);
        state.waiting.insert((self.instant, place), context.waker().clone());
        drop(state);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.lock().waiting.remove(&(self.instant, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[tokio::test]
    async fn those_who_wait_go_on_in_the_order_of_their_instants() {
        let clock = ManualClock::at(at(0));
        let gone = Arc::new(Mutex::new(Vec::new()));
        for instant in [30, 10, 20, 10] {
            let (clock, gone) = (clock.clone(), gone.clone());
            tokio::spawn(async move {
                clock.sleep_until(at(instant)).await;
                gone.lock().expect("not poisoned").push(instant);
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(clock.next_wake(), Some(at(10)));
        clock.advance(Millis::new(25));
        tokio::task::yield_now().await;
        assert_eq!(*gone.lock().expect("not poisoned"), [10, 10, 20]);
        assert_eq!((clock.now(), clock.next_wake()), (at(25), Some(at(30))));
        clock.advance_to(at(5));
        assert_eq!(clock.now(), at(25), "it never goes back");
    }

    #[tokio::test]
    async fn who_leaves_is_not_waited_for() {
        let clock = ManualClock::at(at(0));
        let mut sleep = Box::pin(clock.sleep_until(at(10)));
        assert!(futures_poll(&mut sleep).await.is_pending());
        drop(sleep);
        assert_eq!(clock.next_wake(), None);
        clock.sleep_until(at(0)).await;
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
    }
}
