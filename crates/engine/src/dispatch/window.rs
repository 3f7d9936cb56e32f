//! How much of what waits is kept in memory: some of each lane, and more as long as all lanes
//! together do not keep too much. The rest waits in the store and is read when its turn comes near,
//! which costs about as much as running it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::settings::{DEBOUNCE_WINDOW_MAX, LANE_BYTES_MIN, LANE_WINDOW_MAX, WINDOW_BYTES_MAX};

/// What an execution and its event take beside the event's data, in bytes.
const ENTRY_BYTES: u64 = 768;

/// What all lanes keep, in bytes.
#[derive(Default)]
pub(super) struct Window(AtomicU64);

impl Window {
    fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= WINDOW_BYTES_MAX.as_u64()
    }
}

/// What one lane keeps, as its part of the window.
pub(super) struct Share {
    window: Arc<Window>,
    entries: usize,
    bytes: u64,
    /// As many as there are keys: of a debounced trigger each that waits has one.
    is_debounced: bool,
}

impl Share {
    pub(super) fn of(window: Arc<Window>) -> Self {
        Self { window, entries: 0, bytes: 0, is_debounced: false }
    }

    /// Takes note of what the lane keeps now.
    pub(super) fn note(&mut self, entries: usize, data: u64) {
        let bytes = data + entries as u64 * ENTRY_BYTES;
        if bytes > self.bytes {
            self.window.0.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.window.0.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        (self.entries, self.bytes) = (entries, bytes);
    }

    pub(super) fn set_debounced(&mut self, is_debounced: bool) {
        self.is_debounced = is_debounced;
    }

    fn entries_max(&self) -> usize {
        if self.is_debounced { DEBOUNCE_WINDOW_MAX } else { LANE_WINDOW_MAX }
    }

    /// Whether the lane may keep no more.
    pub(super) fn is_full(&self) -> bool {
        self.entries >= self.entries_max()
            || (self.bytes >= LANE_BYTES_MIN.as_u64() && self.window.is_full())
    }

    /// Whether so little is left that it is time to read more from the store. Not before: a read
    /// brings what is here already once more.
    pub(super) fn is_low(&self) -> bool {
        let is_few = self.entries < self.entries_max() / 8;
        is_few && (self.bytes < LANE_BYTES_MIN.as_u64() / 2 || !self.window.is_full())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.note(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_may_keep_some_and_all_together_not_too_much() {
        let window = Arc::new(Window::default());
        let (mut one, mut other) = (Share::of(window.clone()), Share::of(window.clone()));
        one.note(1, WINDOW_BYTES_MAX.as_u64());
        assert!(one.is_full() && !one.is_low());
        assert!(!other.is_full() && other.is_low(), "its own part is still free");
        other.note(1, LANE_BYTES_MIN.as_u64());
        assert!(other.is_full());
        one.note(0, 0);
        assert!(!other.is_full(), "there is room again");
        other.note(LANE_WINDOW_MAX, 0);
        assert!(other.is_full() && !other.is_low());
        drop((one, other));
        assert_eq!(window.0.load(Ordering::Relaxed), 0);
    }
}
