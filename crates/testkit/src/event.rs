//! An event to begin with.

use evoke_model::{Data, Event, EventId};

/// An event with nothing but what every event has, made when its id was.
pub fn plain_event(id: EventId, source: &str, kind: &str) -> Event {
    Event {
        id,
        sender_id: None,
        source: source.into(),
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
