//! One at a time under a name: who comes while somebody else is at work waits until that is over.

use std::sync::Arc;

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// A name is kept as long as somebody is at work under it, or waits for that.
type Names = Mutex<AHashMap<Box<str>, Arc<tokio::sync::Mutex<()>>>>;

/// Who is at work under which name.
#[derive(Default)]
pub(crate) struct Turns(Arc<Names>);

/// Somebody's turn. It is over when this is dropped.
pub(crate) struct Turn {
    names: Arc<Names>,
    name: Box<str>,
    /// `None` while it waits.
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for its turn, in the order of coming.
    pub(crate) async fn of(&self, name: &str) -> Turn {
        let lock = self.0.lock().entry(name.into()).or_default().clone();
        // Made before it waits, so that one that gives up waiting is tidied away as well.
        let mut turn = Turn { names: self.0.clone(), name: name.into(), held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut names = self.names.lock();
        self.held = None;
        if names.get(&self.name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            names.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn each_waits_for_those_before_it_under_its_name() {
        let turns = Turns::default();
        let first = turns.of("a").await;
        let other = turns.of("b").await;
        let mut second = pin!(turns.of("a"));
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        let second = second.await;
        assert!(poll(pin!(turns.of("a"))).is_pending());
        drop((second, other));
        assert!(turns.0.lock().is_empty());
    }

    #[tokio::test]
    async fn one_that_gives_up_waiting_leaves_nothing() {
        let turns = Turns::default();
        let first = turns.of("a").await;
        {
            let mut second = pin!(turns.of("a"));
            assert!(poll(second.as_mut()).is_pending());
            drop(first);
        }
        assert!(turns.0.lock().is_empty());
        turns.of("a").await;
    }
}
