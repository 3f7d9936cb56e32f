//! What the tests of this crate share.

use evoke_model::{Data, Event, EventId, Timestamp};

/// An order that was made in the shop.
pub(crate) fn event(id: u64, kind: &str) -> Event {
    Event {
        id: EventId::from_u64(id),
        sender_id: None,
        source: "/shop/eu".into(),
        kind: kind.into(),
        subject: Some("orders/7".into()),
        time: Timestamp::EPOCH,
        content_type: None,
        data_schema: None,
        data: Data::Json(r#"{"total": 120, "customer": "acme"}"#.into()),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}
