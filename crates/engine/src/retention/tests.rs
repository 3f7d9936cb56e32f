//! The format of segments, the judge, and lists over overlapping segments.

mod format;
mod judging;
mod listing;

use evoke_model::{Data, Event, EventId};

/// An event with nothing in it.
fn event(id: EventId, kind: &str) -> Event {
    Event {
        id,
        sender_id: None,
        source: "/test".into(),
        kind: kind.into(),
        subject: None,
        time: id.made_at(),
        content_type: None,
        data_schema: None,
        data: Data::None,
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}
