//! What a lane keeps in mind of executions, so that a look into the store brings none of them
//! twice.

use ahash::AHashMap;
use evoke_model::EventId;

/// Why an execution is kept in mind.
#[derive(Default)]
pub(super) struct Known {
    /// It is being committed: a look may see it before the committer hands it over.
    pub(super) is_coming: bool,
    /// It waits here.
    pub(super) waits: bool,
    /// It runs.
    pub(super) runs: bool,
    /// It was admitted under this policy of its trigger, counted from 0.
    pub(super) policy: u32,
    /// It was admitted and is not to begin.
    pub(super) is_called_off: bool,
    /// Writes about it that are not in the record yet.
    pub(super) unsettled: u32,
}

impl Known {
    fn is_over(&self) -> bool {
        !self.is_coming && !self.waits && !self.runs && self.unsettled == 0
    }
}

/// The executions of one trigger that are kept in mind, by their events.
#[derive(Default)]
pub(super) struct Memory {
    known: AHashMap<EventId, Known>,
    /// Reads of the store under way, and what was over before they ended: a read may still bring
    /// what it saw before it was over.
    reads: u32,
    over: Vec<EventId>,
}

impl Memory {
    pub(super) fn contains(&self, event: EventId) -> bool {
        self.known.contains_key(&event)
    }

    /// Keeps an execution in mind, or changes what is known of it.
    pub(super) fn note(&mut self, event: EventId) -> &mut Known {
        self.known.entry(event).or_default()
    }

    /// Changes what is known of an execution, if anything is.
    pub(super) fn get(&mut self, event: EventId) -> Option<&mut Known> {
        self.known.get_mut(&event)
    }

    /// Forgets an execution once it is neither here nor on its way to the record: until then a look
    /// into the store could find it again.
    pub(super) fn release(&mut self, event: EventId, change: impl FnOnce(&mut Known)) {
        let Some(known) = self.known.get_mut(&event) else { return };
        change(known);
        if known.is_over() {
            if self.reads > 0 {
                self.over.push(event);
            } else {
                self.known.remove(&event);
            }
        }
    }

    /// What waited here goes back to the store.
    pub(super) fn nothing_waits(&mut self) {
        self.known.retain(|_, known| {
            known.waits = false;
            !known.is_over()
        });
    }

    pub(super) fn reads_begin(&mut self, count: usize) {
        self.reads += count as u32;
    }

    pub(super) fn read_ended(&mut self) {
        self.reads = self.reads.saturating_sub(1);
        if self.reads == 0 {
            for event in std::mem::take(&mut self.over) {
                if self.known.get(&event).is_some_and(Known::is_over) {
                    self.known.remove(&event);
                }
            }
        }
    }
}
