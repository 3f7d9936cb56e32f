//! Turns of those who change one document at the same time. Nothing is locked: who was overtaken
//! waits here until the others who were have made their change, or else nobody of many who are
//! always overtaken would ever be done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

/// How long a turn is waited for. After that all goes on without: a hook of the change before may
/// itself want a change that waits for it.
pub(crate) const WAIT: Duration = Duration::from_secs(1);

/// A document, by its collection and its id.
pub(crate) type Place = (Box<str>, Box<str>);

/// Who waits for whom.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    lines: Mutex<HashMap<Place, Arc<tokio::sync::Mutex<()>>>>,
}

/// A turn with some documents; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    places: Vec<Place>,
    held: Vec<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Whether others wait for one of these documents.
    pub(crate) fn are_awaited(&self, places: &[Place]) -> bool {
        let lines = self.lines.lock();
        !lines.is_empty() && places.iter().any(|place| lines.contains_key(place))
    }

    /// Waits for a turn with these documents, in an order that is the same for everybody, and goes
    /// on without after this time.
    pub(crate) async fn take(self: &Arc<Self>, mut places: Vec<Place>, wait: Duration) -> Turn {
        let until = Instant::now() + wait;
        places.sort_unstable();
        let mut turn = Turn { turns: self.clone(), places, held: Vec::new() };
        for place in turn.places.clone() {
            let line = self.lines.lock().entry(place).or_default().clone();
            match timeout_at(until, line.lock_owned()).await {
                Ok(held) => turn.held.push(held),
                Err(_) => break,
            }
        }
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held.clear();
        let mut lines = self.turns.lines.lock();
        for place in &self.places {
            // Whoever waits holds one as well.
            if lines.get(place).is_some_and(|line| Arc::strong_count(line) == 1) {
                lines.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: &str) -> Place {
        ("users".into(), id.into())
    }

    #[tokio::test]
    async fn one_has_a_turn_at_a_time_and_nothing_is_left_behind() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(vec![place("b"), place("a")], WAIT).await;
        assert!(turns.are_awaited(&[place("x"), place("a")]));
        assert!(!turns.are_awaited(&[place("x")]));
        let mut second = Box::pin(turns.take(vec![place("a"), place("c")], WAIT));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        let second = second.await;
        assert_eq!(second.held.len(), 2);
        // Who waits in vain goes on, and who leaves while waiting leaves nothing.
        let third = turns.take(vec![place("a")], Duration::ZERO).await;
        assert_eq!(third.held.len(), 0);
        let leaving = turns.take(vec![place("a")], WAIT);
        assert!(futures_util::FutureExt::now_or_never(leaving).is_none());
        drop((second, third));
        assert!(turns.lines.lock().is_empty());
    }
}
