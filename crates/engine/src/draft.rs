//! Events before they are accepted.

use evoke_model::event::Extensions;
use evoke_model::{Data, EventId, ExecutionId, Timestamp};

/// An event as a sender gave it. What is left out is filled in when it is accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// CloudEvents `id`; an event with the same source and id is taken only once.
    pub id: Option<Box<str>>,
    /// CloudEvents `source`; `/api/events` if not given.
    pub source: Option<Box<str>>,
    /// CloudEvents `type`; may not be empty.
    pub kind: Box<str>,
    /// CloudEvents `subject`.
    pub subject: Option<Box<str>>,
    /// CloudEvents `time`.
    pub time: Option<Timestamp>,
    /// CloudEvents `datacontenttype`.
    pub content_type: Option<Box<str>>,
    /// CloudEvents `dataschema`.
    pub data_schema: Option<Box<str>>,
    /// CloudEvents `data`.
    pub data: Data,
    /// Other attributes.
    pub extensions: Option<Box<Extensions>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// First in, first out among events with the same key, for triggers with `order_by`.
    pub ordering_key: Option<Box<str>>,
    /// Deliver not before.
    pub due: Option<Timestamp>,
    /// `Idempotency-Key` of the request, made unique for the event.
    pub idempotency_key: Option<Box<str>>,
    /// The execution whose function sends this event, proved by its token.
    pub cause: Option<ExecutionId>,
    /// Marked as a test run.
    pub is_test_run: bool,
}

/// An accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Our id.
    pub id: EventId,
    /// It was accepted before under the same id or key; nothing new was started.
    pub is_duplicate: bool,
}
