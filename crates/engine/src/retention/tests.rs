//! The format of segments, the judge, and lists over overlapping segments.

mod format;
mod judging;
mod listing;

use evoke_model::{Event, EventId};

/// An event with nothing in it.
fn event(id: EventId, kind: &str) -> Event {
    evoke_testkit::plain_event(id, "/test", kind)
}
