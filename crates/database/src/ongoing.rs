//! Changes that are under way. An event has its id before its hooks are asked and is committed
//! long after, so events come into the log out of order. Who follows a collection in the order of
//! ids has to know up to where nothing can come any more.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use evoke_model::EventId;
use evoke_ports::Journal;
use parking_lot::Mutex;
use tokio::sync::watch;

/// The changes under way.
#[derive(Debug, Default)]
pub(crate) struct Ongoing {
    /// By an id below that of any of their events, with their collections.
    under_way: Mutex<BTreeMap<EventId, Vec<Arc<str>>>>,
    /// Who follows, by collection.
    readers: Mutex<HashMap<Arc<str>, watch::Sender<u64>>>,
}

impl Ongoing {
    /// Notes a change that is about to be made.
    pub(crate) fn begin(
        self: &Arc<Self>,
        journal: &dyn Journal,
        collections: Vec<Arc<str>>,
    ) -> Begun {
        let mut under_way = self.under_way.lock();
        // Within the lock, so that whoever asks afterwards for an id gets a higher one.
        let id = journal.fresh_id();
        under_way.insert(id, collections);
        Begun { ongoing: Arc::clone(self), id }
    }

    /// Up to where the events of a collection are in the log, or never will be.
    pub(crate) fn settled(&self, journal: &dyn Journal, collection: &str) -> EventId {
        let under_way = self.under_way.lock();
        let next = journal.fresh_id();
        let first = under_way
            .iter()
            .find(|(_, collections)| collections.iter().any(|one| **one == *collection));
        first.map_or(next, |(id, _)| *id)
    }

    /// Tells each time a change of a collection came to its end.
    pub(crate) fn watch(&self, collection: Arc<str>) -> watch::Receiver<u64> {
        let mut readers = self.readers.lock();
        if !readers.contains_key(&collection) {
            // A collection in which nothing ever happens may not exist at all.
            readers.retain(|_, sender| sender.receiver_count() > 0);
        }
        readers.entry(collection).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Both within one lock: who finds a change over has been told of it.
    fn end(&self, id: EventId) {
        let mut under_way = self.under_way.lock();
        let collections = under_way.remove(&id).unwrap_or_default();
        let mut readers = self.readers.lock();
        for collection in collections {
            match readers.get(&collection) {
                Some(sender) if sender.receiver_count() > 0 => {
                    sender.send_modify(|count| *count = count.wrapping_add(1));
                }
                // The last reader left.
                Some(_) => drop(readers.remove(&collection)),
                None => {}
            }
        }
    }
}

/// A change under way; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Begun {
    ongoing: Arc<Ongoing>,
    id: EventId,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.ongoing.end(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_nothing_and_leaves_is_forgotten() {
        let ongoing = Ongoing::default();
        let stays = ongoing.watch("users".into());
        for n in 0..100 {
            drop(ongoing.watch(format!("nothing{n}").into()));
        }
        assert!(ongoing.readers.lock().len() <= 2);
        assert!(ongoing.readers.lock().contains_key("users"));
        drop(stays);
    }
}
