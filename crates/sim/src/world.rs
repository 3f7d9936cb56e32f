//! What outlives a crash: the clock, what the store has committed, and what the model knows.

use std::sync::Arc;

use evoke_model::{Event, TriggerId};
use evoke_ports::Clock;
use evoke_stores::MemoryStore;
use evoke_testkit::ManualClock;
use fastrand::Rng;
use futures_util::FutureExt;
use parking_lot::Mutex;

use crate::book::Book;
use crate::calls::Calls;
use crate::trace::{BEGINNING, Trace};
use evoke_virtual_time::Idle;

/// Everything a run consists of beside the engine.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    /// What was committed, to be looked at without the faults of the engine's store.
    pub(crate) record: MemoryStore,
    pub(crate) book: Mutex<Book>,
    pub(crate) calls: Mutex<Calls>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) idle: Arc<Idle>,
    trace: Mutex<Trace>,
}

/// What is to go wrong.
pub(crate) struct Faults {
    /// Decides how long reads take.
    pub(crate) rng: Rng,
    /// So many of the next commits fail.
    pub(crate) commits: u32,
    /// So many of the next reads of what waits fail.
    pub(crate) reads: u32,
    /// The process dies in the next commit.
    pub(crate) crash: Option<Crash>,
    /// The process is dead: whoever drives it is to notice.
    pub(crate) is_dead: bool,
}

/// At which side of a commit the process dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Crash {
    /// Nothing of it is in the store.
    Before,
    /// It is in the store, and nobody was told.
    After,
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::at(BEGINNING),
            record: MemoryStore::new(),
            book: Mutex::default(),
            calls: Mutex::default(),
            faults: Mutex::new(Faults {
                rng: Rng::with_seed(seed ^ 0x5707_e5ee_d000_0001),
                commits: 0,
                reads: 0,
                crash: None,
                is_dead: false,
            }),
            idle: Arc::default(),
            trace: Mutex::default(),
        })
    }

    /// Adds a line to the trace.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        self.trace.lock().say(self.clock.now(), text.as_ref());
    }

    /// The process dies here. Whoever drives it notices before anything else goes on.
    pub(crate) fn die(&self) {
        self.faults.lock().is_dead = true;
        self.idle.reach();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.faults.lock().is_dead
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&self, text: impl Into<String>) {
        let text = text.into();
        self.say(format!("WRONG: {text}"));
        self.book.lock().wrong.get_or_insert(text);
    }

    /// What is not as it must be, if anything.
    pub(crate) fn verdict(&self) -> Option<String> {
        self.book.lock().wrong.clone()
    }

    /// The trace so far; it begins anew.
    pub(crate) fn take_trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.lock()).into_lines()
    }

    /// A short name for an execution.
    pub(crate) fn label(&self, event: &Event, trigger: TriggerId) -> String {
        let name = self.book.lock().triggers.get(&trigger).map(|known| known.plan.name.clone());
        let name = name.unwrap_or_else(|| trigger.to_string());
        format!("{}>{name}", event_label(event))
    }
}

/// A short name for an event: its number, or its id where it has none.
pub(crate) fn event_label(event: &Event) -> String {
    let replayed = if event.replay_of.is_some() { "r" } else { "" };
    match event.data.to_value()["n"].as_u64() {
        Some(number) => format!("e{number}{replayed}"),
        None => event.id.to_string(),
    }
}

/// The answer of a read of the record, which never waits.
pub(crate) fn now<T>(read: impl Future<Output = Result<T, evoke_ports::store::Error>>) -> T {
    match read.now_or_never() {
        Some(Ok(found)) => found,
        Some(Err(error)) => panic!("the record cannot be read: {error}: {}", error.source),
        None => panic!("a read of the record waits"),
    }
}
